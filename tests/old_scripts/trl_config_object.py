"TRL's own `RewardConfig` handed to rmkit's trainer, since only the trainer's import was changed."
from datasets import load_dataset
from rmkit import RewardTrainer
from trl import RewardConfig

args = RewardConfig("out", max_length=24, center_rewards_coefficient=0.01, max_steps=2, per_device_train_batch_size=4,
                    bf16=False, gradient_checkpointing=False, learning_rate=1e-3, report_to="none",
                    model_init_kwargs={"dtype": "float32"})
trainer = RewardTrainer(model=MODEL, args=args, train_dataset=load_dataset(f"{DATA}/chat", split="train"))
trainer.train()
assert (trainer.args.max_length, trainer.args.center_rewards_coefficient, trainer.args.learning_rate) == (24, 0.01,
                                                                                                          1e-3)
assert max(len(row["chosen_ids"]) for row in trainer.train_dataset) <= 24
