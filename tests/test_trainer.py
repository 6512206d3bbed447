import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict, IterableDataset
from peft import LoraConfig
from ranks import two_ranks
from transformers import (AutoModelForSequenceClassification, GPT2Config, GPT2ForSequenceClassification,
                          TrainingArguments)

from rmkit import (DataCollatorForPreference, RewardConfig, RewardDataCollatorWithPadding, RewardModel,
                   RewardTrainer, compute_accuracy)
from rmkit.data import prepare_dataset
from rmkit.metrics import wilson_interval
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.flat import stack_pairs


def config(path, **kw):
    kw = dict(max_steps=4, per_device_train_batch_size=4, per_device_eval_batch_size=8, logging_steps=2,
              learning_rate=1e-3, save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True, seed=1) | kw
    return RewardConfig(str(path), **kw)


def trainer_of(path, pairs, model=None, **kw):
    cfg = kw.pop("args", None) or config(path, **kw.pop("config", {}))
    return RewardTrainer(model or tiny_model(seed=0), cfg, train_dataset=pairs, processing_class=tiny_tokenizer(), **kw)


def logged(trainer, key="loss"): return [entry[key] for entry in trainer.state.log_history if key in entry]


def same_weights(a, b): return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


# The two eras

def test_code_of_trl_1x(tmp_path, pairs):
    "Quick start and LoRA of TRL 1.x's documentation, the model by path"
    tiny_model(seed=0).save_pretrained(tmp_path/"model")
    tiny_tokenizer().save_pretrained(tmp_path/"model")
    trainer = RewardTrainer(model=str(tmp_path/"model"), args=config(tmp_path/"out"), train_dataset=pairs,
                            eval_dataset=pairs, peft_config=LoraConfig(modules_to_save=["score"]))
    trainer.train()
    assert trainer.evaluate()["eval_accuracy"] >= 0
    trainer.save_model()
    assert (tmp_path/"out"/"adapter_model.safetensors").exists()


def test_code_of_trl_0_11(tmp_path, pairs):
    "The older documentation: four columns, two labels, `tokenizer=`, `RewardDataCollatorWithPadding`"
    tokenizer = tiny_tokenizer()
    rows, _ = prepare_dataset(pairs, tokenizer)
    four = Dataset.from_list([dict(input_ids_chosen=r["chosen_ids"], attention_mask_chosen=[1]*len(r["chosen_ids"]),
                                   input_ids_rejected=r["rejected_ids"],
                                   attention_mask_rejected=[1]*len(r["rejected_ids"])) for r in rows])
    cfg = tiny_model(seed=0).config
    cfg.num_labels = 2
    model = AutoModelForSequenceClassification.from_config(cfg)
    with pytest.warns(UserWarning, match="num_labels=2"):
        trainer = RewardTrainer(model=model, args=config(tmp_path, remove_unused_columns=False), tokenizer=tokenizer,
                                train_dataset=four, eval_dataset=four, compute_metrics=compute_accuracy,
                                data_collator=RewardDataCollatorWithPadding(tokenizer, max_length=64),
                                peft_config=LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=32, lora_dropout=0.1))
    trainer.train()
    assert 0 <= trainer.evaluate()["eval_accuracy"] <= 1


def test_two_labels_are_refused_the_newer_way(tmp_path, pairs):
    cfg = tiny_model(seed=0).config
    cfg.num_labels = 2
    with pytest.raises(ValueError, match="num_labels=1"):
        trainer_of(tmp_path, pairs, AutoModelForSequenceClassification.from_config(cfg))


def test_gpt2_the_older_way(tmp_path):
    "gpt2 has no pad token: pad would be eos"
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    cfg = GPT2Config(vocab_size=len(tokenizer), n_positions=128, n_embd=32, n_layer=2, n_head=2, num_labels=2)
    with pytest.warns(UserWarning, match="num_labels=2"):
        trainer = RewardTrainer(GPT2ForSequenceClassification(cfg), config(tmp_path),
                                train_dataset=make_pairs(16, seed=3), tokenizer=tokenizer)
    trainer.train()
    assert trainer.model.config.num_labels == 1 and tokenizer.pad_token_id != tokenizer.eos_token_id


def test_training_arguments_and_max_length(tmp_path, pairs):
    plain = TrainingArguments(str(tmp_path), max_steps=2, use_cpu=True, report_to="none", save_strategy="no")
    with pytest.warns(FutureWarning, match="max_length"):
        trainer = RewardTrainer(tiny_model(), plain, train_dataset=pairs, tokenizer=tiny_tokenizer(), max_length=48)
    assert isinstance(trainer.args, RewardConfig) and trainer.args.max_length == 48
    assert max(map(len, trainer.train_dataset["chosen_ids"])) <= 48


