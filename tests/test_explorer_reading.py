"How one pair is read: texts at once, switches that stay, Markdown, drafts; a page whose answers come when a test says so"
import json
import re

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
from playwright.sync_api import expect

from browser import Visit
from explorer import Reader
from hostile import EVIL, HIT, PAYLOADS
from rmkit.scoring import pair_scores, visible
from rmkit.visualizer import START, RewardVisualizer

MARKDOWN = """# A title
Some **bold** text with `code`, in
two lines.

| name | count |
|:-----|------:|
| cats | 2 |

```python
def f(x): return "<b>" + x
```
- [x] done
- [ ] not yet
"""
LONG = "\n".join(f"line {k}" for k in range(200))


def a_table():
    chosen = ["cat, dog.", MARKDOWN, LONG, "one two three"]
    rejected = ["cat, cat.", "plain text", LONG + "\nmore\n" * 100, "four five six"]
    prompts = [[dict(role="user", content="first turn: cat"), dict(role="assistant", content="a reply"),
                dict(role="user", content="Name 2 cats.")]] + [f"prompt {k}" for k in range(1, 4)]
    return pair_scores(prompts, chosen, rejected, np.array([2.0, 1, 0, -1]), np.zeros(4), length_chosen=range(4), length_rejected=range(4))


# Answers wait at `held` gates: a request is in window.asked at once, and answered when the test says `answer(what)`.
HELD = """source => {
  const ask = source.ask, gates = [], mine = {draft: {}, change: {ok: true}};
  window.asked = [];
  window.held = new Set(HOLD);
  window.fails = {};
  window.answer = what => { const k = gates.findIndex(gate => gate.what === what); gates.splice(k, 1)[0].open(); };
  source.ask = async request => {
    window.asked.push(structuredClone(request));
    if (window.held.has(request.what)) await new Promise(open => gates.push({what: request.what, open}));
    if (window.fails[request.what]) throw new Error(window.fails[request.what]);
    if (request.what === "tokens") return {id: request.pair, tokens: TOKENS, note: `tokens of pair ${request.pair}`};
    return mine[request.what] ?? ask(request);
  };
  return source;
}"""
SIDE = dict(text=["Hi", "\n\n", " ", "\t", "", "  \n", "cat"], reward=[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0], special=[0] * 7, start=1)


def held_page(folder, table=None, hold=(), change=lambda data: None):
    "A saved page that asks as a live one does; `change` may alter its data"
    viz = RewardVisualizer(a_table() if table is None else table)
    page = re.sub(r"<meta http-equiv=\"Content-Security-Policy\".*?>", "", viz.save(folder / "held.html").read_text(encoding="utf-8"))
    data = json.loads(re.search(r'id="rmkit-data">(.*?)</script>', page, re.S)[1])
    change(data)
    held = HELD.replace("HOLD", json.dumps(list(hold))).replace("TOKENS", json.dumps(dict(chosen=SIDE, rejected=SIDE)))
    start = START.replace("embedded(JSON.parse(document.getElementById('rmkit-data').textContent))",
                          f"({held})(embedded({json.dumps(data)}))".replace("</", "<\\/"))
    assert start != START
    path = folder / "held.html"
    path.write_text(page.replace(START, start), encoding="utf-8")
    return path.as_uri()


class Panel(Reader):
    "The panel of one pair"

    def __init__(self, visit):
        super().__init__(visit)
        self.tab("Pairs")
        self.choose("Sort", "in the order of the data")

    def open(self, i):
        self.row(i).click()
        self.opened(i)

    def asked(self, what):
        return [request for request in self.page.evaluate("window.asked") if request["what"] == what]

    def waits(self, what, n):
        self.page.wait_for_function("([what, n]) => window.asked.filter(each => each.what === what).length === n", arg=[what, n])

    def switch(self, name):
        return self.pair().get_by_role("button", name=name, exact=True)

    def on(self, name):
        return self.switch(name).get_attribute("aria-pressed") == "true"

    def boxes(self, side):
        return self.pair().locator(f".rmkit-{side} .rmkit-text")
