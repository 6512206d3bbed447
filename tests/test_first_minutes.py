"""How soon a new user has something: in cells, which don't depend on the machine. Seconds are measured by hand."""
import re

import pytest
from chapters import Chapter, ROOT

TUTORIALS = ROOT / "nbs" / "tutorials"


def cells_until(name, wanted):
    "How many cells one runs in a tutorial, the wanted one with them; its install cell and what is only shown aside"
    cells = [cell for cell in Chapter.read(TUTORIALS / f"{name}.ipynb").code_cells if cell.runs and not cell.hidden]
    return next(n for n, cell in enumerate(cells, 1) if wanted(cell))


def scores_a_pair(cell):
    return re.search(r"\.(score|score_pairs|rank|compare|visualize)\(|trainer\.(train|evaluate)\(", cell.source)


def shows_a_picture(cell):
    return any("image/png" in output.get("data", {}) for output in cell.outputs)


def reads_rows_of_ones_own(cell):
    "Rows that are written out in the cell, or read from a file"
    return re.search(r"\bread\(\"|load_rows\(|Dataset\.from_list\(\[", cell.source)


@pytest.mark.parametrize("name, wanted, most", [("first_reward_model", scores_a_pair, 3),
                                                ("first_reward_model", shows_a_picture, 4),
                                                ("your_own_pairs", reads_rows_of_ones_own, 3)])
def test_cells_until_something_is_seen(name, wanted, most):
    assert cells_until(name, wanted) <= most


def test_the_trainers_chapter_trains_within_ten_cells():
    cells = [cell for cell in Chapter.read(ROOT / "nbs" / "74_trainer.ipynb").cells if not cell.hidden]
    assert next(n for n, cell in enumerate(cells, 1) if "trainer.train()" in cell.source) <= 10


def test_the_front_page_scores_in_one_block():
    "The first block of Python on the front page trains and scores, and can be pasted into one cell"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.S)[1]
    compile(block, "README.md", "exec")
    assert "model.score(" in block and len([line for line in block.splitlines() if line.strip()]) <= 15
