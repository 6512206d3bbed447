"What the site's scripts make of a notebook: cells, links, notes, twins, addresses. The whole site: tests/test_site.py"
import json
import os
import re
from pathlib import Path

import build_site
import finish
import live
import pages
import pytest
from chapters import Cell, Chapter, page_name, ROOT
from pages import as_myst, Page, relink, twin

NBS = ROOT / "nbs"

PNG = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"}}
PRINTED = {"output_type": "stream", "name": "stdout", "text": ["\x1b[1m0.75\x1b[0m\n"]}
TABLE = {"output_type": "execute_result", "data": {"text/html": "<table></table>", "text/plain": "a  b"}}
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/x)"
CELLS = [
    ("markdown", f"# A `loss`\n\n> What it\n> is.\n\n{BADGE}\n\nYou will have one.", []),
    ("code", "#| default_exp losses", []),
    ("code", "#| export\nimport torch", []),
    ("code", "#| hide\nsecret = 1", [PRINTED]),
    ("code", "#| include: false\nsecret = 2", [PRINTED]),
    ("raw", "secret = 3", []),
    ("markdown", "See [data](../12_data.ipynb#a-heading), [us](https://x.org) and `[not](12_data.ipynb)`.", []),
    ("code", "#| needs: network gpu\n%pip install rmkit", []),
    ("code", "#| thumbnail\n#| eval: false\nplot()\nprint(1)", [PNG, PRINTED, TABLE]),
    ("code", "#| live: pairs.html\nviz.save('pairs.html')", []),
]


@pytest.fixture
def page(tmp_path, monkeypatch):
    "A tutorial of ten cells, in a repository that is this one but for it"
    path = NBS / "tutorials" / "a_loss.ipynb"
    cells = [Cell(kind, f"c{i}", source, outputs) for i, (kind, source, outputs) in enumerate(CELLS)]
    monkeypatch.setattr(Chapter, "read", lambda at: Chapter(at, cells))
    monkeypatch.setattr(pages, "SECONDS", tmp_path / "seconds.json")
    (tmp_path / "seconds.json").write_text('{"nbs/tutorials/a_loss.ipynb": 7}', encoding="utf-8")
    return Page(path, page_name(path))


def myst_cells(page, **more):
    return json.loads(as_myst(page, lambda text, name: text, **more))["cells"]


# A page -------------------------------------------------------------------------------------------------------------

def test_a_page_knows_its_name_title_and_cost(page):
    assert (page.name, page.title, page.lead) == ("tutorials/a_loss", "A `loss`", "What it is.")
    assert (page.seconds, page.module, page.source) == (7, "losses", "nbs/tutorials/a_loss.ipynb")
    assert Page(NBS / "other.ipynb", "other").seconds is None
    assert page_name(NBS / "12_data.ipynb") == "data" and page_name(NBS / "index.ipynb") == "index"


def test_a_reader_sees_no_hidden_cell_and_no_directive(page):
    code = [cell["source"] for cell in myst_cells(page) if cell["cell_type"] == "code"]
    assert code == ["import torch", "%pip install rmkit", "plot()\nprint(1)", "viz.save('pairs.html')"]
    assert "secret" not in json.dumps(myst_cells(page)) and "#|" not in json.dumps(myst_cells(page))


def test_a_page_opens_with_its_own_buttons(page):
    first = myst_cells(page, reference="reference/losses")[0]["source"]
    assert first.startswith("# A `loss`\n\n> What it\n> is.\n\n<div class=\"notebook-bar\">")
    assert first.endswith("\n\nYou will have one.") and "colab-badge" not in first
    assert 'href="https://colab.research.google.com/github/rmkit/rmkit/blob/main/nbs/tutorials/a_loss.ipynb"' in first
    assert 'href="../nbs/tutorials/a_loss.ipynb" download' in first and "Runs in 7 s on two cores" in first
    assert 'href="../reference/losses.html"' in first
    assert "reference/" not in myst_cells(page)[0]["source"], "no link where there is no such page"


def test_what_a_cell_needs_is_said_before_it(page):
    before = [cell["source"] for cell in myst_cells(page) if cell["source"].startswith(":::{container} needs")]
    assert before == [":::{container} needs\nNeeds a network and a GPU: shown, and not run here.\n:::"]
    with pytest.raises(KeyError):
        pages.needs(Cell("code", "", "#| needs: patience\n1"))
    kept = Cell("code", "", "#| needs: pairs\n1", outputs=[1])
    assert pages.needs(kept) == "Needs real pairs and a small pretrained model: its output is kept from such a run."
    assert kept.runs_with({"pairs", "gpu"}) and not kept.runs and not kept.runs_with({"gpu"})


