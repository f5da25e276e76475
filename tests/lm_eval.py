"""The two ends of lm_eval.sh: tasks for lm-evaluation-harness, and its numbers beside those of `evaluate`.

    lm_eval.py prepare URL MODEL WORK QUESTIONS LIMIT HOLDOUT    writes files and tasks into WORK, prints the model's id
    lm_eval.py compare WORK                                      ends with 1 where the numbers differ
"""

import json
import pathlib
import sys
import urllib.parse
import urllib.request

import jinja2

# Sums of some hundred log-probabilities, each told in JSON with all its digits, but added in another order.
TOLERANCE = 1e-4

QUESTIONS = """\
task: medtune_questions
dataset_path: json
dataset_kwargs:
  data_files:
    test: "{file}"
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: "{{{{continuations}}}}"
doc_to_target: "{{{{target}}}}"
metric_list:
  - metric: acc
"""

# The harness's own kinds of prompt, written once more: that of its medqa_4options task, and that of its pubmedqa task
# where there is an abstract.
PROMPT = """\
{%- if context -%}
Abstract: {{ context }}
Question: {{ problem_text | trim }}
{% else -%}
Question: {{ problem_text | trim }}
{% for choice in choices %}{{ "ABCDEFGHIJ"[loop.index0] }}. {{ choice | trim }}
{% endfor %}
{%- endif -%}
Answer:"""

HOLDOUT = """\
task: medtune_holdout
dataset_path: json
dataset_kwargs:
  data_files:
    test: "{file}"
test_split: test
output_type: loglikelihood
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{answer}}}}"
target_delimiter: ""
metric_list:
  - metric: acc
"""


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.load(opener.open(url))


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def prepare(url, model, work, questions, limit, holdout):
    work = pathlib.Path(work)
    model = model or get(url + "/models")["data"][0]["id"]
    rows = [json.loads(line) for line in pathlib.Path(questions).read_text().splitlines() if line.strip()]
    rows = rows[: int(limit) or len(rows)]
    write_lines(work / "questions.jsonl", rows)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    prompt = environment.from_string(PROMPT)
    docs = []
    for row in rows:
        letters = list("ABCDEFGHIJ"[: len(row["choices"])])
        docs.append({
            "prompt": prompt.render({"context": None, **row}),
            "continuations": [choice.strip() for choice in row["choices"]] if row.get("context") else letters,
            "target": "abcdefghij".index(row["answer"][0].lower()),
        })
    write_lines(work / "tasks/questions.jsonl", docs)
    (work / "tasks/questions.yaml").write_text(QUESTIONS.format(file=work / "tasks/questions.jsonl"))
    if holdout:
        info = get(url + "/tokenizer_info?model=" + urllib.parse.quote(model))
        template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(info["chat_template"])
        docs = []
        for line in pathlib.Path(holdout).read_text().splitlines():
            messages = json.loads(line)["messages"]
            prompt = template.render(messages=messages[:-1], add_generation_prompt=True)
            answer = messages[-1]["content"] + info["eos_token"]
            # The harness counts what is blank at a prompt's end with the answer: so that is measured alone, and taken off.
            docs.append({"prompt": prompt, "answer": answer})
            docs.append({"prompt": prompt.rstrip(), "answer": prompt[len(prompt.rstrip()) :]})
        write_lines(work / "tasks/holdout.jsonl", docs)
        (work / "tasks/holdout.yaml").write_text(HOLDOUT.format(file=work / "tasks/holdout.jsonl"))
    print(model)


def samples(work, task):
    """The log-likelihoods that the harness got for each document, in the file's order."""
    [path] = work.glob(f"results/**/samples_{task}_*.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [[float(answer[0]) for answer in row["filtered_resps"]] for row in sorted(rows, key=lambda row: row["doc_id"])]


def held(name, theirs, ours):
    """Prints how far two lists of numbers are apart, and tells whether that is near enough."""
    assert len(theirs) == len(ours) and theirs, f"{name}: {len(theirs)} numbers there, {len(ours)} here"
    furthest = max(abs(one - other) for one, other in zip(theirs, ours))
    size = sum(map(abs, theirs)) / len(theirs)
    print(f"{name}: {len(theirs)} log-likelihoods of {size:.3f} nats in the mean, at most {furthest:.2e} apart")
    return furthest <= TOLERANCE


def compare(work):
    work = pathlib.Path(work)
    report = json.loads((work / "ours/report.json").read_text())
    [path] = work.glob("results/**/results_*.json")
    results = json.loads(path.read_text())["results"]
    choices = [item for item in report["items"] if item["task"] == "choice"]
    theirs = samples(work, "medtune_questions")
    flat = lambda lists: [number for numbers in lists for number in numbers]
    agree = held("choices", flat(theirs), flat(item["log_likelihoods"] for item in choices))
    [ours] = [one["value"] for one in report["measures"] if one["metric"] == "likelihood_accuracy"]
    accuracy = results["medtune_questions"]["acc,none"]
    print(f"accuracy on {len(choices)} questions: {accuracy} there, {ours} here")
    agree &= abs(accuracy - ours) < 1e-12
    if "medtune_holdout" in results:
        with_blank = [numbers[0] for numbers in samples(work, "medtune_holdout")]
        theirs = [both - blank for both, blank in zip(with_blank[::2], with_blank[1::2])]
        losses = [item["values"]["loss"] for item in report["items"] if item["task"] == "holdout"]
        agree &= held("held-out answers", theirs, [-loss["part"] for loss in losses])
        tokens = sum(loss["whole"] for loss in losses)
        print(f"loss a token: {-sum(theirs) / tokens:.9f} there, {sum(loss['part'] for loss in losses) / tokens:.9f} here")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    {"prepare": prepare, "compare": compare}[sys.argv[1]](*sys.argv[2:])
