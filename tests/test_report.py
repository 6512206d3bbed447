"The report page: one file, nothing from elsewhere, every text escaped, any table of scored pairs"
import re

import numpy as np
import pytest

from rmkit.metrics import headline
from rmkit.report import as_svg, noteworthy, pictures, shown, subset_table, write_report
from rmkit.plots import plot_rewards
from rmkit.table import pair_scores


def scored(n, seed=0, **more):
    "`n` pairs with random rewards that lean to the right side"
    rng = np.random.default_rng(seed)
    texts = [[f"{kind} {i}" for i in range(n)] for kind in ("prompt", "chosen", "rejected")]
    lengths = {f"length_{k}": rng.integers(1, 50, n) for k in ("chosen", "rejected")}
    return pair_scores(*texts, rng.normal(1, 1, n), rng.normal(0, 1, n), **lengths, **more)


def test_page_is_self_contained(tmp_path):
    log = [dict(step=i, epoch=i / 10, loss=1 / i, accuracy=.5, margin=.1) for i in range(1, 10)]
    path = write_report(tmp_path / "new" / "report.html", scored(200, source=["a", "b"] * 100), log, "A title",
                        {"Model": "mine"})
    page = path.read_text(encoding="utf-8")
    assert page.count("<figure>") == 5 and page.count("<article") == 12
    assert "A title" in page and "mine" in page and "prefers-color-scheme: dark" in page
    assert not re.search(r"<(script|link|iframe|object|img|base)\b", page)
    links = re.findall(r"(?:src|href|srcset)\s*=\s*[\"']?([^\"'>\s]*)|url\(([^)]*)\)", page)
    assert all((a or b).startswith(("#", "data:")) for a, b in links)


def test_same_scores_same_page(tmp_path):
    scores = scored(50)
    assert write_report(tmp_path / "a.html", scores).read_bytes() == write_report(
        tmp_path / "b.html", scores).read_bytes()


@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_few_pairs(tmp_path, n):
    assert write_report(tmp_path / "report.html", scored(n)).stat().st_size > 1000


def test_no_pairs(tmp_path):
    with pytest.raises(ValueError, match="no pairs"):
        write_report(tmp_path / "report.html", scored(0))


def test_large_table_makes_a_page_to_open(tmp_path):
    "The size doesn't grow with the pairs"
    assert write_report(tmp_path / "report.html",
                        scored(20_000, source=[f"s{i % 500}" for i in range(20_000)])).stat().st_size < 1_500_000


def test_equal_rewards(tmp_path):
    scores = pair_scores(["p"] * 3, ["a"] * 3, ["b"] * 3, [1.0] * 3, [1.0] * 3)
    page = write_report(tmp_path / "report.html", scores).read_text(encoding="utf-8")
    assert "Most confidently wrong" not in page and "100.0% with equal rewards" in page


def test_without_lengths_there_is_no_length_rule():
    scores = scored(30).drop(columns=["length_chosen", "length_rejected"])
    assert "Length rule" not in [name for name, *_ in headline(scores)]
    assert not any("length" in caption for caption in pictures(scores))
    assert subset_table(scores)["rows"][-1][5] == "–"


def test_truth_is_compared_where_known():
    scores = scored(100)
    truth = scores.assign(true_chosen=2.0, true_rejected=[1.0, 3.0] * 50)
    assert ("True reward", "50.0%") in [line[:2] for line in headline(truth)]
    assert len(pictures(truth)) == len(pictures(scores)) + 1


def test_noteworthy_pairs_are_the_right_ones():
    scores = pair_scores(list("abcd"), list("wxyz"), list("WXYZ"), [0.0, 5.0, 0.0, 1.0], [3.0, 0.0, 1.0, 0.9])
    found = noteworthy(scores, n=2)
    assert [row["prompt"] for row in found["Most confidently wrong"]] == ["a", "c"]
    assert [row["prompt"] for row in found["Least certain"]] == ["d", "c"]


def test_subsets_are_escaped_and_limited(tmp_path):
    scores = scored(40, source=[f"<b>{i}</b>" for i in range(40)])
    table = subset_table(scores, most=30)
    assert len(table["rows"]) == 31 and table["rows"][-1][:2] == ["all", "40"]
    page = write_report(tmp_path / "report.html", scores).read_text(encoding="utf-8")
    assert "<b>0</b>" not in page and "&lt;b&gt;" in page


def test_shown_text():
    assert shown([dict(role="user", content="hi")]) == "hi"
    assert shown("x" * 100, limit=30).count("x") == 30 and "+70 characters" in shown("x" * 100, limit=30)
    assert "\x1b" not in shown("\x1b[31m") and "\u202e" not in shown("\u202e")


def test_pictures_take_the_pages_colour():
    svg = as_svg(plot_rewards, scored(50))
    assert svg.startswith("<svg") and "currentColor" in svg and "#010203" not in svg
