"How all views look and stand: in each front end, beside each other, at every width, in light, in dark and on paper"
import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")

from browser import CONTRAST, LIGHT, Visit
from explorer import EXPLORER, Reader, an_explorer
from hostile import PAYLOADS
from jupyter import Server
from rmkit.dashboard import RunView
from rmkit.report import write_report
from rmkit.table import pair_scores
from rmkit.browser import style
from rmkit.visualizer import RewardVisualizer
from test_dashboard import a_log, live_view, page_of
from test_explorer_widgets7 import python  # noqa: F401, a fixture

TABLE = "viz.scores.show(4)"
DASHBOARD = """
from test_dashboard import a_log
from rmkit.dashboard import RunView, _widget_class
run = RunView("a run", a_log(20))
_widget_class()(panels=run.panels(), news=run.news())
"""
LEFT = "from IPython.display import HTML; HTML(run.page())"
VIEWS = {".rmkit:not(.rmkit-dashboard)": 0, ".rmkit-pairs": 1, ".rmkit-dashboard": 2, ".rmkit-ended": 3}

# Every property of one element of each kind; places and sizes, which the window decides, left out. A colour that is the
# text's is called so: a table has the page's own.
STYLES = """selector => {
  const size = new RegExp('^(inline-size|block-size|width|height|(perspective|transform)-origin|grid-template-.*'
    + '|top|left|right|bottom|inset-.*|[cr]?[dxyr]|(flood|lighting|stop)-color)$');
  const styles = {}, name = el => el ? el.tagName.toLowerCase() + [...el.classList].map(one => '.' + one).join('')
    + ['aria-pressed', 'aria-selected', 'disabled', 'type'].map(key => el.getAttribute(key)).filter(Boolean) : '';
  for (const root of document.querySelectorAll(selector)) for (const el of [root, ...root.querySelectorAll('*')]) {
    const kind = name(el.parentElement === root ? null : el.parentElement) + ' > ' + name(el);
    if (kind in styles || el.tagName === 'STYLE') continue;
    const all = getComputedStyle(el);
    const said = [...all].filter(one => !size.test(one) && (one !== 'fill' || el.closest('svg')));
    styles[kind] = Object.fromEntries(said.map(one => [one, all[one] === all.color ? 'ink' : all[one]]));
  } return styles }"""
# The same with every style sheet taken away that isn't ours, each view as wide as before: what differs came from a
# front end
ALONE = """() => {
  for (const root of document.querySelectorAll('.rmkit, .rmkit-pairs, .rmkit-ended'))
    root.style.width = root.getBoundingClientRect().width + 'px';
  for (const sheet of [...document.styleSheets, ...document.adoptedStyleSheets])
    sheet.disabled = ![...sheet.cssRules].some(rule => rule.cssText.includes('rmkit')) }"""


def differences(one, other):
    "What isn't the same about what both have"
    assert len(one.keys() & other.keys()) > 5
    return [f"{kind}: {name} {value!r}, alone {other[kind][name]!r}" for kind, values in one.items() if kind in other
            for name, value in values.items() if value != other[kind].get(name)]


# In a front end -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("app", ["lab", "notebook", "widgets7"])
def test_nothing_of_a_front_end_reaches_a_view(browser, tmp_path, app, request):
    "The styles of every kind of element, and axe-core in light and dark"
    kernel = [request.getfixturevalue("python")] if app == "widgets7" else []
    here = f"import sys; sys.path.insert(0, {str(Path(__file__).resolve().parent)!r})\n"
    cells = [here + EXPLORER + "viz", TABLE, here + DASHBOARD, LEFT]
    with Server("lab" if app == "widgets7" else app, tmp_path / "server", *kernel) as server:
        with server.open(browser, cells, width=1400, height=1000) as book:
            for number in VIEWS.values():
                book.run(number)
            reader = Reader(book, book.cell(0))
            reader.tab("Pairs")
            reader.row(reader.ids()[0]).click()
            for name in ("Tokens", "Edit and rescore"):
                reader.press(name)
            reader.root.locator(".rmkit-token").first.wait_for()
            reader.root.locator(".rmkit-edit textarea").first.wait_for()
            for theme in ("JupyterLab Light", "JupyterLab Dark"):
                book.theme(theme)
                for view, number in VIEWS.items():
                    book.cell(number).locator(view).first.wait_for()
                    assert not book.axe(view)
                book.shoot(f"{app}-looks-{theme.split()[1].lower()}")
            with_it = {view: book.page.evaluate(STYLES, view) for view in VIEWS}
            book.page.evaluate(ALONE)
            for view, styles in with_it.items():
                assert not differences(styles, book.page.evaluate(STYLES, view)), view


