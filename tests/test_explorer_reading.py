"How one pair is read: texts at once, switches that stay, Markdown, drafts; answers come when a test says so"
import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
from playwright.sync_api import expect

from browser import Visit
from explorer import Reader
from hostile import EVIL, HIT, PAYLOADS
from jupyter import Server
from rmkit.table import pair_scores
from rmkit.browser import START
from rmkit.visualizer import RewardVisualizer

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
    return pair_scores(prompts, chosen, rejected, np.array([2.0, 1, 0, -1]), np.zeros(4), length_chosen=range(4),
                       length_rejected=range(4))


# A request is in window.asked at once. Those that are held wait until the test says answer(what), the first first.
HELD = """source => {
  const {ask, get, follow} = source, gates = [];
  Object.assign(window, {asked: [], held: new Set(HOLD), fails: {}, drafts: DRAFTS});
  window.answer = what => gates.splice(gates.findIndex(gate => gate.what === what), 1)[0].open();
  source.ask = async request => {
    window.asked.push(structuredClone(request));
    if (window.held.has(request.what)) await new Promise(open => gates.push({what: request.what, open}));
    if (window.fails[request.what]) throw new Error(window.fails[request.what]);
    if (request.what === "tokens") return {id: request.pair, tokens: TOKENS, note: `tokens of pair ${request.pair}`};
    return ask(request);
  };
  source.get = name => name === "drafts" ? window.drafts : get(name);
  source.follow = callback => { window.follow = callback; return follow(callback); };
  return source;
}"""
SIDE = dict(text=["Hi", "\n\n", " ", "\t", "", "  \n", "cat"], reward=[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0],
            special=[0] * 7, start=1)


def held_page(folder, table=None, hold=(), change=lambda data: None, drafts=None):
    "A saved page that asks as a live one does; `change` may alter its data"
    path = RewardVisualizer(a_table() if table is None else table).save(folder / "held.html")
    page = re.sub("<meta http-equiv=\"Content-Security-Policy\".*?>", "", path.read_text(encoding="utf-8"))
    data = json.loads(re.search(r'id="rmkit-data">(.*?)</script>', page, re.S)[1])
    change(data)
    held = HELD.replace("HOLD", json.dumps(list(hold))).replace("DRAFTS", json.dumps(drafts or {}))
    held = held.replace("TOKENS", json.dumps(dict(chosen=SIDE, rejected=SIDE)))
    source = json.dumps(data).replace("<", "\\u003c")
    start = f"mount(document.getElementById('rmkit'), ({held})(embedded({source})));"
    assert START in page
    path.write_text(page.replace(START, start), encoding="utf-8")
    return path.as_uri()


class Panel(Reader):
    "The panel of one pair"

    def __init__(self, visit, scope=None):
        super().__init__(visit, scope)
        self.tab("Pairs")
        self.choose("Sort", "in the order of the data")

    def open(self, i):
        self.row(i).click()
        self.opened(i)

    def asked(self, what):
        return [request for request in self.page.evaluate("window.asked") if request["what"] == what]

    def waits(self, what, n):
        count = "([what, n]) => window.asked.filter(each => each.what === what).length === n"
        self.page.wait_for_function(count, arg=[what, n])

    def switch(self, name):
        return self.pair().get_by_role("button", name=name, exact=True)

    def on(self, name):
        return self.switch(name).get_attribute("aria-pressed") == "true"

    def boxes(self, side):
        return self.pair().locator(f".rmkit-texts .rmkit-{side} .rmkit-text")


# Texts at once --------------------------------------------------------------------------------------------------------

def test_the_new_pair_is_there_before_its_texts_and_a_late_answer_is_dropped(browser, tmp_path):
    with Visit(browser, held_page(tmp_path, hold=["pair"]), width=1000) as visit:
        panel = Panel(visit)
        panel.row(0).click()
        expect(panel.pair()).to_have_attribute("aria-label", "Pair 0")
        expect(panel.pair()).to_have_attribute("aria-busy", "true")
        expect(panel.pair()).to_contain_text("Reading the texts…")
        assert "right" in panel.pair().locator("header").inner_text() and "2.00" in panel.pair().inner_text()
        panel.page.evaluate("window.answer('pair')")
        panel.opened(0)
        expect(panel.boxes("chosen")).to_have_text("cat, dog.")
        panel.row(3).click()
        assert panel.boxes("chosen").count() == 0, "nothing of the pair before is left"
        panel.press("Mislabelled")
        assert panel.asked("change")[-1] == dict(what="change", pair=3, mark="mislabelled")
        panel.row(2).click()
        panel.page.evaluate("window.answer('pair')")  # pair 3, late
        expect(panel.pair()).to_contain_text("Reading the texts…")
        panel.page.evaluate("window.answer('pair')")
        panel.opened(2)
        expect(panel.boxes("chosen")).to_have_text(LONG)
        visit.check()


