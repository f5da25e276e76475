"""Every request of `run-finetuning` and `ask` held against OpenAI's own description, by the mock that its SDKs are tested with.

A proxy stands between the client and `serve`. It passes each request on to the server, which answers the client, and gives the
same bytes to `@stdy/cli`, which knows the description and says whether the request is valid. Usage:

    client_requests.py MOCK_URL SERVER_URL FOLDER_OF_THE_TOOLS BASE_MODEL
"""

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

MOCK, SERVER, TOOLS, MODEL = sys.argv[1:5]
seen, invalid = Counter(), []
HOP = {"host", "connection", "transfer-encoding", "content-length"}


def ask(base, method, path, headers, body):
    url = urlsplit(base)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    connection.request(method, url.path + path, body=body, headers=headers)
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def both(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        _, told, words = ask(MOCK, self.command, self.path, headers, body)
        told = {name.lower(): value for name, value in told.items()}
        endpoint = f"{self.command} {told.get('x-steady-matched-path', self.path)}"
        seen[endpoint] += 1
        if told.get("x-steady-request-valid") != "true":
            problems = [value for name, value in told.items() if name.startswith("x-steady-error-1")]
            invalid.append(f"{endpoint}: {problems} {words[:300]!r}")
        status, answered, content = ask(SERVER, self.command, self.path, headers, body)
        self.send_response(status)
        for name, value in answered.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = both


def main():
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{proxy.server_address[1]}"
    with tempfile.TemporaryDirectory() as folder:

        def write(name, rows):
            row = lambda n: {"messages": [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": f"Answer {n}."}]}
            (Path(folder) / name).write_text("".join(json.dumps(row(n)) + "\n" for n in rows))

        def tool(*arguments, code=0, name="run-finetuning"):
            done = subprocess.run([f"{TOOLS}/{name}", *arguments], cwd=folder, env={"OPENAI_API_KEY": "any"}, capture_output=True, text=True, timeout=300)
            assert done.returncode == code, (arguments, done.returncode, done.stderr)
            return done.stdout.strip()

        write("medical_train.jsonl", range(12))
        write("medical_valid.jsonl", range(100, 106))
        start = ["--base-url", address, "--poll-seconds", "0.1"]
        train = [*start, "--base-model", MODEL]
        everything = ["--epochs", "2", "--batch-size", "4", "--learning-rate-multiplier", "2", "--seed", "7"]
        model = tool(*train, *everything)
        assert model.startswith("ft:"), model
        for how in [["--max-tokens", "3"], ["--max-tokens", "3", "--json"]]:
            tool("Why?", *how, name="ask")
        (Path(folder) / "questions.jsonl").write_text('{"id": "a", "question": "Why?"}\n')
        tool("--many", "questions.jsonl", "--output", "answers.jsonl", "--max-tokens", "3", name="ask")
        tool("events")
        write("more.jsonl", range(200, 230))
        tool(*train, "--train", "more.jsonl", "--in-parts", "--epochs", "40", "--batch-size", "1", "--suffix", "", "--detach")
        time.sleep(0.5)
        for command in ["show", "pause", "resume", "cancel"]:
            tool(command)
        tool("clean", "--yes")
    for endpoint, count in sorted(seen.items()):
        print(f"{count:4} {endpoint}")
    for problem in invalid:
        print("INVALID", problem)
    print(f"{sum(seen.values())} requests to {len(seen)} endpoints, {len(invalid)} of them invalid")
    sys.exit(1 if invalid else 0)


if __name__ == "__main__":
    main()