# Style sheets -------------------------------------------------------------------------------------------------------

def table_html(viz):
    return viz.scores.iloc[:4]._repr_html_()


def table_page(folder, viz, scheme="light"):
    path = folder / "table.html"
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>table</title><body style='color-scheme: {scheme}'>"
    path.write_text(head + table_html(viz), encoding="utf-8")
    return path.as_uri()


def sheets(viz):
    "Each style sheet by the view whose it is"
    dashboard = (Path(style.__globals__["__file__"]).parent / "static" / "dashboard.css").read_text(encoding="utf-8")
    inner = {".rmkit-pairs": table_html(viz), ".rmkit-ended": RunView("a run", a_log(9)).page()}
    inner = {view: re.search("<style>(.*)</style>", html, re.S)[1] for view, html in inner.items()}
    return {".rmkit": style(), ".rmkit-dashboard": dashboard} | inner


@pytest.fixture(scope="module")
def viz():
    return an_explorer()


@pytest.fixture(scope="module")
def saved(viz, tmp_path_factory):
    return Path(viz.save(tmp_path_factory.mktemp("saved") / "explorer.html")).as_uri()


def test_selectors_begin_with_their_view(viz):
    outer = re.compile(
        r"(@media[^{]*\{\s*)?((html|body)\S* )?(:is\()?\.rmkit(-page|-pairs|-dashboard|-ended)?[ ,{.:>"
        r"+]|html\.rmkit-page[ ,]")
    for name, sheet in sheets(viz).items():
        sheet = re.sub(r"/\*.*?\*/", "", sheet, flags=re.S)
        depth, start = 0, 0
        for at, letter in enumerate(sheet):
            if letter == "{" and depth == 0 and not sheet[start:at].strip().startswith("@"):
                for selector in re.split(r",(?![^(]*\))", sheet[start:at]):
                    assert outer.match(selector.strip() + " "), f"{name}: {selector.strip()}"
            depth += (letter == "{") - (letter == "}")
            start = at + 1 if letter in "{}" and depth == 0 else start


def test_a_style_sheet_touches_nothing_outside_its_view(browser, viz, tmp_path):
    "Outside of any view, elements of each tag with every class that a sheet names, in one another, before and after"
    for name, sheet in sheets(viz).items():
        roots = {"rmkit", *("rmkit" + end for end in ("-page", "-pairs", "-dashboard", "-ended"))}
        classes = " ".join(sorted(set(re.findall(r"\.(rmkit[\w-]*)", sheet)) - roots))
        tags = ("p span td dl dt dd h2 h3 button summary input select textarea mark code details section label "
                "img").split()
        inner = "".join(f'<{tag} class="{classes}"></{tag}><{tag}></{tag}>' for tag in tags)
        body = f'<div class="{classes}"><table class="{classes}"><tr class="{classes}"><td>{inner}</table></div>{inner}'
        path = tmp_path / "outside.html"
        path.write_text(f"<!doctype html><title>outside</title><body class=out>{body}", encoding="utf-8")
        with Visit(browser, path.as_uri()) as visit:
            before = visit.page.evaluate(STYLES, ".out")
            visit.page.add_style_tag(content=sheet)
            assert not differences(visit.page.evaluate(STYLES, ".out"), before), name


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
def test_views_on_one_page_leave_each_other_alone(browser, viz, saved, tmp_path, order):
    "As their pages have them, and one after another on a page, in every order"
    run = page_of(tmp_path / "run.html", live_view(a_log(9)))
    pages, alone = dict(zip(VIEWS, (saved, table_page(tmp_path, viz), run))), {}
    for view, page in pages.items():
        with Visit(browser, page, width=1300) as visit:
            visit.page.locator(view).first.wait_for()
            if page == saved:
                Reader(visit).tab("Pairs")
                visit.page.locator(".rmkit-row").first.click()
                visit.page.locator(".rmkit-pair .rmkit-text").first.wait_for()
            alone[view] = visit.page.evaluate(STYLES, view), visit.page.evaluate("""view => [
                [...document.querySelectorAll('style')].map(one => one.textContent).join(''),
                document.querySelector(view).outerHTML,
                document.querySelector(view).getBoundingClientRect().width]""", view)
    together = tmp_path / "together.html"
    parts = [alone[list(VIEWS)[i]][1] for i in order]
    together.write_text("<!doctype html><title>together</title><body>" + "".join(
        f"<style>{css}</style><div style='width: {width}px'>{html}</div>" for css, html, width in parts),
        encoding="utf-8")
    with Visit(browser, together.as_uri(), width=1300) as visit:
        for view, (styles, _) in alone.items():
            assert not differences(visit.page.evaluate(STYLES, view), styles), view
        visit.shoot("views-together", full=True)


