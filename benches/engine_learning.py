#!/usr/bin/env python3
"""Trains PEFT on what `engine-learning --dump` wrote, with the engine's settings, and prints one line of JSON.

    benches/engine_learning.py MODEL.gguf DUMP.json [--seed 42] [--epochs 1] [--type f32|bf16]

The same token ids and weights, LoRA of rank 16 and alpha 32 on all seven projections, AdamW at 1e-3 with 3 % warm-up and
a cosine, four examples a step by accumulation, gradients clipped to 1. Order and first weights follow the seed, and are
others than the engine's of the same seed: what is compared is the result over several seeds. Its Python needs the peers
that `engine_training.py` installs.
"""

import argparse
import json
import math
import os
import random

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BATCH, RATE, WARMUP = 4, 1e-3, 0.03


def summed(model, example):
    """The weighted loss, the weights, and how many of the tokens with loss are the likeliest."""
    tokens = torch.tensor([example["tokens"]])
    weights = torch.tensor(example["weights"][1:])
    rows = weights > 0
    logits = model(input_ids=tokens).logits[0, :-1][rows].float()
    targets = tokens[0, 1:][rows]
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    right = (logits.argmax(-1) == targets).sum().item()
    return (losses * weights[rows]).sum(), weights[rows].sum().item(), right, int(rows.sum())


def evaluation(model, examples):
    model.eval()
    with torch.no_grad():
        sums = [summed(model, example) for example in examples]
    model.train()
    loss = sum(part[0].item() for part in sums) / sum(part[1] for part in sums)
    return {"loss": loss, "token_accuracy": sum(part[2] for part in sums) / sum(part[3] for part in sums)}


def factor(step, total):
    warmup = math.ceil(WARMUP * total)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model")
    parser.add_argument("dump")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--type", choices=["f32", "bf16"], default="f32")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    with open(arguments.dump, encoding="utf-8") as file:
        sides = json.load(file)
    train, valid = sides["train"], sides["valid"]
    kind = torch.float32 if arguments.type == "f32" else torch.bfloat16
    folder, name = os.path.split(os.path.abspath(arguments.model))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=kind)
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=TARGETS, task_type="CAUSAL_LM"))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.0)
    before = evaluation(model, valid)
    total = arguments.epochs * math.ceil(len(train) / BATCH)
    step, order = 0, random.Random(arguments.seed)
    for _ in range(arguments.epochs):
        order.shuffle(train)
        for first in range(0, len(train), BATCH):
            batch = train[first : first + BATCH]
            whole = sum(sum(weight for weight in example["weights"][1:]) for example in batch)
            for example in batch:
                (summed(model, example)[0] / whole).backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            for group in optimizer.param_groups:
                group["lr"] = RATE * factor(step, total)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
    after = evaluation(model, valid)
    print(json.dumps({"peft": arguments.type, "seed": arguments.seed, "before": before, "after": after}))


if __name__ == "__main__":
    main()
