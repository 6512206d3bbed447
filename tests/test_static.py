"What is written by hand for the browser: short lines and functions, data that knows no page, and nothing without a use"
import re
from pathlib import Path

import pytest

from rmkit.browser import front_end

STATIC = Path(__file__).resolve().parents[1] / "rmkit" / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
PURE = ("numbers", "table", "rows")  # functions of data alone, which are tested without a page of ours
TEXTS = re.compile(r"""//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")


def function_lengths(code):
    "The first line of each function that has a block, and how many lines the block takes"
    lines, opened, lengths = code.splitlines(), [], []
    for brace in re.finditer(r"[{}]", TEXTS.sub(lambda text: " " * len(text[0]), code)):
        at = code.count("\n", 0, brace.start())
        if brace[0] == "{":
            opened.append((at, re.search(r"(\)|=>) $", code[:brace.start()]) is not None))
        else:
            start, is_block = opened.pop()
            if is_block:
                lengths.append((lines[start].strip(), at - start + 1))
    assert not opened
    return lengths


def test_function_lengths():
    assert function_lengths("function f(a, {b}) {\n  if (a) {\n    return '{'; // {\n  }\n}\nconst c = {\n};") == [
        ("if (a) {", 3), ("function f(a, {b}) {", 5)]


@pytest.mark.parametrize("path", [*SCRIPTS, *sorted(STATIC.glob("*.css"))], ids=lambda path: path.name)
def test_lines_are_short(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if len(line) > 120 or line != line.rstrip()]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_functions_are_short_and_a_file_says_what_it_is(path):
    code = path.read_text(encoding="utf-8")
    assert code.startswith("// ")
    assert not [found for found in function_lengths(code) if found[1] > 40]


@pytest.mark.parametrize("name", PURE)
def test_functions_of_data_know_no_page_and_no_view(name):
    code = re.sub(r"^\s*//.*$", "", (STATIC / f"{name}.js").read_text(encoding="utf-8"), flags=re.M)
    assert not re.findall(r"\b(?:view|document|window|localStorage|navigator|element|svgElement)\b", code)


def test_every_file_is_in_a_page_and_every_function_has_a_use():
    modules = front_end("explorer") + front_end("dashboard")
    codes = {path.name: path.read_text(encoding="utf-8") for path in SCRIPTS}
    assert not [name for name, code in codes.items() if code not in modules]
    ours = "".join(codes.values())
    names = re.findall(r"^(?:async )?(?:function\*? |const |let )(\w+)", ours, flags=re.M)
    assert len(names) > 200 and not [name for name in names if len(re.findall(rf"(?<![\w$]){name}\b", ours)) < 2]
