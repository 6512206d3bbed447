"Subclasses and patches: batches that they can read, the gradient of a mean over pairs, metrics only where rewards are"
import json
import os
import types

import numpy as np
import pytest
import torch
from datasets import Dataset
from ranks import two_ranks
from torch.nn.functional import logsigmoid
from transformers import TrainerCallback

from rmkit import (DataCollatorForPreference, RewardConfig, RewardDataCollatorWithPadding, RewardTrainer,
                   compute_accuracy)
from rmkit.data import prepare_dataset
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer


def config(path, **kw):
    kw = dict(max_steps=2, per_device_train_batch_size=4, per_device_eval_batch_size=8, logging_steps=1,
              learning_rate=0.1, optim="sgd", lr_scheduler_type="constant", warmup_steps=0, save_strategy="no",
              report_to="none", disable_tqdm=True, use_cpu=True, seed=1) | kw
    return RewardConfig(str(path), **kw)


def trainer_of(path, rows, cls=RewardTrainer, eval_dataset=None, data_collator=None, compute_metrics=None, **kw):
    return cls(tiny_model(seed=0), config(path, **kw), train_dataset=rows, eval_dataset=eval_dataset,
               data_collator=data_collator,
               processing_class=tiny_tokenizer(), compute_metrics=compute_metrics)


def columns_of(rows, chosen, rejected, **more):
    "The pairs tokenised under the names of another generation"
    ids, _ = prepare_dataset(rows, tiny_tokenizer())
    data = {}
    for name, side in ((chosen, "chosen_ids"), (rejected, "rejected_ids")):
        data[name] = ids[side]
        if "input_ids" in name: data[name.replace("input_ids", "attention_mask")] = [[1] * len(x) for x in ids[side]]
    return Dataset.from_dict(data | more)


def four(rows, **more): return columns_of(rows, "input_ids_chosen", "input_ids_rejected", **more)


def logged(trainer, key="loss"): return [entry[key] for entry in trainer.state.log_history if key in entry]


def weights(trainer): return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


# Losses as people write them

class Older(RewardTrainer):
    "TRL 0.11: four tensors, no `num_items_in_batch`"
    def compute_loss(self, model, inputs, return_outputs=False):
        seen.append(inputs)
        rewards_chosen = model(input_ids=inputs["input_ids_chosen"], attention_mask=inputs["attention_mask_chosen"],
                               return_dict=True)["logits"]
        rewards_rejected = model(input_ids=inputs["input_ids_rejected"],
                                 attention_mask=inputs["attention_mask_rejected"], return_dict=True)["logits"]
        loss = -logsigmoid(rewards_chosen - rewards_rejected).mean()
        return (loss, {"rewards_chosen": rewards_chosen,
                       "rewards_rejected": rewards_rejected}) if return_outputs else loss


class Oldest(RewardTrainer):
    "TRL 0.4: names of the summarisation paper"
    def compute_loss(self, model, inputs, return_outputs=False):
        seen.append(inputs)
        rewards_j = model(input_ids=inputs["input_ids_j"], attention_mask=inputs["attention_mask_j"])[0]
        rewards_k = model(input_ids=inputs["input_ids_k"], attention_mask=inputs["attention_mask_k"])[0]
        loss = -logsigmoid(rewards_j - rewards_k).mean()
        return (loss, {"rewards_j": rewards_j, "rewards_k": rewards_k}) if return_outputs else loss


class Newer(RewardTrainer):
    "TRL 1.x: one stack, the model's output"
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        seen.append(inputs)
        outputs = model(**inputs)
        chosen, rejected = torch.chunk(outputs.logits.squeeze(-1), chunks=2)
        loss = -logsigmoid(chosen - rejected).mean()
        return (loss, outputs) if return_outputs else loss


class Handed(RewardTrainer):
    "Hands everything on"
    def compute_loss(self, model, inputs, *args, **kwargs):
        seen.append(inputs)
        return super().compute_loss(model, inputs, *args, **kwargs)


class Dropped(RewardTrainer):
    "The patch that circulates: doesn't hand the number on"
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        seen.append(inputs)
        return super().compute_loss(model, inputs, return_outputs)


