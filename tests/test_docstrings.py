"""The documentation of everything public is complete: what goes in and comes out, in which shape and unit, what is
raised and when, and where a formula comes from. All of it is read from the source."""
import ast
import re
from functools import lru_cache
from typing import NamedTuple

import pytest
from chapters import DEFINITIONS, ROOT
from transformers import TrainerCallback

FUNCTIONS = DEFINITIONS[:2]
MODULES = sorted(path.stem for path in (ROOT / "rmkit").glob("*.py") if not path.stem.startswith("_"))
ARRAY = re.compile(r"\b(Tensor|ndarray)\b")
SHAPED_NAME = re.compile(r"_(B|N|G|L|T|BL|BT|B2|N2|BN|NL|NT)$")  # the house's ending for what has a shape
SHAPE = re.compile(r"\((\w+,|(\w+|\.\.\.)(, ?(\w+|\.\.\.|[\w* +]+))+)\)|\bscalar\b|any shape|same shape")
NUMBER = re.compile(r"^(int|float)( \| (int|float|None))*$")
NO_QUANTITY = re.compile(r"(^|_)(seed|index|row|id|place|step|position|port|version|number|key|rank|level)$")
UNITS = re.compile(
    r"\b(seconds?|minutes?|bytes|GiB|MiB|tokens?|ids|pairs?|rows?|prompts?|responses?|answers?|texts?|turns?|"
    r"sentences?|words?|characters?|lines?|pixels?|inches|points|steps?|epochs?|passes|batch(es)?|bins?|resamples|trials|"
    r"draws|parameters|units?|layers|processes|samples?|votes|people|times|files|labels|columns|cells|examples|evaluations|"
    r"probability|chance|share|fraction|percent|ratio|accuracy|coverage|nats|rewards?|weight|exponent|degrees|"
    r"multiple of|factor)\b|\[0, |%|\bin \(")
EVENTS = {name for name in vars(TrainerCallback) if name.startswith("on_")}
EXAMPLE = re.compile(r"rmkit \w+")  # of a command, in the text of its --help
TELLS = re.compile(  # how a docstring begins that says what comes back; one that begins with a verb says what is done
    r"(An?|The|All|Each|Every|Its|No|Both|How|Whether|What|Which|Why|Where|When|Who|None|True|Names?|Those|"
    r"Minus|Pairs|Rows|Labelled|Accuracy|Mean)\b|[`(\[{\d]", re.I)
GIVES = re.compile(r"\b(returns?|gives?|yields?)\b", re.I)


class Entry(NamedTuple):
    "One public function, class, method or property."
    name: str
    node: ast.AST
    owner: ast.ClassDef | None = None


# Reading the source -------------------------------------------------------------------------------------------------

class Module:
    "What a module holds, by name."

    def __init__(self, name, source=None):
        self.path = f"rmkit/{name}.py"
        source = (ROOT / self.path).read_text(encoding="utf-8") if source is None else source
        self.lines = source.splitlines()
        self.body = ast.parse(source).body
        self.public = next((ast.literal_eval(node.value) for node in self.body if isinstance(node, ast.Assign)
                            and ast.unparse(node.targets[0]) == "__all__"), [])
        self.private = {node.name: node for node in self.body if isinstance(node, FUNCTIONS)
                        and node.name.startswith("_") and not patched_into(node)}
        self.private_methods = {each.name: each for node in self.body for each in getattr(node, "body", [])
                                if isinstance(node, ast.ClassDef) and isinstance(each, FUNCTIONS)
                                and each.name.startswith("_") and not each.name.startswith("__")}
        self.private_methods |= {node.name: node for node in self.body if patched_into(node)
                                 and node.name.startswith("_")}

    def entries(self):
        "All that is public here, patched methods under their class."
        for node in self.body:
            if owner := patched_into(node):
                if not node.name.startswith("_") and not is_setter(node):
                    yield Entry(f"{owner}.{node.name}", node)
            elif isinstance(node, DEFINITIONS) and node.name in self.public:
                yield Entry(node.name, node)
                if isinstance(node, ast.ClassDef):
                    yield from (Entry(f"{node.name}.{each.name}", each, node) for each in node.body
                                if isinstance(each, FUNCTIONS) and not each.name.startswith("_")
                                and not is_setter(each))

    def comment(self, node, own_line=True):
        "The comment at the end of the line where a node ends; \"\" where another parameter shares the line."
        line = self.lines[node.end_lineno - 1]
        rest = line.encode()[node.end_col_offset:].decode()
        found = re.search(r"^[^#]*#\s*(.*)$", rest)
        return found[1] if found else ""


