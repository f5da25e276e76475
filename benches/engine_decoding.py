#!/usr/bin/env python3
"""Sets the engine's answering beside llama.cpp's, on one GGUF file, in turns.

    benches/engine_decoding.py MODEL.gguf [--rounds N] [--threads N] [--engine BINARY] [--compute TYPE]

Run it with a Python that has `llama-cpp-python`, built from its source, so that it has this processor's instructions; or with
its package on PYTHONPATH and LLAMA_CPP_LIB_PATH naming the folder of a libllama that was built so.
BINARY is a built `engine-decoding`; else cargo builds one. Ratios are taken within a round, and the median is given.
"""

import argparse
import os
import statistics
import subprocess
import time

import llama_cpp

PROMPT, SHORT, TOKENS = 512, 16, 128


def engine(binary, model, compute, threads):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    run = subprocess.run([binary, model, compute, "1", "8"], env=environment, check=True, capture_output=True, text=True)
    return {line.split()[0]: float(line.split()[1]) for line in run.stdout.splitlines()}


class Peer:
    """llama.cpp through its C interface, with nothing of Python between its tokens but the call."""

    def __init__(self, model, threads, sequences):
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(model.encode(), parameters)
        context = llama_cpp.llama_context_default_params()
        context.n_ctx, context.n_batch, context.n_ubatch = 4096, 512, 512
        context.n_seq_max = sequences
        context.n_threads = context.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(vocabulary)
        self.batch = llama_cpp.llama_batch_init(PROMPT, 0, sequences)

    def decode(self, entries):
        """Entries are (token, position, sequence, whether its logits are wanted)."""
        self.batch.n_tokens = len(entries)
        for i, (token, position, sequence, wanted) in enumerate(entries):
            self.batch.token[i], self.batch.pos[i] = token, position
            self.batch.n_seq_id[i], self.batch.seq_id[i][0] = 1, sequence
            self.batch.logits[i] = wanted
        if llama_cpp.llama_decode(self.context, self.batch) != 0:
            raise RuntimeError("llama.cpp could not decode")

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def prefill(self):
        self.clear()
        start = time.perf_counter()
        self.decode([((i * 7919 + 13) % self.size, i, 0, i == PROMPT - 1) for i in range(PROMPT)])
        llama_cpp.llama_get_logits_ith(self.context, PROMPT - 1)
        return PROMPT / (time.perf_counter() - start)

    def tokens(self, sequences):
        """Without choosing tokens, which is no part of llama.cpp's own figures either; the engine's are with it."""
        self.clear()
        for sequence in range(sequences):
            self.decode([((i * 7919 + 13 + sequence) % self.size, i, sequence, i == SHORT - 1) for i in range(SHORT)])
        start = time.perf_counter()
        for step in range(TOKENS - 1):
            entries = [((step * 31 + sequence) % self.size, SHORT + step, sequence, True) for sequence in range(sequences)]
            self.decode(entries)
            llama_cpp.llama_get_logits_ith(self.context, sequences - 1)
        return sequences * (TOKENS - 1) / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--engine")
    parser.add_argument("--compute", default="auto", help="the type of the prompt's products: f32, bf16 or auto")
    arguments = parser.parse_args()
    binary = arguments.engine
    if binary is None:
        subprocess.run(["cargo", "build", "--quiet", "--package", "medtune-benches", "--bin", "engine-decoding"], check=True)
        binary = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "debug", "engine-decoding")
    single, several = Peer(arguments.model, arguments.threads, 1), Peer(arguments.model, arguments.threads, 8)
    ratios = {}
    for round_ in range(arguments.rounds):
        ours = engine(binary, arguments.model, arguments.compute, arguments.threads)
        best = lambda measure: max(measure() for _ in range(3))
        theirs = {
            "prefill_512": best(single.prefill),
            "decode_1": best(lambda: single.tokens(1)),
            "decode_8": best(lambda: several.tokens(8)),
        }
        print(f"round {round_ + 1}: engine {ours}; llama.cpp { {name: round(speed, 1) for name, speed in theirs.items()} }", flush=True)
        for name, speed in theirs.items():
            ratios.setdefault(f"{name} to llama.cpp's", []).append(ours[name] / speed)
        ratios.setdefault("decode_8 to llama.cpp's decode_1", []).append(ours["decode_8"] / theirs["decode_1"])
        ratios.setdefault("decode_8_adapters to decode_8", []).append(ours["decode_8_adapters"] / ours["decode_8"])
    for name, values in ratios.items():
        print(f"{name}: {statistics.median(values):.2f} (from {min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
