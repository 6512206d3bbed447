"What people decide about pairs: it finds its pair again, it is never lost, and a better set comes out of it"
import json
import logging
import threading
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset

from rmkit import RewardConfig, RewardTrainer
from rmkit.data import BadRowError, prepare_dataset
from rmkit.review import DECISIONS, Review, changes, corrected, original_set, pair_keys, restore, side_columns
from rmkit.scoring import RewardModel, pair_scores
from rmkit.synthetic import make_pairs, make_rankings, tiny_model, tiny_tokenizer


def table(n=6, **more):
    "Pairs that differ, ids that don't follow the rows"
    ids = more.pop("id", [f"q{(7 * i) % n}" for i in range(n)])
    texts = [[f"{word} {i}" for i in range(n)] for word in ("Ask", "good", "bad")]
    return pair_scores(*texts, np.arange(n), np.ones(n), id=ids, **more)


def said(text):
    return [dict(role="user", content=text)]


# Names of pairs ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("prompt", [
    [dict(role="user", content="Hi")], [dict(content="Hi", role="user")], [{"from": "human", "value": "Hi"}],
    [dict(role="user", content=[dict(type="text", text="Hi")])], [dict(role="user", content="Hi", tool_calls=None, name=None)],
    [dict(role="user", text="Hi")], dict(role="user", content="Hi"), np.array([dict(role="user", content="Hi")], dtype=object), "Hi\n"])
def test_a_pair_has_the_same_name_however_it_is_stored(prompt):
    frame = pd.DataFrame(dict(prompt=pd.Series(["Hi", prompt], dtype=object), chosen=["a", "a"], rejected=["b", "b"]))
    keys = pair_keys(frame)
    assert keys[1] == keys[0] + "-2"


def test_different_pairs_have_different_names():
    call = lambda city: [dict(role="assistant", content="", tool_calls=[dict(name="weather", arguments=dict(city=city, when=None))])]
    prompts = ["Hi", said("Hi") + said("Hi"), [dict(role="system", content="Hi")], "Hi", "Hi", "", None, ["Hi", "Hi"]]
    chosen = ["a", "a", "a", call("Rome"), call("Oslo"), "a", "b", "a"]
    frame = pd.DataFrame(dict(prompt=pd.Series(prompts, dtype=object), chosen=pd.Series(chosen, dtype=object), rejected="c"))
    assert len({key.split("-")[0] for key in pair_keys(frame)}) == len(frame)


def test_half_a_surrogate_is_the_question_mark_that_it_becomes_in_a_file():
    frame = pd.DataFrame(dict(prompt=pd.Series(["a\ud83d", "a?"], dtype=object), chosen=["x"] * 2, rejected=["y"] * 2))
    assert pair_keys(frame)[1] == pair_keys(frame)[0] + "-2"


@pytest.mark.parametrize("ids, message", [
    (["a", "b", "a", "b"], r"2 values .* 'a' in rows 0, 2"), (["a", None, "b", "c"], "no value in 1 rows, first in row 1"),
    ([1.0, float("nan"), 2.0, 3.0], "row 1"), ([1, 1.0, 2, 3], "'1' in rows 0, 1")])
def test_a_column_that_doesn_t_tell_pairs_apart_is_an_error(ids, message):
    with pytest.raises(ValueError, match=message):
        pair_keys(table(4, id=pd.Series(ids, dtype=object)), "id")
    with pytest.raises(ValueError, match="no column 'uid'"):
        pair_keys(table(4), "uid")


def test_ids_are_the_same_as_numbers_text_and_with_a_gap():
    assert pair_keys(table(3, id=[1, 2, 3]), "id") == pair_keys(table(3, id=[1.0, 2.0, 3.0]), "id") == ["1", "2", "3"]
    assert pair_keys(table(2, id=[dict(a=1, b=2), dict(b=3, a=1)]), "id") == ['{"a": 1, "b": 2}', '{"a": 1, "b": 3}']


# Entries -------------------------------------------------------------------------------------------------------------

