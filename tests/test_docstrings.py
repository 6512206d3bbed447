"""Everything public is explained: what goes in and comes out, in which shape and unit, what is raised and when, and
where a formula comes from. Public is what `__all__` of a module names, and the methods of its classes, patched ones as
well. All of it is read from the source, where comments are."""
import ast
import builtins
import re
from functools import lru_cache
from typing import NamedTuple

import pytest
from chapters import DEFINITIONS, ROOT
from stubs import decorator, is_public, patch_of, patched_into
from transformers import TrainerCallback

FUNCTIONS = DEFINITIONS[:2]
MODULES = sorted(path.stem for path in (ROOT / "rmkit").glob("*.py") if not path.stem.startswith("_"))

# What a comment on an array has to say, by its annotation or by the house's ending of names (`r_B`, `query_NHD`)
ARRAY = re.compile(r"\b(Tensor|ndarray)\b")
SHAPED_NAME = re.compile(r"_\d?[A-Z][A-Za-z]{0,3}\d?$")
SIDE = r"[\w+*'.]+( or \w+)?"
SHAPE = re.compile(rf"\({SIDE}(,|(, {SIDE})+)\)|\bscalar\b|(any|same) shape")

# What a comment on a number has to say, unless its name tells that it measures nothing
NUMBER = re.compile(r"(int|float)( \| (int|float|None))*")
NO_QUANTITY = re.compile(r"(^|_)(seed|index|row|id|place|step|stacklevel|number|colour|learning_rate)$")
UNITS = """second byte GiB token id pixel inch char character word sentence text turn prompt response answer pair row
entry entries group part stretch batch passes step epoch bin resample point trial output query queries process line
rank reward margin unit probability chance share coverage factor weight multiple status""".split()
UNIT = re.compile(rf"\b({'|'.join(UNITS)})(s|es)?\b", re.I)

EVENTS = {name for name in vars(TrainerCallback) if name.startswith("on_")}  # what they take and give is settled there
COMMAND = re.compile(r"rmkit \w+\b")  # an example in the text of a command's --help
# How a docstring begins that says what comes back; one that begins with a verb says what is done
TOLD = re.compile(r"(An?|The|All|Each|Every|Its|No|Both|How|Whether|What|Which|Why|Where|When|Who|Those|Names|Pairs|"
                  r"Rows|Minus|Mean|Accuracy|Labelled|Tokens|Metrics|Means)\b|[`(\d]|.*\b(returns?|gives?|yields?)\b")
WHEN = r"\W+(\w+ ){0,2}(if|where|when|for|while|unless|without|that|from|of|naming)\b"

# Helpers that raise nothing in the eyes of whoever calls them, though what they call may
NEVER_RAISE = {
    "_vocabulary",  # makes pairs with settings of its own
    "count_outputs",  # asks for the head only where there is one
}

# Where a formula comes from: what its docstring, or a comment in its signature, has to name
SOURCES = {
    "losses.reward_difference": ["Llama 2", "2307.09288", "eq. 2"],
    "losses.bradley_terry_loss": ["Bradley and Terry (1952)", "2203.02155", "eq. 1", "2307.09288", "eq. 2", "cDPO"],
    "losses.hinge_loss": ["Herbrich", "1999"],
    "losses.centering_penalty": ["Eisenstein", "2312.09244", "eq. 2"],
    "losses.preference_loss": ["`bradley_terry_loss`", "`hinge_loss`", "`centering_penalty`"],
    "head.init_head": ["Stiennon", "2009.01325", "reward head"],
    "model.add_lora": ["2106.09685", "2305.14314", "section 3"],
    "metrics.wilson_interval": ["Wilson", "1927"],
    "metrics.accuracy_interval": ["Hesterberg", "1411.5279", "expanded percentile", "`wilson_interval`"],
    "metrics.reliability": ["Guo", "1706.04599", "section 2", "Bradley-Terry"],
    "table.sigmoid": ["Bradley and Terry (1952)"],
    "layout.lay_out": ["Wang and Hegde", "2410.20305"],
    "attention.varlen_attention": ["1706.03762", "eq. 1"],
    "attention.rectangle_attention": ["1706.03762", "eq. 1", "2408.00118", "section 2"],
    "scoring.RewardModel.compare": ["Bradley and Terry (1952)"],
    "snapshots.Snapshots.moves": ["Swayamdipta", "2009.10795", "section 2"],
    "plots.plot_cartography": ["Swayamdipta", "2009.10795", "section 2"],
    "plots.plot_reliability": ["Guo", "1706.04599", "section 2"],
    "config.RewardConfig": ["`rmkit.losses`", "2312.09244", "Eq. 2"],
    "running.RunningMetrics.means_of": ["`wilson_interval`"],
    "passes.guess_budget": ["Korthikanti", "2205.05198", "eq. 2"],
    "synthetic.make_pairs": ["Bradley and Terry (1952)"],
    "synthetic.make_rankings": ["Plackett (1975)", "Luce (1959)"],
}


