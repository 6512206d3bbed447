"""What a text in backticks means: the place of its entry in the reference, or nothing of ours.

`target_of` gives the target of a link; None where the text is no name of rmkit; it raises `Stale` where the text looks
like one and isn't. An expression is read as Python, a command as `rmkit --help` has it."""
import ast
import builtins
import keyword
import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from inspect import getmro, getsource

import rmkit
from chapters import Chapter, notebooks, ROOT
from options_reference import commands, fields_of_config, older_fields, option_anchor
from symbols import entries, sources

INSTANCES = {  # what a variable of that name is on every page
    "trainer": "RewardTrainer", "viz": "RewardVisualizer", "rm": "RewardModel", "snapshots": "Snapshots",
}
LIBRARIES = ["torch", "transformers", "trl", "peft", "datasets", "accelerate", "numpy", "pandas", "matplotlib",
             "anywidget", "safetensors", "fastcore.all", "tokenizers", "huggingface_hub"]
FOREIGN = re.compile(r"(HF|CUDA|OMP|TORCH|NCCL|PYTORCH|PYTHON|VLLM|WANDB|TENSORBOARD|MKL|RAY|ACCELERATE)_[A-Z_]+")
FILE = re.compile(r".*\.(py|pyi|js|css|html|md|ipynb|jsonl?|ya?ml|csv|tsv|parquet|arrow|ini|toml|cff|txt|safetensors|"
                  r"jinja|typed|png|svg|sh|whl|gz)")


class Stale(Exception):
    "A text looks like a name of rmkit and is none."

    def __init__(self, text: str):
        super().__init__(text)
        last = text.rpartition(".")[2]
        known = [*entries(), *(f"--{name}" for name in fields_of_config())]
        short = {name.split(".", 2)[2] if name.count(".") > 1 else name: name for name in known}
        near = get_close_matches(text, short, 3, 0.6) or get_close_matches(last, [
            name.rpartition(".")[2] for name in short], 3, 0.6)
        self.nearest = list(dict.fromkeys(near))


@dataclass
class Context:
    "What a page's code says of bare names."
    module: str | None = None  # the one that the page is about
    imported: dict = field(default_factory=dict)  # name -> address, of what its code imports of rmkit
    words: frozenset = frozenset()  # all that its code says
    strict: bool = True  # whether a name that nobody knows is stale

    def with_words(self, markdown: str):
        "The same with the words in a text's own blocks of code."
        blocks = re.findall(r"^ *(?:```|~~~).*?^ *(?:```|~~~)", markdown, re.M | re.S)
        return replace(self, words=self.words | {word for block in blocks for word in re.findall(r"\w+", block)})


# A page's code ------------------------------------------------------------------------------------------------------

@cache
def notebooks_by_page() -> dict:
    "The notebook of each page of the site."
    folder = ROOT / "nbs"
    return {(path.parent.relative_to(folder) / Chapter(path, []).title).as_posix(): path for path in notebooks()}


def imports_of(tree, module: str | None) -> dict:
    "Name -> address of what code imports of rmkit."
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "rmkit"):
            home = ".".join(filter(None, ["rmkit", (node.module or "").removeprefix("rmkit").strip(".")]))
            found |= {each.asname or each.name: f"{home}.{each.name}" for each in node.names}
    return found


@cache
def context_of(page: str) -> Context:
    "What the code of a page says; of a reference page that of its module."
    name = page.removeprefix("reference/")
    module = name if name in sources() else None
    text, trees = "", []
    if page in notebooks_by_page():
        chapter = Chapter.read(notebooks_by_page()[page])
        trees = [ast.Module(cell.body, []) for cell in chapter.code_cells]
        text = "\n".join([cell.source for cell in chapter.code_cells] + [str(cell.outputs) for cell in chapter.code_cells])
    elif module:
        trees = [sources()[module].tree]
    elif page in HOUSE:
        text = house_text()
    imported = {}
    for tree in trees:
        imported |= imports_of(tree, module)
    return Context(module, imported, frozenset(re.findall(r"\w+", text)))


HOUSE = ("contributing", "changelog", "benchmarks", "CONTRIBUTING", "CHANGELOG", "benchmarks/README")


