"""What a name of rmkit means, bare or dotted: the address of its entry.

What a page's own code says comes first. `Stale` is raised for a name that looks like one of rmkit and is none."""
import ast
import builtins
import re
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import getmro, getsource

import rmkit
from chapters import ROOT
from contexts import Context, is_known, looks_ours, module_words
from options_reference import fields_of_config, older_anchor, older_fields
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
    return chosen or (older_anchor(name) if is_older else None)


def plain(name: str, context: Context) -> str | None:
    "What a plain word means: a method of the page's module, or what alone in the package is called so; often nothing."
    if context.about_house and name in sources():
        return f"rmkit.{name}"
    if context.module == "config" and field_anchor(name):
        return field_anchor(name)
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
