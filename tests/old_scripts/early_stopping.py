"Early stopping and the best checkpoint, with the names of 2023: no patience, and a learning rate that doesn't learn."
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, EarlyStoppingCallback

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
data = load_dataset(f"{DATA}/text")
args = RewardConfig("out", max_steps=6, per_device_train_batch_size=4, evaluation_strategy="steps", eval_steps=1,
                    save_strategy="steps", save_steps=1, save_total_limit=2, load_best_model_at_end=True,
                    metric_for_best_model="eval_accuracy", greater_is_better=True, learning_rate=0.0, logging_steps=1,
                    report_to="none")
trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer, train_dataset=data["train"],
                        eval_dataset=data["test"], callbacks=[EarlyStoppingCallback(early_stopping_patience=1)])
trainer.train()
assert trainer.state.global_step == 2 and trainer.state.best_model_checkpoint.endswith("checkpoint-1")
