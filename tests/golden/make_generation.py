"""Greedy answers of Transformers: for each prompt the next tokens, always the likeliest, in f32.

Run: python make_generation.py SmolLM2-135M-Instruct.Q4_1.gguf
Writes `generation.json` beside itself; versions are in README.md. The GGUF's weights are dequantised by Transformers.
`margin` is the least distance between the two largest logits on the way: where it is small, another order of sums could
rightly choose another token.
"""
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM

from make_text import smollm2

HERE = pathlib.Path(__file__).parent
PROMPTS = [
    "What are the first signs of a stroke?",
    "A 54-year-old man has crushing chest pain and sweats. What should be done first?",
    "Write two sentences about the sea.",
    "List three causes of a fever in a child.",
    "How does insulin lower the blood sugar?",
    "A woman of 30 weeks of pregnancy has a headache and a blood pressure of 165/110 mmHg. What is the most likely diagnosis?",
    "Explain to a ten-year-old why we sleep.",
    "What is 17 times 23? Think step by step.",
    "Which vitamin deficiency causes scurvy?",
    "Translate into French: The patient is waiting in the corridor.",
    "Give the differential diagnosis of acute shortness of breath.",
    "What is the difference between a virus and a bacterium?",
    "A child has swallowed a button battery. What now?",
    "Name the bones of the forearm.",
    "Write a Python function that returns the n-th Fibonacci number.",
    "Why is penicillin not given for a cold?",
    "Summarise in one sentence: The heart pumps blood through the arteries to the organs, and the veins bring it back.",
    "\u4ec0\u4e48\u662f\u9ad8\u8840\u538b\uff1f",
    "What should a diabetic carry on a long walk?",
    "Who discovered the circulation of the blood, and when?",
]


@torch.no_grad()
def greedy(model, prompt, count):
    tokens, margin = list(prompt), float("inf")
    cache = None
    new = torch.tensor([tokens])
    for _ in range(count):
        out = model(new, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        top = torch.topk(out.logits[0, -1], 2)
        margin = min(margin, float(top.values[0] - top.values[1]))
        tokens.append(int(top.indices[0]))
        if tokens[-1] == model.config.eos_token_id:
            break
        new = torch.tensor([[tokens[-1]]])
    return {"prompt": list(prompt), "answer": tokens[len(prompt):], "margin": margin}


if __name__ == "__main__":
    path = pathlib.Path(sys.argv[1]).resolve()
    tiny = AutoModelForCausalLM.from_pretrained(HERE / "tiny-llama", dtype=torch.float32).eval()
    out = {"tiny-llama": [greedy(tiny, [1, 40 + i, 300 - i, 77, 5 * i + 3], 64) for i in range(3)]}
    bpe = smollm2(str(path))
    base = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    texts = [
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{p}<|im_end|>\n<|im_start|>assistant\n" for p in PROMPTS
    ]
    out["smollm2-135m-instruct"] = [greedy(base, bpe.encode(text).ids, 64) | {"question": p} for text, p in zip(texts, PROMPTS)]
    (HERE / "generation.json").write_text(json.dumps(out) + "\n")
