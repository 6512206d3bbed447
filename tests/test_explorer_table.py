"Filters, orders, searches and counts in the browser, by the same table of cases as in Python"
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rmkit.table import pair_scores
from rmkit.browser import front_end
from rmkit.filters import facets, matches, ordered, search_terms
from rmkit.visualizer import RewardVisualizer

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
from browser import Visit

CASES = json.loads((Path(__file__).parent / "filter_cases.json").read_text())
MADE = "noFilters tableOf matching sortsOf progressOf facetCounts countsAt regionCounts termsOf binsFilter itemFilter"
ASKED = """const {rm, source} = window, table = rm.tableOf(source.get("meta")), said = source.get("review");
  const review = {...said, seen: new Set(said.seen)};
  const all = filters => ({...rm.noFilters(), ...filters});
  const found = async ({text}) => text?.trim() ? new Set((await source.ask({what: "search", text})).ids) : null;"""
SHOWN = "async ({filters, sort}) => {" + ASKED + """
  return Array.from(rm.matching(table, all(filters), sort, review, await found(filters))) }"""
PROGRESS = "async filters => {" + ASKED + """
  return Object.values(rm.progressOf(table, all(filters), review, await found(filters))) }"""
PICTURED = "() => {" + ASKED + """
  const byData = {by: "data", down: false};
  const rows = filter => Array.from(rm.matching(table, all({pictures: {p: filter}}), byData, review, null));
  const binFilter = ({columns, title, edges}, bin) => rm.binsFilter({columns}, title, edges, bin, bin);
  const filtersOf = picture => picture.kind === "histogram"
    ? picture.edges.slice(1).map((_, bin) => binFilter(picture, bin))
    : (picture.points ?? picture.bars).map(item => rm.itemFilter(picture, item));
  return source.get("meta").pictures.map(picture => filtersOf(picture).map(filter => [filter, rows(filter)])) }"""


def page_of(path, viz):
    "A page with the functions of data, and the table as a saved page has it"
    data = json.dumps(dict(meta=viz.meta() | viz._saved_review(), rows=list(viz._saved_rows(0))))
    data = data.replace("<", "\\u003c")
    start = (f"window.rm = {{{', '.join(MADE.split())}}};"
             "window.source = embedded(JSON.parse(document.getElementById('data').textContent))")
    path.write_text("<!doctype html><meta charset=utf-8><title>table</title>"
                    f"<script type=application/json id=data>{data}</script>"
                    f"<script type=module>{front_end('explorer')}\n{start}</script>", encoding="utf-8")
    return path.as_uri()


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
    with Visit(browser, page_of(tmp_path_factory.mktemp("table") / "table.html", viz)) as visit:
        yield visit.page


def rows_of(viz, **filters):
    return matches(viz.scores, filters, viz.marks, viz.review.seen, lambda text: viz.search(text)["ids"], viz.moves)


@pytest.mark.parametrize("case", CASES["cases"], ids=range(len(CASES["cases"])))
def test_browser_and_python_show_the_same(page, viz, case):
    assert page.evaluate(SHOWN, case) == case["rows"]
    assert viz._matching(case["filters"], case["sort"]).tolist() == case["rows"]


def test_every_order_that_is_offered_is_one_in_python_too(page, viz):
    offered = [by for by, _ in page.evaluate("window.rm.sortsOf(window.rm.tableOf(window.source.get('meta')))")]
    assert {"wrong", "verdict", "decision", "mark", "language", "reward_chosen"} <= set(offered)
    for sort in (dict(by=by, down=down) for by in offered for down in (False, True)):
        rows = ordered(viz.scores, sort, viz.marks, viz.moves)
        assert page.evaluate(SHOWN, dict(filters={}, sort=sort)) == rows, sort
    decided = sorted(i for i in viz.marks if "decision" in viz.marks[i])
    assert matches(viz.scores, dict(decision="decided"), viz.marks) == decided


