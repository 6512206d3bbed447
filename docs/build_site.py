"""Build the site: `python docs/build_site.py`, or `make docs`. It lands in build/site/html.

The notebooks and the reference become MyST pages in build/site/src, of which only those are written whose text changed,
so that Sphinx reads only those again. The outputs are the committed ones; only cells that save a live page are run."""
import re
import sys
import time
from pathlib import Path

from chapters import ROOT
from finish import finish
from links import complaint, link_symbols
from live import live_names, live_pages
from pages import as_myst, broken, Page, pictures, write, written_pages
from reference import write_reference
from sphinx.cmd.build import main as sphinx

TUTORIALS = ["first_reward_model", "your_own_pairs", "reading_a_run", "trust_a_model", "lora", "best_of_n", "grpo",
             "serving", "several_gpus", "from_trl", "your_own_rmkit"]
EXPLANATIONS = ["bradley_terry", "what_accuracy_hides", "one_pair_one_pass", "reference_curves"]
ABOUT_TUTORIALS = ("Each runs as it stands on a laptop, with data and a model that come with rmkit, and shows beside "
                   "it the same lines for a model and a dataset of the Hub. *Trust a reward model* alone takes real "
                   "pairs.")
ABOUT_EXPLANATIONS = "Why a reward model is what it is, and what its numbers say and don't say."


# The source ---------------------------------------------------------------------------------------------------------

def parts(index: Page) -> dict:
    "The parts of the book, as the table of the front page has them: title -> names of the chapters."
    found, part = {}, None
    for row in re.findall(r"^\| (.+?) \|", "\n".join(cell.source for cell in index.cells), re.M):
        if heading := re.match(r"\*\*(.+?)\*\*", row):
            part = found.setdefault(heading[1], [])
        elif chapter := re.match(r"\[\d+ (\w+)\]\(", row):
            part.append(chapter[1])
    return found


def in_order(pages: dict, folder: str, order: list) -> list:
    "The pages of a folder: in the order given, then those that it doesn't know."
    names = [name for name in pages if name.startswith(f"{folder}/")]
    known = [f"{folder}/{name}" for name in order if f"{folder}/{name}" in names]
    return [pages[name] for name in known + sorted(set(names) - set(known))]


def toctree(names: list, caption: str = "") -> str:
    "A part of the contents that the sidebar shows."
    options = [":hidden:"] + [f":caption: {caption}"] * bool(caption)
    return "\n".join(["```{toctree}", *options, "", *(f"/{name}" for name in names), "```"])


def card(page: Page) -> str:
    "A tutorial on the page of all: its picture, what it is about, how long it takes."
    picture = [f":img-top: /_pictures/{page.name}.png", f":img-alt: A picture from {page.title}"]
    foot = ["", f"*{page.seconds} s on two cores*"] if page.seconds else []
    return "\n".join([f":::{{grid-item-card}} {page.title}", f":link: /{page.name}", ":link-type: doc",
                      *picture * (page.thumbnail is not None), "", page.lead, *foot, ":::"])


def gallery(title: str, about: str, pages: list) -> str:
    "The page of all tutorials, or of all explanations."
    cards = "\n".join(["::::{grid} 1 2 2 3", ":gutter: 3", "", *map(card, pages), "::::"]) if pages else ""
    return "\n\n".join([f"# {title}", about, cards, toctree([page.name for page in pages])]) + "\n"


def contents(pages: dict, reference: list) -> str:
    "The whole site as the sidebar has it, below the front page."
    groups = {"Learn": ["tutorials/index", "explanations/index"], **parts(pages["index"]),
              "Reference": reference[:1], "The project": ["benchmarks", "changelog", "contributing"]}
    return "\n\n".join(toctree(names, caption) for caption, names in groups.items() if names)


def write_source(src: Path, pages: dict) -> list:
    "Write all that Sphinx reads, and give the names of its pages."
    reference = write_reference(src)
    tutorials = in_order(pages, "tutorials", TUTORIALS)
    explanations = in_order(pages, "explanations", EXPLANATIONS)
    files = {"tutorials/index.md": gallery("Tutorials", ABOUT_TUTORIALS, tutorials),
             "explanations/index.md": gallery("Explanations", ABOUT_EXPLANATIONS, explanations)}
    for name, page in pages.items():
        entry = f"reference/{page.module}"
        files[f"{name}{page.path.suffix}"] = as_myst(
            page, link_symbols, entry if entry in reference else None,
            contents(pages, reference) if name == "index" else "")
        files |= {f"_pictures/{path.name}": path.read_bytes() for path in pictures(page)}
        files |= {f"_pictures/{name}.png": page.thumbnail} if page.thumbnail else {}
    for name, content in files.items():
        write(src / name, content)
    remove_others(src, {*files, *(f"{name}.md" for name in reference)})
    made = dict.fromkeys(name.rpartition(".")[0] for name in files if not name.startswith("_"))
    ordered = [page.name for page in tutorials + explanations]
    return [*(name for name in made if name not in ordered), *ordered, *reference]


def remove_others(folder: Path, names: set):
    "Remove what an earlier build left in a folder."
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in names:
            path.unlink()


# The site -----------------------------------------------------------------------------------------------------------

def run_sphinx(dest: Path):
    "Sphinx over the source; a warning is an error."
    arguments = ["-b", "html", "-c", ROOT / "docs", "-d", dest / "doctrees", "-W", "--keep-going", "-q", "-j", "2",
                 dest / "src", dest / "html"]
    if sphinx([str(argument) for argument in arguments]):
        sys.exit("the site isn't built: see the warnings above")


def add_notebooks(html: Path, pages: dict, cache: Path):
    "The notebooks and their tables, to be downloaded as they are committed, and the live pages that they save."
    for page in pages.values():
        if page.path.suffix == ".ipynb":
            for path in [page.path, *page.chapter.tables]:
                write(html / path.relative_to(ROOT), path.read_bytes())
            for name, saved in (live_pages(page.chapter, cache) if live_names(page.chapter) else {}).items():
                write(html / "live" / page.name / name, saved.read_bytes())


def build(dest: Path = ROOT / "build" / "site") -> Path:
    "Build the site, and give the folder that holds it."
    pages, html = {page.name: page for page in written_pages()}, dest / "html"
    names = write_source(dest / "src", pages)
    run_sphinx(dest)
    add_notebooks(html, pages, dest / "cache")
    finish(html, pages, names)
    if complaint() or broken:
        sys.exit("\n".join(["the site is built, with faults:", *dict.fromkeys(broken), complaint()]))
    return html


if __name__ == "__main__":
    began = time.monotonic()
    print(f"{build()}/index.html, in {time.monotonic() - began:.0f} s")