def test_texts_that_fail_say_so_and_are_asked_for_again(browser, tmp_path):
    with Visit(browser, held_page(tmp_path), width=1000) as visit:
        panel = Panel(visit)
        panel.page.evaluate("window.fails.pair = 'out of <b>luck</b>'")
        panel.row(1).click()
        expect(panel.pair().locator(".rmkit-failed")).to_contain_text("out of <b>luck</b>")
        panel.page.evaluate("delete window.fails.pair")
        panel.press("Try again")
        expect(panel.boxes("rejected")).to_have_text("plain text")
        assert panel.pair().locator(".rmkit-failed").count() == 0
        visit.check()


def test_token_rewards_are_read_on_demand_for_the_pair_that_is_open(browser, tmp_path):
    with Visit(browser, held_page(tmp_path, hold=["tokens"]), width=1000) as visit:
        panel = Panel(visit)
        panel.open(0)
        panel.page.keyboard.press("j")
        panel.opened(1)
        assert not panel.asked("tokens")
        panel.page.keyboard.press("r")
        panel.waits("tokens", 1)
        expect(panel.pair()).to_contain_text("Reading both responses token by token…")
        for i in (2, 3):  # the rest goes on meanwhile
            panel.page.keyboard.press("j")
            panel.opened(i)
        panel.page.evaluate("window.answer('tokens')")
        panel.waits("tokens", 2)
        assert [request["pair"] for request in panel.asked("tokens")] == [1, 3], "none for a pair that was passed"
        assert panel.pair().locator(".rmkit-token").count() == 0, "an answer about another pair is dropped"
        panel.page.evaluate("window.fails.tokens = 'busy'; window.answer('tokens')")
        expect(panel.pair().locator(".rmkit-failed")).to_contain_text("busy")
        panel.page.evaluate("delete window.fails.tokens; window.held.clear()")
        panel.press("Try again")
        expect(panel.pair()).to_contain_text("tokens of pair 3")
        for _ in range(2):
            panel.press("Tokens")
        expect(panel.pair()).to_contain_text("tokens of pair 3")
        assert len(panel.asked("tokens")) == 3, "what was read is kept"
        visit.check()


def test_white_space_tokens_can_be_heard_and_seen(browser, tmp_path):
    with Visit(browser, held_page(tmp_path), width=1000) as visit:
        panel = Panel(visit)
        panel.open(0)
        panel.press("Tokens")
        tokens = panel.pair().get_by_role("listbox", name="Tokens of chosen").get_by_role("option")
        expect(tokens).to_have_count(6)
        names = [tokens.nth(k).get_attribute("aria-label") for k in range(6)]
        assert names == ["2 line ends", "space", "tab", "nothing", "2 spaces, line end", None]
        signs = tokens.evaluate_all("found => found.map(one => getComputedStyle(one, '::before').content)")
        assert signs == ['"↵↵"', '"·"', '"→"', '"∅"', '"··↵"', "none"]
        visit.check()


# Switches -------------------------------------------------------------------------------------------------------------

def shares(*values):
    def change(data):
        for row, share in zip(data["rows"], values):
            row["diff"]["share"] = share
    return change