# Reading the source -------------------------------------------------------------------------------------------------

class Parameter(NamedTuple):
    "A parameter of a function, or a field of a class."
    name: str
    annotation: str
    comment: str


class Entry(NamedTuple):
    "A public function, class, method or property."
    name: str
    node: ast.AST
    is_method: bool = False


class Module:
    "The functions and classes of a module, and the comments on them."

    def __init__(self, source):
        self.lines, self.body = source.splitlines(), ast.parse(source).body
        names = [node.value for node in self.body if isinstance(node, ast.Assign)
                 and ast.unparse(node.targets[0]) == "__all__"]
        self.public = ast.literal_eval(names[0]) if names else [getattr(node, "name", "") for node in self.body]
        patched = [node for node in self.body if patch_of(node)]
        written = [each for node in self.body if isinstance(node, ast.ClassDef) for each in functions_in(node)]
        self.methods = {node.name: node for node in (*written, *patched)}
        self.functions = {node.name: node for node in functions_in(self) if node not in patched}

    def entries(self):
        "All that is public, patched methods under their classes."
        for node in self.body:
            owners = patched_into(node)
            yield from (Entry(f"{owner}.{node.name}", node, True) for owner in owners if is_public(node.name))
            if isinstance(node, DEFINITIONS) and not owners and node.name in self.public:
                yield Entry(node.name, node)
                methods = functions_in(node) if isinstance(node, ast.ClassDef) else []
                yield from (Entry(f"{node.name}.{each.name}", each, not is_static(each)) for each in methods
                            if not each.name.startswith("_"))

    def comment(self, node):
        "The comment behind a node, on the line where it ends."
        rest = self.lines[node.end_lineno - 1].encode()[node.end_col_offset:].decode()
        return rest.partition("#")[2].strip()


def functions_in(node):
    return [each for each in node.body if isinstance(each, FUNCTIONS)]


def is_static(node):
    return "staticmethod" in map(decorator, node.decorator_list)


def is_property(node):
    return any("as_prop" in ast.unparse(each) or decorator(each).endswith("property") for each in node.decorator_list)


@lru_cache
def module_of(name):
    return Module((ROOT / "rmkit" / f"{name}.py").read_text(encoding="utf-8"))


# Parameters and what comes back -------------------------------------------------------------------------------------

def arguments(module, function, is_method):
    "The parameters of a function, each with its own comment: none where the next one is on the same line."
    args = function.args
    every = [*args.posonlyargs, *args.args]
    defaults = dict(zip(every[::-1], args.defaults[::-1])) | dict(zip(args.kwonlyargs, args.kw_defaults))
    named = [*every[is_method:], *filter(None, [args.vararg]), *args.kwonlyargs, *filter(None, [args.kwarg])]
    ends = [defaults.get(each) or each for each in named]
    for each, end, following in zip(named, ends, [*named[1:], None]):
        is_alone = following is None or following.lineno > end.end_lineno
        yield Parameter(each.arg, ast.unparse(each.annotation) if each.annotation else "",
                        module.comment(end) if is_alone else "")


def fields(module, cls):
    "The fields of a dataclass or a named tuple, each with its comment or the call that holds its help text."
    for node in cls.body:
        if isinstance(node, ast.AnnAssign) and is_public(node.target.id):
            value = ast.unparse(node.value) if node.value else ""
            helped = value if re.match(r"option\(|_knob\(|.*help=", value) else ""
            yield Parameter(node.target.id, ast.unparse(node.annotation), module.comment(node) or helped)


def bases(module, cls):
    "A class and those of its bases that are made in the module and aren't public."
    names = {ast.unparse(base) for base in cls.bases}
    return [cls, *(node for node in module.body if isinstance(node, ast.ClassDef) and node.name in names
                   and node.name.startswith("_"))]


def parameters(module, entry):
    "What a function takes, or a class: what its `__init__` does, or its fields."
    if not isinstance(entry.node, ast.ClassDef):
        return list(arguments(module, entry.node, entry.is_method))
    init = next((each for each in functions_in(entry.node) if each.name == "__init__"), None)
    return list(arguments(module, init, True)) if init else [
        field for cls in bases(module, entry.node) for field in fields(module, cls)]


def returned(module, function):
    "The annotation of what a function gives back, and the comment on it."
    if function.returns:
        return ast.unparse(function.returns), module.comment(function.returns)
    last = module.lines[function.body[0].lineno - 2]
    return "", last.partition("#")[2].strip() if re.match(r"\s*\):", last) else ""