def test_only_what_is_given_changes_and_nothing_is_taken_away():
    review = Review(table())
    review.change(2, mark="unclear")
    assert review.entries == {2: dict(mark="unclear", note="")}
    review.change(2, note="why?")
    review.change(2, decision="tie", edit=dict(chosen="better"))
    assert review.entries[2] == dict(mark="unclear", note="why?", decision="tie", edit=dict(chosen="better"))
    review.change(2, mark=None, edit={})
    assert review.entries[2] == dict(mark="", note="why?", decision="tie")
    review.change(2, note="", decision="")
    assert not review.entries and not review.seen
    review.change(np.int64(3), seen=True)
    assert review.seen == {3} and not review.entries


@pytest.mark.parametrize("row, fields, error", [
    (6, dict(mark="unclear"), "no pair 6"), (-1, {}, "no pair"), (True, {}, "no pair"), ("2", {}, "no pair"),
    (0, dict(mark="bad"), "not a mark"), (0, dict(decision="both"), "not a decision"), (0, dict(note=3), "a note is a text"),
    (0, dict(edit=dict(answer="x")), "an edit is"), (0, dict(edit=dict(chosen=[1])), "an edit is"), (0, dict(edit="x"), "an edit is")])
def test_what_can_t_be_said_is_an_error_and_changes_nothing(row, fields, error):
    review = Review(table())
    with pytest.raises(ValueError, match=error):
        review.change(row, **fields)
    with pytest.raises(TypeError, match="colour"):
        review.change(0, colour="red")
    assert not review.entries


def test_undo_goes_back_to_the_beginning_and_leaves_seen_alone():
    review = Review(table())
    for row, word in [(0, "swap"), (1, "tie"), (0, "drop")]:
        review.change(row, decision=word, seen=True)
    assert [review.undo(), review.entries[0]["decision"]] == [0, "swap"]
    assert [review.undo(), review.undo(), review.undo()] == [1, 0, None]
    assert not review.entries and review.seen == {0, 1} and not review.can_undo


# The file ------------------------------------------------------------------------------------------------------------

def test_a_new_kernel_goes_on_undo_included(tmp_path):
    path = tmp_path / "new" / "folder" / "review.jsonl"
    first = Review(table(), path, reviewer="ada")
    first.change(1, decision="swap", note="Grüße \u2028 \ud83d")
    first.change(4, seen=True)
    first.change(1, decision="drop")
    again = Review(table(), path, reviewer="ada")
    assert again.entries == first.entries and again.seen == {4} and again.can_undo
    assert again.undo() == 1 and again.entries[1]["decision"] == "swap"
    assert Review(table(), path, reviewer="ada").entries == again.entries
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["row"] for line in lines] == [1, 4, 1, 1] and all(line["reviewer"] == "ada" and line["time"] for line in lines)
    assert path.read_text().isascii()


def test_what_changes_nothing_writes_nothing(tmp_path):
    review = Review(table(), tmp_path / "r.jsonl")
    for _ in range(3):
        review.change(0, decision="keep", seen=True)
        review.change(1, note="")
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("key", [None, "id"])
def test_marks_find_their_pairs_in_another_order_and_selection(tmp_path, key):
    full, path = table(6), tmp_path / "r.jsonl"
    review = Review(full, path, key)
    for row in range(6):
        review.change(row, note=f"note of {full.at[row, 'id']}", decision=DECISIONS[row % 5])
    other = full.iloc[[5, 0, 3]].assign(reward_chosen=9.0, reward_margin=8.0)
    for frame in (other, pd.concat([table(3, id=list("xyz")).assign(prompt="new"), full]), full.reset_index(drop=True)):
        found = Review(frame, path, key)
        notes = {i: entry["note"] for i, entry in found.entries.items()}
        assert notes == {i: f"note of {id}" for i, id in enumerate(frame["id"]) if id not in "xyz"}
    few = Review(other, path, key)
    assert few.lost == 3
    few.change(0, mark="interesting")
    assert len(Review(full, path, key).entries) == 6


