"`rmkit` on the command line: what it prints, writes and refuses, and with which exit status"
import json
import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from rmkit.audits import Audit
from rmkit.cli import main
from rmkit.options import EvalArguments, make_parser, parse, TrainArguments, UsageError
from rmkit.config import RewardConfig
from rmkit.scoring import RewardModel
from rmkit.synthetic import make_pairs, tiny_causal_lm, tiny_tokenizer


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    "A folder with a language model to start from"
    folder = tmp_path_factory.mktemp("lm")
    tiny_causal_lm(0).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def pair_file(tmp_path_factory):
    return write_jsonl(tmp_path_factory.mktemp("rows") / "pairs.jsonl", make_pairs(60, seed=1))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, language_model, pair_file):
    "A reward model that `rmkit train` made"
    folder = tmp_path_factory.mktemp("rm") / "out"
    assert main(["train", "--model", language_model, "--dataset", pair_file, "--output_dir", str(folder), "--max_steps",
                 "3", "--test_size", "0.2", "--use_cpu", "--save_strategy", "no", "--disable_tqdm", "true"]) == 0
    return str(folder)


def fails(words, capsys, *expected):
    "Exit status 2 and one line of stderr that says all of this"
    assert main(words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("rmkit: error: ")]
    assert len(lines) == 1
    for text in expected:
        assert text in lines[0]


# Help and arguments -------------------------------------------------------------------------------------------------

