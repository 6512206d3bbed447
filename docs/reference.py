"""The reference: a page for every module, with an entry for everything public, as Sphinx's Python domain has it.

Pages are Markdown with directives (MyST, colon fences). What they say is read from the package's source; options of the
command line and fields of the config come from the parsers themselves (`options_reference.py`)."""
import ast
import json
import re
from functools import cache
from pathlib import Path

from chapters import Chapter, page_name
from links import link_symbols
from myst_parser.mdit_to_docutils.base import default_slugify
from options_reference import cli_lines, config_lines, older_page
from pages import REPOSITORY, write
from rmkit import _home as TOP_LEVEL
from symbols import chapter_paths, entries, entries_of, errors, is_class_method, parameters, sources

LONGEST_VALUE = 72  # letters of a constant that are shown
SPHINX = dict(  # settings of `conf.py` that the entries are written for
    smartquotes=False,  # 'raise' and '' are what one types
    python_maximum_signature_line_length=64,  # longer signatures have one parameter a line
    python_display_short_literal_types=True,
    add_module_names=False,
    toc_object_entries_show_parents="hide",
)
NOTEBOOK_LINK = re.compile(r"\]\((?:\.\./)?((?:tutorials|explanations)/)?(?:\d+\w?_)?(\w+)\.ipynb"
                           r"(#[\w-]+)?\)")


# Chapters -----------------------------------------------------------------------------------------------------------

@cache
def headings(notebook: str) -> dict:
    "Cell id -> (heading above it, its anchor) in a chapter; the title's anchor is empty."
    found, now, slugs = {}, ("", ""), []
    for cell in Chapter.read(chapter_paths()[notebook]).cells:
        prose = re.sub(r"^```.*?^```", "", cell.source, flags=re.M | re.S) if cell.kind == "markdown" else ""
        for text in re.findall(r"^#{2,4} +(.+?) *$", prose, re.M):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", text)
            slug = default_slugify(plain)
            now = plain, slug + f"-{slugs.count(slug)}" * (slug in slugs)
            slugs.append(slug)
        found[cell.id] = now
    return found


def chapter_link(source, line: int) -> str:
    "Where the chapter explains what a line of a module does."
    notebook, cell = source.cell(line)
    title, anchor = headings(notebook)[cell]
    name = page_name(chapter_paths()[notebook])
    return f"[Chapter {name}{': ' * bool(title)}{title}](../{name}.ipynb{'#' * bool(anchor)}{anchor})"


def source_link(source, line: int) -> str:
    return f"[Source]({REPOSITORY}/blob/main/rmkit/{source.name}.py#L{line})"


# Texts --------------------------------------------------------------------------------------------------------------

def prose(text: str, page: str, strict: bool = True) -> str:
    "A docstring as Markdown of the site: names are links, commands a block, nothing is HTML."
    paragraphs = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        if lines and all(line.startswith(("rmkit ", "accelerate ")) for line in lines):
            paragraphs.append("\n".join(["```bash", *lines, "```"]))
        else:
            paragraph = NOTEBOOK_LINK.sub(r"](../\1\2.ipynb\3)", re.sub(r"<(?=[\w/])(?=[^`]*(?:`[^`]*`[^`]*)*$)", r"\<",
                                                                     paragraph))
            paragraphs.append(link_symbols(paragraph, page, strict))
    return "\n\n".join(paragraphs)


def in_cell(text: str) -> str:
    "A text as it may stand in a table."
    return " ".join(text.replace("|", r"\|").split())


def code(text: str, page: str) -> str:
    "A type or a value in a table; names of rmkit are links."
    return in_cell(link_symbols(f"`{' '.join(text.split())}`", page)) if text else ""


