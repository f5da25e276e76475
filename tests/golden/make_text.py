"""Token ids and rendered conversations from Hugging Face's own libraries.

Run: python make_text.py [SmolLM2-135M-Instruct.Q4_1.gguf]
Writes `tokens.json` and `templates.json` beside itself; versions are in README.md. The tokenizer of the GGUF file is
put together as the model's own tokenizer.json has it: byte-level BPE behind a split into single digits. (Transformers'
own conversion of GGUF tokenizers loses that split.)
"""
import json
import pathlib
import sys

import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
# (text, how many times)
TEXTS = [
    ("", 1),
    ("Hello, world!", 1),
    ("A 54-year-old man has crushing chest pain; BP 90/60 mmHg, troponin 2.35 ng/mL (12,000 cells/µL).", 1),
    ("## Thinking\n\nFirst.\n\n## Final Response\n\nSecond.", 1),
    ("It's they'll I'd WE'VE don't can't isn’t", 1),
    ("胸痛的患者应首先做心电图。头痛、发热", 1),
    ("👩🏽‍⚕️ examines 🫀 and 🩺; 🇬🇧", 1),
    ("line\r\nline\r\n\r\n\tindented\t\ttabs\n\n\n", 1),
    ("<|im_start|>user\nhi<|im_end|>\n<|endoftext|>", 1),
    ("<|im_start|><|im_start|> <|im_end|>x<|im_end", 1),
    ("٣٤٥ ½ ² Ⅷ 1234567890 3.14e-10", 1),
    ("Äpfel naïve e\u0301 \u200b\u200d\ufeff \u00a0\u2003\u3000 العربية עברית हिन्दी ไทย", 1),
    ("nul\x00 bell\x07 esc\x1b[0m del\x7f", 1),
    ("\ufffd\U0010ffff\ue000", 1),
    ("        deep\n    code = {'a': [1, 2]}  # ok", 1),
    (" ", 3000),
    ("a", 3000),
    ("\n", 1500),
    ("e\u0301", 700),
    ("!?", 900),
    ("<|im_end|>", 40),
    ("0", 500),
]
# Ids that end inside a character, or whose bytes are no UTF-8 at all, are made by cutting encoded texts.
CUTS = [(5, 1), (5, 2), (6, 1), (6, 3), (6, 7), (11, 20)]


def smollm2(path):
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    bpe = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    bpe.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t, kind in zip(tokens, types) if kind == gguf.TokenType.CONTROL]
    )
    return bpe


def entries(bpe):
    out = []
    for text, times in TEXTS:
        bpe.encode_special_tokens = False
        parsed = bpe.encode(text * times, add_special_tokens=False).ids
        bpe.encode_special_tokens = True
        plain = bpe.encode(text * times, add_special_tokens=False).ids
        out.append({"text": text, "times": times, "plain": plain, "parsed": parsed})
    cut = [out[i]["plain"][n:-n] for i, n in CUTS]
    decoded = [{"tokens": ids, "text": bpe.decode(ids, skip_special_tokens=True)} for ids in cut]
    decoded += [{"tokens": e["parsed"], "text": bpe.decode(e["parsed"], skip_special_tokens=True)} for e in out[8:10]]
    return {"encoded": out, "decoded": decoded}


SMOLLM2 = json.loads((HERE / "tiny-llama" / "tokenizer_config.json").read_text())["chat_template"]
HEADERS = """{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start|>system<|end|>\n\n" }}
{%- if tools is not none %}
{{- "tools\n" }}
{%- endif %}
{{- system_message }}<|eot|>
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate user/assistant') }}
    {%- endif %}
    {{- '<|start|>' + message['role'] + '<|end|>\n\n' + message['content'].strip() + '<|eot|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start|>assistant<|end|>\n\n' }}{%- endif %}
"""
INDENTED = """
{% for message in messages %}
    {% if message.role == 'user' %}
        {% if loop.last %}
            {% break %}
        {% endif %}
<|user|>
{{ message.content.split('\n')[0] | upper }}{{ eos_token }}
    {% elif message['role'] in ['assistant', 'tool'] %}
<|assistant|>
        {% generation %}
{{ message['content'] }}{{ eos_token }}
        {% endgeneration %}
    {% else %}
        {%- set ns = namespace(seen=true) -%}
[{{ message.role.title() }} {{ ns.seen }}{{ ' ' ~ message.content|length }}]
    {% endif %}
{% endfor %}
{% if add_generation_prompt %}
<|assistant|>
{% endif %}
"""
UNDEFINED = "{% for m in messages %}{{ m.name }}{{ m['tool_calls'] }}{{ m.get('role') }}{% if m.weight is defined %}w{% endif %}{% endfor %}{{ nothing }}\n\n"
CONVERSATIONS = [
    [("user", "What is it?")],
    [("system", " You are a doctor. "), ("user", "a\n<b> & 'c' \"d\"\n"), ("assistant", "## Thinking\n\n{{ x }} {% y %}\n"), ("user", " ü ")],
    [("user", "one\ntwo"), ("assistant", "<|im_end|>\n"), ("user", "")],
    [("assistant", "I begin"), ("assistant", "twice")],
    [],
]


def rendered(template, messages, prompt, **more):
    hf = PreTrainedTokenizerFast(
        tokenizer_file=str(HERE / "tiny-llama" / "tokenizer.json"), bos_token="<|im_start|>", eos_token="<|im_end|>"
    )
    hf.chat_template = template
    messages = [{"role": role, "content": content} for role, content in messages]
    case = {"template": template, "messages": messages, "add_generation_prompt": prompt}
    try:
        case["text"] = hf.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt, **more)
    except Exception as error:  # the template's own refusal, or an empty conversation that it indexes
        case["error"] = f"{type(error).__name__}: {error}"
    return case


def write(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    tokens = {"tiny-llama": entries(Tokenizer.from_file(str(HERE / "tiny-llama" / "tokenizer.json")))}
    tokens["smollm2-135m-instruct"] = entries(smollm2(sys.argv[1]))
    write("tokens.json", tokens)
    cases = [rendered(t, c, p) for t in (SMOLLM2, HEADERS, INDENTED, UNDEFINED) for c in CONVERSATIONS for p in (False, True)]
    write("templates.json", cases)
