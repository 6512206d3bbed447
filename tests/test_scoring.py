import contextlib
import io
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset, DatasetDict, IterableDataset

from rmkit import scoring
from rmkit.data import prepare_dataset
from rmkit.metrics import pair_metrics
from rmkit.review import changes
from rmkit.running import join_samples
from rmkit.scoring import RewardModel
from rmkit.table import complete, pair_scores, PairScores
from rmkit.words import clip, visible
from rmkit.synthetic import make_pairs, make_rankings, tiny_causal_lm, tiny_model, tiny_tokenizer

ASK = [{"role": "user", "content": "Name 3 animals."}]
HOSTILE = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\x1b[2J\x1b]0;owned\x07", "\u202etxt.exe",
           "a\ud800b", "[red]x[/red]", "</style></table>", "\r\x08\x9b31m", "zero\u200bwidth\U000e0041", "{{7*7}}",
           "&lt;b&gt;"]


@pytest.fixture
def rm(model, tokenizer):
    return RewardModel(model, tokenizer)


def hostile_table():
    n = len(HOSTILE)
    return pair_scores(HOSTILE, [[{"role": "assistant", "content": text}] for text in HOSTILE], HOSTILE[::-1],
                       np.arange(n), np.full(n, 5), source=HOSTILE, margin=[None] * n)


# The table

def test_table_is_plain_pandas():
    table = pair_scores(["p", "q"], ["a", "b"], ["c", "d"], [1, 0], torch.tensor([[0.0], [2.0]]), length_chosen=[3, 4],
                        source=None)
    assert list(table) == ["prompt", "chosen", "rejected", "reward_chosen", "reward_rejected", "reward_margin",
                           "p_chosen", "length_chosen"]
    assert isinstance(table, pd.DataFrame) and isinstance(table[table.reward_margin < 0], PairScores)
    assert table.reward_margin.tolist() == [1, -2]
    np.testing.assert_allclose(table.p_chosen, [0.731059, 0.119203], atol=1e-6)
    assert pair_metrics(table)["accuracy"] == 0.5


