"An optimizer made before the trainer adds LoRA: the adapter is in none of its groups, so nothing would be trained."
# Stops: optimizer
from datasets import load_dataset
from peft import LoraConfig
from rmkit import RewardConfig, RewardTrainer
from torch.optim import AdamW
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
trainer = RewardTrainer(model=model, args=RewardConfig("out", max_steps=1, report_to="none"), tokenizer=tokenizer,
                        train_dataset=load_dataset(f"{DATA}/text", split="train"),
                        optimizers=(AdamW(model.parameters(),
                                          lr=1e-3), None), peft_config=LoraConfig(task_type="SEQ_CLS", r=4,
                                                                                  target_modules=["q_proj"]))
trainer.train()
