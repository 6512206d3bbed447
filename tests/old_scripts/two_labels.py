"A classifier loaded with the default of two labels: it stops, and says what a reward model needs."
# Stops: num_labels=1
from datasets import load_dataset
from rmkit import RewardConfig, RewardTrainer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=2, ignore_mismatched_sizes=True)
RewardTrainer(model=model, args=RewardConfig("out",
                                             report_to="none"), processing_class=AutoTokenizer.from_pretrained(MODEL),
              train_dataset=load_dataset(f"{DATA}/chat", split="train"))
