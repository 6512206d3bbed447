"The benchmark's own arithmetic, and its two halves on the tiny model (SmolLM2 and the real pairs are not needed)"
import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset

pytest.importorskip("trl", reason="the benchmark compares with trl, which is not installed")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import one_side
import real_run
import reference_curves
import throughput

from rmkit.synthetic import make_pairs, tiny_causal_lm, tiny_model, tiny_tokenizer

SETTINGS = dict(max_length=64, train_pairs=24, test_pairs=8, batch_size=4, learning_rate=1e-3, warmup=0.1, seed=0,
                bf16=False, gradient_checkpointing=False, device="cpu")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    "What the benchmark finds on synthetic pairs with a tiny language model in SmolLM2's place"
    folder = tmp_path_factory.mktemp("benchmark")
    work, data, cache = folder / "work", folder / "data", folder / "lm"
    work.mkdir(), data.mkdir()
    tiny_causal_lm(seed=0).save_pretrained(cache), tiny_tokenizer().save_pretrained(cache)
    make_pairs(60, seed=0).to_json(data / "pairs.jsonl")
    (data / "ranked.jsonl").write_text(json.dumps(dict(prompt=[], responses=[], scores=[])) + "\n")
    train, test, pads = real_run.set_up(work, data, cache, SETTINGS)
    sides = {library: one_side.run(library, work) for library in real_run.NAMES}
    return dict(settings=SETTINGS, machine=real_run.machine(), pad_facts=pads, train_rows=train, test_rows=test,
                **real_run.compare(sides, train, test))


def test_no_prompt_is_on_both_sides(compared):
    prompts = [{json.dumps(prompt) for prompt in compared[part]["prompt"]} for part in ("train_rows", "test_rows")]
    assert not prompts[0] & prompts[1]
    assert compared["train"]["pairs"] == 24 and compared["test"]["pairs"] >= 8


def test_trl_and_rmkit_train_alike(compared):
    "The same batches, to the last id and in the same order, and the same losses"
    assert compared["parity"]["steps"] == compared["parity"]["same_batches"] == 6
    assert compared["parity"]["all"] <= real_run.PARITY
    assert compared["largest_reward_difference"] <= 1e-3
    assert len(set(compared["losses"]["rmkit"])) == 6


def test_padding_with_eos_moves_trl_and_not_rmkit(tmp_path):
    "Plain text ends with eos: where padding is eos too, TRL reads the token before, as benchmarks/README.md says"
    texts = [{k: " ".join(m["content"] for m in row[k]) for k in ("prompt", "chosen", "rejected")}
             for row in make_pairs(16, seed=0)]
    rows = Dataset.from_list([row | dict(prompt=row["prompt"] + " ") for row in texts])

    def losses(library, pad_token):
        trainer_cls, config_cls, more = one_side.trainer_class(library)
        tokenizer = tiny_tokenizer()
        tokenizer.pad_token = pad_token or tokenizer.pad_token
        trainer = one_side.recording(trainer_cls)(model=tiny_model(seed=0),
                                                  args=one_side.make_config(config_cls, SETTINGS, tmp_path, **more),
                                                  train_dataset=rows, processing_class=tokenizer)
        trainer.train()
        return [step["loss"].item() for step in trainer.steps]

    eos = tiny_tokenizer().eos_token
    distinct = losses("trl", None)
    assert losses("rmkit", None) == pytest.approx(distinct, abs=1e-4) == losses("rmkit", eos)
    assert max(abs(a - b) for a, b in zip(losses("trl", eos), distinct)) > 1e-3


def test_a_difference_is_seen():
    trl = dict(losses=[0.7, 0.6, 0.5], batches=["a", "b", "c"])
    rmkit = dict(losses=[0.7, 0.6, 0.4], batches=["a", "x", "c"])
    found = real_run.parity(trl, rmkit)
    assert found["same_batches"] == 2 and found["all"] == pytest.approx(0.1)
    assert real_run.parity(trl, dict(losses=[0.7], batches=["a"]))["first"] == float("inf")


def test_report_can_be_read_and_saved(compared):
    rows = ("train_rows", "test_rows")
    text = real_run.report(json.loads(json.dumps({k: v for k, v in compared.items() if k not in rows})))
    assert "6 of 6" in text and "| TRL |" in text and "length rule" in text


