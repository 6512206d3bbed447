"What people decide about pairs: it finds its pair again, it is never lost, and a better set comes out of it"

import json
import threading
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset

from rmkit import RewardConfig, RewardTrainer
from rmkit.data import prepare_dataset
from rmkit.words import BadRowError
from rmkit.review import DECISIONS, Review, changes, corrected, original_set, pair_keys, restore, side_columns
from rmkit.scoring import RewardModel
from rmkit.table import pair_scores
from rmkit.synthetic import make_pairs, make_rankings, tiny_model, tiny_tokenizer


def table(n=6, **more):
    "Pairs that differ, ids that don't follow the rows"
    ids = more.pop("id", [f"q{(7 * i) % n}" for i in range(n)])
    texts = [[f"{word} {i}" for i in range(n)] for word in ("Ask", "good", "bad")]
    return pair_scores(*texts, np.arange(n), np.ones(n), id=ids, **more)


def said(text):
    return [dict(role="user", content=text)]


# Names of pairs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    [
        [dict(role="user", content="Hi")],
        [dict(content="Hi", role="user")],
        [{"from": "human", "value": "Hi"}],
        [dict(role="user", content=[dict(type="text", text="Hi")])],
        [dict(role="user", content="Hi", tool_calls=None, name=None)],
        [dict(role="user", text="Hi")],
        dict(role="user", content="Hi"),
        np.array([dict(role="user", content="Hi")], dtype=object),
        "Hi\n",
    ],
)
def test_a_pair_has_the_same_name_however_it_is_stored(prompt):
    frame = pd.DataFrame(dict(prompt=pd.Series(["Hi", prompt], dtype=object), chosen=["a", "a"], rejected=["b", "b"]))
    keys = pair_keys(frame)
    assert keys[1] == keys[0] + "-2"


def test_different_pairs_have_different_names():
    def call(city): return [
        dict(role="assistant", content="", tool_calls=[dict(name="weather", arguments=dict(city=city, when=None))])
    ]
    prompts = ["Hi", said("Hi") + said("Hi"), [dict(role="system", content="Hi")], "Hi", "Hi", "", None, ["Hi", "Hi"]]
    chosen = ["a", "a", "a", call("Rome"), call("Oslo"), "a", "b", "a"]
    frame = pd.DataFrame(
        dict(prompt=pd.Series(prompts, dtype=object), chosen=pd.Series(chosen, dtype=object), rejected="c")
    )
    assert len({key.split("-")[0] for key in pair_keys(frame)}) == len(frame)


def test_half_a_surrogate_is_the_question_mark_that_it_becomes_in_a_file():
    frame = pd.DataFrame(dict(prompt=pd.Series(["a\ud83d", "a?"], dtype=object), chosen=["x"] * 2, rejected=["y"] * 2))
    assert pair_keys(frame)[1] == pair_keys(frame)[0] + "-2"


@pytest.mark.parametrize(
    "ids, message",
    [
        (["a", "b", "a", "b"], r"2 values .* 'a' in rows 0, 2"),
        (["a", None, "b", "c"], "no value in 1 rows, first in row 1"),
        ([1.0, float("nan"), 2.0, 3.0], "row 1"),
        ([1, 1.0, 2, 3], "'1' in rows 0, 1"),
    ],
)
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


@pytest.mark.parametrize(
    "row, fields, error",
    [
        (6, dict(mark="unclear"), "no pair 6"),
        (-1, {}, "no pair"),
        (True, {}, "no pair"),
        ("2", {}, "no pair"),
        (0, dict(mark="bad"), "not a mark"),
        (0, dict(decision="both"), "not a decision"),
        (0, dict(note=3), "a note is a text"),
        (0, dict(edit=dict(answer="x")), "an edit is"),
        (0, dict(edit=dict(chosen=[1])), "an edit is"),
        (0, dict(edit="x"), "an edit is"),
    ],
)
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
    assert [line["row"] for line in lines] == [1, 4, 1, 1] and all(
        line["reviewer"] == "ada" and line["time"] for line in lines
    )
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
    def notes(frame): return {row: entry["note"] for row, entry in Review(frame, path).entries.items()}
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


