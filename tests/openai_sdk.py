"""The official OpenAI Python SDK through a whole fine-tuning job against `serve`.

    python tests/openai_sdk.py BASE_URL MODEL

Uploads files, runs a job to its end while following its events, lists checkpoints, reads the results file, asks the
tuned model plain and streamed, cancels a second job, and meets the errors that users of the SDK know. Every object is
validated against the SDK's own types, which the SDK itself does not do. `tests/openai_sdk.sh` starts a server for it.
"""

import base64
import hashlib
import io
import json
import math
import sys
import time

import openai

SYSTEM = "You answer in one short sentence."
PAIRS = [
    ("Which organ pumps the blood?", "The heart pumps the blood."),
    ("Which gas do the lungs take up?", "The lungs take up oxygen."),
    ("Which vitamin does sunlight help to make?", "Sunlight helps to make vitamin D."),
    ("What does insulin lower?", "Insulin lowers the blood sugar."),
    ("Which cells carry oxygen?", "Red blood cells carry oxygen."),
    ("What does the kidney filter?", "The kidney filters the blood."),
    ("Where is bile made?", "Bile is made in the liver."),
    ("What is a low sodium level called?", "It is called hyponatraemia."),
    ("Which bone is the longest?", "The femur is the longest bone."),
    ("What does a pulse oximeter measure?", "It measures oxygen saturation."),
    ("What does a fever raise?", "A fever raises the body temperature."),
    ("Which nerve moves the diaphragm?", "The phrenic nerve moves the diaphragm."),
]


def checked(thing):
    """`thing`, once it is proven to be what its SDK type says."""
    type(thing).model_validate(thing.to_dict(mode="json"))
    return thing


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def rows(pairs):
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": answer},
                ]
            }
        )
        for question, answer in pairs
    ]
    return "\n".join(lines).encode()


def upload(client, name, content):
    file = checked(client.files.create(file=(name, io.BytesIO(content)), purpose="fine-tune"))
    expect((file.filename, file.bytes, file.purpose) == (name, len(content), "fine-tune"), file)
    client.files.wait_for_processing(file.id, poll_interval=0.1, max_wait_seconds=10)
    return file.id


def files(client):
    content = rows(PAIRS[:2])
    file_id = upload(client, "scratch.jsonl", content)
    expect(file_id in [checked(file).id for file in client.files.list(limit=1)], "listed")
    expect(client.files.content(file_id).read() == content, "content comes back as it was")
    expect(checked(client.files.delete(file_id)).deleted, "deleted")
    raises(openai.NotFoundError, lambda: client.files.retrieve(file_id))


def uploads(client):
    content = rows(PAIRS)
    request = {"filename": "parts.jsonl", "purpose": "fine-tune", "mime_type": "text/jsonl"}
    upload = checked(client.uploads.create(bytes=len(content), **request))
    expect(upload.status == "pending" and upload.expires_at == upload.created_at + 3600, upload)
    parts = [
        checked(client.uploads.parts.create(upload.id, data=piece)).id
        for piece in (content[600:], content[:600])
    ]
    wrong = lambda: client.uploads.complete(upload.id, part_ids=parts[::-1], md5="0" * 32)
    expect(raises(openai.BadRequestError, wrong).param == "md5", "a wrong checksum is refused")
    md5 = hashlib.md5(content).hexdigest()
    done = checked(client.uploads.complete(upload.id, part_ids=parts[::-1], md5=md5))
    expect(client.files.content(done.file.id).read() == content, "the parts are joined in order")
    chunked = client.uploads.upload_file_chunked(
        file=content, part_size=500, bytes=len(content), **request
    )
    expect(checked(chunked).file.bytes == len(content), chunked)
    other = client.uploads.create(bytes=3, **request)
    expect(checked(client.uploads.cancel(other.id)).status == "cancelled", "cancelled")
    raises(openai.BadRequestError, lambda: client.uploads.parts.create(other.id, data=b"abc"))
    for file in (done.file.id, chunked.file.id):
        client.files.delete(file)
    kept = client.files.create(
        file=("a.jsonl", content),
        purpose="fine-tune",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    expect(checked(kept).expires_at == kept.created_at + 3600, kept)
    client.files.delete(kept.id)
    print("uploads: parts, checksum, chunks, cancel, expiry")


def wait(client, job_id, *states):
    """The SDK's own type of a job does not know `pausing` and `paused`, so it is not checked here."""
    while True:
        job = client.fine_tuning.jobs.retrieve(job_id)
        if job.status in states:
            return job
        expect(job.status not in ("succeeded", "failed", "cancelled"), job)
        time.sleep(0.05)


def pauses(client, model):
    file = upload(client, "long.jsonl", rows(PAIRS))
    long = client.fine_tuning.jobs.create(
        model=model,
        training_file=file,
        metadata={"kind": "long"},
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1}},
        },
    )
    wait(client, long.id, "running")
    expect(client.fine_tuning.jobs.pause(long.id).status in ("pausing", "paused"), "pausing")
    wait(client, long.id, "paused")
    short = client.fine_tuning.jobs.create(
        model=model, training_file=file, hyperparameters={"n_epochs": 1, "batch_size": 6}
    )
    wait(client, short.id, "succeeded")
    expect(client.fine_tuning.jobs.resume(long.id).status == "queued", "queued")
    wait(client, long.id, "running")
    expect(checked(client.fine_tuning.jobs.cancel(long.id)).status == "cancelled", "cancelled")
    listed = client.fine_tuning.jobs.list(metadata={"kind": "long"})
    expect([job.id for job in listed] == [long.id], "found by its metadata")
    print("pause, resume and cancel; another job ran meanwhile")