class Divided(RewardTrainer):
    "Divides by the number itself"
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        seen.append(inputs)
        _, out = super().compute_loss(model, inputs, return_outputs=True)
        loss_B = -logsigmoid(out["rewards_chosen"] - out["rewards_rejected"])
        loss = loss_B.mean() if num_items_in_batch is None else loss_B.sum() / num_items_in_batch
        return (loss, out) if return_outputs else loss


LOSSES = [Older, Oldest, Newer, Handed, Dropped, Divided]
GENERATIONS = dict(raw=lambda rows, **more: rows.add_column("weight", more["weight"]) if more else rows, four=four,
                   today=lambda rows, **more: columns_of(rows, "chosen_ids", "rejected_ids", **more),
                   between=lambda rows, **more: columns_of(rows, "chosen_input_ids", "rejected_input_ids", **more),
                   jk=lambda rows, **more: columns_of(rows, "input_ids_j", "input_ids_k", **more))
seen = []


@pytest.fixture(autouse=True)
def nothing_seen(): seen.clear()


@pytest.fixture(scope="module")
def rows(): return make_pairs(24, seed=0)


@pytest.fixture(scope="module")
def plain(tmp_path_factory, rows):
    "Weights and metrics without code of one's own"
    trainer = trainer_of(tmp_path_factory.mktemp("plain"), rows)
    trainer.train()
    return weights(trainer), trainer.evaluate(rows, num_print_samples=0)


MET = [(cls, name) for cls in LOSSES for name in GENERATIONS if (cls, name) != (Newer, "four")] # TRL 0.24 had no four


@pytest.mark.parametrize("cls, generation", MET)
def test_any_loss_on_any_columns(tmp_path, rows, plain, cls, generation):
    trainer = trainer_of(tmp_path, GENERATIONS[generation](rows), cls)
    trainer.train()
    torch.testing.assert_close(weights(trainer), plain[0], atol=2e-5, rtol=0)
    metrics = trainer.evaluate(GENERATIONS[generation](rows), num_print_samples=0)
    for key in ("loss", "accuracy", "accuracy_low", "margin", "min_reward", "mean_reward"):
        assert metrics[f"eval_{key}"] == pytest.approx(plain[1][f"eval_{key}"], abs=1e-4), key
    assert not trainer.flat and logged(trainer)[0] == pytest.approx(np.mean(logged(trainer)[0]))


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("collator", [None, RewardDataCollatorWithPadding,
                                      lambda tokenizer: DataCollatorForPreference(0)])
def test_a_batch_has_the_columns_that_came_in(tmp_path, rows, generation, collator):
    "Four for four; and every further number, whatever `remove_unused_columns` says"
    data = GENERATIONS[generation](rows, weight=np.linspace(0, 1, 24).tolist())
    for removed in (True, False) if collator is None and generation in ("raw", "four") else (False,):
        seen.clear()
        trainer = trainer_of(tmp_path, data, Older, data_collator=collator and collator(tiny_tokenizer()),
                             remove_unused_columns=removed, max_steps=1)
        trainer.train()
        batch = seen[0]
        expected = {f"{kind}_{side}" for kind in ("input_ids", "attention_mask") for side in ("chosen", "rejected")}
        if generation == "four" and collator is None or collator is RewardDataCollatorWithPadding:
            assert expected <= set(batch.keys())
        assert batch["weight"].shape == (4,) and batch["weight"].dtype == torch.float32
        assert 0 < batch["weight"].sum() < 4
        assert batch["input_ids_chosen"].shape == batch["attention_mask_j"].shape and len(batch["input_ids"]) == 8
        assert "margin" not in batch


def test_margins_and_ids_of_a_domain(tmp_path, rows):
    data = four(rows, margin=[[1.5]] * 24, domain=list(range(24)), one_hot=[[0., 1.]] * 24, source=["a"] * 24)
    trainer_of(tmp_path, data, Older, max_steps=1).train()
    assert seen[0]["margin"].tolist() == [1.5] * 4 and seen[0]["domain"].dtype == torch.int64
    assert seen[0]["one_hot"].shape == (4, 2)
    assert "source" not in seen[0]


# Patches