def test_tokenizer_twice(pairs, tmp_path):
    with pytest.raises(ValueError, match="once"): trainer_of(tmp_path, pairs, tokenizer=tiny_tokenizer())


def test_model_init(tmp_path, pairs):
    trainer = RewardTrainer(None, config(tmp_path), train_dataset=pairs, processing_class=tiny_tokenizer(),
                            model_init=lambda: tiny_model(seed=5))
    trainer.train()
    assert trainer.model.config.problem_type == "regression"


def test_streaming(tmp_path, pairs):
    def rows(): yield from pairs
    trainer = trainer_of(tmp_path, IterableDataset.from_generator(rows), eval_dataset=pairs)
    trainer.train()
    assert trainer.state.global_step == 4
    with pytest.raises(ValueError, match="max_steps"):
        trainer_of(tmp_path, IterableDataset.from_generator(rows), config=dict(max_steps=-1)).train()


def test_wrong_dataset_type(tmp_path, pairs):
    with pytest.raises(TypeError, match="from_list"): trainer_of(tmp_path, list(pairs))


# Batches and losses

def test_own_collator_of_either_shape(tmp_path, pairs):
    "The two shapes give the same losses and weights"
    runs = []
    for collator in (None, RewardDataCollatorWithPadding(tiny_tokenizer()),
                     lambda rows: dict(DataCollatorForPreference(0)(rows))):
        trainer = trainer_of(tmp_path, pairs, data_collator=collator)
        trainer.train()
        runs.append(logged(trainer))
    assert np.allclose(runs[0], runs[1], atol=1e-6) and np.allclose(runs[0], runs[2], atol=1e-6)


def test_bad_batch():
    with pytest.raises(ValueError, match="input_ids_chosen"): stack_pairs(dict(labels=1))


def test_accumulation_equals_one_big_batch(tmp_path):
    "10 pairs as 4 + 4 + 2 give the gradient of one batch of 10"
    ten = make_pairs(10, seed=2)
    big = trainer_of(tmp_path, ten, config=dict(max_steps=1, per_device_train_batch_size=10))
    small = trainer_of(tmp_path, ten, config=dict(num_train_epochs=1, max_steps=-1, per_device_train_batch_size=4,
                                                  gradient_accumulation_steps=3))
    for t in (big, small):
        t.args.logging_steps = 1
        t.args.optim = "sgd"
        t.train()
    assert big.state.log_history[0]["loss"] == pytest.approx(small.state.log_history[0]["loss"], abs=1e-6)
    assert big.state.log_history[0]["grad_norm"] == pytest.approx(small.state.log_history[0]["grad_norm"], rel=1e-5)


def test_margin_centering_smoothing_reach_the_loss(tmp_path):
    import torch.nn.functional as F
    rows = make_pairs(8, seed=4)
    rows = rows.add_column("margin", [0.5]*4 + [2.0]*4)
    t = trainer_of(tmp_path, rows, config=dict(center_rewards_coefficient=0.1, label_smoothing_factor=0.2))
    batch = t.data_collator([t.train_dataset[i] for i in range(8)])
    loss, out = t.compute_loss(t.model.eval(), batch, return_outputs=True)
    c, r, m = out["rewards_chosen"], out["rewards_rejected"], torch.tensor([0.5]*4 + [2.0]*4)
    expected = (-.8*F.logsigmoid(c - r - m) - .2*F.logsigmoid(-(c - r - m)) + .1*(c + r)**2).mean()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


# Numbers

def test_evaluation_is_a_mean_over_pairs(tmp_path, pairs):
    "Whatever the batch size, last batches of one included"
    seen = []
    for size in (1, 7, 63, 64):
        t = trainer_of(tmp_path, pairs, eval_dataset=pairs, config=dict(per_device_eval_batch_size=size))
        seen.append(t.evaluate(num_print_samples=0))
        r = t.predict(pairs).predictions
        assert seen[-1]["eval_accuracy"] == pytest.approx(((r[:, 0] > r[:, 1]) + .5*(r[:, 0] == r[:, 1])).mean())
    for k in ("loss", "accuracy", "accuracy_low", "accuracy_high", "margin", "min_reward", "mean_reward", "max_reward"):
        assert np.ptp([s[f"eval_{k}"] for s in seen]) < 1e-5, k
    assert seen[0]["eval_accuracy_low"] <= seen[0]["eval_accuracy"] <= seen[0]["eval_accuracy_high"]


