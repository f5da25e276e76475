#!/usr/bin/env python3
"""Compares the engine's training with PyTorch + PEFT on the same batches, in turn, and prints rates, memory and ratios.

    benches/engine_training.py --model SmolLM2-135M-Instruct.Q4_1.gguf [--lengths 256 512 1024] [--rounds 1] [--threads 2]
                               [--only NAME ...] [--python PROGRAM] [--built] [--results FILE] [--report]

One AdamW step on one sequence, loss on its second half, LoRA of rank 16 and alpha 32 on all seven projections, no
dropout. Each measurement is a process of its own: load, one step that is not counted, then the counted ones; the rate is
that of its best step, tokens per CPU-second are over all counted steps. Every measurement is a line of the results file,
which is added to; `--report` prints the tables of what is there and runs nothing.

PyTorch runs as installed; with MKL made to take AVX-512 on a processor of another maker (a library of two lines that is
loaded before it); compiled by torch.compile, with an allocator that keeps its memory; and in bf16, plain and compiled.
The engine runs in f32, in bf16, with AVX2 alone, and with its base kept quantised. A virtual environment with the peers
is made under target/ at the first run: the package index's PyTorch for Linux loads CUDA's libraries whether or not there
is a GPU, so that takes some gigabytes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ["torch==2.15.0", "transformers==5.23.0", "peft==0.21.2", "gguf==0.19.0", "sentencepiece"]
# So that freed memory is not given back to the system and taken anew in every step.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "8589934592",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "67108864",
}
# Name, type, whether MKL is made to take AVX-512, whether compiled.
PYTORCH = [
    ("pytorch-f32", "f32", False, False),
    ("pytorch-f32-mkl512", "f32", True, False),
    ("pytorch-f32-mkl512-compiled", "f32", True, True),
    ("pytorch-bf16", "bf16", True, False),
    ("pytorch-bf16-compiled", "bf16", True, True),
]
ENGINE = [
    ("engine-f32", ["--compute", "f32"]),
    ("engine-bf16", ["--compute", "bf16"]),
    ("engine-f32-avx2", ["--compute", "f32", "--isa", "avx2"]),
    ("engine-bf16-quantised", ["--compute", "bf16", "--keep-quantised"]),
]
# What each is held against, with the goal.
GOALS = [
    ("engine-f32", "pytorch-f32", 2.8),
    ("engine-f32", "pytorch-f32-mkl512", 1.5),
    ("engine-f32", "pytorch-f32-mkl512-compiled", 1.3),
    ("engine-bf16", "pytorch-bf16", 2.3),
    ("engine-bf16", "pytorch-bf16-compiled", 2.0),
    ("engine-f32-avx2", "pytorch-f32", 1.3),
]

WORKER = '''
import json, os, resource, sys, time
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
path, kind, tokens, threads, steps, compiled = sys.argv[1:7]
tokens, steps = int(tokens), int(steps)
torch.set_num_threads(int(threads))
torch.manual_seed(0)
model = AutoModelForCausalLM.from_pretrained(
    os.path.dirname(path), gguf_file=os.path.basename(path), dtype={"f32": torch.float32, "bf16": torch.bfloat16}[kind]
)
targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=targets, task_type="CAUSAL_LM"))
model.train()
if compiled == "True":
    model = torch.compile(model, dynamic=False)
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, weight_decay=0.0)
ids = (torch.arange(tokens) * 7919 + 13).remainder(49152).unsqueeze(0)
labels = ids.clone()
labels[:, : tokens // 2] = -100
walls, cpus, first = [], [], None
for _ in range(steps + 1):
    wall, cpu = time.perf_counter(), time.process_time()
    loss = model(input_ids=ids, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    walls.append(time.perf_counter() - wall)
    cpus.append(time.process_time() - cpu)
    first = loss.item() if first is None else first
walls, cpus = sorted(walls[1:]), cpus[1:]
print(json.dumps({
    "tokens": tokens, "best": tokens / walls[0], "median": tokens / walls[len(walls) // 2],
    "per_cpu_second": tokens * len(cpus) / sum(cpus), "loss": first,
    "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
'''


def peers(folder):
    """The Python of a virtual environment with PyTorch and PEFT."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def forcing_library(folder):
    """The two-line library after which MKL takes AVX-512 wherever there is AVX-512."""
    library = folder / "mkl512.so"
    if not library.exists():
        source = folder / "mkl512.c"
        source.write_text("int mkl_serv_intel_cpu_true(void) { return 1; }\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def last_line(command, environment):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(arguments, folder):
    python = arguments.python or peers(folder)
    library = forcing_library(folder)
    worker = folder / "pytorch_step.py"
    worker.write_text(WORKER)
    if not arguments.built:
        package = ["--package", "medtune-benches", "--bin", "engine-training"]
        subprocess.run(["cargo", "build", "--quiet", *package], cwd=ROOT, check=True)
    binary = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "engine-training"
    wanted = lambda name: not arguments.only or name in arguments.only
    for _ in range(arguments.rounds):
        for tokens in arguments.lengths:
            for name, kind, forced, compiled in filter(lambda row: wanted(row[0]), PYTORCH):
                environment = dict(os.environ)
                if forced:
                    environment["LD_PRELOAD"] = str(library)
                if compiled:
                    environment |= MALLOC
                yield name, last_line(
                    [python, worker, arguments.model, kind, tokens, arguments.threads, arguments.steps, compiled],
                    environment,
                )
            for name, flags in filter(lambda row: wanted(row[0]), ENGINE):
                environment = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
                steps = ["--steps", str(arguments.steps)]
                yield name, last_line([binary, arguments.model, "--json", *steps, *flags, tokens], environment)


def report(lines):
    """Medians over the rounds, and ratios of them."""
    found = {}
    for line in lines:
        found.setdefault((line["threads"], line["tokens"], line["name"]), []).append(line)
    middle = lambda key, field: statistics.median(line[field] for line in found[key])
    for threads, tokens in sorted({key[:2] for key in found}):
        print(f"\n{tokens} tokens, {threads} threads\n")
        print("| | tokens/s | tokens/CPU-s | share of peak | peak MB | rounds |\n|---|---|---|---|---|---|")
        for name in [row[0] for row in PYTORCH + ENGINE]:
            key = (threads, tokens, name)
            if key in found:
                has_peak = "share_of_peak" in found[key][0]
                share = f"{middle(key, 'share_of_peak'):.0%}" if has_peak else ""
                print(
                    f"| {name} | {middle(key, 'best'):.0f} | {middle(key, 'per_cpu_second'):.0f} | {share} "
                    f"| {middle(key, 'peak_megabytes'):.0f} | {len(found[key])} |"
                )
        print("\n| | wall | CPU | memory | goal of CPU |\n|---|---|---|---|---|")
        for name, peer, goal in GOALS:
            one, other = (threads, tokens, name), (threads, tokens, peer)
            if one in found and other in found:
                ratio = lambda field: middle(one, field) / middle(other, field)
                print(
                    f"| {name} to {peer} | {ratio('best'):.2f} | {ratio('per_cpu_second'):.2f} "
                    f"| {ratio('peak_megabytes'):.2f} | {goal} |"
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=[row[0] for row in PYTORCH + ENGINE])
    parser.add_argument("--python", type=Path, help="a Python with PyTorch and PEFT, instead of a new environment")
    parser.add_argument("--built", action="store_true", help="measure the program that was built before")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    folder = ROOT / "target" / "engine-training"
    folder.mkdir(parents=True, exist_ok=True)
    results = arguments.results or folder / "results.jsonl"
    if not arguments.report:
        if not arguments.model or not arguments.model.is_file():
            parser.error("--model must name the base model's GGUF file")
        arguments.model = arguments.model.resolve()
        with results.open("a") as file:
            for name, line in measure(arguments, folder):
                line |= {"name": name, "threads": arguments.threads}
                file.write(json.dumps(line) + "\n")
                file.flush()
                print(json.dumps(line), file=sys.stderr)
    report([json.loads(line) for line in results.read_text().splitlines()])


if __name__ == "__main__":
    main()