@cache
def house_text() -> str:
    "What the repository's own scripts say, whose names pages about the house may tell."
    paths = [*ROOT.glob("docs/*.py"), *ROOT.glob("tests/*.py"), *ROOT.glob("benchmarks/*.py"), ROOT / "Makefile"]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@cache
def package_words() -> frozenset:
    "All words of the package's source, its front end included."
    paths = [ROOT / "rmkit" / "__init__.py", *ROOT.glob("rmkit/static/*.js"), *ROOT.glob("rmkit/static/*.css")]
    texts = [path.read_text(encoding="utf-8") for path in paths] + [source.text for source in sources().values()]
    return frozenset(re.findall(r"\w+", "\n".join(texts)))


@cache
def library_names(library: str) -> frozenset:
    "The names that another library has at its top."
    return frozenset(dir(import_module(library))) if find_spec(library.partition(".")[0]) else frozenset()


def is_known(name: str, context: Context) -> bool:
    "Whether a page's code, the package or a library that it stands on has a name."
    if not context.strict or name in context.words or name in package_words() or hasattr(builtins, name) or keyword.iskeyword(name):
        return True
    return bool(FOREIGN.fullmatch(name)) or any(name in library_names(library) for library in LIBRARIES)


def looks_ours(name: str) -> bool:
    "Whether a bare name is spelt as the package spells its names, and not as a word of a text."
    if re.fullmatch(r"_*[a-z]\w*_\w+|[A-Z][A-Z0-9]*_\w+|([A-Z][a-z0-9]+){2,}\w*", name):
        return True
    classes = [address.rpartition(".")[2] for address, entry in entries().items() if entry.kind == "class"]
    return bool(re.fullmatch(r"[A-Z][a-z]+", name) and get_close_matches(name, classes, 1, 0.85))


# Names --------------------------------------------------------------------------------------------------------------

@cache
def by_name() -> dict:
    "Last part of an address -> the addresses that end so."
    found = {}
    for address in entries():
        found.setdefault(address.rpartition(".")[2], []).append(address)
    return found


@cache
def older_addresses() -> dict:
    "An address where something can be found beside its own -> its own."
    found = {f"rmkit.{name}": f"rmkit.{home}.{name}" for name, home in rmkit._home.items()}
    for module, homes in rmkit._moved.items():
        for home, names in homes.items():
            found |= {f"rmkit.{module}.{name}": f"rmkit.{home}.{name}" for name in names.split()}
    return found


def is_top(address: str) -> bool:
    "Whether a module has it at its top, and no class."
    return address.count(".") == 2


def field_anchor(name: str) -> str | None:
    "Where a field of the config is explained, one of today or an older one."
    if name in fields_of_config() or name in older_fields():
        return f"rmkit.config.RewardConfig.{name}"
    return None


def bare(name: str, context: Context, called=False) -> str | None:
    "What a bare name means on a page."
    here = f"rmkit.{context.module}.{name}"
    if here in entries():
        return here
    if name in context.imported:
        return own_address(context.imported[name])
    found = by_name().get(name, [])
    tops = [address for address in found if is_top(address)]
    if f"rmkit.{name}" in older_addresses():
        return older_addresses()[f"rmkit.{name}"]
    is_spelt = called or re.search(r"_|^[A-Z]\w", name)
    if len(tops) == 1 and is_spelt:
        return tops[0]
    if not tops and name in fields_of_config() and ("_" in name or is_only_a_field(name)):
        return field_anchor(name)
    if not tops and is_spelt:
        mine = [address for address in found if address.startswith(f"rmkit.{context.module}.")]
        if len(mine or found) == 1:
            return (mine or found)[0]
    if name in older_fields():
        return field_anchor(name)
    return f"older-{name.lower()}" if name in rmkit._elsewhere else None


@cache
def parameter_names() -> frozenset:
    return frozenset(row.name for entry in entries().values() if entry.kind in ("function", "method")
                     for row in entry.parameters)


def is_only_a_field(name: str) -> bool:
    "Whether a plain word means nothing in the package but a field of the config."
    return name not in sources() and name not in parameter_names()


