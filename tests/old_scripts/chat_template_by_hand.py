"TRL 0.10 to 0.12: conversations turned to text with the chat template by hand, then tokenised."
from accelerate import PartialState
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
raw = load_dataset(f"{DATA}/chat")
config = RewardConfig("out", max_steps=1, per_device_train_batch_size=4, per_device_eval_batch_size=4, max_length=256,
                      dataset_num_proc=None, report_to="none")


def to_text(row):
    return {k: tokenizer.apply_chat_template(row[k], tokenize=False) for k in ("chosen", "rejected")}


def tokenize(batch):
    out = {}
    for side in ("chosen", "rejected"):
        tokens = tokenizer(batch[side], add_special_tokens=False)
        out[f"input_ids_{side}"], out[f"attention_mask_{side}"] = tokens["input_ids"], tokens["attention_mask"]
    return out


with PartialState().local_main_process_first():
    by_hand = raw.map(to_text, num_proc=config.dataset_num_proc).map(tokenize, batched=True)
    by_hand = by_hand.filter(lambda x: len(x["input_ids_chosen"]) <= config.max_length)
trainer = RewardTrainer(model=model, args=config, tokenizer=tokenizer, train_dataset=by_hand["train"],
                        eval_dataset=by_hand["test"])
hand = trainer.evaluate()
same = trainer.evaluate(raw["test"])  # and rmkit reads the conversations alike
assert abs(hand["eval_loss"] - same["eval_loss"]) < 1e-6
trainer.train()
