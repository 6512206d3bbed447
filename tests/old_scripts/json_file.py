"Arguments from a JSON file given as the only argument, as transformers' own examples take them."
# Command: run.json
import json
import os
import sys

from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import HfArgumentParser
from transformers.trainer_utils import get_last_checkpoint
from trl import ModelConfig

with open("run.json", "w") as file:
    json.dump(
        dict(model_name_or_path=MODEL, output_dir="out", do_train=True, evaluation_strategy="epoch",
             save_strategy="epoch", num_train_epochs=1, per_device_train_batch_size=8, logging_dir="logs",
             adafactor=True, report_to=["none"], save_safetensors=True, seed=7), file)

parser = HfArgumentParser((ModelConfig, RewardConfig))
if len(sys.argv) == 2 and sys.argv[1].endswith(".json"):
    model_args, training_args = parser.parse_json_file(json_file=os.path.abspath(sys.argv[1]))
else:
    model_args, training_args = parser.parse_args_into_dataclasses()
last_checkpoint = None
if os.path.isdir(training_args.output_dir) and training_args.do_train and not training_args.overwrite_output_dir:
    last_checkpoint = get_last_checkpoint(training_args.output_dir)
data = load_dataset(f"{DATA}/chat")
trainer = RewardTrainer(model_args.model_name_or_path, training_args, train_dataset=data["train"],
                        eval_dataset=data["test"])
trainer.train(resume_from_checkpoint=last_checkpoint)
assert type(trainer.optimizer.optimizer).__name__ == "Adafactor" and training_args.logging_dir == "logs"
assert get_last_checkpoint("out").endswith("checkpoint-2")
