"A small sweep: `model_init`, a loop over learning rates, the best by `trainer.evaluate()`."
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
data = load_dataset(f"{DATA}/text")


def model_init():
    return AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)


results = {}
for learning_rate in (0.0, 1e-2):
    args = RewardConfig(f"out-{learning_rate}", max_steps=2, per_device_train_batch_size=8, learning_rate=learning_rate,
                        warmup_ratio=0.0, evaluation_strategy="no", save_strategy="no", report_to="none", seed=1)
    trainer = RewardTrainer(model_init=model_init, args=args, tokenizer=tokenizer, train_dataset=data["train"],
                            eval_dataset=data["test"])
    trainer.train()
    results[learning_rate] = trainer.evaluate()["eval_loss"]
untrained = RewardTrainer(model=model_init(), args=args, tokenizer=tokenizer,
                          eval_dataset=data["test"]).evaluate()["eval_loss"]
assert abs(results[0.0] - untrained) < 1e-5 and results[1e-2] != results[0.0]