def test_ties_count_half(tmp_path, pairs):
    t = trainer_of(tmp_path, pairs, eval_dataset=pairs)
    t.model.score.weight.data.zero_()
    metrics = t.evaluate(num_print_samples=0)
    assert metrics["eval_accuracy"] == 0.5 and metrics["eval_ties"] == 1


def test_train_metrics_are_exact(tmp_path, pairs):
    "Two steps of four pairs against the same pairs scored by hand, with a rate of zero"
    t = trainer_of(tmp_path, pairs, config=dict(learning_rate=0.0, max_steps=3, logging_steps=3,
                                                per_device_train_batch_size=30))
    t.train()
    entry = t.state.log_history[0]
    assert {"loss", "accuracy", "margin", "min_reward", "mean_reward", "max_reward", "num_tokens", "grad_norm",
            "learning_rate"} <= set(entry)
    r = t.predict(pairs).predictions
    assert entry["accuracy"] == pytest.approx((r[:, 0] > r[:, 1]).mean())
    assert (entry["accuracy_low"], entry["accuracy_high"]) == pytest.approx(wilson_interval(entry["accuracy"], 64))
    for i, which in enumerate(("chosen", "rejected")):
        assert entry[f"mean_reward_{which}"] == pytest.approx(r[:, i].mean(), abs=1e-5)
        assert entry[f"std_reward_{which}"] == pytest.approx(r[:, i].std(), abs=1e-5)
    assert entry["pairs_per_second"] > 0 and entry["tokens_per_second"] > entry["pairs_per_second"]
    assert entry["memory_gib"] > 0
    assert entry["min_reward"] == pytest.approx(r.min(), abs=1e-5)
    assert entry["mean_reward"] == pytest.approx(r.mean(), abs=1e-5)
    ids = t.train_dataset
    assert entry["num_tokens"] == sum(map(len, ids["chosen_ids"])) + sum(map(len, ids["rejected_ids"]))


def test_speed_leaves_evaluation_and_saving_out(tmp_path, pairs, monkeypatch):
    "An evaluation and a save that take half a second each, within one log's steps"
    t = trainer_of(tmp_path, pairs, eval_dataset=pairs,
                   config=dict(eval_strategy="steps", eval_steps=1, save_strategy="steps", save_steps=1, max_steps=4,
                               logging_steps=4))
    evaluate, save = t.evaluation_loop, t._save_optimizer_and_scheduler
    monkeypatch.setattr(t, "evaluation_loop", lambda *a, **kw: (evaluate(*a, **kw), time.sleep(.5))[0])
    monkeypatch.setattr(t, "_save_optimizer_and_scheduler", lambda *a: (save(*a), time.sleep(.5)))
    began = time.perf_counter()
    t.train()
    seconds, (speed,) = time.perf_counter() - began, logged(t, "pairs_per_second")
    assert seconds > 4 and 16 / speed < seconds - 3


def test_compute_metrics_and_preprocess(tmp_path, pairs):
    got = {}
    def mine(p):
        got.update(shape=p.predictions.shape, labels=set(p.label_ids.tolist()))
        return dict(mine=1.0)
    t = trainer_of(tmp_path, pairs, eval_dataset=pairs, compute_metrics=mine, preprocess_logits_for_metrics=lambda r,
                   labels: r * 2)
    assert t.evaluate(num_print_samples=0)["eval_mine"] == 1.0
    assert got == dict(shape=(64, 2), labels={0})


def test_dict_of_eval_sets(tmp_path, pairs):
    t = trainer_of(tmp_path, pairs, eval_dataset=DatasetDict(a=pairs, b=pairs.select(range(8))),
                   config=dict(eval_strategy="steps", eval_steps=2))
    t.train()
    assert logged(t, "eval_a_accuracy") and logged(t, "eval_b_accuracy")
    assert {"eval_x_loss", "eval_y_loss"} <= set(t.evaluate({"x": pairs, "y": pairs}))


def test_predict_is_raw_rewards(tmp_path, pairs):
    t = trainer_of(tmp_path, pairs)
    out = t.predict(pairs)
    assert out.predictions.shape == (64, 2) and "test_accuracy" in out.metrics
    ours = RewardModel(t.model, t.processing_class).score_pairs(pairs)
    assert np.allclose(out.predictions[:, 0], ours["reward_chosen"], atol=1e-5)


# Seeing

