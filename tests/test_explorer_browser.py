"The pair explorer in real browsers: live, as a saved page without a network, and under hostile texts"
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
from playwright.sync_api import expect

from browser import CONTRAST, Visit
from explorer import EXPLORER, Reader, an_explorer, order, texts_of
from hostile import PAYLOADS
from jupyter import Server
from rmkit.table import pair_scores
from rmkit.words import visible
from rmkit.browser import front_end, style
from rmkit.visualizer import RewardVisualizer

TRAIN = """
import tempfile
from rmkit import RewardConfig, RewardTrainer
config = RewardConfig(tempfile.mkdtemp(), max_steps=5000, per_device_train_batch_size=8, logging_steps=5,
                      report_to="none", use_cpu=True, save_strategy="no")
trainer = RewardTrainer(tiny_model(), config, train_dataset=make_pairs(500, seed=2), processing_class=tiny_tokenizer())
trainer.train();
"""
AFTER = """
import json, os
folders = [name for name in os.listdir(trainer.args.output_dir) if name.startswith("checkpoint-")]
loaded = RewardModel.from_pretrained(os.path.join(trainer.args.output_dir, folders[-1])) if folders else None
print("AFTER", json.dumps(dict(step=trainer.state.global_step, folders=folders, marks=viz.marks,
                               score=loaded is not None and bool(loaded.score("Hello", "Hi") < 1e9))))
"""
BIG = """
import numpy as np, time
from rmkit.table import pair_scores
def big(n):
    rng = np.random.default_rng(0)
    texts = [f"pair {i}: " + "some words " * (i % 30) for i in range(n)]
    r = rng.normal(size=(2, n))
    return pair_scores(texts, texts, texts[::-1], r[0] + .5, r[1], length_chosen=rng.integers(1, 500, n),
                       length_rejected=rng.integers(1, 500, n), margin=rng.integers(0, 4, n),
                       source=[f"source {i % 40}" for i in range(n)])
table = big(20_000)
"""


@pytest.fixture(scope="module")
def viz():
    return an_explorer()


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    "Each front end's server, started when it is first asked for"
    running = {}

    def server(app):
        if app not in running:
            running[app] = Server(app, tmp_path_factory.mktemp(app) / "server").__enter__()
        return running[app]
    yield server
    for each in running.values():
        each.__exit__()


# Live ---------------------------------------------------------------------------------------------------------------

def reads_and_marks(book, reader, viz, app, folder):
    "Everything a person does in the explorer; returns the pair that got a mark"
    expect(reader.root.locator(".rmkit-picture[data-id=rewards] svg")).to_be_visible()
    book.shoot(f"{app}-overview")
    reader.filters_by_pictures(viz)
    reader.sorts_and_filters(viz)
    reader.pages(viz)
    i = reader.opens(viz)
    reader.reads_tokens(viz, i)
    book.shoot(f"{app}-tokens")
    print(f"{app}: rescoring took {reader.rescores(viz, i):.0f} ms")
    book.shoot(f"{app}-rescored")
    rows = [json.loads(line) for line in reader.marks_and_exports(i, folder).read_text().splitlines()]
    assert [(row["mark"], row["note"]) for row in rows] == [("mislabelled", "the <b>other</b> one")]
    assert rows[0]["chosen"] == viz.scores.at[i, "chosen"]
    reader.choose("Verdict", "Wrong")
    shown = pd.read_parquet(reader.downloads("Export shown rows .parquet", folder))
    assert len(shown) == (viz.scores["reward_margin"] < 0).sum()
    reader.press("Clear filters")
    reader.moves_the_slider(viz)
    book.shoot(f"{app}-steps")
    reader.goes_by_keys(viz)
    assert book.page.locator(".jp-Notebook .jp-Cell").count() == 7, "the notebook took a key for itself"
    book.check()
    return i


