"TRL 0.4, stack_llama/scripts/reward_modeling.py: columns _j and _k, own collator, own loss."
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch.nn as nn
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
data = load_dataset(f"{DATA}/stack")
original_columns = data["train"].column_names


def preprocess_function(examples):
    new_examples = {"input_ids_j": [], "attention_mask_j": [], "input_ids_k": [], "attention_mask_k": []}
    for question, response_j, response_k in zip(examples["question"], examples["response_j"], examples["response_k"]):
        for name, response in (("j", response_j), ("k", response_k)):
            tokens = tokenizer("Question: " + question + "\n\nAnswer: " + response, truncation=True)
            new_examples[f"input_ids_{name}"].append(tokens["input_ids"])
            new_examples[f"attention_mask_{name}"].append(tokens["attention_mask"])
    return new_examples


data = data.map(preprocess_function, batched=True, remove_columns=original_columns)
data = data.filter(lambda x: len(x["input_ids_j"]) <= 256 and len(x["input_ids_k"]) <= 256)


@dataclass
class RewardDataCollatorWithPadding:
    tokenizer: PreTrainedTokenizerBase
    padding: Any = True
    return_tensors: str = "pt"

    def __call__(self, features):
        batch = {"return_loss": True}
        for name in ("j", "k"):
            rows = [{"input_ids": f[f"input_ids_{name}"], "attention_mask": f[f"attention_mask_{name}"]}
                    for f in features]
            padded = self.tokenizer.pad(rows, padding=self.padding, return_tensors=self.return_tensors)
            batch[f"input_ids_{name}"], batch[f"attention_mask_{name}"] = padded["input_ids"], padded["attention_mask"]
        return batch


losses = []


class PairTrainer(RewardTrainer):

    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        rewards_j = model(input_ids=inputs["input_ids_j"], attention_mask=inputs["attention_mask_j"])[0]
        rewards_k = model(input_ids=inputs["input_ids_k"], attention_mask=inputs["attention_mask_k"])[0]
        loss = -nn.functional.logsigmoid(rewards_j - rewards_k).mean()
        losses.append(loss.item())
        return (loss, {"rewards_j": rewards_j, "rewards_k": rewards_k}) if return_outputs else loss


args = RewardConfig("out", per_device_train_batch_size=4, per_device_eval_batch_size=4, max_steps=2, logging_steps=1,
                    evaluation_strategy="steps", eval_steps=2, remove_unused_columns=False, label_names=[],
                    report_to="none")
trainer = PairTrainer(model=model, args=args, train_dataset=data["train"], eval_dataset=data["test"],
                      processing_class=tokenizer, data_collator=RewardDataCollatorWithPadding(tokenizer))
trainer.train()
metrics = trainer.evaluate()
assert np.isclose(metrics["eval_loss"], np.mean(losses[-2:]), atol=1e-4)
assert 0 <= metrics["eval_accuracy"] <= 1
