"Best of n with the trained folder: ranked by a pipeline as TRL's BestOfNSampler did, and by a list of scores."
import torch
from datasets import load_dataset
from rmkit import RewardConfig, RewardModel, RewardTrainer
from transformers import AutoTokenizer, pipeline

data = load_dataset(f"{DATA}/text", split="train")
trainer = RewardTrainer(
    model=MODEL, args=RewardConfig("rm", max_steps=2, per_device_train_batch_size=4, learning_rate=1e-3,
                                   report_to="none"), train_dataset=data)
trainer.train()
trainer.save_model()
query, answers = data[0]["prompt"], [row["chosen"] for row in data.select(range(4))]
reward_pipe = pipeline("text-classification", model="rm", tokenizer=AutoTokenizer.from_pretrained("rm"))
scores = [
    out["score"] for out in reward_pipe([query + answer for answer in answers], function_to_apply="none", batch_size=4)
]
tokenizer, model = reward_pipe.tokenizer, reward_pipe.model
by_hand = [model(**tokenizer(query + answer, return_tensors="pt").to(model.device)).logits.item() for answer in answers]
assert torch.allclose(torch.tensor(scores), torch.tensor(by_hand), atol=1e-4)
assert len(RewardModel.from_pretrained("rm").score(query, answers)) == 4