def trains_and_stops(book, reader, viz, app):
    "A run beside the explorer, ended by its button; returns what the kernel says of it"
    book.start(1)
    cell = book.cell(1)
    stop = cell.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible()
    expect(cell.locator(".rmkit-chart").first).to_be_visible()
    reader.tab("Pairs")  # what needs no kernel goes on meanwhile
    reader.choose("Sort", "least certain")
    assert reader.ids() == order(np.abs(viz.scores["reward_margin"]))[:20]
    cell.scroll_into_view_if_needed()
    book.shoot(f"{app}-training")
    stop.click()
    book.ran(30)
    book.wait_idle()
    expect(cell.locator("img").first).to_be_visible()
    book.shoot(f"{app}-stopped")
    book.run(2)
    return json.loads(book.cell(2).inner_text().split("AFTER ")[-1].splitlines()[0])


def opens_many(book, app):
    "20,000 pairs, and their colours in the dark"
    book.run(3)
    began = time.monotonic()
    book.start(4)
    large = Reader(book, book.cell(4))
    print(f"{app}: 20,000 pairs took {time.monotonic() - began:.2f} s to open")
    book.shoot(f"{app}-20000")
    large.tab("Pairs")
    expect(large.root.locator(".rmkit-row")).to_have_count(20)
    book.theme("JupyterLab Dark")
    ratio, tag, text = book.page.evaluate(CONTRAST, ".rmkit *")
    book.shoot(f"{app}-dark")
    assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f}"


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_live(browser, servers, viz, app, tmp_path):
    "Everything a person does in the explorer and in a training run, in one notebook"
    with servers(app).open(browser, [EXPLORER + "viz", TRAIN, AFTER, BIG, *3 * ["RewardVisualizer(table)"]],
                           height=1000) as book:
        book.run(0)
        reader = Reader(book, book.cell(0))
        i = reads_and_marks(book, reader, viz, app, tmp_path)
        after = trains_and_stops(book, reader, viz, app)
        assert 0 < after["step"] < 5000 and after["score"], after
        assert after["folders"] == [f"checkpoint-{after['step']}"]
        assert after["marks"] == {str(i): dict(mark="mislabelled", note="the <b>other</b> one")}
        opens_many(book, app)
        book.check()


# Figures ------------------------------------------------------------------------------------------------------------

def page_of(folder, viz):
    "A page with the live view, whose source answers with nothing: no kernel's time is in what it takes"
    meta = json.dumps(viz.meta(), allow_nan=False).replace("<", "\\u003c")
    start = "const begun = performance.now(); " \
            "mount(document.body, {get: name => name === 'meta' ? META : {}, follow: () => () => {}, " \
            "ask: async ({what, ids}) => " \
            "what === 'rows' ? ids.map(id => ({id, prompt: '', chosen: '', rejected: ''})) " \
            ": {ids: [1, 2, 3], terms: []}}); document.body.dataset.ms = performance.now() - begun"
    path = folder / "large.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><title>large</title><style>{style()}</style><body><script "
        f"type=application/json id=meta>{meta}"
                    f"</script><script type=module>{front_end('explorer')}\nconst META = "
                    f"JSON.parse(document.getElementById('meta').textContent);{start}</script>",
                    encoding="utf-8")
    return path


def test_twenty_thousand_pairs(browser, tmp_path):
    world = {}
    exec(BIG, world)
    large = RewardVisualizer(world["table"])
    began = time.perf_counter()
    json.dumps(large.meta())
    kernel = time.perf_counter() - began
    with Visit(browser, page_of(tmp_path, large).as_uri(), width=1280) as visit:
        reader = Reader(visit)
        opened = float(visit.page.evaluate("document.body.dataset.ms")) / 1000
        print(f"opening took {kernel:.2f} s in the kernel and {opened:.2f} s in the page")
        reader.tab("Pairs")
        slowest = {}
        for label in ("Sort", "Verdict", "Decision", "Mark"):
            options = reader.root.get_by_label(label, exact=True).locator("option").all_inner_texts()
            for option in options[:8]:
                reader.choose(label, option)
                slowest[f"{label}: {option}"] = reader.ms()
            reader.choose(label, options[0])
        reader.column("source", "source 1", "source 2")
        slowest["two sources"] = reader.ms()
        reader.fill("Reward from", "-0.5")
        slowest["Reward from"] = reader.ms()
        name, ms = max(slowest.items(), key=lambda item: item[1])
        print(f"the slowest answer: {name}, {ms} ms")
        assert reader.root.locator(".rmkit-row").count() == 20
        assert visit.page.evaluate("document.querySelectorAll('.rmkit *').length") < 3000
        reader.root.locator(".rmkit-row").first.focus()
        for key in ("End", "PageUp", "Home", "PageDown"):
            visit.page.keyboard.press(key)
            assert 0 < reader.root.locator(".rmkit-row").count() <= 20
        visit.check()


