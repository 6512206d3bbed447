"The audit: it finds what was planted and is silent where nothing was; one thing to show, whatever shows it"
import json
import math
import re

import numpy as np
import pytest
from rich.cells import cell_len

from browser import CONTRAST, Visit
from hostile import PAYLOADS
from rmkit.audits import (audit, Audit, best_of_section, draw, Grid, in_words, MOST_SOURCES, pairs_to_audit, Picture,
                         Reading, rewards_of_answers, rewrites_section, Section, subsets_of)
from rmkit.cli import main
from rmkit.checks import Check
from rmkit.intervals import Estimate
from rmkit.metrics import wins
from rmkit.report import as_svg
from rmkit.scoring import RewardModel
from rmkit.snapshots import Snapshots
from rmkit.synthetic import make_pairs, make_rankings, tiny_model, tiny_tokenizer
from rmkit.table import pair_scores
from rmkit.words import as_text, visible


def words(texts):
    "How many words each response has"
    return np.array([len(as_text(text).split()) for text in texts])


def by_truth(rows, taste=lambda texts: 0, noise=0.01, scale=1.0, **more):
    "The table of a scorer that knows the true reward, and has a taste beside it"
    sides, rng = ("chosen", "rejected"), np.random.default_rng(0)
    rewards = [scale * (np.array(rows[f"true_{side}"]) + taste(rows[side]) + rng.normal(0, noise, len(rows)))
               for side in sides]
    more = dict(source=rows["source"]) | more
    return pair_scores(rows["prompt"], rows["chosen"], rows["rejected"], *rewards, length_chosen=words(rows["chosen"]),
                       length_rejected=words(rows["rejected"]), **more)


def warned(found):
    "The names of all that is to be looked at"
    return {check.name for check in [*found.checks.failed, *found.checks.warned]}


def noisy(n, n_sources=1, seed=0):
    "Pairs with random rewards that lean to the right side"
    rng = np.random.default_rng(seed)
    texts = [[f"{kind} {i}" for i in range(n)] for kind in ("prompt", "chosen", "rejected")]
    lengths = {f"length_{side}": rng.integers(1, 50, n) for side in ("chosen", "rejected")}
    return pair_scores(*texts, rng.normal(1, 1, n), rng.normal(0, 1, n), **lengths,
                       source=[f"s{i % n_sources}" for i in range(n)])


# Silence, and what was planted --------------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_planted_nothing_found(seed):
    found = audit(None, by_truth(make_pairs(600, seed=seed, split="test", label_noise=0)), quick=True)
    assert warned(found) == set() == {check.name for check in found.checks.of("unknown")}


def test_a_model_that_likes_length():
    rows = make_pairs(600, seed=1, split="test", label_noise=0)
    found = audit(None, by_truth(rows, lambda texts: 1.5 * words(texts)), quick=True)
    assert {"length", "preference for length", "correction for length"} <= warned(found)
    figures = found.figures
    assert figures["right where the shorter is better"].high < figures["right where the longer is better"].low
    assert figures["strength of the correction"].value > 0.5 and figures["gained by the correction"].low > 0


def test_a_model_that_has_learnt_labels_for_length():
    rows = make_pairs(600, seed=1, split="test", length_bias=1.0)
    found = audit(None, by_truth(rows, words), quick=True)  # as its labellers
    assert "length" in warned(found) and "preference for length" not in warned(found)
    assert found.figures["length rule"].low > 0.55


def test_a_model_that_likes_markdown():
    rows = make_pairs(600, seed=1, split="test", label_noise=0, format_bias=1e-9)  # half in Markdown, liked by nobody
    def bold(texts): return 2.0 * np.array(["**" in as_text(text) for text in texts])
    assert "style" not in warned(audit(None, by_truth(rows), quick=True))
    found = audit(None, by_truth(rows, bold), quick=True)
    assert "style" in warned(found) and "too much" in found["style"].checks[0].found


