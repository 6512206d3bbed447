"Chromium without a screen, and a page in it: what it shows, and what it tried to do"
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# No name but this machine's own is looked up: what asks for another is seen to ask, and gets nothing.
FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
         "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars").split()
FLAGS.append("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")
HANGS = 300  # seconds after which nothing is waited for any more; what is, takes some on an idle machine
SCREENSHOTS = Path(__file__).resolve().parents[1] / "build" / "screenshots"

# A colour's channels from 0 to 255, mixed ones too, and the light in it, by the formula of WCAG 2.1
LIGHT = """
  const channels = colour => colour.match(/[\\d.]+(e-\\d+)?/g).map(Number)
    .map((c, i) => colour.startsWith('color(') && i < 3 ? 255 * c : c);
  const light = rgb => rgb.slice(0, 3).map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);"""
# The lowest contrast of any text with what is behind it, and whose it is
CONTRAST = """selector => {""" + LIGHT + """
  const behind = el => { const layers = []; for (; el; el = el.parentElement) {
      const layer = channels(getComputedStyle(el).backgroundColor); if (layer.length < 4) layer.push(1);
      if (layer[3] > 0) layers.push(layer); if (layer[3] === 1) break }
    return layers.reduceRight((under, over) => under.map((c, i) => over[3] * over[i] + (1 - over[3]) * c),
      [255, 255, 255]) };
  const seen = el => el.checkVisibility({opacityProperty: true, visibilityProperty: true})
    && el.getBoundingClientRect().width > 1
    && !el.closest(':disabled') && [...el.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll(selector)].filter(seen).map(el => {
    const style = getComputedStyle(el), ground = behind(el);
    const ink = channels(el.closest('svg') ? style.fill : style.color);
    let alpha = ink[3] ?? 1; for (let up = el; up; up = up.parentElement) alpha *= getComputedStyle(up).opacity;
    const mixed = ground.map((c, i) => alpha * ink[i] + (1 - alpha) * c);
    const [dark, bright] = [light(mixed), light(ground)].sort((a, b) => a - b);
    const name = el.tagName + '.' + (el.getAttribute('class') || '');
    return [(bright + .05) / (dark + .05), name, el.textContent.slice(0, 40)] })
    .sort((a, b) => a[0] - b[0])[0] }"""

# What axe-core finds within a selector: the kind of fault, how grave, where, and what to do
AXE = """async ([include, exclude, runOnly]) => {
  const rules = runOnly.length ? {runOnly} : {};
  const told = await axe.run({include, exclude}, {resultTypes: ["violations"], preload: false, ...rules});
  const grave = told.violations.filter(({impact}) => impact === "serious" || impact === "critical");
  return grave.flatMap(({id, impact, nodes}) => nodes.map(node =>
    `${id} (${impact}): ${node.html.slice(0, 200)} ${node.failureSummary.replace(/\\s+/g, " ")}`)) }"""


def unavailable(reason):
    "Skip with a reason; in CI, where everything has to be there, fail with it"
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def chromium():
    "A generator of one headless Chromium, for a fixture"
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        unavailable("playwright isn't installed")
    if not CHROMIUM:
        unavailable("no Chromium on this machine")
    expect.set_options(timeout=1000 * HANGS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    "A page opened in a browser, and what it tried to do"

    def __init__(self, browser, url, width=600, height=900, color_scheme="light", offline=False, home=None):
        self.url, self.home = url, home or url  # what begins with `home` is the page's own
        self.dialogs, self.requests, self.errors = [], [], []
        self.context = browser.new_context(viewport=dict(width=width, height=height), color_scheme=color_scheme)
        self.context.set_offline(offline)
        self.context.set_default_timeout(1000 * HANGS)
        self.page = self.context.new_page()
        self.page.on("dialog", self._answer)
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.context.on("page", lambda page: self.requests.append(f"a new window: {page.url}"))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error.stack or error}"))
        self.page.goto(url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def _answer(self, dialog):
        "What asks before the page is left is told yes; all else no"
        leaving = dialog.type == "beforeunload"
        self.dialogs.append(dialog.type if leaving else dialog.message)
        dialog.accept() if leaving else dialog.dismiss()

    def outside(self):
        "The addresses asked for that aren't the page's own"
        return [url for url in self.requests if not url.startswith((self.home, "data:", "blob:"))]

    def check(self):
        self.page.wait_for_timeout(100)  # for what takes a moment: an image's error, an animation
        assert self.page.evaluate("window.hit") is None, "a script ran"
        assert self.page.evaluate("({}).hit") is None, "every object's prototype was changed"
        assert not self.dialogs and not self.errors, [*self.dialogs, *self.errors]
        assert not self.outside(), "a request left the page"
        wide, window = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= window, "the page is wider than the window"

    def wait_for(self, selector, n):
        "Until the page has so many of them"
        count = "([selector, n]) => document.querySelectorAll(selector).length === n"
        self.page.wait_for_function(count, arg=[selector, n])

    def texts(self, selector):
        return set(self.page.eval_on_selector_all(selector, "found => found.map(one => one.textContent)"))

    def axe(self, selector=".rmkit", without=(), rules=()):
        """What axe-core holds for serious or critical within the selector, a sentence each. `without`: selectors of
        what is left out; `rules`: those that are asked for, all if none is named"""
        if not self.page.evaluate("'axe' in window"):
            folder = find_spec("axe_playwright_python").submodule_search_locations[0]
            self.page.evaluate((Path(folder) / "axe.min.js").read_text(encoding="utf-8") + "; null")
        return self.page.evaluate(AXE, [[selector], [*without], [*rules]])

    def media(self, kind="print", **more):
        """The page as on paper, or with "screen" as on a screen again; `color_scheme`: "light" or "dark"."""
        self.page.emulate_media(media=kind, **more)

    def print_pdf(self, name):
        "Print the page; the file's path"
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.pdf(path=SCREENSHOTS / f"{name}.pdf", print_background=False)
        return SCREENSHOTS / f"{name}.pdf"

    def shoot(self, name, full=False):
        "Keep a picture of the window; `full`: of the whole page"
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled", full_page=full)