def raises(kind, call):
    try:
        call()
    except kind as error:
        expect(isinstance(error.body, dict) and error.body["message"], error)
        expect(error.request_id, "an error has a request id")
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def follow(client, job_id):
    """All events up to the job's end, oldest first, each once."""
    seen, order = {}, []
    while True:
        job = checked(client.fine_tuning.jobs.retrieve(job_id))
        new = []
        for event in client.fine_tuning.jobs.list_events(job_id, limit=5):
            if event.id in seen:
                break
            seen[event.id] = checked(event)
            new.append(event)
        order.extend(reversed(new))
        if job.status in ("succeeded", "failed", "cancelled"):
            if not new:
                return job, order
        else:
            time.sleep(0.2)


def job(client, model):
    job = checked(
        client.fine_tuning.jobs.create(
            model=model,
            training_file=upload(client, "train.jsonl", rows(PAIRS)),
            validation_file=upload(client, "valid.jsonl", rows(PAIRS[:4])),
            suffix="sdk",
            seed=7,
            metadata={"purpose": "sdk-test"},
            method={
                "type": "supervised",
                "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4}},
            },
        )
    )
    expect(job.status == "validating_files" and job.fine_tuned_model is None, job)
    done, events = follow(client, job.id)
    expect(done.status == "succeeded", done)
    expect(done.fine_tuned_model.startswith(f"ft:{model}:local:sdk:"), done.fine_tuned_model)
    expect(done.trained_tokens > 0 and done.finished_at >= done.created_at, done)
    metrics = [event.data for event in events if event.type == "metrics"]
    expect([data["step"] for data in metrics] == list(range(7)), metrics)
    before, after = metrics[0]["full_valid_loss"], metrics[-1]["full_valid_loss"]
    expect(after < before, (before, after))
    expect(events[-1].message == "The job has successfully completed", events[-1])
    checkpoints = [checked(one) for one in client.fine_tuning.jobs.checkpoints.list(job.id)]
    expect([one.step_number for one in checkpoints] == [6, 3], checkpoints)
    table = base64.b64decode(client.files.content(done.result_files[0]).read()).decode().splitlines()
    expect(
        table[0] == "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
        and len(table) == 7,
        table,
    )
    listed = [checked(one).id for one in client.fine_tuning.jobs.list(limit=1).data]
    expect(listed == [job.id], listed)
    print(f"job {job.id}: {len(events)} events, validation loss {before:.3f} -> {after:.3f}")
    return done.fine_tuned_model, checkpoints[0].fine_tuned_model_checkpoint


