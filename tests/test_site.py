"""The built site, walked as a reader would: every page in both themes and at several widths, its links, its search, its
live views, from a folder and from a server. It is built once; pictures of the pages are in build/screenshots/"""
import json
import os
import re
import subprocess
import sys
from importlib import import_module

import pytest

pytest.importorskip("sphinx", reason="the site's tools aren't installed")
pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
from chapters import notebooks, ROOT
from filelock import FileLock
from playwright.sync_api import expect

from browser import CONTRAST, Visit
from explorer import Reader
from rmkit._modidx import d as INDEX
from walk import link_faults, pages, read, served, SITE, twin_faults, Walker

WIDTHS = (400, 620, 900, 1200, 1600)
FOLDERS = ["chapters", "tutorials", "explanations", "reference"]
REFERENCE_READ_BY_AXE = 4  # its pages are of one kind


@pytest.fixture(scope="session")
def html():
    "The folder of the site, built by whichever of the suite's processes comes first"
    run, told = os.environ.get("PYTEST_XDIST_TESTRUNUID"), ROOT / "build" / "site" / "built-by"
    (ROOT / "build").mkdir(exist_ok=True)
    with FileLock(ROOT / "build" / "site.lock"):
        if not run or not told.exists() or told.read_text() != run:
            built = subprocess.run([sys.executable, "docs/build_site.py"], cwd=ROOT, capture_output=True, text=True)
            assert built.returncode == 0, (built.stdout + built.stderr)[-5000:]
            told.write_text(run or "")
    return ROOT / "build" / "site" / "html"


@pytest.fixture(scope="module")
def folder(html):
    return html.as_uri() + "/"


@pytest.fixture(scope="module")
def server(html):
    with served(html) as address: yield address


def of(html, folder):
    """The pages of a folder; `chapters`: those at the root, with search. The page of what isn't there is a server's: it
    finds the site by its whole path, from whatever depth"""
    names = [name for name in pages(html) if name != "404"]
    return [name for name in names if ("/" not in name if folder == "chapters" else name.startswith(f"{folder}/"))]


def told(faults):
    "Faults as a message: how many, and the first of them"
    faults = list(faults)
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults[:40])


# Files ----------------------------------------------------------------------------------------------------------------

def test_every_notebook_is_a_page(html):
    names = {re.sub(r"^(.*/)?\d+_", r"\1", path.relative_to(ROOT / "nbs").with_suffix("").as_posix())
             for path in notebooks(ROOT / "nbs")}
    assert names <= set(pages(html)) and len(names) > 30
    assert all((html / f"{name}.html.md").is_file() for name in names)


def test_links_anchors_and_pictures_lead_somewhere(html):
    told([*link_faults(html, ROOT), *twin_faults(html, ROOT)])


def test_the_walk_finds_what_leads_nowhere(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<a href="a/b.html#here">1</a><a href="a/b.html#gone">2</a><img src="no.png">'
                                         '<a href="https://github.com/rmkit/rmkit/blob/main/no.py">3</a>'
                                         '<a href="https://rmkit.github.io/rmkit/no.html">4</a><a href="#no">5</a>')
    (tmp_path / "a" / "b.html").write_text('<p id="here"></p><a href="../index.html">6</a><a href="index.html">7</a>')
    (tmp_path / "a" / "b.html.md").write_text("[8](../index.html) [9](no.html.md) `[10](no.md)` [11](https://x.org)")
    found = [*link_faults(tmp_path, ROOT), *twin_faults(tmp_path, ROOT)]
    assert [re.search(r"leads to (\S+?),|without alt", fault)[1] for fault in found] == [
        "index.html", "a/b.html#gone", "no.png", "no.py", "/rmkit/no.html", "#no", None, "no.html.md"]


def test_addresses_that_rmkit_names_are_pages(html):
    "In docstrings, in the README and wherever else the repository names one"
    patterns = ("rmkit/*.py", "*.md", "*.toml", "*.ini", "*.cff", "nbs/**/*.ipynb", "docs/*.py", "benchmarks/*")
    files = [path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]
    found = {(path.name, address) for path in files for address in re.findall(
        rf"{re.escape(SITE)}([\w./-]*\w(?:#[\w.-]+)?)", path.read_text(encoding="utf-8"))}
    assert len([1 for name, address in found if address.endswith(".html.md")]) >= 30
    missing = []
    for name, address in sorted(found):
        file, _, anchor = address.partition("#")
        if not (html / file).is_file() or anchor and anchor not in read(html / file).ids:
            missing.append(f"{name} names {address}")
    told(missing)