# The saved page -----------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def saved(viz, tmp_path_factory):
    return viz.save(tmp_path_factory.mktemp("saved") / "folder" / "report.html")


def test_saved_page_without_a_network(browser, saved, viz, tmp_path):
    with Visit(browser, saved.as_uri(), width=1280, offline=True) as visit:
        reader = Reader(visit)
        reader.filters_by_pictures(viz)
        reader.sorts_and_filters(viz)
        reader.pages(viz)
        i = reader.opens(viz)
        reader.reads_tokens(viz, i)
        assert not reader.root.get_by_role("button", name="Edit and rescore").count(), "there is no model here"
        path = reader.marks_and_exports(i, tmp_path)
        again = an_explorer()
        assert again.take_marks(path) == 0
        assert again.marks == {i: dict(mark="mislabelled", note="the <b>other</b> one")}
        shown = [json.loads(line) for line in reader.downloads("Export shown rows .jsonl",
                                                               tmp_path).read_text().splitlines()]
        assert [row["chosen"] for row in shown] == [viz.scores.at[k, "chosen"]
                                                    for k in order(viz.scores["reward_margin"])]
        reader.moves_the_slider(viz)
        visit.shoot("saved-steps")
        visit.check()
    with Visit(browser, saved.as_uri(), width=1280, offline=True) as visit:  # and a colleague takes the marks back
        reader = Reader(visit)
        reader.tab("Pairs")
        visit.page.set_input_files("input[type=file]", path)
        expect(reader.row(i)).to_contain_text("Mislabelled")
        visit.check()


def focused(page, selector):
    return page.evaluate("selector => document.activeElement.matches(selector)", selector)


def tab_to(page, selector, most=40):
    for _ in range(most):
        if focused(page, selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab doesn't reach {selector}")


def test_saved_page_by_keyboard(browser, saved, viz):
    "From the top of the page to a marked pair without a mouse"
    with Visit(browser, saved.as_uri(), width=1000, offline=True) as visit:
        reader, press = Reader(visit), visit.page.keyboard.press
        by_margin = order(viz.scores["reward_margin"])
        tab_to(visit.page, "[role=tab]")
        press("ArrowRight")
        assert focused(visit.page, "[role=tab][aria-selected=true]")
        expect(reader.root.get_by_role("tab", name="Pairs")).to_have_attribute("aria-selected", "true")
        tab_to(visit.page, ".rmkit-row")
        for _ in range(2):
            press("ArrowDown")
        press("Enter")
        reader.opened(by_margin[2])
        press("j")
        reader.opened(by_margin[3])
        press("k")
        reader.opened(by_margin[2])
        press("PageDown")
        expect(reader.root.locator(".rmkit-pageno")).to_have_text("page 2 of 3")
        press("End")
        press("Enter")
        reader.opened(by_margin[-1])
        tab_to(visit.page, ".rmkit-pair *")
        press("2")
        expect(reader.pair().get_by_role("button", name="Unclear")).to_have_attribute("aria-pressed", "true")
        press("2")
        expect(reader.pair().get_by_role("button", name="Unclear")).to_have_attribute("aria-pressed", "false")
        tab_to(visit.page, "input[type=text]")
        visit.page.keyboard.type("jk1 is a note")
        press("Tab")
        reader.opened(by_margin[-1])
        expect(reader.row(by_margin[-1])).to_contain_text("note")
        assert visit.page.evaluate("""() => { const style = getComputedStyle(document.activeElement, null);
            return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1
              || style.boxShadow !== 'none' }"""), "the focus can't be seen"
        visit.check()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [600, 900, 1400, 2000])
