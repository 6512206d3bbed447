"A notebook as the scripts and the house's tests read it: a chapter of cells, each with its directives and its code."
import ast
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS = ROOT / "docs" / "seconds.json"  # of each notebook on two cores: docs/notebooks.py writes it, the site says it
DIRECTIVE = re.compile(r"^#[ \t]*\|[ \t]*([\w-]+)[ \t]*:?[ \t]*(.*)$", re.M)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
MAGIC = re.compile(r"^(\s*)[%!].*$", re.M)
IMPORTS = (ast.Import, ast.ImportFrom)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Cell:
    kind: str  # "code", "markdown" or "raw"
    id: str
    source: str
    outputs: list = field(default_factory=list)

    @cached_property
    def directives(self) -> dict:
        "What nbdev is told: `{'export': ''}`, `{'eval': 'false'}`."
        return dict(DIRECTIVE.findall(self.source)) if self.kind == "code" else {}

    @cached_property
    def exported(self) -> bool:
        "Whether the cell is a part of the module."
        return bool({"export", "exports", "exporti"} & self.directives.keys())

    @cached_property
    def hidden(self) -> bool:
        "Whether a reader of the documentation sees nothing of the cell."
        return "hide" in self.directives or self.directives.get("include") == "false"

    @cached_property
    def needs(self) -> list:
        "What it takes to run the cell that isn't everywhere, such as a network or a GPU."
        return re.findall(r"[^,\s]+", self.directives.get("needs", ""))

    @cached_property
    def runs(self) -> bool:
        "Whether the cell is run everywhere: one that needs something is shown only."
        return self.runs_with(set())

    def runs_with(self, given: set) -> bool:
        "Whether the cell is run where there is all that."
        return self.kind == "code" and self.directives.get("eval") != "false" and given.issuperset(self.needs)

    @cached_property
    def shown(self) -> str:
        "The source without its directives."
        return DIRECTIVE.sub("", self.source).strip("\n") if self.kind == "code" else self.source

    @cached_property
    def code(self) -> str:
        "Plain Python, line for line: magics are `pass`, and a cell of another language is empty."
        if self.kind != "code" or self.source.lstrip().startswith("%%"):
            return ""
        return MAGIC.sub(r"\1pass", self.source)

    @cached_property
    def body(self) -> list:
        "The statements of the cell; none where it asks for help (`name?`) or isn't meant to be Python."
        try:
            return ast.parse(self.code).body
        except SyntaxError:
            return []

    @cached_property
    def lines(self) -> list:
        "The lines of code: those that are neither empty nor a directive."
        return [line for line in self.code.splitlines() if line.strip() and not DIRECTIVE.match(line)]

    @cached_property
    def functions(self) -> list:
        "All functions and methods that the cell defines, at any depth."
        return [node for node in ast.walk(ast.Module(self.body, [])) if isinstance(node, DEFINITIONS[:2])]

    @cached_property
    def only_imports(self) -> bool:
        "Whether the cell imports names, and does nothing else."
        return bool(self.body) and all(isinstance(node, IMPORTS) for node in self.body)


def cells_of(notebook: dict) -> list:
    "The cells of a notebook that was read as JSON."
    return [Cell(cell["cell_type"], cell.get("id", ""), "".join(cell["source"]), cell.get("outputs", []))
            for cell in notebook["cells"]]


def printed(output: dict) -> str:
    "What an output of a cell says as text, without colours; nothing for a picture."
    data = output.get("data", {})
    is_picture = any(kind.startswith("image/") for kind in data)
    return "" if is_picture else ANSI.sub("", "".join(output.get("text", data.get("text/plain", ""))))


@dataclass
class Chapter:
    path: Path
    cells: list  # of `Cell`

    @classmethod
    def read(cls, path: Path):
        "The chapter that a notebook's file holds."
        return cls(path, cells_of(json.loads(path.read_text(encoding="utf-8"))))

    @cached_property
    def code_cells(self) -> list:
        return [cell for cell in self.cells if cell.kind == "code"]

    @cached_property
    def exported(self) -> list:
        return [cell for cell in self.code_cells if cell.exported]

    @cached_property
    def number(self) -> int | None:
        "What the chapters are ordered by; None for a page outside the order."
        match = re.match(r"\d+", self.path.name)
        return match and int(match[0])

    @cached_property
    def title(self) -> str:
        "The name without the number: it stays when a chapter moves."
        return re.sub(r"^\d+\w?_", "", self.path.stem)

    @cached_property
    def tables(self) -> list:
        "The files of the tables that lie beside the notebook under its name."
        return sorted(self.path.parent.glob(f"{self.path.stem}*.csv"))


def page_name(path: Path) -> str:
    "The name of a notebook's page on the site: the number of a chapter is its place and not its name."
    return (path.parent.relative_to(ROOT / "nbs") / Chapter(path, []).title).as_posix()


def notebooks(folder: Path = ROOT / "nbs") -> list:
    "The notebooks of a folder and of those in it, in reading order."
    return sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def chapters(folder: Path = ROOT / "nbs") -> list:
    "What is in the notebooks of a folder, in reading order."
    return [Chapter.read(path) for path in notebooks(folder)]
