#!/usr/bin/env python3
"""Compares prepare-data with Python on the same generated file, in turns, and prints times, memory and ratios.

    benches/prepare_data.py [--records 25000] [--rounds 5] [--growth 250000 ...] [--built]

(a) plain: what the original script did, and tiktoken to count; (b) datasets: Hugging Face datasets with two processes,
and tiktoken; (c) prepare-data with everything on. All read the same file, write a training and a validation file, and
must find the same number of tokens. A virtual environment with the peers is made beside the results at the first run.

tiktoken fetches its vocabulary at first use. Where the network does not reach it, the copy in tiktoken-rs's package is
put into its cache, under the name that tiktoken looks for: the SHA-1 of the address.

Wall time, CPU time of all processes, and the memory of the largest process. Times on a busy machine disturb all alike,
so look at the ratios, which are taken within a round.
"""

import argparse
import glob
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PEERS = ["tiktoken==0.14.0", "datasets==5.2.0"]
ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
MODEL = "gpt-4.1-mini-2025-04-14"
SYSTEM = (
    "You are an expert medical AI assistant. Given a question, first provide a "
    "detailed chain of thought (Complex_CoT) explaining your reasoning step-by-step. "
    "After the chain of thought, conclude with a concise final Response."
)
TEMPLATE = "## Thinking\n\n{}\n\n## Final Response\n\n{}"

# The fields, messages, framing and split that (a) and (b) share; both import it.
SHARED = '''
import tiktoken
encoding = tiktoken.get_encoding("o200k_base")
def example(record):
    answer = TEMPLATE.format(record["Complex_CoT"], record["Response"])
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": record["Question"]},
        {"role": "assistant", "content": answer},
    ]
def tokens(messages):
    count = 3
    for message in messages:
        count += 3 + len(encoding.encode_ordinary(message["role"]))
        count += len(encoding.encode_ordinary(message["content"]))
    return count
'''

PLAIN = '''
import json, random, sys
from shared import example, tokens
with open(sys.argv[1], encoding="utf-8") as file:
    records = json.load(file)
examples = [{"messages": example(record)} for record in records]
total = sum(tokens(one["messages"]) for one in examples)
random.seed(42)
random.shuffle(examples)
cut = int(len(examples) * 0.9)
for name, part in (("train.jsonl", examples[:cut]), ("valid.jsonl", examples[cut:])):
    with open(name, "w", encoding="utf-8") as file:
        for one in part:
            file.write(json.dumps(one, ensure_ascii=False) + "\\n")
print(total)
'''

DATASETS = '''
import os, sys
os.environ["HF_HUB_OFFLINE"] = "1"
import datasets
from shared import example, tokens
def convert(record):
    messages = example(record)
    return {"messages": messages, "tokens": tokens(messages)}
if __name__ == "__main__":
    datasets.disable_progress_bars()
    data = datasets.load_dataset("json", data_files=sys.argv[1], split="train", cache_dir="cache")
    data = data.map(convert, num_proc=2, remove_columns=data.column_names)
    total = sum(data["tokens"])
    sides = data.remove_columns("tokens").train_test_split(test_size=0.1, seed=42)
    sides["train"].to_json("train.jsonl", force_ascii=False)
    sides["test"].to_json("valid.jsonl", force_ascii=False)
    print(total)
'''


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=25_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--growth", type=int, nargs="*", default=[], help="more counts, for prepare-data alone")
    parser.add_argument("--folder", type=Path, default=TARGET / "benches/prepare-data")
    parser.add_argument("--built", action="store_true", help="the release programs are built already")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not options.built:
        build = ["cargo", "build", "--release", "--quiet", "-p", "prepare-data", "-p", "medtune-benches"]
        subprocess.run([*build, "--bin", "prepare-data", "--bin", "generate-records"], cwd=ROOT, check=True)
    environment = prepare(folder)
    records = generate(folder, options.records)
    size = records.stat().st_size
    print(f"{options.records:,} records, {size / 1e6:.1f} MB, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    variants = {
        "prepare-data": tool(folder, records),
        "plain": [folder / "venv/bin/python", "plain.py", records],
        "datasets": [folder / "venv/bin/python", "datasets_peer.py", records],
    }
    rounds = []
    for _ in range(options.rounds):
        rounds.append({name: measure(command, folder, name, environment) for name, command in variants.items()})
    table(rounds)
    for count in options.growth:
        records = generate(folder, count)
        once = measure(tool(folder, records), folder, "prepare-data", environment)
        print(f"{count:,} records, {records.stat().st_size / 1e6:.0f} MB: {line(once)}")
        records.unlink()
        shutil.rmtree(folder / "prepare-data")


