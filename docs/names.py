"""What a text in backticks means: the place of its entry in the reference, or nothing of ours.

`target_of` gives the target of a link; None where the text is no name of rmkit; it raises `Stale` where the text looks
like one and isn't. An expression is read as Python, a command as `rmkit --help` has it."""
import ast
import builtins
import re
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import getmro, getsource

import rmkit
from chapters import ROOT
from contexts import Context, imports_of, is_known, looks_ours, module_words, notebooks_by_page
from options_reference import commands, fields_of_config, older_fields, option_anchor, shown
from symbols import entries, sources

INSTANCES = {  # what a variable of that name is on every page
    "trainer": "rmkit.trainer.RewardTrainer",
    "viz": "rmkit.visualizer.RewardVisualizer",
    "rm": "rmkit.scoring.RewardModel",
    "snapshots": "rmkit.snapshots.Snapshots",
}
PERHAPS = {  # what it may be, or an object of another library
    "model": "rmkit.scoring.RewardModel",
    "config": "rmkit.config.RewardConfig",
    "scores": "rmkit.table.PairScores",
}
FILE = re.compile(r".*\.(py|pyi|js|css|html|md|ipynb|jsonl?|ya?ml|csv|tsv|parquet|arrow|ini|toml|cff|txt|safetensors|"
                  r"jinja|typed|png|svg|sh|whl|gz)")


class Stale(Exception):
    "A text looks like a name of rmkit and is none; `nearest`: names that exist."

    def __init__(self, name: str, known=()):
        super().__init__(name)
        last = name.rpartition(".")[2]
        known = list(known) or [*by_name(), *fields_of_config()]
        self.nearest = get_close_matches(last, known, 3, 0.6)


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


def bare(name: str, context: Context, called: bool) -> str | None:
    "What a bare name means on a page."
    here = f"rmkit.{context.module}.{name}"
    if here in entries():
        return here
    if name in context.imported:
        return own_address(context.imported[name])
    is_spelt = called or bool(re.search(r"_|^[A-Z]\w", name))  # as a name, and not as a word
    return found_by_spelling(name, context, called) if is_spelt else plain(name, context)


def found_by_spelling(name: str, context: Context, called: bool) -> str | None:
    "What a name means that is no plain word: what alone in the package is called so, or a field of the config."
    found = [address for address in by_name().get(name, []) if not called or is_callable(address)]
    tops = [address for address in found if is_top(address)]
    mine = [address for address in found if address.startswith(f"rmkit.{context.module}.")]
    methods = [address for address in found if entries()[address].kind in ("method", "property")]
    if f"rmkit.{name}" in older_addresses():
        return older_addresses()[f"rmkit.{name}"]
    if not tops and not called and field_anchor(name):
        return field_anchor(name)
    chosen = next((some for some in (tops, mine, methods) if len(some) == 1), [None])[0]
    is_older = name in rmkit._elsewhere and name not in module_words()  # a tokenizer has an `apply_chat_template`, too
    return chosen or (f"older-{name.lower()}" if is_older else None)


def plain(name: str, context: Context) -> str | None:
    "What a plain word means: a method of the page's module, or what alone in the package is called so; often nothing."
    if context.about_house and name in sources():
        return f"rmkit.{name}"
    found = by_name().get(name, [])
    mine = [address for address in found if address.startswith(f"rmkit.{context.module}.")]
    for some in (mine, found if name not in constants() else []):
        if len(some) == 1 and is_callable(some[0]) and not is_ambiguous(name, context):
            return some[0]
    return field_anchor(name) if not found and not is_ambiguous(name, context) else None


