"""Measures of a project's notebooks, as a Markdown table: `python docs/measure.py [--chapters] [FOLDER ...]`.

A folder is that of an nbdev project (or of its notebooks); a column each, rmkit where none is given. Counted are:

- *exported cell*: a code cell marked `#| export`, `exports` or `exporti`;
- *lines*: those of a cell that are neither empty nor a directive (`#| ...`); the width of a line is in characters;
- *characters of a function*: from `def` to its last character, decorators, comments and docstrings left out: what is
  said of a parameter makes a function no harder to read; methods, and functions within functions, are counted each by
  itself;
- *assertion cell*: a code cell that isn't exported and has an `assert`, or calls a function like fastcore's
  `test_eq` or `expect_fail`;
- *example*: a code cell that isn't exported, is shown to readers (no `#| hide`) and does more than import. A *run* is
  the exported cells between two examples; cells that only import are left out, and prose doesn't end a run;
- *used before it is defined*: a name that an exported cell reads and that a later exported cell of the same notebook
  defines (function, class, constant), or a method that it takes from `self` and that is patched into that class later.
  Parameters and local variables aren't names of the notebook. A name counts once for each cell that reads it."""
import argparse
import ast
import io
import re
import textwrap
import tokenize
from pathlib import Path
from statistics import median

import numpy as np
from chapters import DEFINITIONS, ROOT, chapters

WIDTHS = (120, 140, 160)
PARTS = ["the idea", "data", "the model", "numbers", "speed", "asking a model", "seeing", "training",
         "outside a notebook"]
ASSERTS = re.compile(r"^\s*(assert\b|(with )?(test_\w+|\w*[Ff]ail\w*|ExceptionExpected)\()", re.M)


def quantile(values: list, percent: int) -> int:
    return int(np.percentile(values, percent)) if values else 0


def slashed(*values) -> str:
    return " / ".join(map(str, values))


def exported_cells(book: list) -> list:
    return [cell for chapter in book for cell in chapter.exported]


def explanation(source: str) -> int:
    "Characters of comments and docstrings in the source of one function."
    documented = [node.body[0] for node in ast.walk(ast.parse(source)) if isinstance(node, DEFINITIONS)
                  and ast.get_docstring(node) is not None]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return (sum(len(ast.get_source_segment(source, node)) for node in documented)
            + sum(len(token.string) for token in tokens if token.type == tokenize.COMMENT))


def function_sizes(book: list) -> list:
    "Characters of the code of each exported function."
    return [len(ast.get_source_segment(cell.code, function))
            - explanation(textwrap.dedent(ast.get_source_segment(cell.code, function, padded=True)))
            for cell in exported_cells(book) for function in cell.functions]


def assertion_cells(book: list) -> list:
    return [cell for chapter in book for cell in chapter.code_cells if not cell.exported and ASSERTS.search(cell.code)]


def assertions_per_cell(book: list) -> float:
    "Assertion cells for each exported cell."
    return len(assertion_cells(book)) / max(len(exported_cells(book)), 1)


def is_example(cell) -> bool:
    return bool(cell.lines) and not (cell.exported or cell.hidden or cell.only_imports)


def runs(chapter) -> list:
    "The exported cells of a chapter, a list for each run without an example."
    found = [[]]
    for cell in chapter.code_cells:
        if is_example(cell):
            found.append([])
        elif cell.exported and not cell.only_imports:
            found[-1].append(cell)
    return [run for run in found if run]


def longest_run(chapter) -> int:
    return max(map(len, runs(chapter)), default=0)


def owner(node) -> str | None:
    "The class whose method or body a statement is: `class A`, or `def f(self: A)` under `@patch`."
    if isinstance(node, ast.ClassDef):
        return node.name
    if isinstance(node, DEFINITIONS) and any("patch" in ast.unparse(each) for each in node.decorator_list):
        annotation = node.args.args[0].annotation if node.args.args else None
        return annotation and ast.unparse(annotation)


