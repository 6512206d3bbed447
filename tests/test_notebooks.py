"Every notebook runs from top to bottom, offline, on a CPU"
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NBS = Path(__file__).resolve().parents[1] / "nbs"
NOTEBOOKS = sorted(path.relative_to(NBS).as_posix() for path in NBS.rglob("*.ipynb")
                   if ".ipynb_checkpoints" not in path.parts)
NOT_RUN = re.compile(r"^#\|\s*eval:\s*false", re.M)
HANGS = 600  # seconds of one cell; a whole notebook takes under 20 on an idle machine, as `--durations` shows


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_runs(name, tmp_path, monkeypatch):
    for variable in "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE":
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))  # an empty cache: nothing downloaded before can be missed
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    notebook = nbformat.read(NBS / name, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not NOT_RUN.search(cell.source)]
    NotebookClient(notebook, timeout=HANGS, kernel_name="python3",
                   resources={"metadata": {"path": str(tmp_path)}}).execute()
