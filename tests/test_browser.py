"""What a browser makes of pages about hostile texts: nothing runs, nothing leaves, nothing breaks, and all of it can be read"""
import os
import shutil

import numpy as np
import pytest

from rmkit.data import as_text
from rmkit.report import write_report
from rmkit.scoring import clip, pair_scores, visible

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
         "--disable-component-update --disable-sync").split()

HIT = "window.hit=1"
PAYLOADS = [
    f"<script>{HIT}</script>",
    f"</script><script>{HIT}</script>",
    f"</style><script>{HIT}</script>",
    f"</title><script>{HIT}</script>",
    f"</textarea></pre></div></td></table><script>{HIT}</script>",
    f"--><script>{HIT}</script><!--",
    f"]]><script>{HIT}</script>",
    f"<svg/onload={HIT}>",
    f"<svg><script>{HIT}</script></svg>",
    f"</svg><img src=x onerror={HIT}>",
    f"<img src=x onerror={HIT}>",
    f"<img src='http://evil.invalid/a.png' onload={HIT}>",
    f"\"><img src=x onerror={HIT}>",
    f"'><img src=x onerror={HIT}>",
    f"\" onmouseover=\"{HIT}\" style=\"position:fixed;inset:0\" x=\"",
    f"<body onload={HIT}>",
    f"<iframe srcdoc='<script>parent.{HIT}</script>'></iframe>",
    "<iframe src='http://evil.invalid/'></iframe>",
    f"<details open ontoggle={HIT}>x</details>",
    f"<input autofocus onfocus={HIT}>",
    f"<a href='javascript:{HIT}'>click</a>",
    "<meta http-equiv=refresh content='0;url=http://evil.invalid/'>",
    "<base href='http://evil.invalid/'>",
    "<link rel=stylesheet href='http://evil.invalid/a.css'>",
    "<style>* {display: none !important}</style>",
    "<style>@import 'http://evil.invalid/b.css'",
    "<plaintext>",
    "<!--",
    "<div style='width:99999px;background:url(http://evil.invalid/c.png)'>",
    "<table><tr><td></table></div></div></article></section></body></html>",
    "{{ 7 * 7 }}{% raw %}{{ config }}",
    "alert(document.cookie); dialog = confirm('x')",
    "&lt;b&gt; &amp; &#60;script&#62; &nbsp; &notit;",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x00 \x08\x08\x08 \x7f \x9b31m",
    "\u202eright to left\u202c \u2066isolated\u2069 \u200bzero\u200dwidth \ufeff",
    "מימין לשמאל (א) 123 שלום",
    "lone \ud83d and \udc00 surrogates",
    "漢字 emoji 👩‍👩‍👧 é",
    "a" * 100_000,
    "wide " * 20_000,
    "line\n" * 5_000,
    "̸" * 3_000 + "zalgo",
    "[link](javascript:alert(1)) ![](http://evil.invalid/d.png)",
    "$$\\href{javascript:alert(1)}{x}$$ \\(\\unicode{x}\\)",
]

# The lowest contrast of any text with what is behind it, by the formula of WCAG 2.1, and whose it is
CONTRAST = """selector => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = rgb => rgb.slice(0, 3).map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = el => { for (; el; el = el.parentElement) {
    const colour = channels(getComputedStyle(el).backgroundColor); if (colour.length < 4 || colour[3] > 0) return colour }
    return [255, 255, 255] };
  return [...document.querySelectorAll(selector)].map(el => {
    const style = getComputedStyle(el), ink = channels(el.closest('svg') ? style.fill : style.color);
    const [dark, bright] = [light(ink), light(behind(el))].sort((a, b) => a - b);
    return [(bright + .05) / (dark + .05), el.tagName, el.textContent.slice(0, 40)] }).sort((a, b) => a[0] - b[0])[0] }"""


@pytest.fixture(scope="module")
def browser():
    "Headless Chromium; without one the tests are skipped, except in CI"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing = "playwright isn't installed"
    else:
        missing = None if CHROMIUM else "no Chromium on this machine"
    if missing:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    "A page opened in a browser, and what it tried to do"

    def __init__(self, browser, path, width=600, color_scheme="light"):
        self.path, self.dialogs, self.requests, self.errors = path, [], [], []
        self.context = browser.new_context(viewport=dict(width=width, height=900), color_scheme=color_scheme)
        self.page = self.context.new_page()
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(path.as_uri())
        self.page.wait_for_timeout(100)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def check(self):
        assert self.page.evaluate("window.hit") is None, "a script ran"
        assert not self.dialogs and not self.errors
        assert {url for url in self.requests if not url.startswith("data:")} == {self.path.as_uri()}, "a request left the page"
        wide, window = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= window, "the page is wider than the window"

    def texts(self, selector):
        return set(self.page.eval_on_selector_all(selector, "found => found.map(one => one.textContent)"))


def hostile_scores(start, n):
    "`n` pairs with every payload as prompt, chosen, rejected and source; all are wrong"
    texts, turn = PAYLOADS[start:start + n], (PAYLOADS[1:] + PAYLOADS[:1])[start:start + n]
    replies = [[dict(role="assistant", content=text)] for text in texts]
    return pair_scores(texts, replies, turn, np.zeros(len(texts)), np.arange(len(texts)) + 1.0, source=[text[:200] for text in texts])


def as_shown(value, limit):
    "What a page holds of a text: its middle cut out, everything visible"
    return "".join(map(visible, clip(as_text(value), limit)))


def test_payloads_are_many():
    assert len(set(PAYLOADS)) >= 30


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 6))
def test_report_of_hostile_texts(browser, tmp_path, start):
    scores, title = hostile_scores(start, 6), PAYLOADS[start]
    path = write_report(tmp_path / "report.html", scores, title=title, facts={title: PAYLOADS[start + 1]})
    with Visit(browser, path) as visit:
        visit.check()
        assert visit.page.locator("script, img, iframe, link, base").count() == 0
        for column in ("prompt", "chosen", "rejected"):
            assert {as_shown(text, 1200) for text in scores[column]} <= visit.texts(".pair .text")


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 10))
def test_pairs_in_a_notebook_of_hostile_texts(browser, tmp_path, start):
    scores, path = hostile_scores(start, 10), tmp_path / "pairs.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>pairs</title><body>{scores._repr_html_()}", encoding="utf-8")
    with Visit(browser, path) as visit:
        visit.check()
        for column in ("prompt", "chosen", "rejected"):
            assert {as_shown(text, 400) for text in scores[column]} <= visit.texts(".rmkit-text")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 600, 1200, 2000])
def test_report_can_be_read(browser, tmp_path, color_scheme, width):
    scores = hostile_scores(0, len(PAYLOADS))
    scores = scores.assign(length_chosen=range(len(scores)), length_rejected=5, reward_chosen=np.linspace(-2, 40, len(scores)))
    path = write_report(tmp_path / "report.html", scores, [dict(step=step, loss=1 / step) for step in range(1, 9)])
    with Visit(browser, path, width, color_scheme) as visit:
        visit.check()
        ratio, tag, text = visit.page.evaluate(CONTRAST, "h1, h2, h3, p, dt, dd, th, td, figcaption, .text, .soft, .tile b, .tile span, svg text")
        assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f}"
