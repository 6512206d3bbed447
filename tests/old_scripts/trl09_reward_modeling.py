"TRL 0.9, examples/scripts/reward_modeling.py: HfArgumentParser, ModelConfig, metrics logged and saved."
# Command: --model_name_or_path {MODEL} --output_dir out --per_device_train_batch_size 4 --max_steps 2 \
# --gradient_checkpointing True --learning_rate 1e-3 --report_to none --remove_unused_columns False --optim \
# adamw_torch --logging_steps 1 --evaluation_strategy steps --eval_steps 1 --max_length 512 --warmup_ratio 0.5 \
# --no_cuda --use_peft --lora_r 4 --lora_target_modules q_proj v_proj --lora_task_type SEQ_CLS
import json
import warnings

from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, HfArgumentParser
from trl import ModelConfig, get_peft_config, get_quantization_config

parser = HfArgumentParser((RewardConfig, ModelConfig))
config, model_config = parser.parse_args_into_dataclasses()
config.gradient_checkpointing_kwargs = dict(use_reentrant=False)
quantization_config = get_quantization_config(model_config)
model_kwargs = dict(revision=model_config.model_revision, device_map=None, quantization_config=quantization_config)
tokenizer = AutoTokenizer.from_pretrained(model_config.model_name_or_path, use_fast=True)
model = AutoModelForSequenceClassification.from_pretrained(model_config.model_name_or_path, num_labels=1,
                                                           **model_kwargs)
if model_config.lora_task_type != "SEQ_CLS":
    warnings.warn("You are using a `task_type` that is different than `SEQ_CLS` for PEFT.")
raw_datasets = load_dataset(f"{DATA}/hh")


def preprocess_function(examples):
    new_examples = {
        "input_ids_chosen": [], "attention_mask_chosen": [], "input_ids_rejected": [], "attention_mask_rejected": [],
    }
    for chosen, rejected in zip(examples["chosen"], examples["rejected"]):
        tokenized_chosen, tokenized_rejected = tokenizer(chosen), tokenizer(rejected)
        new_examples["input_ids_chosen"].append(tokenized_chosen["input_ids"])
        new_examples["attention_mask_chosen"].append(tokenized_chosen["attention_mask"])
        new_examples["input_ids_rejected"].append(tokenized_rejected["input_ids"])
        new_examples["attention_mask_rejected"].append(tokenized_rejected["attention_mask"])
    return new_examples


raw_datasets = raw_datasets.map(preprocess_function, batched=True)
raw_datasets = raw_datasets.filter(
    lambda x: len(x["input_ids_chosen"]) <= config.max_length and len(x["input_ids_rejected"]) <= config.max_length)
trainer = RewardTrainer(model=model, tokenizer=tokenizer, args=config, train_dataset=raw_datasets["train"],
                        eval_dataset=raw_datasets["test"], peft_config=get_peft_config(model_config))
trainer.train()
trainer.save_model(config.output_dir)
metrics = trainer.evaluate()
trainer.log_metrics("eval", metrics)
trainer.save_metrics("eval", metrics)
saved = json.load(open("out/eval_results.json"))
assert saved["eval_accuracy"] == metrics["eval_accuracy"] and "eval_loss" in saved
assert config.use_cpu and config.eval_strategy == "steps" and config.warmup_steps == 0.5
assert trainer.state.log_history[0]["learning_rate"] in (0, 1e-3)  # half of two steps is warm-up
