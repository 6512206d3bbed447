"The rules of the house: exports and README current, layers respected, notebooks clean"
import ast
import hashlib
import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from chapters import Cell, Chapter, ROOT
from chapters import notebooks as paths
from readme import readme
from stubs import patched_into, stub, stubs

NOTEBOOKS = paths()
NUMBERED = [path for path in NOTEBOOKS if re.match(r"\d+_", path.name)]
MODULES = sorted(path.stem for path in (ROOT / "rmkit").glob("*.py") if not path.stem.startswith("_"))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def cells(path, kind="code"):
    "The cells of a notebook of one kind"
    return [cell for cell in Chapter.read(path).cells if cell.kind == kind]


# Exports and README -------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    "A copy of the notebooks, exported afresh"
    tree = tmp_path_factory.mktemp("export")
    shutil.copytree(ROOT / "nbs", tree / "nbs", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    (tree / "rmkit").mkdir()
    shutil.copy(ROOT / "rmkit" / "__init__.py", tree / "rmkit")
    command = [sys.executable, "-c", "from nbdev.doclinks import nbdev_export; nbdev_export()"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return tree / "rmkit"


def test_exports_are_current(exported):
    "Byte for byte, `_modidx.py` too; a module whose notebook is gone counts as stale"
    fresh = {path.name: path.read_bytes() for path in exported.glob("*.py")}
    ours = {path.name: path.read_bytes() for path in (ROOT / "rmkit").glob("*.py")}
    stale = sorted(name for name in fresh.keys() | ours.keys() if fresh.get(name) != ours.get(name))
    assert not stale, f"rmkit/{', rmkit/'.join(stale)} differ from what nbs/ exports: run `make prepare`"


def test_stubs_are_current():
    "By meaning: another version of Python may write the same otherwise"
    def meaning(text): return ast.dump(ast.parse(text))
    fresh = {name: meaning(text) for name, text in stubs().items()}
    ours = {path.name: meaning(path.read_text(encoding="utf-8")) for path in (ROOT / "rmkit").glob("*.pyi")}
    stale = sorted(name for name in fresh.keys() | ours.keys() if fresh.get(name) != ours.get(name))
    assert not stale, f"rmkit/{', rmkit/'.join(stale)} differ from their modules: run `make prepare`"


PATCHING = '''
import os
from collections.abc import Callable
from dataclasses import dataclass
from .data import load_rows, tokenize as _tokenize
__all__ = ["A"]
LIMIT = 3
class A(Base):
    "An A."
    kind = "a"
    def __init__(self, size: int, *, call: Callable | None = None, names=()):
        self.size, self.call, self._own, self.parts = size, call, 1, []
@dataclass
class B:
    x: int
    y: list = field(default_factory=list)
    _z: int = 0
def made(a: int) -> A: return A(a)
def _private(): return 1
@patch
def grow(self: A, by: float = 1.5):
    "Grow."
    self.grown = True
@patch(as_prop=True)
def area(self: A | B) -> float: return 2.0
@patch(cls_method=True)
def of(cls: B, text: str): return cls(1)
'''
ITS_STUB = '''\
from collections.abc import Callable
from dataclasses import dataclass
from .data import load_rows as load_rows

__all__ = ['A']
LIMIT: int
class A(Base):
    """An A."""
    kind: str
    size: int
    call: Callable | None
    parts: list
    grown: bool

    def __init__(self, size: int, *, call: Callable | None=None, names=...) -> None:
        ...

    def grow(self, by: float=1.5) -> None:
        """Grow."""

    @property
    def area(self) -> float:
        ...

@dataclass
class B:
    x: int
    y: list = ...

    @property
    def area(self) -> float:
        ...

    @classmethod
    def of(cls, text: str):
        ...

def made(a: int) -> A:
    ...
'''


def test_a_stub_puts_methods_into_their_classes():
    "Signatures, docstrings, fields and attributes stay; bodies, private names and imports that nobody needs go"
    patches = {}
    for node in ast.parse(PATCHING).body:
        for owner in patched_into(node):
            patches.setdefault(owner, []).append(node)
    assert stub(PATCHING, patches).partition("\n")[2] == ITS_STUB


def public(module):
    "The functions and classes that a module makes and exports, and the classes' own public methods"
    for name in module.__all__:
        made = getattr(module, name)
        if getattr(made, "__module__", None) != module.__name__:
            continue
        yield name, made
        if inspect.isclass(made):
            yield from ((f"{name}.{method}", value) for method, value in vars(made).items()
                        if inspect.isfunction(value) and not method.startswith("_")
                        and not any(hasattr(base, method) for base in made.__mro__[1:]))


@pytest.mark.parametrize("name", MODULES)
def test_a_stub_lists_all_that_is_public(name):
    "Each function and class of the module, and each method of its classes, those that are patched in as well"
    stub, listed = ROOT / "rmkit" / f"{name}.pyi", set()
    if not stub.exists():
        assert "\n@patch" not in stub.with_suffix(".py").read_text(encoding="utf-8"), "patches, and has no stub"
        return
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        names = [getattr(each, "name", None) for each in getattr(node, "body", [])]
        listed |= {node.name, *(f"{node.name}.{method}" for method in names)} if hasattr(node, "name") else set()
    assert not {label for label, _ in public(importlib.import_module(f"rmkit.{name}"))} - listed


def test_readme_is_current():
    index = json.loads((ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8"))
    assert (ROOT / "README.md").read_text(encoding="utf-8") == readme(index), "README.md is stale: run `make prepare`"


def test_readme_has_prose_code_and_text_outputs():
    plot = {"output_type": "display_data", "data": {"image/png": "...", "text/plain": "<Axes: >"}}
    printed = {"output_type": "stream", "name": "stdout", "text": ["\x1b[1m0.75\x1b[0m\n"]}
    index = {"cells": [
        {"cell_type": "markdown", "source": ["# rmkit\n",
                                             "see [data](12_data.ipynb), [us](https://x.org), ![](../docs/a.png)"]},
        {"cell_type": "code", "source": "#| hide\nsecret = 1", "outputs": []},
        {"cell_type": "code", "source": "#| eval: false\nprint(accuracy)", "outputs": [printed, plot]}]}
    assert readme(index) == """\
# rmkit
see [data](nbs/12_data.ipynb), [us](https://x.org), ![](docs/a.png)

```python
print(accuracy)
```

```text
0.75
```
"""


# Links --------------------------------------------------------------------------------------------------------------

PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks" / "README.md", *NOTEBOOKS]
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)


def prose(path):
    "The text of a page: of a notebook, that of its Markdown cells"
    if path.suffix == ".ipynb":
        return "\n\n".join(cell.source for cell in cells(path, "markdown"))
    return path.read_text(encoding="utf-8")


def anchor(heading):
    "What a heading is called in a link, on GitHub and in the documentation"
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w-]", "", text.strip().replace(" ", "-"))


def broken_links(path):
    "Links of a page to files that aren't there, and to headings that aren't in them"
    found = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", CODE.sub("", prose(path)))
    for link in (link for pair in found for link in pair if link and not re.match(r"\w+:", link)):
        name, _, heading = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists():
            yield link
        elif heading and heading not in map(anchor, re.findall(r"^#+ +(.+)$", prose(target), re.M)):
            yield f"{link} (no such heading)"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    assert not list(broken_links(path))


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "b.md").write_text("# b\n## The `loss`, by [hand](x)\n", encoding="utf-8")
    page = tmp_path / "a.md"
    page.write_text("# Here\n[](b.md) [](b.md#the-loss-by-hand) [](#here) [](https://x.org) `[](z.md)`\n"
                    "[](c.md) [](b.md#a-loss) [](#there)", encoding="utf-8")
    assert list(broken_links(page)) == ["c.md", "b.md#a-loss (no such heading)", "#there (no such heading)"]


# Layers -------------------------------------------------------------------------------------------------------------

def module_of(path):
    "The module that a notebook exports, or None"
    return next((name for cell in cells(path) if (name := cell.directives.get("default_exp"))), None)


def imported(cell):
    """The rmkit modules that a cell imports, by name; names taken from the top level are looked up where they are made.
    A cell that isn't run shows what a user writes, and may import anything."""
    if not cell.runs:
        return
    for node in ast.walk(ast.Module(cell.body, [])):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("rmkit."))
        elif isinstance(node, ast.ImportFrom) and node.module == "rmkit":
            for alias in node.names:
                made_in = getattr(getattr(importlib.import_module("rmkit"), alias.name, None), "__module__", None)
                yield alias.name if alias.name in MODULES else f"{made_in or 'rmkit'}.".split(".")[1]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rmkit."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("path", NUMBERED, ids=name_of)
