"""Writes `tiny-qwen2/`, `tiny-qwen3/` and `tiny-llama3/`: seeded random models, and what PyTorch and PEFT make of them.

Each folder holds the model as Transformers keeps it (`config.json` and safetensors: Qwen2 in bf16 and in shards, Qwen3
in f16, Llama 3 in bf16), the same weights as llama.cpp keeps them (`model.gguf`, without a tokenizer), and
`expected.safetensors`: token ids, labels, loss, the logits of the last rows and the gradient by every LoRA weight of
rank 2, all computed in f32. The adapter's weights follow from a formula. The tokenizer is that of `tiny-llama/`.
Run from anywhere: `python make_tiny_families.py`; the versions used are in README.md.
"""

import pathlib
import shutil

import gguf
import torch
from gguf.quants import quantize
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config

from make_smollm2_training import TARGETS, formula
from make_tiny_llama import llama_cpp_rows

HERE = pathlib.Path(__file__).parent
SEED = 20260202
TOKENS, LOGIT_ROWS = 40, 4
SHAPE = dict(
    vocab_size=384,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=2048,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=2,
    initializer_range=0.15,
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=10000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
FAMILIES = {
    "tiny-qwen2": (
        Qwen2Config(**SHAPE, tie_word_embeddings=False, rms_norm_eps=1e-6, rope_parameters=dict(rope_type="default", rope_theta=1e6)),
        torch.bfloat16,
    ),
    # Heads of 10 channels, which is not the hidden size by the heads.
    "tiny-qwen3": (
        Qwen3Config(**SHAPE, head_dim=10, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=dict(rope_type="default", rope_theta=1e6)),
        torch.float16,
    ),
    # Of the 8 turns one is fast, two are blended, five are slow.
    "tiny-llama3": (LlamaConfig(**SHAPE, head_dim=16, tie_word_embeddings=True, rms_norm_eps=1e-5, rope_parameters=LLAMA3), torch.bfloat16),
}
GGUF_TYPES = {torch.bfloat16: gguf.GGMLQuantizationType.BF16, torch.float16: gguf.GGMLQuantizationType.F16}


def random_model(config, dtype):
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.add_(0.2 * torch.randn_like(weight))
            if name.endswith("bias"):
                weight.normal_(std=0.3)
        model.model.embed_tokens.weight[2].normal_(std=0.15)
        model.to(dtype)
    return model


def llama3_factors(config):
    """The divisors of the rotary frequencies, as llama.cpp's converter writes them (`rope_freqs.weight`)."""
    plain = 1.0 / config.rope_parameters["rope_theta"] ** (torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim)
    factors = []
    for turn in 2 * torch.pi / plain:
        low, high = LLAMA3["low_freq_factor"], LLAMA3["high_freq_factor"]
        positions, factor = LLAMA3["original_max_position_embeddings"], LLAMA3["factor"]
        if turn < positions / high:
            factors.append(1.0)
        elif turn > positions / low:
            factors.append(factor)
        else:
            smooth = (positions / turn - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return torch.tensor(factors, dtype=torch.float32)


def write_gguf(model, dtype, path):
    config, kind = model.config, model.config.model_type
    writer = gguf.GGUFWriter(path, kind)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if kind != "qwen2":
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    if kind == "llama":
        writer.add_rope_dimension_count(config.head_dim)
        writer.add_tensor("rope_freqs.weight", llama3_factors(config).numpy())
    arch = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3}[kind]
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if kind == "llama" and "q_proj" in name:
            weight = llama_cpp_rows(weight, config.num_attention_heads)
        if kind == "llama" and "k_proj" in name:
            weight = llama_cpp_rows(weight, config.num_key_value_heads)
        numbers = weight.float().contiguous().numpy()
        gguf_name = names.get_name(name, (".weight", ".bias"))
        if numbers.ndim == 1:
            writer.add_tensor(gguf_name, numbers)
        else:
            stored = GGUF_TYPES[dtype]
            writer.add_tensor(gguf_name, quantize(numbers, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def expected(folder):
    # Read back: a model cast to bf16 and back would have rotary frequencies of bf16.
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules=TARGETS, task_type="CAUSAL_LM"))
    trained = {n.replace(".default", ""): w for n, w in model.named_parameters() if w.requires_grad}
    first = 0
    with torch.no_grad():
        # PEFT lists A before B, block by block, q, k, v, o, gate, up, down.
        for weight in trained.values():
            weight.copy_(formula(weight.numel(), first, 0.5).reshape(weight.shape))
            first += weight.numel()
    ids = torch.randint(3, 384, (TOKENS,))
    labels = ids.clone()
    labels[: TOKENS // 2] = -100
    logits = model(input_ids=ids[None]).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], labels[1:], ignore_index=-100)
    loss.backward()
    out = {f"gradient.{name}": weight.grad.contiguous() for name, weight in trained.items()}
    assert len(out) == 28 and all(gradient.norm() > 0 for gradient in out.values())
    # Ids and labels as f32, which holds every one of them exactly: the engine reads no integer tensors.
    return out | {
        "loss": loss.detach().reshape(1),
        "last_logits": logits[-LOGIT_ROWS:].detach().contiguous(),
        "ids": ids.float(),
        "labels": labels.float(),
    }


def main():
    torch.set_num_threads(1)
    for number, (name, (config, dtype)) in enumerate(FAMILIES.items()):
        torch.manual_seed(SEED + number)
        out = HERE / name
        shutil.rmtree(out, ignore_errors=True)
        model = random_model(config, dtype)
        model.save_pretrained(out, max_shard_size="25KB" if name == "tiny-qwen2" else "1GB")
        (out / "generation_config.json").unlink(missing_ok=True)
        write_gguf(model, dtype, out / "model.gguf")
        numbers = expected(out)
        save_file(numbers, out / "expected.safetensors")
        print(name, "loss", numbers["loss"].item())


if __name__ == "__main__":
    main()