@pytest.mark.parametrize("when", ["class", "instance", "after training", "bound"])
def test_patched(tmp_path, rows, monkeypatch, when):
    "On the class before or after the trainer is made, on the instance, with `self` or without"
    if when == "class": monkeypatch.setattr(RewardTrainer, "compute_loss", Older.compute_loss)
    trainer = trainer_of(tmp_path, rows, eval_dataset=rows)
    if when == "after training":
        trainer.train()
        assert trainer.flat
        monkeypatch.setattr(RewardTrainer, "compute_loss", Older.compute_loss)
    if when == "instance": trainer.compute_loss = types.MethodType(Older.compute_loss, trainer)
    if when == "bound":
        def own(model, inputs, return_outputs=False): return Older.compute_loss(trainer, model, inputs, return_outputs)
        trainer.compute_loss = own
    trainer.evaluate(num_print_samples=0)
    assert len(seen) == 3 and not trainer.flat
    trainer.train()
    assert len(seen) == 5


def test_a_prediction_step_patched_on_a_live_trainer(tmp_path, rows):
    trainer = trainer_of(tmp_path, rows, eval_dataset=rows)
    before = trainer.evaluate(num_print_samples=0)
    def step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        assert "input_ids" in inputs and "attention_mask_rejected" in inputs
        return RewardTrainer.prediction_step(self, model, inputs, prediction_loss_only, ignore_keys)
    trainer.prediction_step = types.MethodType(step, trainer)
    after = trainer.evaluate(num_print_samples=0)
    for key in ("loss", "accuracy", "accuracy_low", "margin", "min_reward", "length_rule"):
        assert after[f"eval_{key}"] == pytest.approx(before[f"eval_{key}"], abs=1e-5), key


# What an evaluation reads