@pytest.mark.parametrize(
    "data",
    [
        b"prompt,chosen\n",
        b'{"prompt": "a", "chosen": "b", "rejected": "c"}\n',
        b"[1, 2]\n",
        b"PAR1\x00\xff\n",
        "{}".encode("utf-16"),
        b'{"key": "a", "reviewer": "x", "decision": "both"}\n',
        b'{"key": 3, "row"\n{"a": 1}\n',
    ],
)
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
    (
        review.change(0, decision="swap", mark="mislabelled"),
        review.change(1, decision="swap"),
        review.change(2, decision="tie"),
    )
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
    assert [ada.entries[row]["decision"] for row in (0, 1, 2)] == ["swap", "swap", "tie"] and paths[
        1
    ].read_bytes() == before
    assert ada.take(str(paths[1])) == dict(taken=0, agree=1, differ=1, lost=0)
    again = Review(table(), paths[0], reviewer="ada")
    assert again.entries == ada.entries and again.reviewers == ada.reviewers
    again.change(3, decision="drop", note="yes")
    assert again.reviewers[3] == "ada" and again.undo() == 3 and again.reviewers[3] == "ben"
    assert again.undo() == 3 and again.entries[3] == dict(
        mark="", note="", decision="drop"
    )  # ada's own note was before


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


def test_two_people_of_one_name_are_warned(caplog):
    one, two = Review(table(), reviewer="jovyan"), Review(table(), reviewer="jovyan")
    one.change(2, decision="swap"), two.change(2, decision="keep"), two.change(3, decision="tie")
    assert one.take(two.text())["taken"] == 2 and "1 entries of jovyan are newer there" in caplog.text
    assert one.undo() == 3 and one.undo() == 2 and one.entries == {2: entry("swap")}


def test_pairs_that_are_not_here_are_counted():
    other = Review(table(3, id=list("xyz")).assign(prompt="elsewhere"), reviewer="ben")
    other.change(0, decision="swap"), other.change(1, seen=True)
    mine = Review(table())
    assert mine.take(other.text()) == dict(taken=0, agree=0, differ=0, lost=1) and mine.take("") == dict(
        taken=0, agree=0, differ=0, lost=0
    )
    with pytest.raises(ValueError, match="line 1 of the text is not a decision"):
        mine.take('{"prompt": 3}')
    with pytest.raises(FileNotFoundError):
        mine.take("nowhere.jsonl")


@pytest.mark.parametrize("hint", ["row", "id", None])
def test_older_exports_are_taken_with_exact_rows_for_copies(hint):
    frame = table(4).iloc[[0, 1, 0, 2, 0]].reset_index(drop=True)
    frame.loc[1, "prompt"] = "a\x07b"
    page = [
        dict(
            prompt=said(frame.at[i, "prompt"].replace("\x07", "\\x07")),
            rejected=[dict(role="assistant", content=frame.at[i, "rejected"])],
            chosen=frame.at[i, "chosen"],
            mark="unclear" if i else None,
            note=f"n{i}",
            **({hint: i} if hint else {}),
        )
        for i in (0, 1, 4)
    ]
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


# A better set --------------------------------------------------------------------------------------------------------

