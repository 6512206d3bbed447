"TRL 0.5: tokenised by hand, raw columns removed, splits of a DatasetDict, filter by length."
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
raw = load_dataset(f"{DATA}/text")
raw = raw["train"].train_test_split(test_size=0.25, seed=42)


def preprocess(batch):
    out = {}
    for side in ("chosen", "rejected"):
        tokens = tokenizer([p + "\n" + a for p, a in zip(batch["prompt"], batch[side])], max_length=128,
                           truncation=True)
        out[f"input_ids_{side}"], out[f"attention_mask_{side}"] = tokens["input_ids"], tokens["attention_mask"]
    return out


tokenized = raw.map(preprocess, batched=True, num_proc=None, remove_columns=raw["train"].column_names)
tokenized = tokenized.filter(lambda row: max(len(row["input_ids_chosen"]), len(row["input_ids_rejected"])) <= 128)
args = RewardConfig(output_dir="out", num_train_epochs=1, per_device_train_batch_size=4, per_device_eval_batch_size=4,
                    evaluation_strategy="epoch", save_strategy="no", logging_steps=1, max_length=128, report_to=None)
trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer, train_dataset=tokenized["train"],
                        eval_dataset=tokenized["test"])
result = trainer.train()
assert result.global_step == 3 and len(trainer.eval_dataset) == 4
evaluation = [log for log in trainer.state.log_history if "eval_loss" in log]
assert len(evaluation) == 1 and evaluation[0]["epoch"] == 1 and "eval_accuracy" in evaluation[0]
