"Callbacks that read the logs, the state and the model; a progress line of one's own in the place of the usual."
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
data = load_dataset(f"{DATA}/text")


class Watch(TrainerCallback):

    def __init__(self):
        self.logs, self.evaluations, self.steps = [], [], 0

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        self.parameters = model.num_parameters()

    def on_step_end(self, args, state, control, **kwargs):
        self.steps += 1
        if args.evaluation_strategy == "no":
            control.should_evaluate = True

    def on_log(self, args, state, control, logs=None, **kwargs):
        if state.is_world_process_zero:
            self.logs.append(logs)

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        self.evaluations.append(metrics["eval_accuracy"])


watch = Watch()
args = RewardConfig("out", max_steps=2, per_device_train_batch_size=4, logging_steps=1, logging_first_step=True,
                    disable_tqdm=True, report_to="none")
trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer, train_dataset=data["train"],
                        eval_dataset=data["test"], callbacks=[watch])
trainer.train()
assert watch.steps == 2 and len(watch.evaluations) == 2 and watch.parameters == model.num_parameters()
assert {"loss", "learning_rate", "grad_norm", "accuracy", "min_reward", "mean_reward",
        "max_reward"} <= watch.logs[0].keys()
