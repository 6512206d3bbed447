"TRL 0.4, examples/scripts/reward_trainer.py: HH tokenised by hand, text columns left in, LoRA."
from datasets import load_dataset
from peft import LoraConfig
from rmkit import RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainingArguments

dataset = load_dataset(f"{DATA}/hh", split="train")
tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)


def preprocess_function(examples):
    new_examples = {
        "input_ids_chosen": [], "attention_mask_chosen": [], "input_ids_rejected": [], "attention_mask_rejected": [],
    }
    for chosen, rejected in zip(examples["chosen"], examples["rejected"]):
        tokenized_j = tokenizer(chosen, truncation=True)
        tokenized_k = tokenizer(rejected, truncation=True)
        new_examples["input_ids_chosen"].append(tokenized_j["input_ids"])
        new_examples["attention_mask_chosen"].append(tokenized_j["attention_mask"])
        new_examples["input_ids_rejected"].append(tokenized_k["input_ids"])
        new_examples["attention_mask_rejected"].append(tokenized_k["attention_mask"])
    return new_examples


dataset = dataset.map(preprocess_function, batched=True)
dataset = dataset.filter(lambda x: len(x["input_ids_chosen"]) <= 256 and len(x["input_ids_rejected"]) <= 256)
training_args = TrainingArguments(output_dir="out", per_device_train_batch_size=4, max_steps=2, learning_rate=1e-3,
                                  remove_unused_columns=False, report_to="none", logging_steps=1)
peft_config = LoraConfig(task_type="SEQ_CLS", inference_mode=False, r=4, lora_alpha=8, lora_dropout=0.1,
                         target_modules="all-linear")
trainer = RewardTrainer(model=model, tokenizer=tokenizer, args=training_args, train_dataset=dataset,
                        peft_config=peft_config, max_length=256)
before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
trainer.train()
changed = [k for k, v in trainer.model.state_dict().items() if not v.equal(before[k])]
assert changed and all("lora" in k or "score" in k for k in changed)
assert trainer.args.max_length == 256 and trainer.args.learning_rate == 1e-3
assert all(0 < log["loss"] < 5 for log in trainer.state.log_history if "loss" in log)
