"""Tokenizers of the kinds that GGUF files name, and the token ids that Hugging Face's own libraries make with them.

Run: `python make_tokenizers.py` trains a tiny one of each kind and writes `tokenizers/`: for each a GGUF file that holds
the vocabulary alone, as llama.cpp's converter writes it, and `expected.json` with token ids and decoded text.
Run: `python make_tokenizers.py tokenizer.json KIND OUT` writes `OUT/vocabulary.gguf` and `OUT/expected.json` from a real
tokenizer.json of KIND `llama-bpe`, `qwen2` or `spm`, for `cargo run --package medtune-benches --bin tokenizer-ids`.
Versions are in README.md.
"""

import json
import pathlib
import sys

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import generate_merges

from make_text import TEXTS
from make_tiny_llama import SENTENCES

OUT = pathlib.Path(__file__).parent / "tokenizers"
# From the tokenizer.json of Llama 3 and of Qwen2.5.
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
MORE = ["  It's 12345 o'clock;\r\n\r\n ok", "x <tool_call> y</s> <s>z", "\u2581 \u2581\u2581a", "WE'LL 7%\n\n\n\t-"]
CASES = [(text, min(times, 12)) for text, times in TEXTS] + [(text, 1) for text in MORE]


def byte_level(regex, normalizer, ignore_merges):
    bpe = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        bpe.normalizer = normalizer
    split = pre_tokenizers.Split(Regex(regex), behavior="isolated", invert=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=384, min_frequency=1, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    # As Qwen's <tool_call>: found in every text, and shown.
    bpe.add_tokens([AddedToken("<tool_call>", special=False, normalized=False)])
    return bpe


def sentencepiece():
    normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    learnt = Tokenizer(models.BPE())
    learnt.normalizer = normalizer
    learnt.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=160, min_frequency=2, show_progress=False))
    pieces = sorted(learnt.get_vocab().items(), key=lambda pair: pair[1])
    specials = ["<unk>", "<s>", "</s>"]
    tokens = specials + [f"<0x{byte:02X}>" for byte in range(256)]
    merged = [piece for piece, _ in pieces if len(piece) > 1]
    tokens += merged + [piece for piece, _ in pieces if len(piece) == 1]
    scores = [0.0] * 259 + [-float(i) for i in range(len(tokens) - 259)]
    vocab = {token: i for i, token in enumerate(tokens)}
    bpe = Tokenizer(
        models.BPE(
            vocab, generate_merges(vocab, dict(zip(tokens, scores)), specials), unk_token="<unk>", fuse_unk=True, byte_fallback=True
        )
    )
    bpe.normalizer = normalizer
    bpe.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return bpe, scores


def write_gguf(path, bpe, kind, scores):
    described = json.loads(bpe.to_str())
    tokens = [token for token, _ in sorted(bpe.get_vocab().items(), key=lambda pair: pair[1])]
    added = {token["id"]: token["special"] for token in described["added_tokens"]}
    normal = lambda token: gguf.TokenType.BYTE if kind == "spm" and token.startswith("<0x") else gguf.TokenType.NORMAL
    types = [
        normal(token) if i not in added else gguf.TokenType.CONTROL if added[i] else gguf.TokenType.USER_DEFINED
        for i, token in enumerate(tokens)
    ]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_token_list(tokens)
    if kind == "spm":
        types[tokens.index("<unk>")] = gguf.TokenType.UNKNOWN
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_scores(scores)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(kind)
        merges = described["model"]["merges"]
        writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_token_types(types)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def entries(bpe):
    encoded, decoded = [], []
    for text, times in CASES:
        ids = {}
        for name, as_text in (("parsed", False), ("plain", True)):
            bpe.encode_special_tokens = as_text
            ids[name] = bpe.encode(text * times, add_special_tokens=False).ids
        encoded.append({"text": text, "times": times, **ids})
        # What is cut within a character is compared for byte-level vocabularies alone: with SentencePiece, Hugging Face's
        # decoder gives up a whole run of bytes for one that is wrong, and this project's the wrong one.
        cut = [ids["plain"][1:-1]] if "ByteLevel" in bpe.to_str() else []
        for tokens in [ids["parsed"], *cut]:
            decoded.append({"tokens": tokens, "text": bpe.decode(tokens, skip_special_tokens=True)})
    return {"encoded": encoded, "decoded": decoded}


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def main():
    if len(sys.argv) > 1:
        source, kind, out = sys.argv[1:]
        bpe, out = Tokenizer.from_file(source), pathlib.Path(out)
        out.mkdir(parents=True, exist_ok=True)
        # SentencePiece's scores order its pieces as tokenizer.json orders the merges that make them.
        places = {}
        for place, merge in enumerate(json.loads(bpe.to_str())["model"]["merges"] if kind == "spm" else []):
            places.setdefault("".join(merge.split(" ") if isinstance(merge, str) else merge), place)
        vocab = sorted(bpe.get_vocab().items(), key=lambda pair: pair[1])
        scores = [0.0 if i < 259 else -float(places.get(token, len(vocab) ** 2)) for token, i in vocab]
        write_gguf(out / "vocabulary.gguf", bpe, kind, scores)
        write_json(out / "expected.json", entries(bpe))
        return
    OUT.mkdir(exist_ok=True)
    expected = {}
    for kind, bpe in (("llama-bpe", byte_level(LLAMA3, None, True)), ("qwen2", byte_level(QWEN2, normalizers.NFC(), False))):
        write_gguf(OUT / f"{kind}.gguf", bpe, kind, None)
        expected[kind] = entries(bpe)
    bpe, scores = sentencepiece()
    write_gguf(OUT / "spm.gguf", bpe, "spm", scores)
    expected["spm"] = entries(bpe)
    write_json(OUT / "expected.json", expected)


if __name__ == "__main__":
    main()
