"Filters and orders in the browser, by the same table of cases as in Python"
import json
from pathlib import Path

import pandas as pd
import pytest

from rmkit.browser import front_end
from rmkit.filters import matches, ordered
from rmkit.visualizer import RewardVisualizer

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
from browser import Visit

CASES = json.loads((Path(__file__).parent / "filter_cases.json").read_text())
SHOWN = """async ({filters, sort}) => {
  const {rm, source} = window, all = {...rm.noFilters(), ...filters}, table = rm.tableOf(source.get("meta"));
  const found = all.text.trim() ? new Set((await source.ask({what: "search", text: all.text})).ids) : null;
  return Array.from(rm.matching(table, all, sort, {...source.get("review"), seen: new Set(source.get("review").seen)}, found)) }"""


@pytest.fixture(scope="module")
def viz():
    viz = RewardVisualizer(pd.DataFrame(CASES["table"]))
    viz.moves = CASES["moves"]
    for i, entry in CASES["entries"].items():
        viz.mark(int(i), entry.get("mark"), entry.get("note"))
        if entry.get("decision"):
            viz.decide(int(i), entry["decision"])
    for i in CASES["seen"]:
        viz.review.change(i, seen=True)
    return viz


@pytest.fixture(scope="module")
def page(browser, viz, tmp_path_factory):
    "A page with the functions of data, and the table as a saved page has it"
    meta = viz.meta() | viz._saved_review()
    data = json.dumps(dict(meta=meta, rows=list(viz._saved_rows(0)))).replace("<", "\\u003c")
    path = tmp_path_factory.mktemp("table") / "table.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>table</title><script type=application/json id=data>{data}</script>"
                    f"<script type=module>{front_end('explorer')}\nwindow.rm = {{noFilters, tableOf, matching, sortsOf}};"
                    "window.source = embedded(JSON.parse(document.getElementById('data').textContent))</script>", encoding="utf-8")
    with Visit(browser, path.as_uri()) as visit:
        yield visit.page


@pytest.mark.parametrize("case", CASES["cases"], ids=range(len(CASES["cases"])))
def test_browser_and_python_show_the_same(page, viz, case):
    assert page.evaluate(SHOWN, case) == case["rows"]
    assert viz._matching(case["filters"], case["sort"]).tolist() == case["rows"]


def test_every_order_that_is_offered_is_one_in_python_too(page, viz):
    offered = [by for by, _ in page.evaluate("window.rm.sortsOf(window.rm.tableOf(window.source.get('meta')))")]
    assert {"wrong", "verdict", "decision", "mark", "language", "reward_chosen"} <= set(offered)
    for by in offered:
        for down in (False, True):
            sort = dict(by=by, down=down)
            assert page.evaluate(SHOWN, dict(filters={}, sort=sort)) == ordered(viz.scores, sort, viz.marks, viz.moves), sort
    assert matches(viz.scores, dict(decision="decided"), viz.marks) == sorted(i for i in viz.marks if "decision" in viz.marks[i])
