"Several evaluation sets in a dict, one of them decides which checkpoint is best."
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer

train, test = (load_dataset(f"{DATA}/chat", split=split) for split in ("train", "test"))
args = RewardConfig("out", max_steps=2, per_device_train_batch_size=4, eval_strategy="steps", eval_steps=1,
                    save_steps=1, load_best_model_at_end=True, metric_for_best_model="eval_harmless_accuracy",
                    report_to="none")
trainer = RewardTrainer(model=MODEL, args=args, train_dataset=train,
                        eval_dataset={"helpful": test.select(range(4)), "harmless": test.select(range(4, 8))})
trainer.train()
names = {name for log in trainer.state.log_history for name in log}
assert {"eval_helpful_accuracy", "eval_harmless_accuracy", "eval_helpful_loss"} <= names
assert trainer.state.best_metric == max(log["eval_harmless_accuracy"] for log in trainer.state.log_history
                                        if "eval_harmless_accuracy" in log)
