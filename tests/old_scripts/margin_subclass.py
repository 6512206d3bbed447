"A subclass with a margin loss, the one that most forks have: four padded columns and `margin` in `inputs`."
import torch
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
seen = []


class MarginTrainer(RewardTrainer):

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        rewards_chosen = model(input_ids=inputs["input_ids_chosen"], attention_mask=inputs["attention_mask_chosen"],
                               return_dict=True)["logits"]
        rewards_rejected = model(input_ids=inputs["input_ids_rejected"],
                                 attention_mask=inputs["attention_mask_rejected"], return_dict=True)["logits"]
        margin = inputs["margin"].view(-1, 1)
        seen.extend(margin.flatten().tolist())
        loss = -torch.nn.functional.logsigmoid(rewards_chosen - rewards_rejected - margin).mean()
        if return_outputs:
            return loss, {"rewards_chosen": rewards_chosen, "rewards_rejected": rewards_rejected}
        return loss


def preprocess(row):
    chosen, rejected = (tokenizer(row["prompt"] + " " + row[k]) for k in ("chosen", "rejected"))
    return {
        "input_ids_chosen": chosen["input_ids"], "attention_mask_chosen": chosen["attention_mask"],
        "input_ids_rejected": rejected["input_ids"], "attention_mask_rejected": rejected["attention_mask"],
        "margin": 3.0,
    }


data = load_dataset(f"{DATA}/text")
args = RewardConfig("out", per_device_train_batch_size=4, per_device_eval_batch_size=4, max_steps=2, logging_steps=1,
                    report_to="none", gradient_accumulation_steps=2)
trainer = MarginTrainer(model=model, args=args, tokenizer=tokenizer, train_dataset=data["train"].map(preprocess),
                        eval_dataset=data["test"].map(preprocess))
trainer.train()
metrics = trainer.evaluate()
assert set(seen) == {3.0}
assert 2 < metrics["eval_loss"] < 5  # -log sigmoid(-3) is 3.05
assert 0 <= metrics["eval_accuracy"] <= 1
first = next(log for log in trainer.state.log_history if "loss" in log)
assert 2 < first["loss"] < 5  # and not twice that, for two batches
