"What users get wrong on the command line: one line and exit status 2; and what is carried through to the results"
import json
import subprocess
import sys

import datasets
import pandas as pd
import pytest
import transformers

from rmkit.cli import main
from rmkit.data import COLUMN_ROLES
from rmkit.files import load_rows
from rmkit.scoring import RewardModel
from rmkit.table import pair_scores
from rmkit.synthetic import make_pairs, tiny_causal_lm, tiny_model, tiny_tokenizer

PAIRS = [{name: row[name] for name in ("prompt", "chosen", "rejected")} for row in make_pairs(20, seed=1)]
SAME = {"rejected": PAIRS[13]["chosen"]}


def save(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    "A folder with models and files, good and bad; the tests run in it"
    place = tmp_path_factory.mktemp("place")
    bare = tiny_tokenizer()
    bare.chat_template = None
    for name, model, tokenizer in (("rm", tiny_model(0), tiny_tokenizer()), ("lm", tiny_causal_lm(0), tiny_tokenizer()),
                                   ("bare", tiny_model(0), bare), ("torn", tiny_model(0), tiny_tokenizer())):
        model.config.reward_input = "messages"
        model.save_pretrained(place / name), tokenizer.save_pretrained(place / name)
    weights = place / "torn" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    responses = [dict(prompt=row["prompt"], response=row["chosen"], id=i) for i, row in enumerate(PAIRS)]
    more = [dict(id=f"00{i}", annotator="AB"[i % 2], tags=["t"], source="s") for i in range(20)]
    nulls = {2: {"response": None}, 5: {"prompt": None}}
    save(place / "pairs.jsonl", [row | extra for row, extra in zip(PAIRS, more)])
    save(place / "responses.jsonl", responses)
    save(place / "nulls.jsonl", [row | nulls.get(i, {}) for i, row in enumerate(responses)])
    refused = responses[3] | {"response": [{"content": "no role"}]}
    save(place / "refused.jsonl", [*responses[:3], refused, *responses[4:]])
    save(place / "bad.jsonl", [row | (SAME if i == 13 else {}) for i, row in enumerate(PAIRS)])
    save(place / "one_prompt.jsonl", [dict(prompt="q", chosen=f"a{i}", rejected=f"b{i}") for i in range(9)])
    save(place / "ids.jsonl", [dict(chosen_ids=[5, 6], rejected_ids=[5, 99_999])])
    save(place / "ranked.jsonl", [dict(prompt="q", responses=["a", "b", "c"], scores=[1, 2, 3])])
    save(place / "broken.jsonl", PAIRS[:2])
    with (place / "broken.jsonl").open("a") as file: file.write("{not json\n")
    (place / "file").write_text("x"), (place / "folder.jsonl").mkdir(), (place / "no_rows").mkdir()
    (place / "list.yaml").write_text("model: [rm, lm]\ndataset: pairs.jsonl\n")
    return place


@pytest.fixture(autouse=True)
def inside(place, monkeypatch):
    monkeypatch.chdir(place)


EVAL, SCORE = ["eval", "--model", "rm", "--dataset"], ["score", "--model", "rm", "--dataset"]
TRAIN = ["train", "--model", "lm", "--dataset", "pairs.jsonl", "--output_dir", "out", "--max_steps", "1", "--use_cpu",
         "--save_strategy", "no", "--report_to", "none", "--disable_tqdm", "true"]


def error_of(words, capsys):
    assert main(words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("rmkit: error: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("words, expected", [
    # rows
    (SCORE + ["nulls.jsonl"],
     "row 2, column 'response': expected text or a list of messages with 'role' and 'content', found NoneType None"),
    (SCORE + ["bad.jsonl"], "row 13, column 'rejected'"), (EVAL + ["bad.jsonl"], "row 13, column 'rejected'"),
    (SCORE + ["ids.jsonl"], "row 0, column 'rejected_ids': found the token id 99999"),
    (SCORE + ["ranked.jsonl"], "a row gives several pairs"),
    (EVAL + ["broken.jsonl"], "line 3 is not valid JSON"), (EVAL + ["rm"], "the folder rm holds a model, not rows"),
    (EVAL + ["no_rows"], "found nothing"),
    (EVAL + ["missing.parquet"], "there is no file or folder 'missing.parquet'"), (EVAL + [""], "is empty"),
    (EVAL + ["no-such/dataset"], "the Hub can't be reached"),
    # options
    (EVAL + ["pairs.jsonl", "--by", "anotator"],
     "Did you mean 'annotator'? Columns: prompt, chosen, rejected, id, annotator, tags, source"),
    (EVAL + ["bad.jsonl", "--by", "source"], "--by source: there is no such column"),
    (EVAL + ["pairs.jsonl", "--by", "tags"], "holds lists or messages"),
    (EVAL + ["pairs.jsonl", "--batch_size", "0"], "--batch_size 0: give 1 or more"),
    (SCORE + ["pairs.jsonl", "--batch_size", "-1"], "give 1 or more"),
    (SCORE + ["pairs.jsonl", "--on_bad_row", "keep"], "invalid choice: 'keep'"),
    # places
    (EVAL + ["pairs.jsonl", "--output", "out.txt"], "must end in .html"),
    (EVAL + ["pairs.jsonl", "--output", "folder.jsonl"], "is a folder"),
    (SCORE + ["pairs.jsonl", "--output", "file/out.jsonl"], "file is a file"),
    (["demo", "--output_dir", "file"], "file is a file"),
    # models
    (["eval", "--model", "bare", "--dataset", "pairs.jsonl"], "no chat template"),
    (["score", "--model", "bare", "--dataset", "responses.jsonl"], "error: these rows are conversations"),
    (["eval", "--model", "torn", "--dataset", "pairs.jsonl"], "can't load the model torn"),
    (["eval", "--model", "no_rows", "--dataset", "pairs.jsonl"], "holds no model"),
    (["eval", "--model", "pairs.jsonl", "--dataset", "pairs.jsonl"], "there is no model folder pairs.jsonl"),
    (["compare", "--model", "no-such-model", "--prompt", "p", "--responses", "a", "b"], "the Hub can't be reached"),
    # config files
    (["eval", "--config", "nowhere.yaml"], "nowhere.yaml"), (["eval", "--config", "no_rows"], "no_rows"),
    (["eval", "--config", "list.yaml"], "'model' holds a list"),
])
def test_one_line(words, expected, capsys):
    assert expected in error_of(words, capsys)


@pytest.mark.parametrize("words, expected", [
    (["--test_size", "1.0"], "give a share from 0 to below 1"), (["--test_size", "-0.1"], "give a share"),
    (["--test_size", "nan"], "give a share"),
    (["--test_size", "2.5"], "give a share"), (["--test_size", "20"], "holds out all of pairs.jsonl"),
    (["--dataset", "one_prompt.jsonl"], "all rows of one_prompt.jsonl have one prompt"),
    (["--output_dir", "file"], "file is a file"), (["--output_dir", "file/below"], "file is a file"),
    (["--model", "torn"], "can't set up the training of torn"),
    (["--model", "bare"], "no chat template"), (["--eval_dataset", "bad.jsonl"], "row 13, column 'rejected'"),
    (["--max_length", "0"], "`max_length=0` must be at least 1"),
    (["--max_length", "3"], "no pair is left"), (["--lora_r", "0"], "positive integer"),
    (["--lora_r", "2", "--lora_alpha", "0"], "--lora_alpha 0"), (["--lora_alpha", "0"], "--lora_r 16"),
    (["--lora_r", "2", "--lora_target_modules", "nosuch"], "target_modules"),
    (["--report_to", "nosuch"], "nosuch is not supported"),
    (["--resume_from_checkpoint", "nowhere"], "nowhere is not a whole checkpoint"),
    (["--chat_template_path", "nowhere.jinja"], "nowhere.jinja"),
    (["--model_init_kwargs", '{"nosuch": 1}'], "nosuch"),
    (["--gradient_accumulation_steps", "0"], "`gradient_accumulation_steps=0`"),
])
def test_one_line_in_training(words, expected, capsys):
    assert expected in error_of(TRAIN + words, capsys)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rows_are_those_of_the_file_whatever_was_held_out(seed, capsys):
    words = TRAIN + ["--dataset", "bad.jsonl", "--test_size", "0.5", "--seed", str(seed)]
    assert "row 13, column 'rejected'" in error_of(words, capsys)


@pytest.mark.parametrize("raised, said", [
    (OSError(28, "No space left on device"), "No space left on device"),
    (PermissionError(13, "Permission denied", "x"), "Permission denied"),
    (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory")])
def test_what_happens_on_the_way(raised, said, monkeypatch, capsys):
    def fail(*args): raise raised
    monkeypatch.setattr("rmkit.cli.write_rows", fail)
    assert said in error_of(SCORE + ["pairs.jsonl", "--output", "out.jsonl"], capsys)


@pytest.mark.parametrize("bug", [KeyError("x"), TypeError("y"), RuntimeError("shapes don't match")])
def test_a_bug_keeps_its_traceback(bug, monkeypatch):
    def fail(*args, **kwargs): raise bug
    monkeypatch.setattr(RewardModel, "score_pairs", fail)
    with pytest.raises(type(bug)):
        main(EVAL + ["pairs.jsonl"])


def test_what_a_command_silences_is_heard_again(capsys):
    def settings(): return transformers.logging.get_verbosity(), datasets.are_progress_bars_disabled()
    before = settings()
    error_of(EVAL + ["bad.jsonl"], capsys)
    assert settings() == before


def test_a_closed_pipe_is_no_error():
    code = ("import sys, rmkit.cli as cli; cli.COMMANDS['score'] = lambda words: "
            "[print('x' * 1000) for _ in range(10_000)]; sys.exit(cli.main(['score']))")
    done = subprocess.run(f"{sys.executable} -c \"{code}\" | head -1; echo ${{PIPESTATUS[0]}}", shell=True,
                          executable="/bin/bash", capture_output=True, text=True)
    assert done.stdout.splitlines() == ["x" * 1000, "141"] and done.stderr == ""


# What is carried ----------------------------------------------------------------------------------------------------

def written(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_without_a_reward_are_kept_and_counted(place, capsys):
    for name, lost, column in ("nulls", [2, 5], "reward"), ("refused", [3], "reward"), ("bad", [13], "reward_chosen"):
        assert main(SCORE + [f"{name}.jsonl", "--on_bad_row", "drop", "--output", "out.jsonl"]) == 0
        rows = written(place / "out.jsonl")
        assert [i for i, row in enumerate(rows) if row[column] is None] == lost and len(rows) == 20
        assert f"rmkit: {len(lost)} of 20 rows have no reward" in capsys.readouterr().err
        good = next(row for row in rows if row[column] is not None)
        response = good.get("response") or good["chosen"]
        expected = RewardModel.from_pretrained("rm").score([good["prompt"]], [response])[0]
        assert good[column] == pytest.approx(expected, abs=1e-5)


def test_too_long_is_null_and_the_others_are_not(place, capsys):
    save(place / "long.jsonl", PAIRS[:2] + [PAIRS[2] | {"chosen": [{"role": "assistant", "content": "cat " * 2000}]}])
    assert main(SCORE + ["long.jsonl", "--output", "out.jsonl"]) == 0
    rows = written(place / "out.jsonl")
    assert [row["reward_chosen"] is None for row in rows] == [False, False, True]
    assert "1 of 3 rows have no reward" in capsys.readouterr().err


def test_scoring_again_replaces_and_says_so(place, capsys):
    assert main(SCORE + ["pairs.jsonl", "--output", "once.jsonl"]) == 0
    capsys.readouterr()
    assert main(SCORE + ["once.jsonl", "--output", "twice.jsonl"]) == 0
    assert "the column 'reward_chosen' of the dataset is replaced" in capsys.readouterr().err
    assert written(place / "once.jsonl") == written(place / "twice.jsonl")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_written_rows_can_be_read_again(place, kind):
    assert main(SCORE + ["pairs.jsonl", "--output", f"again.{kind.upper()}"]) == 0
    assert main(EVAL + ["pairs.jsonl", "--output", f"eval.{kind}"]) == 0
    for rows in (load_rows(f"again.{kind.upper()}"), load_rows(f"eval.{kind}")):
        assert rows.select_columns(["prompt", "chosen", "id", "annotator"]).to_list() == [
            dict(prompt=row["prompt"], chosen=row["chosen"], id=f"00{i}", annotator="AB"[i % 2])
            for i, row in enumerate(PAIRS)]


def test_subsets_by_any_column(place, capsys):
    assert main(EVAL + ["pairs.jsonl", "--by", "annotator", "--output", "out.json"]) == 0
    subsets = json.loads((place / "out.json").read_text())["subsets"]
    assert {name: row["pairs"] for name, row in subsets.items()} == {"A": 10, "B": 10, "all": 20}
    assert "annotator" not in capsys.readouterr().err


def test_dropped_pairs_are_counted(capsys, caplog):
    assert main(EVAL + ["bad.jsonl", "--on_bad_row", "drop"]) == 0
    assert "1 dropped (chosen equals rejected)" in caplog.text and " 19 " in capsys.readouterr().out


def test_named_columns_are_handed_on(monkeypatch):
    seen = []
    def score_pairs(self, rows, **options):
        seen.append(options)
        raise ValueError("enough")
    monkeypatch.setattr(RewardModel, "score_pairs", score_pairs)
    for command in (EVAL, SCORE):
        main(command + ["pairs.jsonl"])
        main(command + ["pairs.jsonl", "--chosen_column", "better", "--system_column", "", "--batch_size", "3"])
    none = dict.fromkeys(COLUMN_ROLES)
    assert seen == 2 * [dict(on_bad_row="raise", batch_size=None, columns=none),
                        dict(on_bad_row="raise", batch_size=3, columns=none | {"system": "", "chosen": "better"})]


@pytest.mark.parametrize("option,better", [("--winner_column", ["yes", "no"]), ("--first_wins_column", ["no", "yes"])])
def test_what_a_number_stands_for(place, capsys, option, better):
    "0 and 1 may count the answers, or say whether the first is better: the error names both options"
    rows = [dict(prompt="Is it?", response_a="yes", response_b="no", label=label) for label in (0, 1)]
    save(place / "judged.jsonl", rows)
    assert main(EVAL + ["judged.jsonl"]) == 2 and option[2:] in capsys.readouterr().err
    assert main(EVAL + ["judged.jsonl", option, "label", "--output", "scored.jsonl"]) == 0
    assert [row["chosen"][0]["content"] for row in load_rows("scored.jsonl")] == better


def test_a_prompt_column_for_responses(place):
    save(place / "asked.jsonl", [dict(asked=row["prompt"], response=row["chosen"]) for row in PAIRS[:3]])
    assert main(SCORE + ["asked.jsonl", "--prompt_column", "asked", "--output", "out.jsonl"]) == 0
    texts = ([row[name] for row in PAIRS[:3]] for name in ("prompt", "chosen"))
    expected = RewardModel.from_pretrained("rm").score(*texts)
    assert [row["reward"] for row in written(place / "out.jsonl")] == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_table_of_pairs_has_every_column(model, tokenizer):
    taken = dict(reward_chosen=9.0, length_chosen=9, prompts="p", r_chosen="r")
    rows = [row | taken | dict(id=i, note=None if i else "x", tags=["t"]) for i, row in enumerate(PAIRS[:4])]
    scores = RewardModel(model, tokenizer).score_pairs(rows)
    assert scores["id"].tolist() == [0, 1, 2, 3] and scores["note"].tolist() == ["x", None, None, None]
    assert scores["tags"].tolist() == [["t"]] * 4 and (scores["reward_chosen"] != 9).all()
    for name, value in taken.items():
        assert scores[f"{name}_given"].tolist() == [value] * 4
    again = RewardModel(model, tokenizer).score_pairs(rows[i] | {"reward_chosen_given": "mine"} for i in range(4))
    assert again["reward_chosen_given"].tolist() == ["mine"] * 4
    assert again["reward_chosen_given_given"].tolist() == [9.0] * 4
    assert not {"chosen_ids", "rejected_ids"} & set(scores)


def test_a_source_of_any_kind_names_subsets(place, capsys):
    save(place / "listed.jsonl", [row | dict(source=["a", "b"][: 1 + i % 2]) for i, row in enumerate(PAIRS)])
    assert main(EVAL + ["listed.jsonl", "--output", "out.html"]) == 0
    assert "['a', 'b']" in capsys.readouterr().out


def test_a_table_refuses_a_second_column_of_its_own_name():
    with pytest.raises(ValueError, match="p_chosen, reward_margin"):
        pair_scores(["p"], ["a"], ["b"], [1], [0], reward_margin=[3], p_chosen=[1])


def test_carried_columns_reach_the_explorer(model, tokenizer, tmp_path):
    from rmkit.visualizer import RewardVisualizer
    more = dict(prompts="p", when=pd.Timestamp("2020-01-01"), tags=["t"])
    scores = RewardModel(model, tokenizer).score_pairs(row | more for row in PAIRS[:3])
    explorer = RewardVisualizer(scores)
    line = json.loads(explorer.export(tmp_path / "rows.jsonl", [1]).read_text())
    assert line["prompts_given"] == "p" and line["when"].startswith("2020-01-01") and line["tags"] == ["t"]
    assert explorer.save(tmp_path / "page.html").stat().st_size > 1000
