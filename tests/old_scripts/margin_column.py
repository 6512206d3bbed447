"TRL 0.7: a column `margin` (Llama 2), tokenised by hand, the trainer's own loss."
import math

from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)


def tokenize(row):
    out = {"margin": 2.0}
    for side in ("chosen", "rejected"):
        tokens = tokenizer(row["prompt"] + " " + row[side])
        out[f"input_ids_{side}"], out[f"attention_mask_{side}"] = tokens["input_ids"], tokens["attention_mask"]
    return out


data = load_dataset(f"{DATA}/text").map(tokenize)
args = RewardConfig("out", max_steps=1, per_device_train_batch_size=4, remove_unused_columns=False, report_to="none",
                    max_length=512)
trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer, train_dataset=data["train"],
                        eval_dataset=data["test"])
with_margin = trainer.evaluate()["eval_loss"]
plain = trainer.evaluate(data["test"].remove_columns("margin"))["eval_loss"]
assert math.isclose(plain, math.log(2), abs_tol=0.2) and with_margin > plain + 1