# Widths -------------------------------------------------------------------------------------------------------------

# What overlaps, is cut, or leaves its view. Only what can be seen counts: what is scrolled away is clipped with its
# box.
MISPLACED = """selector => {
  const root = document.querySelector(selector), frame = root.getBoundingClientRect(), found = [];
  const told = el =>
    el.tagName + '.' + (el.getAttribute('class') || '') + ' ' + JSON.stringify(el.textContent.slice(0, 30));
  const clips = new Map();
  const clip = el => { if (!clips.has(el)) {
      const up = el === root ? {left: -1e9, top: -1e9, right: 1e9, bottom: 1e9} : clip(el.parentElement);
      const style = getComputedStyle(el), box = el.getBoundingClientRect();
      clips.set(el, style.overflow === 'visible' ? up : {
        left: Math.max(up.left, box.left), top: Math.max(up.top, box.top),
        right: Math.min(up.right, box.right), bottom: Math.min(up.bottom, box.bottom)}) } return clips.get(el) };
  const shown = el => { const own = el.getBoundingClientRect(), up = clip(el.parentElement);
    return {left: Math.max(own.left, up.left), top: Math.max(own.top, up.top),
            right: Math.min(own.right, up.right), bottom: Math.min(own.bottom, up.bottom)} };
  const there = box => box.right - box.left > 2 && box.bottom - box.top > 2;
  const leaves = [];
  for (const el of root.querySelectorAll('*')) {
    if (el.closest('svg, .rmkit-unseen, option')) continue;
    if (!el.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const box = shown(el), style = getComputedStyle(el);
    if (!there(box)) continue;
    if (box.left < frame.left - 1 || box.right > frame.right + 1) found.push('outside: ' + told(el));
    const control = el.matches('button, input, select, textarea, summary');
    const cuts = style.overflowX === 'hidden' && style.textOverflow !== 'ellipsis';
    if ((el.matches('button, .rmkit-key, .rmkit-verdict, b') || cuts && !el.matches('svg, .rmkit-table, .rmkit-fluid'))
      && el.scrollWidth > el.clientWidth + 1 && style.display !== 'inline') found.push('cut: ' + told(el));
    const hasText = [...el.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (control || hasText && style.display !== 'inline' && style.display !== 'contents') leaves.push([el, box]);
  }
  leaves.sort((a, b) => a[1].top - b[1].top);
  leaves.forEach(([one, a], i) => { for (let k = i + 1; k < leaves.length; k++) { const [other, b] = leaves[k];
    if (b.top >= a.bottom - 1) break;
    if (a.left < b.right - 1 && b.left < a.right - 1 && !one.contains(other) && !other.contains(one))
      found.push(`overlap: ${told(one)} and ${told(other)}`) } });
  return found }"""
WIDTHS = (400, 600, 1000, 1300, 1920, 2000)


def long_explorer():
    "Texts that go on without a space, and what means no good"
    texts = ["word" * 3000, "long words and short ones " * 400, "\n".join("line" for _ in range(300)), "中文" * 2000,
             *PAYLOADS[::9]]
    rng, n = np.random.default_rng(0), len(texts)
    scores = pair_scores(texts, texts[::-1], texts, rng.normal(size=n) * 1e6, rng.normal(size=n),
                         source=[text[:500] for text in texts])
    return RewardVisualizer(scores, title="a title " * 60)


