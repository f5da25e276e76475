"""Cuts OpenAI's API description down to the paths that serve has, with things that exist as their parameters.

    python tests/schemathesis.py DESCRIPTION BASE_URL OUTPUT

What differs from the description and is taken as known: its `status` of a job lacks `pausing` and `paused`, which the
pause endpoint's own text speaks of; `file` of an upload and `purpose` of a file lack values that other parts have.
"""

import json
import sys
import time
import urllib.request
import uuid

import yaml

PATHS = [
    "/chat/completions",
    "/completions",
    "/files",
    "/files/{file_id}",
    "/files/{file_id}/content",
    "/fine_tuning/jobs",
    "/fine_tuning/jobs/{fine_tuning_job_id}",
    "/fine_tuning/jobs/{fine_tuning_job_id}/cancel",
    "/fine_tuning/jobs/{fine_tuning_job_id}/checkpoints",
    "/fine_tuning/jobs/{fine_tuning_job_id}/events",
    "/fine_tuning/jobs/{fine_tuning_job_id}/pause",
    "/fine_tuning/jobs/{fine_tuning_job_id}/resume",
    "/models",
    "/models/{model}",
    "/uploads",
    "/uploads/{upload_id}/cancel",
    "/uploads/{upload_id}/complete",
    "/uploads/{upload_id}/parts",
]
# Of the stored chat completions' list and the like, which serve does not keep.
LEFT_OUT = {("/chat/completions", "get")}
METHODS = {"get", "post", "delete"}


def call(base, method, path, body=None, content_type="application/json"):
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(base + path, data, {"content-type": content_type}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def upload(base, rows):
    boundary = uuid.uuid4().hex
    form = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="rows.jsonl"\r\n\r\n{rows}\r\n'
        f"--{boundary}--\r\n"
    )
    kind = f"multipart/form-data; boundary={boundary}"
    return call(base, "POST", "/files", form.encode(), kind)["id"]


def things(base):
    """What the requests are about: a job that has ended, one that waits, files, an upload, a model."""
    model = call(base, "GET", "/models")["data"][0]["id"]
    row = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    rows = (json.dumps(row) + "\n") * 10
    file = upload(base, rows)
    request = {"model": model, "training_file": file, "hyperparameters": {"n_epochs": 2, "batch_size": 5}}
    done = call(base, "POST", "/fine_tuning/jobs", request)["id"]
    while call(base, "GET", f"/fine_tuning/jobs/{done}")["status"] != "succeeded":
        time.sleep(0.1)
    preference = {
        "input": {"messages": row["messages"][:1]},
        "preferred_output": row["messages"][1:],
        "non_preferred_output": [{"role": "assistant", "content": "b"}],
    }
    pairs = upload(base, (json.dumps(preference) + "\n") * 10)
    method = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 1}}}
    request = {"model": model, "training_file": pairs, "method": method}
    preferred = call(base, "POST", "/fine_tuning/jobs", request)["id"]
    while call(base, "GET", f"/fine_tuning/jobs/{preferred}")["status"] != "succeeded":
        time.sleep(0.1)
    request = {"model": model, "training_file": file}
    waiting = call(base, "POST", "/fine_tuning/jobs", request)["id"]
    call(base, "POST", f"/fine_tuning/jobs/{waiting}/pause", {})
    upload_request = {"filename": "a", "purpose": "fine-tune", "bytes": 3, "mime_type": "text/jsonl"}
    return {
        "model": [model, call(base, "GET", f"/fine_tuning/jobs/{done}")["fine_tuned_model"]],
        "training_file": [file, pairs],
        "validation_file": [file],
        "file_id": [file, upload(base, "x\n")],
        "fine_tuning_job_id": [done, preferred, waiting],
        "upload_id": [call(base, "POST", "/uploads", upload_request)["id"] for _ in range(3)],
        "after": [done],
    }


def referenced(value, components, found):
    """The components, as (kind, name), that `value` names, and those that they name."""
    if isinstance(value, dict):
        place = tuple(str(value.get("$ref", "")).removeprefix("#/components/").split("/"))
        if len(place) == 2 and place not in found:
            found.add(place)
            referenced(components[place[0]][place[1]], components, found)
        for item in value.values():
            referenced(item, components, found)
    elif isinstance(value, list):
        for item in value:
            referenced(item, components, found)
    return found


def main(source, base, output):
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(source, encoding="utf-8") as text:
        whole = yaml.load(text, loader)
    known = things(base)
    paths = {}
    for path in PATHS:
        operations = {
            method: operation
            for method, operation in whole["paths"][path].items()
            if method in METHODS and (path, method) not in LEFT_OUT
        }
        for operation in operations.values():
            operation.pop("x-oaiMeta", None)
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["schema"] = {"type": "string", "enum": known[parameter["name"]] + ["none"]}
                    parameter.pop("example", None)
        paths[path] = operations
    components = {"schemas": {}}
    for kind, name in sorted(referenced(paths, whole["components"], set())):
        components.setdefault(kind, {})[name] = whole["components"][kind][name]
    schemas = components["schemas"]
    for name, field in [
        ("CreateFineTuningJobRequest", "training_file"),
        ("CreateFineTuningJobRequest", "validation_file"),
        ("CreateFineTuningJobRequest", "model"),
        ("CreateChatCompletionRequest", "model"),
        ("CreateCompletionRequest", "model"),
    ]:
        body = schemas[name]
        parts = [body, *body.get("allOf", [])]
        for part in parts:
            if field in part.get("properties", {}):
                part["properties"][field] = {"type": "string", "enum": known[field] + ["none"]}
    schemas["FineTuningJob"]["properties"]["status"]["enum"] += ["pausing", "paused"]
    schemas["OpenAIFile"]["properties"]["purpose"]["enum"] += ["evals"]
    cut = {"openapi": whole["openapi"], "info": whole["info"], "paths": paths, "components": components}
    with open(output, "w", encoding="utf-8") as text:
        json.dump(cut, text, default=str)
    print(f"{sum(map(len, paths.values()))} operations, {len(schemas)} schemas")


if __name__ == "__main__":
    main(*sys.argv[1:])
