"What a browser makes of pages about hostile texts: nothing runs, leaves or breaks, and all of it can be read"
import numpy as np
import pytest

from browser import CONTRAST, Visit
from hostile import GROUPS, PAYLOADS
from rmkit.words import as_text
from rmkit.report import write_report
from rmkit.table import pair_scores
from rmkit.words import clip, visible


def hostile_scores(start, n):
    "`n` pairs with every payload as prompt, chosen, rejected and source; all are wrong"
    texts, turn = PAYLOADS[start:start + n], (PAYLOADS[1:] + PAYLOADS[:1])[start:start + n]
    replies = [[dict(role="assistant", content=text)] for text in texts]
    return pair_scores(texts, replies, turn, np.zeros(len(texts)), np.arange(len(texts)) + 1.0,
                       source=[text[:200] for text in texts])


def as_shown(value, limit):
    "What a page holds of a text: its middle cut out, everything visible"
    return "".join(map(visible, clip(as_text(value), limit)))


def test_payloads_are_many():
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 100 and len(GROUPS) >= 10


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 12))  # as many as its two lists of six hold
def test_report_of_hostile_texts(browser, tmp_path, start):
    texts = PAYLOADS[start:start + 12]
    scores, facts = hostile_scores(start, 12), {f"fact {n}": text for n, text in enumerate(texts)}
    path = write_report(tmp_path / "report.html", scores, title=texts[0], facts=facts)
    with Visit(browser, path.as_uri()) as visit:
        visit.check()
        assert visit.page.locator("script, img, iframe, link, base").count() == 0
        for column in ("prompt", "chosen", "rejected"):
            assert {as_shown(text, 1200) for text in scores[column]} <= visit.texts(".pair .text")


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 10))
def test_pairs_in_a_notebook_of_hostile_texts(browser, tmp_path, start):
    scores, path = hostile_scores(start, 10), tmp_path / "pairs.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>pairs</title><body>{scores._repr_html_()}",
                    encoding="utf-8")
    with Visit(browser, path.as_uri()) as visit:
        visit.check()
        for column in ("prompt", "chosen", "rejected"):
            assert {as_shown(text, 400) for text in scores[column]} <= visit.texts(".rmkit-text")
        assert {visible(source) for source in scores["source"]} <= visit.texts(".rmkit-note")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 600, 1200, 2000])
def test_report_can_be_read(browser, tmp_path, color_scheme, width):
    scores = hostile_scores(0, len(PAYLOADS))
    scores = scores.assign(length_chosen=range(len(scores)), length_rejected=5,
                           reward_chosen=np.linspace(-2, 40, len(scores)))
    path = write_report(tmp_path / "report.html", scores, [dict(step=step, loss=1 / step) for step in range(1, 9)])
    with Visit(browser, path.as_uri(), width, color_scheme=color_scheme) as visit:
        visit.check()
        ratio, tag, text = visit.page.evaluate(CONTRAST,
                                               "h1, h2, h3, p, dt, dd, th, td, figcaption, .text, .soft, .tile b, "
                                               ".tile span, svg text")
        assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f}"