def test_switches_stay_over_pairs_and_in_the_browser(browser, tmp_path):
    with Visit(browser, held_page(tmp_path), width=1000) as visit:
        panel = Panel(visit)
        panel.open(0)
        turns = panel.pair().locator("details")
        assert [turn.get_attribute("open") for turn in turns.all()] == [None, None, ""]
        for key, name in dict(o="Turns open", w="Monospace", m="Markdown", l="Scroll together").items():
            panel.page.keyboard.press(key)
            assert panel.on(name) and panel.switch(name).get_attribute("aria-keyshortcuts") == key.upper()
        panel.press("Full length")
        panel.press("Tokens")
        assert turns.first.get_attribute("open") == ""
        panel.open(1)
        assert "mono" in panel.boxes("chosen").evaluate("box => getComputedStyle(box).fontFamily")
        visit.page.reload()
        panel = Panel(visit)
        panel.open(0)
        assert all(panel.on(name) for name in ("Turns open", "Monospace", "Markdown", "Scroll together", "Full length"))
        assert not panel.on("Tokens"), "a model isn't asked because somebody asked it yesterday"
        visit.check()


def test_differences_are_marked_where_they_help_or_by_hand(browser, tmp_path):
    with Visit(browser, held_page(tmp_path, change=shares(0.4, 0.8, 0.9, 0.5)), width=1000) as visit:
        panel = Panel(visit)
        panel.open(0)
        marks = panel.pair().locator("mark")
        assert panel.on("Differences") and marks.count()
        panel.open(1)
        assert not panel.on("Differences") and not marks.count()
        expect(panel.switch("Differences")).to_have_accessible_description(
            "Differences are off here: they would mark 80% of the responses.")
        panel.page.keyboard.press("x")
        assert panel.on("Differences") and marks.count()
        panel.open(2)
        assert panel.on("Differences"), "by hand, it stays"
        panel.press("Markdown")
        assert not panel.on("Differences") and not marks.count()
        expect(panel.switch("Differences")).to_have_accessible_description("Differences aren't marked in Markdown.")
        panel.press("Differences")
        assert panel.on("Differences") and not panel.on("Markdown")
        panel.press("Differences")
        panel.open(0)
        assert not panel.on("Differences") and not marks.count(), "off by hand, too"
        visit.check()


def test_long_texts_grow_and_scroll_together(browser, tmp_path):
    with Visit(browser, held_page(tmp_path), width=1000) as visit:
        panel = Panel(visit)
        panel.open(2)
        chosen, rejected = panel.boxes("chosen"), panel.boxes("rejected")
        share = "box => box.scrollTop / (box.scrollHeight - box.clientHeight)"
        panel.press("Scroll together")
        chosen.evaluate("box => { box.scrollTop = (box.scrollHeight - box.clientHeight) / 2 }")
        visit.page.wait_for_function("box => box.scrollTop > 0", arg=rejected.element_handle())
        assert abs(rejected.evaluate(share) - 0.5) < 0.01
        panel.page.keyboard.press("w")  # what draws them anew leaves them where they were
        panel.press("Markdown")
        panel.press("Markdown")
        assert abs(chosen.evaluate(share) - 0.5) < 0.05 and abs(rejected.evaluate(share) - 0.5) < 0.05
        chosen.scroll_into_view_if_needed()
        box = chosen.bounding_box()
        visit.page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
        visit.page.mouse.down()
        visit.page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] + 250, steps=4)
        visit.page.mouse.up()
        assert chosen.bounding_box()["height"] > box["height"] + 200, "a box can be pulled larger than it was"
        panel.press("Full length")
        panel.open(0), panel.open(2)
        assert chosen.evaluate("box => box.scrollHeight - box.clientHeight") <= 1
        visit.check()


# Search and copying ---------------------------------------------------------------------------------------------------

def hits(panel, selector=".rmkit-hit"):
    return panel.pair().locator(selector).all_inner_texts()


def test_search_hits_are_marked_and_counted(browser, tmp_path):
    chosen, rejected = ["x (a|b) cat dog", "**C**at \\*", MARKDOWN], ["cat  \n dog", "$1.5 [a-z]", "a" * 3000]
    table = pair_scores(["a"] * 3, chosen, rejected, np.ones(3), np.zeros(3))
    with Visit(browser, held_page(tmp_path, table, change=shares(0, 0, 0)), width=1000) as visit:
        panel = Panel(visit)
        panel.open(0)
        panel.fill("Search", "CAT")
        expect(panel.pair().locator(".rmkit-hits")).to_have_text("2 hits of the search")
        assert hits(panel) == ["cat", "cat"]
        assert panel.on("Differences") and panel.pair().locator("mark:not(.rmkit-hit)").count()
        panel.fill("Search", "(a|b)")
        expect(panel.pair().locator(".rmkit-hits")).to_have_text("1 hit of the search")
        assert "".join(hits(panel)) == "(a|b)", "no pattern, and one hit though differences cut it"
        panel.press("Clear filters")
        expect(panel.pair().locator(".rmkit-hit")).to_have_count(0)
        panel.open(2)
        panel.fill("Search", "a")
        expect(panel.pair().locator(".rmkit-hits")).to_contain_text("the first 1,000 in a text are marked")
        panel.press("Markdown")
        assert "cat" not in hits(panel) and "a" in hits(panel)
        assert panel.boxes("chosen").locator("td .rmkit-hit").all_inner_texts() == ["a"]
        visit.check()