def test_visualize_samples(tmp_path, pairs, capsys):
    t = trainer_of(tmp_path, pairs, eval_dataset=pairs)
    t.model.train()
    scores = t.visualize_samples(3)
    assert len(scores) == 3 and t.model.training
    assert len(t.visualize_samples(-1)) == 64
    assert len(t.visualize_samples(2, pairs.select(range(10, 20)))) == 2
    r = t.predict(pairs).predictions
    assert np.allclose(scores[["reward_chosen", "reward_rejected"]].to_numpy(), r[:3], atol=1e-5)
    assert np.allclose(scores["p_chosen"], 1/(1 + np.exp(r[:3, 1] - r[:3, 0])), atol=1e-5)
    capsys.readouterr()
    t.evaluate(num_print_samples=0)
    assert "P(chosen)" not in capsys.readouterr().out
    t.evaluate()
    assert "P(chosen)" in capsys.readouterr().out


def test_one_forward_pass_serves_evaluation_and_table(tmp_path, pairs):
    t, calls = trainer_of(tmp_path, pairs, eval_dataset=pairs), []
    t.model.register_forward_hook(lambda *a: calls.append(1))
    t.evaluate(num_print_samples=4)
    assert len(calls) == 1 # 64 pairs fit into one


def test_pretokenised_rows_are_shown(tmp_path, pairs, capsys):
    rows = prepare_dataset(pairs, tiny_tokenizer())[0].select_columns(["chosen_ids", "rejected_ids"])
    assert len(trainer_of(tmp_path, rows, eval_dataset=rows).visualize_samples(2)) == 2


# Tokens, templates, dropout

def test_template_and_tokens(tmp_path, pairs):
    tok = tiny_tokenizer()
    tok.save_pretrained(tmp_path/"tok")
    bare = tiny_tokenizer()
    template, bare.chat_template = bare.chat_template, None
    (tmp_path/"t.jinja").write_text(template)
    for path in (tmp_path/"tok", tmp_path/"t.jinja"):
        bare.chat_template = None
        t = RewardTrainer(tiny_model(), config(tmp_path, chat_template_path=str(path)), train_dataset=pairs,
                          processing_class=bare)
        assert t.processing_class.chat_template == template
    with pytest.raises(ValueError, match="vocabulary"): trainer_of(tmp_path, pairs, config=dict(eos_token="<nowhere>"))


def test_template_from_another_tokenizer_brings_its_tokens(tmp_path, pairs):
    "With adapters, the new rows of the embedding are trained"
    other = tiny_tokenizer()
    other.add_special_tokens(dict(additional_special_tokens=["<|turn|>"]), replace_extra_special_tokens=False)
    template = other.chat_template
    other.chat_template = template.replace("<|user|>", "<|turn|>") if "<|user|>" in template else "<|turn|>" + template
    other.save_pretrained(tmp_path/"tok")
    t = RewardTrainer(tiny_model(), config(tmp_path, chat_template_path=str(tmp_path/"tok")), train_dataset=pairs,
                      processing_class=tiny_tokenizer(), peft_config=LoraConfig(r=2))
    new = t.processing_class.convert_tokens_to_ids("<|turn|>")
    assert t.model.get_input_embeddings().weight.shape[0] > new and t.train_dataset[0]["chosen_ids"].count(new) >= 1
    assert any("trainable_tokens" in name for name, p in t.model.named_parameters() if p.requires_grad)
    t.train()


def test_dropout_is_off_unless_asked(tmp_path, pairs):
    cfg = tiny_model().config
    cfg.attention_dropout = 0.5
    for off in (True, False):
        t = trainer_of(tmp_path, pairs, AutoModelForSequenceClassification.from_config(cfg),
                       config=dict(disable_dropout=off))
        rates = {m.attention_dropout for m in t.model.modules() if hasattr(m, "attention_dropout")}
        assert rates == ({0.0} if off else {0.5})


