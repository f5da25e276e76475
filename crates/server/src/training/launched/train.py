"""Trains a LoRA adapter with Hugging Face TRL, as `job.json` in a folder says; `serve` writes both and follows.

    torchrun --nproc_per_node 2 train.py FOLDER

Every process reads the folder, which several hosts must share. What happens goes to `events.jsonl`, a line each: losses
of steps, measures of the validation file, checkpoints. The adapter ends in `adapter`, in PEFT's format. A checkpoint
that is there already is gone on from. Where standard input is a pipe, its end is the order to stop at once, so that no
process outlives the server.
"""

import json
import math
import os
import stat
import sys
import threading


def watch():
    # Not by sys.stdin, whose lock a waiting thread would hold at the interpreter's end.
    while os.read(0, 1024):
        pass
    os._exit(3)


if stat.S_ISFIFO(os.fstat(0).st_mode):
    threading.Thread(target=watch, daemon=True).start()
# The model and its data are on this machine, unless the model was named as one of the hub.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402  (behind the watch: this takes seconds)
from datasets import Dataset  # noqa: E402
from peft import LoraConfig, PeftModel  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback  # noqa: E402
from transformers.trainer_utils import get_last_checkpoint  # noqa: E402
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer  # noqa: E402

NAMES = {
    "loss": "train_loss",
    "mean_token_accuracy": "train_mean_token_accuracy",
    "eval_loss": "full_valid_loss",
    "eval_mean_token_accuracy": "full_valid_mean_token_accuracy",
    "num_tokens": "tokens",
}
# Of preferences, where the accuracy of tokens says nothing.
PREFERENCE_NAMES = {
    "loss": "train_loss",
    "rewards/accuracies": "train_reward_accuracy",
    "rewards/margins": "train_reward_margin",
    "rewards/chosen": "train_reward_preferred",
    "rewards/rejected": "train_reward_rejected",
    "eval_loss": "full_valid_loss",
    "eval_rewards/accuracies": "full_valid_reward_accuracy",
    "num_tokens": "tokens",
}


class Told(TrainerCallback):
    def __init__(self, path, names):
        self.path = path
        self.names = names

    def tell(self, state, **event):
        if state.is_world_process_zero:
            with open(self.path, "a", encoding="utf-8") as events:
                events.write(json.dumps({"step": state.global_step, "total_steps": state.max_steps, **event}) + "\n")

    def on_log(self, args, state, control, logs=None, **kwargs):
        logs, names = logs or {}, self.names
        numbers = {names[name]: float(value) for name, value in logs.items() if name in names}
        if "train_loss" in numbers or "full_valid_loss" in numbers:
            self.tell(state, **numbers)

    def on_save(self, args, state, control, **kwargs):
        self.tell(state, checkpoint=f"states/checkpoint-{state.global_step}")


def rows(path):
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as lines:
        # In memory, and so in no cache that outlasts the job.
        return Dataset.from_list([json.loads(line) for line in lines])


def main(folder):
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as text:
        job = json.load(text)
    train, valid = (rows(os.path.join(folder, name)) for name in ("train.jsonl", "valid.jsonl"))
    gpu = torch.cuda.is_available()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    each = max(1, math.ceil(job["batch_size"] / processes))
    steps = job["epochs"] * math.ceil(len(train) / (each * processes))
    preferences = job["beta"] is not None
    kind, special = (DPOConfig, {"beta": job["beta"]}) if preferences else (SFTConfig, {})
    config = kind(
        output_dir=os.path.join(folder, "states"),
        num_train_epochs=job["epochs"],
        per_device_train_batch_size=each,
        per_device_eval_batch_size=each,
        learning_rate=job["learning_rate"],
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(job["warmup_fraction"] * steps),
        weight_decay=job["weight_decay"],
        max_grad_norm=job["max_gradient_norm"],
        max_length=job["max_tokens"],
        seed=job["seed"],
        logging_steps=1,
        save_strategy="epoch",
        save_total_limit=2,
        eval_strategy="epoch" if valid is not None else "no",
        use_cpu=not gpu,
        bf16=gpu and torch.cuda.is_bf16_supported(),
        ddp_backend=None if gpu else "gloo",
        gradient_checkpointing=False,
        report_to="none",
        disable_tqdm=True,
        **special,
    )
    model = AutoModelForCausalLM.from_pretrained(job["model"])
    lora = job["lora"]
    peft = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=lora["targets"],
    )
    if job["adapter"]:
        model, peft = PeftModel.from_pretrained(model, job["adapter"], is_trainable=True), None
    trainer = (DPOTrainer if preferences else SFTTrainer)(
        model=model,
        args=config,
        train_dataset=train,
        eval_dataset=valid,
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        peft_config=peft,
        callbacks=[Told(os.path.join(folder, "events.jsonl"), PREFERENCE_NAMES if preferences else NAMES)],
    )
    states = config.output_dir
    trainer.train(resume_from_checkpoint=get_last_checkpoint(states) if os.path.isdir(states) else None)
    trainer.save_model(os.path.join(folder, "adapter"))


if __name__ == "__main__":
    main(sys.argv[1])
