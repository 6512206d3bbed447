"TRL 0.12 to 0.19: script arguments, chat rows, `processing_class`, evaluation where the strategy asks for it."
# Command: --model_name_or_path {MODEL} --dataset_name {DATA}/chat --output_dir out --per_device_train_batch_size 4 \
# --max_steps 2 --gradient_checkpointing False --learning_rate 1.0e-3 --eval_strategy steps --eval_steps 2 \
# --logging_steps 1 --max_length 2048 --report_to none
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, HfArgumentParser
from trl import ModelConfig, ScriptArguments, get_peft_config, get_quantization_config

parser = HfArgumentParser((ScriptArguments, RewardConfig, ModelConfig))
script_args, training_args, model_args = parser.parse_args_into_dataclasses()
training_args.gradient_checkpointing_kwargs = dict(use_reentrant=False)
quantization_config = get_quantization_config(model_args)
model_kwargs = dict(revision=model_args.model_revision, quantization_config=quantization_config,
                    use_cache=False if training_args.gradient_checkpointing else True)
tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path, use_fast=True)
model = AutoModelForSequenceClassification.from_pretrained(model_args.model_name_or_path, num_labels=1, **model_kwargs)
model.config.pad_token_id = tokenizer.pad_token_id
dataset = load_dataset(script_args.dataset_name, name=script_args.dataset_config)
trainer = RewardTrainer(
    model=model, processing_class=tokenizer, args=training_args, train_dataset=dataset[script_args.dataset_train_split],
    eval_dataset=dataset[script_args.dataset_test_split] if training_args.eval_strategy != "no" else None,
    peft_config=get_peft_config(model_args))
trainer.train()
trainer.save_model(training_args.output_dir)
if training_args.eval_strategy != "no":
    metrics = trainer.evaluate()
    trainer.log_metrics("eval", metrics)
    trainer.save_metrics("eval", metrics)
assert 0 <= metrics["eval_accuracy"] <= 1
again = AutoModelForSequenceClassification.from_pretrained("out")
assert again.score.weight.equal(trainer.model.score.weight.cpu())
