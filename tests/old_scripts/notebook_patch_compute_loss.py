"A notebook that puts a loss of its own on the trainer: `trainer.compute_loss = types.MethodType(...)`."
import types

import torch
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
data = load_dataset(f"{DATA}/text")
args = RewardConfig("out", max_steps=2, per_device_train_batch_size=4, logging_steps=1, report_to="none",
                    warmup_ratio=0.0, optim="sgd", learning_rate=1e-2)
trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer, train_dataset=data["train"],
                        eval_dataset=data["test"])


def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
    r_chosen = model(inputs["input_ids_chosen"], attention_mask=inputs["attention_mask_chosen"]).logits.squeeze(-1)
    r_rejected = model(inputs["input_ids_rejected"],
                       attention_mask=inputs["attention_mask_rejected"]).logits.squeeze(-1)
    loss = 7 + torch.relu(1 - (r_chosen - r_rejected)).mean()  # a hinge, and a constant by which to know it
    return (loss, {"rewards_chosen": r_chosen, "rewards_rejected": r_rejected}) if return_outputs else loss


trainer.compute_loss = types.MethodType(compute_loss, trainer)
trainer.train()
losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
assert len(losses) == 2 and all(7 < loss < 10 for loss in losses)
metrics = trainer.evaluate()
assert 7 < metrics["eval_loss"] < 10 and 0 <= metrics["eval_accuracy"] <= 1
