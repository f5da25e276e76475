"""Writes `smollm2-training.safetensors`: PyTorch's and PEFT's numbers for SmolLM2-135M-Instruct on one real record.

The weights are those of the Q4_1 GGUF file, dequantised to f32 by Transformers. The adapter's weights follow from a
formula, so that they need not be stored; the record is stored as token ids only. Holds ids, labels, loss, the logits of
the last two rows and the gradient by every LoRA weight (210 projections, rank 2), all computed in f32. How far that is from the same in f64 (but for the rotary angles,
which Transformers always makes in f32) is printed: it is the reason for the test's tolerances. So is how far PyTorch's own
bf16 is off, as PEFT runs it: the frozen model in bf16, the adapter in f32.
Run: `python make_smollm2_training.py SmolLM2-135M-Instruct.Q4_1.gguf RECORDS.json`, RECORDS being a JSON array of
medical-o1 records of which the shortest is taken; the versions used are in README.md.
"""

import json
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.llama.modeling_llama import LlamaRMSNorm

OUT = pathlib.Path(__file__).parent / "smollm2-training.safetensors"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SYSTEM = "You are a clinician. Think step by step, then answer."


def formula(count, first, scale):
    """Numbers from -scale/2 to scale/2: Knuth's multiplicative hash of first, first + 1, ..."""
    places = torch.arange(first, first + count, dtype=torch.int64)
    return ((places * 2654435761 % 2**32).double() / 2**32 - 0.5).mul(scale).float()


def norm_forward(self, x):
    """`LlamaRMSNorm.forward` without its cast to f32."""
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def compute(model, trained, ids, labels):
    """Loss, last two rows of logits, gradients."""
    logits = model(input_ids=torch.tensor([ids])).logits[0]
    if logits.dtype == torch.bfloat16:
        logits = logits.float()  # As Transformers does for its loss.
    loss = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(labels[1:]), ignore_index=-100)
    loss.backward()
    gradients = {f"gradient.{name}": weight.grad.contiguous() for name, weight in trained.items()}
    model.zero_grad()
    return loss.detach().reshape(1), logits[-2:].detach().contiguous(), gradients


def load(gguf, dtype):
    """The model with the formula's adapter, and the latter's weights by PEFT's names."""
    base = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=dtype)
    model = get_peft_model(base, LoraConfig(r=2, lora_alpha=4, target_modules=TARGETS, task_type="CAUSAL_LM"))
    trained = {n.replace(".default", ""): w for n, w in model.named_parameters() if w.requires_grad}
    first = 0
    with torch.no_grad():
        # PEFT lists A before B, block by block, q, k, v, o, gate, up, down.
        for name, weight in trained.items():
            scale = 0.08 if "lora_A" in name else 0.04
            weight.copy_(formula(weight.numel(), first, scale).reshape(weight.shape))
            first += weight.numel()
    return model, trained


def report(title, loss, found, expected):
    """Prints how far gradients are from those expected, all together and the worst, in relative L2."""
    found = {name: gradient.to(expected[name].dtype) for name, gradient in found.items()}
    far = {name: ((found[name] - expected[name]).norm() / expected[name].norm()).item() for name in expected}
    error = sum((found[name] - expected[name]).pow(2).sum() for name in expected)
    error = (error / sum(gradient.pow(2).sum() for gradient in expected.values())).sqrt().item()
    above = sum(distance > 5e-2 for distance in far.values())
    worst = max(far, key=far.get)
    print(title, "loss", loss.item(), "off by", error, "worst", far[worst], worst, "above 5e-2:", above, "of", len(far))


def main():
    gguf, records = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model, trained = load(gguf, torch.float32)

    record = min(records, key=lambda record: sum(map(len, record.values())))
    prompt = tokenizer.apply_chat_template(
        [{"role": "system", "content": SYSTEM}, {"role": "user", "content": record["Question"]}],
        tokenize=False,
        add_generation_prompt=True,
    )
    answer = f"## Thinking\n\n{record['Complex_CoT']}\n\n## Final Response\n\n{record['Response']}<|im_end|>"
    prompt, answer = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, answer))
    ids, labels = prompt + answer, [-100] * len(prompt) + answer

    loss, last_logits, narrow = compute(model, trained, ids, labels)
    expected = dict(narrow, loss=loss, last_logits=last_logits)
    assert len(narrow) == 420
    # Ids and labels as f32, which holds every one of them exactly: the engine reads no integer tensors.
    expected["ids"] = torch.tensor(ids, dtype=torch.float32)
    expected["labels"] = torch.tensor(labels, dtype=torch.float32)
    save_file(expected, OUT)
    print("tokens", len(ids), "with loss", len(answer), "loss", loss.item())

    half, half_trained = load(gguf, torch.bfloat16)
    half_loss, _, halves = compute(half, half_trained, ids, labels)
    report("bf16 from f32:", half_loss, halves, narrow)

    LlamaRMSNorm.forward = norm_forward
    model.double()
    trained = {n.replace(".default", ""): w for n, w in model.named_parameters() if w.requires_grad}
    loss, _, wide = compute(model, trained, ids, labels)
    report("f32 from f64:", loss, narrow, wide)


if __name__ == "__main__":
    main()
