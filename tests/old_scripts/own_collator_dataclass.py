"A collator of one's own as a dataclass, copied from TRL and changed: four columns, padded to a multiple of eight."
from dataclasses import dataclass
from typing import Any

from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)


@dataclass
class RewardDataCollatorWithPadding:
    tokenizer: PreTrainedTokenizerBase
    padding: bool | str = True
    pad_to_multiple_of: int | None = 8
    return_tensors: str = "pt"

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        sides = {}
        for side in ("chosen", "rejected"):
            rows = [{"input_ids": f[f"input_ids_{side}"], "attention_mask": f[f"attention_mask_{side}"]}
                    for f in features]
            sides[side] = self.tokenizer.pad(rows, padding=self.padding, pad_to_multiple_of=self.pad_to_multiple_of,
                                             return_tensors=self.return_tensors)
        widths.append(sides["chosen"]["input_ids"].shape[1])
        return {
            "input_ids_chosen": sides["chosen"]["input_ids"],
            "attention_mask_chosen": sides["chosen"]["attention_mask"],
            "input_ids_rejected": sides["rejected"]["input_ids"],
            "attention_mask_rejected": sides["rejected"]["attention_mask"], "return_loss": True,
        }


widths = []


def tokenize(batch):
    chosen, rejected = tokenizer(batch["chosen"]), tokenizer(batch["rejected"])
    return {
        "input_ids_chosen": chosen["input_ids"], "attention_mask_chosen": chosen["attention_mask"],
        "input_ids_rejected": rejected["input_ids"], "attention_mask_rejected": rejected["attention_mask"],
    }


data = load_dataset(f"{DATA}/hh").map(tokenize, batched=True)
args = RewardConfig("out", max_steps=2, per_device_train_batch_size=4, logging_steps=1, remove_unused_columns=False,
                    report_to="none")
trainer = RewardTrainer(model=model, args=args, data_collator=RewardDataCollatorWithPadding(tokenizer),
                        train_dataset=data["train"], eval_dataset=data["test"], tokenizer=tokenizer)
trainer.train()
own = trainer.evaluate()
assert widths and all(width % 8 == 0 for width in widths)
usual = RewardTrainer(model=trainer.model, args=args, eval_dataset=data["test"], tokenizer=tokenizer).evaluate()
assert abs(own["eval_loss"] - usual["eval_loss"]) < 1e-5 and own["eval_accuracy"] == usual["eval_accuracy"]
