"TRL 0.11: a subclass that scores and shows samples its own way, batch by batch, four columns in each."
from collections import defaultdict

import pandas as pd
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
data = load_dataset(f"{DATA}/text")


class ShowingTrainer(RewardTrainer):

    def evaluate(self, *args, **kwargs):
        num_print_samples = kwargs.pop("num_print_samples", 4)
        self.visualize_samples(num_print_samples)
        return super().evaluate(*args, **kwargs)

    def visualize_samples(self, num_print_samples):
        table = defaultdict(list)
        for inputs in self.get_eval_dataloader():
            _, logits, _ = self.prediction_step(self.model, inputs, prediction_loss_only=False)
            table["chosen_text"].extend(
                self.tokenizer.batch_decode(inputs["input_ids_chosen"], skip_special_tokens=True))
            table["rejected_text"].extend(
                self.tokenizer.batch_decode(inputs["input_ids_rejected"], skip_special_tokens=True))
            table["logits"].extend([[round(each, 4) for each in row] for row in logits.tolist()])
            if len(table["logits"]) >= num_print_samples:
                break
        self.table = pd.DataFrame(table)
        print(self.table[:num_print_samples])

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)


args = RewardConfig("out", per_device_eval_batch_size=4, report_to="none")
trainer = ShowingTrainer(model=model, args=args, tokenizer=tokenizer, eval_dataset=data["test"])
metrics = trainer.evaluate(num_print_samples=3)
row = data["test"][0]
assert row["prompt"] in trainer.table["chosen_text"][0] and row["chosen"] in trainer.table["chosen_text"][0]
assert row["rejected"] in trainer.table["rejected_text"][0] and "eval_accuracy" in metrics