def test_a_text_is_copied_or_given_to_copy(browser, tmp_path):
    with Visit(browser, held_page(tmp_path), width=1000) as visit:
        panel = Panel(visit)
        panel.open(1)
        panel.press("Markdown")
        visit.page.evaluate("""() => Object.defineProperty(navigator, 'clipboard', {configurable: true,
            value: {writeText: async text => { window.copied = text }}})""")
        panel.press("Copy chosen response")
        expect(panel.pair().locator(".rmkit-chosen .rmkit-copied")).to_have_text("Copied.")
        assert visit.page.evaluate("window.copied") == MARKDOWN
        visit.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        panel.press("Copy prompt, turn 1")
        expect(panel.pair().locator(".rmkit-turn .rmkit-copied textarea")).to_have_value("prompt 1")
        visit.check()


# Markdown -------------------------------------------------------------------------------------------------------------

EXTRA = [
    f"[a](javascript:{HIT}) [b](JaVaScRiPt&colon;{HIT}) [c](data:text/html,<script>{HIT}</script>) <javascript:{HIT}>",
    f"![x]({EVIL}/i.png \"t\\\" onerror={HIT}\") ![](data:image/svg+xml,<svg/onload={HIT}>)",
    f"[![y]({EVIL}/y.png)]({EVIL})",
    f"[ref]: javascript:{HIT}\n[ref] ![ref] [x][ref]",
    f"<div><p>**b** <a href=\"javascript:{HIT}\" style=\"position:fixed;inset:0\">x</a><img src={EVIL}/n.png></div>",
    f"`</code></pre><img src=x onerror={HIT}>` and ``` </script><script>{HIT}</script>",
    f"```\"><img src=x onerror={HIT}>\n</code></pre><script>{HIT}</script>\n```",
    f"<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror={HIT}&gt;\">",
    f"<svg></p><style><a id=\"</style><img src=1 onerror={HIT}>\">",
    f"<form><math><mtext></form><form><mglyph><svg><mtext><style><path id=\"</style><img onerror={HIT} src>\">",
    f"<noscript><p title=\"</noscript><img src=x onerror={HIT}>\">",
    f"<select><option><style></option></select><img src onerror={HIT}>",
    f"| a | b |\n|---|---|\n| <img src=x onerror={HIT}> | [x](javascript:{HIT}) |\n| a<br>b | <br/><br onload={HIT}> |",
    "| a " * 300 + "|\n" + "|---" * 300 + "|\n" + ("| b " * 300 + "|\n") * 10,
    "> " * 3000 + "deep", "- " * 3000 + "deep", "[" * 5000, "*a _b " * 5000, "![" * 3000 + "](" * 3000, "`" * 10_001,
    f"<a id=rmkit class=rmkit-pair name=hit href={EVIL}>x</a> <style>*{{display:none}}</style>",
    f"{EVIL}/auto www.evil.invalid <{EVIL}> someone@evil.invalid",
    f"# {HIT} {{#id .rmkit-row onclick={HIT}}}\n- [ ] <input autofocus onfocus={HIT}>",
]
LEFT = """() => {
    const tags = 'P BR HR H5 H6 STRONG EM DEL CODE PRE BLOCKQUOTE UL OL LI TABLE THEAD TBODY TR TH TD'.split(' ');
    const found = [...document.querySelectorAll('.rmkit-markdown *')], names = ['align', 'start'];
    return [...found.map(el => el.tagName).filter(tag => !tags.includes(tag)),
        ...found.flatMap(el => [...el.attributes]).map(a => a.name).filter(name => !names.includes(name))] }"""


