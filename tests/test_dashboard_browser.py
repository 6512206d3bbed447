"""What a training run leaves in a notebook: live in JupyterLab 4 and 3.6 (ipywidgets 7.7) and in Notebook 7, and when
the notebook is opened again, trusted or not. And as a page of its own"""
import json
import math

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")

from playwright.sync_api import expect
from test_dashboard import a_log, a_log_of_sets, live_view
from test_explorer_widgets7 import python  # noqa: F401  the interpreter with ipywidgets 7.7

from browser import CONTRAST, Visit
from hostile import PAYLOADS
from jupyter import Server
from rmkit.dashboard import Dashboard, read_run, RunView
from rmkit.words import visible

SETUP = """
import math, tempfile
from transformers import TrainerCallback
from rmkit import RewardConfig, RewardTrainer
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

class AtStep(TrainerCallback):
    def __init__(self, step, act): self.step, self.act = step, act
    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step == self.step: self.act(model)

def a_run(name, sets=0, act=None, **kwargs):
    config = dict(max_steps=4, per_device_train_batch_size=8, logging_steps=1000, report_to="none", use_cpu=True,
                  run_name=name, save_strategy="no", seed=1, learning_rate=1e-3) | kwargs
    held_out = {word: make_pairs(8, seed=i, split="test") for i, word in enumerate("easy hard odd".split()[:sets])}
    return RewardTrainer(tiny_model(seed=0), RewardConfig(tempfile.mkdtemp(), **config), eval_dataset=held_out or None,
                         train_dataset=make_pairs(64, seed=0), processing_class=tiny_tokenizer(),
                         callbacks=[AtStep(2, act)] if act else None)

def broken(model): model.score.weight.data.fill_(math.nan)
def fail(model): raise OSError("the disk is full")
"""
RUNS = [SETUP, 'a_run("short", max_steps=20).train();',
        'a_run("three", sets=3, max_steps=10, eval_strategy="steps", eval_steps=2, logging_steps=1).train();',
        'a_run("broken", act=broken).train();',
        'try: a_run("full", act=fail).train()\nexcept OSError as error: print(error)',
        'a_run("one", max_steps=1, logging_strategy="no").train();',
        'slow = a_run("slow", max_steps=100_000, logging_steps=20); slow.train();']
SHORT, THREE, BROKEN, FULL, ONE, SLOW = range(1, 7)


def ended(book, number):
    return book.cell(number).locator(".rmkit-ended")


def check_ended(book):
    "What each run has left: numbers, curves that are drawn, and nothing of the widget"
    runs = ((SHORT, "short · Finished · step 20 of 20", 5), (THREE, "three · Finished · step 10 of 10", 9),
            (BROKEN, "broken · Ended without a finite loss · step 4 of 4", 5),
            (FULL, "full · Ended by an error", 5), (ONE, "one · Finished · step 1 of 1", 5))
    for number, words, pictures in runs:
        root = ended(book, number)
        expect(root).to_have_count(1)
        expect(root).to_contain_text(words)
        heads = root.locator("thead th").all_inner_texts()
        assert [head for head in heads if head.strip()] == ["Loss", "Accuracy", "95% interval", "Reward margin", "Step"]
        images = root.locator("img[width='320']")
        assert images.count() >= pictures, (words, images.count())
        sizes = images.evaluate_all("found => Promise.all(found.map(img => img.decode().then(() => img.naturalWidth)))")
        assert set(sizes) == {320}
        output = book.cell(number).locator(".jp-OutputArea-child", has=book.page.locator(".rmkit-ended"))
        assert output.count() == 1 and output.locator(".rmkit-dashboard, .jupyter-widgets").count() == 0
    expect(ended(book, BROKEN)).to_contain_text("Not finite: loss, first at step 3; rewards, first at step 3.")
    names = [name.strip() for name in ended(book, THREE).locator("tbody th").all_inner_texts()]
    assert names == ["training", "held out: easy", "held out: hard", "held out: odd"]
    assert len(set(ended(book, THREE).locator("tbody img").evaluate_all("found => found.map(img => img.src)"))) == 4