def test_a_file_by_content_is_read_by_id_and_back(tmp_path):
    for keys in ((None, "id"), ("id", None)):
        path = tmp_path / f"{keys[0]}.jsonl"
        Review(table(), path, keys[0]).change(3, decision="swap")
        moved = Review(table().iloc[::-1], path, keys[1])
        assert moved.entries == {2: dict(mark="", note="", decision="swap")}
        moved.change(2, note="seen twice")
        assert Review(table(), path, keys[0]).entries[3]["note"] == "seen twice"


def test_copies_keep_their_own_marks(tmp_path):
    frame, path = table(5, id=list("abcde")), tmp_path / "r.jsonl"
    frame = frame.iloc[[0, 1, 0, 2, 0]]
    review = Review(frame, path)
    for row in (0, 2, 4):
        review.change(row, note=str(row))
    notes = lambda frame: {row: entry["note"] for row, entry in Review(frame, path).entries.items()}
    assert notes(frame) == {0: "0", 2: "2", 4: "4"}
    assert notes(frame.iloc[[1, 3, 0, 2, 4]]) == {2: "0", 3: "2", 4: "4"}  # moved, as many as before
    assert notes(pd.concat([frame, frame.iloc[:1]])) == {0: "0", 2: "2", 4: "4"}  # one more at the end
    fixed = frame.reset_index(drop=True)
    fixed.loc[0, "chosen"] = "another text"
    assert notes(fixed) == {2: "2", 4: "4"} and Review(fixed, path).lost == 1  # the first is no copy any more


def test_two_kernels_never_erase_each_other_s(tmp_path):
    path = tmp_path / "r.jsonl"
    one, two = Review(table(), path, reviewer="ada"), Review(table()[::-1], path, reviewer="ada")
    one.change(0, mark="unclear"), two.change(5, note="why"), one.change(1, decision="tie"), two.change(0, seen=True)
    assert one.refresh() == 1 and one.entries[0] == dict(mark="unclear", note="why") and one.seen == {5}
    assert two.undo() == 4 and one.undo() == 0 and one.entries == {0: dict(mark="unclear", note="")}
    two.refresh()
    assert two.entries == {5: dict(mark="unclear", note="")}


def test_threads_lose_nothing(tmp_path):
    reviews = [Review(table(200), tmp_path / "r.jsonl", reviewer="ada") for _ in range(2)]

    def work(start):
        for row in range(start, 200, 4):
            reviews[row % 2].change(row, note=f"n{row}")
    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert len(Review(table(200), tmp_path / "r.jsonl").entries) == 200


@pytest.mark.parametrize("cut", [1, 5, 20, 60, -1])
def test_a_line_cut_off_by_a_crash_is_said_and_costs_itself_alone(tmp_path, caplog, cut):
    path = tmp_path / "r.jsonl"
    review = Review(table(), path)
    review.change(0, mark="unclear"), review.change(1, mark="interesting")
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:cut])
    found = Review(table(), path)
    assert set(found.entries) == ({0, 1} if cut == -1 else {0}) and ("cut off" in caplog.text) == (cut != -1)
    found.change(2, decision="tie")
    assert set(Review(table(), path).entries) == set(found.entries) == {0, 2} | ({1} if cut == -1 else set())


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\r\n", b"\0\0\0\0\n"])
def test_an_empty_file_is_a_new_one(tmp_path, data):
    path = tmp_path / "r.jsonl"
    path.write_bytes(data)
    Review(table(), path).change(0, mark="unclear")
    assert Review(table(), path).entries == {0: dict(mark="unclear", note="")}


def test_windows_line_ends_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "r.jsonl"
    Review(table(), path).change(0, mark="unclear")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    Review(table(), path).change(1, decision="drop")
    assert set(Review(table(), path).entries) == {0, 1}


@pytest.mark.parametrize("data", [
    b"prompt,chosen\n", b'{"prompt": "a", "chosen": "b", "rejected": "c"}\n', b"[1, 2]\n", b"PAR1\x00\xff\n", "{}".encode("utf-16"),
    b'{"key": "a", "reviewer": "x", "decision": "both"}\n', b'{"key": 3, "row"\n{"a": 1}\n'])
