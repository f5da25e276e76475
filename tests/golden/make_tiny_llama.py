"""Writes `tiny-llama/`: a seeded random Llama with a byte-level BPE tokenizer in SmolLM2's style.

The same weights are written twice, as Transformers keeps them (`model.safetensors`) and as llama.cpp
keeps them (`model.gguf`: query and key rows permuted for its rotary layout).
Run from anywhere: `python make_tiny_llama.py`; the versions used are in README.md.
"""

import json
import pathlib

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

OUT = pathlib.Path(__file__).parent / "tiny-llama"
SEED = 20260101
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SENTENCES = [
    "The patient has a fever and a cough, and the pain in the chest is worse on breathing in.",
    "You are a helpful assistant that thinks step by step before it answers the question.",
    "## Thinking\n\nThe history suggests a cause; the findings rule the other causes out.\n\n",
    "## Final Response\n\nStart with the airway, the breathing and the circulation of the patient.\n",
    "system\nuser\nassistant\nWhat is the most likely diagnosis, and what is the first test to order?\n",
    "A man of 54 years presents with crushing chest pain; the first test is a 12-lead ECG.",
]


def tokenizer():
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        min_frequency=1,
        special_tokens=SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    assert bpe.get_vocab_size() == 384
    return bpe


def model():
    torch.manual_seed(SEED)
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=384,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            max_position_embeddings=4096,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
            tie_word_embeddings=True,
            attention_bias=False,
            mlp_bias=False,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
            initializer_range=0.1,
            dtype=torch.float32,
        )
    )
    with torch.no_grad():
        for name, weight in llama.named_parameters():
            if "norm" in name:
                weight.add_(0.1 * torch.randn_like(weight))
        # The padding token is the one that ends a turn: left at zero, no head tied to it could ever learn to say it.
        llama.model.embed_tokens.weight[2].normal_(std=0.1)
    return llama


def llama_cpp_rows(weight, heads):
    """Rows of a head in llama.cpp's order: (0, D/2, 1, D/2 + 1, ...)."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_gguf(llama, bpe):
    config = llama.config
    writer = gguf.GGUFWriter(OUT / "model.gguf", "llama")
    writer.add_name("tiny-llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(100000.0)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    described = json.loads(bpe.to_str())
    tokens = [token for token, _ in sorted(bpe.get_vocab().items(), key=lambda pair: pair[1])]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token in SPECIALS else gguf.TokenType.NORMAL for token in tokens]
    )
    writer.add_token_merges([" ".join(pair) for pair in described["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in llama.state_dict().items():
        if name == "lm_head.weight":
            continue
        if "q_proj" in name:
            weight = llama_cpp_rows(weight, config.num_attention_heads)
        if "k_proj" in name:
            weight = llama_cpp_rows(weight, config.num_key_value_heads)
        writer.add_tensor(names.get_name(name, (".weight",)), weight.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    OUT.mkdir(exist_ok=True)
    bpe, llama = tokenizer(), model()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        unk_token="<|endoftext|>",
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(OUT, save_jinja_files=False)
    llama.save_pretrained(OUT)
    (OUT / "generation_config.json").unlink(missing_ok=True)
    write_gguf(llama, bpe)


if __name__ == "__main__":
    main()