# Pages ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", FOLDERS)
def test_every_page_can_be_read(browser, html, folder, name):
    "In both themes, and at every width: no error, no request, no text on text, nothing wider than the window"
    names = of(html, name)
    assert names
    with Visit(browser, folder + names[0] + ".html", WIDTHS[-1], home=folder) as visit:
        walker = Walker(visit, folder)
        for number, page in enumerate(names):
            walker.go(page)
            for scheme in ("light", "dark"):
                visit.media("screen", color_scheme=scheme)
                walker.look(page, WIDTHS if scheme == "light" else WIDTHS[-1:], scheme)  # a theme moves nothing
                if name != "reference" or number < REFERENCE_READ_BY_AXE:
                    rules = [] if scheme == "light" else ["color-contrast"]  # a theme changes nothing else
                    walker.note(f"{page}, {scheme}", *visit.axe("body", [".highlight pre"], rules))
                visit.shoot(f"site-{page.replace('/', '-')}-{scheme}")
            walker.page.set_viewport_size(dict(width=400, height=900))
            visit.shoot(f"site-{page.replace('/', '-')}-narrow")
            walker.note_errors(page)
        told(walker.faults)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_code_can_be_read(browser, folder, scheme):
    "What axe is spared, since there are thousands of words of a few kinds: their colours, and a way to scroll by keys"
    with Visit(browser, folder + "losses.html", 500, color_scheme=scheme, home=folder) as visit:
        ratio, tag, text = visit.page.evaluate(CONTRAST, "article .highlight :is(pre, span)")
        assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f}"
        wide = visit.page.evaluate("""[...document.querySelectorAll('article pre')].filter(one =>
            one.scrollWidth > one.clientWidth).map(one => one.tabIndex)""")
        assert len(wide) > 3 and set(wide) == {0}


def test_pages_from_a_server(browser, html, server):
    "A server changes what an address leads to, and the pages of a folder write theirs alike: some of each"
    with Visit(browser, server + "index.html", 1000, home=server) as visit:
        walker = Walker(visit, server)
        for page in ["index", *(page for folder in FOLDERS for page in of(html, folder)[::6])]:
            walker.go(page)
            walker.note_errors(page)
        walker.go("404")
        for scheme in ("light", "dark"):
            visit.media("screen", color_scheme=scheme)
            walker.look("404", WIDTHS, scheme)
            walker.note("404", *visit.axe("body"))
        told(walker.faults)


def test_the_walk_sees_text_on_text_and_what_is_too_wide(browser, tmp_path):
    (tmp_path / "a.html").write_text("""<!doctype html><title>a</title><style>p { margin: 0; font: 20px/1.2 sans-serif }
      .on { position: absolute; top: 10px; left: 8px } .off { opacity: 0 } .cut { height: 30px; overflow: hidden }
      </style><p>below <b>bold</b><p class=on>above<p class="on off">unseen<div class=cut><p>one<p>two<p>three</div>
      <p style="position: relative; top: -12px">four<p>five<div style="width: 900px">wide</div>""")
    with Visit(browser, (tmp_path / "a.html").as_uri(), 600) as visit:
        walker = Walker(visit, tmp_path.as_uri() + "/")
        walker.look("a", [600, 1000], "light")
    assert [fault.partition(": ")[0] for fault in walker.faults].count("a, 1000 wide, light") == 2
    texts = {fault.partition(": ")[2] for fault in walker.faults}
    assert {"below | above", "four | two"} <= texts
    assert len(texts) == 3 and sum("pixels in a window of 600: div." in text for text in texts) == 1


# What the pages do ----------------------------------------------------------------------------------------------------

def public_names():
    "Every public function, class and method: its full name"
    names = set()
    for module, found in INDEX["syms"].items():
        listed = import_module(module).__all__
        own = {name: name.removeprefix(f"{module}.").split(".") for name in found}
        names |= {name for name, parts in own.items() if parts[0] in listed and not parts[-1].startswith("_")}
    return sorted(names)


SEARCH = """names => names.filter(name => {
  const [query, terms, excluded, highlighted, objects] = Search._parseQuery(name.split(".").slice(2).join("."));
  const found = Search._performSearch(query, terms, excluded, highlighted, objects);
  return !found.some(result => result.includes("#" + name) || result.includes(name)) })"""


def test_search_finds_every_public_name(browser, folder, server):
    for home in (folder, server):
        with Visit(browser, home + "search.html?q=RewardModel.score", 1000, home=home) as visit:
            first = visit.page.locator("#search-results li a").first
            expect(first).to_have_attribute("href", re.compile(r"reference/scoring.html#.*RewardModel\.score$"))
            lost = visit.page.evaluate(SEARCH, public_names())
            assert not lost, f"{len(lost)} names aren't found: {lost[:20]}"
            visit.page.get_by_role("textbox", name=re.compile("search", re.I)).first.fill("label noise")
            visit.page.keyboard.press("Enter")
            expect(visit.page.locator("#search-results li").first).to_be_visible()
            first = visit.page.locator("#search-results li a").first
            first.click()
            visit.page.wait_for_load_state()
            assert "search.html" not in visit.page.url
            visit.check()


TUTORIAL = "tutorials/reading_a_run.html"


def frame_of(visit, name):
    frame = visit.page.locator(f"iframe[src$='/{name}.html']")
    frame.scroll_into_view_if_needed()
    return frame.content_frame