def test_a_live_page_has_a_frame_and_a_way_out(page):
    frame = myst_cells(page)[-1]["source"]
    assert '<iframe class="live" loading="lazy" src="../live/tutorials/a_loss/pairs.html" title="A `loss`: a' in frame
    assert '<a href="../live/tutorials/a_loss/pairs.html">' in frame


def test_the_symbols_of_prose_are_handed_to_be_linked(page):
    asked = []
    as_myst(page, lambda text, name: asked.append((name, text)) or text)
    assert [name for name, _ in asked] == ["tutorials/a_loss"] * 2 and "You will have one." in asked[0][1]


def test_outputs_are_the_committed_ones_and_one_is_the_thumbnail(page):
    assert next(cell for cell in myst_cells(page) if "plot" in cell["source"])["outputs"] == [PNG, PRINTED, TABLE]
    assert page.thumbnail.startswith(b"\x89PNG")


# Links --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("written, myst, plain", [
    ("[a](../12_data.ipynb)", "[a](/data.ipynb)", "[a](../data.html.md)"),
    ("[`a`](../12_data.ipynb#b)", "[`a`](/data.ipynb#b)", "[`a`](../data.html.md#b)"),
    ("[a](reading_a_run.ipynb)", "[a](/tutorials/reading_a_run.ipynb)", "[a](reading_a_run.html.md)"),
    ("[a](../../CONTRIBUTING.md)", "[a](/contributing.md)", "[a](../contributing.html.md)"),
    ("[a](../../tests/old_scripts)", *["[a](https://github.com/rmkit/rmkit/tree/main/tests/old_scripts)"] * 2),
    ("[a](../../settings.ini)", *["[a](https://github.com/rmkit/rmkit/blob/main/settings.ini)"] * 2),
    ("![a](../../docs/images/demo.svg)", "![a](/_pictures/demo.svg)",
     "![a](https://github.com/rmkit/rmkit/raw/main/docs/images/demo.svg)"),
    ("[a](https://rmkit.github.io/rmkit/reference/index.html#x)", "[a](/reference/index.md#x)",
     "[a](https://rmkit.github.io/rmkit/reference/index.html#x)"),
    ("[a](https://rmkit.github.io/rmkit/config.html)", "[a](/config.ipynb)",
     "[a](https://rmkit.github.io/rmkit/config.html)"),
    *[(text, text, text) for text in (
        "[a](https://x.org) [b](#c)", "`[a](../12_data.ipynb)`", "``a `[a](no.ipynb)` b``",
        "```\n[a](no.ipynb)\n```", "~~~diff\n[a](no.ipynb)\n~~~\n")],
])
def test_links_lead_to_pages_where_there_are_any(written, myst, plain):
    page = Page(NBS / "tutorials" / "x.ipynb", "tutorials/x")
    assert (relink(written, page), relink(written, page, twin=True)) == (myst, plain)


def test_a_link_that_leads_nowhere_is_noted(page, monkeypatch):
    monkeypatch.setattr(pages, "broken", [])
    relink("[a](../12_date.ipynb) [b](../12_data.ipynb) [c](../../settings.ini)", page)
    assert pages.broken == ["nbs/tutorials/a_loss.ipynb links to ../12_date.ipynb, which isn't there"]


# Twins --------------------------------------------------------------------------------------------------------------

TWIN = """\
# A `loss`

> What it
> is.

You will have one.

```python
import torch
```

See [data](../data.html.md#a-heading), [us](https://x.org) and `[not](12_data.ipynb)`.

Needs a network and a GPU: shown, and not run here.

```python
%pip install rmkit
```

```python
plot()
print(1)
```

(A picture: see [the page](a_loss.html).)

```text
0.75
```

```text
a  b
```

```python
viz.save('pairs.html')
```

This page is the notebook [nbs/tutorials/a_loss.ipynb](../nbs/tutorials/a_loss.ipynb).
"""


def test_a_twin_is_plain_markdown(page):
    assert twin(page) == TWIN


def test_a_fence_is_longer_than_what_it_holds():
    assert pages.fenced("a ```` b", "text") == "`````text\na ```` b\n`````"