def test_flipped_labels():
    rows = make_pairs(600, seed=1, split="test", label_noise=0.15)
    found = audit(None, by_truth(rows), quick=True)
    assert "suspects" in warned(found) and found.figures["suspects"].low < 0.17 < found.figures["suspects"].high + 0.05
    suspects = found["suspects"].pairs
    assert suspects["suspicion"].is_monotonic_decreasing and suspects["suspect"].all()
    explorer = found.explore("suspects")
    assert explorer.shown.tolist() == list(range(len(suspects)))


def test_rewards_that_claim_too_much():
    rows = make_pairs(600, seed=1, split="test", label_noise=0)
    found = audit(None, by_truth(rows, scale=5), quick=True)
    assert warned(found) == {"confidence", "suspects"} and "too sure" in found["calibration"].checks[0].found
    figures = found.figures
    assert figures["temperature"].low > 2 and figures["error after"].value < figures["error before"].value


def test_one_source_that_is_guessed():
    rows = make_pairs(600, seed=1, split="test", label_noise=0)
    is_bad_N = np.array(rows["source"]) == "list"
    scores, guess_N = by_truth(rows), np.random.default_rng(0).normal(size=len(rows))
    scores = scores.assign(reward_chosen=np.where(is_bad_N, guess_N, scores["reward_chosen"]),
                           reward_rejected=np.where(is_bad_N, 0, scores["reward_rejected"]))
    found = audit(None, scores, quick=True)
    assert "weakest source" in warned(found) and "weakest on list" in found["accuracy"].checks[2].found
    assert [reading.note for reading in found.headline if reading.name == "weakest source"] == ["list"]


def test_swapped_columns_fail():
    scores = by_truth(make_pairs(600, seed=1, split="test"))
    swapped = scores.rename(columns=dict(reward_chosen="reward_rejected", reward_rejected="reward_chosen"))
    found = audit(None, swapped, quick=True)
    assert [check.name for check in found.checks.failed] == ["accuracy"]
    assert math.isnan(found.figures["suspects"].value) and "too little" in found.figures["suspects"].why


def test_rewards_in_16_bits():
    scores = noisy(1000)
    rounded = {name: scores[name].round(1) for name in ("reward_chosen", "reward_rejected")}
    assert "ties" in warned(audit(None, scores.assign(**rounded), quick=True))


# Any table ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("n, n_sources", [(1, 1), (2, 2), (400, 40)])
def test_few_pairs_and_many_sources(n, n_sources, tmp_path):
    found = audit(None, noisy(n, n_sources))
    assert found.save(tmp_path / "audit.html").stat().st_size > 1000
    assert max(map(len, str(found).splitlines())) <= 80 and found.card()
    for grid in (grid for section in found.sections for grid in section.grids if grid.title.startswith("By source")):
        assert len(grid.rows) == min(n_sources, MOST_SOURCES)
    assert found.as_dict() == Audit.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False))).as_dict()


def test_the_page_stays_small(tmp_path):
    found = audit(None, noisy(2000, 500), quick=True)
    assert found.save(tmp_path / "audit.html").stat().st_size < 400_000 and "30 largest of 500" in str(found)
    assert found["accuracy"].checks[2].status == "unknown"  # no source has prompts enough


def test_rewards_that_are_missing_are_counted():
    scores = noisy(100)
    scores.loc[:4, "reward_chosen"] = np.nan
    found = audit(None, scores, quick=True)
    assert found.facts["Pairs"] == "95" and found.facts["Without a reward"].startswith("5 pairs")
    with pytest.raises(ValueError, match="none of 100 pairs has a reward"):
        audit(None, scores.assign(reward_chosen=np.nan))


def test_without_lengths_it_says_so():
    scores = noisy(100).drop(columns=["length_chosen", "length_rejected"])
    found = audit(None, scores, quick=True)
    assert found["length"].checks[0].status == found["style"].checks[0].status == "unknown"
    assert "score_pairs" in found["length"].checks[0].remedy and math.isnan(found.figures["length rule"].value)


def test_a_number_that_cannot_be_had_says_why():
    found = audit(None, noisy(100))
    missing = {name: figure for name, figure in found.figures.items() if math.isnan(figure.value)}
    assert {"rewrites", "training suspects", "best of n", "models", "AUROC of the runs"} <= set(missing)
    assert all(figure.why for figure in missing.values())
    assert "candidates=" in missing["best of n"].why and "train=" in missing["training suspects"].why
    with pytest.raises(ValueError, match="no pairs to read"):
        found.explore("models")
    with pytest.raises(KeyError, match="there are accuracy"):
        found["nothing"]