def two_explorer():
    return RewardVisualizer(pair_scores(["a", "b"], ["c", "d"], ["e", "f"], [1.0, 2.0], [2.0, 1.0]))


@pytest.mark.parametrize("made", [an_explorer, long_explorer, two_explorer])
def test_nothing_overlaps_or_is_cut(browser, tmp_path, made):
    "Every tab at every width; the list and the pair side by side where there is room"
    path = made().save(tmp_path / "page.html")
    with Visit(browser, Path(path).as_uri()) as visit:
        for width in WIDTHS:
            visit.page.set_viewport_size(dict(width=width, height=900))
            reader = Reader(visit)
            for name in reader.root.get_by_role("tab").all_inner_texts():
                reader.tab(name)
                if name == "Pairs":
                    visit.page.locator(".rmkit-row").first.click()
                    visit.page.locator(".rmkit-pair .rmkit-text").first.wait_for()
                visit.page.wait_for_timeout(150)  # pictures are drawn in the next frame
                visit.shoot(f"looks-{made.__name__}-{width}-{name.split()[0].lower()}", full=True)
                assert not visit.page.evaluate(MISPLACED, ".rmkit"), (width, name)
                wide = visit.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, (width, name)
            table, pair = (visit.page.locator(one).bounding_box() for one in (".rmkit-table", ".rmkit-pair"))
            assert (pair["x"] > table["x"] + table["width"]) == (width >= 1000), width


# Colours ------------------------------------------------------------------------------------------------------------

# The contrast of each control's border, or of its ring when it has the focus, with what is beside it
EDGES = """() => {""" + LIGHT + """
  const behind = el => {
    for (; el; el = el.parentElement) {
      const c = channels(getComputedStyle(el).backgroundColor);
      if (c[3] !== 0) return c }
    return [255, 255, 255] };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => p - q);
    return (y + .05) / (x + .05) };
  const controls = 'button, select, textarea, input:not([type=range], [type=radio], [type=checkbox]), '
    + '.rmkit-menu > summary';
  return [...document.querySelectorAll(`.rmkit :is(${controls})`)]
    .filter(el => el.checkVisibility() && !el.disabled && el.getBoundingClientRect().width > 2).flatMap(el => {
      const style = getComputedStyle(el), ground = behind(el.parentElement);
      const name = el.className + ' ' + el.textContent.slice(0, 20);
      el.focus({focusVisible: true}); const ring = channels(getComputedStyle(el).outlineColor);
      const edge = channels(style.borderTopColor);
      const hasEdge = parseFloat(style.borderTopWidth) && style.borderTopStyle !== 'none' && edge[3] !== 0;
      return [['ring', contrast(ring, ground), name],
              ...(hasEdge ? [['border', contrast(edge, ground), name]] : [])] }) }"""
# Severity 1 of Machado, Oliveira and Fernandes (2009), for linear RGB
BLIND = dict(none=np.eye(3),
             deuteranopia=np.array([[.367322, .860646, -.227968], [.280085, .672501, .047413],
                                    [-.011820, .042940, .968881]]),
             protanopia=np.array([[.152286, 1.052583, -.204868], [.114503, .786281, .099216],
                                  [-.003882, -.048116, 1.051998]]),
             tritanopia=np.array([[1.255528, -.076749, -.178779], [-.078411, .930809, .147602],
                                  [.004733, .691367, .303900]]))