def decorators(node):
    "The last names of what decorates a function or class."
    return [ast.unparse(each.func if isinstance(each, ast.Call) else each).split(".")[-1]
            for each in node.decorator_list]


def patched_into(node):
    "The class that a function is patched into, None for others."
    if isinstance(node, FUNCTIONS) and "patch" in decorators(node):
        return ast.unparse(node.args.args[0].annotation)


def is_property(node):
    "Whether a function is a property, written or patched."
    return any("as_prop" in ast.unparse(each) or ast.unparse(each).endswith("property") for each in node.decorator_list)


def is_setter(node):
    return "setter" in decorators(node)


def docstring(node):
    return ast.get_docstring(node) or ""


# Parameters and what comes back -------------------------------------------------------------------------------------

class Parameter(NamedTuple):
    name: str
    annotation: str
    comment: str


def arguments(module, function, is_method):
    "The parameters of a function, each with its comment; `*args` and `**kwargs` only where they have one."
    args = function.args
    named = [*args.posonlyargs, *args.args][is_method:] + args.kwonlyargs
    defaults = [None] * (len(args.posonlyargs + args.args) - len(args.defaults)) + args.defaults
    last = dict(zip([*args.posonlyargs, *args.args], defaults)) | dict(zip(args.kwonlyargs, args.kw_defaults))
    for each in named:
        comment = module.comment(last[each] or each)
        shares = any(other is not each and (last[other] or other).end_lineno == (last[each] or each).end_lineno
                     and (other.lineno, other.col_offset) > (each.lineno, each.col_offset) for other in named)
        yield Parameter(each.arg, ast.unparse(each.annotation) if each.annotation else "", "" if shares else comment)


def fields(module, cls):
    "The fields of a dataclass or a named tuple, each with its comment or help text."
    for node in cls.body:
        if isinstance(node, ast.AnnAssign) and not node.target.id.startswith("_"):
            texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)
                     and isinstance(each.value, str)]
            helped = " ".join(texts) if re.search(r"option\(|_knob\(|help=", ast.unparse(node)) else ""
            yield Parameter(node.target.id, ast.unparse(node.annotation), module.comment(node) or helped)


def parameters(module, entry):
    "The parameters of a function, of a class's `__init__`, or the fields of a class without one."
    if not isinstance(entry.node, ast.ClassDef):
        is_static = "staticmethod" in decorators(entry.node)
        is_method = (entry.owner is not None or patched_into(entry.node) is not None) and not is_static
        return list(arguments(module, entry.node, is_method))
    init = next((each for each in entry.node.body if getattr(each, "name", "") == "__init__"), None)
    return list(arguments(module, init, True) if init else fields(module, entry.node))


def returned(module, function):
    "The annotation of what a function gives back and its comment."
    if not function.returns:
        return "", ""
    return ast.unparse(function.returns), module.comment(function.returns)


def own_parts(function):
    "The nodes of a function, those of functions within it left out."
    waiting = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*DEFINITIONS, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def gives_something(function):
    "Whether a function returns or yields a value."
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) or isinstance(node, ast.Return) and node.value
               and not ast.unparse(node.value).startswith(("None", "logger."))
               for node in own_parts(function))


# Errors -------------------------------------------------------------------------------------------------------------

