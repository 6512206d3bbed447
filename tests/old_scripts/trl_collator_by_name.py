"TRL 0.7 to 0.19: the collator imported from `trl.trainer.utils` and handed over, tokenizer inside."
from datasets import load_dataset
from rmkit import RewardConfig, RewardDataCollatorWithPadding, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
data = load_dataset(f"{DATA}/hh", split="train")


def tokenize(row):
    chosen, rejected = tokenizer(row["chosen"]), tokenizer(row["rejected"])
    return {
        "input_ids_chosen": chosen["input_ids"], "attention_mask_chosen": chosen["attention_mask"],
        "input_ids_rejected": rejected["input_ids"], "attention_mask_rejected": rejected["attention_mask"],
    }


data = data.map(tokenize)
collator = RewardDataCollatorWithPadding(tokenizer, max_length=512)
batch = collator([data[0], data[1]])
assert batch["input_ids_chosen"].shape[0] == 2 and batch["return_loss"] is True
args = RewardConfig("out", max_steps=2, per_device_train_batch_size=4, report_to="none", remove_unused_columns=False)
trainer = RewardTrainer(model=model, args=args, train_dataset=data, data_collator=collator)
assert trainer.train().global_step == 2
