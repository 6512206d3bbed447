"""What rmkit's modules hold for others, read from their source alone: names, signatures, comments and places.

A method that is patched into a class belongs to it, wherever it is written."""
import ast
import io
import re
import tokenize
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module

from chapters import DEFINITIONS, notebooks
from stubs import assigned, decorator, is_public, PACKAGE, patch_of, patched_into

FUNCTIONS = DEFINITIONS[:2]
CELL = re.compile(r"# %% \.\./nbs/(\S+) #(\w+)")
AN_EXCEPTION = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Interrupt)\b")


@dataclass
class Parameter:
    name: str  # with its stars
    type: str
    default: str | None  # None: it must be given
    help: str


@dataclass
class Source:
    "A module's text, and what a parser leaves out of it: comments, and the cells that it came from."
    name: str  # without the package
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list:
        return self.text.splitlines()

    @cached_property
    def comments(self) -> dict:
        "Line -> comment, without its sign."
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}

    @cached_property
    def public(self) -> list:
        return next((ast.literal_eval(node.value) for node in self.tree.body for target, _ in assigned(node)
                     if isinstance(target, ast.Name) and target.id == "__all__"), [])

    def comment(self, line: int) -> str:
        "The comment at the end of a line, or on lines of its own right above."
        if line in self.comments:
            return self.comments[line]
        found = []
        while (line := line - 1) in self.comments and self.lines[line - 1].lstrip().startswith("#"):
            found.insert(0, self.comments[line])
        return " ".join(found) if not any(each.startswith("%%") for each in found) else ""

    def cell(self, line: int) -> tuple:
        "The notebook and the cell that a line came from: `('20_model.ipynb', 'c012')`."
        return next((cell for start, cell in reversed(self.cells) if start < line), ("", ""))

    @cached_property
    def cells(self) -> list:
        return [(at, match.groups()) for at, text in enumerate(self.lines, 1)
                if (match := CELL.fullmatch(text))]


@dataclass
class Entry:
    source: Source  # where it is written, which for a patched method may be another module than its class's
    module: str  # where it is found
    name: str  # in the module: `RewardTrainer.visualize`
    kind: str  # "function", "class", "method", "property", "attribute", "data"
    node: ast.AST
    members: list = field(default_factory=list)  # of a class

    @property
    def address(self) -> str:
        return f"rmkit.{self.module}.{self.name}"

    @property
    def decorators(self) -> set:
        return set(map(decorator, getattr(self.node, "decorator_list", [])))

    @property
    def is_record(self) -> bool:
        "Whether the fields of a class make its constructor."
        bases = {ast.unparse(base) for base in getattr(self.node, "bases", [])}
        return self.kind == "class" and ("dataclass" in self.decorators or "NamedTuple" in bases)

    @cached_property
    def doc(self) -> str:
        if isinstance(self.node, DEFINITIONS):
            return ast.get_docstring(self.node) or ""
        return self.source.comment(self.node.lineno)

    @cached_property
    def constructor(self):
        "What takes the parameters: a function itself, of a class its `__init__`, None where fields make it."
        if self.kind != "class":
            return self.node if isinstance(self.node, FUNCTIONS) else None
        return next((each for each in self.node.body if isinstance(each, FUNCTIONS) and each.name == "__init__"), None)

    @cached_property
    def parameters(self) -> list:
        if self.is_record:
            return [parameter_of(self.source, each) for each in self.members if each.kind == "attribute"]
        is_bound = "." in self.name and "staticmethod" not in self.decorators or self.kind == "class"
        return parameters(self.source, self.constructor)[is_bound:] if self.constructor else []

    @property
    def returns(self) -> tuple:
        "Type and comment of what a function gives back."
        if self.kind == "class" or not self.node.returns:
            return "", ""
        line = self.node.returns.end_lineno
        return ast.unparse(self.node.returns), self.source.comments.get(line, "") if line < body_line(self.node) else ""


# Parameters ---------------------------------------------------------------------------------------------------------

def body_line(node) -> int:
    return node.body[0].lineno


def parameters(source: Source, node) -> list:
    "The parameters of a function, `self` too, each with the comment beside it or above."
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + arguments.defaults
    rows = [("", each, default) for each, default in zip(plain, defaults)]
    rows += [("*", arguments.vararg, None)] * bool(arguments.vararg)
    rows += [("", each, default) for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults)]
    rows += [("**", arguments.kwarg, None)] * bool(arguments.kwarg)
    found = []
    for stars, each, default in rows:
        line = (default or each).end_lineno
        beside = source.comments.get(line) or source.comment(each.lineno)
        found.append(Parameter(stars + each.arg, ast.unparse(each.annotation) if each.annotation else "",
                               ast.unparse(default) if default else None,
                               beside if line < body_line(node) and each.lineno != node.lineno else ""))
    return found