def own_address(address: str) -> str | None:
    "The entry that an address leads to; None for a private name."
    address = older_addresses().get(address, address)
    return address if address in entries() or address.removeprefix("rmkit.") in sources() else None


def dotted(names: list, text: str, context: Context) -> str | None:
    "What a dotted name means."
    first = names[0]
    if first == "rmkit":
        return package_name(names, text)
    owner = context.imported.get(first) or (by_name_of_class(first) if first[0].isupper() else None)
    owner = owner or (f"rmkit.scoring.{INSTANCES[first]}" if first == "rm" else by_name_of_class(INSTANCES.get(first)))
    if owner and own_address(owner):
        return member(own_address(owner), names[1:], text)
    if first in sources():
        return own_address(f"rmkit.{'.'.join(names[:2])}") or loose(first, names[1:], context, text)
    if first in ("model", "config", "scores"):
        kind = dict(model="RewardModel", config="RewardConfig", scores="PairScores")[first]
        return own_address(f"{by_name_of_class(kind)}.{names[1]}")
    return None


def loose(first: str, rest: list, context: Context, text: str):
    "A name that may be a variable, or a file, as well as a module."
    if first not in context.words and not is_known(rest[-1], context):
        raise Stale(text)


def by_name_of_class(name: str | None) -> str | None:
    "The address of a class by its bare name."
    return next((address for address in by_name().get(name, []) if entries()[address].kind == "class"), None)


def package_name(names: list, text: str) -> str | None:
    "What `rmkit.a.b.c` is; `Stale` where there is no such name."
    if len(names) == 1:
        return "/reference/index.md"
    for size in range(len(names), 1, -1):
        address = own_address(".".join(names[:size]))
        if address in entries():
            return member(address, names[size:], text)
        if address and size == len(names):
            return address
    module = sources().get(names[1])
    last = names[-1]
    is_private = last.startswith("_") and (module.text if module else init_text()).find(last) >= 0
    if is_private or names[1:] == ["static"] or (module and last in rmkit._elsewhere):
        return None
    raise Stale(text)


@cache
def init_text() -> str:
    return (ROOT / "rmkit" / "__init__.py").read_text(encoding="utf-8")


def member(address: str, rest: list, text: str) -> str | None:
    "What a name behind an entry is: its member's entry, None for an inherited one or an attribute of an instance."
    if not rest:
        return address
    if own_address(f"{address}.{rest[0]}"):
        return f"{address}.{rest[0]}"
    entry = entries().get(address)
    if entry is None or entry.kind != "class":
        if entry is None:
            raise Stale(text)
        return address
    if address == "rmkit.config.RewardConfig" and field_anchor(rest[0]):
        return field_anchor(rest[0])
    if not has_attribute(address, rest[0]):
        raise Stale(text)
    return None


@cache
def has_attribute(address: str, name: str) -> bool:
    "Whether a class, or a class that it is made on, has a name or sets it on `self`."
    _, module, kind = address.split(".")
    found = getattr(import_module(f"rmkit.{module}"), kind)
    if hasattr(found, name) or name in getattr(found, "__dataclass_fields__", ()):
        return True
    texts = [source.text for source in sources().values()] + [getsource(each) for each in getmro(found)
                                                              if each.__module__.startswith(("transformers", "pandas"))]
    return any(re.search(rf"\bself\.{name}\b *(,.*)?(:.*)?=[^=]", text) for text in texts)


# Expressions --------------------------------------------------------------------------------------------------------

def chain(node) -> list | None:
    "The names of `a.b.c`, None for anything else."
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (before := chain(node.value)):
        return [*before, node.attr]
    return None


def target_of_names(names: list, text: str, context: Context, called=False) -> str | None:
    if len(names) > 1:
        return dotted(names, text, context)
    found = bare(names[0], context, called)
    if found is None and (called or looks_ours(names[0])) and not is_known(names[0], context):
        raise Stale(text)
    return found


