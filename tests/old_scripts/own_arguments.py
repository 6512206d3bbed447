"One's own dataclass on transformers' TrainingArguments, read by a subclass of the trainer."
from dataclasses import dataclass, field

import torch
from datasets import load_dataset
from rmkit import RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainingArguments


@dataclass
class MyTrainingArguments(TrainingArguments):
    max_length: int = field(default=96)
    center_rewards_coefficient: float = field(default=0.05)
    temperature: float = field(default=1.0)


class TemperedTrainer(RewardTrainer):

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, num_items_in_batch=num_items_in_batch)
        loss = loss / self.args.temperature
        return (loss, outputs) if return_outputs else loss


tokenizer = AutoTokenizer.from_pretrained(MODEL)
data = load_dataset(f"{DATA}/text")


def losses_at(temperature):
    args = MyTrainingArguments("out", max_steps=2, per_device_train_batch_size=4, learning_rate=0.0, report_to="none",
                               temperature=temperature)
    trainer = TemperedTrainer(model=AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1), args=args,
                              tokenizer=tokenizer, train_dataset=data["train"], eval_dataset=data["test"])
    assert (trainer.args.max_length == 96 and trainer.args.center_rewards_coefficient == 0.05
            and trainer.args.temperature == temperature)
    trainer.train()
    return trainer.evaluate()["eval_loss"]


one, two = losses_at(1.0), losses_at(2.0)
assert torch.isclose(torch.tensor(one), torch.tensor(2 * two), atol=1e-4)
