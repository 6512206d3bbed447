"""Run the notebooks in place and keep the outputs that are worth seeing.

Each runs from top to bottom, offline and in a kernel and a folder of its own, two at a time. One that fails is left as
it was. A cell that `needs` something runs, and gets new outputs, only where `--with` says that it is there."""
import argparse
import json
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import gettempdir, TemporaryDirectory

import nbformat
from chapters import Cell, Chapter, notebooks, ROOT, SECONDS
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbdev.clean import nbdev_clean

AT_ONCE = 2
HANGS = 600  # seconds of one cell; a whole notebook takes under a minute on an idle machine
LONG = 3 * 3600  # seconds of one cell, where cells are run that need what isn't everywhere
WIDGET = "application/vnd.jupyter.widget-view+json"
# What a terminal has overwritten, bars that are drawn as text, what a library says of an accelerator that isn't there.
OVERWRITTEN = re.compile(r"^.*(\r(?!\n)|\x1b\[2K)|\x1b\[(\?25[lh]|\d*A)", re.M)
NOISE = re.compile(r"^.*(\d%\||kernels-community).*\n?", re.M)
SCRUBBED = [
    (re.compile(re.escape(f"{ROOT}/")), ""),
    (re.compile(r"\S*/ipykernel_\d+/\d+\.py:\d+"), "<this cell>"),
    (re.compile(rf"({re.escape(gettempdir())}/tmp|\btmp)[a-z0-9_]{{8}}\b"), "a_temporary_folder"),
]


def execute(path: Path, folder: Path, given: frozenset = frozenset()):
    """A notebook after a run in a folder of its own, where it would keep what it downloads: nothing is there before but
    the tables that lie beside the notebook under its name. `given` is there for cells that need it."""
    for table in Chapter(path, []).tables:
        shutil.copy(table, folder)
    notebook = nbformat.read(path, as_version=4)
    cells = notebook.cells
    notebook.cells = [cell for cell in cells if Cell(cell.cell_type, cell.id, cell.source).runs_with(given)]
    offline = dict(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    environment = os.environ | offline | dict(HF_HOME=str(folder / "hub"), PYTHONHASHSEED="0")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"  # where `!rmkit` is
    environment.pop("MPLBACKEND", None)  # pictures go where a notebook's go, whatever the caller draws with
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=LONG if given else HANGS, kernel_name="python3", resources=place)
    client.execute(env=environment)
    notebook.cells = cells
    return notebook


def scrub(text: str) -> str:
    "A text without the places of this machine."
    for pattern, name in SCRUBBED:
        text = pattern.sub(name, text)
    return text


def settled(text: str) -> str:
    "What is left of a stream when all has been said."
    text = scrub(NOISE.sub("", OVERWRITTEN.sub("", text)))
    return text if text.strip() else ""


def worth_seeing(outputs: list) -> list:
    "Outputs as they are committed: no progress bar, no view of a widget, no place of this machine; one stream a name."
    kept = []
    for output in outputs:
        data = output.get("data", {})
        if data.pop(WIDGET, None) is not None and set(data) <= {"text/plain"}:
            continue
        if kept and output.output_type == "stream" and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = settled(output.text)
        for kind in {"text/plain", "text/html"} & output.get("data", {}).keys():
            output.data[kind] = scrub(output.data[kind])
    return [output for output in kept if output.get("text", "shown")]


def run(path: Path, given: frozenset) -> tuple:  # what to tell, seconds; none where it failed
    "Run a notebook, write what it shows, and say how it went."
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        try:
            notebook = execute(path, Path(folder), given)
        except CellExecutionError as error:
            return f"{path.name} FAILED and is left as it was:\n{error}", None
    seconds = max(1, round(time.monotonic() - began))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = worth_seeing(cell.outputs)
    notebook.metadata.pop("widgets", None)  # their state
    nbformat.write(notebook, path)
    nbdev_clean(str(path))
    return f"{path.name}: {seconds} s", seconds


def keep_seconds(measured: dict):
    "Note how long notebooks ran, for the site to say; what of the others is known stays, unless they are gone."
    known = json.loads(SECONDS.read_text(encoding="utf-8")) if SECONDS.exists() else {}
    lasting = {path.relative_to(ROOT).as_posix() for path in notebooks()} & {*known, *measured}
    kept = {name: measured.get(name, known.get(name)) for name in sorted(lasting)}
    SECONDS.write_text(json.dumps(kept, indent=0) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of a notebook's path; without one all are run")
    parser.add_argument("--with", dest="given", nargs="+", default=[], help="what is there for cells that need it")
    args = parser.parse_args()
    wanted = [path for path in notebooks() if not args.names or any(name in str(path) for name in args.names)]
    measured = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for path, (text, seconds) in zip(wanted, pool.map(lambda path: run(path, frozenset(args.given)), wanted)):
            print(text, flush=True)
            measured |= {path.relative_to(ROOT).as_posix(): seconds} if seconds else {}
    keep_seconds({} if args.given else measured)
    sys.exit(len(measured) < len(wanted))


if __name__ == "__main__":
    main()
