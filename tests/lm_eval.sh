#!/usr/bin/env bash
# Scores multiple-choice questions through `serve` with lm-evaluation-harness, offline but for installing it.
#
#   tests/lm_eval.sh QUESTIONS.jsonl [BASE_MODEL] [LIMIT]
#
# QUESTIONS has a JSON object a line with `problem_text`, `choices` and `answer` (the letter in a list). BASE_MODEL is a
# name or path for serve's --base-model, smollm2-135m-instruct by default; LIMIT takes the first questions only.
# PYTHON names the interpreter (3.10 or later); SERVE a built `serve`, else cargo builds one; LM_EVAL_VENV keeps the
# virtual environment elsewhere than in target/. The results' JSON goes to LM_EVAL_OUTPUT, where that is set.
set -euo pipefail
questions=$(realpath "${1:?the file of questions}")
cd "$(dirname "$0")/.."
. tests/serve.sh

python_with lm_eval 'lm-eval[api]==0.4.13' "${LM_EVAL_VENV:-target/lm-eval}"
PROFILE=release start_serve --base-model "${2:-smollm2-135m-instruct}"
model=$("$python" - "$url" <<'PYTHON'
import json, sys, urllib.request
models = json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1] + "/models"))
print(models["data"][0]["id"])
PYTHON
)
mkdir "$work/tasks"
cat >"$work/tasks/questions.yaml" <<YAML
task: medtune_questions
dataset_path: json
dataset_kwargs:
  data_files:
    test: "$questions"
test_split: test
output_type: multiple_choice
doc_to_text: "{{problem_text}}\nAnswer:"
doc_to_choice: "{{choices}}"
doc_to_target: "{{'abcdefghij'.index(answer[0]|lower)}}"
metric_list:
  - metric: acc
  - metric: acc_norm
YAML
limit=()
if [ -n "${3:-}" ]; then limit=(--limit "$3"); fi
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 HF_DATASETS_CACHE="$work/cache" NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
export OPENAI_API_KEY=none TOKENIZERS_PARALLELISM=false
"$(dirname "$python")/lm_eval" run --model local-completions \
    --model_args "model=$model,base_url=$url/completions,tokenizer_backend=remote,num_concurrent=4,max_length=8192" --batch_size 4 \
    --tasks medtune_questions --include_path "$work/tasks" --output_path "$work/results" --log_samples "${limit[@]}"
if [ -n "${LM_EVAL_OUTPUT:-}" ]; then
    mkdir -p "$LM_EVAL_OUTPUT"
    find "$work/results" -name '*.json*' -exec cp {} "$LM_EVAL_OUTPUT" \;
fi