def parameter_of(source: Source, member: Entry) -> Parameter:
    "A field of a record as a parameter of its constructor."
    node = member.node
    default, help = node.value and ast.unparse(node.value), member.doc
    if isinstance(node.value, ast.Call) and (decorator(node.value) == "option" or "metadata=" in default):
        metadata, default = field_of(member).metadata, repr(field_of(member).default)
        help, default = metadata["help"], None if metadata.get("required") else default
    return Parameter(node.target.id, ast.unparse(node.annotation), default, help)


def field_of(member: Entry):
    "The dataclass field itself, whose help text may be put together."
    owner, _, name = member.name.partition(".")
    return getattr(import_module(f"rmkit.{member.module}"), owner).__dataclass_fields__[name]


# Errors -------------------------------------------------------------------------------------------------------------

def raised_in(node, helpers: dict, seen=()) -> list:
    "Exceptions that a function raises, or one of its module's private functions that it calls, in order."
    found = []
    for part in ast.walk(node):
        if isinstance(part, ast.Raise) and part.exc:
            found += AN_EXCEPTION.findall(ast.unparse(part.exc).partition("(")[0])
            if isinstance(part.exc, ast.IfExp):
                found += AN_EXCEPTION.findall(ast.unparse(part.exc))
        called = part.func.id if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) else None
        if called in helpers and called not in seen:
            found += raised_in(helpers[called], helpers, (*seen, called))
    return list(dict.fromkeys(found))


def errors(entry: Entry) -> list:
    "What is said of errors: the clauses of the docstring that name one, then the names that the source alone tells."
    clauses = [part.strip() for part in re.split(r"[;.:](?:\s+|$)", entry.doc) if AN_EXCEPTION.search(part)]
    told = set(AN_EXCEPTION.findall(entry.doc))
    if entry.constructor is None:
        return clauses
    helpers = {node.name: node for node in entry.source.tree.body
               if isinstance(node, FUNCTIONS) and not is_public(node.name)}
    return clauses + [f"`{name}`" for name in raised_in(entry.constructor, helpers) if name not in told]


# Entries ------------------------------------------------------------------------------------------------------------

@cache
def sources() -> dict:
    "The modules of the package by name."
    return {path.stem: Source(path.stem, path.read_text(encoding="utf-8"))
            for path in sorted(PACKAGE.glob("[!_]*.py"))}


@cache
def patches() -> dict:
    "Class -> the public functions that are patched into it, each with the module where it is written."
    found = {}
    for source in sources().values():
        for node in source.tree.body:
            for owner in patched_into(node):
                found.setdefault(owner, []).extend([(source, node)] * (not node.name.startswith("_")))
    return found


def kind_of(node) -> str:
    "What a function in a class is: a method or a property."
    patch = patch_of(node)
    options = {each.arg for each in patch.keywords} if isinstance(patch, ast.Call) else set()
    names = set(map(decorator, node.decorator_list))
    return "property" if "as_prop" in options or names & {"property", "cached_property"} else "method"


def is_class_method(node) -> bool:
    patch = patch_of(node)
    return "classmethod" in map(decorator, node.decorator_list) or isinstance(patch, ast.Call) and any(
        each.arg == "cls_method" for each in patch.keywords)


def members_of(node, source: Source, module: str) -> list:
    "The public fields, methods and properties that are written in a class, and those that are patched into it."
    found = {}
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and is_public(each.target.id):
            found[each.target.id] = Entry(source, module, f"{node.name}.{each.target.id}", "attribute", each)
        elif isinstance(each, FUNCTIONS) and not each.name.startswith("_") and "setter" not in map(
                decorator, each.decorator_list):
            found[each.name] = Entry(source, module, f"{node.name}.{each.name}", kind_of(each), each)
    for other, each in patches().get(node.name, []):
        found[each.name] = Entry(other, module, f"{node.name}.{each.name}", kind_of(each), each)
    return list(found.values())


@cache
def entries_of(name: str) -> list:
    "The public names of a module in the order in which it defines them."
    source, found = sources()[name], {}
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef):
            members = members_of(node, source, source.name)
            found[node.name] = Entry(source, source.name, node.name, "class", node, members)
        elif isinstance(node, FUNCTIONS) and not patch_of(node):
            found[node.name] = Entry(source, source.name, node.name, "function", node)
        for target, _ in assigned(node):
            if isinstance(target, ast.Name):
                found.setdefault(target.id, Entry(source, source.name, target.id, "data", node))
    return [entry for name, entry in found.items() if name in source.public]


@cache
def entries() -> dict:
    "All public names by address, members after their class."
    found = [each for name in sources() for entry in entries_of(name) for each in (entry, *entry.members)]
    return {entry.address: entry for entry in found}


@cache
def chapter_paths() -> dict:
    "Name of a notebook's file -> its path."
    return {path.name: path for path in notebooks()}
