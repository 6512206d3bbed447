"Real preference data, where it is at hand."
import json
from itertools import combinations

import pytest
from data_helpers import byte_tokenizer
from datasets import disable_progress_bars

from rmkit.data import format_hh, parse_hh, prepare_dataset, split_by_prompt, to_pairs
from rmkit.files import load_rows

disable_progress_bars()


def test_hh_transcripts_round_trip_byte_for_byte(shared_data):
    lines = (shared_data / "hh_harmless_transcripts.jsonl").read_bytes().decode("utf-8").splitlines()
    rows, messages = [json.loads(line) for line in lines], load_rows(shared_data / "hh_harmless.jsonl")
    assert len(rows) == 1602
    for row, pair in zip(rows, messages):
        assert all(format_hh(parse_hh(row[name])).encode() == row[name].encode() for name in ("chosen", "rejected"))
        assert to_pairs(row) == [{name: pair[name] for name in ("prompt", "chosen", "rejected")}]


@pytest.mark.parametrize("name", ["oasst1", "oasst1_ranked", "oasst2_ranked", "pandalm", "tara_hh", "tulu1", "webgpt",
                                  "qa_feedback_ranked"])
def test_every_file_becomes_pairs(shared_data, name):
    rows = load_rows(shared_data / f"{name}.jsonl").select(range(100))
    prepared, report = prepare_dataset(rows, byte_tokenizer())
    if "scores" in rows.column_names:
        gaps = [a - b for scores in rows["scores"] for a, b in combinations(scores, 2)]
        assert (len(prepared), report.dropped["tie"]) == (sum(map(bool, gaps)), gaps.count(0))
        assert sorted(prepared["margin"]) == sorted(abs(gap) for gap in gaps if gap)
    else:
        assert len(prepared) == report.rows == 100 and not report.dropped
    if "score_chosen" in rows.column_names:
        from_scores, _ = prepare_dataset(rows.remove_columns("margin"), byte_tokenizer())
        assert from_scores["margin"][:] == [row["score_chosen"] - row["score_rejected"] for row in rows]


def test_rankings_hold_the_published_pairs(shared_data):
    ranked, _ = prepare_dataset(load_rows(shared_data / "oasst1_ranked.jsonl"), byte_tokenizer())
    pairs, _ = prepare_dataset(load_rows(shared_data / "oasst1.jsonl"), byte_tokenizer())
    def key(row): return (tuple(row["chosen_ids"]), tuple(row["rejected_ids"]), row["margin"])
    assert sorted(map(key, ranked)) == sorted(map(key, pairs))


def test_hh_ids_are_those_of_trl(shared_data):
    trl = pytest.importorskip("trl", reason="TRL isn't installed")
    from types import SimpleNamespace
    rows = load_rows(shared_data / "hh_harmless.jsonl").select(range(200))
    args = SimpleNamespace(dataset_num_proc=None, max_length=None)
    theirs = trl.RewardTrainer._prepare_dataset(None, rows, byte_tokenizer(), args, "train")
    ours, _ = prepare_dataset(rows, byte_tokenizer())
    assert ours["chosen_ids"][:] == theirs["chosen_ids"][:] and ours["rejected_ids"][:] == theirs["rejected_ids"][:]


def test_no_prompt_is_on_both_sides(shared_data):
    parts = split_by_prompt(load_rows(shared_data / "qa_feedback.jsonl"), 0.2)
    prompts = {name: set(map(json.dumps, part["prompt"])) for name, part in parts.items()}
    assert not prompts["train"] & prompts["test"] and 0.2 <= len(parts["test"]) / 1616 < 0.21
