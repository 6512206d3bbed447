"The trained folder as the reward of TRL's GRPO: the sampled answers get the rewards that it gives by hand."
import torch
from datasets import load_dataset
from rmkit import RewardConfig, RewardModel, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

train = load_dataset(f"{DATA}/chat", split="train")
trainer = RewardTrainer(model=MODEL, args=RewardConfig("rm", max_steps=2, per_device_train_batch_size=4,
                                                       report_to="none"), train_dataset=train)
trainer.train()
trainer.save_model("rm")

reward_model, given = RewardModel.from_pretrained("rm"), []


def reward(prompts, completions, **kwargs):
    rewards = [float(reward_model.score(prompt, [completion])[0]) for prompt, completion in zip(prompts, completions)]
    given.extend(rewards)
    return rewards


prompts = train.map(lambda row: {"prompt": row["chosen"][:-1]}, remove_columns=train.column_names)
args = GRPOConfig("policy", max_steps=1, per_device_train_batch_size=4, num_generations=2, max_completion_length=8,
                  report_to="none", use_cpu=not torch.cuda.is_available(), bf16=False, gradient_checkpointing=False,
                  save_strategy="no")
GRPOTrainer(LM, reward_funcs=reward, args=args, train_dataset=prompts).train()
assert len(given) == 4 and torch.tensor(given).isfinite().all()
plain = AutoModelForSequenceClassification.from_pretrained("rm").eval()
tokenizer = AutoTokenizer.from_pretrained("rm")
text = tokenizer.apply_chat_template(train[0]["chosen"], tokenize=False)
with torch.no_grad():
    by_hand = plain(**tokenizer(text, add_special_tokens=False, return_tensors="pt")).logits.item()
assert abs(float(reward_model.score(train[0]["chosen"][:-1], [train[0]["chosen"][-1]["content"]])[0]) - by_hand) < 1e-4
