"What is added to the pages that Sphinx wrote: for language models, for search engines, for older addresses."
import json
import re
from html import escape
from importlib.util import find_spec
from pathlib import Path

from chapters import ROOT
from pages import PROJECT, SITE, twin, write

REDIRECTS = ROOT / "docs" / "redirects.json"  # a page's older name -> its name today
RELATIVE = re.compile(r"\]\((?!\w+:)([^)#\s]+?)\.(?:html|md)(#[^)\s]*)?\)")
SECTIONS = ["Start", "Tutorials", "Explanations", "Chapters", "Reference", "The project"]
SUMMARY = "rmkit trains, shows and tests reward models from a notebook, with the arguments of TRL's RewardTrainer."


def plain(text: str) -> str:
    "A twin as Sphinx has it, with links to twins, and no cell of a table that ends within code."
    rows = re.sub(r"^\|.*", lambda row: re.sub(r"`[^`]+`", lambda code: re.sub(r"(?<!\\)\|", r"\\|", code[0]), row[0]),
                  text, flags=re.M)
    return RELATIVE.sub(r"](\1.html.md\2)", rows)


def add_twins(html: Path, pages: dict, names: list):
    "Each page in Markdown, at its address and `.md`: what people wrote as they wrote it, the rest as Sphinx has it."
    for name in names:
        sphinxs = html / f"{name}.md"
        if sphinxs.is_file() and name not in pages:
            write(html / f"{name}.html.md", plain(sphinxs.read_text(encoding="utf-8")))
        if name in pages:
            write(html / f"{name}.html.md", twin(pages[name]))
        sphinxs.unlink(missing_ok=True)


def heading_and_lead(text: str) -> tuple:
    "A twin's title, and the first paragraph, which says what the page is about."
    title, *rest = [part.strip() for part in re.sub(r"^```.*?^```", "", text, flags=re.M | re.S).split("\n\n")]
    lead = next((part for part in rest if re.match(r"(> )?[\w\"`*(]", part)), "")
    return title.lstrip("# "), " ".join(re.sub(r"^> ?", "", lead, flags=re.M).split())


def section_of(name: str) -> str:
    "Where a page is listed in llms.txt."
    if name in ("index", *PROJECT):
        return "Start" if name == "index" else "The project"
    folder = name.rpartition("/")[0]
    return folder.capitalize() if folder else "Chapters"


def add_llms(html: Path, names: list):
    "llms.txt, the list of the twins, and llms-full.txt, all of them."
    texts = {name: (html / f"{name}.html.md").read_text(encoding="utf-8") for name in names}
    lines = ["# rmkit", "", f"> {SUMMARY}", ""]
    for title in SECTIONS:
        lines += [f"## {title}", ""]
        for name in (name for name in names if section_of(name) == title):
            heading, lead = heading_and_lead(texts[name])
            lines.append(f"- [{heading}]({SITE}{name}.html.md): {lead}")
        lines.append("")
    write(html / "llms.txt", "\n".join(lines))
    write(html / "llms-full.txt", "\n\n".join(f"<!-- {SITE}{name}.html -->\n\n{text}" for name, text in texts.items()))


def add_sitemap(html: Path, names: list):
    "What search engines read."
    urls = "\n".join(f"<url><loc>{escape(SITE + name)}.html</loc></url>" for name in names)
    write(html / "sitemap.xml", '<?xml version="1.0" encoding="UTF-8"?>\n'
          f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}\n</urlset>\n')
    write(html / "robots.txt", f"User-agent: *\nAllow: /\nSitemap: {SITE}sitemap.xml\n")


def redirect(old: str, new: str) -> str:
    "A page that leads from an older name to today's, from a folder too."
    target, lasting = escape("../" * old.count("/") + f"{new}.html"), escape(f"{SITE}{new}.html")
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>This page has moved</title>\n'
            f'<meta http-equiv="refresh" content="0; url={target}"><link rel="canonical" href="{lasting}"></head>\n'
            f'<body><h1>This page has moved</h1><p><a href="{target}">Here it is.</a></p></body></html>\n')


def add_redirects(html: Path, names: list):
    "Pages at older names; one that leads nowhere, or hides a page, is an error."
    for old, new in json.loads(REDIRECTS.read_text(encoding="utf-8")).items():
        if old in names or new not in names:
            raise ValueError(f"{REDIRECTS.name}: {old} -> {new}: the first must be no page of the site, the second one")
        write(html / f"{old}.html", redirect(old, new))


def add_mathjax(html: Path):
    "What sets equations, from a package, so that no other host is asked."
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    for path in [package / "tex-chtml.js", *(package / "output" / "chtml" / "fonts").rglob("*.woff")]:
        write(html / "_static" / "mathjax" / path.relative_to(package), path.read_bytes())


def finish(html: Path, pages: dict, names: list):
    "All that Sphinx doesn't write."
    add_mathjax(html)
    add_twins(html, pages, names)
    add_llms(html, names)
    add_sitemap(html, names)
    add_redirects(html, names)
    write(html / ".nojekyll", "")  # GitHub would leave out folders that begin with an underscore