def goes(browser, server, name):
    with server.open(browser, RUNS, name=name, height=1000) as book:
        for number in range(SLOW): book.run(number)
        check_ended(book)
        assert book.cell(THREE).locator(".rmkit-pairs").count() == 1, "one table, however often one evaluates"
        assert book.cell(THREE).locator(".rmkit-pairs tbody tr").count() == 6
        for number, most in ((SHORT, 650), (THREE, 3500)):
            assert book.cell(number).locator(".jp-Cell-outputArea").bounding_box()["height"] < most
        for theme in ("Light", "Dark"):
            book.theme(f"JupyterLab {theme}")
            for number, shot in ((SHORT, "short"), (THREE, "three"), (BROKEN, "broken"), (ONE, "one")):
                book.cell(number).scroll_into_view_if_needed()
                ended(book, number).evaluate("root => root.scrollIntoView()")
                book.shoot(f"{name}-{shot}-{theme.lower()}")
            ratio, tag, text = book.page.evaluate(CONTRAST, ".rmkit-ended :is(p, th, td, summary)")
            assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f}"
        book.start(SLOW)
        cell = book.cell(SLOW)
        expect(cell.locator(".rmkit-panel svg").first).to_be_visible()
        cell.locator(".rmkit-dashboard").evaluate("root => root.scrollIntoView()")
        book.page.wait_for_timeout(500)
        book.shoot(f"{name}-live")
        cell.get_by_role("button", name="Stop", exact=True).click()
        book.ran()
        book.wait_idle()
        expect(ended(book, SLOW)).to_contain_text("slow · Stopped")
        expect(cell.locator(".rmkit-dashboard")).to_have_count(0)
        book.execute("docmanager:save")
        book.ran()
        book.check()
    comes_back(browser, server, name)


def comes_back(browser, server, name):
    "Opened again, by its author and by someone who doesn't trust it"
    file = server.folder / "root" / f"{name}.ipynb"
    notebook = json.loads(file.read_text())
    for again in ("trusted", "untrusted"):
        if again == "untrusted":
            notebook["cells"].append(dict(notebook["cells"][0], id="another", source="changed elsewhere", outputs=[]))
            file.write_text(json.dumps(notebook))
        with server.reopen(browser, name, height=1000) as book:
            trusted = book.page.evaluate("""() => {
                const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
                return [...Array(cells.length).keys()].slice(1, 6).every(i => cells.get(i).trusted) }""")
            assert trusted == (again == "trusted")
            book.theme("JupyterLab Dark")
            check_ended(book)
            ended(book, THREE).evaluate("root => root.scrollIntoView()")
            book.shoot(f"{name}-{again}")
            assert ended(book, THREE).locator("style").count() == (again == "trusted")
            book.check()


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_what_stays(browser, tmp_path, app):
    with Server(app, tmp_path / "server") as server: goes(browser, server, f"dashboard-{app}")


def test_what_stays_under_ipywidgets_7(browser, python, tmp_path):  # noqa: F811
    with Server("lab", tmp_path / "server", python) as server: goes(browser, server, "dashboard-lab3")


# A page of its own ---------------------------------------------------------------------------------------------------

def saved(path, view):
    dashboard = Dashboard(display=False)
    dashboard.view = view
    return dashboard.save(path).as_uri()


def numbers(page):
    "The table of numbers at a step: by quantity, a text for each set"
    rows = page.locator(".rmkit-steps tbody tr").all()
    return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 900, 1600])
def test_a_saved_run_can_be_read(browser, tmp_path, width, color_scheme):
    address = saved(tmp_path / "folder" / "run.html", read_run(a_log(400)))
    with Visit(browser, address, width, color_scheme=color_scheme, offline=True) as visit:
        visit.wait_for(".rmkit-panel svg", 9)
        visit.check()
        visit.shoot(f"run-{width}-{color_scheme}", full=True)
        ratio, tag, text = visit.page.evaluate(CONTRAST, ".rmkit *")
        assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f}"
        assert not visit.axe()
        expect(visit.page.get_by_role("button")).to_have_count(0)