def gives_something(function):
    "Whether a function, those within it left out, returns or yields a value; a call of a logger gives none."
    waiting = list(function.body)
    for node in waiting:
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if isinstance(node, ast.Return) and node.value and not ast.unparse(node.value).startswith(("None", "logger.")):
            return True
        waiting += [] if isinstance(node, (*DEFINITIONS, ast.Lambda)) else ast.iter_child_nodes(node)
    return False


# Errors -------------------------------------------------------------------------------------------------------------

def caught_in(node):
    "The names of the exceptions that a `try` or a `with suppress(...)` keeps to itself."
    if isinstance(node, ast.Try):
        kinds = [ast.unparse(each.type) if each.type else "Exception" for each in node.handlers]
    else:
        kinds = [ast.unparse(each.context_expr) for each in getattr(node, "items", [])]
        kinds = [kind for kind in kinds if kind.startswith("suppress")]
    return re.findall(r"\w+", " ".join(kinds))


def kinds_of(error):
    "The name of an exception, and of the more general ones that it is."
    made = getattr(builtins, error, None)
    return [error, *(each.__name__ for each in getattr(made, "__mro__", ()) if each.__name__.endswith("Error"))]


def helper(module, call):
    "The function of the module that a call is of, by its name or as a method of `self`; None for another's."
    called = ast.unparse(call.func)
    own = re.fullmatch(r"(self|cls)\.(\w+)", called)
    return module.methods.get(own[2]) if own else module.functions.get(called)


def raised(module, node, seen=()):
    "The names of what is raised in a node, by itself or by functions of the module that it calls."
    found = set()
    if isinstance(node, ast.Raise) and node.exc is not None:
        name = ast.unparse(getattr(node.exc, "func", node.exc)).split(".")[-1]
        found |= {name} if name.endswith("Error") else set()
    if isinstance(node, ast.Call) and (called := helper(module, node)) and called.name not in (*seen, *NEVER_RAISE):
        found |= raised_in(module, called.body, (*seen, called.name))
    guarded, caught = (node.body, caught_in(node)) if isinstance(node, (ast.Try, ast.With)) else ([], [])
    found |= {name for name in raised_in(module, guarded, seen)
              if not {*caught} & {*kinds_of(name), "Exception", "BaseException"}}
    rest = [each for each in ast.iter_child_nodes(node) if each not in guarded]
    return found | raised_in(module, [each for each in rest if not isinstance(each, (*DEFINITIONS, ast.Lambda))], seen)


def raised_in(module, nodes, seen=()):
    return set().union(*(raised(module, node, seen) for node in nodes))


def raised_by(module, entry):
    "What a function raises, or the construction of a class."
    if entry.node.name in NEVER_RAISE:
        return set()
    nodes = [entry.node] if not isinstance(entry.node, ast.ClassDef) else [
        each for each in functions_in(entry.node) if each.name in ("__init__", "__post_init__")]
    return set().union(*(raised_in(module, node.body) for node in nodes))


# The rules ----------------------------------------------------------------------------------------------------------

def text_of(module, entry):
    "All that is said of an entry: its docstring and the comments."
    comments = [each.comment for each in parameters(module, entry)]
    back = [] if isinstance(entry.node, ast.ClassDef) else [returned(module, entry.node)[1]]
    return "\n".join([ast.get_docstring(entry.node) or "", *comments, *back])


def lacks_unit(name, annotation, text):
    "Whether a number doesn't say, nor its name, what it counts or measures."
    words = f"{name} {text}".replace("_", " ")
    return NUMBER.fullmatch(annotation) and not NO_QUANTITY.search(name) and not UNIT.search(words)


def faults_of_docstring(entry):
    "A full stop ends every paragraph, examples of a command aside."
    text = ast.get_docstring(entry.node) or ""
    ends = [each.rstrip()[-2:] for each in text.split("\n\n") if not COMMAND.match(each)]
    if not all(end.endswith((".", ".)")) for end in ends):
        yield "no docstring that ends in a full stop"


def faults_of_parameters(module, entry):
    "Each has a comment; an array's has the shape, a number's the unit."
    for name, annotation, comment in parameters(module, entry):
        if not comment:
            yield f"no comment on `{name}`"
        elif (ARRAY.search(annotation) or SHAPED_NAME.search(name)) and not SHAPE.search(comment):
            yield f"no shape of `{name}`: {comment}"
        elif lacks_unit(name, annotation, comment):
            yield f"no unit of `{name}`: {comment}"