def test_sources_by_name():
    assert subsets_of([]) == subsets_of(["a", "a"]) == {}
    assert {name: rows.tolist() for name, rows in subsets_of(["a", None, "a", 3, math.nan]).items()} == {
        "a": [0, 2], "–": [1, 4], "3": [3]}


# With a model -------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def asked():
    "Everything asked of an untrained model, and what was given"
    model, pairs = RewardModel(tiny_model(), tiny_tokenizer()), make_pairs(60, seed=3, split="test")
    other = RewardModel(tiny_model(1), tiny_tokenizer())
    given = dict(train=make_pairs(80), other=other, runs=[other], candidates=make_rankings(8, k=4, split="test"))
    return audit(model, pairs, n_prompts=8, progress=False, **given), model, pairs, other


def test_a_model_is_asked_all(asked):
    found, model, pairs, other = asked
    table = model.score_pairs(pairs, progress=False)
    assert [section.name for section in found.sections] == [
        "accuracy", "calibration", "length", "style", "suspects", "rewrites", "training suspects", "doubt", "best of n",
        "models"]
    assert found.figures["accuracy"].value == pytest.approx(wins(table["reward_margin"]).mean())
    for name in ("worst case", "Markdown against plain", "AUROC of the Laplace head", "AUROC of the runs",
                 "gold gained by it"):
        assert found.figures[name].low <= found.figures[name].value <= found.figures[name].high
    differ = found.explore("models").scores
    theirs = other.score_pairs(pairs, progress=False)["reward_margin"]
    assert len(differ) == ((table["reward_margin"] > 0) != (theirs > 0)).sum() > 0
    assert found.figures["accuracy of the other"].value == pytest.approx((theirs > 0).mean())


def test_a_table_of_the_model_gives_the_same(asked):
    found, model, pairs, other = asked
    table = model.score_pairs(pairs, progress=False)
    of_table = audit(model, table, quick=True)
    assert of_table.figures["log loss"] == pytest.approx(found.figures["log loss"], nan_ok=True)
    assert "quick" in of_table.facts["Form"] and of_table.model is model
    again = audit(model.model, table, tokenizer=model.tokenizer, n_prompts=2, other=table, progress=False)
    assert again.figures["first less other"].value == 0


def test_what_is_no_model():
    with pytest.raises(TypeError, match="needs its tokenizer"):
        audit(tiny_model(), make_pairs(4))
    with pytest.raises(ValueError, match="other model's table has 3 pairs"):
        found = audit(None, noisy(4), other=noisy(3))
        raise ValueError(found["models"].checks[0].why)


def test_snapshots_tell_labels_of_the_training(model, tokenizer):
    rows = make_pairs(40, label_noise=0.2)
    snapshots = Snapshots(rows)
    for step, seed in ((0, 1), (10, 0), (20, 0)):
        snapshots.take(step, RewardModel(tiny_model(seed), tokenizer))
    truth_N = np.array(rows["true_chosen"]) - np.array(rows["true_rejected"])
    snapshots.margins[1:] = [truth_N, 2 * truth_N]
    found = audit(None, noisy(50), snapshots=snapshots)
    suspects = found.explore("training suspects").scores
    assert len(suspects) and (truth_N[suspects["row"].astype(int)] < 0).all()


def test_best_of_n_turns():
    rng = np.random.default_rng(0)
    quality_GN, padding_GN = rng.normal(size=(80, 64)), rng.exponential(size=(80, 64))
    found = best_of_section(quality_GN + padding_GN, quality_GN - padding_GN)
    assert found.checks[0].status == "warn" and found.readings[0].estimate.value < 64
    assert found.readings[2].estimate.low > 0
    with pytest.raises(ValueError, match="two prompts"):
        best_of_section(quality_GN[:1], quality_GN[:1])