@pytest.mark.parametrize("max_chars", [3, 400])
def test_html_is_escaped(max_chars):
    html = hostile_table().as_html(-1, HOSTILE[0], max_chars)
    assert "<script" not in html and "<img" not in html and "http" not in html
    assert html.count("</style>") == html.count("</table>") == 1 and html.count("<tr") == 1 + len(HOSTILE)
    assert visible(html) == html
    html.encode("utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_hostile_text_cannot_drive_the_terminal(encoding, monkeypatch):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    with contextlib.redirect_stdout(stream):
        hostile_table().show(-1, title=HOSTILE[2])
        print(repr(hostile_table()).encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
    shown = raw.getvalue().decode(encoding)
    assert visible(shown) == shown and "\\x1b[2J" in shown and "[red]x[/red]" in shown.replace("\n", "")


def test_half_a_surrogate_pair_stops_no_table():
    "Arrow refuses one, and pandas asks Arrow of every list of texts"
    half = "half \ud83d of one"
    rows = [dict(prompt=half, chosen=f"{half} a", rejected="b", source=half)] * 2
    table = RewardModel(tiny_model(), tiny_tokenizer()).score_pairs(rows)
    assert table["source"].tolist() == ["half ? of one"] * 2  # as everywhere where rows are read
    table = table.assign(**{name: pd.Series([half] * 2, dtype=object) for name in ("prompt", "source")})
    assert join_samples({"eval_a": table})["source"].tolist() == [f"a, {half}"] * 2
    for shown in (repr(table), repr(table[["prompt"]]), table[["prompt"]]._repr_html_(), table._repr_html_()):
        assert "half \\ud83d of one" in " ".join(shown.split()) and shown.encode()
    found = changes(table, {0: dict(note=half, decision="swap")})
    assert found["note"].tolist() == [half] and complete(table.to_dict("records"))["prompt"].tolist() == [half] * 2


def test_values_may_be_missing(capsys):
    table = pair_scores(["p"] * 3, ["a"] * 3, ["b"] * 3, [1, 2, 3], [0, 0, 0], source=[None, np.nan, pd.NA],
                        margin=[None, 1.0, np.nan], length_chosen=pd.array([1, None, 3], dtype="Int64"))
    table.show()
    assert "label margin 1.00" in table._repr_html_() and "nan" not in capsys.readouterr().out


def test_show_says_how_many_more(capsys):
    table = pair_scores(["p"] * 9, ["a"] * 9, ["b"] * 9, range(9), [4] * 9)
    table.show(2)
    out = capsys.readouterr().out
    assert "7 more" in out and "9 pairs, 4 right, 4 wrong, 1 tie" in out and out.count("WRONG") == 2
    table.show(-1)
    out = capsys.readouterr().out
    assert "more" not in out and out.count("WRONG") == 4 and out.count("TIE") == 1
    assert "9 pairs" in table._repr_html_() and "✗ wrong" in table._repr_html_() and "= tie" in table._repr_html_()


def test_long_text_is_cut_visibly():
    html = pair_scores(["p" * 10_000], ["a"], ["b"], [1], [0])._repr_html_()
    assert "[+9,600 characters]" in html and len(html) < 10_000
    head, note, tail = clip("abcdefghi", 6)
    assert (head, tail) == ("abcd", "hi") and "+3" in note


def test_visible_keeps_what_scripts_need():
    assert visible("漢字 עברית 👩‍👩‍👧 می‌خواهم\n\t") == "漢字 עברית 👩‍👩‍👧 می‌خواهم\n\t"


# Rewards

def test_batch_size_and_order_do_not_matter(rm, pairs):
    alone = rm.score(pairs["prompt"], pairs["chosen"], batch_size=1)
    assert alone.dtype == np.float32 and alone.shape == (64,)
    for kwargs in (dict(), dict(batch_size=7), dict(max_tokens=100), dict(max_tokens=1)):
        np.testing.assert_allclose(rm.score(pairs["prompt"], pairs["chosen"], **kwargs), alone, atol=1e-5)
    np.testing.assert_allclose(rm.score(pairs["prompt"][::-1], pairs["chosen"][::-1])[::-1], alone, atol=1e-5)


def test_reward_is_that_of_the_ids_trained_on(rm, pairs, model, tokenizer):
    ids = prepare_dataset(pairs, tokenizer)[0]["chosen_ids"]
    with torch.no_grad():
        expected = [model(torch.tensor([row])).logits.item() for row in ids]
    np.testing.assert_allclose(rm.score(pairs["prompt"], pairs["chosen"]), expected, atol=1e-5)
    np.testing.assert_allclose(rm.score_pairs(pairs).reward_chosen, expected, atol=1e-5)


def test_plain_text_is_read_as_rows_of_plain_text_are(rm, tokenizer, caplog):
    scoring._warn_of_plain_text.cache_clear()
    rows = Dataset.from_list([dict(prompt="Name 3 animals. ", chosen="cat dog fox", rejected="cat")] * 3)
    table = rm.score_pairs(rows)
    with caplog.at_level(logging.WARNING, "rmkit.scoring"):
        np.testing.assert_allclose(rm.score("Name 3 animals. ", ["cat dog fox", "cat"]),
                                   [table.reward_chosen[0], table.reward_rejected[0]], atol=1e-5)
        rm.score("Name 3 animals. ", "cat")  # says no more
    assert caplog.text.count("without the chat template") == 1


@pytest.mark.parametrize("trained_on", ["messages", "text"])
def test_text_is_read_as_the_training_rows_were(rm, trained_on, caplog):
    scoring._warn_of_plain_text.cache_clear()
    chat = rm.score(ASK, ["cat, dog, horse."])
    rm.model.config.reward_input = trained_on
    with caplog.at_level(logging.WARNING, "rmkit.scoring"):
        same = np.allclose(rm.score(ASK[0]["content"], ["cat, dog, horse."]), chat, atol=1e-6)
    assert same == (trained_on == "messages") and not caplog.text


def test_one_prompt_for_all_and_one_response(rm):
    answers = ["cat, dog, horse.", [{"role": "assistant", "content": "cat."}], ""]
    rewards = rm.score(ASK, answers)
    assert rewards.shape == (3,) and np.isfinite(rewards).all()
    np.testing.assert_allclose(rm.score(ASK, answers[0]), rewards[:1], atol=1e-5)
    np.testing.assert_allclose(rm.score([ASK] * 3, tuple(answers)), rewards, atol=1e-5)
    assert rm.score(ASK, []).shape == (0,)


def test_mode_of_the_model_is_restored(rm):
    rm.model.train()
    rm.score(ASK, "cat."), rm.token_rewards(ASK, "cat.")
    assert rm.model.training
    rm.model.eval()
    rm.score(ASK, "cat.")
    assert not rm.model.training


def test_compare_and_rank(rm):
    answers = ["cat, dog, horse.", "cat, cat, cat.", "red."]
    rewards = rm.score(ASK, answers)
    order, given = rm.rank(ASK, answers)
    assert order.tolist() == np.argsort(-rewards).tolist()
    np.testing.assert_allclose(given, rewards, atol=1e-5)
    np.testing.assert_allclose(rm.compare(ASK, answers[0], answers[1]), 1 / (1 + np.exp(rewards[1] - rewards[0])),
                               atol=1e-5)
    assert rm.compare(ASK, answers, answers[::-1])[1] == pytest.approx(0.5)
    assert rm.rank(ASK, ["cat."] * 3).order.tolist() == [0, 1, 2]


def test_token_rewards_end_with_the_reward(rm):
    tokens, rewards, special, start = rm.token_rewards(ASK, "cat, dog, horse.")
    assert len(tokens) == len(rewards) and "".join(tokens).endswith("horse.<|end|>")
    assert rewards[-1] == pytest.approx(rm.score(ASK, "cat, dog, horse.")[0], abs=1e-5)


def test_overlong_input_is_cut_as_in_training_and_reported(model, tokenizer, caplog):
    rm = RewardModel(model, tokenizer, max_length=40)
    long = [{"role": "user", "content": "cat " * 100 + "Name 3 animals."}]
    row = dict(prompt=long, chosen=[dict(role="assistant", content="cat, dog, fox.")],
               rejected=[dict(role="assistant", content="dog, cat, fox.")])
    table = rm.score_pairs([row])
    with caplog.at_level(logging.WARNING, "rmkit.scoring"):
        rewards = rm.score(long, [row["chosen"], "cat " * 50, row["rejected"]])
    np.testing.assert_allclose(rewards[[0, 2]], [table.reward_chosen[0], table.reward_rejected[0]], atol=1e-5)
    assert np.isnan(rewards[1]) and "2 of 3" in caplog.text and "1 of 3" in caplog.text and "number 1" in caplog.text
    with pytest.raises(ValueError, match="max_length=40"):
        rm.token_rewards(long, "cat " * 50)
    assert RewardModel(model, tokenizer).max_length == 512


def test_mistakes_are_named(rm, tokenizer):
    with pytest.raises(ValueError, match="2 prompts for 3 responses"):
        rm.score(["a", "b"], ["c", "d", "e"])
    with pytest.raises(TypeError, match="response 1.*int 3"):
        rm.score(ASK, ["a", 3])
    with pytest.raises(ValueError, match="row 1.*rejected"):
        rm.score_pairs([dict(prompt="p", chosen="a", rejected="b"), dict(prompt="p", chosen="a", rejected="")])
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match="chat template"):
        rm.score(ASK, "a")


# Data sets

def test_score_pairs_takes_any_format(rm, pairs, tokenizer):
    table = rm.score_pairs(pairs)
    assert len(table) == 64 and set(table.source) <= {"list", "say", "use", "recall"}
    assert (table.length_chosen > 0).all()
    stream = IterableDataset.from_generator(lambda: iter(pairs))
    tokenised = prepare_dataset(pairs, tokenizer)[0].select_columns(["chosen_ids", "rejected_ids"])
    for other in (list(pairs), stream, tokenised):
        np.testing.assert_allclose(rm.score_pairs(other).reward_margin, table.reward_margin, atol=1e-5)
    assert "<|assistant|>" in rm.score_pairs(tokenised).prompt[0]
    rankings = rm.score_pairs(make_rankings(8, k=3))
    assert (rankings.margin > 0).all() and rankings.prompt.map(str).nunique() <= 8


def test_bad_rows_can_be_dropped_and_are_reported(rm, caplog):
    rows = [dict(prompt="p", chosen="a", rejected="b"), dict(prompt="p", chosen="a", rejected="a")]
    with caplog.at_level(logging.WARNING, "rmkit.scoring"):
        assert len(rm.score_pairs(rows, on_bad_row="drop")) == 1
    assert "1" in caplog.text


# Loading

def test_saved_and_loaded_scores_the_same(rm, tmp_path, pairs):
    rm.model.save_pretrained(tmp_path), rm.tokenizer.save_pretrained(tmp_path)
    loaded = RewardModel.from_pretrained(tmp_path, device="cpu")
    np.testing.assert_allclose(loaded.score(pairs["prompt"], pairs["chosen"]),
                               rm.score(pairs["prompt"], pairs["chosen"]), atol=1e-5)


def test_a_model_without_a_trained_head_is_refused(tokenizer, tmp_path):
    tiny_causal_lm().save_pretrained(tmp_path / "lm"), tokenizer.save_pretrained(tmp_path / "lm")
    with pytest.raises(ValueError, match="language model"):
        RewardModel.from_pretrained(tmp_path / "lm")
    model = tiny_model()
    model.config.num_labels = 2
    type(model)(model.config).save_pretrained(tmp_path / "two"), tokenizer.save_pretrained(tmp_path / "two")
    with pytest.raises(ValueError, match="2 outputs"):
        RewardModel.from_pretrained(tmp_path / "two")


def test_reward_function(rm):
    reward = rm.as_reward_func("judge")
    assert reward.__name__ == "judge"
    completions = [[{"role": "assistant", "content": text}] for text in ("cat, dog, fox.", "")]
    got = reward(prompts=[ASK, ASK], completions=completions, completion_ids=[[1], []], trainer_state=None,
                 log_extra=None, log_metric=None)
    np.testing.assert_allclose(got, rm.score(ASK, completions), atol=1e-5)
    assert all(type(r) is float for r in got)
    assert reward(prompts=["a"], completions=["x " * 600]) == [None]


def test_thousands_of_responses(rm):
    rows = make_pairs(2000, seed=5)
    rewards = rm.score(rows["prompt"][:] * 2, rows["chosen"][:] + rows["rejected"][:], progress=False)
    np.testing.assert_allclose(rewards[[0, 1999, 2000]], rm.score([rows[i]["prompt"] for i in (0, 1999, 0)],
                               [rows[0]["chosen"], rows[1999]["chosen"], rows[0]["rejected"]]), atol=1e-5)


def test_a_message_that_says_nothing_is_no_empty_answer(model, tokenizer):
    for message in {"role": "assistant"}, {"role": "assistant", "content": None}:
        with pytest.raises(TypeError,
                           match="response 0: expected text or a list of messages with 'role' and 'content'"):
            RewardModel(model, tokenizer).score("Hi", [[message]])


@pytest.mark.parametrize("rows, said", [
    ("pairs.jsonl", "load_rows"), (Path("pairs.jsonl"), "load_rows"), ({"test": make_pairs(2)}, "parts: 'test'"),
    (DatasetDict(a=make_pairs(2), b=make_pairs(2)), "parts: 'a', 'b'"), (["a", "b"], "a row is a dict")])
def test_what_is_no_rows_is_told(rows, said):
    with pytest.raises(TypeError, match=said):
        RewardModel(tiny_model(), tiny_tokenizer()).score_pairs(rows)