def test_saved_page_can_be_read(browser, saved, viz, width, color_scheme):
    with Visit(browser, saved.as_uri(), width, color_scheme=color_scheme, offline=True) as visit:
        reader = Reader(visit)
        for tab in ("Overview", "Pairs", "Over training"):
            reader.tab(tab)
            if tab == "Pairs":
                i = reader.opens(viz, place=1)
                reader.reads_tokens(viz, i)
                reader.press("Interesting")
            visit.check()
            visit.shoot(f"saved-{tab.replace(' ', '-').lower()}-{width}-{color_scheme}")
            ratio, tag, text = visit.page.evaluate(CONTRAST, ".rmkit *")
            assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f}"
            cut = visit.page.evaluate(
                """() => [...document.querySelectorAll('.rmkit button, .rmkit h3, .rmkit label')].filter(el =>
                  el.checkVisibility() && getComputedStyle(el).overflowX === 'hidden'
                  && el.scrollWidth > el.clientWidth + 1).map(el => el.textContent)""")
            assert not cut, f"cut off: {cut}"


def test_one_pair(browser, tmp_path):
    "Two of the smallest tables, one without lengths and sources, with a pair that has no reward"
    for n in (1, 2):
        path = RewardVisualizer(pair_scores(["a"] * n, ["b"] * n, ["c"] * n, [1.0, np.nan][:n], [1.0, 0.0][:n])).save(
            tmp_path / f"{n}.html")
        with Visit(browser, path.as_uri(), offline=True) as visit:
            reader = Reader(visit)
            reader.tab("Pairs")
            assert len(reader.ids()) == n
            reader.row(n - 1).click()
            reader.opened(n - 1)
            expect(reader.pair()).to_contain_text("tie" if n == 1 else "no reward")
            visit.shoot(f"saved-{n}-pairs")
            visit.check()


# Hostile texts ------------------------------------------------------------------------------------------------------

def hostile_table():
    "Every payload as prompt, chosen, rejected and source"
    turn = PAYLOADS[1:] + PAYLOADS[:1]
    replies = [[dict(role="assistant", content=text)] for text in PAYLOADS]
    return pair_scores(PAYLOADS, replies, turn, np.zeros(len(PAYLOADS)), np.arange(len(PAYLOADS)) + 1.0,
                       source=PAYLOADS)


# Opens one pair after the other by its own button, and takes down every text, what the window holds, and the widest
# thing in it
READ_ALL = """async ([root, n]) => {
  const view = document.querySelector(root), read = [], frame = () => new Promise(requestAnimationFrame);
  for (let k = 0; k < n; k++) {
    const until = performance.now() + 10000;
    const there = () => {
      const pair = view.querySelector('.rmkit-pair');
      return pair?.getAttribute('aria-label') === `Pair ${k}` && pair.getAttribute('aria-busy') !== 'true' };
    if (k === 0) view.querySelector('.rmkit-row[data-id="0"]').click();
    else view.querySelector('[aria-label="Next pair"]').click();
    while (!there() && performance.now() < until) await frame();
    const pair = view.querySelector('.rmkit-pair');
    const right = el => el.getBoundingClientRect().right;
    read.push({pair: pair.getAttribute('aria-label'),
      texts: [...pair.querySelectorAll('.rmkit-text')].map(el => el.textContent),
      head: pair.querySelector('header').textContent, tall: pair.getBoundingClientRect().height,
      wide: view.scrollWidth - view.clientWidth,
      out: Math.max(...[...pair.querySelectorAll('.rmkit-text, header, dl, summary')].map(right)) - right(view)});
  }
  return read }"""


def check_read(read, table):
    assert len(read) == len(table)
    for k, one in enumerate(read):
        wanted = texts_of(table, k)
        assert one["pair"] == f"Pair {k}" and one["texts"][:len(wanted)] == wanted, f"payload {k}: {PAYLOADS[k][:80]!r}"
        assert visible(PAYLOADS[k])[:40] in one["head"], f"the source of payload {k}: {PAYLOADS[k][:80]!r}"
        assert one["wide"] <= 0 and one["out"] <= 1, f"payload {k} is wider than the view: {PAYLOADS[k][:80]!r}"
        assert one["tall"] < 4000, f"payload {k} is {one['tall']} pixels tall"


