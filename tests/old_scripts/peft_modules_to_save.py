"PEFT wrapped by hand with the head in `modules_to_save`; the adapter saved, loaded with plain PEFT, and merged."
import torch
from datasets import load_dataset
from peft import LoraConfig, PeftModel, get_peft_model
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
base = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
model = get_peft_model(
    base, LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["q_proj", "v_proj"], modules_to_save=["score"]))
args = RewardConfig("adapter", max_steps=2, per_device_train_batch_size=4, learning_rate=1e-2, report_to="none",
                    save_strategy="no", bf16=False, fp16=False)  # a GPU's default would round the logits below
trainer = RewardTrainer(model=model, args=args, processing_class=tokenizer,
                        train_dataset=load_dataset(f"{DATA}/text", split="train"))
trainer.train()
trainer.save_model()
ids = tokenizer("List 2 clothes. Sure: belt, shoe.", return_tensors="pt").to(trainer.model.device)
with torch.no_grad():
    trained = trainer.model.eval()(**ids).logits
fresh = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
loaded = PeftModel.from_pretrained(fresh, "adapter").to(trainer.model.device).eval()
with torch.no_grad():
    assert torch.allclose(loaded(**ids).logits, trained, atol=1e-5)
    assert torch.allclose(loaded.merge_and_unload()(**ids).logits, trained, atol=1e-5)
