"""A fine-tuning job by a trainer that `serve` launches: python tests/trl.py BASE_URL; see tests/trl.sh."""

import json
import sys
import time
import urllib.request
import uuid


def call(base, method, path, body=None, kind="application/json"):
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(base + path, data, {"content-type": kind}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def upload(base, rows):
    boundary = uuid.uuid4().hex
    form = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{rows}\r\n'
        f"--{boundary}--\r\n"
    )
    return call(base, "POST", "/files", form.encode(), f"multipart/form-data; boundary={boundary}")["id"]


def rows(count):
    for index in range(count):
        yield json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"number {index}?"},
                    {"role": "assistant", "content": f"yes, {index}"},
                ]
            }
        )


def pairs(count):
    def said(text):
        return [{"role": "assistant", "content": text}]

    for index in range(count):
        yield json.dumps(
            {
                "input": {"messages": [{"role": "user", "content": f"number {index}?"}]},
                "preferred_output": said(f"yes, {index}"),
                "non_preferred_output": said("no"),
            }
        )


def wait(base, job, *states):
    while True:
        state = call(base, "GET", f"/fine_tuning/jobs/{job}")
        if state["status"] in states:
            return state
        assert state["finished_at"] is None, state
        time.sleep(0.5)


def steps(base, job):
    events = call(base, "GET", f"/fine_tuning/jobs/{job}/events?limit=1000")["data"][::-1]
    return [event["data"] for event in events if event["type"] == "metrics"]


def main(base):
    model = call(base, "GET", "/models")["data"][0]["id"]
    request = {
        "model": model,
        "training_file": upload(base, "\n".join(rows(16))),
        "validation_file": upload(base, "\n".join(rows(4))),
        "seed": 7,
        "hyperparameters": {"n_epochs": 4, "batch_size": 4, "learning_rate_multiplier": 5},
    }
    began = time.time()
    job = call(base, "POST", "/fine_tuning/jobs", request)["id"]
    # Interrupted behind its first epoch: it goes on from the checkpoint.
    while len(steps(base, job)) < 4:
        assert call(base, "GET", f"/fine_tuning/jobs/{job}")["status"] != "failed", "the job failed"
        time.sleep(0.05)
    call(base, "POST", f"/fine_tuning/jobs/{job}/pause", {})
    if wait(base, job, "paused", "succeeded")["status"] == "paused":
        print(f"paused behind step {len(steps(base, job))}")
        call(base, "POST", f"/fine_tuning/jobs/{job}/resume", {})
    done = wait(base, job, "succeeded")
    told = steps(base, job)
    assert [data["step"] for data in told] == list(range(1, 17)), told
    first, last = told[3]["full_valid_loss"], told[-1]["full_valid_loss"]
    assert last < first, (first, last)
    checkpoints = call(base, "GET", f"/fine_tuning/jobs/{job}/checkpoints")["data"]
    assert [one["step_number"] for one in checkpoints] == [16, 12, 8, 4], checkpoints
    for name in (done["fine_tuned_model"], checkpoints[-1]["fine_tuned_model_checkpoint"]):
        chat = {"model": name, "max_tokens": 4, "messages": [{"role": "user", "content": "number 3?"}]}
        assert call(base, "POST", "/chat/completions", chat)["model"] == name
    print(f"16 steps in {time.time() - began:.0f} s, validation loss {first:.3f} -> {last:.3f}; the adapter is served")
    preferences(base, model)


def preferences(base, model):
    """By DPO: the first loss is ln 2, and the preferred answers get ahead."""
    hyperparameters = {"n_epochs": 4, "batch_size": 4, "learning_rate_multiplier": 50, "beta": 0.2}
    request = {
        "model": model,
        "training_file": upload(base, "\n".join(pairs(16))),
        "validation_file": upload(base, "\n".join(pairs(4))),
        "seed": 7,
        "method": {"type": "dpo", "dpo": {"hyperparameters": hyperparameters}},
    }
    job = call(base, "POST", "/fine_tuning/jobs", request)["id"]
    wait(base, job, "succeeded")
    told = steps(base, job)
    assert [data["step"] for data in told] == list(range(1, 17)), told
    first, last = told[0], told[-1]
    assert abs(first["train_loss"] - 0.6931) < 1e-3 and last["full_valid_loss"] < 0.69, (first, last)
    assert last["train_reward_margin"] > 0 and "train_mean_token_accuracy" not in last, last
    print(f"preferences: validation loss {first['train_loss']:.3f} -> {last['full_valid_loss']:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
