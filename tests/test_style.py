"The style of the house: what `docs/measure.py` counts and what ruff finds"
import ast
import json
import math
import subprocess
import sys
from pathlib import Path

from chapters import Cell, Chapter, chapters, DEFINITIONS, ROOT
from measure import (assertion_cells, assertions_per_cell, explanation, exported_cells, function_sizes, longest_run,
                     measures, runs, used_before)

BOOK = [chapter for chapter in chapters() if chapter.exported]
FILES = sorted(path for folder in ("tests", "benchmarks", "docs") for path in (ROOT / folder).glob("*.py"))
CELL_LINES = 40
FUNCTION_LINES = 40
FUNCTION_CHARACTERS = 700  # of code, of nine functions in ten
DEFINITIONS_IN_A_CELL = 3
RUN = 3  # exported cells without an example
ASSERTIONS = 0.8  # assertion cells for each exported cell, in the chapters that teach
TEACHING = range(50)  # the idea, data, the model, numbers, speed
USED_BEFORE = 4  # names used before they are defined, for 100 exported cells


def long_functions(tree):
    "Functions of more than 40 lines, at any depth."
    sizes = [(node.name, node.end_lineno - node.lineno + 1) for node in ast.walk(tree)
             if isinstance(node, DEFINITIONS[:2])]
    return [f"{name}, {lines} lines" for name, lines in sizes if lines > FUNCTION_LINES]


def faults_of(chapter):
    "What a chapter breaks: rule -> where."
    cells = [cell for cell in chapter.exported if not cell.only_imports]
    crowded = {cell.id: sum(isinstance(node, DEFINITIONS) for node in cell.body) for cell in cells}
    missing = math.ceil(ASSERTIONS * len(chapter.exported)) - len(assertion_cells([chapter]))
    return {
        "exported cell over 40 lines": [f"{c.id}, {len(c.lines)} lines" for c in cells if len(c.lines) > CELL_LINES],
        "exported cell of more than 3 definitions": [f"{id}, {n}" for id, n in crowded.items()
                                                     if n > DEFINITIONS_IN_A_CELL],
        "function over 40 lines": [text for cell in cells for text in long_functions(ast.Module(cell.body, []))],
        "more than 3 exported cells without an example": [
            f"{run[0].id} to {run[-1].id}, {len(run)} cells" for run in runs(chapter) if len(run) > RUN],
        "assertion cells missing":
            [f"{assertions_per_cell([chapter]):.2f} for each exported cell"] * missing if chapter.number in TEACHING
            else [],
    }


def faults_of_the_book():
    "What the chapters break together: how much is over what is allowed."
    sizes, early = function_sizes(BOOK), [(chapter, *each) for chapter in BOOK for each in used_before(chapter)]
    long = len([size for size in sizes if size >= FUNCTION_CHARACTERS]) - len(sizes) // 10
    early_allowed = USED_BEFORE * len(exported_cells(BOOK)) // 100
    return {
        f"functions of {FUNCTION_CHARACTERS} characters and more": ["beyond one in ten"] * long,
        "names used before they are defined": [
            f"{chapter.title}, cell {cell.id}: {name}" for chapter, cell, name in early][early_allowed:],
    }


def ruffs_faults():
    "What `ruff check` finds: file or chapter -> rule -> where."
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "json", ROOT],
                          capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    found = {}
    for fault in json.loads(done.stdout):
        path, row = Path(fault["filename"]), fault["location"]["row"]
        name = next((chapter.title for chapter in BOOK if chapter.path == path), path.relative_to(ROOT).as_posix())
        place = f"cell {fault['cell']}, line {row}" if fault["cell"] else f"line {row}"
        found.setdefault(name, {}).setdefault(fault["code"], []).append(f"{place}: {fault['message']}")
    return found


def all_faults():
    "All that is broken: file or chapter -> rule -> where."
    ruffs = ruffs_faults()
    found = {chapter.title: faults_of(chapter) for chapter in BOOK} | {"all chapters": faults_of_the_book()}
    for path in FILES:
        long = long_functions(ast.parse(path.read_text(encoding="utf-8")))
        found[path.relative_to(ROOT).as_posix()] = {"function over 40 lines": long}
    for name in found | ruffs:
        found[name] = {rule: places for rule, places in (found.get(name, {}) | ruffs.get(name, {})).items() if places}
    return found


def test_the_rules_are_kept():
    broken = [f"{name}: {rule}: {len(places)}\n    " + "\n    ".join(dict.fromkeys(places))
              for name, rules in all_faults().items() for rule, places in rules.items()]
    assert not broken, "\n".join(broken)


# What is counted ----------------------------------------------------------------------------------------------------

def a_chapter(*sources, name="20_model.ipynb"):
    return Chapter(Path(name), [Cell("code", f"c{i}", source) for i, source in enumerate(sources)])


def test_runs_end_at_an_example_that_the_reader_sees():
    chapter = a_chapter("#| export\nimport a", "#| export\nA = 1", "#| export\nB = 2", "#| hide\nassert A", "import b",
                        "#| exporti\nC = 3", "A + B", "#| export\nD = 4")
    assert [[cell.source[-5:] for cell in run] for run in runs(chapter)] == [["A = 1", "B = 2", "C = 3"], ["D = 4"]]
    assert longest_run(chapter) == 3 and chapter.number == 20 and chapter.title == "model"


def test_names_used_before_they_are_defined():
    chapter = a_chapter(
        "#| export\ndef f(late, *, g=1):\n    return late + g + h() + h() + len(other)",
        "#| export\nclass A:\n    def m(self):\n        return self.n() + self.k",
        "#| export\ndef h(): return 1\ndef late(): return 2\ndef k(): return 3",
        "#| export\n@patch\ndef n(self: A): return self.m()")
    assert [(cell.id, name) for cell, name in used_before(chapter)] == [("c0", "h"), ("c1", "n")]


def test_measures_count_what_they_say():
    inner, long = "#| export\ndef f():\n\n    def g(): return 1\n    return g", "#| export\nx = '" + "a" * 120 + "'"
    told = measures([a_chapter(inner, "assert f()", "test_eq(1, 1)", "f()", "%time f()", long)])
    assert list(told.values()) == ["1 / 2", "2 / 2 / 3", "30 / 41", "1 / 0 / 0 of 4", "1.00", "1 / 1", "0.0"]


def test_what_is_said_of_a_function_is_not_counted():
    said = 'def f(\n    a,  # one\n):\n    "Do."\n    def g(b):  # two\n        """Do\n        it."""\n    return "#"'
    assert explanation(said) == len('# one"Do."# two"""Do\n        it."""')
    method = "#| export\nclass A:\n    def f(self):  # three\n        return 1"
    assert function_sizes([a_chapter(method)]) == [len("def f(self):  \n        return 1")]


def test_faults_have_their_places():
    long = "def f():\n" + "    pass\n" * 40
    chapter = a_chapter("#| export\n" + long, *(f"#| export\ndef a{i}(): pass" for i in range(3)),
                        "#| export\n" + "\n".join(f"def b{i}(): pass" for i in range(4)))
    assert {rule: places for rule, places in faults_of(chapter).items() if places} == {
        "exported cell over 40 lines": ["c0, 41 lines"], "function over 40 lines": ["f, 41 lines"],
        "exported cell of more than 3 definitions": ["c4, 4"],
        "more than 3 exported cells without an example": ["c0 to c4, 5 cells"],
        "assertion cells missing": ["0.00 for each exported cell"] * 4}
