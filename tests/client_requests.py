"""Every request of `run-finetuning` and `ask` held against OpenAI's own description, by the mock of its SDKs' tests.

A proxy stands between the client and `serve`. It passes each request on to the server, which answers the client, and
gives the same bytes to `@stdy/cli`, which knows the description and says whether the request is valid. Batches, which the
server has not, are answered by the proxy itself, each question with "Yes." Usage:

    client_requests.py MOCK_URL SERVER_URL FOLDER_OF_PROGRAMS BASE_MODEL
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


class Batches:
    """A service of batches that is done at the second look."""

    def __init__(self):
        self.input, self.output, self.looks = b"", b"", 0

    def answer(self, method, path, body):
        """The answer to a request about batches; none to any other."""
        if method == "POST" and path == "/files" and b'name="purpose"\r\n\r\nbatch\r\n' in body:
            part = next(part for part in body.split(b"\r\n--") if b"filename=" in part)
            self.input = part.split(b"\r\n\r\n", 1)[1]
            about = {"object": "file", "bytes": len(self.input), "filename": "batch.jsonl", "purpose": "batch"}
            return json.dumps({"id": "file-batch", "created_at": 1, "status": "processed", **about}).encode()
        if path == "/files/file-answers/content":
            return self.output
        if method == "DELETE" and path in ("/files/file-batch", "/files/file-answers"):
            return json.dumps({"id": path.split("/")[-1], "object": "file", "deleted": True}).encode()
        if not path.startswith("/batches"):
            return None
        if method == "GET" and path.split("?")[0] == "/batches":
            return json.dumps({"object": "list", "data": [], "has_more": False}).encode()
        self.looks = 0 if method == "POST" else self.looks + 1
        if method == "POST":
            self.output = b"".join(map(self.line, self.input.splitlines()))
        done = {"status": "completed", "output_file_id": "file-answers"} if self.looks else {"status": "validating"}
        batch = {"id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "created_at": 1}
        batch |= {"input_file_id": "file-batch", "completion_window": "24h", **done}
        return json.dumps(batch).encode()

    @staticmethod
    def line(question):
        request = json.loads(question)
        message = {"role": "assistant", "content": "## Thinking\nHm.\n\n## Final Response\nYes."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        completion = {"id": "c", "object": "chat.completion", "created": 1, "model": request["body"]["model"]}
        response = {"status_code": 200, "request_id": "r", "body": {**completion, "choices": [choice]}}
        line = {"id": "b", "custom_id": request["custom_id"], "response": response, "error": None}
        return json.dumps(line).encode() + b"\n"


batches = Batches()


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
        batch = batches.answer(self.command, self.path, body)
        if batch is not None:
            status, answered, content = 200, {"content-type": "application/json"}, batch
        else:
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
            def row(n):
                answer = f"## Thinking\nIt is {n}.\n\n## Final Response\nAnswer {n}."
                return {"messages": [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": answer}]}

            (Path(folder) / name).write_text("".join(json.dumps(row(n)) + "\n" for n in rows))

        def tool(*arguments, name="run-finetuning", code=0):
            command = [Path(TOOLS) / name, *arguments]
            environment = {"OPENAI_API_KEY": "any"}
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == code, (arguments, done.returncode, done.stderr)
            return done.stdout.strip()

        write("medical_train.jsonl", range(12))
        write("medical_valid.jsonl", range(100, 106))
        start = ["--base-url", address, "--poll-seconds", "0.1"]
        train = [*start, "--base-model", MODEL]
        everything = ["--epochs", "2", "--batch-size", "4", "--learning-rate-multiplier", "2", "--seed", "7"]
        model = tool(*train, *everything)
        assert model.startswith("ft:"), model
        tool("events")
        # So many that the job is still there when it is paused, however fast the machine.
        write("more.jsonl", range(200, 500))
        tool(*train, "--train", "more.jsonl", "--in-parts", "--epochs", "40", "--batch-size", "1", "--suffix", "", "--detach")
        time.sleep(0.5)
        for command in ["show", "pause", "resume", "cancel"]:
            tool(command)
        tool("clean", "--yes")

        def question(*arguments):
            return tool(*arguments, "--base-url", address, "--max-tokens", "8", name="ask")

        question("Why?")
        otherwise = ["--seed", "7", "--temperature", "0", "--system-prompt", "", "--template", "plain"]
        answer = json.loads(question("Why?", "--json", "--no-stream", *otherwise))
        assert answer["model"] == model, answer
        question("Why?", "--compare")
        lines = ['"Why?"', '{"id": 7, "question": "How?"}', '{"messages": [{"role": "user", "content": "When?"}]}']
        (Path(folder) / "questions.jsonl").write_text("\n".join(lines) + "\n")
        for how in [["--many"], ["--batch-api", "--many"]]:
            output = Path(folder) / f"answers{len(how)}.jsonl"
            question(*how, "questions.jsonl", "--output", str(output))
            lines = [json.loads(line) for line in output.read_text().splitlines()]
            assert [line["question"] for line in lines] == ["Why?", "How?", "When?"], lines
        assert [line["response"] for line in lines] == ["Yes."] * 3, lines
    for endpoint, count in sorted(seen.items()):
        print(f"{count:4} {endpoint}")
    for problem in invalid:
        print("INVALID", problem)
    print(f"{sum(seen.values())} requests to {len(seen)} endpoints, {len(invalid)} of them invalid")
    sys.exit(1 if invalid else 0)


if __name__ == "__main__":
    main()