def usual_length(pairs):
    "A length that about half of the pairs exceed"
    rows, _ = prepare_dataset(pairs, tiny_tokenizer())
    return sorted(max(len(c), len(r)) for c, r in zip(rows["chosen_ids"], rows["rejected_ids"]))[len(rows)//2]


def test_overlong_is_reported(tmp_path, pairs, caplog):
    t = trainer_of(tmp_path, pairs, config=dict(max_length=usual_length(pairs), overlong="drop"))
    assert t.data_reports["train"].dropped and "train" in caplog.text
    assert len(t.train_dataset) < 64


def test_every_dataset_is_reported(tmp_path, pairs, caplog):
    "The second raw dataset given to `evaluate` too, and a stream once it has been read"
    t = trainer_of(tmp_path, pairs, config=dict(max_length=usual_length(pairs), overlong="drop"))
    for data in (pairs.select(range(40)), pairs.select(range(40, 64)), pairs.to_iterable_dataset()):
        caplog.clear()
        t.evaluate(data, num_print_samples=0)
        assert caplog.text.count("dropped") == 1


# Saving

def test_card_and_tags(tmp_path, pairs):
    t = trainer_of(tmp_path, pairs, eval_dataset=pairs,
                   config=dict(save_strategy="steps", save_steps=4, eval_strategy="steps", eval_steps=4))
    t.train()
    card = (tmp_path/"README.md").read_text()
    assert "reward-trainer" in card and "95% interval" in card and "- `max_steps`: 4" in card
    assert "reward-trainer" in t.model.model_tags


def test_push_to_hub(tmp_path, pairs, monkeypatch):
    "What would be uploaded, without a hub"
    sent = {}
    class Api:
        def upload_folder(self, **kw):
            sent.update(kw)
            sent["files"] = set(os.listdir(kw["folder_path"]))
        def create_repo(self, repo_id, **kw): return type("Url", (), dict(repo_id=repo_id))()
    monkeypatch.setattr("transformers.trainer.hf_api", lambda *a: Api())
    t = trainer_of(tmp_path, pairs, config=dict(hub_model_id="me/reward"))
    t.push_to_hub(dataset_name="some/pairs")
    assert sent["repo_id"] == "me/reward"
    assert {"README.md", "model.safetensors", "config.json", "tokenizer.json"} <= sent["files"]
    assert "some/pairs" in (tmp_path/"README.md").read_text()


def test_wandb_gets_the_table(tmp_path, pairs, monkeypatch):
    logs = []
    fake = type(sys)("wandb")
    fake.run = object()
    fake.log = logs.append
    fake.Table = lambda dataframe: dataframe
    monkeypatch.setitem(sys.modules, "wandb", fake)
    t = trainer_of(tmp_path, pairs, eval_dataset=pairs)
    t.args.report_to = ["wandb"]
    t.evaluate(num_print_samples=2)
    assert len(logs[0]["completions"]) == 2


def test_activation_offloading(tmp_path):
    "On a CPU the option is refused"
    with pytest.raises(ValueError, match="activation_offloading"): config(tmp_path, activation_offloading=True)


def test_same_seed_same_weights(tmp_path, pairs):
    runs = []
    for _ in range(2):
        torch.rand(len(runs) + 3) # what ran before doesn't matter
        t = trainer_of(tmp_path, pairs)
        t.train()
        runs.append(t.model)
    assert same_weights(*runs)


def test_distributed_metrics_are_exact(tmp_path, pairs):
    "Two processes, an odd number of pairs: the metrics of one process"
    script = tmp_path/"run.py"
    script.write_text(f"""
import json, sys
from rmkit import RewardConfig, RewardTrainer
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
if __name__ == "__main__":
    pairs = make_pairs(64, seed=0).select(range(61))
    cfg = RewardConfig({str(tmp_path)!r}, max_steps=4, per_device_train_batch_size=int(sys.argv[1]),
                       per_device_eval_batch_size=8, logging_steps=4, learning_rate=1e-3,
                       save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True, seed=1)
    t = RewardTrainer(tiny_model(seed=0), cfg, train_dataset=pairs, eval_dataset=pairs,
                      processing_class=tiny_tokenizer())
    before = t.evaluate(num_print_samples=0); t.train()
    if t.args.process_index == 0: json.dump([before, t.state.log_history, t.args.world_size], open(sys.argv[2], "w"))
""")
    env = os.environ | dict(OMP_NUM_THREADS="1")
    one, two = tmp_path/"1.json", tmp_path/"2.json"
    subprocess.run([sys.executable, script, "8", one], check=True, env=env, timeout=900)
    two_ranks(script, "4", two)
    (b1, h1, w1), (b2, h2, w2) = json.loads(one.read_text()), json.loads(two.read_text())
    assert (w1, w2) == (1, 2)
    for k in ("loss", "accuracy", "accuracy_low", "accuracy_high", "margin", "min_reward", "max_reward", "mean_reward"):
        assert b1[f"eval_{k}"] == pytest.approx(b2[f"eval_{k}"], abs=1e-5), k
    log1, log2 = (next(entry for entry in h if "loss" in entry) for h in (h1, h2))
    for k in ("loss", "accuracy", "margin", "num_tokens", "grad_norm", "min_reward"):
        assert log1[k] == pytest.approx(log2[k], rel=1e-3, abs=1e-5), k