def lab(rgb, blindness):
    "A colour as it is seen, in CIE L*a*b*"
    rgb = np.asarray(rgb) / 255
    linear = np.clip(blindness @ np.where(rgb <= .04045, rgb / 12.92, ((rgb + .055) / 1.055) ** 2.4), 0, 1)
    xyz = np.array([[.4124, .3576, .1805], [.2126, .7152, .0722], [.0193, .1192, .9505]]) @ linear / [.9505, 1, 1.089]
    f = np.where(xyz > .008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


COLOURS = """names => names.map(name => {
  const el = document.querySelector('.rmkit').appendChild(document.createElement('i'));
  el.style.color = `var(--rm-${name})`;
  const colour = getComputedStyle(el).color.match(/[\\d.]+/g).map(Number);
  el.remove();
  return colour })"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_apart(browser, saved, scheme):
    "Three pairs of hues, for colour-blind readers too; borders and focus rings have 3:1, texts 4.5:1"
    with Visit(browser, saved, color_scheme=scheme, width=1300) as visit:
        reader = Reader(visit)
        reader.tab("Pairs")
        reader.row(reader.ids()[0]).click()
        reader.opened(reader.ids()[0])
        edges = visit.page.evaluate(EDGES)
        assert len(edges) > 20 and {kind for kind, *_ in edges} == {"ring", "border"}
        assert not [edge for edge in edges if edge[1] < 3]
        assert visit.page.evaluate(CONTRAST, ".rmkit *")[0] >= 4.5
        names = "chosen rejected good bad high low".split()
        seen = dict(zip(names, visit.page.evaluate(COLOURS, names)))
    assert len({tuple(colour) for colour in seen.values()}) == 6
    for one, other in (("chosen", "rejected"), ("good", "bad"), ("high", "low")):
        for name, blindness in BLIND.items():
            apart = np.linalg.norm(lab(seen[one], blindness) - lab(seen[other], blindness))
            assert apart > 20, f"{one} and {other} differ by {apart:.0f} with {name}"
    for pair in permutations((names[:2], names[2:4], names[4:]), 2):
        for one in pair[0]:
            assert min(np.linalg.norm(lab(seen[one], np.eye(3)) - lab(seen[other], np.eye(3)))
                       for other in pair[1]) > 20


# Paper --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_is_light_and_texts_are_whole(browser, tmp_path, scheme):
    path = long_explorer().save(tmp_path / "page.html")
    with Visit(browser, Path(path).as_uri(), color_scheme=scheme, width=1000) as visit:
        reader = Reader(visit)
        reader.tab("Pairs")
        visit.page.locator(".rmkit-row").nth(1).click()
        visit.page.locator(".rmkit-pair .rmkit-text").first.wait_for()
        visit.media("print")
        visit.shoot(f"looks-paper-{scheme}")
        assert visit.print_pdf(f"looks-paper-{scheme}").stat().st_size > 10_000
        ink, ground = visit.page.evaluate(
            "[getComputedStyle(document.querySelector('.rmkit')).color, "
            "getComputedStyle(document.body).backgroundColor]")
        assert (ink, ground) == ("rgb(27, 31, 36)", "rgb(255, 255, 255)")
        assert visit.page.evaluate(CONTRAST, ".rmkit *")[0] >= 4.5
        hidden = visit.page.evaluate(
            "[...document.querySelectorAll('.rmkit :is(.rmkit-text, .rmkit-list)')].filter(el => el.scrollHeight > "
            "el.clientHeight + 1).length")
        assert hidden == 0, "on paper nothing can be scrolled"
        for name in (".rmkit-button", "select", "input"):
            assert not visit.page.locator(f".rmkit {name}:visible").count(), name
        assert visit.page.locator(".rmkit-pair .rmkit-side:visible").count() == 2


# Accessibility ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, viz, saved, tmp_path, scheme):
    run = page_of(tmp_path / "run.html", live_view(a_log(9)), dark=scheme == "dark")
    report = write_report(tmp_path / "report.html", viz.scores).as_uri()
    for page, where in ((run, ".rmkit-dashboard"), (table_page(tmp_path, viz, scheme), ".rmkit-pairs"),
                        (report, "body")):
        for width in (400, 1300):
            with Visit(browser, page, color_scheme=scheme, width=width) as visit:
                visit.page.locator(where).first.wait_for()
                assert not visit.axe(where), page
    for width in (400, 1300):
        with Visit(browser, saved, color_scheme=scheme, width=width) as visit:
            reader = Reader(visit)
            for name in ("Overview", "Over training", "Pairs"):
                reader.tab(name)
                assert not visit.axe("html"), name
            reader.row(reader.ids()[0]).click()
            reader.opened(reader.ids()[0])
            assert not visit.axe("html")
            visit.page.keyboard.press("?")
            assert not visit.axe("html")