def test_help_needs_no_heavy_import():
    code = ("import sys; from rmkit.cli import main; status = main(['--help']); print('torch' in sys.modules); "
            "sys.exit(status)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("False\n") and "examples:" in done.stdout


def test_no_command_prints_help(capsys):
    assert main([]) == 2 and "usage: rmkit COMMAND" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0 and re.match(r"\d+\.\d+", capsys.readouterr().out)


@pytest.mark.parametrize("command", ["train", "eval", "audit", "score", "compare", "demo"])
def test_help_of_commands_has_examples(command, capsys):
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"rmkit {command} --" in shown and "--config" in shown


def test_every_field_of_the_config_is_an_option():
    known = {action.dest for action in make_parser("train", TrainArguments, RewardConfig)._actions}
    assert set(RewardConfig.__dataclass_fields__) - {"_n_gpu"} - known == {
        name for name, field in RewardConfig.__dataclass_fields__.items() if not field.init} - {"_n_gpu"}


def test_command_line_comes_before_config_file(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(
        "model: m\ndataset: d.jsonl\nlearning_rate: 1e-5\nlogging-steps: 7\nmax_length: null\nuse_cpu: true\n"
                    "lr_scheduler_kwargs: {num_cycles: 2}\nlr_scheduler_type: cosine\n")
    args, config = parse("train", ["--config", str(file), "--learning_rate", "0.5"], TrainArguments, RewardConfig)
    assert (args.model, args.dataset) == ("m", "d.jsonl")
    assert (config.learning_rate, config.logging_steps, config.max_length, config.use_cpu) == (0.5, 7, None, True)
    assert config.lr_scheduler_kwargs == {"num_cycles": 2}


@pytest.mark.parametrize("text, expected", [
    ("model: m\nlerning_rate: 1", "Did you mean 'learning_rate'?"),
    ("model: [", "not valid YAML"),
    ("just words", "expected lines such as"),
    ("model: m\ndataset: d\nlearning_rate: fast", "invalid float value: 'fast'"),
])
def test_bad_config_file(tmp_path, text, expected):
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=re.escape(expected)):
        parse("train", ["--config", str(file)], TrainArguments, RewardConfig)


def test_required_arguments_are_named():
    with pytest.raises(UsageError, match="--model, --dataset"):
        parse("eval", [], EvalArguments)


# What users get wrong -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, expected", [
    (["trian"], "Did you mean 'train'?"),
    (["eval", "--model", "m", "--dataset", "d.jsonl", "--batchsize", "3"], "Did you mean '--batch_size'?"),
    (["eval", "--model", "m", "--dataset", "missing.jsonl"], "there is no file or folder 'missing.jsonl'"),
    (["eval", "--model", "m", "--dataset", "d.jsonl", "--output", "out.pdf"], "must end in .html"),
    (["train", "--model", "./nowhere", "--dataset", "d.jsonl"], "there is no model folder ./nowhere"),
    (["train", "--model", "m", "--dataset", "d.jsonl", "--lora_alpha", "3"], "--lora_r 16"),
    (["train", "--model", "m", "--dataset", "d.jsonl", "--loss_type", "hinge", "--label_smoothing_factor", "0.1"],
     "label_smoothing_factor"),
    (["train", "--model", "m", "--dataset", "d.jsonl", "--loss_type", "hing"], "invalid choice"),
    (["train", "--model", "m", "--dataset", "d.jsonl", "--eval_dataset", "e.jsonl", "--test_size", "3"], "give one"),
    (["compare", "--model", "m", "--prompt", "p", "--responses", "one"], "two or more"),
    (["train", "--config", "missing.yaml"], "missing.yaml"),
])
def test_mistakes_are_one_line(words, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fails(words, capsys, expected)


def test_folder_without_a_model(tmp_path, pair_file, capsys):
    fails(["eval", "--model", str(tmp_path), "--dataset", pair_file], capsys, "holds no model", "config.json")


def test_language_model_is_no_reward_model(language_model, pair_file, capsys):
    fails(["eval", "--model", language_model, "--dataset", pair_file], capsys, "language model")


def test_model_that_the_hub_does_not_give(pair_file, capsys):
    fails(["eval", "--model", "no-such-model-here", "--dataset", pair_file], capsys, "no-such-model-here")


@pytest.mark.parametrize("rows, expected", [
    ([dict(prompt="p", chosen="a", rejected="b"), dict(prompt="p", chosen="", rejected="b")],
     ["row 1", "column 'chosen'"]),
    ([dict(question="p", good="a")], ["chosen"]),
])
def test_bad_rows(rows, expected, trained, tmp_path, capsys):
    fails(["eval", "--model", trained, "--dataset", write_jsonl(tmp_path / "rows.jsonl", rows)], capsys, *expected)


def test_broken_and_empty_files(trained, tmp_path, capsys):
    for name, text, expected in ("broken.jsonl", "{not json", "can't read"), ("empty.jsonl", "", ""):
        (tmp_path / name).write_text(text)
        fails(["eval", "--model", trained, "--dataset", str(tmp_path / name)], capsys, name, expected)


def test_rows_that_hold_no_response(trained, tmp_path, capsys):
    file = write_jsonl(tmp_path / "rows.jsonl", [dict(prompt="p", text="t")])
    fails(["score", "--model", trained, "--dataset", file], capsys, "expected prompt and response")


def test_debug_keeps_the_traceback(monkeypatch):
    monkeypatch.setenv("RMKIT_DEBUG", "1")
    with pytest.raises(UsageError):
        main(["trian"])


def test_control_c_is_130(tmp_path):
    process = subprocess.Popen([sys.executable, "-m", "rmkit.cli", "demo", "--output_dir", str(tmp_path)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
                               | {"PYTHONUNBUFFERED": "1"},
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a job ignores it
    assert "rmkit demo" in process.stdout.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(600) == 130
    assert "Traceback" not in process.stderr.read()


# The commands -------------------------------------------------------------------------------------------------------

def test_train_saves_what_plain_loading_scores(trained, capsys):
    model = RewardModel.from_pretrained(trained)
    assert model.model.config.num_labels == 1 and model.tokenizer.chat_template
    assert os.path.exists(f"{trained}/README.md") and os.path.exists(f"{trained}/audit.html")
    assert Audit.from_json(f"{trained}/audit.json").facts["Form"].startswith("quick")


def test_train_with_lora(language_model, pair_file, tmp_path):
    folder = str(tmp_path / "lora")
    assert main(["train", "--model", language_model, "--dataset", pair_file, "--output_dir", folder, "--max_steps", "1",
                 "--test_size", "0", "--lora_r", "2", "--use_cpu", "--save_strategy", "no", "--disable_tqdm",
                 "true"]) == 0
    assert json.load(open(f"{folder}/adapter_config.json"))["r"] == 2


def test_train_without_held_out_rows(pair_file, language_model, tmp_path, capsys):
    fails(["train", "--model", language_model, "--dataset", pair_file, "--test_size", "60", "--output_dir",
           str(tmp_path)], capsys, "holds out all")


def test_eval_writes_page_and_numbers(trained, pair_file, tmp_path, capsys):
    page, numbers = str(tmp_path / "r.html"), str(tmp_path / "r.json")
    for path in (page, numbers):
        assert main(["eval", "--model", trained, "--dataset", pair_file, "--output", path]) == 0
    shown = capsys.readouterr().out
    assert "accuracy" in shown and "length rule" in shown and "all" in shown and "\x1b" not in shown
    found = json.load(open(numbers))
    assert found["subsets"]["all"]["pairs"] == 60 and "list" in found["subsets"]
    assert open(page).read().startswith("<!doctype html>")


def test_score_responses(trained, tmp_path, capsys):
    rows = [dict(prompt=row["prompt"], response=row["chosen"], more=i) for i, row in enumerate(make_pairs(5, seed=2))]
    assert main(["score", "--model", trained, "--dataset", write_jsonl(tmp_path / "in.jsonl", rows), "--output",
                 str(tmp_path / "out.jsonl")]) == 0
    written = [json.loads(line) for line in open(tmp_path / "out.jsonl")]
    rewards = RewardModel.from_pretrained(trained).score([row["prompt"] for row in rows],
                                                         [row["response"] for row in rows])
    assert [row["reward"] for row in written] == pytest.approx(rewards.tolist(), abs=1e-5)
    assert [row["more"] for row in written] == list(range(5))


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_score_pairs(trained, pair_file, tmp_path, name):
    path = tmp_path / name
    assert main(["score", "--model", trained, "--dataset", pair_file, "--output", str(path)]) == 0
    table = pd.read_csv(path) if name.endswith("csv") else pd.read_parquet(path)
    assert len(table) == 60 and table[["reward_chosen", "reward_rejected"]].notna().all(axis=None)


def test_score_to_the_terminal_is_jsonl(trained, pair_file, capsys):
    assert main(["score", "--model", trained, "--dataset", pair_file]) == 0
    assert len([json.loads(line) for line in capsys.readouterr().out.splitlines()]) == 60


def test_compare_shows_text_as_text(trained, capsys):
    assert main(["compare", "--model", trained, "--prompt", "Name 3 animals.", "--responses", "[red]one[/red]",
                 "two \x1b[31m"]) == 0
    shown = capsys.readouterr().out
    assert "[red]one[/red]" in shown and "\x1b" not in shown and "%" in shown


def test_accelerate_launch(language_model, pair_file, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(
        f"model: {language_model}\ndataset: {pair_file}\nmax_steps: 1\nuse_cpu: true\nsave_strategy: 'no'\n")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", "-m", "rmkit.cli",
               "train", "--config", str(file), "--output_dir", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Held-out accuracy" in done.stdout and "Audit of the held-out pairs" in done.stdout
    assert (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("columns", ["80", "120"])
def test_quick_demo_in_a_pipe(tmp_path, columns):
    done = subprocess.run([sys.executable, "-m", "rmkit.cli", "demo", "--quick", "--output_dir", str(tmp_path / "out")],
                          capture_output=True, text=True, env=os.environ | {"COLUMNS": columns}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert "\x1b" not in text and "Traceback" not in done.stderr
    for part in ("pairs/s", "Accuracy", "True reward", "Length rule", "Saved", "Next", "compare --model"):
        assert part in text
    table = text[:text.index("\nNext")]
    assert max(map(len, table.splitlines())) <= int(columns) + len(str(tmp_path)) and len(text.splitlines()) < 120
    for name in ("report.html", "held_out.jsonl", "model.safetensors", "tokenizer.json", "README.md"):
        assert (tmp_path / "out" / name).exists()