def defined(node) -> list:
    "The names that a statement defines, each with its class or None."
    if isinstance(node, DEFINITIONS):
        return [(None if isinstance(node, ast.ClassDef) else owner(node), node.name)]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [(None, name.id) for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def read(node) -> set:
    "The names of the module that a statement reads, and the methods that it takes from `self` or `cls`."
    parts = list(ast.walk(node))
    local = {part.id for part in parts if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)}
    local |= {part.arg for part in parts if isinstance(part, ast.arg)}
    names = {(None, part.id) for part in parts if isinstance(part, ast.Name)} - {(None, name) for name in local}
    methods = {(owner(node), part.attr) for part in parts if isinstance(part, ast.Attribute)
               and isinstance(part.value, ast.Name) and part.value.id in ("self", "cls")}
    return names | methods


def used_before(chapter) -> list:
    "What the exported cells read that is defined only later in the chapter: (cell, name)."
    places = {}
    for place, cell in enumerate(chapter.exported):
        for name in (name for node in cell.body for name in defined(node)):
            places.setdefault(name, place)
    return [(cell, name[1]) for place, cell in enumerate(chapter.exported)
            for name in sorted({name for node in cell.body for name in read(node)}, key=str)
            if places.get(name, 0) > place]


def used_before_per_100(book: list) -> float:
    return 100 * sum(len(used_before(chapter)) for chapter in book) / max(len(exported_cells(book)), 1)


def measures(book: list) -> dict:
    "All measures of some chapters, as text; chapters that export nothing are left out."
    book = [chapter for chapter in book if chapter.exported]
    cells, sizes = exported_cells(book), function_sizes(book)
    lengths, widths = [len(cell.lines) for cell in cells], [len(line) for cell in cells for line in cell.lines]
    over = slashed(*(sum(width > limit for width in widths) for limit in WIDTHS))
    longest = [longest_run(chapter) for chapter in book]
    return {
        "chapters with exported cells / exported cells": slashed(len(book), len(cells)),
        "exported cell, lines: median / p90 / max":
            slashed(quantile(lengths, 50), quantile(lengths, 90), max(lengths)),
        "characters of a function: median / p90": slashed(quantile(sizes, 50), quantile(sizes, 90)),
        f"exported lines over {slashed(*WIDTHS)}": f"{over} of {len(widths):,}",
        "assertion cells per exported cell": f"{assertions_per_cell(book):.2f}",
        "longest run of exported cells without an example: median / max notebook":
            slashed(f"{median(longest):g}", max(longest)),
        "names used before they are defined, per 100 exported cells": f"{used_before_per_100(book):.1f}",
    }


def row(name: str, book: list) -> list:
    "One line of the table by chapter and part."
    sizes, lengths = function_sizes(book), [len(cell.lines) for cell in exported_cells(book)]
    return [name, len(lengths), max(lengths), quantile(sizes, 90), f"{assertions_per_cell(book):.2f}",
            max(map(longest_run, book)), f"{used_before_per_100(book):.1f}"]


def by_chapter(book: list) -> list:
    "The lines of the table by chapter; the parts, which are decades, stand above their chapters."
    rows = [["chapter", "exported cells", "longest", "function p90", "assertion cells each", "run", "used before"]]
    numbered = [chapter for chapter in book if chapter.exported and chapter.number is not None]
    for decade in sorted({chapter.number // 10 for chapter in numbered}):
        part = [chapter for chapter in numbered if chapter.number // 10 == decade]
        rows.append(row(f"**{PARTS[decade]}**" if decade < len(PARTS) else f"**{decade}0**", part))
        rows += [row(chapter.path.stem, [chapter]) for chapter in part]
    return rows


def table(rows: list) -> str:
    "Rows as a Markdown table, the first of them its head."
    lines = ["| " + " | ".join(map(str, each)) + " |" for each in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT], help="projects, or folders of notebooks")
    parser.add_argument("--chapters", action="store_true", help="a second table for each project, by chapter")
    args = parser.parse_args()
    books = {folder.resolve().name: chapters(folder / "nbs" if (folder / "nbs").is_dir() else folder)
             for folder in args.folders}
    columns = [measures(book) for book in books.values()]
    print(table([["", *books], *([name, *(column[name] for column in columns)] for name in columns[0])]))
    if args.chapters:
        for book in books.values():
            print("\n" + table(by_chapter(book)))


if __name__ == "__main__":
    main()
