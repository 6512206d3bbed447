"`compute_metrics=compute_accuracy` as TRL's trainer sets it, and one's own function beside it."
import numpy as np
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer, compute_accuracy
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
data = load_dataset(f"{DATA}/text")
args = RewardConfig("out", per_device_eval_batch_size=4, report_to="none")


def own_metrics(eval_pred):
    rewards, labels = eval_pred.predictions, eval_pred.label_ids
    assert rewards.shape == (8, 2) and labels.shape[0] == 8
    return compute_accuracy(eval_pred) | {"mean_margin": float(np.mean(rewards[:, 0] - rewards[:, 1]))}


results = []
for function in (compute_accuracy, own_metrics):
    model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
    trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer, eval_dataset=data["test"],
                            compute_metrics=function)
    results.append(trainer.evaluate())
assert results[0]["eval_accuracy"] == results[1]["eval_accuracy"]
rewards = trainer.predict(data["test"]).predictions
assert np.isclose(results[1]["eval_mean_margin"], (rewards[:, 0] - rewards[:, 1]).mean(), atol=1e-5)
