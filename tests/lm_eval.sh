#!/usr/bin/env bash
# Asks one server by lm-evaluation-harness and by `evaluate`, and holds their log-likelihoods against each other, item by
# item; offline but for installing the harness.
#
#   tests/lm_eval.sh QUESTIONS.jsonl [BASE_MODEL] [LIMIT]
#
# QUESTIONS has a JSON object a line with `problem_text`, `choices`, `answer` (the letter in a list) and perhaps
# `context`. BASE_MODEL is a name or path for serve's --base-model, smollm2-135m-instruct by default; LIMIT takes the
# first questions only. HOLDOUT names chat JSONL whose answers' losses are compared too.
# PYTHON names the interpreter (3.10 or later); SERVE and EVALUATE the built tools, else cargo builds them; URL and MODEL
# a running server's address (with /v1) and the model to ask there; LM_EVAL_VENV keeps the virtual environment elsewhere
# than in target/. What both measured goes to LM_EVAL_OUTPUT, where that is set.
set -euo pipefail
questions=$(realpath "${1:?the file of questions}")
holdout=${HOLDOUT:+$(realpath "$HOLDOUT")}
cd "$(dirname "$0")/.."
. tests/serve.sh

python_with lm_eval 'lm-eval[api]==0.4.13' "${LM_EVAL_VENV:-target/lm-eval}"
if [ -z "${EVALUATE:-}" ]; then
    cargo build --quiet --release --package evaluate
    EVALUATE=${CARGO_TARGET_DIR:-target}/release/evaluate
fi
EVALUATE=$(realpath "$EVALUATE")
if [ -n "${URL:-}" ]; then url=$URL; else PROFILE=release start_serve --base-model "${2:-smollm2-135m-instruct}"; fi
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 HF_DATASETS_CACHE="$work/cache" NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
export OPENAI_API_KEY=${OPENAI_API_KEY:-none} TOKENIZERS_PARALLELISM=false
mkdir "$work/tasks" "$work/here"
model=$("$python" tests/lm_eval.py prepare "$url" "${MODEL:-}" "$work" "$questions" "${3:-0}" "$holdout")

asked=(--choices "$work/questions.jsonl")
tasks=medtune_questions
if [ -n "$holdout" ]; then
    asked+=(--holdout "$holdout" --allow-mismatch)
    tasks=$tasks,medtune_holdout
fi
# In a folder of its own, where it finds no training file and no saved model.
(cd "$work/here" && "$EVALUATE" run --model "$model" --provider openai --base-url "$url" --by likelihood \
    "${asked[@]}" --out "$work/ours")
"$(dirname "$python")/lm_eval" run --model local-completions \
    --model_args "model=$model,base_url=$url/completions,tokenizer_backend=remote,num_concurrent=4,max_length=8192" --batch_size 4 \
    --tasks "$tasks" --include_path "$work/tasks" --output_path "$work/results" --log_samples
if [ -n "${LM_EVAL_OUTPUT:-}" ]; then
    mkdir -p "$LM_EVAL_OUTPUT"
    find "$work/results" "$work/ours" -name '*.json*' -exec cp {} "$LM_EVAL_OUTPUT" \;
fi
"$python" tests/lm_eval.py compare "$work"