def test_markdown_is_rendered_with_code_and_tables(browser, tmp_path):
    with Visit(browser, held_page(tmp_path), width=1000) as visit:
        panel = Panel(visit)
        panel.open(1)
        chosen = panel.boxes("chosen")
        assert chosen.text_content() == MARKDOWN, "off until asked for"
        panel.page.keyboard.press("m")
        expect(chosen.locator("h5")).to_have_text("A title")
        assert chosen.locator("strong").all_inner_texts() == ["bold"] and chosen.locator("p br").count() == 1
        assert chosen.locator("td").all_inner_texts() == ["cats", "2"]
        assert chosen.locator("pre code").inner_text() == 'def f(x): return "<b>" + x\n'
        assert chosen.locator("li").all_inner_texts() == ["☑ done", "☐ not yet"]
        assert chosen.locator("td").last.evaluate("cell => getComputedStyle(cell).textAlign") == "right"
        names = visit.page.evaluate("[typeof window.marked, typeof window.DOMPurify]")
        assert names == ["undefined", "undefined"], "a library left a global name"
        visit.check()


# Opens one pair after the other, and takes down what isn't Markdown's own, and the widest thing
READ_MARKDOWN = """async n => {
  const root = document.querySelector('.rmkit'), left = [], check = LEFT;
  const frame = () => new Promise(requestAnimationFrame);
  for (let k = 0; k < n; k++) {
    const there = () => root.querySelector(`.rmkit-pair[aria-label="Pair ${k}"]:not([aria-busy])`);
    if (k) root.querySelector('[aria-label="Next pair"]').click();
    while (!there()) await frame();
    const wide = root.scrollWidth - root.clientWidth;
    left.push([...check(), ...(wide > 0 ? [`${wide} too wide`] : [])]);
  }
  return left }""".replace("LEFT", LEFT)


def hostile_markdown(payloads=PAYLOADS):
    texts = EXTRA + payloads
    return pair_scores(texts, texts[1:] + texts[:1], texts[2:] + texts[:2], np.zeros(len(texts)), np.ones(len(texts)))


def reads_hostile_markdown(panel, n):
    panel.open(0)
    panel.page.keyboard.press("m")
    left = panel.page.evaluate(READ_MARKDOWN, n)
    assert len(left) == n and not [(k, each) for k, each in enumerate(left) if each]
    panel.page.mouse.move(300, 500)
    assert panel.page.locator(".rmkit-pair :is(a, img, svg, math, style, iframe, form, script)").count() == 0


@pytest.mark.parametrize("strict", [True, False], ids=["saved, with its policy", "without a policy"])
def test_hostile_markdown_runs_nothing_and_fetches_nothing(browser, tmp_path, strict):
    table = hostile_markdown()
    url = RewardVisualizer(table).save(tmp_path / "md.html").as_uri() if strict else held_page(tmp_path, table)
    with Visit(browser, url, width=900) as visit:
        reads_hostile_markdown(Panel(visit), len(table))
        visit.check()


# Drafts and corrections -----------------------------------------------------------------------------------------------

def test_what_is_written_is_sent_and_followed(browser, tmp_path):
    with Visit(browser, held_page(tmp_path), width=1000) as visit:
        panel, page = Panel(visit), visit.page
        panel.open(0)
        page.keyboard.press("e")
        area = panel.pair().locator(".rmkit-edit-chosen textarea")
        expect(area).to_be_focused()
        area.press("End")
        page.keyboard.type(" and more")
        panel.waits("draft", 1)
        prompt, chosen = ["first turn: cat", "a reply", "Name 2 cats."], ["cat, dog. and more"]
        assert panel.asked("draft")[0]["texts"] == dict(prompt=prompt, chosen=chosen, rejected=["cat, cat."])
        page.keyboard.type("!")
        panel.open(1)  # leaving the field sends what is left
        panel.waits("draft", 2)
        assert panel.asked("draft")[1] | dict(texts=0) == dict(what="draft", pair=0, texts=0)
        assert panel.asked("draft")[1]["texts"]["chosen"] == ["cat, dog. and more!"]
        panel.open(0)
        expect(area).to_have_value("cat, dog. and more!")
        page.evaluate("""() => {
            window.drafts = {0: {prompt: ['p', 'q', 'r'], chosen: ['from elsewhere'], rejected: ['s']}};
            window.follow('drafts') }""")
        expect(area).to_have_value("from elsewhere")
        panel.press("Reset")
        expect(area).to_have_value("cat, dog.")
        panel.waits("draft", 3)
        assert panel.asked("draft")[2]["texts"] is None
        visit.check()