def test_a_notebook_imports_only_lower_numbers(path):
    numbers = {module_of(each): int(each.name.split("_")[0]) for each in NUMBERED}
    own = int(path.name.split("_")[0])
    used = {module for cell in cells(path) for module in imported(cell)}
    above = {module for module in used if numbers.get(module, -1) >= own}
    assert not above, f"{path.name} imports {sorted(above)}, which come after it"


@pytest.mark.parametrize("path", NUMBERED, ids=name_of)
def test_a_notebook_is_named_after_its_module(path):
    assert path.stem.split("_", 1)[1] == module_of(path)


def test_one_notebook_for_every_module_and_number():
    assert sorted(module_of(path) for path in NUMBERED) == MODULES
    numbers = [path.name.split("_")[0] for path in NUMBERED]
    assert len(numbers) == len(set(numbers))


# Clean notebooks ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_notebook_is_clean(path):
    "Outputs are kept; execution counts, cell metadata, widget state and errors are not"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert set(notebook["metadata"]) <= {"kernelspec"}, "run `make prepare`; widget state is not committed"
    for number, cell in enumerate(notebook["cells"]):
        assert cell.get("execution_count") is None and not cell["metadata"], f"cell {number}: run `make prepare`"
        for output in cell.get("outputs", []):
            assert output.get("execution_count") is None, f"cell {number}: run `make prepare`"
            assert output["output_type"] != "error", f"cell {number} ends in an error"
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {}), \
                f"cell {number} shows a widget, which is nothing without its kernel: remove that output"