@cache
def constants() -> frozenset:
    "The texts that the package's code holds whole, as names of columns."
    return frozenset(node.value for source in sources().values() for statement in source.tree.body
                     if not ast.unparse(statement).startswith("__all__") for node in ast.walk(statement)
                     if isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_ambiguous(name: str, context: Context) -> bool:
    "Whether a plain word is also something else: a parameter, a module, a built-in function, a word of other programs."
    return (name in parameter_names() or name in sources() or hasattr(builtins, name)
            or bool(context.options) and name in context.words)


def is_callable(address: str) -> bool:
    return entries()[address].kind in ("function", "method", "class")


@cache
def parameter_names() -> frozenset:
    return frozenset(row.name for entry in entries().values() if entry.kind in ("function", "method")
                     for row in entry.parameters)


def own_address(address: str) -> str | None:
    "The entry that an address leads to; None for a private name."
    address = older_addresses().get(address, address)
    return address if address in entries() or address.removeprefix("rmkit.") in sources() else None


def class_address(name: str) -> str | None:
    "The address of a class by its bare name."
    return next((address for address in by_name().get(name, []) if entries()[address].kind == "class"), None)


def dotted(names: list, context: Context) -> str | None:
    "What a dotted name means."
    first, second = names[:2]
    if first == "rmkit":
        return package_name(names)
    if found := own_address(f"rmkit.{first}.{second}"):
        return member(found, names[2:])
    owner = own_address(context.imported.get(first, "")) or class_address(first) or INSTANCES.get(first)
    if owner:
        return member(owner, names[1:])
    if looks_ours(first) and not is_known(first, context):
        raise Stale(first)
    if first in sources() and first not in context.words and not is_known(names[-1], context):
        raise Stale(".".join(names))
    return own_address(f"{PERHAPS[first]}.{second}") if first in PERHAPS else None


def package_name(names: list) -> str | None:
    "What `rmkit.a.b.c` is, None for a private name; `Stale` where there is none."
    if len(names) == 1:
        return "/reference/index.md"
    for size in range(2, min(len(names), 3) + 1):
        address = own_address(".".join(names[:size]))
        if address and (size == len(names) or address in entries()):
            return member(address, names[size:])
    private = next((name for name in names if name.startswith("_")), None)
    if private and any(re.search(rf"\b{private}\b", text) for text in package_texts()):
        return None
    raise Stale(".".join(names))


@cache
def package_texts() -> list:
    return [path.read_text(encoding="utf-8") for path in ROOT.glob("rmkit/*.py")]


def member(address: str, rest: list) -> str | None:
    "What a name behind an entry is: its member's entry, None for an inherited one or an attribute of an instance."
    entry = entries().get(address)
    if not rest or entry is None or entry.kind != "class":
        return address
    if f"{address}.{rest[0]}" in entries():
        return f"{address}.{rest[0]}"
    if address == "rmkit.config.RewardConfig" and field_anchor(rest[0]):
        return field_anchor(rest[0])
    if not has_attribute(address, rest[0]):
        raise Stale(f"{entry.name}.{rest[0]}", [each.name.rpartition(".")[2] for each in entry.members])
    return None


@cache
def has_attribute(address: str, name: str) -> bool:
    "Whether a class, or a class that it is made on, has a name or sets it on `self`."
    _, module, kind = address.split(".")
    found = getattr(import_module(f"rmkit.{module}"), kind)
    if hasattr(found, name) or name in getattr(found, "__dataclass_fields__", ()):
        return True
    above = [each for each in getmro(found) if each.__module__.startswith(("transformers", "pandas"))]
    texts = [*package_texts(), *map(getsource, above)]
    return any(re.search(rf"\bself\.{name}\b *(,.*)?(:.*)?=[^=]", text) for text in texts)


# Expressions --------------------------------------------------------------------------------------------------------

def chain(node) -> list | None:
    "The names of `a.b.c`, None for anything else."
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (before := chain(node.value)):
        return [*before, node.attr]
    return None


def target_of_names(names: list, context: Context, called: bool = False) -> str | None:
    if len(names) > 1:
        return dotted(names, context)
    found = bare(names[0], context, called)
    if found is None and (called or looks_ours(names[0])) and not is_known(names[0], context):
        raise Stale(names[0])
    return found


def check_arguments(target: str, call: ast.Call):
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
        raise Stale(wrong[0], known)


def target_of_call(call: ast.Call, context: Context) -> str | None:
    names = chain(call.func)
    if names is None:
        return None
    found = target_of_names(names, context, called=True)
    if found:
        check_arguments(found, call)
    return found


def target_of_expression(node, context: Context) -> str | None:
    if chain(node):
        return target_of_names(chain(node), context)
    if isinstance(node, ast.Call):
        return target_of_call(node, context)
    if isinstance(node, (ast.BinOp, ast.Subscript, ast.Tuple)):  # a type, perhaps
        parts = [part for part in ast.walk(node) if isinstance(part, ast.Name) and part.id[:1].isupper()]
        found = [target_of_names([part.id], context) for part in parts]
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
        return target_of_names(chain(target), context) if chain(target) and len(chain(target)) > 1 else None
    found = [package_name(address.split(".")) for address in imports_of(statement).values()]
    return next(filter(None, found), None)


def target_of_command(text: str) -> str | None:
    "What a command line of rmkit means: its only option, or the command."
    words = text.split()[1:]
    if "|" in words or not words:
        return "/reference/cli.md"
    name = words[0]
    if name.startswith("-") or not re.fullmatch(r"\w+", name):
        return "/reference/cli.md"
    if name not in commands():
        raise Stale(f"rmkit {name}", [f"rmkit {each}" for each in commands()])
    given = [word.partition("=")[0] for word in words[1:] if word.startswith("--")]
    for option in given:
        if option != "--help" and not option_anchor(name, option):
            raise Stale(option, shown(name))
    only = option_anchor(name, given[0]) if len(given) == 1 else None
    return only or f"rmkit-{name}"


def target_of_option(text: str, context: Context) -> str | None:
    "What an option means by itself: that of the first command that has it, unless the page's own scripts have it."
    option = re.match(r"--[\w-]+", text)[0]
    if option in ("--help", "--version") or option in context.options:
        return None
    for name in commands():
        if anchor := option_anchor(name, option):
            return anchor
    if option.strip("-") in context.words:
        return None
    raise Stale(option, [each for name in commands() for each in shown(name)])


def target_of_chapter(text: str) -> str:
    "What `12_data` means: a notebook, by its number and name."
    names = {path.stem: f"/{page}.ipynb" for page, path in notebooks_by_page().items()}
    if text not in names:
        raise Stale(text, names)
    return names[text]


def target_of(text: str, context: Context) -> str | None:
    "The target of a link, as Markdown has it."
    text = " ".join(text.split()).replace(", ...)", ")")  # further arguments, which Python wouldn't take there
    found = meaning(text, context)
    return found and (found if found.startswith("/") else f"#{found}")


def meaning(text: str, context: Context) -> str | None:
    if text.startswith("rmkit "):
        return target_of_command(text)
    if re.match(r"--\w", text):
        return target_of_option(text, context)
    if re.fullmatch(r"\d\d_\w+", text):
        return target_of_chapter(text)
    if FILE.fullmatch(text) and not text.startswith("rmkit."):
        return None
    if re.match(r"\w+=", text) and not text.startswith("rmkit"):
        return target_of_keywords(text, context)
    try:
        return target_of_expression(ast.parse(text, mode="eval").body, context)
    except SyntaxError:
        pass
    if found := target_of_statement(text, context):
        return found
    inner = [package_name(name.split(".")) for name in re.findall(r"(?<![\w/.-])rmkit(?:\.\w+)+", text)]
    return next(filter(None, inner), None)
