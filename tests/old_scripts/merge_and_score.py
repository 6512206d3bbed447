"Train LoRA, merge, save, and score with plain transformers and its pipeline, as PPO scripts did."
import torch
from datasets import load_dataset
from peft import LoraConfig
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
args = RewardConfig("adapter", max_steps=2, per_device_train_batch_size=4, learning_rate=1e-2, report_to="none",
                    save_strategy="no")
trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer,
                        train_dataset=load_dataset(f"{DATA}/text", split="train"),
                        peft_config=LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["q_proj", "v_proj"]))
trainer.train()
merged = trainer.model.merge_and_unload().cpu()
merged.save_pretrained("merged")
tokenizer.save_pretrained("merged")

texts = ["List 2 clothes. Sure: belt, shoe.", "List 2 clothes. Ugh, fine: belt."]
reward_model = AutoModelForSequenceClassification.from_pretrained("merged").eval()
with torch.no_grad():
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    by_hand = reward_model(**inputs).logits[:, 0]
    assert torch.allclose(by_hand, merged.eval()(**inputs).logits[:, 0], atol=1e-5)
sentiment_pipe = pipeline("sentiment-analysis", model="merged", tokenizer=AutoTokenizer.from_pretrained("merged"))
outputs = sentiment_pipe(texts, top_k=None, function_to_apply="none", batch_size=2)
assert torch.allclose(torch.tensor([each[0]["score"] for each in outputs]), by_hand, atol=1e-4)