# Functions that give nothing back, so that a cell may end in them and show nothing.
SILENT = re.compile(r"(assert_|disable_|set_)\w+|filterwarnings|simplefilter")


def shows_nothing(cell):
    "Whether a cell that the reader sees ends in a value, and its output isn't committed"
    if cell.exported or cell.hidden or cell.outputs or not cell.runs or not cell.body:
        return False
    last = cell.body[-1]
    if not isinstance(last, ast.Expr) or cell.code.rstrip().endswith(";"):
        return False
    called = isinstance(last.value, ast.Call) and ast.unparse(last.value.func).split(".")[-1]
    return not (called and SILENT.fullmatch(called))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_cells_show_their_outputs(path):
    "What a value looks like is what the cell is for; whether it is today's, `test_notebooks.py` tells"
    silent = [f"cell {cell.id}: {cell.lines[-1]}" for cell in cells(path) if shows_nothing(cell)]
    assert not silent, f"no output is committed (`make notebooks`), or end the cell with a semicolon: {silent}"


@pytest.mark.parametrize("source, silent", [
    ("a = 1\na", True), ("a[0]", True), ("scores.head(3)", True), ("f(x)  # a value", True),
    ("a = 1", False), ("assert a", False), ("plot(a);", False), ("#| hide\na", False), ("#| eval: false\na", False),
    ("import a", False), ("torch.testing.assert_close(a, b)", False), ("#| export\na", False), ("%%bash\nls", False),
])
def test_a_cell_without_its_output_is_found(source, silent):
    assert shows_nothing(Cell("code", "", source)) == silent
    assert not shows_nothing(Cell("code", "", source, [{"output_type": "stream"}]))