def faults_of_return(module, entry):
    "What comes back is told in a comment, or by the docstring; the shape of an array and the unit of a number too."
    (annotation, comment), text = returned(module, entry.node), ast.get_docstring(entry.node) or ""
    gives = annotation != "None" if annotation else gives_something(entry.node)
    if gives and not (comment or is_property(entry.node) or TOLD.match(text)):
        yield f"what comes back isn't told: {text}"
    if ARRAY.search(annotation) and not SHAPE.search(f"{comment} {text}"):
        yield f"no shape of what comes back: {comment}"
    if lacks_unit(entry.node.name, annotation, f"{comment} {text}"):
        yield f"no unit of what comes back: {text}"


def faults_of_errors(module, entry):
    "What is raised is named, by itself or as what it is a kind of, and when."
    text = " ".join(text_of(module, entry).split())
    for name in sorted(raised_by(module, entry)):
        if not re.search(rf"\b({'|'.join(kinds_of(name))})s?\b", text):
            yield f"doesn't name {name}, which it raises"
        elif not re.search(rf"\b({'|'.join(kinds_of(name))})s?\b({WHEN}|,| or | and |: | \()", text):
            yield f"doesn't say when it raises {name}"


def faults(module, entry):
    "What the explanation of an entry lacks."
    yield from faults_of_docstring(entry)
    yield from faults_of_errors(module, entry)
    if entry.node.name not in EVENTS:
        yield from faults_of_parameters(module, entry)
        yield from () if isinstance(entry.node, ast.ClassDef) else faults_of_return(module, entry)


@pytest.mark.parametrize("name", MODULES)
def test_all_that_is_public_is_explained(name):
    module = module_of(name)
    found = [f"rmkit/{name}.py, line {entry.node.lineno}, {entry.name}: {fault}" for entry in module.entries()
             for fault in faults(module, entry)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", SOURCES)
def test_a_formula_names_its_source(name):
    module, _, function = name.partition(".")
    text, = (text_of(module_of(module), entry) for entry in module_of(module).entries() if entry.name == function)
    missing = [words for words in SOURCES[name] if words not in " ".join(text.split())]
    assert not missing, f"rmkit/{module}.py, {function}: the source has to be named by {missing}"


# The rules find what they are for ------------------------------------------------------------------------------------

def faults_in(source):
    module = Module(source)
    return [f"{entry.name}: {fault}" for entry in module.entries() for fault in faults(module, entry)]


GOOD = '''
__all__ = ["share", "A"]
def share(
    r_B: torch.Tensor,  # (B,) of them
    at: int = 0,  # tokens
    *names,  # to leave out
) -> float:
    "The share of it; a ValueError where there is none."
    _check(r_B)
def _check(x):
    if not len(x):
        raise ValueError("none")
    with suppress(LookupError):
        raise LookupError
class A(Base):
    "An A."
    size: int  # in bytes
@patch(as_prop=True)
def ends(self: A) -> np.ndarray:
    "Where they end, (N,)."
@patch
def on_log(self: A, args, state, control):
    "Note it."
    return control
'''


@pytest.mark.parametrize("old, new, found", [
    ("", "", []),
    ("An A.", "An A", ["A: no docstring that ends in a full stop"]),
    ('"An A."', "pass", ["A: no docstring that ends in a full stop"]),
    ("  # in bytes", "", ["A: no comment on `size`"]),
    ("in bytes", "of it", ["A: no unit of `size`: of it"]),
    ("size: int  # in bytes", "seconds: int  # of it", []),
    ("(B,) of them", "of them", ["share: no shape of `r_B`: of them"]),
    ("  # to leave out", "", ["share: no comment on `names`"]),
    ("at: int = 0,  # tokens", "at=0, to=1,  # tokens", ["share: no comment on `at`"]),
    ("The share of it;", "Find shares;", ["share: what comes back isn't told: Find shares; a ValueError where there is "
                                          "none."]),
    ("; a ValueError where there is none", "", ["share: doesn't name ValueError, which it raises"]),
    ("; a ValueError where there is none", ". ValueError", ["share: doesn't say when it raises ValueError"]),
    ("a ValueError where", "an Exception where", ["share: doesn't name ValueError, which it raises"]),
    ("suppress(LookupError)", "nullcontext()", ["share: doesn't name LookupError, which it raises"]),
    ("def on_log", "def on_say", ["A.on_say: no comment on `args`", "A.on_say: no comment on `state`",
                                  "A.on_say: no comment on `control`",
                                  "A.on_say: what comes back isn't told: Note it."]),
    (", (N,)", "", ["A.ends: no shape of what comes back: "]),
])
def test_a_fault_is_found(old, new, found):
    assert old in GOOD and faults_in(GOOD.replace(old, new)) == found
