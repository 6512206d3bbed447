"""Everything public is explained: what goes in and comes out, in which shape and unit, what is raised and when, and
where a formula comes from. Public is what `__all__` of a module names, and the methods of its classes, patched ones as
well. All of it is read from the source, where comments are."""
import ast
import re
from types import SimpleNamespace

import pytest
import symbols
from symbols import DEFINITIONS, entries_of, kinds_of, members_of, raised_by, Source, sources
from transformers import TrainerCallback

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
    "metrics.expanded_tail": ["Hesterberg", "1411.5279", "expanded percentile"],
    "intervals.resamples": ["Field and Welsh", "2007"],
    "intervals.from_resamples": ["Hesterberg", "1411.5279", "expanded percentile", "Wilson", "1927"],
    "intervals.mcnemar": ["McNemar", "1947", "sign test"],
    "fits.logistic_fit": ["Cox, 1958", "scikit-learn"],
    "fits.logistic_estimates": ["Moulton and Zeger", "1991"],
    "fits.pair_head": ["Bradley and Terry, 1952"],
    "fits.lowess": ["Cleveland, 1979"],
    "fits.auroc": ["Hanley and McNeil", "1982"],
    "calibration.log_losses": ["Bradley and Terry (1952)"],
    "calibration.brier_scores": ["Brier, 1950"],
    "calibration.calibration_error": ["Kumar", "2019", "1909.10155", "section 5"],
    "calibration.fit_temperature": ["Guo", "1706.04599", "section 4.2"],
    "table.sigmoid": ["Bradley and Terry (1952)"],
    "rules.rewardbench": ["2403.13787", "section 4"],
    "rules.best_of_four": ["2506.01937"],
    "rules.ties_score": ["2506.01937"],
    "rules.rewardbench2": ["2506.01937"],
    "rules.levels": ["2410.16184", "section 3"],
    "rules.rm_bench": ["2410.16184"],
    "rules.judged_right": ["2410.12784"],
    "rules.judgebench": ["2410.12784"],
    "rules.picks": ["2310.07641"],
    "rules.kappa": ["Cohen", "1960"],
    "rules.llmbar": ["2310.07641"],
    "layout.lay_out": ["Wang and Hegde", "2410.20305"],
    "attention.varlen_attention": ["1706.03762", "eq. 1"],
    "attention.rectangle_attention": ["1706.03762", "eq. 1", "2408.00118", "section 2"],
    "scoring.RewardModel.compare": ["Bradley and Terry (1952)"],
    "rewrites.rate": ["2410.11348"],
    "rewrites.style_matrix": ["2410.16184", "section 3"],
    "snapshots.Snapshots.moves": ["Swayamdipta", "2009.10795", "section 2"],
    "plots.plot_cartography": ["Swayamdipta", "2009.10795", "section 2"],
    "plots.plot_reliability": ["Guo", "1706.04599", "section 2"],
    "config.RewardConfig": ["`rmkit.losses`", "2312.09244", "Eq. 2"],
    "running.RunningMetrics.means_of": ["`wilson_interval`"],
    "passes.guess_budget": ["Korthikanti", "2205.05198", "eq. 2"],
    "synthetic.make_pairs": ["Bradley and Terry (1952)"],
    "synthetic.make_rankings": ["Plackett (1975)", "Luce (1959)"],
}


# The rules ----------------------------------------------------------------------------------------------------------

def with_members(entries):
    return [each for entry in entries for each in (entry, *entry.members)
            if isinstance(each.node, DEFINITIONS) or each.kind == "method"]


def parameters(entry):
    "What an entry takes; the settings that a class has from private ones of its module count as its own."
    names = [ast.unparse(base) for base in getattr(entry.node, "bases", [])]
    bases = [node for node in entry.source.tree.body if getattr(node, "name", "") in names and node.name[0] == "_"]
    settings = [member.node for base in bases for member in members_of(base, entry.source, entry.module)
                if isinstance(member.node, ast.AnnAssign)]
    return [*entry.parameters, *(SimpleNamespace(name=node.target.id, type=ast.unparse(node.annotation),
                                                 help=ast.unparse(node.value)) for node in settings)]


