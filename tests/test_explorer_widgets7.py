"Under ipywidgets 7.7, as in Colab: JupyterLab 3.6 and ipykernel 6, from the environment that `make widgets7` makes"
import json
import os
import subprocess
from pathlib import Path

import nbformat
import pytest
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")


from browser import unavailable
from explorer import EXPLORER, Reader, an_explorer
from jupyter import Server

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv" / "widgets7" / "bin" / "python"


@pytest.fixture(scope="module")
def python():
    if not (PYTHON.parents[1] / ".done").exists():
        unavailable("there is no environment with ipywidgets 7.7: `make widgets7` makes one")
    return str(PYTHON)


def test_kernel_side(python):
    "The same tests of what the kernel says as run under ipywidgets 8"
    found = subprocess.run(
        [python, "-c", "import ipywidgets, ipykernel; print(ipywidgets.__version__, ipykernel.__version__)"],
                           capture_output=True, text=True, check=True).stdout.split()
    assert found[0].startswith("7.7.") and found[1].startswith("6."), found
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
                           "tests/test_explorer_widgets.py"], cwd=ROOT,
                          env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


# What Colab does to widgets of others, by google.colab.output._widgets: a manager is enabled once, and then marks each
# widget that is displayed (not one that is a cell's value). What isn't marked stays an empty output.
COLAB = """
import sys
from types import ModuleType, SimpleNamespace
VIEW = "application/vnd.jupyter.widget-view+json"

def mark(message):
    if VIEW in message["content"].get("data", {}):
        message["content"]["metadata"][VIEW] = dict(colab=dict(custom_widget_manager=dict(url="the manager")))
    return message

output = sys.modules["google.colab.output"] = ModuleType("google.colab.output")
output._widgets = SimpleNamespace(_installed_url="the manager")
output.enable_custom_widget_manager = lambda: get_ipython().display_pub.register_hook(mark)
"""
RUN = """
from rmkit.dashboard import RunView, WidgetDisplay
display_of_run = WidgetDisplay()
display_of_run.open(RunView("a run"), heard=print)
"""


def test_both_views_are_shown_by_colabs_manager_of_widgets(python, tmp_path):
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(argv=[python, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    cells = [nbformat.v4.new_code_cell(source) for source in (COLAB, EXPLORER + "viz", RUN)]
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), km=manager, timeout=600,
                            resources=dict(metadata=dict(path=str(tmp_path))))
    views = "application/vnd.jupyter.widget-view+json"
    for cell in client.execute().cells[1:]:
        shown = [output for output in cell.outputs if views in output.get("data", {})]
        marks = shown[-1].metadata[views]["colab"]  # before it there may be a bar of progress, which is Jupyter's own
        assert marks["custom_widget_manager"]["url"] == "the manager"


def test_in_jupyterlab_3(browser, python, tmp_path):
    "Open a pair, rescore, mark, and stop a training run"
    from test_explorer_browser import AFTER, TRAIN
    viz = an_explorer()
    with Server("lab", tmp_path / "server", python) as server, server.open(
        browser, [EXPLORER + "viz", TRAIN, AFTER], height=1000) as book:
        book.run(0)
        reader = Reader(book, book.cell(0))
        reader.sorts_and_filters(viz)
        i = reader.opens(viz)
        reader.reads_tokens(viz, i)
        reader.rescores(viz, i)
        reader.marks_and_exports(i, tmp_path)
        reader.moves_the_slider(viz)
        book.shoot("widgets7")
        reader.goes_by_keys(viz)
        book.check()

        book.start(1)
        stop = book.cell(1).get_by_role("button", name="Stop", exact=True)
        stop.click()
        book.ran(30)
        book.wait_idle()
        book.shoot("widgets7-stopped")
        book.run(2)
        after = json.loads(book.cell(2).inner_text().split("AFTER ")[-1].splitlines()[0])
        assert 0 < after["step"] < 5000 and after["score"], after
        assert after["marks"][str(i)]["mark"] == "mislabelled"
        book.check()
