"A subclass with its own `prediction_step`, TRL 0.7's text with one line changed; the metric gets what it returns."
import numpy as np
import torch
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.trainer_pt_utils import nested_detach

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
data = load_dataset(f"{DATA}/hh")


class ProbabilityTrainer(RewardTrainer):

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad():
            loss, logits_dict = self.compute_loss(model, inputs, return_outputs=True)
        if prediction_loss_only:
            return (loss, None, None)
        loss = loss.detach()
        logits = nested_detach(tuple(v for k, v in logits_dict.items() if k in ("rewards_chosen", "rewards_rejected")))
        logits = torch.stack([each.view(-1) for each in logits]).softmax(dim=0).T
        return loss, logits, torch.zeros(logits.shape[0])


def compute_metrics(eval_pred):
    predictions, labels = eval_pred
    assert predictions.shape == (8, 2) and np.allclose(predictions.sum(1), 1)
    return {"accuracy_of_mine": float((predictions[:, 0] > 0.5).mean())}


args = RewardConfig("out", per_device_eval_batch_size=4, max_steps=1, per_device_train_batch_size=4, report_to="none")
trainer = ProbabilityTrainer(model=model, args=args, tokenizer=tokenizer, train_dataset=data["train"],
                             eval_dataset=data["test"], compute_metrics=compute_metrics)
trainer.train()
metrics = trainer.evaluate()
assert metrics["eval_accuracy_of_mine"] in [k / 8 for k in range(9)] and 0.3 < metrics["eval_loss"] < 1.5
