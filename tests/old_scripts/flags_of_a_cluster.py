"A launch script's flags: everything that a cluster's template sets, most of it to the default of its time."
# Command: --output_dir out --overwrite_output_dir --do_train --do_eval --max_steps 2 --per_gpu_train_batch_size 4 \
# --gradient_accumulation_steps 1 --evaluation_strategy steps --eval_steps 2 --save_strategy no --learning_rate 2e-5 \
# --weight_decay 0. --warmup_ratio 0.03 --lr_scheduler_type cosine --logging_steps 1 --fp16 False --bf16 False --tf32 \
# False --half_precision_backend auto --ddp_find_unused_parameters False --ddp_timeout 1800 --local_rank -1 \
# --dataloader_num_workers 0 --group_by_length False --push_to_hub False --push_to_hub_model_id mine \
# --include_tokens_per_second False --ray_scope last --report_to none --max_length 512 --center_rewards_coefficient \
# 0.01
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, HfArgumentParser

args, = HfArgumentParser(RewardConfig).parse_args_into_dataclasses()
data = load_dataset(f"{DATA}/hh")
trainer = RewardTrainer(model=AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1), args=args,
                        tokenizer=AutoTokenizer.from_pretrained(MODEL), train_dataset=data["train"],
                        eval_dataset=data["test"])
if args.do_train:
    trainer.train()
metrics = trainer.evaluate() if args.do_eval else {}
assert trainer.state.global_step == 2 and args.per_device_train_batch_size == 4 and args.warmup_steps == 0.03
assert args.hub_model_id == "mine" and "eval_accuracy" in metrics
