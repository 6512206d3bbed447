"""What a page's code says of the names in its prose, and which names nobody but rmkit could mean."""
import ast
import builtins
import keyword
import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pkgutil import resolve_name

from chapters import Cell, Chapter, DEFINITIONS, notebooks, page_name, printed, ROOT
from stubs import PACKAGE
from symbols import entries, sources

LIBRARIES = [  # modules and classes whose names prose may mention
    "torch", "numpy", "pandas", "pandas:DataFrame", "datasets", "datasets:Dataset", "transformers",
    "transformers:Trainer", "transformers:PreTrainedModel", "transformers:PreTrainedTokenizerBase",
    "transformers.trainer_utils", "transformers.trainer_utils:PredictionOutput", "peft", "accelerate", "trl",
    "matplotlib", "anywidget", "safetensors", "fastcore.all", "tokenizers", "huggingface_hub",
]
HOUSE = {  # pages about the repository's own scripts -> those
    "benchmarks": ["benchmarks/*.py"],
    "contributing": ["docs/*.py", "tests/*.py", "Makefile"],
    "changelog": ["docs/*.py", "tests/*.py", "benchmarks/*.py"],
}
ABOUT_MODULES = ("contributing", "changelog")
ELSEWHERE = {  # names of other libraries and their models, columns of published datasets
    "classification_head", "preference_strength", "response_j", "response_k", "save_to_disk",
    "attn_implementation",
}
ENVIRONMENT = re.compile(r"(HF|CUDA|OMP|TORCH|NCCL|PYTORCH|PYTHON|VLLM|WANDB|TENSORBOARD|MKL|RAY|ACCELERATE)_[A-Z_]+")


@dataclass
class Context:
    "What a page's code says of bare names."
    module: str | None = None  # the one that the page is about
    imported: dict = field(default_factory=dict)  # name -> address, of what its code imports of rmkit
    words: frozenset = frozenset()  # all that its code says
    about_house: bool = False  # then a plain word may be a module
    options: frozenset = frozenset()  # of other programs that it is about
    strict: bool = True  # whether a name that nobody knows is stale

    def with_words(self, markdown: str):
        "The same with the words in a text's own blocks of code."
        blocks = re.findall(r"^ *(?:```|~~~).*?^ *(?:```|~~~)", markdown, re.M | re.S)
        return replace(self, words=self.words.union(*(re.findall(r"\w+", block) for block in blocks)))


@cache
def notebooks_by_page() -> dict:
    "The notebook of each page of the site."
    return {page_name(path): path for path in notebooks()}


def imports_of(tree) -> dict:
    "Name -> address of what code imports of rmkit."
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "rmkit"):
            home = ".".join(filter(None, ["rmkit", (node.module or "").removeprefix("rmkit").strip(".")]))
            found |= {each.asname or each.name: f"{home}.{each.name}" for each in node.names}
    return found


def words_of(tree: ast.Module) -> set:
    "The words of code: not of what is said about it, in comments, docstrings and backticks, which may be stale itself."
    said = {id(node.body[0].value) for node in ast.walk(tree)
            if isinstance(node, (*DEFINITIONS, ast.Module)) and ast.get_docstring(node) is not None}
    text = ast.unparse(Silent(said).visit(tree))
    return set(re.findall(r"\w+", re.sub(r"`[^`\n]+`", "", text)))


class Silent(ast.NodeTransformer):
    "Takes docstrings out of code."

    def __init__(self, said: set):
        self.said = said

    def visit_Constant(self, node):
        return ast.Constant("") if id(node) in self.said else node


def commands_of(cell: Cell) -> str:
    "The command lines of a cell that aren't rmkit's own, which can't vouch for its options."
    is_shell = cell.source.lstrip().startswith("%%")
    lines = [line for line in cell.source.splitlines() if is_shell or re.match(r"\s*[%!]", line)]
    return "\n".join(line for line in lines if not re.search(r"\brmkit (?!@)", line))


@cache
def context_of(page: str) -> Context:
    "What the code of a page says; of a page of the reference that of the module's chapter."
    name = page.removeprefix("reference/")
    module = name if name in sources() else None
    if module or page in notebooks_by_page():
        cells = Chapter.read(notebooks_by_page()[module or page]).code_cells
        tree = ast.Module([node for cell in cells for node in cell.body], [])
        texts = [text for cell in cells for text in (*map(printed, cell.outputs), commands_of(cell))]
        words = {word for text in texts for word in re.findall(r"\w+", text)}
        return Context(module, imports_of(tree), frozenset(words | words_of(tree)))
    paths = [path for pattern in HOUSE.get(page, []) for path in ROOT.glob(pattern)]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    options = frozenset(re.findall(r"--[\w-]+", text)) if page == "benchmarks" else frozenset()
    return Context(None, {}, frozenset(re.findall(r"\w+", text)), page in ABOUT_MODULES, options)


@cache
def module_words() -> frozenset:
    "All words of the code of the package's modules."
    return frozenset().union(*(words_of(ast.parse(source.text)) for source in sources().values()))


@cache
def package_words() -> frozenset:
    "All words of the package's code, its front end included."
    front = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.glob("static/*.[jc]s*"))
    top = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    return module_words().union(re.findall(r"\w+", front), words_of(top))


@cache
def library_names(library: str) -> frozenset:
    "The names that another library, or a class of it, has at its top."
    return frozenset(dir(resolve_name(library))) if find_spec(re.match(r"\w+", library)[0]) else frozenset()


def is_known(name: str, context: Context) -> bool:
    "Whether a page's code, the package or a library that it stands on has a name."
    if not context.strict or name in context.words or name in package_words() or name in ELSEWHERE:
        return True
    if hasattr(builtins, name) or keyword.iskeyword(name) or ENVIRONMENT.fullmatch(name):
        return True
    return any(name in library_names(library) for library in LIBRARIES)


def looks_ours(name: str) -> bool:
    "Whether a bare name is spelt as the package spells its names, and not as a word of a text."
    if re.fullmatch(r"_*[a-z]\w*_\w+|[A-Z][A-Z0-9]*_\w+|([A-Z][a-z0-9]+){2,}\w*", name):
        return True
    classes = [address.rpartition(".")[2] for address, entry in entries().items() if entry.kind == "class"]
    return bool(re.fullmatch(r"[A-Z][a-z]+", name) and get_close_matches(name, classes, 1, 0.85))