def text_of(entry):
    "All that is said of an entry: its docstring and the comments."
    return " ".join("\n".join([entry.doc, *(each.help for each in parameters(entry)), entry.returns[1]]).split())


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


def lacks_unit(name, annotation, text):
    "Whether a number doesn't say, nor its name, what it counts or measures."
    words = f"{name} {text}".replace("_", " ")
    return NUMBER.fullmatch(annotation) and not NO_QUANTITY.search(name) and not UNIT.search(words)


def faults_of_docstring(entry):
    "A full stop ends every paragraph, examples of a command aside."
    ends = [each.rstrip()[-2:] for each in entry.doc.split("\n\n") if not COMMAND.match(each)]
    if not all(end.endswith((".", ".)")) for end in ends):
        yield "no docstring that ends in a full stop"


def faults_of_parameters(entry):
    "Each has a comment; an array's has the shape, a number's the unit."
    for each in parameters(entry):
        if not each.help:
            yield f"no comment on `{each.name}`"
        elif (ARRAY.search(each.type) or SHAPED_NAME.search(each.name)) and not SHAPE.search(each.help):
            yield f"no shape of `{each.name}`: {each.help}"
        elif lacks_unit(each.name, each.type, each.help):
            yield f"no unit of `{each.name}`: {each.help}"


def faults_of_return(entry):
    "What comes back is told in a comment, or by the docstring; the shape of an array and the unit of a number too."
    annotation, comment = entry.returns
    gives = annotation != "None" if annotation else gives_something(entry.node)
    if gives and not (comment or entry.kind == "property" or TOLD.match(entry.doc)):
        yield f"what comes back isn't told: {entry.doc}"
    if ARRAY.search(annotation) and not SHAPE.search(f"{comment} {entry.doc}"):
        yield f"no shape of what comes back: {comment}"
    if lacks_unit(entry.node.name, annotation, f"{comment} {entry.doc}"):
        yield f"no unit of what comes back: {entry.doc}"


def faults_of_errors(entry):
    "What is raised is named, by itself or as what it is a kind of, and when."
    text = text_of(entry)
    for name in raised_by(entry):
        named = rf"\b({'|'.join(kinds_of(name))})s?\b"
        if not re.search(named, text):
            yield f"doesn't name {name}, which it raises"
        elif not re.search(rf"{named}({WHEN}|,| or | and |: | \()", text):
            yield f"doesn't say when it raises {name}"


def faults(entry):
    "What the explanation of an entry lacks."
    yield from faults_of_docstring(entry)
    yield from faults_of_errors(entry)
    if entry.node.name not in EVENTS:
        yield from faults_of_parameters(entry)
        yield from () if entry.kind == "class" else faults_of_return(entry)


def faults_of_source(text, monkeypatch):
    "What the explanations lack in a module that is not of the package."
    patches, entries = symbols.patches.__wrapped__, symbols.entries_of.__wrapped__
    monkeypatch.setattr(symbols, "sources", lambda: dict(other=Source("other", text)))
    monkeypatch.setattr(symbols, "patches", patches)
    return [f"{entry.name}: {fault}" for entry in with_members(entries("other")) for fault in faults(entry)]


@pytest.mark.parametrize("name", sorted(sources()))
def test_all_that_is_public_is_explained(name):
    found = [f"rmkit/{entry.source.name}.py, line {entry.node.lineno}, {entry.name}: {fault}"
             for entry in with_members(entries_of(name)) for fault in faults(entry)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", SOURCES)
def test_a_formula_names_its_source(name):
    text = text_of(symbols.entries()[f"rmkit.{name}"])
    missing = [words for words in SOURCES[name] if words not in text]
    assert not missing, f"{name}: the source has to be named by {missing}"


# The rules find what they are for ------------------------------------------------------------------------------------

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
class A(NamedTuple):
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
    ("  # to leave out", "", ["share: no comment on `*names`"]),
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
def test_a_fault_is_found(old, new, found, monkeypatch):
    assert old in GOOD
    assert faults_of_source(GOOD.replace(old, new), monkeypatch) == found
