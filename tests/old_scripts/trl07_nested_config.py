"TRL 0.7: `RewardConfig` inside a dataclass of script arguments (as tyro builds them), every option spelled out."
from dataclasses import dataclass, field

from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer


@dataclass
class ScriptArguments:
    model_name: str = ""
    eval_split: str = "test"
    reward_config: RewardConfig = field(default_factory=lambda: RewardConfig(
        output_dir="output", per_device_train_batch_size=4, num_train_epochs=1, gradient_accumulation_steps=2,
        gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False
                                                                    }, learning_rate=1.41e-5, report_to="none",
        remove_unused_columns=False, optim="adamw_torch", logging_steps=500, evaluation_strategy="no", max_length=512))


args = ScriptArguments(model_name=MODEL)
args.reward_config.evaluation_strategy = "steps" if args.eval_split != "none" else "no"
args.reward_config.eval_steps = 1
model = AutoModelForSequenceClassification.from_pretrained(args.model_name, trust_remote_code=False, num_labels=1)
tokenizer = AutoTokenizer.from_pretrained(args.model_name)
data = load_dataset(f"{DATA}/hh")


def preprocess_function(examples):
    new_examples = {f"{name}_{side}": [] for side in ("chosen", "rejected") for name in ("input_ids", "attention_mask")}
    for chosen, rejected in zip(examples["chosen"], examples["rejected"]):
        for side, text in (("chosen", chosen), ("rejected", rejected)):
            tokens = tokenizer(text)
            new_examples[f"input_ids_{side}"].append(tokens["input_ids"])
            new_examples[f"attention_mask_{side}"].append(tokens["attention_mask"])
    return new_examples


train = data["train"].map(preprocess_function, batched=True, num_proc=None)
train = train.filter(lambda x: len(x["input_ids_chosen"]) <= args.reward_config.max_length)
test = data["test"].map(preprocess_function, batched=True)
trainer = RewardTrainer(model=model, tokenizer=tokenizer, args=args.reward_config, train_dataset=train,
                        eval_dataset=test, peft_config=None)
trainer.train()
assert sum("eval_loss" in log for log in trainer.state.log_history) == 2  # it evaluates, as the attribute said
assert trainer.model.is_gradient_checkpointing
