"""What a training run leaves in a notebook: live in JupyterLab 4 and 3.6 (ipywidgets 7.7) and in Notebook 7, and when
the notebook is opened again, trusted or not"""
import json

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")

from playwright.sync_api import expect
from test_explorer_widgets7 import python  # noqa: F401  the interpreter with ipywidgets 7.7

from browser import CONTRAST
from jupyter import Server

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