@pytest.mark.parametrize("home", ["folder", "server"])
def test_live_views_on_a_page(browser, request, home):
    "The explorer filters, opens a pair and shows its tokens; the run's steps move; both in the page's own theme"
    home = request.getfixturevalue(home)
    with Visit(browser, home + TUTORIAL, 1400, 1000, home=home) as visit:
        page = visit.page
        reader = Reader(visit, frame_of(visit, "explorer"))
        reader.tab("Pairs")
        reader.counts(400, 400)
        reader.choose("Verdict", "Wrong")
        expect(reader.root.locator(".rmkit-count")).not_to_have_text("400 of 400 pairs")
        assert 0 < reader.ids_shown() < 100
        first = reader.ids()[0]
        reader.row(first).click()
        reader.opened(first)
        reader.press("Tokens")
        expect(reader.root.locator(".rmkit-chosen .rmkit-token").first).to_be_visible()
        visit.shoot("site-live-explorer")
        run = frame_of(visit, "dashboard")
        expect(run.locator(".rmkit-panel svg")).to_have_count(9)
        run.get_by_role("slider", name="Step").focus()
        page.keyboard.press("Home")
        expect(run.locator(".rmkit-steps h3")).to_have_text("Numbers at step 3")
        visit.shoot("site-live-dashboard")
        ground = "() => getComputedStyle(document.body).backgroundColor"
        visit.media("screen", color_scheme="null")  # the system's own: one that is pretended would hold in frames, too
        for theme in ("dark", "light"):
            page.evaluate("theme => { document.body.dataset.theme = theme }", theme)
            shown = [frame.evaluate(ground) for frame in page.frames[1:]]
            assert set(shown) == {"rgb(20, 23, 27)" if theme == "dark" else "rgb(255, 255, 255)"}, (theme, shown)
        visit.check()


def test_a_block_is_copied_as_it_runs(browser, server):
    with Visit(browser, server + "index.html", 1200, home=server) as visit:
        visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
        blocks = visit.page.locator("div.highlight:has(.copybtn)")
        for block in blocks.all():
            block.hover()
            block.locator(".copybtn").click()
            copied = visit.page.evaluate("navigator.clipboard.readText()")
            assert copied and not re.search(r"^(>>> |\.\.\. |\$ |In \[)", copied, re.M)
            assert "".join(copied.split()) in "".join(block.locator("pre").inner_text().split()).replace("$", "")
        assert blocks.count() >= 2
        visit.check()


def test_equations_are_set_without_another_host(browser, folder):
    with Visit(browser, folder + "losses.html", 1200, home=folder) as visit:
        visit.page.wait_for_selector("mjx-container")
        Walker(visit, folder).settle()
        sizes = visit.page.eval_on_selector_all("mjx-container", "all => all.map(one => one.offsetHeight)")
        assert len(sizes) > 5 and min(sizes) > 5
        raw = visit.page.evaluate("""[...document.querySelectorAll('.math')].map(one =>
            one.querySelector('mjx-container') ? '' : one.textContent).filter(Boolean)""")
        assert not raw
        visit.check()


@pytest.mark.parametrize("name", ["index", TUTORIAL.removesuffix(".html"), "reference/scoring"])
def test_on_paper(browser, folder, name):
    "Black on white whatever the theme, the text alone, and no code cut off"
    with Visit(browser, f"{folder}{name}.html", 800, color_scheme="dark", home=folder) as visit:
        visit.media("print")
        for box in visit.page.locator(":is(.sidebar-drawer, .toc-drawer, .mobile-header, .copybtn):visible").all():
            place = box.bounding_box()
            assert place["x"] + place["width"] <= 0 or place["x"] >= 800, box
        cut = visit.page.evaluate("""[...document.querySelectorAll('article pre')].filter(one =>
            one.scrollWidth > one.clientWidth + 1).map(one => one.textContent.slice(0, 80))""")
        assert not cut
        ratio, tag, text = visit.page.evaluate(CONTRAST, "article :is(p, li, h1, h2, code)")
        assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f} on paper"
        visit.shoot(f"site-print-{name.replace('/', '-')}")
        assert visit.print_pdf(f"site-{name.replace('/', '-')}").stat().st_size > 10_000


def test_older_addresses_lead_on(browser, html, folder):
    older = json.loads((ROOT / "docs" / "redirects.json").read_text(encoding="utf-8"))
    with Visit(browser, folder + "index.html", 800, home=folder) as visit:
        for old, new in older.items():
            visit.page.goto(f"{folder}{old}.html")
            visit.page.wait_for_url(f"{folder}{new}.html")
        visit.check()
    assert not set(older) & set(pages(html)) and set(older.values()) <= set(pages(html))


def test_what_is_not_there_is_said_at_any_depth(browser, server):
    with Visit(browser, server + "index.html", 1400, home=server) as visit:
        for name in ("nowhere.html", "tutorials/nowhere.html", "a/b/c/"):
            visit.errors.clear()
            assert visit.page.goto(server + name).status == 404
            expect(visit.page.locator("h1")).to_be_visible()
            assert all("404" in error for error in visit.errors), visit.errors
            assert len(visit.errors) <= 1, "a style sheet or a script isn't found either"
            visit.shoot("site-404")
            visit.page.locator(".sidebar-brand").click()
            expect(visit.page.locator("h1")).to_contain_text("rmkit")
            assert visit.page.url.startswith(server)
        visit.errors.clear()
        visit.check()