def test_caution_gains_where_runs_err_apart_and_nothing_where_they_err_together():
    rng = np.random.default_rng(0)
    gold_GN = rng.normal(size=(80, 16))
    apart_MGN = gold_GN + 6 * (rng.random((4, 80, 16)) < 0.1)
    def gain(rewards): return best_of_section(rewards, gold_GN).readings[-1].estimate
    assert gain(apart_MGN).low > 0
    assert "gold, chosen with caution" in best_of_section(apart_MGN, gold_GN).pictures[0].series
    assert gain(np.stack([apart_MGN[0]] * 4)).value == 0
    assert math.isnan(gain(apart_MGN[0]).value) and "runs=" in gain(apart_MGN[0]).why


def test_answers_and_their_judge(model, tokenizer):
    scorer, rows = RewardModel(model, tokenizer), make_rankings(3, k=3)
    (proxy_GN,), gold_GN = rewards_of_answers([scorer], scorer, rows)
    assert proxy_GN.shape == (3, 3) and (proxy_GN == gold_GN).all()
    gold_GN = rewards_of_answers([scorer], lambda prompts, responses: range(9), rows)[1]
    assert gold_GN.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    with pytest.raises(ValueError, match="true_rewards"):
        rewards_of_answers([scorer], None, rows.remove_columns("true_rewards"))


class LikesBold:
    def score(self, prompts, responses):
        return [(("**" in as_text(text)) + len(as_text(text)) * 1e-6) for text in responses]


def test_rewrites_find_bold():
    rows = make_pairs(40, seed=1, split="test")
    section = rewrites_section(LikesBold(), pairs_to_audit(by_truth(rows)), n_prompts=20)
    assert section.checks[0].status == "warn" and "Markdown on" in section.checks[0].found
    assert {row[0] for grid in section.grids[:2] for row in grid.rows} >= {"Markdown on", "empty"}


# Showing ------------------------------------------------------------------------------------------------------------

