"An optimizer and a scheduler made by hand: the head learns faster than the body."
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from torch.optim import AdamW
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
head, body = list(model.score.parameters()), list(model.model.parameters())
optimizer = AdamW([{"params": head, "lr": 1e-2}, {"params": body, "lr": 0.0}])
scheduler = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=0, num_training_steps=4)
args = RewardConfig("out", max_steps=2, per_device_train_batch_size=4, logging_steps=1, report_to="none")
before = [p.detach().clone() for p in (head[0], body[0])]  # on the CPU, which the model may leave
trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer,
                        train_dataset=load_dataset(f"{DATA}/text", split="train"), optimizers=(optimizer, scheduler))
trainer.train()
assert not head[0].cpu().equal(before[0]) and body[0].cpu().equal(before[1])
assert abs(optimizer.param_groups[0]["lr"] - 5e-3) < 1e-9
