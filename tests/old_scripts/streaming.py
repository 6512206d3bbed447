"A streamed dataset, mapped and shuffled as it comes; `max_steps` says where it ends."
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
stream = load_dataset(f"{DATA}/text", split="train", streaming=True)
stream = stream.map(lambda row: {k: row["prompt"] + " " + row[k]
                                 for k in ("chosen", "rejected")}, remove_columns=["prompt"])
stream = stream.shuffle(seed=42, buffer_size=8)
args = RewardConfig("out", max_steps=3, per_device_train_batch_size=4, logging_steps=1, dispatch_batches=False,
                    split_batches=False, learning_rate=1e-3, report_to="none")
trainer = RewardTrainer(model=model, args=args, processing_class=tokenizer, train_dataset=stream)
before = model.score.weight.detach().clone()
trainer.train()
assert trainer.state.global_step == 3 and not trainer.model.score.weight.equal(before)
