#!/usr/bin/env python3
"""Measures a chat of 64 tokens over HTTP: alone, eight at once, and both while a job trains.

    benches/answering_under_training.py SERVE [BASE_MODEL] [--chats N]

SERVE is a built `serve`; BASE_MODEL a name or path for its --base-model, smollm2-135m-instruct by default. Needs nothing
but Python. Seconds to the first token and to the last; medians.
"""

import argparse
import concurrent.futures
import http.client
import json
import statistics
import subprocess
import tempfile
import time
import urllib.parse
import uuid

TOKENS = 64


class Server:
    def __init__(self, program, model, data):
        arguments = [program, "--addr", "127.0.0.1:0", "--data-dir", data, "--base-model", model]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = urllib.parse.urlsplit(self.process.stdout.readline().strip())

    def ask(self, method, path, body=None, kind="application/json"):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=600)
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        connection.request(method, self.url.path + path, data, {"Content-Type": kind})
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(response.read().decode())
        return response

    def upload(self, content):
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n',
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="t.jsonl"\r\n\r\n{content}\r\n--{boundary}--\r\n',
        ]
        kind = f"multipart/form-data; boundary={boundary}"
        return json.load(self.ask("POST", "/files", "".join(parts).encode(), kind))["id"]

    def chat(self, model, seed):
        """Seconds to the first token and to the last."""
        question = f"Question {seed}: a patient has a fever and a cough for {seed} days. What may it be, and what should be done?"
        body = {
            "model": model, "messages": [{"role": "user", "content": question}], "max_tokens": TOKENS, "seed": seed,
            "stream": True, "logit_bias": {"0": -100, "2": -100},
        }
        begun, first = time.perf_counter(), None
        for line in self.ask("POST", "/chat/completions", body):
            if first is None and b'"content":"' in line and b'"content":""' not in line:
                first = time.perf_counter() - begun
        return first, time.perf_counter() - begun


def median(times):
    first, last = zip(*times)
    return f"{statistics.median(first):.3f} s to the first token, {statistics.median(last):.3f} s to the last"


def measure(server, model, chats, when):
    times = [server.chat(model, seed) for seed in range(chats)]
    print(f"one chat{when}: {median(times)}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        times = list(pool.map(lambda seed: server.chat(model, seed), range(2 * 8)))
    print(f"eight chats at once{when}: {median(times)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("serve")
    parser.add_argument("model", nargs="?", default="smollm2-135m-instruct")
    parser.add_argument("--chats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        server = Server(arguments.serve, arguments.model, data)
        try:
            model = json.load(server.ask("GET", "/models"))["data"][0]["id"]
            server.chat(model, 0)
            measure(server, model, arguments.chats, "")
            words = "The patient has a fever and a cough, so the lungs are listened to and a picture is taken. " * 20
            row = {"messages": [{"role": "user", "content": "What now?"}, {"role": "assistant", "content": words}]}
            file = server.upload("\n".join([json.dumps(row)] * 200))
            job = {"model": model, "training_file": file, "hyperparameters": {"n_epochs": 5, "batch_size": 4}}
            job = json.load(server.ask("POST", "/fine_tuning/jobs", job))["id"]
            while json.load(server.ask("GET", f"/fine_tuning/jobs/{job}"))["status"] != "running":
                time.sleep(0.2)
            time.sleep(3)
            measure(server, model, arguments.chats, " while a job trains")
            status = json.load(server.ask("GET", f"/fine_tuning/jobs/{job}"))["status"]
            if status != "running":
                raise RuntimeError(f"the job was {status} before the end of the measurement")
        finally:
            server.process.terminate()
            server.process.wait()


if __name__ == "__main__":
    main()
