"A run built from a nested mapping, as Hydra's instantiate does: classes by their path, keyword arguments beside them."
from importlib import import_module

from datasets import load_dataset

cfg = dict(
    tokenizer=dict(_target_="transformers.AutoTokenizer.from_pretrained", pretrained_model_name_or_path=MODEL),
    model=dict(_target_="transformers.AutoModelForSequenceClassification.from_pretrained",
               pretrained_model_name_or_path=MODEL, num_labels=1),
    trainer=dict(
        _target_="rmkit.RewardTrainer",
        args=dict(_target_="rmkit.RewardConfig", output_dir="out", max_steps=2, per_device_train_batch_size=4,
                  learning_rate=1e-3, lr_scheduler_type="constant", optim="adamw_torch", max_length=128,
                  center_rewards_coefficient=0.01, evaluation_strategy="no", report_to="none",
                  accelerator_config=dict(split_batches=False), deepspeed=None, fsdp=""),
        peft_config=dict(_target_="peft.LoraConfig", r=4, target_modules=["q_proj"], task_type="SEQ_CLS"),
        callbacks=[dict(_target_="transformers.PrinterCallback")]))


def instantiate(node, **more):
    if isinstance(node, list):
        return [instantiate(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {k: instantiate(v) for k, v in node.items()} | more
    if "_target_" not in node:
        return node
    parts = node.pop("_target_").split(".")
    target = import_module(parts[0])
    for part in parts[1:]:
        target = getattr(target, part)
    return target(**node)


tokenizer, model = instantiate(cfg["tokenizer"]), instantiate(cfg["model"])
trainer = instantiate(cfg["trainer"], model=model, processing_class=tokenizer,
                      train_dataset=load_dataset(f"{DATA}/text", split="train"))
trainer.train()
assert trainer.args.center_rewards_coefficient == 0.01 and trainer.model.peft_config["default"].r == 4