def prepare(folder):
    """Makes the peers; the environment that they run in."""
    if not (folder / "venv/bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        subprocess.run([folder / "venv/bin/pip", "install", "--quiet", *PEERS], check=True)
    (folder / "shared.py").write_text(f"TEMPLATE = {TEMPLATE!r}\nSYSTEM = {SYSTEM!r}\n{SHARED}", encoding="utf-8")
    (folder / "plain.py").write_text(PLAIN, encoding="utf-8")
    (folder / "datasets_peer.py").write_text(DATASETS, encoding="utf-8")
    environment = dict(os.environ, PYTHONPATH=str(folder))
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    ranks = sorted(glob.glob(str(home / "registry/src/*/tiktoken-rs-*/assets/o200k_base.tiktoken")))
    if ranks and "TIKTOKEN_CACHE_DIR" not in environment:
        cache = folder / "tiktoken"
        cache.mkdir(exist_ok=True)
        shutil.copyfile(ranks[-1], cache / hashlib.sha1(ADDRESS.encode()).hexdigest())
        environment["TIKTOKEN_CACHE_DIR"] = str(cache)
    return environment


def generate(folder, count):
    path = folder / f"records-{count}.json"
    if not path.exists():
        subprocess.run([TARGET / "release/generate-records", str(count), path], check=True)
    return path


def tool(folder, records):
    """prepare-data with everything on: checks, repeats, near repeats, identifiers, benchmarks, counts, all files."""
    program = TARGET / "release/prepare-data"
    flags = ["--base-model", MODEL, "--rejects", "rejects.jsonl", "--report", "report.json", "--json"]
    offered = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    if "--phi" in offered:
        flags += ["--phi", "report"]
    if "--against" in offered:
        questions = [record["Question"] for record in json.loads((ROOT / "examples/data/medical_sample.json").read_text())]
        (folder / "benchmark.txt").write_text("\n".join(questions) + "\n", encoding="utf-8")
        flags += ["--against", "benchmark.txt"]
    return [program, "--input", records, *flags]


def measure(command, folder, name, environment):
    """Runs `command` in a folder of its own; its times, memory and the tokens that it found."""
    work = folder / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for file in folder.glob("*.*"):
        if file.suffix in (".py", ".txt"):
            shutil.copyfile(file, work / file.name)
    with open(work / "out", "wb") as out, open(work / "err", "wb") as err:
        start = time.perf_counter()
        child = subprocess.Popen([str(part) for part in command], cwd=work, stdout=out, stderr=err, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{name}: exit {child.returncode}\n" + (work / "err").read_text()[-2000:])
    text = (work / "out").read_text()
    if name == "prepare-data":
        tokens = json.loads(text)["tokens"]
        total = tokens["train"]["total"] + tokens["valid"]["total"]
    else:
        total = int(text.split()[-1])
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024, "tokens": total}


def line(one):
    return f"{one['wall']:.2f} s wall, {one['cpu']:.2f} s CPU, {one['memory']:.0f} MiB, {one['tokens']:,} tokens"


def table(rounds):
    totals = {one["tokens"] for round_ in rounds for one in round_.values()}
    print(f"{'':14}{'wall s':>9}{'CPU s':>9}{'MiB':>8}   times as much as prepare-data: wall, CPU, memory")
    for name in rounds[0]:
        middle = {key: statistics.median(r[name][key] for r in rounds) for key in ("wall", "cpu", "memory")}
        ratios = (
            statistics.median(r[name][key] / r["prepare-data"][key] for r in rounds) for key in ("wall", "cpu", "memory")
        )
        shown = "".join(f"{ratio:9.1f}" for ratio in ratios)
        print(f"{name:14}{middle['wall']:9.2f}{middle['cpu']:9.2f}{middle['memory']:8.0f}   {shown}")
    if len(totals) != 1:
        sys.exit(f"the token totals differ: {totals}")
    print(f"tokens: {totals.pop():,}, the same for all")


if __name__ == "__main__":
    main()