def test_twins_lists_and_addresses(page, tmp_path):
    (tmp_path / "reference").mkdir()
    made = tmp_path / "reference" / "a.md"
    made.write_text("# rmkit.a\n\nSee [b](b.md#c), [d](../d.html), [x](https://x.org/y.html).\n\n"
                    "| `int | None` | `a \\| b` | c |\n", encoding="utf-8")
    names = ["tutorials/a_loss", "reference/a"]
    finish.add_twins(tmp_path, {page.name: page}, names)
    assert not made.exists() and (tmp_path / "tutorials" / "a_loss.html.md").read_text(encoding="utf-8") == twin(page)
    plain = made.with_name("a.html.md").read_text(encoding="utf-8")
    assert "See [b](b.html.md#c), [d](../d.html.md), [x](https://x.org/y.html)." in plain
    assert "| `int \\| None` | `a \\| b` | c |" in plain
    finish.add_llms(tmp_path, names)
    finish.add_sitemap(tmp_path, names)
    listed = (tmp_path / "llms.txt").read_text(encoding="utf-8")
    assert f"## Tutorials\n\n- [A `loss`]({pages.SITE}tutorials/a_loss.html.md): What it is.\n" in listed
    assert f"## Reference\n\n- [rmkit.a]({pages.SITE}reference/a.html.md): See" in listed
    assert twin(page) in (tmp_path / "llms-full.txt").read_text(encoding="utf-8")
    assert "<loc>https://rmkit.github.io/rmkit/reference/a.html</loc>" in (tmp_path / "sitemap.xml").read_text()


def test_a_redirect_works_from_a_folder_and_leads_somewhere(tmp_path, monkeypatch):
    assert 'content="0; url=../b/c.html"' in finish.redirect("old/a", "b/c")
    monkeypatch.setattr(finish, "REDIRECTS", tmp_path / "redirects.json")
    for table, names in ((dict(a="b"), ["c"]), (dict(a="b"), ["a", "b"])):
        finish.REDIRECTS.write_text(json.dumps(table))
        with pytest.raises(ValueError, match="a -> b"):
            finish.add_redirects(tmp_path, names)
    finish.add_redirects(tmp_path, ["b"])
    assert "Here it is" in (tmp_path / "a.html").read_text()


# The build ----------------------------------------------------------------------------------------------------------

def test_only_what_changed_is_written(tmp_path):
    path = tmp_path / "a" / "b.md"
    assert pages.write(path, "one") and pages.write(path, "two")
    os.utime(path, (1, 1))
    assert not pages.write(path, "two") and path.stat().st_mtime == 1
    build_site.remove_others(tmp_path, set())
    assert not path.exists()


def test_the_book_has_the_parts_of_the_front_page():
    index = Page(NBS / "index.ipynb", "index")
    parts = build_site.parts(index)
    chapters = [path for path in pages.page_names() if re.match(r"\d", path.name)]
    assert [name for names in parts.values() for name in names] == [page_name(path) for path in chapters]
    assert list(parts)[:3] == ["The idea", "Data", "The model"] and parts["Data"][0] == "words"


def test_every_notebook_has_a_title_and_chapters_say_what_they_are_about():
    for page in pages.written_pages():
        assert page.title and (page.lead or not page.module), page.source


def test_tutorials_come_in_order_and_unknown_ones_last(page):
    known = {f"tutorials/{name}": name for name in ("zebra", "lora", "first_reward_model")} | {"lora": "no"}
    assert build_site.in_order(known, "tutorials", build_site.TUTORIALS) == ["first_reward_model", "lora", "zebra"]


def test_a_card_shows_picture_title_line_and_cost(page):
    assert build_site.card(page).splitlines() == [
        ":::{grid-item-card} A `loss`", ":link: /tutorials/a_loss", ":link-type: doc",
        ":img-top: /_pictures/tutorials/a_loss.png", ":img-alt: A picture from A `loss`", "", "What it is.", "",
        "*7 s on two cores*", ":::"]


def test_a_live_page_is_kept_until_something_changes(page, tmp_path, monkeypatch):
    runs, chapter = [], Chapter.read(page.path)

    def run(chapter, kept):
        runs.append(kept)
        kept.mkdir(parents=True)
        (kept / "pairs.html").write_text("live")
    monkeypatch.setattr(live, "run_for", run)
    assert live.live_pages(chapter, tmp_path) == live.live_pages(chapter, tmp_path)
    assert len(runs) == 1
    longer = Chapter(page.path, [*chapter.cells, Cell("code", "new", "#| needs: network\nnever_run()")])
    assert live.live_pages(longer, tmp_path)["pairs.html"].read_text() == "live" and len(runs) == 1
    live.live_pages(Chapter(page.path, [*chapter.cells, Cell("code", "new", "x = 1")]), tmp_path)
    assert len(set(runs)) == 2


def test_addresses_are_those_of_the_package():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'Documentation = "{pages.SITE}"' in project and f'Repository = "{pages.REPOSITORY}"' in project
    assert f'html_baseurl = "{pages.SITE}"' in Path(ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