def raised(module, node, seen=()):
    "The exceptions that a function raises, by itself or by a private helper of the module; those it catches left out."
    caught = set()
    if isinstance(node, ast.Try):
        caught = {name for each in node.handlers
                  for name in re.findall(r"\w+", ast.unparse(each.type or ast.Name("Exception")))}
    found = set()
    if isinstance(node, ast.Raise) and node.exc is not None:
        name = ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc).split(".")[-1]
        if name[:1].isupper():
            found.add(name)
    if isinstance(node, ast.Call):
        helper = (module.private.get(node.func.id) if isinstance(node.func, ast.Name) else
                  module.private_methods.get(node.func.attr) if isinstance(node.func, ast.Attribute)
                  and ast.unparse(node.func.value) in ("self", "cls") else None)
        if helper and helper.name not in seen:
            found |= set().union(*(raised(module, each, (*seen, helper.name)) for each in helper.body))
    if isinstance(node, ast.Try):
        inside = set().union(*(raised(module, each, seen) for each in node.body))
        found |= {name for name in inside if not caught & {name, "Exception", "BaseException"}}
        rest = [*node.handlers, *node.orelse, *node.finalbody]
    else:
        rest = ast.iter_child_nodes(node)
    for each in rest:
        if not isinstance(each, (*DEFINITIONS, ast.Lambda)):
            found |= raised(module, each, seen)
    return found


def raised_by(module, entry):
    "What an entry raises; of a class, its `__init__` and `__post_init__`."
    nodes = [entry.node]
    if isinstance(entry.node, ast.ClassDef):
        nodes = [each for each in entry.node.body if getattr(each, "name", "") in ("__init__", "__post_init__")]
    return set().union(*(raised(module, each) for node in nodes for each in node.body))


# The rules ----------------------------------------------------------------------------------------------------------

def text_of(module, entry):
    "All that an entry says: docstring and comments."
    text = [docstring(entry.node), *(each.comment for each in parameters(module, entry))]
    if isinstance(entry.node, ast.ClassDef):
        text += [docstring(each) for each in entry.node.body if getattr(each, "name", "").startswith("__")]
    else:
        text.append(returned(module, entry.node)[1])
    return "\n".join(text)


def is_event(entry):
    "Whether a method is a `TrainerCallback`'s: what it takes and gives is settled there."
    return entry.name.split(".")[-1] in EVENTS


def faults_of_parameters(module, entry):
    for name, annotation, comment in parameters(module, entry):
        if not comment:
            yield f"no comment on `{name}`"
        elif (ARRAY.search(annotation) or SHAPED_NAME.search(name)) and not SHAPE.search(comment):
            yield f"no shape of `{name}`: {comment}"
        elif NUMBER.match(annotation) and not NO_QUANTITY.search(name) and not UNITS.search(comment):
            yield f"no unit of `{name}`: {comment}"


def faults_of_return(module, entry):
    annotation, comment = returned(module, entry.node)
    doc = docstring(entry.node)
    gives = annotation not in ("", "None") or not annotation and gives_something(entry.node)
    if gives and not is_property(entry.node) and not (comment or TELLS.match(doc) or GIVES.search(doc)):
        yield f"what comes back isn't told: {doc.splitlines()[0] if doc else ''}"
    if ARRAY.search(annotation) and not SHAPE.search(comment + doc):
        yield f"no shape of what comes back: {comment}"
    if NUMBER.match(annotation) and not NO_QUANTITY.search(entry.node.name) and not UNITS.search(comment + " " + doc):
        yield f"no unit of what comes back: {doc}"


def faults(module, entry):
    "What an entry's documentation lacks."
    paragraphs = docstring(entry.node).split("\n\n")
    told = [each for each in paragraphs if not EXAMPLE.match(each)]
    if not all(each.rstrip().endswith((".", ".)")) for each in told):
        yield "no docstring that ends in a full stop" if paragraphs[0] else "no docstring"
    if not is_event(entry):
        yield from faults_of_parameters(module, entry)
        if not isinstance(entry.node, ast.ClassDef):
            yield from faults_of_return(module, entry)
    text = text_of(module, entry)
    for name in sorted(raised_by(module, entry)):
        if name not in text:
            yield f"doesn't say when it raises {name}"


@lru_cache
def read(name):
    return Module(name)


@pytest.mark.parametrize("name", MODULES)
def test_all_that_is_public_is_explained(name):
    module = read(name)
    missing = [f"{module.path}:{entry.node.lineno} {entry.name}: {fault}" for entry in module.entries()
               for fault in faults(module, entry)]
    assert not missing, f"{len(missing)} gaps\n" + "\n".join(missing)
