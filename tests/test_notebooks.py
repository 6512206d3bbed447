"Every notebook runs from top to bottom, offline, on a CPU, and shows what it shows today"
import re

import nbformat
import pytest
from chapters import Cell, ROOT
from chapters import notebooks as paths
from notebooks import execute, worth_seeing

NBS = ROOT / "nbs"
NOTEBOOKS = [path.relative_to(NBS).as_posix() for path in paths()]

# Two texts are alike where they differ in numbers, times and how wide a table is alone.
ANSI = re.compile(r"\x1b\[[0-9;]*m")
NUMBER = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?([-+]\d\d:\d\d|Z)?)?|0x[0-9a-f]+|\b(nan|inf)\b"
                    r"|[-+−]?(\b\d[\d_]*(,\d{3})*(\.\d*)?|\.\d+)(e[-+]?\d+)?")
UNIT = re.compile(r"#(:#)*(\s*(µs|ms|s|min|h|MiB|GiB|kB|MB|GB)\b)?")
RULE = re.compile(r"[-─━═=_╸╺]{2,}")


def alike(text):
    "A text without its numbers, as lines without what aligns them"
    text = RULE.sub("-", UNIT.sub("#", NUMBER.sub("#", ANSI.sub("", text))))
    lines = (re.sub(r" (?=[\],)])", "", " ".join(line.split())) for line in text.splitlines())
    return [line for line in lines if line]


def shown(outputs):
    "What a cell shows: its text, what it logs, and the kinds of the rest"
    texts, logged, kinds = [], [], set()
    for output in outputs:
        if output["output_type"] == "stream":
            (logged if output["name"] == "stderr" else texts).extend(alike("".join(output["text"])))
        else:
            texts += alike("".join(output["data"].get("text/plain", "")))
            kinds |= output["data"].keys()
    return texts, logged, kinds


def change(before, now):
    """What is no longer so of a cell's outputs, as text; "" where nothing is. A library of another version may log more
    than was committed: only what is missing counts there."""
    (text, logged, kinds), (new_text, new_logged, new_kinds) = shown(before), shown(now)
    missing = [line for line in logged if line not in new_logged]
    if text != new_text:
        return "\n  committed:\n    " + "\n    ".join(text) + "\n  today:\n    " + "\n    ".join(new_text)
    if missing:
        return "\n  committed, not logged any more:\n    " + "\n    ".join(missing)
    return f"\n  committed: {sorted(kinds)}\n  today: {sorted(new_kinds)}" if kinds != new_kinds else ""


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_runs_and_shows_what_is_committed(name, tmp_path):
    committed = nbformat.read(NBS / name, as_version=4).cells
    stale = []
    for before, now in zip(committed, execute(NBS / name, tmp_path).cells):
        cell = Cell(before.cell_type, before.id, before.source)
        if cell.runs and not cell.hidden and not cell.exported:
            told = change(worth_seeing(before.outputs), worth_seeing(now.outputs))
            stale += [f"{name}, cell {cell.id}:{told}"] * bool(told)
    assert not stale, "outputs aren't today's (`make notebooks`):\n" + "\n".join(stale)


@pytest.mark.parametrize("before, now, same", [
    ("loss 0.693, 12 pairs in 1.2 s", "loss 1e-3, 1,200 pairs in 85 ms", True),
    ('{"row": 1, "time": "2026-11-26T05:06:07+00:00"}', '{"row": 12, "time": "2027-01-01"}', True),
    ("-0.25   0:01", "+3 10:00:05", True),
    ("\x1b[1m0.75\x1b[0m\n━━━━", "0.8\n━━━━━━", True),
    ("tensor([0.1000, nan])", "tensor([-1.2300e-05, 0.5 ])", True),
    ("5 columns: a, b", "7 columns: a, b, c", False),
    ("right", "wrong", False),
    ("", "something", False),
])
def test_numbers_and_times_may_change_and_words_may_not(before, now, same):
    assert (alike(before) == alike(now)) == same


def test_a_change_says_what_was_and_what_is():
    def printed(text, name="stdout"): return [dict(output_type="stream", name=name, text=text)]
    table = [dict(output_type="execute_result", data={"text/html": "<p>1", "text/plain": "   a\n0  1"})]
    assert change(printed("a 1\n"), printed("a 2\n")) == "" == change(table, table)
    assert "committed:\n    a #\n  today:\n    b #" in change(printed("a 1"), printed("b 1"))
    assert change(printed("a", "stderr"), printed("more\na\n", "stderr")) == ""
    assert "not logged any more:\n    a" in change(printed("a", "stderr"), [])
    assert "text/html" in change(table, [dict(output_type="execute_result", data={"text/plain": "   a\n0  1"})])


def test_what_a_terminal_has_overwritten_is_left_out():
    text = "a\n  1%|x\rnow 12%|xx\nb\r\n\x1b[?25l\x1b[2K━ 10%\r\x1b[2K━━ 100%\n\x1b[?25hc in tmpab3_efgh\n"
    streams = [nbformat.from_dict(dict(output_type="stream", name="stdout", text=part))
               for part in (text[:20], text[20:])]
    assert [output.text for output in worth_seeing(streams)] == ["a\nb\r\n━━ 100%\nc in a_temporary_folder\n"]
    assert not worth_seeing([nbformat.from_dict(dict(output_type="stream", name="stderr", text="100%|xx| 3/3\n"))])
