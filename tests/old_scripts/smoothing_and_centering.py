"Label smoothing and centred rewards from the config: the loss is the formula's."
import numpy as np
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1)
test = load_dataset(f"{DATA}/text", split="test")
args = RewardConfig("out", label_smoothing_factor=0.1, center_rewards_coefficient=0.01, per_device_eval_batch_size=8,
                    report_to="none")
trainer = RewardTrainer(model=model, args=args, tokenizer=tokenizer, eval_dataset=test)
loss = trainer.evaluate()["eval_loss"]
chosen, rejected = trainer.predict(test).predictions.astype("float64").T
difference = chosen - rejected
expected = 0.9 * np.log1p(np.exp(-difference)) + 0.1 * np.log1p(np.exp(difference)) + 0.01 * (chosen + rejected)**2
assert np.isclose(loss, expected.mean(), atol=1e-5)
