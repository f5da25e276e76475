"""Writes `tiny-preference.safetensors`: what PyTorch and PEFT make of a preference on `tiny-llama/`, by hand-written DPO.

The adapter is that of `tiny-training/`, the reference the model with its adapter off, beta 0.1. Holds loss, both rewards
and the gradient by every LoRA weight for the first pair, and the losses of 10 AdamW steps on both pairs as one batch. The
pairs are in `tiny-preference.json`, in OpenAI's format.
Run from anywhere, after `make_tiny_training.py`: `python make_tiny_preference.py`; the versions used are in README.md.
"""

import json
import pathlib

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from make_tiny_training import MODEL, example, summed_loss

HERE = pathlib.Path(__file__).parent
BETA = 0.1
LINES = [
    {
        "input": {"messages": [{"role": "user", "content": "What helps against a fever?"}]},
        "preferred_output": [{"role": "assistant", "content": "Rest and fluids."}],
        "non_preferred_output": [{"role": "assistant", "content": "Nothing at all, just wait."}],
    },
    {
        "input": {
            "messages": [
                {"role": "system", "content": "You think step by step."},
                {"role": "user", "content": "Is it high?"},
                {"role": "assistant", "content": "No."},
                {"role": "user", "content": "Sure?"},
            ]
        },
        "preferred_output": [{"role": "assistant", "content": "Yes, 37 is usual."}],
        "non_preferred_output": [{"role": "assistant", "content": "No."}],
    },
]


def side(tokenizer, line, output):
    """Token ids and labels: loss on the output alone."""
    messages = line["input"]["messages"] + line[output]
    ids, labels = example(tokenizer, messages)
    last = len(example(tokenizer, messages[:-2])[0]) if len(messages) > 3 else 0
    return ids, [label if place >= last else -100 for place, label in enumerate(labels)]


def pair_loss(model, pair):
    """The loss and both rewards."""
    policy = [-summed_loss(model, ids, labels)[1] for ids, labels in pair]
    with torch.no_grad(), model.disable_adapter():
        reference = [-summed_loss(model, ids, labels)[1] for ids, labels in pair]
    rewards = [BETA * (p - r) for p, r in zip(policy, reference)]
    return -torch.nn.functional.logsigmoid(rewards[0] - rewards[1]), rewards


def main():
    torch.set_num_threads(1)
    (HERE / "tiny-preference.json").write_text(json.dumps(LINES, indent=1) + "\n")
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    base = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, HERE / "tiny-training" / "adapter", is_trainable=True)
    outputs = ("preferred_output", "non_preferred_output")
    pairs = [[side(tokenizer, line, output) for output in outputs] for line in LINES]
    loss, rewards = pair_loss(model, pairs[0])
    loss.backward()
    expected = {"loss": loss.detach().reshape(1), "rewards": torch.stack(rewards).detach()}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            expected["gradient." + name.replace(".default", "")] = weight.grad.contiguous().clone()
    model.zero_grad()

    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-3, weight_decay=0.0)
    losses = []
    for _ in range(10):
        loss = sum(pair_loss(model, pair)[0] for pair in pairs) / len(pairs)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    expected["losses"] = torch.tensor(losses)
    save_file(expected, HERE / "tiny-preference.safetensors")
    print("loss", expected["loss"].item(), "rewards", expected["rewards"], "losses", losses[0], losses[-1])


if __name__ == "__main__":
    main()