def test_command_line_changes_the_preset():
    args = real_run.make_parser("").parse_args(["--small", "--max_length", "64", "--learning_rate", "1e-4"])
    settings = real_run.settings_of(args)
    assert (settings["max_length"], settings["learning_rate"], settings["batch_size"]) == (64, 1e-4, 8)


# Speed --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("gpu, sizes", [(False, [1, 2, 4]), (True, [8, 16, 32])])
def test_an_expert_cuts_the_same_batch_into_passes_and_recomputes_nothing(gpu, sizes):
    config_of = {who.name: who.config for who in throughput.contenders(64, gpu)}
    experts = [config_of[f"TRL as an expert sets it, micro-batch {n}"] for n in sizes]
    assert [e["per_device_train_batch_size"] for e in experts] == sizes
    assert {e["per_device_train_batch_size"] * e["gradient_accumulation_steps"] for e in experts} == {64}
    assert not any(e["gradient_checkpointing"] for e in experts)


def test_an_expert_trains_alike_in_small_passes():
    "One pair a pass, sorted by length: the losses of rmkit's single pass, and no padding between pairs"
    rows = make_pairs(8, seed=0).select_columns(["prompt", "chosen", "rejected"])
    entered = [who for who in throughput.contenders(4, gpu=False)
               if who.name.endswith(("micro-batch 1", "micro-batch 4", "rmkit, its defaults"))]
    result = throughput.race(entered, tiny_model(), tiny_tokenizer(), rows, batch=4, rounds=1, steps=1)
    one, four, ours = result["contenders"].values()
    assert throughput.same_losses(result, 1e-4) and one["losses"][0] == pytest.approx(ours["losses"][0], abs=1e-4)
    assert four["tokens_per_pair"] > one["tokens_per_pair"] > ours["tokens_per_pair"]
    assert one["worked_ratio"] == 1 and ours["worked"] > 0
    assert "TRL as an expert sets it, micro-batch 1" in throughput.show_race("pairs", result)


# Reference curves ---------------------------------------------------------------------------------------------------

def test_a_head_is_judged_on_other_prompts():
    "Features that tell prompts apart and nothing else don't help; one that tells the better answer does"
    rng = np.random.default_rng(0)
    prompts_N = np.repeat(np.arange(60), 4)
    sign_N = rng.choice([-1.0, 1.0], 60)[prompts_N]  # which way round all pairs of a prompt are
    by_prompt = np.eye(60)[prompts_N] * sign_N[:, None]
    assert np.abs(reference_curves.out_of_fold(by_prompt, prompts_N, 150, seed=0)).max() < 1e-8
    useful = np.column_stack([by_prompt, 1 + rng.normal(size=240)])
    assert (reference_curves.out_of_fold(useful, prompts_N, 150, seed=0) > 0).mean() > 0.7


def test_each_run_is_made_once():
    runs = list(reference_curves.synthetic_runs())
    assert len({json.dumps(run, sort_keys=True) for run in runs}) == len(runs)


def test_a_run_becomes_rows_of_the_tables(tmp_path, monkeypatch):
    "One short training: its judgement is within what the labels allow, and its steps come under its name"
    job = dict(what="synthetic", noise=0.5, pairs=reference_curves.STEPS * 2, epochs=1, rate=3e-3, seed=0)
    monkeypatch.setattr(reference_curves, "BATCH", 2)
    run = job | reference_curves.run_synthetic(job, argparse.Namespace(test=100))
    assert run["steps"] == len(run["losses"]) == 200 and run["ceiling"] == 0.5
    assert run["loss_floor"] == pytest.approx(np.log(2)) and run["loss"] > 0.69
    monkeypatch.setattr(reference_curves, "PAGE", tmp_path)
    reference_curves.write_tables([run])
    steps = pd.read_csv(tmp_path / "reference_curves_steps.csv", header=[0, 1], index_col=0)
    assert steps["noise 0.5"]["0"].tolist() == run["losses"]
    assert pd.read_csv(tmp_path / "reference_curves_synthetic.csv").iloc[0]["true_accuracy"] == round(
        run["true_accuracy"], 4)