def hostile_audit():
    "Every payload in every place"
    def text(k): return PAYLOADS[k % len(PAYLOADS)]
    sections = []
    for k in range(0, len(PAYLOADS), 4):
        status = ("pass", "warn", "fail", "unknown")[k // 4 % 4]
        series = {text(k + 2)[:20]: [[0.0, 1.0, 0.5, 1.5], [1.0, 2.0, None, None]], "b": [[0.0, 1.0, None, None]]}
        picture = Picture(text(k), text(k + 1)[:40], "y", series)
        readings = [Reading(text(k + 3), Estimate(0.5, 0.4, 0.6, 9), "share", text(k)),
                    Reading(text(k + 2), Estimate(math.nan, why=text(k + 1)))]
        grid = Grid(text(k), {text(k + 1): "share", "n": "number"}, [[text(k + 2), 3], [text(k + 3), 4]])
        check = Check(text(k), status, text(k + 2), text(k + 3), text(k + 1))
        sections.append(Section(text(k), text(k), text(k + 1), [check], readings, [grid], [picture] * (k == 0)))
    return Audit(text(0), {text(1): text(2), "b": text(3)}, sections[0].readings, sections)


def test_page_is_self_contained(tmp_path):
    found = audit(None, noisy(200, 3), title="A <title>")
    page = found.save(tmp_path / "new" / "audit.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 3 and "A &lt;title&gt;" in page and "default-src 'none'" in page
    assert not re.search(r"<(script|link|iframe|object|img|base)\b", page)
    links = re.findall(r"(?:src|href|srcset)\s*=\s*[\"']?([^\"'>\s]*)|url\(([^)]*)\)", page)
    assert all((a or b).startswith(("#", "data:")) for a, b in links)
    assert found.save(tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_hostile_texts_are_escaped_everywhere(tmp_path):
    found = hostile_audit()
    html = found._repr_html_()
    assert not re.search(r"<(script|img|iframe|object|base|link)\b", html) and "\x1b" not in html
    text = str(found)
    assert max(map(cell_len, text.splitlines())) <= 80 and "\x1b" not in text and "\u202e" not in text
    card = found.card()
    assert not re.search(r"(?<!\\)[<\[`]", card) and "\x1b" not in card
    again = Audit.from_json(found.save_json(tmp_path / "audit.json"))
    assert again.as_dict() == found.as_dict()


def test_the_verdict_counts():
    assert hostile_audit().verdict.startswith(f"{len(hostile_audit().sections)} questions: ")
    assert Audit("", {}, [], []).verdict == "0 questions: nothing was asked."


def test_files_that_are_no_audit(tmp_path):
    file = tmp_path / "other.json"
    for text in ("{}", "[]", '{"title": "", "facts": {}, "headline": [{}], "sections": []}', "3"):
        file.write_text(text)
        with pytest.raises(ValueError, match="no audit"):
            Audit.from_json(file)


def test_numbers_in_words():
    assert in_words(Estimate(0.5, 0.25, 0.75), "share") == "50.0% (25.0 to 75.0)"
    assert in_words(Estimate(0.5), "share") == "50.0%"
    assert in_words(Estimate(math.nan)) == "–" and in_words(Estimate(1.0, 0.9, 1.1)) == "1.00 (0.90 to 1.10)"


def test_pictures_need_no_interval():
    svg = as_svg(draw, Picture("t", "x", "y", {"$a$": [[0.5, 0.5, None, None]]}, "xy", "diagonal"))
    assert svg.startswith("<svg") and "currentColor" in svg


def test_page_of_hostile_texts(browser, tmp_path):
    with Visit(browser, hostile_audit().save(tmp_path / "audit.html").as_uri(), 400) as visit:
        visit.check()
        assert visit.page.locator("script, img, iframe, link, base").count() == 0
        assert {" ".join(visible(text).split()) for text in PAYLOADS[2::4]} <= {
            " ".join(text.split()) for text in visit.texts(".rmkit-grid td")}


@pytest.fixture(scope="module")
def plain_page(tmp_path_factory):
    return audit(None, noisy(200, 3)).save(tmp_path_factory.mktemp("page") / "audit.html").as_uri()


@pytest.mark.parametrize("width, color_scheme", [(400, "dark"), (900, "light"), (1600, "dark")])
def test_page_can_be_read(browser, plain_page, width, color_scheme):
    with Visit(browser, plain_page, width, color_scheme=color_scheme) as visit:
        visit.check()
        ratio, tag, text = visit.page.evaluate(CONTRAST, "h1, h3, h4, p, li, td, th, b, figcaption, .rmkit-soft, "
                                                         "svg text")
        assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f}"
        visit.shoot(f"audit-{width}-{color_scheme}", full=True)


# On the command line ------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "A model, pairs, and the pairs with rewards"
    from rmkit.model import save_reward_model
    folder = tmp_path_factory.mktemp("audit")
    save_reward_model(tiny_model(), tiny_tokenizer(), folder / "tiny")
    make_pairs(40, split="test").to_json(folder / "pairs.jsonl")
    scored = noisy(40, 2).drop(columns=["reward_margin", "p_chosen"])
    scored.to_json(folder / "scored.jsonl", orient="records", lines=True)
    return folder


def test_rmkit_audit(folder, capsys):
    command = f"audit --model {folder}/tiny --dataset {folder}/pairs.jsonl --quick --output {folder}/new/audit"
    for kind in ("html", "json", "md"):
        assert main(f"{command}.{kind}".split()) == 0
    out = capsys.readouterr().out
    assert "Audit of" in out and "weakest source" in out and "Written to" in out
    assert Audit.from_json(folder / "new" / "audit.json").facts["Pairs"] == "40"
    assert "| accuracy |" in (folder / "new" / "audit.md").read_text()


def test_rmkit_audit_of_rewards_alone(folder, capsys):
    assert main(f"audit --dataset {folder}/scored.jsonl".split()) == 0
    assert "No model was given" in capsys.readouterr().out
    assert main(f"audit --dataset {folder}/pairs.jsonl".split()) == 2  # no rewards
    assert "reward_chosen" in capsys.readouterr().err
    assert main(f"audit --dataset {folder}/scored.jsonl --output a.txt".split()) == 2
    assert main(f"audit --dataset {folder}/scored.jsonl --by nothing".split()) == 2