def check_arguments(target: str, call: ast.Call, text: str):
    "`Stale` for an argument that the function hasn't."
    given = [each.arg for each in call.keywords if each.arg]
    entry = entries().get(target)
    if target == "rmkit.config.RewardConfig":
        known = {*fields_of_config(), *older_fields()}
    elif entry is None or entry.constructor is None and not entry.is_record or any(
            row.name.startswith("**") for row in entry.parameters):
        return
    else:
        known = {row.name for row in entry.parameters}
    if wrong := [name for name in given if name not in known]:
        raise Stale(f"{wrong[0]}")


def target_of_call(call: ast.Call, text: str, context: Context) -> str | None:
    names = chain(call.func)
    if names is None:
        return None
    found = target_of_names(names, text, context, called=True)
    if found:
        check_arguments(found, call, text)
    return found


def target_of_expression(node, text: str, context: Context) -> str | None:
    if chain(node):
        return target_of_names(chain(node), text, context)
    if isinstance(node, ast.Call):
        return target_of_call(node, text, context)
    if isinstance(node, (ast.BinOp, ast.Subscript, ast.Tuple)):  # a type, perhaps
        parts = [part for part in ast.walk(node) if isinstance(part, ast.Name) and part.id[:1].isupper()]
        found = [target_of_names([part.id], text, context) for part in parts]
        return next(filter(None, found), None)
    return None


def target_of_keywords(text: str, context: Context) -> str | None:
    "What `max_length=512` means: a field of the config, if there is one of that name."
    for name in re.findall(r"(?:^|, *)(\w+)=", text):
        if f"rmkit.{context.module}.{name}" not in entries() and field_anchor(name):
            return field_anchor(name)
        if looks_ours(name) and not is_known(name, context):
            raise Stale(name)
    return None


def target_of_statement(text: str, context: Context) -> str | None:
    "What is assigned, or imported."
    try:
        statement = ast.parse(text).body[0]
    except (SyntaxError, IndexError):
        return None
    if isinstance(statement, (ast.Assign, ast.AugAssign)):
        target = getattr(statement, "targets", [getattr(statement, "target", None)])[0]
        return target_of_expression(target, text, context) if chain(target) and len(chain(target)) > 1 else None
    found = [package_name(address.split("."), address) for address in imports_of(statement, None).values()]
    return next(filter(None, found), None)


def target_of_command(text: str, context: Context) -> str | None:
    "What a command line of rmkit means: its only option, or the command."
    words = text.split()[1:]
    if "|" in words or not words:
        return "/reference/cli.md"
    name = words[0]
    if name.startswith("-") or not re.fullmatch(r"\w+", name):
        return "/reference/cli.md"
    if name not in commands():
        raise Stale(text)
    given = [word.partition("=")[0] for word in words[1:] if word.startswith("--")]
    for option in given:
        if option != "--help" and not option_anchor(name, option):
            raise Stale(option)
    only = option_anchor(name, given[0]) if len(given) == 1 else None
    return only or f"rmkit-{name}"


def target_of_option(text: str, context: Context) -> str | None:
    "What an option means by itself: that of the first command that has it."
    option = re.match(r"--[\w-]+", text)[0]
    for name in commands():
        if anchor := option_anchor(name, option):
            return anchor
    if option in ("--help", "--version"):
        return None
    if re.search(rf"{option}\b", house_text()) or option.strip("-") in context.words:
        return None
    raise Stale(text)


def target_of(text: str, context: Context) -> str | None:
    "The target of a link, as Markdown has it."
    text = " ".join(text.split())
    found = meaning(text, context)
    return found and (found if found.startswith("/") else f"#{found}")


def meaning(text: str, context: Context) -> str | None:
    if re.match(r"rmkit( |$)", text) and " " in text:
        return target_of_command(text, context)
    if re.match(r"--\w", text):
        return target_of_option(text, context)
    if FILE.fullmatch(text) and not text.startswith("rmkit."):
        return None
    if re.match(r"\w+=", text) and not text.startswith("rmkit"):
        return target_of_keywords(text, context)
    try:
        return target_of_expression(ast.parse(text, mode="eval").body, text, context)
    except SyntaxError:
        pass
    if found := target_of_statement(text, context):
        return found
    inner = [package_name(name.split("."), name) for name in re.findall(r"(?<![\w/.-])rmkit(?:\.\w+)+", text)]
    return next(filter(None, inner), None)
