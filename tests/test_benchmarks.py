"The benchmark's own arithmetic, and its two halves on the tiny model (SmolLM2 and the real pairs are not needed)"
import json
import sys
from pathlib import Path

import pytest
from datasets import Dataset

pytest.importorskip("trl", reason="the benchmark compares with trl, which is not installed")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import one_side
import real_run

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
