"""The kernel's side of the explorer and the dashboard: what the view is sent, and what it is answered.
Runs under ipywidgets 8 here, and under 7.7 from test_explorer_widgets7.py."""
import json
import time
import unicodedata
from types import SimpleNamespace

import numpy as np
import pytest
from transformers import TrainerControl, TrainerState

from explorer import an_explorer, order
from hostile import PAYLOADS
from rmkit.dashboard import Dashboard
from rmkit.table import pair_scores
from rmkit.words import visible
from rmkit.visualizer import RewardVisualizer


@pytest.fixture(scope="module")
def viz():
    return an_explorer()


@pytest.fixture
def told(viz, monkeypatch):
    "What the kernel sends; and `told.ask`, which delivers a message as a front end does"
    sent = []
    monkeypatch.setattr(type(viz.widget), "send", lambda self, content,
                        buffers=None: sent.append(json.loads(json.dumps(content))))

    def ask(**request):
        message = dict(content=dict(data=dict(method="custom", content=dict(id=f"view-{len(sent)}", **request))),
                       buffers=[])
        before = len(sent)
        viz.widget._handle_msg(message)
        while len(sent) == before:  # what asks the model is answered by a thread of its own
            time.sleep(.01)
        return sent[-1]
    return SimpleNamespace(sent=sent, ask=ask)


def test_shows_itself_as_a_widget_a_table_and_text(viz):
    bundle = viz._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == viz.widget.model_id
    assert "<table" in bundle["text/html"] and "60 pairs" in bundle["text/plain"]
    state = viz.widget.get_state()
    assert state["_model_module"] == "anywidget" and state["_view_module"] == "anywidget"
    meta = json.loads(viz.widget.meta)
    assert meta["n"] == 60 and len(meta["columns"]["reward_margin"]) == 60
    assert {picture["id"] for picture in meta["pictures"]} == {"rewards", "margins", "reliability", "length_gap",
                                                               "source"}


def test_answers_with_the_number_of_the_question(viz, told):
    reply = told.ask(what="rows", ids=[5, 3])
    assert reply["id"] == "view-0" and [row["id"] for row in reply["reply"]] == [5, 3]
    pair = told.ask(what="pair", pair=7)["reply"]
    assert pair["chosen"][-1]["text"] == visible(viz.scores.at[7, "chosen"][-1]["content"])
    assert "".join(piece for _, piece in pair["diff"]["chosen"]) == pair["chosen"][-1]["text"]
    assert "tokens" not in pair, "texts come without a word from the model"
    tokens = told.ask(what="tokens", pair=7)["reply"]["tokens"]
    assert np.isclose(tokens["chosen"]["reward"][-1], viz.scores.at[7, "reward_chosen"], atol=1e-4)


def test_scores_what_was_edited(viz, told):
    chosen = viz.scores.at[7, "chosen"]
    untouched = dict(prompt=[dict(role=m["role"], text=None) for m in viz.scores.at[7, "prompt"]],
                     chosen=[dict(role="assistant", text=None)],
                     rejected=[dict(role="assistant", text=chosen[-1]["content"])])
    reply = told.ask(what="score", pair=7, **untouched)["reply"]
    assert np.isclose(reply["reward_chosen"], viz.scores.at[7, "reward_chosen"], atol=1e-4)
    assert reply["reward_rejected"] == reply["reward_chosen"], "the same text has the same reward"


def test_errors_are_sentences(viz, told):
    assert "run the cell again" in told.ask(what="nonsense")["error"]
    assert "Traceback" not in told.ask(what="pair", pair=10_000)["error"]
    assert told.ask(what="pair", pair=1)["reply"], "and the view goes on"
    busy = RewardVisualizer(viz.scores, model=viz.model, busy=lambda: True)
    with pytest.raises(ValueError, match="trained"):
        busy.answer(dict(what="score", pair=0, prompt=[], chosen=[], rejected=[]))
    assert busy.answer(dict(what="tokens", pair=0)) == dict(id=0, tokens=None,
                                                            note="The model is being trained; rewards of single "
                                                            "tokens can be read when the run is over.")


def test_marks_go_out_and_come_back(viz, told, tmp_path):
    kept = {4: dict(mark="unclear", note="a\u202eb")}
    told.ask(what="change", pair=4, mark="unclear")
    told.ask(what="change", pair=4, note="a\u202eb")
    assert viz.marks == kept, "a note leaves the mark"
    for format in ("jsonl", "parquet"):
        file = told.ask(what="export", rows="marks", ids=[4], format=format)["reply"]
        assert file["name"].endswith(format) and file["base64"]
    path = viz.export(tmp_path / "marks.jsonl")
    viz.mark(4)
    assert not viz.marks
    again = RewardVisualizer(viz.scores)
    assert "1 taken" in again.answer(dict(what="take_marks", text=path.read_text()))["message"]
    assert again.marks == kept


def state(viz, name):
    "What every view is told"
    return json.loads(getattr(viz.widget, name))


