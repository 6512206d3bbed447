"QLoRA of 2023: prepared for k-bit training (here in full precision) and wrapped by hand, with checkpointing."
import torch
from datasets import load_dataset
from peft import LoraConfig, TaskType, get_peft_model, prepare_model_for_kbit_training
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
model.config.use_cache = False
model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=True)
model = get_peft_model(
    model,
    LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], lora_dropout=0.05, bias="none",
               task_type=TaskType.SEQ_CLS))
model.print_trainable_parameters()
args = RewardConfig("out", max_steps=2, per_device_train_batch_size=2, gradient_accumulation_steps=2,
                    gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False},
                    optim="adamw_hf", learning_rate=1e-2, warmup_ratio=0.0, lr_scheduler_type="constant",
                    max_length=256, report_to="none", fp16=False, bf16=False)
before = {k: v.detach().cpu().clone() for k, v in model.named_parameters()}
trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer,
                        train_dataset=load_dataset(f"{DATA}/text", split="train"))
trainer.train()
changed = {k for k, v in trainer.model.named_parameters() if not torch.equal(v.detach().cpu(), before[k])}
assert any("score" in k for k in changed) and any("lora_B" in k for k in changed)
assert not any("lora" not in k and "score" not in k for k in changed)