def table(rows: list, page: str) -> list:
    "The lines of a table of parameters, where it says more than their names; empty columns are left out."
    if not any(row.help or row.type for row in rows):
        return []
    has_types = any(row.type for row in rows)
    has_defaults = any(row.default is not None for row in rows)
    heads = ["parameter", *["type"] * has_types, *["default"] * has_defaults, "what it is"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [f"`{row.name}`", *[code(row.type, page)] * has_types, *[code(row.default or "", page)] * has_defaults,
                 in_cell(prose(row.help, page))]
        lines.append("| " + " | ".join(cells) + " |")
    return ["", *lines, ""]


# Entries ------------------------------------------------------------------------------------------------------------

def signature(entry) -> str:
    "What stands between and after the parentheses."
    if entry.name == "RewardConfig":
        return "(output_dir=None, **fields)"
    if entry.is_record:
        inside = ", ".join(f"{row.name}{f': {row.type}' * bool(row.type)}"
                           + (f"={row.default}" if row.default is not None else "") for row in entry.parameters)
        return f"({inside})"
    if entry.constructor is None:
        return "()"
    arguments = ast.parse(ast.unparse(entry.constructor)).body[0].args
    if len(entry.parameters) < len(parameters(entry.source, entry.constructor)):
        (arguments.posonlyargs or arguments.args).pop(0)
    return f"({ast.unparse(arguments)})" + (f" -> {entry.returns[0]}" if entry.returns[0] else "")


def options(entry) -> list:
    "The options of an entry's directive."
    found = []
    if TOP_LEVEL.get(entry.name) == entry.module:
        found.append(f":canonical: rmkit.{entry.name}")
    if entry.kind == "property" and entry.returns[0]:
        found.append(f":type: {json.dumps(entry.returns[0])}")
    if entry.kind == "attribute" and isinstance(entry.node, ast.AnnAssign):
        found.append(f":type: {json.dumps(ast.unparse(entry.node.annotation))}")
    value = ast.unparse(entry.node.value) if entry.kind in ("attribute", "data") and entry.node.value else ""
    if 0 < len(value) <= LONGEST_VALUE and entry.name != "logger":
        found.append(f":value: {json.dumps(value, ensure_ascii=False)}")
    if entry.kind == "method":
        found += [":classmethod:"] * is_class_method(entry.node)
        found += [":staticmethod:"] * ("staticmethod" in entry.decorators)
    return found


def details(entry, page: str) -> list:
    "What stands below the signature."
    lines = [prose(entry.doc, page), ""]
    if TOP_LEVEL.get(entry.name) == entry.module:
        lines += [f"Also `from rmkit import {entry.name}`.", ""]
    if "contextmanager" in entry.decorators:
        lines += ["A context manager, for a `with` block.", ""]
    if entry.kind in ("function", "method", "class"):
        lines += [] if entry.is_record else table(entry.parameters, page)
        lines += returned(entry, page)
        raised = errors(entry)
        lines += [f"**Raises** {'; '.join(prose(' '.join(each.split()), page) for each in raised)}.", ""] * bool(raised)
    if entry.kind != "attribute":
        places = [chapter_link(entry.source, entry.node.lineno), source_link(entry.source, entry.node.lineno)]
        lines += [" · ".join(places), ""]
    return lines


def returned(entry, page: str) -> list:
    kind, help = entry.returns
    if kind == "None" or not (kind or help):
        return []
    named = link_symbols(f"`{kind}`", page) if kind else ""
    return [f"**Returns** {named}{': ' * bool(kind and help)}{prose(help, page)}", ""]


def bases(entry, page: str) -> list:
    "What a class is made on, private classes aside."
    names = [ast.unparse(base) for base in getattr(entry.node, "bases", [])]
    names = [link_symbols(f"`{name}`", page) for name in names if not name.startswith("_")]
    return [f"Bases: {', '.join(names)}", ""] * bool(names)


def entry_lines(entry, page: str) -> list:
    "The directive of an entry and, inside it, those of a class's members."
    colons = "::::" if entry.kind == "class" else ":::"
    call = signature(entry) if entry.kind in ("function", "method", "class") else ""
    name = entry.name.rpartition(".")[2]
    inner = [line for each in entry.members for line in entry_lines(each, page)]
    return [f"{colons}{{py:{entry.kind}}} {name}{call}", *options(entry), "", *bases(entry, page),
            *details(entry, page), *inner, colons, ""]


# Pages --------------------------------------------------------------------------------------------------------------

def module_page(source) -> str:
    "The reference of a module."
    page = f"reference/{source.name}"
    groups = {"Classes": ["class"], "Functions": ["function"], "Constants": ["data"]}
    lines = [f"# rmkit.{source.name}", "", f":::{{py:module}} rmkit.{source.name}", ":::", "",
             prose(about(source), page), "", f"Explained in [chapter {source.name}](../{source.name}.ipynb).", ""]
    def link(text, strict=True): return prose(text, page, strict)
    if source.name == "cli":
        lines += [*cli_lines(link), "(the-module)=", "", "## The module", ""]
    if source.name == "config":
        lines += ["## Fields of RewardConfig", "", *config_lines(link)]
    for title, kinds in groups.items():
        chosen = [entry for entry in entries_of(source.name) if entry.kind in kinds]
        lines += [f"## {title}", ""] * bool(chosen)
        lines += [line for entry in chosen for line in entry_lines(entry, page)]
    return "\n".join(lines)


def about(source) -> str:
    "What a module is, in its own words."
    return ast.get_docstring(source.tree).partition("\n\n")[0]


def index_page() -> str:
    "What there is: what `from rmkit import` gives, then everything by module."
    page = "reference/index"
    def row(name, address, text): return f"| [`{name}`](#{address}) | {in_cell(prose(text, page))} |"
    homes = {name: entries()[f"rmkit.{home}.{name}"] for name, home in TOP_LEVEL.items()}
    tops = [row(name, entry.address, entry.doc.partition("\n\n")[0]) for name, entry in homes.items()]
    modules = [row(f"rmkit.{name}", f"rmkit.{name}", about(source)) for name, source in sources().items()]
    return "\n".join([
        "# Reference", "", "Everything public, written from the source. Three pages are about what one types: the "
        "[commands and their options](cli.md), the [fields of a run's config](config.md), and [older "
        "names](older_names.md) with what became of them.", "",
        "## From the top", "", "`from rmkit import ...` gives these.", "",
        "| name | what it is |", "|---|---|", *tops, "",
        "## By module", "", "| module | what it is |", "|---|---|", *modules, "",
        "```{toctree}", ":hidden:", "", *(source.name for source in sources().values()), "older_names", "```", ""])


def write_reference(dest: Path) -> list[str]:
    "Write the pages below `dest/reference/`, each only if it changed; their names as documents, in order."
    pages = {"index": index_page()} | {source.name: module_page(source) for source in sources().values()}
    pages["older_names"] = older_page(lambda text: prose(text, "reference/older_names"))
    for name, text in pages.items():
        write(dest / "reference" / f"{name}.md", text)
    return [f"reference/{name}" for name in pages]