def test_every_view_follows(viz, told):
    "What one view did, and what Python did, is in the state from which any view is drawn"
    told.ask(what="change", pair=4, decision="swap", seen=True)
    viz.mark(5, "unclear")
    told.ask(what="change", pair=5, note="why")
    entries = state(viz, "review")["entries"]
    assert entries == {"4": dict(mark="", note="", decision="swap"), "5": dict(mark="unclear", note="why")}
    assert state(viz, "review")["seen"] == [4] and state(viz, "review")["undo"]
    assert [told.ask(what="undo")["reply"]["pair"] for _ in range(3)] == [5, 5, 4]
    assert not viz.marks and not state(viz, "review")["entries"]

    told.ask(what="place", place=dict(filters=dict(verdict="wrong"), sort=dict(by="data", down=True), open=9))
    wrong = np.flatnonzero(viz.scores["reward_margin"] < 0)
    assert viz.selected == 9 and viz.shown.tolist() == wrong[::-1].tolist()
    assert viz.filter(verdict="right", sort="reward_margin").tolist() == viz.shown.tolist()
    viz.open(3)
    place = state(viz, "place")
    assert (place["filters"]["verdict"], place["sort"],
            place["open"]) == ("right", dict(by="reward_margin", down=False), 3)
    assert len(viz.filter()) == 60

    told.ask(what="draft", pair=2, texts=dict(chosen=["a"]))
    assert state(viz, "drafts") == {"2": dict(chosen=["a"])}
    told.ask(what="draft", pair=2, texts=None)
    assert state(viz, "drafts") == {}


def test_a_change_that_cannot_be_kept_is_an_error_and_no_change(viz, told):
    for change in (dict(decision="maybe"), dict(mark="bad"), dict(color="red"), dict(note=3),
                   dict(edit=dict(chosen=["a", "b", "c"]))):
        assert told.ask(what="change", pair=1, **change)["error"], change
    assert "0 to 59" in told.ask(what="change", pair=61, mark="unclear")["error"]
    assert not viz.marks


def test_a_correction_comes_as_texts_and_goes_as_messages(viz, told):
    told.ask(what="change", pair=7, edit=dict(chosen=[None] * (len(viz.scores.at[7, "chosen"]) - 1) + ["better"]))
    assert viz.marks[7]["edit"]["chosen"][-1] == dict(viz.scores.at[7, "chosen"][-1], content="better")
    assert state(viz, "review")["entries"]["7"]["edit"]["chosen"][-1] == "better"
    assert viz.corrected()[7]["chosen"][-1]["content"] == "better"
    told.ask(what="change", pair=7, edit=None)
    assert not viz.marks


def test_search_is_case_insensitive(viz, told):
    found = told.ask(what="search", text="NAME")["reply"]["ids"]
    assert found == told.ask(what="search", text="name")["reply"]["ids"] and 0 < len(found) < 60


def test_no_control_character_reaches_a_terminal():
    "Every payload in every place; a terminal gets line ends and nothing else that moves its cursor or names its window"
    replies = [[dict(role="assistant", content=text)] for text in PAYLOADS]
    scores = pair_scores(PAYLOADS, replies, PAYLOADS[::-1], np.zeros(len(PAYLOADS)), np.arange(len(PAYLOADS)) + 1.0,
                         source=PAYLOADS)
    viz = RewardVisualizer(scores, title=PAYLOADS[0])
    for text in PAYLOADS[:40] + [text for text in PAYLOADS if "\x1b" in text or "\u202e" in text]:
        viz.title = text
        assert "\x1b" not in repr(viz)
    for text in (repr(scores), repr(viz), repr(scores.iloc[150:190]), viz._repr_mimebundle_()["text/plain"]):
        moving = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t"}
        assert not moving
        text.encode("utf-8")
    json.dumps(viz.meta(), allow_nan=False).encode("ascii")


@pytest.mark.parametrize("i", range(0, len(PAYLOADS), 5))
def test_answers_about_hostile_texts_are_plain(i):
    texts = PAYLOADS[i:i + 5]
    viz = RewardVisualizer(pair_scores(texts, [[dict(role=text[:20], content=text)] for text in texts], texts[::-1],
                                       np.zeros(len(texts)), np.ones(len(texts)), source=texts))
    for k, text in enumerate(texts):
        pair = viz.answer(dict(what="pair", pair=k))
        assert pair["chosen"][0]["text"] == visible(text)
        json.dumps([pair, viz.answer(dict(what="rows", ids=[k]))], ensure_ascii=False).encode("utf-8")
        if text.strip():
            assert k in viz.answer(dict(what="search", text=visible(text)[:1000].strip("\n")))["ids"]


def test_the_dashboard_hears_stop():
    "What the button sends, as the front end delivers it"
    dashboard = Dashboard(True)
    args = SimpleNamespace(run_name=None, output_dir="runs/tiny")
    state = TrainerState(max_steps=9, num_train_epochs=1)
    control = TrainerControl()
    dashboard.on_train_begin(args, state, control)
    dashboard.display.widget._handle_msg(dict(content=dict(data=dict(method="custom", content=dict(what="stop"))),
                                              buffers=[]))
    state.global_step = 1
    dashboard.on_step_end(args, state, control)
    assert control.should_training_stop and control.should_save
    dashboard.on_train_end(args, state, control)


def test_the_list_starts_with_the_worst(viz):
    columns = viz.meta()["columns"]
    assert viz.scores["reward_margin"].argmin() == order(columns["reward_margin"])[0]
