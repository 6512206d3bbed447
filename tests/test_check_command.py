"`rmkit check`, and what `rmkit train` does with its checks"
import json

import pytest

from rmkit.cli import main
from rmkit.model import save_reward_model
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

ROWS = [{name: row[name] for name in ("prompt", "chosen", "rejected")} for row in make_pairs(120)]
GOOD = ["--learning_rate", "3e-3", "--use_cpu"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    "A folder with a model, good rows and bad ones; the tests run in it"
    place = tmp_path_factory.mktemp("check")
    save_reward_model(tiny_model(), tiny_tokenizer(), place / "lm")
    renamed = [dict(what_was_said=row["prompt"], chosen=row["chosen"], rejected=row["rejected"]) for row in ROWS]
    whole = [{side: row["prompt"] + row[side] for side in ("chosen", "rejected")} for row in ROWS]
    files = dict(good=ROWS, bad=ROWS + [ROWS[0] | {"chosen": ROWS[0]["rejected"]}], renamed=renamed,
                 torn=whole + [dict(chosen=[], rejected=whole[0]["rejected"])])
    for name, rows in files.items():
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return place


@pytest.fixture(autouse=True)
def here(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setattr("rmkit.preflights.TRIAL", 0)


def run(words, capsys):
    "Exit status, output without line breaks, and errors"
    status = main(words.split() + GOOD * ("--learning_rate" not in words and "--serving" not in words))
    said = capsys.readouterr()
    return status, " ".join(said.out.split()), said.err


def test_nothing_wrong(capsys):
    status, out, _ = run("check --model lm --dataset good.jsonl --price 2.5 --output new/found.json", capsys)
    assert status == 0 and out.startswith("Before training: ") and " fail" not in out.split("pass token")[0]
    found = json.loads(open("new/found.json", encoding="utf-8").read())
    assert found["counts"]["fail"] == found["counts"]["warn"] == 0
    assert {"cost", "train and eval", "token that is read"} <= {check["name"] for check in found["checks"]}


def test_what_fails_gives_status_1(capsys):
    status, out, _ = run("check --model lm --dataset renamed.jsonl --test_size 0 --learning_rate 5", capsys)
    assert status == 1 and "'what_was_said' is not read" in out and "fail learning rate 5 for a small model" in out


def test_bad_rows_are_a_row_and_no_error(capsys):
    status, out, _ = run("check --model lm --dataset bad.jsonl --test_size 0", capsys)
    assert status == 1 and "121 rows give 120 pairs; 1 chosen equals rejected" in out
    status, out, _ = run("check --model lm --dataset torn.jsonl", capsys)  # no pairs can be held out
    assert status == 1 and "121 rows give 120 pairs; 1 empty answer" in out
    status, out, _ = run("check --model lm --dataset bad.jsonl --on_bad_row drop --test_size 0", capsys)
    assert status == 0 and "warn rows" in out


def test_an_adapter_is_checked(capsys):
    status, out, _ = run("check --model lm --dataset good.jsonl --lora_r 2 --learning_rate 1e-6", capsys)
    assert status == 1 and "1e-06 for an adapter" in out


@pytest.mark.parametrize("words, said", [
    ("check --dataset good.jsonl", "give --model, or --serving"), ("check --model lm", "give --dataset"),
    ("check --model lm --dataset none.jsonl", "none.jsonl"), ("check --model ./none --dataset good.jsonl", "./none"),
    ("check --model lm --dataset good.jsonl --output found.txt", "must end in .json"),
    ("check --model lm --dataset good.jsonl --lora_alpha 3", "--lora_r 16")])
def test_mistakes_are_one_line(words, said, capsys):
    status, _, err = run(words, capsys)
    assert status == 2 and said in err.splitlines()[-1]


def test_serving_shows_checks_and_commands(capsys):
    status, out, _ = run("check --serving lm", capsys)
    assert status in (0, 1) and "vllm serve" in out and "sglang" in out.lower()


def test_training_stops_unless_told_otherwise(place, capsys):
    train = "train --model lm --dataset good.jsonl --output_dir out --max_steps 2 --disable_tqdm true --learning_rate 5"
    status, out, err = run(train, capsys)
    assert status == 2 and "fail learning rate 5 for a small model" in out
    assert not (place / "out" / "model.safetensors").exists()
    assert "not trained, since checks failed: learning rate" in err.splitlines()[-1]
    status, out, _ = run(f"{train} --on_failed_check skip", capsys)
    assert status == 0 and "learning rate 5" not in out and "Saved in out" in out
    status, out, _ = run(f"{train} --on_failed_check warn", capsys)
    assert status == 0 and "fail learning rate" in out and "estimated" in out and "Saved in out" in out
