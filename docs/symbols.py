"""What rmkit's modules hold for others, read from their source alone: names, signatures, comments and places.

A method that is patched into a class belongs to it, wherever it is written."""
import ast
import builtins
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

    @cached_property
    def functions(self) -> dict:
        "The functions of the module by name, private ones as well; methods aside."
        return {node.name: node for node in self.tree.body if isinstance(node, FUNCTIONS) and not patch_of(node)}

    @cached_property
    def methods(self) -> dict:
        "The methods that are written in the module, by name."
        written = [each for node in self.tree.body if isinstance(node, ast.ClassDef) for each in node.body
                   if isinstance(each, FUNCTIONS)]
        return {node.name: node for node in (*written, *filter(patch_of, self.tree.body))}

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
        if not isinstance(self.node, FUNCTIONS):
            return "", ""
        annotation, end = self.node.returns, body_line(self.node) - 1
        line = annotation.end_lineno if annotation else end
        is_behind = line <= end and (annotation or self.source.lines[end - 1].startswith((")", "    )")))
        return ast.unparse(annotation) if annotation else "", self.source.comments.get(line, "") if is_behind else ""


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
    found, begins = [], [each.lineno for _, each, _ in rows] + [body_line(node)]
    for (stars, each, default), following in zip(rows, begins[1:]):
        line = (default or each).end_lineno
        beside = source.comments.get(line) or source.comment(each.lineno)
        is_own = line < following and each.lineno != node.lineno
        found.append(Parameter(stars + each.arg, ast.unparse(each.annotation) if each.annotation else "",
                               ast.unparse(default) if default else None, beside if is_own else ""))
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

# Functions that raise nothing in the eyes of whoever calls them, though what they call may
NEVER_RAISE = {
    "_vocabulary",  # makes pairs with settings of its own
    "count_outputs",  # asks for the head only where there is one
}


def caught_by(node) -> set:
    "The names of the exceptions that a `try` or a `with suppress(...)` keeps to itself."
    if isinstance(node, ast.Try):
        kinds = [ast.unparse(each.type) if each.type else "Exception" for each in node.handlers]
    else:
        kinds = [ast.unparse(each.context_expr) for each in getattr(node, "items", [])]
        kinds = [kind for kind in kinds if kind.startswith("suppress")]
    return set(re.findall(r"\w+", " ".join(kinds)))


def kinds_of(error: str) -> list:
    "The name of an exception, and of the more general ones that it is."
    made = getattr(builtins, error, None)
    return [error, *(each.__name__ for each in getattr(made, "__mro__", ()) if each.__name__.endswith("Error"))]


def called_by(source: Source, node) -> ast.AST | None:
    "The function of the module that a call is of, by its name or as a method of `self`; None for any other."
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    own = re.fullmatch(r"(?:self|cls)\.(\w+)", called)
    return source.methods.get(own[1]) if own else source.functions.get(called)


def raised_in(source: Source, nodes: list, seen: tuple = ()) -> set:
    "The names of what is raised in some statements, by themselves or by functions of their module that they call."
    found = set()
    for node in nodes:
        if isinstance(node, ast.Raise) and node.exc:
            found |= {*AN_EXCEPTION.findall(ast.unparse(getattr(node.exc, "func", node.exc)))}
        called = called_by(source, node)
        if called and called.name not in (*seen, *NEVER_RAISE):
            found |= raised_in(source, called.body, (*seen, called.name))
        guarded, caught = node.body if isinstance(node, (ast.Try, ast.With)) else [], caught_by(node)
        found |= {name for name in raised_in(source, guarded, seen)
                  if caught.isdisjoint([*kinds_of(name), "Exception", "BaseException"])}
        found |= raised_in(source, [each for each in ast.iter_child_nodes(node) if each not in guarded
                                    and not isinstance(each, (*DEFINITIONS, ast.Lambda))], seen)
    return found


def raised_by(entry) -> list:
    "The names of what a function raises, or the construction of a class."
    if entry.node.name in NEVER_RAISE:
        return []
    parts = [entry.node] if entry.kind != "class" else [
        each for each in entry.node.body if getattr(each, "name", "") in ("__init__", "__post_init__")]
    return sorted(raised_in(entry.source, [statement for part in parts for statement in part.body]))


def errors(entry) -> list:
    "What is said of errors: the clauses of the docstring that name one. A test sees that all are named."
    return [part.strip() for part in re.split(r"[;.:](?:\s+|$)", entry.doc) if AN_EXCEPTION.search(part)]


# Entries ------------------------------------------------------------------------------------------------------------

@cache
def sources() -> dict:
    "The modules of the package by name."
    return {path.stem: Source(path.stem, path.read_text(encoding="utf-8"))
            for path in sorted(PACKAGE.glob("[!_]*.py"))}


@cache
def patches() -> dict:
    "Class -> name, module and node of the public functions that are patched into it, and of what is set on it later."
    found = {}
    for source in sources().values():
        for node in source.tree.body:
            named = [(owner, node.name) for owner in patched_into(node)]
            named += [(target.value.id, target.attr) for target, _ in assigned(node)
                      if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)]
            for owner, name in named:
                if not name.startswith("_"):
                    found.setdefault(owner, []).append((name, source, node))
    return found


def kind_of(node) -> str:
    "What a function in a class, or a value that is set on it, is: a method, a property or an attribute."
    if not isinstance(node, FUNCTIONS):
        return "property" if ast.unparse(node.value).startswith("property(") else "attribute"
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
    for name, other, each in patches().get(node.name, []):
        found[name] = Entry(other, module, f"{node.name}.{name}", kind_of(each), each)
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