def test_saved_page_of_hostile_texts(browser, tmp_path):
    table = hostile_table()
    path = RewardVisualizer(table, title=PAYLOADS[0]).save(tmp_path / "hostile.html")
    with Visit(browser, path.as_uri(), width=600) as visit:
        reader = Reader(visit)
        visit.check()
        reader.tab("Pairs")
        reader.choose("Sort", "in the order of the data")
        check_read(visit.page.evaluate(READ_ALL, [".rmkit", len(table)]), table)
        for text in ("<img src=x onerror=window.hit=1>", "__proto__", "\\u202e", "{{ 7 * 7 }}"):
            reader.fill("Search", text)
            reader.counts(len(RewardVisualizer(table).search(text)["ids"]), len(table))
            visit.shoot("saved-hostile")
        reader.fill("Search", "")
        reader.press("Interesting")
        reader.fill("Note", PAYLOADS[0])
        visit.check()
        assert visit.page.title() == visible(PAYLOADS[0])
        assert visit.page.locator("img, iframe, link, base, object, embed, form").count() == 0
        tags = set(
            visit.page.evaluate("[...document.querySelectorAll('.rmkit *')].flatMap(el => [...el.attributes]).filter(a "
                                "=> /^on|^(src|href|action)$/.test(a.name)).map(a => a.name)"))
        assert not tags, "an attribute that runs or fetches"


HOSTILE_CELLS = ["""
import sys; sys.path.insert(0, {here!r})
from test_explorer_browser import hostile_table
from rmkit import RewardModel
from rmkit.synthetic import tiny_model, tiny_tokenizer
from rmkit.visualizer import RewardVisualizer
table = hostile_table()
viz = RewardVisualizer(table, title=table["prompt"][0])
viz""", "table.show(-1)", "print(repr(viz)); print(table)", """
few = table.iloc[{few}]
RewardVisualizer(few, model=RewardModel(tiny_model(), tiny_tokenizer()))"""]


def rescores_each(reader, few):
    "Each pair's chosen answer replaced by another payload, and read by the model"
    reader.tab("Pairs")
    reader.choose("Sort", "in the order of the data")
    for place, i in enumerate(few):
        reader.row(place).click()
        reader.opened(place)
        if place == 0:
            reader.press("Edit and rescore")
            reader.press("Tokens")
        assert reader.root.locator(".rmkit-edit-chosen textarea").input_value() == visible(PAYLOADS[i])
        reader.root.locator(".rmkit-edit-chosen textarea").fill(visible(PAYLOADS[i - 1]))
        reader.press("Rescore")
        expect(reader.root.locator(".rmkit-rescored")).to_be_visible()
        tokens = reader.root.locator(".rmkit-part .rmkit-rejected .rmkit-token").first
        hints = reader.root.locator(".rmkit-part .rmkit-hint")
        assert tokens.count() or hints.count(), "tokens, or why there are none"


def test_live_with_hostile_texts(browser, servers):
    "All payloads in one notebook: the explorer, with a model that reads them, and the table"
    here = str(Path(__file__).resolve().parent)
    few = [i for i, text in enumerate(PAYLOADS) if i % 40 == 0
           or any("\ud800" <= letter <= "\udfff" for letter in text)]
    cells = [cell.format(here=here, few=few) for cell in HOSTILE_CELLS]
    table = hostile_table()
    with servers("lab").open(browser, cells, name="hostile", width=1100) as book:
        book.run(0)
        reader = Reader(book, book.cell(0))
        reader.tab("Pairs")
        reader.choose("Sort", "in the order of the data")
        check_read(book.page.evaluate(READ_ALL, [".rmkit", len(table)]), table)
        book.shoot("lab-hostile")
        book.check()
        book.run(1)
        shown = set(book.cell(1).locator(".rmkit-text").all_text_contents())
        short = [i for i, text in enumerate(PAYLOADS) if len(text) <= 400]
        assert {visible(PAYLOADS[i]) for i in short} <= shown
        book.run(2)
        assert "\x1b" not in book.cell(2).inner_text()
        book.check()
        outputs = book.page.locator(".jp-OutputArea-output").evaluate_all(
            "found => found.map(el => el.scrollWidth - el.clientWidth)")
        assert max(outputs) <= 0, "an output is wider than its place"

        book.run(3)
        rescores_each(Reader(book, book.cell(3)), few)
        book.shoot("lab-hostile-rescored")
        book.check()
