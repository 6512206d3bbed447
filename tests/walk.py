"""A built site as a reader meets it: its pages, their links and their text, each fault in a sentence.

A fault is a text, so that one walk over all pages can tell everything that it found."""
import posixpath
import re
from contextlib import contextmanager
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

PREFIX = "/rmkit/"  # where the site is on its public address
SITE = f"https://rmkit.github.io{PREFIX}"
REPOSITORY = re.compile(r"https://github\.com/rmkit/rmkit/(?:blob|tree|raw|edit)/main/([^#?]*)")

# Texts that lie on one another, as "text | text": each line of text with its place, cut to what the boxes around it
# show; two of them are on one another if they share more than a third of the lower one's height, and some width.
OVERLAPS = """() => {
  const seen = new Map(), whole = {left: -1e6, top: -1e6, right: 1e6, bottom: 1e6};
  const meet = (a, b) => ({left: Math.max(a.left, b.left), top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right), bottom: Math.min(a.bottom, b.bottom)});
  const shown = el => {
    if (!el) return whole;
    if (seen.has(el)) return seen.get(el);
    const style = getComputedStyle(el), around = shown(style.position === "fixed" ? null : el.parentElement);
    const hidden = style.visibility !== "visible" || style.opacity === "0" || style.clip !== "auto";
    const cuts = style.overflow !== "visible" && el !== document.body && el !== document.documentElement
      && style.display !== "inline";
    const found = hidden || !around ? null : cuts ? meet(around, el.getBoundingClientRect()) : around;
    seen.set(el, found);
    return found;
  };
  const layer = el => { for (let up = el; up; up = up.parentElement)
    if (getComputedStyle(up).position === "fixed") return up; return null };
  const lines = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = new Range();
  const add = (el, text, rects) => {
    const box = shown(el);
    for (const rect of box ? rects : []) {
      const {left, top, right, bottom} = meet(box, rect);
      if (right - left > 2 && bottom - top > 2) lines.push({left, top, right, bottom, text, el});
    }
  };
  for (let node; node = walker.nextNode();) {
    const el = node.parentElement;
    if (!node.data.trim() || el.closest("script, style, noscript, svg, template, mjx-container")) continue;
    if (!el.checkVisibility()) continue;
    range.selectNodeContents(node);
    add(el, node.data, range.getClientRects());
  }
  for (const formula of document.querySelectorAll("mjx-container")) {
    add(formula, formula.textContent, formula.getClientRects());
  }
  lines.sort((a, b) => a.top - b.top);
  const found = [], said = ({text}) => text.trim().replace(/\\s+/g, " ").slice(0, 40);
  lines.forEach((a, i) => {
    for (let j = i + 1; j < lines.length && lines[j].top < a.bottom; j++) {
      const b = lines[j], low = Math.min(a.bottom - a.top, b.bottom - b.top);
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 2 && high > low / 3 && layer(a.el) === layer(b.el)) found.push(`${said(a)} | ${said(b)}`);
    }
  });
  return [...new Set(found)] }"""

# What sticks out of the window at the right, where the page is wider than it
WIDER = """() => { const {scrollWidth, clientWidth} = document.documentElement;
  if (scrollWidth <= clientWidth) return null;
  const out = [...document.querySelectorAll("body *")].filter(el => el.getBoundingClientRect().right > clientWidth + 1);
  const name = el => `${el.tagName.toLowerCase()}.${el.className}`;
  return `${scrollWidth} pixels in a window of ${clientWidth}: ${out.slice(0, 3).map(name).join(", ")}` }"""


# Files ----------------------------------------------------------------------------------------------------------------

class Read(HTMLParser):
    "What a page refers to, and what can be referred to in it"

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.empty = set(), [], []
        self.leads_on = False  # to the page of today's name
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        self.links += [(tag, attributes[name]) for name in ("href", "src", "poster", "data-src")
                       if attributes.get(name) and not (tag == "link" and attributes.get("rel") == "canonical")]
        self.leads_on |= tag == "meta" and attributes.get("http-equiv") == "refresh"
        if tag == "img" and "alt" not in attributes:
            self.empty.append(attributes.get("src", "")[:80])


@cache
def read(path):
    return Read(path.read_text(encoding="utf-8"))


