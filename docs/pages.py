"""What the site's pages are made of: a notebook, or a Markdown file, as Sphinx reads it (MyST) and as a language model
does (its twin: plain Markdown)."""
import json
import posixpath
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from html import escape
from pathlib import Path
from urllib.parse import quote

from chapters import Cell, Chapter, notebooks, page_name, printed, ROOT, SECONDS

SITE = "https://rmkit.github.io/rmkit/"
REPOSITORY = "https://github.com/rmkit/rmkit"
COLAB = "https://colab.research.google.com/github/rmkit/rmkit/blob/main/"
PROJECT = {"benchmarks": "benchmarks/README.md", "changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md"}
CODE = re.compile(r"^(?P<fence>[`~]{3,}).*?^(?P=fence)[ \t]*$|(?P<tick>`+)(?!`).+?(?<!`)(?P=tick)(?!`)", re.M | re.S)
LINK = re.compile(CODE.pattern + r"|(?P<picture>!\[[^\]]*)?\]\((?P<target>[^)\s]+)\)", re.M | re.S)
BADGE = re.compile(r"^\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)\n*", re.M)
HEAD = re.compile(r"\A# +(?P<title>.+)\n*(?P<lead>(?:^>.*\n?)*)", re.M)
broken: list = []  # links to what isn't there, for the end of the build to tell
NEEDS = {"network": "a network", "gpu": "a GPU", "gpus": "several GPUs", "vllm": "vLLM", "sglang": "SGLang",
         "pairs": "real pairs and a small pretrained model"}


@dataclass
class Page:
    "One page that people write: where it is written, and the name that it has on the site."
    path: Path  # a notebook, or a Markdown file
    name: str  # its address, without .html

    @cached_property
    def source(self) -> str:
        "The path in the repository."
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def chapter(self) -> Chapter:
        "The notebook; a Markdown file is one with a single cell."
        if self.path.suffix == ".ipynb":
            return Chapter.read(self.path)
        return Chapter(self.path, [Cell("markdown", "", self.path.read_text(encoding="utf-8"))])

    @cached_property
    def cells(self) -> list:
        "What a reader sees: no hidden cell, none that is only there for nbdev."
        return [cell for cell in self.chapter.cells if cell.kind != "raw" and not cell.hidden and cell.shown]

    @cached_property
    def title(self) -> str:
        return HEAD.match(self.cells[0].source)["title"].strip()

    @cached_property
    def lead(self) -> str:
        "The line below the title that says what the page is about."
        return re.sub(r"^> ?", "", HEAD.match(self.cells[0].source)["lead"], flags=re.M).replace("\n", " ").strip()

    @cached_property
    def seconds(self) -> int | None:
        "How long the notebook runs on two cores, where that was measured."
        return json.loads(SECONDS.read_text(encoding="utf-8")).get(self.source) if SECONDS.exists() else None

    @cached_property
    def module(self) -> str | None:
        "The module that the notebook exports."
        return next((cell.directives["default_exp"] for cell in self.chapter.code_cells
                     if "default_exp" in cell.directives), None)

    @cached_property
    def thumbnail(self) -> bytes | None:
        "The picture that stands for a tutorial."
        outputs = [output for cell in self.cells if "thumbnail" in cell.directives for output in cell.outputs]
        png = next((output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})), None)
        return png and b64decode("".join(png))

    @property
    def up(self) -> str:
        "From the page to the site's root: '../' for each folder."
        return "../" * self.name.count("/")


def written_pages() -> list:
    "All pages that are written by hand, in reading order: notebooks, then what the repository says of itself."
    return [Page(path, page_name(path)) for path in notebooks()] + [
        Page(ROOT / source, name) for name, source in PROJECT.items()]


def write(path: Path, content: str | bytes) -> bool:
    "Write a file if that changes it, so that what depends on it is made again only then."
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return True


# Links --------------------------------------------------------------------------------------------------------------

@cache
def page_names() -> dict:
    "File in the repository -> name of its page."
    return {page.path: page.name for page in written_pages()}


def address_of(path: Path, twin: bool) -> str | None:
    "Where on the site a file of the repository is: a page for MyST to find, or the address of its twin."
    return f"/{page_names()[path]}{'.html.md' if twin else path.suffix}" if path in page_names() else None


def source_of(name: str) -> str:
    "The file that Sphinx makes a page from: what isn't written by hand is Markdown."
    return name + next((path.suffix for path, page in page_names().items() if page == name), ".md")


def relink(markdown: str, page: Page, twin: bool = False) -> str:
    """A text whose links lead to pages of the site, where there is one, and to the repository where not. In a twin
    links are relative; MyST's begin at the root."""
    def replaced(match):
        target = match["target"]
        name, _, anchor = (target or "").partition("#")
        if not twin and name.startswith(SITE) and name.endswith(".html"):
            return f"](/{source_of(name.removeprefix(SITE)[:-5])}{'#' * bool(anchor)}{anchor})"
        if not target or re.match(r"\w+:|#|/", target):
            return match[0]
        path = (page.path.parent / name).resolve()
        address = address_of(path, twin)
        if not path.exists():
            broken.append(f"{page.source} links to {target}, which isn't there")
        if address:
            address = posixpath.relpath(address, posixpath.dirname(f"/{page.name}")) if twin else address
            address += f"#{anchor}" * bool(anchor)
        elif match["picture"]:
            address = raw_address(path) if twin else f"/_pictures/{path.name}"
        else:
            address = repository_address(path)
        return f"{match['picture'] or ''}]({address})"
    return LINK.sub(replaced, markdown)