def test_search_terms_are_the_same(page):
    texts, terms = zip(*CASES["terms"])
    assert page.evaluate("texts => texts.map(window.rm.termsOf)", texts) == list(terms)
    assert list(map(search_terms, texts)) == list(terms)


@pytest.mark.parametrize("filters, total, decided, seen", CASES["progress"])
def test_how_far_a_review_is(page, viz, filters, total, decided, seen):
    assert page.evaluate(PROGRESS, filters) == [total, decided, seen]
    stack = rows_of(viz, **{name: value for name, value in filters.items() if name not in ("mark", "decision")})
    assert len(stack) == total and len(set(stack) & set(viz.review.seen)) == seen
    assert sum("decision" in viz.marks.get(i, {}) for i in stack) == decided


def test_values_of_a_column_are_counted_with_those_that_are_missing(page, viz):
    found = page.evaluate("[...window.rm.tableOf(window.source.get('meta')).facets.values()]"
                          ".filter(facet => facet.codes).map(facet => [facet.name, window.rm.facetCounts(facet)])")
    assert dict(found) == CASES["facets"]
    for facet in facets(viz.scores):
        if facet["kind"] == "category":
            names = [None if code < 0 else facet["names"][code] for code in facet["codes"]]
            assert Counter(names) == dict(map(tuple, CASES["facets"][facet["name"]]))
            for value, n in CASES["facets"][facet["name"]]:
                assert len(rows_of(viz, columns={facet["name"]: dict(values=[value])})) == n


def test_pairs_over_training_are_counted_as_they_are_filtered(page, viz):
    for step, counts in enumerate(CASES["steps"]):
        assert page.evaluate("step => window.rm.countsAt(window.source.get('meta').moves, step)", step) == counts
        for side in ("right", "wrong"):
            became = dict(step=step, became=side)
            assert len(rows_of(viz, pictures=dict(p=became))) == counts[f"became{side.title()}"]
        above = dict(step=step, low=1e-9, high=np.inf)
        assert len(rows_of(viz, pictures=dict(p=above))) == counts["right"]
    wide, counts = CASES["regions"]["wide"], CASES["regions"]["counts"]
    counted = page.evaluate("wide => window.rm.regionCounts(window.source.get('meta').moves, wide)", wide)
    assert counted == list(counts.values())
    for region, n in counts.items():
        assert len(rows_of(viz, pictures=dict(p=dict(region=region, wide=wide)))) == n


def test_what_a_bar_counts_is_what_it_filters(browser, tmp_path):
    "Down to the outermost pairs, whose numbers are sent with five digits"
    rng, n = np.random.default_rng(0), 600
    texts = [f"pair {i}" for i in range(n)]
    rewards, lengths = rng.normal(size=(2, n)), rng.integers(1, 99, (2, n))
    viz = RewardVisualizer(pair_scores(texts, texts, texts, *rewards, length_chosen=lengths[0],
                                       length_rejected=lengths[1], source=[f"source {i % 7}" for i in range(n)]))
    with Visit(browser, page_of(tmp_path / "pictures.html", viz)) as visit:
        found = visit.page.evaluate(PICTURED)
    for picture, filtered in zip(viz.meta()["pictures"], found):
        for filter, rows in filtered:
            assert rows_of(viz, pictures=dict(p=filter)) == rows
        counts = [len(rows) for _, rows in filtered]
        if picture["id"] == "rewards":
            chosen, rejected = (one["counts"] for one in picture["series"])
            assert set().union(*(rows for _, rows in filtered)) == set(range(n))
            assert all(max(a, b) <= count <= a + b for a, b, count in zip(chosen, rejected, counts))
        elif picture["kind"] == "histogram":
            assert counts == picture["series"][0]["counts"]
        else:
            assert counts == [item["n"] for item in picture.get("points") or picture["bars"]]
    assert len(found) == 5
