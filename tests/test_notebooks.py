"Every notebook runs from top to bottom, offline, on a CPU, in under 20 seconds"
import os
import re
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NBS = Path(__file__).resolve().parents[1] / "nbs"
NOTEBOOKS = sorted(path.relative_to(NBS).as_posix() for path in NBS.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
NOT_RUN = re.compile(r"^#\|\s*eval:\s*false", re.M)
SECONDS = 20
SLOW_MACHINE = 4 if os.environ.get("CI") else 2  # two notebooks at once, and a shared machine


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_runs(name, tmp_path, monkeypatch):
    for variable in "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE":
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))  # an empty cache: nothing downloaded before can be missed
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    notebook = nbformat.read(NBS / name, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not NOT_RUN.search(cell.source)]
    start = time.perf_counter()
    NotebookClient(notebook, timeout=SECONDS * SLOW_MACHINE, kernel_name="python3",
                   resources={"metadata": {"path": str(tmp_path)}}).execute()
    seconds = time.perf_counter() - start
    assert seconds < SECONDS * SLOW_MACHINE, f"{name} took {seconds:.0f} s; a notebook has {SECONDS} s on an idle machine"