def test_another_file_is_left_alone(tmp_path, data):
    path = tmp_path / "train.jsonl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"line \d of .*train.jsonl is not a decision.*another file"):
        Review(table(), path)
    assert path.read_bytes() == data


def test_a_path_that_can_t_be_written_says_so_at_once(tmp_path):
    with pytest.raises(OSError, match="Give the path of a file"):
        Review(table(), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Give a path that can be written"):
        Review(table(), tmp_path / "file" / "r.jsonl")


def test_a_write_that_fails_changes_nothing_and_is_said(tmp_path, monkeypatch):
    review = Review(table(), tmp_path / "r.jsonl")
    review.change(0, mark="unclear")
    kept = Path.open

    def full(self, mode="r", *args, **more):
        if "a" in mode:
            raise OSError(28, "No space left on device")
        return kept(self, mode, *args, **more)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(OSError, match="No space left"):
            review.change(1, mark="unclear")
    assert set(review.entries) == {0}
    review.change(1, mark="unclear")
    assert set(Review(table(), tmp_path / "r.jsonl").entries) == {0, 1}


@pytest.mark.parametrize("become", ["gone", "shorter", "replaced", "folder gone"])
def test_a_file_that_is_taken_away_gets_its_lines_again(tmp_path, caplog, become):
    path = tmp_path / "folder" / "r.jsonl"
    review = Review(table(), path, reviewer="ada")
    review.change(0, mark="unclear"), review.change(1, decision="tie")
    if become == "shorter":
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    else:
        path.unlink()
    if become == "replaced":
        other = Review(table(), path, reviewer="ben")
        [other.change(row, note="a long note of somebody else's " * 9) for row in (2, 3)]
    if become == "folder gone":
        path.parent.rmdir()
    review.change(5, decision="swap")
    assert "added again" in caplog.text
    assert set(Review(table(), path, reviewer="ada").entries) == {0, 1, 5} | ({2, 3} if become == "replaced" else set())


def test_a_decision_about_other_texts_of_the_same_id_is_not_carried_out(tmp_path, caplog):
    path, frame = tmp_path / "r.jsonl", table()
    review = Review(frame, path, key="id")
    review.change(0, decision="swap", mark="mislabelled"), review.change(1, decision="swap"), review.change(2, decision="tie")
    better = pd.DataFrame(corrected(frame, review.entries).to_pandas())
    again = Review(better.assign(reward_chosen=0, reward_rejected=0), path, key="id")
    assert again.entries == {0: dict(mark="mislabelled", note=""), 2: dict(mark="", note="", decision="tie")}
    assert "2 decisions" in caplog.text and "rows 0, 1" in caplog.text
    assert Review(frame, path, key="id").take(again.text()) == dict(taken=0, agree=0, differ=0, lost=0)
    again.change(1, decision="keep")
    assert Review(better, path, key="id").entries[1]["decision"] == "keep"
    assert json.loads(again.text().splitlines()[0])["decision"] == "swap"  # what was said stays what was said


# Two people ----------------------------------------------------------------------------------------------------------

def test_another_s_file_fills_in_and_one_s_own_stays(tmp_path):
    paths = tmp_path / "ada.jsonl", tmp_path / "ben.jsonl"
    ada, ben = (Review(table(), path, reviewer=path.stem) for path in paths)
    for row, (a, b) in enumerate([("swap", "swap"), ("swap", "keep"), ("tie", ""), ("", "drop"), ("", "")]):
        ada.change(row, decision=a), ben.change(row, decision=b)
    ada.change(3, note="mine")
    before = paths[1].read_bytes()
    assert ada.take(paths[1]) == dict(taken=1, agree=1, differ=1, lost=0)
    assert ada.entries[3] == dict(mark="", note="mine", decision="drop") and ada.reviewers[3] == "ben"
    assert [ada.entries[row]["decision"] for row in (0, 1, 2)] == ["swap", "swap", "tie"] and paths[1].read_bytes() == before
    assert ada.take(str(paths[1])) == dict(taken=0, agree=1, differ=1, lost=0)
    again = Review(table(), paths[0], reviewer="ada")
    assert again.entries == ada.entries and again.reviewers == ada.reviewers
    again.change(3, decision="drop", note="yes")
    assert again.reviewers[3] == "ada" and again.undo() == 3 and again.reviewers[3] == "ben"
    assert again.undo() == 3 and again.entries[3] == dict(mark="", note="", decision="drop")  # ada's own note was before


def test_one_file_of_two_people(tmp_path):
    ada, ben = (Review(table(), tmp_path / "r.jsonl", reviewer=name) for name in ("ada", "ben"))
    ada.change(0, decision="swap"), ben.change(0, decision="keep"), ben.change(1, seen=True)
    ada.refresh()
    assert ada.entries[0]["decision"] == "swap" and ben.entries[0]["decision"] == "keep" and not ada.seen
    assert ben.undo() == 0 and ben.entries[0]["decision"] == "swap" and ben.undo() is None
    ben.change(0, decision="")
    assert not ben.entries and ada.entries


def test_one_s_own_page_brings_back_what_is_newer(tmp_path):
    here = Review(table(), tmp_path / "r.jsonl", reviewer="ada")
    here.change(0, decision="swap")
    page = Review(table(), reviewer="ada")
    page.take(here.text())
    page.change(0, decision="tie"), page.change(1, decision="drop", seen=True)
    here.change(2, mark="unclear")
    text = page.text()
    assert here.take(text) == dict(taken=2, agree=0, differ=0, lost=0) and here.seen == {1}
    here.change(0, decision="keep")
    assert here.take("\ufeff" + text.replace("\n", "\r\n"))["taken"] == 0 and here.entries[0]["decision"] == "keep"


def test_pairs_that_are_not_here_are_counted():
    other = Review(table(3, id=list("xyz")).assign(prompt="elsewhere"), reviewer="ben")
    other.change(0, decision="swap"), other.change(1, seen=True)
    mine = Review(table())
    assert mine.take(other.text()) == dict(taken=0, agree=0, differ=0, lost=1) and mine.take("") == dict(taken=0, agree=0, differ=0, lost=0)
    with pytest.raises(ValueError, match="line 1 of the text is not a decision"):
        mine.take('{"prompt": 3}')
    with pytest.raises(FileNotFoundError):
        mine.take("nowhere.jsonl")


@pytest.mark.parametrize("hint", ["row", "id", None])
def test_older_exports_are_taken_with_exact_rows_for_copies(hint):
    frame = table(4).iloc[[0, 1, 0, 2, 0]].reset_index(drop=True)
    frame.loc[1, "prompt"] = "a\x07b"
    page = [dict(prompt=said(frame.at[i, "prompt"].replace("\x07", "\\x07")), rejected=[dict(role="assistant", content=frame.at[i, "rejected"])],
                 chosen=frame.at[i, "chosen"], mark="unclear" if i else None, note=f"n{i}", **({hint: i} if hint else {})) for i in (0, 1, 4)]
    if hint is None:
        page[2:] = [page[2], page[2] | dict(note="n5")]
    review = Review(frame, reviewer="ada")
    review.take("".join(json.dumps(line) + "\n" for line in page))
    expected = {0: "n0", 1: "n1", 4: "n4"} if hint else {0: "n0", 1: "n1", 2: "n4", 4: "n5"}
    assert {row: entry["note"] for row, entry in review.entries.items()} == expected
    assert review.entries[1]["mark"] == "unclear" and not review.can_undo and set(review.reviewers.values()) == {""}


def test_pace_is_a_median_without_pauses(monkeypatch):
    review, clock = Review(table(8)), iter([0, 10, 14, 5000, 5012, 5013])

    class Clock:
        min, fromisoformat = __import__("datetime").datetime.min, __import__("datetime").datetime.fromisoformat
        now = staticmethod(lambda zone: __import__("datetime").datetime.fromtimestamp(next(clock), zone))
    monkeypatch.setattr("rmkit.review.datetime", Clock)
    assert review.pace() is None
    for row in range(6):
        review.change(row, decision="keep")
    assert review.pace() == 7  # of 10, 4, 12 and 1 seconds