PLAIN = dict(prompt="The sky is", chosen=" blue, I think.", rejected=" green.")
CHAT = dict(
    prompt=said("What colour?"),
    chosen=[dict(role="assistant", content="Blue.")],
    rejected=[dict(role="assistant", content="Green.")],
)
CALL = dict(
    role="assistant",
    content="",
    tool_calls=[dict(type="function", function=dict(name="look", arguments=dict(at="sky")))],
)
HH = dict(chosen="\n\nHuman: What colour?\n\nAssistant: Blue.", rejected="\n\nHuman: What colour?\n\nAssistant: Green.")
LAYOUTS = {  # of one row; its id and its source stay
    "plain text": [PLAIN, PLAIN | dict(prompt="")],
    "implicit text": [{name: PLAIN["prompt"] + PLAIN[name] for name in ("chosen", "rejected")}],
    "messages": [CHAT, CHAT | dict(prompt=said("Hi") + [dict(role="assistant", content="Yes?")] + CHAT["prompt"])],
    "implicit messages": [{name: CHAT["prompt"] + CHAT[name] for name in ("chosen", "rejected")}],
    "no prompt": [{name: CHAT[name] for name in ("chosen", "rejected")}],
    "transcripts": [HH],
    "ShareGPT": [
        dict(
            conversations=[{"from": "human", "value": "What?"}],
            chosen={"from": "gpt", "value": "Blue."},
            rejected={"from": "gpt", "value": "Green."},
        )
    ],
    "tools": [
        CHAT
        | dict(
            chosen=[CALL, dict(role="tool", content="blue", name="look"), *CHAT["chosen"]],
            tools=[dict(type="function", function=dict(name="look", parameters=dict(at="str")))],
        )
    ],
    "JSON": [{name: json.dumps(messages) for name, messages in CHAT.items()}],
    "turns": [dict(question="What colour is it?", chosen="Blue, I think.", rejected="Green.")],
    "system": [
        dict(system="Be brief.", question="What colour is it?", chosen="Blue, I think.", rejected="Green."),
        dict(system="", question="What colour is it?", chosen="Blue, I think.", rejected="Green."),
    ],
    "instruction": [dict(instruction="Say a colour.", input="The sky", output=["Blue, I think.", "Green."])],
    "history": [
        dict(history=[["Hi", "Yes?"]], prompt="What colour is it?", chosen="Blue, I think.", rejected="Green.")
    ],
    "votes": [
        dict(
            prompt=CHAT["prompt"],
            response_a=CHAT["rejected"],
            response_b=CHAT["chosen"],
            winner="response_b",
            votes_a=1,
            votes_b=3,
        )
    ],
    "arena": [
        dict(
            conversation_a=CHAT["prompt"] + CHAT["rejected"],
            conversation_b=CHAT["prompt"] + CHAT["chosen"],
            winner="model_b",
            model_a="x",
            model_b="y",
        )
    ],
    "scores": [CHAT | dict(score_chosen=4.5, score_rejected=1.0), CHAT | dict(score_chosen=2.0, score_rejected=2.0)],
    "ranking": [
        dict(prompt="Name a colour.", responses=["Blue.", "A dog, I think.", "Red or blue."], scores=[2.0, 0.5, 1.0])
    ],
    "ratings": [
        dict(prompt="Name a colour.", response="Blue, I think.", score=5),
        dict(prompt="Name a colour.", response="A dog.", score=1),
    ],
    "older ids": [
        dict(
            input_ids_chosen=[5, 6, 7],
            attention_mask_chosen=[1, 1, 1],
            input_ids_rejected=[5, 8],
            attention_mask_rejected=[1, 1],
        )
    ],
    "j and k": [dict(input_ids_j=[5, 6, 7], attention_mask_j=[1, 1, 1], input_ids_k=[5, 8], attention_mask_k=[1, 1])],
    "ids": [dict(chosen_ids=[5, 6, 7], rejected_ids=[5, 8])],
    "other names": [CHAT | dict(p_chosen=0.9, length_chosen=3, reward_margin=1.5)],
}


@pytest.fixture(scope="module")
def model():
    return RewardModel(tiny_model(seed=0), tiny_tokenizer())


@pytest.fixture(scope="module")
def plain_model():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    return RewardModel(tiny_model(seed=0), tokenizer)


def ids_of(dataset, model):
    rows = prepare_dataset(dataset, model.tokenizer)[0]
    return [(row["id"], row["chosen_ids"], row["rejected_ids"], row.get("margin")) for row in rows]


