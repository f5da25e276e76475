"""A large upload in parts, cut once and killed once: how much memory it takes, and whether every byte arrives.

Run it from the project's folder, with the tool built in release mode:

    cargo build --release -p run-finetuning
    python3 benches/large_upload.py [megabytes] [tool]

It writes a file of examples (1024 MB unless told otherwise) in a temporary folder, starts a service that keeps only hashes, runs
`run-finetuning --in-parts --detach` against it, breaks the connection in the middle of the fifth part, kills the client
with SIGKILL during the ninth, and runs the same command again. The peak memory is the resident set that the kernel counted.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MEGABYTES = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
TOOL = Path(sys.argv[2] if len(sys.argv) > 2 else "target/release/run-finetuning").resolve()


class State:
    parts = {}  # id -> (sha256 of the part's content, length)
    order = None
    cut = False
    client = None
    kill_at = 9
    begun = 0
    jobs = 0


def read_part(handler, length):
    """The content of the one field of the form, hashed while it comes; None where the connection ended."""
    boundary = handler.headers["content-type"].split("boundary=")[1]
    tail = len(f"\r\n--{boundary}--\r\n")
    data, left, head = b"", length, None
    digest, count = hashlib.sha256(), 0
    State.begun += 1
    number = State.begun
    while left:
        piece = handler.rfile.read(min(left, 1 << 18))
        if not piece:
            return None
        left -= len(piece)
        if number == 5 and not State.cut and left < length // 2:
            State.cut = True
            handler.connection.close()
            return None
        if number == State.kill_at and State.client and left < length // 2:
            client, State.client = State.client, None
            client.send_signal(signal.SIGKILL)
        data += piece
        if head is None and b"\r\n\r\n" in data:
            head, data = data.split(b"\r\n\r\n", 1)
        if head is not None and len(data) > tail:
            digest.update(data[:-tail])
            count += len(data) - tail
            data = data[-tail:]
    return digest.hexdigest(), count


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if "/models/" in self.path:
            self.say({"id": "base", "object": "model"})
        elif self.path.startswith("/v1/files/"):
            self.say({"id": self.path.split("/")[-1], "status": "processed"})
        else:
            self.say({"object": "list", "data": [], "has_more": False})

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        if self.path.endswith("/parts"):
            part = read_part(self, length)
            if part is None:
                self.close_connection = True
                return
            name = f"part_{len(State.parts) + 1}"
            State.parts[name] = part
            self.say({"id": name, "object": "upload.part"})
            return
        body = json.loads(self.rfile.read(length) or b"null")
        if self.path.endswith("/complete"):
            State.order = body["part_ids"]
            self.say({"id": "upload_1", "status": "completed", "file": {"id": "file-1", "status": "processed"}})
        elif self.path == "/v1/uploads":
            self.say({"id": "upload_1", "object": "upload", "status": "pending"})
        else:
            State.jobs += 1
            self.say({"id": f"ftjob-{State.jobs}", "object": "fine_tuning.job", "model": "base", "status": "queued"})


def write_examples(path):
    filler = "The patient rests and drinks, and the fever falls by the third day. " * 55
    size, index = 0, 0
    with open(path, "w") as out:
        while size < MEGABYTES << 20:
            row = {"messages": [{"role": "user", "content": f"Question {index}?"}, {"role": "assistant", "content": f"{index}: {filler}"}]}
            line = json.dumps(row) + "\n"
            out.write(line)
            size += len(line)
            index += 1
    return index


def run(folder, address, kill):
    arguments = [str(TOOL), "--base-url", f"http://127.0.0.1:{address}/v1", "--base-model", "base", "--in-parts", "--detach", "--poll-seconds", "0.2"]
    client = subprocess.Popen(arguments, cwd=folder, env={"OPENAI_API_KEY": "k"}, stdout=subprocess.PIPE)
    State.client = client if kill else None
    out = client.stdout.read().decode().strip()
    _, status, usage = os.wait4(client.pid, 0)
    client.returncode = os.waitstatus_to_exitcode(status)
    return client.returncode, out, usage.ru_maxrss / 1024


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    with tempfile.TemporaryDirectory() as folder:
        train = Path(folder) / "medical_train.jsonl"
        rows = write_examples(train)
        size = train.stat().st_size
        print(f"{rows} examples, {size / 2**20:.0f} MB")
        begun = time.monotonic()
        code, _, first = run(folder, port, kill=True)
        assert code == -signal.SIGKILL, code
        arrived = len(State.parts)
        print(f"killed after {arrived} parts; peak memory {first:.1f} MB")
        code, out, second = run(folder, port, kill=False)
        assert code == 0, code
        seconds = time.monotonic() - begun
        digest, at = hashlib.sha256(), 0
        with open(train, "rb") as file:
            for name in State.order:
                content = file.read(64 << 20)
                assert State.parts[name] == (hashlib.sha256(content).hexdigest(), len(content)), name
                at += len(content)
        assert at == size and State.jobs == 1 and out == "ftjob-1", (at, size, State.jobs, out)
        sent = State.begun
        print(f"gone on with part {arrived + 1}; {len(State.order)} parts, {sent} sent; every byte arrived; one job")
        print(f"peak memory {second:.1f} MB; {seconds:.0f} s in all (checking the file twice, sending {len(State.order)} parts)")


if __name__ == "__main__":
    main()