def repository_address(path: Path) -> str:
    "A file or a folder on GitHub."
    return f"{REPOSITORY}/{'tree' if path.is_dir() else 'blob'}/main/{quote(path.relative_to(ROOT).as_posix())}"


def raw_address(path: Path) -> str:
    "The bytes of a file on GitHub, as a picture needs them."
    return repository_address(path).replace("/blob/main/", "/raw/main/")


def pictures(page: Page) -> list:
    "The files of the repository that a page shows."
    texts = [cell.source for cell in page.cells if cell.kind == "markdown"]
    found = [match["target"] for text in texts for match in LINK.finditer(text) if match["picture"]]
    return [(page.path.parent / target).resolve() for target in found if not re.match(r"\w+:", target)]


# A notebook as MyST -------------------------------------------------------------------------------------------------

def bar(page: Page, reference: str | None) -> str:
    "What stands below the title of a notebook's page: open it, keep it, what it costs, where its names are listed."
    colab = f'<a class="button" href="{COLAB}{page.source}">Open in Colab</a>'
    keep = f'<a class="button" href="{page.up}{page.source}" download>Download the notebook</a>'
    costs = f"<span>Runs in {page.seconds} s on two cores</span>" if page.seconds else ""
    names = f'<a href="{page.up}{reference}.html">Reference: <code>rmkit.{page.module}</code></a>' if reference else ""
    return f'<div class="notebook-bar">{colab} {keep} {costs} {names}</div>'


def opening(page: Page, source: str, reference: str | None) -> str:
    "The first cell: title, what the page is about, the bar, and what else the cell says."
    head = HEAD.match(source)
    rest = BADGE.sub("", source[head.end():]).strip()
    return "\n\n".join(part for part in (f"# {page.title}", head["lead"].strip(), bar(page, reference), rest) if part)


def markdown_cell(text: str) -> dict:
    return dict(cell_type="markdown", metadata={}, source=text)


def needs(cell: Cell) -> str:
    "What a cell needs that isn't run everywhere; what it shows, it showed where all that was there."
    found = " and ".join(NEEDS[name] for name in cell.needs)
    return f"Needs {found}: " + ("its output is kept from such a run." if cell.outputs else "shown, and not run here.")


def live_frame(page: Page, cell: Cell) -> str:
    "A saved live page within the page, and the way to have it alone."
    address = f"{page.up}live/{page.name}/{cell.directives['live']}"
    return (f'<iframe class="live" loading="lazy" src="{address}" title="{escape(page.title)}: a live view"></iframe>\n'
            f'<p class="live-alone"><a href="{address}">The same view on a page of its own</a></p>')


def as_myst(
    page: Page,
    link: Callable,  # text, name of the page -> the text with links at its symbols
    reference: str | None = None,  # the page of the module's names
    ending: str = "",  # what is added to the page, in MyST
) -> str:  # a notebook whose cells are MyST; of a Markdown file, a text
    "A page as Sphinx reads it."
    if page.path.suffix == ".md":
        return link(relink(page.cells[0].source, page), page.name)
    cells = []
    for at, cell in enumerate(page.cells):
        if cell.kind == "markdown":
            text = cell.source if at or page.name == "index" else opening(page, cell.source, reference)
            cells.append(markdown_cell(link(relink(text, page), page.name)))
            continue
        if "needs" in cell.directives:
            cells.append(markdown_cell(f":::{{container}} needs\n{needs(cell)}\n:::"))
        cells.append(dict(cell_type="code", execution_count=None, metadata={}, source=cell.shown,
                          outputs=cell.outputs))
        if "live" in cell.directives:
            cells.append(markdown_cell(live_frame(page, cell)))
    cells += [markdown_cell(ending)] if ending else []
    language = dict(name="python", pygments_lexer="ipython3")
    metadata = dict(kernelspec=dict(name="python3", display_name="Python 3", language="python"), language_info=language)
    return json.dumps(dict(cells=cells, metadata=metadata, nbformat=4, nbformat_minor=4), indent=1, ensure_ascii=False)


# A notebook as plain Markdown ---------------------------------------------------------------------------------------

def fenced(text: str, language: str) -> str:
    "Code or output in a fence that is longer than any in it."
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def output_text(output: dict, page: Page) -> str:
    "What a cell showed, as text: of a picture only that there is one."
    if any(kind.startswith("image/") for kind in output.get("data", {})):
        return f"(A picture: see [the page]({posixpath.basename(page.name)}.html).)"
    text = printed(output).strip("\n")
    return fenced(text, "text") if text.strip() else ""


def twin(page: Page) -> str:
    "The page in plain Markdown: its prose, its code, what the code printed."
    parts = []
    for cell in page.cells:
        if cell.kind == "markdown":
            parts.append(relink(BADGE.sub("", cell.source), page, twin=True).strip())
            continue
        parts.append(needs(cell) if "needs" in cell.directives else "")
        parts.append(fenced(cell.shown, "python"))
        parts += [output_text(output, page) for output in cell.outputs]
    if page.path.suffix == ".ipynb":
        parts.append(f"This page is the notebook [{page.source}]({page.up}{page.source}).")
    return "\n\n".join(part for part in parts if part) + "\n"
