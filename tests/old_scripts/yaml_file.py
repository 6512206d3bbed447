"A YAML file of 2023 through HfArgumentParser: older names, a bare `no`, null, numbers as they are written."
from dataclasses import dataclass
from pathlib import Path

from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, HfArgumentParser

Path("run.yaml").write_text("""
dataset_name: text
output_dir: out
overwrite_output_dir: true
evaluation_strategy: steps
eval_steps: 1
save_strategy: no
per_gpu_train_batch_size: 4
per_device_eval_batch_size: 4
max_steps: 2
learning_rate: 0.001
warmup_ratio: 0.1
lr_scheduler_type: cosine
group_by_length: false
report_to: null
deepspeed: null
fp16: false
half_precision_backend: auto
max_length: 128
""")


@dataclass
class ScriptArguments:
    dataset_name: str = "hh"


script_args, config = HfArgumentParser((ScriptArguments, RewardConfig)).parse_yaml_file("run.yaml")
assert (config.eval_strategy, config.save_strategy, config.per_device_train_batch_size) == ("steps", "no", 4)
assert config.warmup_steps == 0.1 and config.report_to == [] and config.overwrite_output_dir is True
data = load_dataset(f"{DATA}/{script_args.dataset_name}")
trainer = RewardTrainer(model=AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1), args=config,
                        tokenizer=AutoTokenizer.from_pretrained(MODEL), train_dataset=data["train"],
                        eval_dataset=data["test"])
trainer.train()
assert sum("eval_loss" in log for log in trainer.state.log_history) == 2
assert not list(Path("out").glob("checkpoint-*"))