def test_a_draft_of_before_is_there_and_one_that_does_not_fit_is_not(browser, tmp_path):
    prompts = {0: ["a", "b", "c"], 1: []}
    kept = {i: dict(prompt=prompt, chosen=["kept"], rejected=["r"]) for i, prompt in prompts.items()}
    with Visit(browser, held_page(tmp_path, drafts=kept), width=1000) as visit:
        panel = Panel(visit)
        panel.open(0)
        expect(panel.pair()).to_contain_text("Edited, not yet kept")
        panel.press("Edit")
        area = panel.pair().locator(".rmkit-edit-chosen textarea")
        expect(area).to_have_value("kept")
        panel.open(1)
        expect(area).to_have_value(MARKDOWN)
        visit.check()


def test_an_edit_is_kept_as_a_correction_and_taken_back(browser, tmp_path):
    with Visit(browser, held_page(tmp_path), width=1000) as visit:
        panel = Panel(visit)
        panel.open(0)
        panel.press("Edit")
        panel.press("Keep as correction")
        expect(panel.pair()).to_contain_text("Nothing is changed, so there is nothing to keep.")
        panel.pair().locator(".rmkit-edit-chosen textarea").fill("cat, <i>fish</i>.")
        panel.pair().locator(".rmkit-edit-prompt textarea").last.fill("Name 2 animals.")
        panel.press("Keep as correction")
        expect(panel.boxes("chosen").first).to_have_text("cat, <i>fish</i>.")
        edit = dict(prompt=[None, None, "Name 2 animals."], chosen=["cat, <i>fish</i>."])
        assert panel.asked("change")[-1] == dict(what="change", pair=0, edit=edit)
        expect(panel.pair().get_by_role("group", name="Correction")).to_contain_text("prompt, turn 3; chosen")
        assert panel.pair().locator(".rmkit-side .rmkit-corrected").count() == 1
        no_draft = "window.asked.findLast(each => each.what === 'draft').texts === null"
        visit.page.wait_for_function(no_draft)
        panel.open(1), panel.open(0)
        expect(panel.boxes("chosen").first).to_have_text("cat, <i>fish</i>.")
        panel.press("Show the original")
        expect(panel.boxes("chosen").first).to_have_text("cat, dog.")
        panel.press("Take back")
        expect(panel.pair().get_by_role("group", name="Correction")).to_have_count(0)
        assert panel.asked("change")[-1] == dict(what="change", pair=0, edit=None)
        expect(panel.boxes("chosen").first).to_have_text("cat, dog.")
        expect(panel.pair().locator(".rmkit-edit-chosen textarea")).to_have_value("cat, dog.")
        visit.check()


def test_what_is_written_while_a_correction_is_kept_or_taken_back_stays(browser, tmp_path):
    with Visit(browser, held_page(tmp_path, hold=["change"]), width=1000) as visit:
        panel, page = Panel(visit), visit.page
        panel.open(0)
        page.evaluate("window.answer('change')")  # that it was seen
        panel.press("Edit")
        area = panel.pair().locator(".rmkit-edit-chosen textarea")
        area.fill("first")
        panel.press("Keep as correction")
        area.fill("first and second")
        page.evaluate("window.answer('change')")
        expect(panel.pair()).to_contain_text("Kept as a correction.")
        area.blur()
        page.wait_for_function(
            "window.asked.findLast(each => each.what === 'draft').texts.chosen[0] === 'first and second'")
        panel.press("Take back")
        page.evaluate("window.answer('change')")
        expect(panel.pair()).to_contain_text("The correction is taken back.")
        expect(area).to_have_value("first and second")
        page.evaluate("window.fails.draft = 'gone'")
        area.fill("third")
        area.blur()
        expect(panel.root.get_by_role("alert").first).to_contain_text("gone")
        page.evaluate("window.follow('drafts')")
        expect(area).to_have_value("third")
        visit.check()


# In sight -------------------------------------------------------------------------------------------------------------

