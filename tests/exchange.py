"""Whether Transformers, PEFT and llama.cpp load what `export-model` writes, and compute what they compute with the adapter.

`tests/exchange.sh` runs it, with the versions that it names. Usage: `exchange.py make BASE FOLDER` writes a random
adapter as PEFT saves it into `FOLDER/adapter`; `exchange.py check BASE FOLDER` loads the exports beside it (`peft`,
`merged-*` folders, `merged-*.gguf`, `adapter.gguf`), prints how far (relative L2) each one's logits are from those of PEFT
over the base in f32, and stops where one is further than its type allows. llama.cpp is asked where xllamacpp is installed: for
it, how far the log-probabilities of the likeliest 40 next tokens are.
"""

import pathlib
import sys

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize, quantize
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

# Relative L2 of the logits: f32 is rounding, 16 bits and 8 bits are the types' own.
LIMITS = {"f32": 1e-5, "f16": 5e-3, "bf16": 3e-2, "q8_0": 4e-2}
# Log-probabilities in llama.cpp, which rounds activations to 16 bits beside 16-bit weights and to 8 beside quantised ones.
LLAMA_CPP_LIMITS = {"f32": 2e-2, "f16": 5e-2, "bf16": 2e-1, "q8_0": 6e-1}


@torch.no_grad()
def logits(model, ids):
    return model(input_ids=ids).logits[0].float()


def far(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def load(path, **more):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **more).eval()


def judge(name, distance, limit):
    print(f"{name:28} {distance:.1e} (limit {limit:.0e})")
    if not distance < limit:
        sys.exit(f"{name} is too far")


def gguf_tensors(path):
    return {tensor.name: tensor for tensor in GGUFReader(path).tensors}


def check_quantised(folder):
    """Eight-bit blocks are those of gguf-py."""
    wide, narrow = (gguf_tensors(folder / f"merged-{kind}.gguf") for kind in ("f32", "q8_0"))
    compared = 0
    for name, tensor in narrow.items():
        if tensor.tensor_type.name == "Q8_0":
            numbers = dequantize(wide[name].data, wide[name].tensor_type)
            assert np.array_equal(quantize(numbers, tensor.tensor_type), tensor.data), name
            compared += 1
    # None where no row is a whole number of blocks, as in the tests' smallest models.
    print(f"{'q8_0 blocks':28} equal to gguf-py's in {compared} tensors")


def llama_cpp(base, folder, text, ids, expected):
    """llama.cpp tells log-probabilities of the likeliest next tokens, and tokenises the prompt itself."""
    try:
        import xllamacpp
    except ImportError:
        print("xllamacpp is not installed: llama.cpp itself was not asked")
        return
    wanted = torch.log_softmax(expected[-1], -1)
    # llama.cpp adds adapters to GGUF files alone.
    runs = {} if base.is_dir() else {"llama.cpp --lora": ("q8_0", base, folder / "adapter.gguf")}
    for kind in LLAMA_CPP_LIMITS:
        runs[f"llama.cpp merged {kind}"] = (kind, folder / f"merged-{kind}.gguf", None)
    for name, (kind, model, adapter) in runs.items():
        params = xllamacpp.CommonParams()
        params.model.path, params.n_ctx, params.warmup = str(model), 512, False
        if adapter:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        server = xllamacpp.Server(params)
        ask = {"n_predict": 1, "temperature": 0, "n_probs": 40, "cache_prompt": False}
        by_text, by_ids = (server.handle_completions(ask | {"prompt": prompt}) for prompt in (text, ids[0].tolist()))
        assert by_text["usage"]["prompt_tokens"] == ids.shape[1], f"{name} tokenises otherwise"
        text_top, top = (answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"] for answer in (by_text, by_ids))
        assert [entry["id"] for entry in text_top] == [entry["id"] for entry in top], f"{name} tokenises otherwise"
        limit = LLAMA_CPP_LIMITS[kind]
        judge(name, max(abs(entry["logprob"] - wanted[entry["id"]].item()) for entry in top), limit)
    print("xllamacpp", xllamacpp.__version__)


def base_model(path):
    return load(path) if path.is_dir() else load(path.parent, gguf_file=path.name)


def make(base, folder):
    torch.manual_seed(11)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(base_model(base), LoraConfig(r=8, lora_alpha=16, target_modules=targets, task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02)
    model.save_pretrained(folder / "adapter")


def check(base, folder):
    tokenizer = AutoTokenizer.from_pretrained(folder / "merged-f32")
    messages = [{"role": "user", "content": "A man of 54 years has chest pain. What comes first?"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    plain = logits(base_model(base), ids)
    expected = logits(PeftModel.from_pretrained(base_model(base), folder / "adapter"), ids)
    print(f"{'the adapter moves them by':28} {far(expected, plain):.1e}")
    peft = PeftModel.from_pretrained(base_model(base), folder / "peft")
    judge("peft", far(logits(peft, ids), expected), LIMITS["f32"])
    for kind in ("f32", "f16", "bf16"):
        judge(f"safetensors {kind}", far(logits(load(folder / f"merged-{kind}"), ids), expected), LIMITS[kind])
    # Transformers reads GGUF files of no other families rightly: not Llama 3's positions, nor Qwen3's size of a head.
    for kind in ("f32", "f16", "bf16", "q8_0") if base.is_file() else ():
        judge(f"gguf {kind}", far(logits(base_model(folder / f"merged-{kind}.gguf"), ids), expected), LIMITS[kind])
    check_quantised(folder)
    llama_cpp(base, folder, text, ids, expected)
    print({name: __import__(name).__version__ for name in ("torch", "transformers", "peft")})


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](*map(pathlib.Path, sys.argv[2:]))
