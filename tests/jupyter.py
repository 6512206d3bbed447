"""A Jupyter server of one's own, and a notebook of it in a browser.

    with Server("lab", folder) as server, server.open(browser, ["1 + 1"]) as book:
        book.run_all()
        assert book.cell(0).inner_text().endswith("2")

All settings are a new user's. What is out of sight may then be out of the page as well: `cell` brings its cell into
view.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

from browser import HANGS, Visit

APPS = {"lab": ("jupyterlab", "lab/tree/{}?reset"), "notebook": ("notebook", "notebooks/{}")}
# The server's own folders; nothing of the user's is read or written
FOLDERS = dict(JUPYTER_CONFIG_DIR="config", JUPYTER_DATA_DIR="data", JUPYTER_RUNTIME_DIR="runtime",
               IPYTHONDIR="ipython", JUPYTERLAB_SETTINGS_DIR="settings", JUPYTERLAB_WORKSPACES_DIR="workspaces")
# The notebook is kept as window.book: with a second view open, the front end's current widget may be another.
READY = """() => { const panel = window.book ?? window.jupyterapp?.shell.currentWidget;
    if (!panel?.sessionContext?.isReady || !document.querySelector('.jp-Notebook .jp-Cell')) return false;
    window.book = panel; return true }"""
IDLE = """window.book?.sessionContext.session?.kernel?.status === 'idle'
    && ![...document.querySelectorAll('.jp-Notebook .jp-InputPrompt')]
      .some(prompt => prompt.textContent.includes('*'))"""

# JupyterLab 3 has all cells in the page, and no `scrollToItem`. A cell scrolled to is drawn in the next frame but one.
SCROLL = """async number => { const {content} = window.book, wait = ms => new Promise(done => setTimeout(done, ms));
    if (content.scrollToItem) await Promise.race([content.scrollToItem(number, 'center'), wait(2000)]);
    content.widgets[number].node.scrollIntoView({block: 'nearest'});
    await wait(50) }"""


class Server:
    "JupyterLab (`lab`) or Jupyter Notebook (`notebook`) on this machine's own address, from one Python environment"

    def __init__(self, app, folder, python=sys.executable, windowing=None):
        self.app, self.folder, self.python = app, Path(folder), python
        self.windowing = windowing  # "full": cells out of sight leave the page, as by default before JupyterLab 4.5
        self.module, self.path = APPS[app]

    def __enter__(self):
        root = self.folder / "root"
        root.mkdir(parents=True)
        environ = {name: str(self.folder / folder) for name, folder in FOLDERS.items()}
        labconfig = self.folder / "config" / "labconfig"
        labconfig.mkdir(parents=True)
        news = {"@jupyterlab/apputils-extension:announcements": True}
        (labconfig / "page_config.json").write_text(json.dumps(dict(disabledExtensions=news)))
        app = dict(expose_app_in_browser=True)  # as window.jupyterapp
        config = dict(LabApp=app | dict(check_for_updates_class="jupyterlab.NeverCheckForUpdate"),
                      JupyterNotebookApp=app)
        (self.folder / "config" / "jupyter_server_config.json").write_text(json.dumps(config))
        if self.windowing:
            settings = self.folder / "settings" / "@jupyterlab" / "notebook-extension"
            settings.mkdir(parents=True)
            (settings / "tracker.jupyterlab-settings").write_text(json.dumps(dict(windowingMode=self.windowing)))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        environ |= dict(PATH=f"{Path(self.python).parent}{os.pathsep}{os.environ['PATH']}", HF_HUB_OFFLINE="1",
                        TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1", PYDEVD_DISABLE_FILE_VALIDATION="1")
        command = [self.python, "-m", self.module, "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
                   "--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={root}"]
        self.log = self.folder / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=os.environ | environ, stdout=log, stderr=log,
                                            start_new_session=True)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self, seconds=HANGS):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            try:
                return urlopen(self.url + "api/status", timeout=1).close()
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{self.module} did not start:\n{self.log.read_text()[-3000:]}")

    def __exit__(self, *_):
        for stop in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, stop)
                self.process.wait(15)
                break
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        for folder in FOLDERS.values():
            shutil.rmtree(self.folder / folder, ignore_errors=True)

    def open(self, browser, cells, name="notebook", **visit):
        "A new notebook with these cells, opened, its kernel ready"
        cells = [dict(cell_type="code", source=source, metadata={}, outputs=[], execution_count=None)
                 for source in cells]
        spec = dict(name="python3", display_name="Python 3", language="python")
        notebook = dict(cells=cells, metadata=dict(kernelspec=spec), nbformat=4, nbformat_minor=4)
        path = self.folder / "root" / f"{name}.ipynb"
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return self.reopen(browser, name, **visit)

    def reopen(self, browser, name="notebook", **visit):
        "A notebook that is there, opened with a new kernel, as on the next day"
        for session in json.load(urlopen(self.url + "api/sessions")):
            if session["path"] == f"{name}.ipynb":
                urlopen(Request(f"{self.url}api/sessions/{session['id']}", method="DELETE")).close()
        return Book(browser, self.url + self.path.format(f"{name}.ipynb"), home=self.url, **{"width": 1280, **visit})


class Book(Visit):
    "A notebook opened in a browser. `home` is its server's address."

    def __init__(self, browser, url, **visit):
        super().__init__(browser, url, **visit)
        try:
            self._wait_ready()
        except BaseException:
            self.shoot("not-opened")
            self.context.close()
            raise

    def __exit__(self, *_):
        try:  # an open kernel would hold its memory until the server stops
            self.page.evaluate("window.book.sessionContext.shutdown()")
        finally:
            super().__exit__()

    def _wait_ready(self):
        self.page.wait_for_function(READY)
        self.wait_idle()

    def execute(self, command, args=None):
        "Begin a command of the front end for the notebook; `ran` tells how it went"
        self.page.evaluate("""([command, args]) => { window.ran = null;
            window.jupyterapp.shell.activateById(window.book.id);
            window.jupyterapp.commands.execute(command, args)
              .then(done => window.ran = [done], error => window.ran = [String(error)]) }""",
            [command, args or {}])

    def ran(self, seconds=HANGS):
        return self.page.wait_for_function("window.ran", timeout=1000 * seconds).json_value()[0]

    def wait_idle(self, seconds=HANGS):
        "Until the kernel has nothing to do"
        self.page.wait_for_function(IDLE, timeout=1000 * seconds)

    def run_all(self, seconds=2 * HANGS):
        "Run all cells; an AssertionError with the traceback where one fails"
        self.execute("notebook:run-all-cells")
        done = self.ran(seconds)
        failed = self.page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error'], "
                                   ".jp-Notebook "
                                   "[data-mime-type='application/vnd.jupyter.stderr']:has-text('Traceback')")
        assert done is True and not failed.count(), "\n".join(failed.all_inner_texts()) or done
        self.wait_idle()

    def start(self, number):
        "Begin to run one cell, and don't wait"
        self._activate(number)
        self.execute("notebook:run-cell")

    def _activate(self, number):
        self.page.evaluate("number => { window.book.content.activeCellIndex = number }", number)

    def run(self, number, seconds=HANGS):
        self.start(number)
        assert self.ran(seconds) is not False, self.cell(number).inner_text()

    def cell(self, number):
        "One cell and its outputs, scrolled into view"
        self.page.evaluate(SCROLL, number)
        numbered = self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{number}']")
        return numbered if numbered.count() else self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def second_view(self, number):
        "JupyterLab's Create New View for Cell Output: the outputs of one cell once more, in a panel of their own"
        self._activate(number)
        self.execute("notebook:create-output-view")
        self.ran()
        return self.page.locator(".jp-LinkedOutputView").last

    def save(self):
        self.execute("docmanager:save")
        self.ran()
        self.page.wait_for_function("!window.book.context.model.dirty")

    def reload(self, save=True):
        "Load the page again; the kernel stays. What isn't saved is lost."
        if save:
            self.save()
        self.page.reload()
        self._wait_ready()

    def restart_kernel(self):
        self.page.evaluate("window.book.sessionContext.session.kernel.restart()")
        self.wait_idle()

    def theme(self, name):
        "`JupyterLab Dark` or `JupyterLab Light`"
        self.execute("apputils:change-theme", dict(theme=name))
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)

    def check(self):
        "No script ran and nothing left. Errors of a widget's module count, those of the front end don't."
        self.page.wait_for_timeout(100)
        assert self.page.evaluate("window.hit") is None, "a script ran"
        assert self.page.evaluate("({}).hit") is None, "every object's prototype was changed"
        assert not self.dialogs, self.dialogs
        ours = [error for error in self.errors if "rmkit" in error or "blob:" in error]
        assert not ours, ours
        own = (self.home, self.home.replace("http", "ws", 1))
        assert not [url for url in self.outside() if not url.startswith(own)], "a request left the server's address"