def preferences(client, model):
    """A job by DPO, as OpenAI's guide creates it."""
    said = lambda text: [{"role": "assistant", "content": text}]  # noqa: E731
    pairs = [
        {
            "input": {"messages": [{"role": "user", "content": question}], "tools": []},
            "preferred_output": said(answer),
            "non_preferred_output": said("I do not know."),
        }
        for question, answer in PAIRS
    ]
    content = "\n".join(json.dumps(pair) for pair in pairs).encode()
    created = checked(
        client.fine_tuning.jobs.create(
            model=model,
            training_file=upload(client, "pairs.jsonl", content),
            seed=7,
            method={
                "type": "dpo",
                "dpo": {
                    "hyperparameters": {
                        "beta": 0.2,
                        "n_epochs": 2,
                        "batch_size": 4,
                        "learning_rate_multiplier": 20,
                    }
                },
            },
        )
    )
    done, events = follow(client, created.id)
    expect((done.status, done.method.type) == ("succeeded", "dpo"), done)
    expect(done.method.dpo.hyperparameters.beta == 0.2, done.method)
    metrics = [event.data for event in events if event.type == "metrics"]
    expect(abs(metrics[0]["train_loss"] - math.log(2)) < 1e-3, metrics[0])
    expect(metrics[-1]["train_reward_margin"] > 0, metrics[-1])
    print(f"preferences {created.id}: margin {metrics[-1]['train_reward_margin']:.4f}")
    return done.fine_tuned_model


def chat(client, model):
    request = {
        "model": model,
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": PAIRS[0][0]},
        ],
        "max_tokens": 24,
        "temperature": 0,
        "seed": 3,
    }
    whole = checked(client.chat.completions.create(**request))
    text = whole.choices[0].message.content
    expect(whole.choices[0].finish_reason in ("stop", "length"), whole)
    expect(whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens, whole)
    stream = client.chat.completions.create(
        **request, stream=True, stream_options={"include_usage": True}
    )
    chunks = [checked(chunk) for chunk in stream]
    expect(chunks[-1].usage.to_dict() == whole.usage.to_dict(), chunks[-1])
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    expect("".join(pieces) == text, "the stream says what the whole answer says")
    with client.chat.completions.stream(**request) as events:
        pieces = [event.delta for event in events if event.type == "content.delta"]
    expect("".join(pieces) == text, "the SDK's own stream says the same")
    two = client.chat.completions.create(**request, n=2)
    expect([choice.index for choice in two.choices] == [0, 1], two)
    error = raises(openai.BadRequestError, lambda: client.chat.completions.create(**request, store=True))
    expect((error.param, error.code) == ("store", "unsupported_parameter"), error.body)
    print(f"chat {model}: {whole.usage.completion_tokens} tokens")


def trouble(client, model):
    good = upload(client, "good.jsonl", rows(PAIRS))
    bad = upload(client, "bad.jsonl", rows(PAIRS[:3]) + b'\n{"messages": []}')
    few = upload(client, "few.jsonl", rows(PAIRS[:9]))
    for file_id, code in [(bad, "invalid_training_file"), (few, "invalid_n_examples")]:
        created = client.fine_tuning.jobs.create(model=model, training_file=file_id)
        failed, _ = follow(client, created.id)
        expect((failed.status, failed.error.code) == ("failed", code), failed)
        expect(failed.error.param == "training_file", failed)
    long = client.fine_tuning.jobs.create(
        model=model, training_file=good, hyperparameters={"n_epochs": 50, "batch_size": 1}
    )
    cancelled = checked(client.fine_tuning.jobs.cancel(long.id))
    expect(cancelled.status == "cancelled", cancelled)
    raises(openai.BadRequestError, lambda: client.fine_tuning.jobs.cancel(long.id))
    raises(openai.NotFoundError, lambda: client.fine_tuning.jobs.retrieve("ftjob-none"))
    raises(openai.NotFoundError, lambda: client.models.retrieve("gpt-none"))
    error = raises(
        openai.NotFoundError,
        lambda: client.chat.completions.create(
            model="gpt-none", messages=[{"role": "user", "content": "q"}]
        ),
    )
    expect(error.code == "model_not_found", error.body)


def main(base_url, model):
    client = openai.OpenAI(base_url=base_url, api_key="any", max_retries=0, timeout=600)
    print(f"openai {openai.__version__} against {base_url}")
    expect(checked(client.models.retrieve(model)).shutdown_date is None, "no shutdown date")
    files(client)
    uploads(client)
    pauses(client, model)
    trouble(client, model)
    tuned, checkpoint = job(client, model)
    for name in (model, tuned, checkpoint, preferences(client, tuned)):
        chat(client, name)
    names = [checked(one).id for one in client.models.list()]
    expect({model, tuned, checkpoint} <= set(names), names)
    expect(checked(client.models.delete(tuned)).deleted, "deleted")
    raises(openai.NotFoundError, lambda: client.models.retrieve(tuned))
    print("the OpenAI SDK is served")


if __name__ == "__main__":
    main(*sys.argv[1:])