def test_steps_of_a_saved_run(browser, tmp_path):
    "By the slider's keys, by a click into a picture and by Enter at a step in it; every picture marks the step"
    log = a_log(30)
    with Visit(browser, saved(tmp_path / "run.html", read_run(log)), 900, offline=True) as visit:
        page, slider = visit.page, visit.page.get_by_role("slider", name="Step")
        title, rules = page.locator(".rmkit-steps h3"), page.locator(".rmkit-panels .rmkit-selected")
        expect(title).to_have_text("Numbers at step 30")
        slider.focus()
        for key in ("Home", "ArrowRight", "ArrowRight"): page.keyboard.press(key)
        expect(title).to_have_text("Numbers at step 3")
        assert slider.get_attribute("aria-valuetext") == "step 3"
        third = next(entry for entry in log if entry["step"] == 3)
        found = numbers(page)
        assert found["Loss"] == [f"{third['loss']:.4g}", "–"], "nothing was held out so early"
        share, low, high = (f"{third[name]:.1%}" for name in ("accuracy", "accuracy_low", "accuracy_high"))
        assert found["Accuracy, 95% interval"][0] == f"{share} ({low} to {high})"
        for key in ("End", "ArrowLeft"): page.keyboard.press(key)
        assert numbers(page)["Loss"][1] == "0.6, at step 24"
        loss = page.locator("[data-panel=loss] svg")
        loss.focus()
        for key in ("Home", "ArrowRight", "Enter"): page.keyboard.press(key)
        expect(title).to_have_text("Numbers at step 2")
        box = page.locator("[data-panel=margin] svg").bounding_box()
        page.mouse.click(box["x"] + .99 * box["width"], box["y"] + box["height"] / 2)
        expect(title).to_have_text("Numbers at step 30")
        assert rules.count() == 9 and set(rules.evaluate_all("all => all.map(one => getComputedStyle(one).visibility)")
                                          ) == {"visible"}
        visit.check()


@pytest.mark.parametrize("log, title", [([], "Not started"), ([dict(step=1, loss=1.0)], "Finished"),
                                        ([dict(step=5, loss=math.nan, accuracy=.5)], "Ended without a finite loss")])
def test_a_saved_run_of_any_log(browser, tmp_path, log, title):
    with Visit(browser, saved(tmp_path / "run.html", read_run(log)), 600, offline=True) as visit:
        expect(visit.page.locator(".rmkit-run-status")).to_have_text(title)
        expect(visit.page.locator(".rmkit-run h2")).to_have_text("Training run")
        expect(visit.page.locator(".rmkit-steps:visible")).to_have_count(1 if log else 0)
        if title.startswith("Ended"): assert numbers(visit.page)["Loss"] == ["not finite"]
        visit.check()


def test_a_run_that_is_on_is_saved_without_its_button(browser, tmp_path):
    with Visit(browser, saved(tmp_path / "run.html", live_view(a_log(5))), 600, offline=True) as visit:
        expect(visit.page.locator(".rmkit-run-status")).to_have_text("Training")
        expect(visit.page.get_by_role("button")).to_have_count(0)
        visit.page.wait_for_timeout(1500)  # nobody is asked whether he hears
        visit.check()


def test_a_saved_run_of_hostile_texts(browser, tmp_path):
    for start in range(0, len(PAYLOADS), 12):
        names = PAYLOADS[start:start + 12]
        view = RunView(names[0], a_log_of_sets(names), max_steps=4)
        view.note = names[-1]
        with Visit(browser, saved(tmp_path / "run.html", view), 600) as visit:
            visit.wait_for("[data-panel=loss] svg", 1)
            visit.check()
            assert visit.page.title().split() == visible(names[0]).split()  # a browser strips a title
            assert visit.texts(".rmkit-run h2") == {visible(names[0])}
            heads = visit.texts(".rmkit-steps thead th")
            assert {f"held out: {visible(name)}" for name in names if name} <= {visible(head) for head in heads}
            assert visit.page.locator("img, iframe, link, base, object, embed, form").count() == 0


def test_without_scripts_a_saved_run_is_the_page_that_a_notebook_keeps(browser, tmp_path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(saved(tmp_path / "run.html", read_run(a_log(30))))
    expect(page.locator(".rmkit-ended")).to_contain_text("Finished · step 30 of 30")
    assert page.locator(".rmkit-ended img[width='320']").count() >= 5
    context.close()