@pytest.mark.parametrize("path", NUMBERED, ids=name_of)
def test_notebook_starts_with_title_and_description(path):
    first = cells(path, "markdown")[0].source.splitlines()
    assert first[0].startswith("# ") and any(line.startswith("> ") for line in first[1:])


@pytest.mark.parametrize("path", [each for each in NOTEBOOKS if each.stem != "index"], ids=name_of)
def test_a_notebook_opened_alone_installs_rmkit_first(path):
    "As Colab opens it, from the button on its page"
    first = cells(path)[0]
    assert '%pip install -q "rmkit @ git+https://github.com/rmkit/rmkit"' in first.source and not first.runs
    assert not first.outputs, "what pip said on one machine is not worth keeping"


def test_no_path_of_one_machine():
    absolute = re.compile(r"(?<![\w.~/:-])/(?:home|root|Users|tmp|work|mnt|private)/[\w.-]+")
    folders = [ROOT / folder for folder in ("nbs", "rmkit", "tests", "docs", "benchmarks")]
    paths = [*ROOT.iterdir(), *(path for folder in folders for path in folder.rglob("*"))]
    text = [path for path in paths if path.suffix in {".ipynb", ".py", ".md", ".toml", ".json", ".txt"}]
    text += [ROOT / "Makefile", ROOT / ".ci" / "run"]
    found = [f"{name_of(path)}: {match[0]}" for path in text
             for match in absolute.finditer(path.read_text(encoding="utf-8"))]
    assert not found


MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|javascript:"
                    r"|\beval\(|new Function|\bimport\b|\bfetch\(|XMLHttpRequest|WebSocket|https?://(?!www\.w3\.org/)")


STATIC = ROOT / "rmkit" / "static"


@pytest.mark.parametrize("path", sorted(path for path in STATIC.iterdir() if path.is_file()), ids=name_of)
def test_what_runs_in_the_browser_makes_no_markup_of_text_and_asks_nobody(path):
    code = re.sub(r"^\s*//.*$", "", path.read_text(encoding="utf-8"), flags=re.M)
    assert not [match[0] for match in MARKUP.finditer(code)]


def test_libraries_are_their_authors_own_builds_and_fit_into_a_page():
    "What is in static/vendor is what its README says, and nothing of it ends the script that holds it"
    notes = (STATIC / "vendor" / "README.md").read_text(encoding="utf-8")
    libraries = sorted((STATIC / "vendor").glob("*.js"))
    assert libraries
    for path in libraries:
        assert f"`{hashlib.sha256(path.read_bytes()).hexdigest()}`" in notes, f"{path.name} isn't what its README says"
    for licence in re.findall(r"`([\w.]+\.LICENSE)`", notes):
        assert (STATIC / "vendor" / licence).read_text(encoding="utf-8")
    assert not re.search("</?script", importlib.import_module("rmkit.visualizer").front_end("explorer"), re.I)


# What runs elsewhere --------------------------------------------------------------------------------------------------

def test_ci_runs_make_test():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "make test"


def targets():
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=name_of)
def test_github_reads_its_files(path):
    "They are YAML, and what a workflow runs are targets of the Makefile, so that all of it can be run here"
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = [step for job in workflow.get("jobs", {}).values() for step in job["steps"]]
    run = [line for step in steps for line in step.get("run", "").splitlines()]
    assert all(line.split()[0] == "make" and line.split()[1] in targets() for line in run), run


def test_what_a_commit_runs_are_targets():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    called = [hook["entry"].split() for repo in hooks for hook in repo["hooks"]]
    assert called and all(words[0] == "make" and {*words[1:]} <= targets() for words in called)


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    settings = (ROOT / "settings.ini").read_text(encoding="utf-8")
    assert citation["cff-version"] == "1.2.0" and {"message", "title", "authors"} <= citation.keys()
    assert f"version = {citation['version']}\n" in settings and f"license = {citation['license']}\n" in settings
