"TRL 1.x, trl/scripts/reward.py: TrlParser, the model by its name, its arguments from ModelConfig."
# Command: --model_name_or_path {MODEL} --dataset_name {DATA}/chat --output_dir out --per_device_train_batch_size 4 \
# --max_steps 2 --learning_rate 1e-3 --eval_strategy no --logging_steps 1 --dtype float32 --trust_remote_code \
# --save_strategy no
import torch
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, TrlParser, get_peft_config, get_quantization_config

parser = TrlParser((ScriptArguments, RewardConfig, ModelConfig, DatasetMixtureConfig))
script_args, training_args, model_args, dataset_args = parser.parse_args_and_config(fail_with_unknown_args=False)
model_init_kwargs = dict(revision=model_args.model_revision, trust_remote_code=training_args.trust_remote_code,
                         attn_implementation=model_args.attn_implementation, dtype=model_args.dtype)
if training_args.model_init_kwargs is not None:
    model_init_kwargs.update(training_args.model_init_kwargs)
training_args.model_init_kwargs = model_init_kwargs
dataset = load_dataset(script_args.dataset_name, name=script_args.dataset_config,
                       streaming=script_args.dataset_streaming)
trainer = RewardTrainer(
    model=model_args.model_name_or_path, args=training_args, train_dataset=dataset[script_args.dataset_train_split],
    eval_dataset=dataset[script_args.dataset_test_split] if training_args.eval_strategy != "no" else None,
    quantization_config=get_quantization_config(model_args), peft_config=get_peft_config(model_args))
trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)
trainer.accelerator.print("Training completed.")
trainer.save_model(training_args.output_dir)
if training_args.push_to_hub:
    trainer.push_to_hub(dataset_name=script_args.dataset_name)
trainer.end()
assert trainer.state.global_step == 2 and trainer.eval_dataset is None and trainer.model.dtype == torch.float32
