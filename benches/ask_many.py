#!/usr/bin/env python3
"""How much of a service's limits `ask --many` uses: a server that enforces requests and tokens a minute, in real time.

    benches/ask_many.py [--ask PROGRAM] [--minutes N] [--requests N] [--tokens N] [--latency SECONDS] [--window] [--used]

The server is a token bucket as OpenAI's (with --window the limits come back all at once every minute), counts a request's
tokens as its prompt and `max_tokens` when it takes it (with --used as its prompt then and its answer afterwards), tells
what is left in `x-ratelimit-*` and refuses with 429 and Retry-After. Questions are enough for N minutes and one bucket.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMPT, MOST, ANSWER = 100, 1000, 250


class Limits:
    """What is left of the limits, and what was asked of them."""

    def __init__(self, arguments):
        self.full = (arguments.requests, arguments.tokens)
        self.left = [float(full) for full in self.full]
        self.window, self.used = arguments.window, arguments.used
        self.begun = self.seen = time.monotonic()
        self.taken, self.refused, self.last = 0, 0, self.begun
        self.lock = threading.Lock()

    def refill(self, now):
        if self.window:
            if int((now - self.begun) / 60) > int((self.seen - self.begun) / 60):
                self.left = [float(full) for full in self.full]
        else:
            for i, full in enumerate(self.full):
                self.left[i] = min(full, self.left[i] + full * (now - self.seen) / 60)
        self.seen = now

    def headers(self, now):
        for name, full, left in zip(("requests", "tokens"), self.full, self.left):
            reset = 60 - (now - self.begun) % 60 if self.window else (full - left) / full * 60
            yield f"x-ratelimit-limit-{name}", str(full)
            yield f"x-ratelimit-remaining-{name}", str(max(0, int(left)))
            yield f"x-ratelimit-reset-{name}", f"{max(0.0, reset):.3f}s"

    def take(self):
        """Takes a request, or says how many seconds to wait; with the headers of either."""
        with self.lock:
            now = time.monotonic()
            self.refill(now)
            cost = (1, PROMPT if self.used else PROMPT + MOST)
            missing = [cost[i] - self.left[i] for i in range(2)]
            if max(missing) <= 0:
                self.left = [self.left[i] - cost[i] for i in range(2)]
                self.taken, self.last = self.taken + 1, now
                return None, list(self.headers(now))
            self.refused += 1
            if self.window:
                wait = 60 - (now - self.begun) % 60
            else:
                wait = max(missing[i] / self.full[i] * 60 for i in range(2))
            return max(wait, 0.001), list(self.headers(now))

    def settle(self, tokens):
        with self.lock:
            now = time.monotonic()
            self.refill(now)
            if self.used:
                self.left[1] -= tokens
            return list(self.headers(now))


def handler(limits, latency):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            wait, headers = limits.take()
            if wait is not None:
                headers.append(("retry-after", f"{wait:.3f}"))
                error = {"message": "rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}
                return self.answer(429, headers, {"error": error})
            # The same length for the same question, between half and one and a half of the mean.
            written = ANSWER // 2 + hash(asked["messages"][-1]["content"]) % ANSWER
            time.sleep(latency * written / ANSWER)
            if limits.used:
                headers = limits.settle(written)
            message = {"role": "assistant", "content": "## Thinking\n\nSo.\n\n## Final Response\n\nYes."}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": PROMPT, "completion_tokens": written, "total_tokens": PROMPT + written}
            self.answer(200, headers, {"model": asked["model"], "choices": [choice], "usage": usage})

        def answer(self, status, headers, body):
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in [*headers, ("content-type", "application/json"), ("content-length", str(len(data)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    class Server(ThreadingHTTPServer):
        daemon_threads, request_queue_size = True, 256

    return Server(("127.0.0.1", 0), Handler)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ask", default=str(ROOT / "target/release/ask"))
    parser.add_argument("--minutes", type=int, default=4)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--tokens", type=int, default=200_000)
    parser.add_argument("--latency", type=float, default=4.0)
    parser.add_argument("--window", action="store_true")
    parser.add_argument("--used", action="store_true")
    arguments = parser.parse_args()
    limits = Limits(arguments)
    server = handler(limits, arguments.latency)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    a_question = PROMPT + (ANSWER if arguments.used else MOST)
    a_minute = min(arguments.requests, arguments.tokens / a_question)
    count = int(a_minute * (arguments.minutes + (0 if arguments.window else 1)))
    with tempfile.TemporaryDirectory() as folder:
        questions, answers = pathlib.Path(folder, "questions.jsonl"), pathlib.Path(folder, "answers.jsonl")
        text = "\n".join(json.dumps({"id": i, "question": f"{i} " + "What is it? " * 16}) for i in range(count))
        questions.write_text(text + "\n")
        command = [arguments.ask, "--model", "ft:tiny", "--many", questions, "--output", answers]
        command += ["--base-url", f"http://127.0.0.1:{server.server_address[1]}/v1", "--max-tokens", str(MOST)]
        done = subprocess.run(command, cwd=folder, env={"PATH": os.environ["PATH"]})
        lines = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [line["id"] for line in lines] == list(range(count)), "lines are missing or out of order"
    failed = sum("error" in line for line in lines)
    minutes = (limits.last - limits.begun) / 60
    worth = limits.taken / a_minute
    # A full bucket gives a minute's worth at once; whole windows leave no such sum.
    used = "" if arguments.window else f", {worth / (1 + minutes):.1%} of the limit"
    kind = ("window" if arguments.window else "bucket") + (", used" if arguments.used else ", most")
    print(f"{kind}: {arguments.requests} requests and {arguments.tokens} tokens a minute, exit {done.returncode}: "
          f"{len(lines)} answered, {failed} failed, {limits.refused} refused for now; {worth:.2f} minutes' "
          f"worth taken in {minutes:.2f} minutes{used}")


if __name__ == "__main__":
    main()