def pages(html):
    "The names of all pages, without .html: what people read, neither saved views in frames nor older addresses"
    names = (path.relative_to(html).with_suffix("").as_posix() for path in sorted(html.rglob("*.html")))
    names = (name for name in names if name.partition("/")[0] not in ("live", "_static", "_sources"))
    return [name for name in names if not read(html / f"{name}.html").leads_on]


def address_fault(html, page, address, root):
    "Why an address on a page leads nowhere; None where it leads somewhere, or to another site's page"
    if found := REPOSITORY.match(address):
        return None if (root / unquote(found[1])).exists() else f"{page} leads to {found[1]}, not in the repository"
    if address.startswith(SITE):
        address = PREFIX + address.removeprefix(SITE)
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    at = unquote(parts.path)
    at = at.removeprefix(PREFIX) if at.startswith(PREFIX) else posixpath.join(posixpath.dirname(page), at)
    target = html / (posixpath.normpath(at) if parts.path else f"{page}.html")
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return f"{page} leads to {address}, which isn't there"
    anchor = unquote(parts.fragment)
    if anchor and target.suffix == ".html" and anchor not in read(target).ids | {"top"}:
        return f"{page} leads to {address}, which has no such anchor"


def link_faults(html, root):
    "Links, anchors and pictures of all pages that lead nowhere, and pictures without a text in their place"
    for name in pages(html):
        parsed = read(html / f"{name}.html")
        yield from filter(None, (address_fault(html, name, address, root) for _, address in parsed.links))
        yield from (f"{name}: a picture without alt: {source}" for source in parsed.empty)


MARKDOWN_LINK = re.compile(r"\]\(([^)\s]+)\)")


def twin_faults(html, root):
    "Pages without a twin in Markdown, and links of twins that lead nowhere"
    for path in sorted(html.rglob("*.html.md")):
        name = path.relative_to(html).as_posix().removesuffix(".html.md")
        text = re.sub(r"^(`{3,}).*?^\1`*$|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
        addresses = (address.partition("#")[0] for address in MARKDOWN_LINK.findall(text))
        yield from filter(None, (address_fault(html, f"{name}.html.md", address, root)
                                 for address in addresses if address))


# A server -------------------------------------------------------------------------------------------------------------

class Handler(SimpleHTTPRequestHandler):
    "As GitHub serves a project's pages: below its name, with 404.html for what isn't there"

    def translate_path(self, path):
        path = urlsplit(path).path
        return super().translate_path("/" + path.removeprefix(PREFIX) if path.startswith(PREFIX) else "/no such page")

    def send_error(self, code, message=None, explain=None):
        page = (Path(self.directory) / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


@contextmanager
def served(html):
    "The address of a server of a folder, on this machine"
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(html)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
    finally:
        server.shutdown()
        server.server_close()


# A browser ------------------------------------------------------------------------------------------------------------

class Walker:
    "Goes from page to page in one window, and notes down faults"

    def __init__(self, visit, home):
        self.visit, self.page, self.home, self.faults = visit, visit.page, home, []

    def note(self, name, *faults):
        self.faults += [f"{name}: {fault}" for fault in faults if fault]

    def go(self, name):
        "Open a page, and note what it did: errors, addresses of others"
        self.page.goto(f"{self.home}{name}.html", wait_until="load")
        self.page.evaluate("document.querySelectorAll('iframe').forEach(one => { one.loading = 'eager' })")
        self.settle()

    def settle(self):
        "Until what draws itself late has: equations, views in frames, fonts"
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("document.fonts.ready.then(() => null)")

    def note_errors(self, name):
        self.note(name, *(f"console: {error}" for error in self.visit.errors),
                  *(f"asked {url}" for url in self.visit.outside()), *self.visit.dialogs)
        for told in (self.visit.errors, self.visit.requests, self.visit.dialogs):
            told.clear()

    def look(self, name, widths, scheme):
        "At several widths: text on text, a page wider than the window"
        for width in widths:
            self.page.set_viewport_size(dict(width=width, height=900))
            self.note(f"{name}, {width} wide, {scheme}", self.page.evaluate(WIDER), *self.page.evaluate(OVERLAPS))