@pytest.mark.parametrize("template", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_that_are_kept_give_the_same_token_ids(layout, template, model, plain_model):
    model = model if template else plain_model
    rows = [row | dict(id=f"r{i}") for i, row in enumerate(LAYOUTS[layout] * 2)]
    if not template and any(
        isinstance(value, list) and value and isinstance(value[0], dict) for value in rows[0].values()
    ):
        return  # messages need a template
    if not template and layout in ("ShareGPT", "JSON", "history"):
        return
    dataset = Dataset.from_list(rows)
    scores = model.score_pairs(dataset)
    before, same = ids_of(dataset, model), corrected(scores, {})
    assert ids_of(same, model) == before
    assert set(dataset.column_names) - set(same.column_names) <= {*TAKEN.get(layout, ())}, (
        "a column of the original is lost"
    )
    entries = {1: dict(mark="", note="", decision="swap")}
    swapped = ids_of(corrected(scores, entries), model)
    assert swapped[0] == before[0] and swapped[1][1:3] == before[1][2:0:-1] and swapped[1][3] in (None, 0.0)
    assert restore(corrected(scores, entries), changes(scores, entries)).to_list() == original_set(scores).to_list()


# columns that hold the answers or the question are called prompt, chosen and rejected now
TAKEN = {
    "ShareGPT": ["conversations"],
    "votes": ["response_a", "response_b"],
    "arena": ["conversation_a", "conversation_b"],
    "ranking": ["responses", "scores"],
    "ratings": ["response", "score"],
    "instruction": ["output"],
    "history": ["history"],
    "system": ["question"],
    "turns": ["question"],
    "older ids": list(LAYOUTS["older ids"][0]),
    "j and k": list(LAYOUTS["j and k"][0]),
}


def entry(decision="", **more):
    return dict(mark="", note="") | ({"decision": decision} if decision else {}) | more


def test_every_decision_is_carried_out_and_undone():
    scores = table(8, score_chosen=range(8, 16), score_rejected=range(8), margin=np.ones(8),
                   chosen_model=list("abcdefgh"), rejected_model=list("ijklmnop"),
                   made=[date(2026, 1, i + 1) for i in range(8)], source=["x", None] * 4)
    entries = {0: entry("keep"), 1: entry("swap"), 2: entry("tie"), 3: entry("both bad"), 4: entry("drop"),
               6: entry(edit=dict(chosen="mended")),
               7: entry("swap", edit=dict(rejected="best"), note="n", mark="mislabelled")}
    better = corrected(scores, entries)
    assert better["id"] == [scores.at[i, "id"] for i in (0, 1, 2, 3, 5, 6, 7)]
    assert better["decision"] == ["keep", "swap", "tie", "both bad", "", "", "swap"]
    assert better["tie"] == [False, False, True, True, False, False, False]
    assert better["margin"] == [1, 0, 1, 1, 1, 1, 0]
    row = better[1]
    assert (row["chosen"], row["rejected"], row["chosen_model"]) == ("bad 1", "good 1", "j")
    assert (row["score_chosen"], row["score_rejected"]) == (1, 9)
    assert better[5]["chosen"] == "mended" and (better[6]["chosen"], better[6]["rejected"]) == ("best", "good 7")
    assert not {"reward_chosen", "reward_margin", "p_chosen"} & set(better.column_names)
    assert better[5]["made"] == date(2026, 1, 7)
    done = changes(scores, entries, [f"k{i}" for i in range(8)], {1: "ben"})
    assert list(done.columns[:6]) == ["row", "key", "done", "mark", "note", "reviewer"]
    assert done["row"].tolist() == list(entries)
    assert done["reviewer"].tolist()[1] == "ben" and done["key"].tolist()[1] == "k1"
    swapped = "labels swapped; score_chosen with score_rejected; chosen_model with rejected_model; margin set to 0"
    assert done["done"].tolist() == ["kept as labelled", swapped, "a tie", "both bad, so a tie", "dropped",
                                     "chosen edited", f"{swapped}; rejected edited"]
    assert done["chosen"].tolist()[1] == "good 1" and done["score_chosen"].tolist()[1] == 9
    original = original_set(scores)
    assert restore(better, done).to_list() == original.to_list() and restore(better, done).features == original.features
    for row in entries:  # one decision taken back is as if it hadn't been made
        assert (
            restore(better, done, [row]).to_list()
            == corrected(scores, {i: e for i, e in entries.items() if i != row}).to_list()
        )


def test_restore_knows_its_own_set():
    scores = table(5)
    entries = {1: entry("swap"), 3: entry("drop")}
    better, done = corrected(scores, entries), changes(scores, entries)
    for other in (
        better.select([3, 2, 1, 0]),
        better.select([0, 2, 3]),
        original_set(scores).add_column("decision", [""] * 5),
    ):
        with pytest.raises(ValueError, match="not what these changes made|no change of row"):
            restore(other, done)
    with pytest.raises(ValueError, match="no change of row 2"):
        restore(better, done, [2])
    assert restore(corrected(scores, {}), changes(scores, {})).to_list() == original_set(scores).to_list()


@pytest.mark.parametrize("names", ["row", "done", "note", "key_given", "tie", "decision"])
def test_columns_of_the_same_name_come_back(names):
    values = ["silk", "wool", "silk", "linen", None, "silk"]
    scores = table(6, **{names: values})
    entries = {1: entry("tie"), 2: entry("swap"), 5: entry("drop")}
    better, done = corrected(scores, entries), changes(scores, entries)
    assert better["tie"] == [False, True, False, False, False] and better["decision"] == ["", "tie", "swap", "", ""]
    assert values[:5] in [list(better[name]) for name in better.column_names if name.startswith(names)]
    assert restore(better, done).to_list() == original_set(scores).to_list()
    assert restore(better, done, [1])["tie"] == [False] * 5


def test_a_second_round_adds_to_the_first():
    scores = table(4)
    first = corrected(scores, {0: entry("tie"), 1: entry("swap"), 2: entry("tie")})
    second = table(4).assign(**{name: first[name] for name in ("chosen", "rejected", "tie", "decision")})
    better = corrected(second, {0: entry("swap"), 3: entry("both bad")})
    assert better["decision"] == ["swap", "swap", "tie", "both bad"] and better["tie"] == [False, False, True, True]


def test_scores_that_would_be_a_margin_don_t_contradict_swapped_labels(model):
    scores = table(3, score_chosen=[3, 4, 5], score_rejected=[1, 1, 1])
    better = corrected(scores, {1: entry("swap")})
    assert better["margin"] == [2, 0, 4] and prepare_dataset(better, model.tokenizer)[0]["margin"] == [2, 0, 4]
    done = changes(scores, {1: entry("swap")})
    assert restore(better, done).to_list() == original_set(scores).to_list() and restore(better, done, [1])[
        "margin"
    ] == [2, 3, 4]
    assert "margin" not in corrected(scores, {1: entry("tie")}).column_names


def test_what_can_t_be_corrected_says_which_row():
    scores = table(3)
    talk = scores.assign(
        chosen=pd.Series([[dict(role="assistant", content="a")] * 2] * 3),
        rejected=pd.Series([[dict(role="assistant", content="b")]] * 3),
        prompt=pd.Series([said("Hi")] * 3),
    )
    for frame, edit, error in [
        (scores, dict(chosen="bad 1"), "row 1: the edited answer is the same"),
        (talk, dict(chosen="c"), "row 1: .* 2 messages"),
        (scores, dict(chosen=said("c")), "row 1: the edited chosen is messages"),
        (scores, dict(chosen="  "), "row 1: column 'chosen': found str"),
    ]:
        with pytest.raises(ValueError, match=error):
            corrected(frame, {1: entry(edit=edit)})
    assert corrected(talk, {1: entry(edit=dict(rejected="c"))})[1]["rejected"] == [dict(role="assistant", content="c")]
    with pytest.raises(ValueError, match="all 3 pairs are dropped"):
        corrected(scores, {i: entry("drop") for i in range(3)})
    with pytest.raises(ValueError, match="no column prompt"):
        corrected(scores.drop(columns="prompt"), {})


def test_a_set_that_would_be_read_otherwise_is_an_error(model):
    "Here the answer repeats a long prompt, which prepare_dataset would take off once more"
    prompt = "What is the colour of the sky on a fine day in May? "
    scores = pair_scores([prompt], [prompt + "Blue."], [prompt + "Green."], [1.0], [0.0])
    with pytest.raises(
        ValueError,
        match="can't be brought back .* row 0, the prompt is read as|can't be brought back .* row 0, the chosen",
    ):
        corrected(scores, {})


@pytest.mark.parametrize(
    "entries", [{3: entry("swap")}, {"0": entry("swap")}, {-1: entry("tie")}, {0: entry("swapped")}]
)
def test_entries_of_no_row_or_of_no_meaning_are_not_passed_over(entries):
    for work in (corrected, changes):
        with pytest.raises(ValueError, match="entry for a row|not a decision"):
            work(table(3), entries)


def test_columns_about_one_answer_are_named(caplog):
    corrected(table(3, why_chosen=list("abc")), {0: entry("swap")})
    assert "'why_chosen' may be about one answer" in caplog.text and "1 swapped" in caplog.text


def test_sides():
    names = [
        "prompt",
        "chosen",
        "rejected",
        "chosenScore",
        "rejected_score",
        "rejectedScore",
        "score_j",
        "score_k",
        "better_by",
        "id",
    ]
    assert side_columns(names)[0] == ("chosen", "rejected") and ("score_j", "score_k") in side_columns(names)
    assert len({name for two in side_columns(names) for name in two}) == 2 * len(side_columns(names))


# Ties ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[True, False, None], ["True", "false", ""], [1, 0, 0], [1.0, 0.0, float("nan")]])
@pytest.mark.parametrize("layout", ["plain text", "implicit messages", "ids"])
def test_a_tie_is_left_out_and_counted(values, layout, model):
    rows = [LAYOUTS[layout][0] | dict(id=i, tie=value) for i, value in enumerate(values)]
    for dataset in (Dataset.from_list(rows), Dataset.from_list(rows).to_iterable_dataset()):
        prepared, report = prepare_dataset(dataset, model.tokenizer)
        assert (
            [row["id"] for row in prepared] == [1, 2]
            and report.dropped == {"tie": 1}
            and "1 dropped (tie)" in str(report)
        )


def test_a_bad_tie_names_its_row_and_column(model):
    rows = [PLAIN | dict(tie=value) for value in ("true", "false", "perhaps")]
    with pytest.raises(BadRowError, match="row 2, column 'tie': found str 'perhaps'; expected true or false"):
        prepare_dataset(Dataset.from_list(rows), model.tokenizer)
    assert prepare_dataset(Dataset.from_list(rows), model.tokenizer, on_bad_row="drop")[1].dropped == {
        "tie": 1,
        "bad tie": 1,
    }


def test_neckties_are_not_ties(model):
    prepared, report = prepare_dataset(
        Dataset.from_list([PLAIN | dict(tie="silk"), PLAIN | dict(tie="wool")]), model.tokenizer
    )
    assert len(prepared) == 2 and "column 'tie' is not read" in str(report) and "'silk'" in str(report)


def test_a_tie_s_prompt_is_not_on_both_sides_of_a_split():
    from rmkit.data import split_by_prompt

    whole = [
        {name: CHAT["prompt"] + CHAT[name] for name in ("chosen", "rejected")} | dict(tie=tie) for tie in (True, False)
    ]
    parts = split_by_prompt(Dataset.from_list(whole * 4), 0.5)
    assert not len(parts["test"]) or not len(parts["train"])


def test_the_trainer_takes_the_corrected_set_and_says_how_many_ties_it_leaves_out(model, tmp_path, caplog):
    scores = model.score_pairs(make_pairs(12, seed=0))
    better = corrected(scores, {0: entry("swap"), 1: entry("tie"), 2: entry("both bad"), 3: entry("drop")})
    config = RewardConfig(
        tmp_path,
        max_steps=1,
        per_device_train_batch_size=4,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = RewardTrainer(tiny_model(seed=0), config, train_dataset=better, processing_class=tiny_tokenizer())
    assert len(trainer.train_dataset) == 9 and "2 ties are left out" in caplog.text
    assert trainer.train_dataset[0]["chosen"] == make_pairs(12, seed=0)[0]["rejected"]
    trainer.train()


def test_rankings_come_back_as_pairs(model):
    scores = model.score_pairs(make_rankings(4, seed=0))
    assert ids_without(corrected(scores, {}), model) == ids_without(make_rankings(4, seed=0), model)


def ids_without(dataset, model):
    return [(row["chosen_ids"], row["rejected_ids"]) for row in prepare_dataset(dataset, model.tokenizer)[0]]


def test_a_pair_that_was_seen_elsewhere_is_none_of_this_table(tmp_path):
    "Rows alone are seen and undone: a view lists them"
    path, all_pairs = tmp_path / "review.jsonl", table()
    first = Review(all_pairs, path, reviewer="ann")
    for row in (0, 5):
        first.change(row, decision="swap", seen=True)
    few = Review(all_pairs.head(3), path, reviewer="ann")
    assert few.seen == {0} and few.undo() == 0 and few.undo() is None and not few.can_undo
    again = Review(all_pairs, path, reviewer="ann")
    assert again.seen == {0, 5} and again.entries == {5: dict(mark="", note="", decision="swap")}