def test_an_opened_pair_comes_into_sight(browser, tmp_path):
    "In one column, below the list; what is there already stays where it is"
    with Visit(browser, held_page(tmp_path), width=600, height=700) as visit:
        panel, page = Panel(visit), visit.page
        header = """() => { const {top, bottom} = document.querySelector('.rmkit-pair header').getBoundingClientRect();
            return [top, bottom] }"""
        page.evaluate("scrollTo(0, 0)")
        for key in ("click", "Enter", "j"):
            panel.row(2).click() if key == "click" else page.keyboard.press(key)
            panel.opened(3 if key == "j" else 2)
            top, bottom = page.evaluate(header)
            assert top >= 0 and bottom + 200 <= 700, (key, top, bottom)
        panel.pair().focus()
        page.evaluate("scrollBy(0, 40)")
        before = page.evaluate("scrollY")
        page.keyboard.press("k")
        panel.opened(2)
        assert page.evaluate("scrollY") == before
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.keyboard.press("j")
        panel.opened(3)
        assert page.evaluate(header)[0] >= 0
        visit.check()


def test_facts_do_not_depend_on_a_front_ends_lists(browser, tmp_path):
    with Visit(browser, held_page(tmp_path), width=1000) as visit:
        panel = Panel(visit)
        panel.open(0)
        facts = panel.pair().get_by_role("listitem")
        assert facts.first.inner_text().split() == ["reward", "margin", ":", "+2.00"]
        tops = facts.evaluate_all("found => found.map(one => Math.round(one.getBoundingClientRect().top))")
        assert len(set(tops)) == 1 and not panel.pair().locator("dl").count()
        visit.check()


# Live -----------------------------------------------------------------------------------------------------------------

SLOW = """
import time
from pathlib import Path
import rmkit.visualizer as visualizer
from rmkit import RewardModel
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
quick, gate = visualizer.traces, Path("go")
def slow(*args):
    Path("begun").touch()
    while not gate.exists(): time.sleep(.05)
    return quick(*args)
visualizer.traces = slow
model = RewardModel(tiny_model(seed=0), tiny_tokenizer())
visualizer.RewardVisualizer(model.score_pairs(make_pairs(20, seed=1)), model)
"""


def test_live_texts_come_before_a_slow_models_token_rewards(browser, tmp_path):
    here = str(Path(__file__).resolve().parent)
    cells = [SLOW, f"""
import sys; sys.path.insert(0, {here!r})
from test_explorer_reading import PAYLOADS, hostile_markdown
visualizer.RewardVisualizer(hostile_markdown(PAYLOADS[::4]))"""]
    root = tmp_path / "server" / "root"
    with Server("lab", tmp_path / "server") as server, server.open(browser, cells, width=1300) as book:
        book.run(0)
        panel = Panel(book, book.cell(0))
        panel.open(0)
        panel.press("Tokens")
        expect(panel.pair()).to_contain_text("Reading both responses token by token…")
        assert panel.boxes("chosen").first.inner_text() and not panel.pair().locator(".rmkit-token").count()
        while not (root / "begun").exists():
            book.page.wait_for_timeout(50)
        panel.press("Next pair")  # while the model is at it
        panel.opened(1)
        assert panel.boxes("chosen").first.inner_text() and not panel.pair().locator(".rmkit-token").count()
        book.shoot("lab-reading-tokens")
        (root / "go").touch()
        expect(panel.pair().locator(".rmkit-token").first).to_be_visible()
        book.shoot("lab-reading")
        book.check()
        panel.root.evaluate("root => root.remove()")
        book.run(1)
        reads_hostile_markdown(Panel(book, book.cell(1)), len(EXTRA) + len(PAYLOADS[::4]))
        book.shoot("lab-hostile-markdown")
        book.check()


def test_a_search_that_takes_long_says_that_it_is_under_way(browser, tmp_path):
    with Visit(browser, held_page(tmp_path, hold=["search"]), width=1000) as visit:
        panel, busy = Panel(visit), visit.page.locator(".rmkit-busy")
        panel.root.get_by_label("Search", exact=True).fill("cat")
        expect(busy).to_have_text("Searching all texts…")
        panel.counts(4, 4)
        visit.page.evaluate("answer('search')")
        panel.counts(2, 4)
        expect(busy).to_have_text("")
        visit.check()
