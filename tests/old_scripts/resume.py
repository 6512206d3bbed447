"A run that was cut off, taken up by a new trainer with `resume_from_checkpoint=True`: the weights of one go."
import torch
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback

tokenizer = AutoTokenizer.from_pretrained(MODEL)
data = load_dataset(f"{DATA}/text", split="train")


class Stop(TrainerCallback):

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step == 2


def train(folder, callbacks=(), **kwargs):
    model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
    args = RewardConfig(folder, overwrite_output_dir=False, max_steps=4, save_steps=2, per_device_train_batch_size=4,
                        learning_rate=1e-3, warmup_ratio=0.25, seed=3, report_to="none",
                        use_cpu=True)  # a GPU adds in no fixed order, so that no two runs are alike bit for bit
    trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer, train_dataset=data, callbacks=list(callbacks))
    trainer.train(**kwargs)
    return trainer.model.state_dict()


whole = train("whole")
train("cut", [Stop()])
resumed = train("cut", resume_from_checkpoint=True)
assert all(torch.equal(whole[k], resumed[k]) for k in whole)
