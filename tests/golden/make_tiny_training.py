"""Writes `tiny-training/`: what PyTorch and PEFT make of two conversations on `tiny-llama/`.

`adapter/` is a random LoRA adapter as PEFT saves it. `examples.json` holds the conversations with their token ids and
labels. `expected.safetensors` holds, for the first conversation, loss, logits and the gradient by every LoRA weight,
and the losses of 20 AdamW steps on both conversations as one batch.
Run from anywhere, after `make_tiny_llama.py`: `python make_tiny_training.py`; the versions used are in README.md.
"""

import json
import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = pathlib.Path(__file__).parent
MODEL = HERE / "tiny-llama"
OUT = HERE / "tiny-training"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CONVERSATIONS = [
    [
        {"role": "system", "content": "You think step by step."},
        {"role": "user", "content": "A man of 54 years has crushing chest pain. What comes first?"},
        {"role": "assistant", "content": "## Thinking\n\nThe heart may lack blood.\n\n## Final Response\n\nA 12-lead ECG."},
    ],
    [
        {"role": "user", "content": "Is a fever of 38.5 \u00b0C high?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And what helps?"},
        {"role": "assistant", "content": "Rest, fluids and paracetamol."},
    ],
]


def example(tokenizer, messages):
    """Token ids and labels: loss on each answer and the token that ends it, nothing behind the last of those."""
    ids, labels, done = [], [], ""
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = tokenizer.apply_chat_template(messages[:i], tokenize=False, add_generation_prompt=True)
        question = tokenizer(prompt.removeprefix(done), add_special_tokens=False)["input_ids"]
        answer = tokenizer(message["content"] + "<|im_end|>", add_special_tokens=False)["input_ids"]
        after = tokenizer("\n", add_special_tokens=False)["input_ids"]
        ids += question + answer + after
        labels += [-100] * len(question) + answer + [-100] * len(after)
        done = prompt + message["content"] + "<|im_end|>\n"
    assert done == tokenizer.apply_chat_template(messages, tokenize=False)
    end = max(i for i, label in enumerate(labels) if label >= 0) + 1
    return ids[:end], labels[:end]


def summed_loss(model, ids, labels):
    logits = model(input_ids=torch.tensor([ids])).logits[0]
    targets = torch.tensor(labels[1:])
    return logits, torch.nn.functional.cross_entropy(logits[:-1], targets, ignore_index=-100, reduction="sum")


def count(labels):
    return sum(label >= 0 for label in labels[1:])


def main():
    torch.manual_seed(7)
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    base = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, task_type="CAUSAL_LM"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    model.peft_config["default"].base_model_name_or_path = "tiny-llama"
    model.save_pretrained(OUT / "adapter")
    (OUT / "adapter" / "README.md").unlink()

    examples = [example(tokenizer, messages) for messages in CONVERSATIONS]
    (OUT / "examples.json").write_text(
        json.dumps(
            [
                {"messages": messages, "ids": ids, "labels": labels}
                for messages, (ids, labels) in zip(CONVERSATIONS, examples)
            ],
            indent=1,
        )
        + "\n"
    )
    expected = {}
    ids, labels = examples[0]
    logits, loss = summed_loss(model, ids, labels)
    loss = loss / count(labels)
    loss.backward()
    expected["loss"] = loss.detach().reshape(1)
    expected["logits"] = logits.detach().contiguous()
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            expected["gradient." + name.replace(".default", "")] = weight.grad.contiguous().clone()
    model.zero_grad()

    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=5e-3, weight_decay=0.01)
    losses, norms = [], []
    total = sum(count(labels) for _, labels in examples)
    for _ in range(20):
        loss = sum(summed_loss(model, ids, labels)[1] for ids, labels in examples) / total
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_([w for w in model.parameters() if w.requires_grad], 1.0).item())
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    expected["losses"] = torch.tensor(losses)
    expected["gradient_norms"] = torch.tensor(norms)
    save_file(expected, OUT / "expected.safetensors")
    print("loss", expected["loss"].item(), "losses", losses[0], losses[-1], "tokens", [len(ids) for ids, _ in examples])


if __name__ == "__main__":
    main()