def outputs_as(make):
    class Own(RewardTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            loss, out = super().compute_loss(model, inputs, return_outputs=True)
            return (2 * loss, make(out["rewards_chosen"], out["rewards_rejected"])) if return_outputs else 2 * loss
    return Own


READ = dict(
    columns=lambda c, r: dict(rewards_chosen=c[:, None], rewards_rejected=r[:, None]), pair=lambda c, r: (c, r),
    stack=lambda c, r: torch.stack([c, r], 1), logits=lambda c, r: dict(logits=torch.cat([c, r])[:, None]),
    halves=lambda c, r: torch.stack([c, r]), turned=lambda c, r: dict(rejected_rewards=r, chosen_rewards=c),
    two=lambda c, r: dict(loss=c.sum(), better=c, worse=r),
    more=lambda c, r: dict(rewards_chosen=c, rewards_rejected=r, logits_chosen=torch.zeros(len(c), 9), k=r))


@pytest.mark.parametrize("kind", READ)
def test_rewards_in_any_shape(tmp_path, rows, kind):
    "11 pairs by 4: a last batch of three; the loss is the subclass's, weighed by pairs"
    test = rows.select(range(11))
    ours = trainer_of(tmp_path, rows).evaluate(test, num_print_samples=0)
    trainer = trainer_of(tmp_path, rows, outputs_as(READ[kind]), per_device_eval_batch_size=4)
    theirs = trainer.evaluate(test, num_print_samples=0)
    for key in ("accuracy", "accuracy_low", "margin", "min_reward", "max_reward", "ties"):
        assert theirs[f"eval_{key}"] == pytest.approx(ours[f"eval_{key}"], abs=1e-5), key
    assert theirs["eval_loss"] == pytest.approx(2 * ours["eval_loss"], abs=1e-5)
    assert trainer.predict(test).predictions.shape == (11, 2)


@pytest.mark.parametrize("outputs", [None, dict(hidden=1.), dict(a=torch.zeros(3, 7)), torch.zeros(3), "text",
                                     dict(logits=torch.zeros(4, 5))], ids=range(6))
def test_nothing_to_read_is_the_loss_alone(tmp_path, rows, caplog, outputs):
    trainer = trainer_of(tmp_path, rows, outputs_as(lambda c, r: outputs))
    metrics = trainer.evaluate(rows.select(range(11)), num_print_samples=3)
    assert {k for k in metrics if not k.endswith(("_second", "time", "epoch"))} == {"eval_loss"}
    assert caplog.text.count("the loss alone") == 1


def test_a_loss_without_outputs_at_all(tmp_path, rows):
    class Bare(RewardTrainer):
        def compute_loss(self, model, inputs): return RewardTrainer.compute_loss(self, model, inputs)
    trainer = trainer_of(tmp_path, rows, Bare)
    trainer.train()
    assert "eval_accuracy" not in (metrics := trainer.evaluate(rows, num_print_samples=0)) and metrics["eval_loss"] > 0


class Softmaxed(RewardTrainer):
    "TRL 0.11's own prediction step"
    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        inputs = self._prepare_inputs(inputs)
        if ignore_keys is None: ignore_keys = getattr(self.model.config, "keys_to_ignore_at_inference", [])
        with torch.no_grad(): loss, logits_dict = self.compute_loss(model, inputs, return_outputs=True)
        if prediction_loss_only: return loss, None, None
        logits = tuple(v.detach() for k, v in logits_dict.items() if k not in ignore_keys)
        logits = torch.stack(logits).mean(dim=2).softmax(dim=0).T
        return loss.detach(), logits, self._prepare_inputs(torch.zeros(logits.shape[0]))


class SoftmaxedOlder(Older): prediction_step = Softmaxed.prediction_step


@pytest.mark.parametrize("compute_metrics", [None, compute_accuracy])
@pytest.mark.parametrize("four_columns", [True, False])
@pytest.mark.parametrize("cls", [Softmaxed, SoftmaxedOlder])
def test_an_own_prediction_step(tmp_path, rows, compute_metrics, four_columns, cls):
    "Probabilities tell who wins; numbers about rewards are left out"
    test = rows.select(range(11))
    ours = trainer_of(tmp_path, rows).evaluate(test, num_print_samples=0)
    data = four(test) if four_columns else test
    trainer = trainer_of(tmp_path, data, cls, compute_metrics=compute_metrics, eval_dataset=data)
    theirs = trainer.evaluate(num_print_samples=2)
    for key in ("loss", "accuracy", "accuracy_low", "ties"):
        assert theirs[f"eval_{key}"] == pytest.approx(ours[f"eval_{key}"], abs=1e-5), key
    assert not {"eval_margin", "eval_mean_reward", "eval_min_reward"} & set(theirs)
    p = trainer.predict(data).predictions
    assert p.shape == (11, 2) and np.allclose(p.sum(1), 1, atol=1e-5)


def test_a_metric_of_ones_own_keeps_its_name(tmp_path, rows):
    trainer = trainer_of(tmp_path, rows, eval_dataset=rows,
                         compute_metrics=lambda p: dict(accuracy=.123, mean_reward=7., other=1.),
                         load_best_model_at_end=True,
                         metric_for_best_model="accuracy", eval_strategy="steps", eval_steps=1, save_strategy="steps",
                         save_steps=1)
    trainer.train()
    metrics = trainer.evaluate(num_print_samples=0)
    assert metrics["eval_accuracy"] == .123 and metrics["eval_mean_reward"] == 7. and metrics["eval_other"] == 1.
    assert trainer.state.best_metric == .123
    assert metrics["eval_pair_accuracy_low"] <= metrics["eval_pair_accuracy"] <= metrics["eval_pair_accuracy_high"]
    assert "eval_accuracy_low" not in metrics
    same = trainer_of(tmp_path, rows, eval_dataset=rows, compute_metrics=compute_accuracy).evaluate(num_print_samples=0)
    assert same["eval_accuracy_low"] <= same["eval_accuracy"] and "eval_pair_accuracy" not in same


# Gradients

STEP = dict(max_steps=1, max_grad_norm=0., train_sampling_strategy="sequential")
CUTS = {"2 x 4": dict(per_device_train_batch_size=2, gradient_accumulation_steps=4),
        "3 + 3 + 2": dict(per_device_train_batch_size=3, gradient_accumulation_steps=3),
        "a pass a pair": dict(per_device_train_batch_size=8, tokens_per_micro_batch=1)}


@pytest.fixture(scope="module")
def one_step(tmp_path_factory, rows):
    "Eight pairs at once"
    trainer = trainer_of(tmp_path_factory.mktemp("one"), rows.select(range(8)), per_device_train_batch_size=8, **STEP)
    start = weights(trainer)
    trainer.train()
    assert (weights(trainer) - start).abs().max() > 1e-3
    return trainer


@pytest.mark.parametrize("cls", [RewardTrainer, *LOSSES])
@pytest.mark.parametrize("cut", CUTS)
def test_the_gradient_is_a_mean_over_pairs(tmp_path, rows, one_step, cls, cut):
    trainer = trainer_of(tmp_path, rows.select(range(8)), cls, **STEP, **CUTS[cut])
    trainer.train()
    torch.testing.assert_close(weights(trainer), weights(one_step), atol=1e-5, rtol=0)
    assert logged(trainer) == pytest.approx(logged(one_step), abs=1e-5)


class Counted(RewardTrainer):
    "A patch against `num_items_in_batch`: batches without their number"
    def get_batch_samples(self, epoch_iterator, num_batches, device):
        return [next(epoch_iterator) for _ in range(num_batches)], None


class Stepping(RewardTrainer):
    "A training step as `transformers` had it, division included"
    def training_step(self, model, inputs, num_items_in_batch=None):
        model.train()
        inputs = self._prepare_inputs(inputs)
        with self.compute_loss_context_manager():
            loss = self.compute_loss(model, inputs, num_items_in_batch=num_items_in_batch)
        loss = loss / self.args.gradient_accumulation_steps
        self.accelerator.backward(loss)
        return loss.detach()


class Thrifty(RewardTrainer):
    "Takes its batch apart"
    def compute_loss(self, model, inputs, return_outputs=False):
        chosen, rejected = (model(input_ids=inputs.pop(f"input_ids_{k}"),
                                  attention_mask=inputs.pop(f"attention_mask_{k}")).logits for k in ("chosen",
                                                                                                     "rejected"))
        inputs.clear()
        loss = -logsigmoid(chosen - rejected).mean()
        return (loss, (chosen, rejected)) if return_outputs else loss


@pytest.mark.parametrize("cls", [Counted, Stepping, Thrifty])
def test_steps_that_hand_nothing_on(tmp_path, rows, one_step, cls):
    trainer = trainer_of(tmp_path, rows.select(range(8)), cls, tokens_per_micro_batch=50, **STEP, **CUTS["2 x 4"])
    trainer.train()
    torch.testing.assert_close(weights(trainer), weights(one_step), atol=1e-5, rtol=0)
    ours, theirs = (t.evaluate(four(rows.select(range(11))), num_print_samples=0) for t in (one_step, trainer))
    assert theirs["eval_accuracy"] == ours["eval_accuracy"]
    assert theirs["eval_loss"] == pytest.approx(ours["eval_loss"], abs=1e-4)


def test_an_extra_term_is_a_mean_too(tmp_path, rows):
    "Rmkit's loss plus a penalty of the batch: neither counts for more where the step is cut"
    class Penalised(RewardTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
            loss, out = super().compute_loss(model, inputs, return_outputs=True, **kwargs)
            loss = loss + .1 * (out["rewards_chosen"] ** 2).mean()
            return (loss, out) if return_outputs else loss
    eight = rows.select(range(8))
    ends, losses = [], []
    for kw in (dict(per_device_train_batch_size=8), dict(per_device_train_batch_size=3, gradient_accumulation_steps=3)):
        trainer = trainer_of(tmp_path, eight, Penalised, max_steps=1, train_sampling_strategy="sequential", **kw)
        trainer.train()
        ends.append(weights(trainer)), losses.append(logged(trainer)[0])
    torch.testing.assert_close(*ends, atol=1e-5, rtol=0)
    metrics = trainer_of(tmp_path, eight, Penalised).evaluate(eight, num_print_samples=0)
    assert losses[0] == pytest.approx(losses[1], abs=1e-5) == pytest.approx(metrics["eval_loss"], abs=1e-5)


def test_two_processes(tmp_path):
    "Two processes with two batches of two pairs each against one with eight pairs, for losses that ignore the number"
    kw = dict(max_steps=1, max_grad_norm=0., per_device_eval_batch_size=4)
    cut = kw | dict(per_device_train_batch_size=2, gradient_accumulation_steps=2)
    script, result = tmp_path/"run.py", tmp_path/"result.json"
    script.write_text(f"""
import json, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_own_code import Dropped, Older, logged, make_pairs, trainer_of, weights
if __name__ == "__main__":
    rows, results = make_pairs(8, seed=0), []
    for cls in (Dropped, Older):
        trainer = trainer_of({str(tmp_path)!r}, rows, cls, **{cut})
        trainer.train()
        results.append([weights(trainer).tolist(), logged(trainer), trainer.evaluate(rows, num_print_samples=0)])
    if trainer.args.process_index == 0: json.dump(results, open({str(result)!r}, "w"))
""")
    two_ranks(script)
    rows = make_pairs(8, seed=0)
    one = trainer_of(tmp_path, rows, per_device_train_batch_size=8, **kw)
    one.train()
    metrics = one.evaluate(rows, num_print_samples=0)
    for theirs, losses, evaluated in json.loads(result.read_text()):
        np.testing.assert_allclose(theirs, weights(one).tolist(), atol=1e-5)
        assert losses == pytest.approx(logged(one), abs=1e-5)
        for key in ("loss", "accuracy", "margin"):
            assert evaluated[f"eval_{key}"] == pytest.approx(metrics[f"eval_{key}"], abs=1e-5), key


def test_trls_own_method_is_an_override_too(tmp_path, rows, plain):
    "TRL 1.x's `compute_loss`, as people copy it: the same weights, and the numbers that it notes itself"
    trl = pytest.importorskip("trl.trainer.reward_trainer", reason="trl is a benchmark-only dependency")
    Copied = type("Copied", (RewardTrainer,), dict(compute_loss=trl.RewardTrainer.compute_loss))
    trainer = trainer_of(tmp_path, rows, Copied, eval_dataset=rows)
    trainer.train()
    torch.testing.assert_close(weights(trainer), plain[0], atol=2e-5, rtol=0)
    assert len(logged(trainer, "accuracy")) == len(logged(trainer, "mean_reward")) == 2
    assert logged(trainer, "num_tokens")[1] > logged(trainer, "num_tokens")[0] > 0
    metrics = trainer.evaluate(num_print_samples=0)
    for key in ("loss", "accuracy", "margin"):
        assert metrics[f"eval_{key}"] == pytest.approx(plain[1][f"eval_{key}"], abs=1e-4), key


def test_numbers_noted_by_a_subclass(tmp_path, rows):
    class Noting(RewardTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            self._metrics["train" if model.training else "eval"]["pairs_seen"].append(len(inputs["input_ids"]) // 2)
            return super().compute_loss(model, inputs, return_outputs)
    trainer = trainer_of(tmp_path, rows, Noting, eval_dataset=rows)
    trainer.train()
    assert logged(trainer, "pairs_seen") == [4, 4] and trainer.evaluate(num_print_samples=0)["eval_pairs_seen"] == 8


# The log

def test_the_log_of_a_loss_that_is_not_ours(tmp_path, rows):
    "Nothing about pairs that rmkit didn't see; the loss is the subclass's"
    trainer = trainer_of(tmp_path, rows, Older)
    trainer.train()
    entry = next(e for e in trainer.state.log_history if "loss" in e)
    assert not {"accuracy", "margin", "mean_reward", "num_tokens", "pairs_per_second"} & set(entry)
    class Doubled(RewardTrainer):
        def compute_loss(self, model, inputs, *args, **kwargs):
            loss = super().compute_loss(model, inputs, *args, **kwargs)
            return (2 * loss[0], loss[1]) if isinstance(loss, tuple) else 2 * loss
    doubled = trainer_of(tmp_path, rows, Doubled, learning_rate=0.)
    doubled.train()
    one = trainer_of(tmp_path, rows, learning_rate=0.)
    one.train()
    assert logged(doubled) == pytest.approx([2 * x for x in logged(one)], abs=1e-5)
    assert logged(doubled, "accuracy") == logged(one, "accuracy")
    assert logged(doubled, "train_loss")[0] == pytest.approx(2 * logged(one, "train_loss")[0], abs=1e-5)


def test_a_loss_that_asks_ours_twice_counts_no_pair_twice(tmp_path, rows):
    class Twice(RewardTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            if return_outputs: return super().compute_loss(model, inputs, True)
            return (super().compute_loss(model, inputs) + super().compute_loss(model, inputs)) / 2
    trainer = trainer_of(tmp_path, rows, Twice)
    trainer.train()
    assert not logged(trainer, "accuracy") and len(logged(trainer)) == 2


# Older signatures of other methods

def test_methods_of_an_older_transformers(tmp_path, rows):
    calls = []
    class Old(RewardTrainer):
        def training_step(self, model, inputs):
            calls.append("step")
            assert "input_ids_chosen" in inputs
            return super().training_step(model, inputs)
        def log(self, logs):
            calls.append("log")
            super().log(logs)
        def _get_train_sampler(self):
            calls.append("sampler")
            return torch.utils.data.SequentialSampler(self.train_dataset)
        def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
            return super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        def create_optimizer(self):
            calls.append("optimizer")
            return super().create_optimizer()
        def get_train_dataloader(self):
            return torch.utils.data.DataLoader(self.train_dataset, batch_size=4, collate_fn=self.data_collator)
        def _save(self, output_dir=None, state_dict=None):
            calls.append("save")
            super()._save(output_dir, state_dict)
    trainer = trainer_of(tmp_path, rows, Old, eval_dataset=dict(a=rows, b=rows), eval_strategy="steps", eval_steps=1)
    trainer.train()
    trainer.save_model()
    assert {"step", "log", "optimizer", "save"} <= set(calls) and logged(trainer, "eval_b_accuracy")
    sampled = type("Sampled", (RewardTrainer,), dict(_get_train_sampler=Old._get_train_sampler))
    trainer_of(tmp_path, rows, sampled).train()
    assert "sampler" in calls


def test_callbacks_get_the_tokenizer_under_both_names(tmp_path, rows):
    got = {}
    class Old(TrainerCallback):
        def on_evaluate(self, args, state, control, tokenizer=None, metrics=None, **kwargs):
            got.update(tokenizer=tokenizer, **kwargs)
    trainer = trainer_of(tmp_path, rows, eval_dataset=rows)
    trainer.add_callback(Old)
    trainer.evaluate(num_print_samples=0)
    assert got["tokenizer"] is got["processing_class"] is trainer.processing_class


def test_a_collator_set_afterwards(tmp_path, rows):
    trainer = trainer_of(tmp_path, rows)
    trainer.data_collator = lambda batch: (seen.append(len(batch)), DataCollatorForPreference(0)(batch))[1]
    trainer.train()
    assert seen[-2:] == [4, 4] and not trainer.flat


def test_the_dashboard_of_a_loss_that_is_not_ours(tmp_path, rows):
    trainer = trainer_of(tmp_path, rows, outputs_as(lambda c, r: None), eval_dataset=rows, dashboard=True,
                         eval_strategy="steps", eval_steps=1)
    trainer.train()
    assert len(logged(trainer, "eval_loss")) == 2 and not logged(trainer, "eval_accuracy")


def test_dataloaders_of_ones_own(tmp_path, rows):
    class Own(RewardTrainer):
        def get_train_dataloader(self):
            return torch.utils.data.DataLoader(self.train_dataset.select_columns(["chosen_ids", "rejected_ids"]), 4,
                                               collate_fn=DataCollatorForPreference(0))
        def get_eval_dataloader(self, eval_dataset=None):
            return torch.utils.data.DataLoader(self.eval_dataset.select_columns(["chosen_ids", "rejected_ids"]), 5,
                                               collate_fn=DataCollatorForPreference(0))
    own, plain = trainer_of(tmp_path, rows, Own, eval_dataset=rows), trainer_of(tmp_path, rows, eval_dataset=rows)
    ours, theirs = (t.evaluate(num_print_samples=0)["eval_loss"] for t in (plain, own))
    assert theirs == pytest.approx(ours, abs=1e-5)
    own.train()
    assert len(logged(own)) == 2
