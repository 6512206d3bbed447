"The anatomy of a tutorial; and whether the cells that nobody runs here would run where there is a network and a GPU"
import ast
import inspect
import re
import shlex
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MethodType

import pytest
from chapters import Cell, Chapter, DEFINITIONS, notebooks, ROOT
from IPython.core.inputtransformer2 import TransformerManager
from pages import NEEDS
from test_docstrings import faults_of_source
from test_style import faults_of as faults_of_style
from transformers import TrainingArguments

from rmkit.cli import COMMANDS
from rmkit.config import OLDER, RewardConfig
from rmkit.options import (AuditArguments, BenchArguments, CheckArguments, CompareArguments, DemoArguments,
                           EvalArguments, parse, ScoreArguments, TrainArguments, UsageError)

TUTORIALS = notebooks(ROOT / "nbs" / "tutorials")
BADGE = ("[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
         "(https://colab.research.google.com/github/rmkit/rmkit/blob/main/nbs/tutorials/{name})")
INSTALL = '#| needs: network\n%pip install -q "rmkit @ git+https://github.com/rmkit/rmkit"'
NOT_CODE = {"text", "diff", "json", "jsonl", "yaml", "csv", "toml", "jinja"}  # languages of fences in Markdown
FENCE = re.compile(r"^\s*(?:```+|~~~+)(.*)$", re.M)
LINK = re.compile(r"\]\(([^)\s]+)\)")

# What tutorials name of the Hub: whoever adds one has seen that it is there.
MODELS = {"HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-360M-Instruct",
          "HuggingFaceTB/SmolLM2-1.7B-Instruct", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B", "Qwen/Qwen3-4B",
          "Qwen/Qwen3-8B", "Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-1.5B-Instruct"}
DATASETS = {"trl-lib/ultrafeedback_binarized", "trl-lib/ultrafeedback-prompt", "trl-lib/tldr", "Anthropic/hh-rlhf",
            "nvidia/HelpSteer2", "nvidia/HelpSteer3", "stanfordnlp/SHP", "openbmb/UltraFeedback",
            "HuggingFaceH4/ultrafeedback_binarized", "lmarena-ai/arena-human-preference-55k"}
OWNERS = {name.split("/")[0] for name in MODELS | DATASETS}


# What is in a cell --------------------------------------------------------------------------------------------------

def python_of(cell):
    "What IPython makes of a cell; a SyntaxError where that is no Python."
    return ast.parse(TransformerManager().transform_cell(cell.source))


def shell_lines(tree):
    "The lines about rmkit that a cell gives to a shell, those that go on in the next one joined."
    for node in ast.walk(tree):
        called = getattr(getattr(node, "func", None), "attr", "")
        if called in ("system", "getoutput", "run_cell_magic"):
            text = node.args[-1].value.replace("\\\n", " ")
            yield from (line for line in text.splitlines() if re.search(r"\brmkit\b", line))


def rmkit_calls(tree):
    "The words that follow `rmkit` in each call of the command."
    for line in shell_lines(tree):
        words = shlex.shlex(re.sub(r"(^|\s)#.*", "", line), posix=True, punctuation_chars=True)
        words.whitespace_split, words.commenters = True, ""
        command = []
        for word in [*words, ";"]:
            if word.strip("();<>|&"):
                command += [word] if command or "=" not in word else []  # what is set for the command is none of it
                continue
            names = [i for i, word in enumerate(command) if re.fullmatch(r"(\S*/)?rmkit(\.cli)?", word)]
            if names and command[0] in ("accelerate", "torchrun", "python", "time", command[names[0]]):
                yield command[names[0] + 1:]
            command = []


def hub_names(cell):
    "The names in a cell that are the Hub's by their owner."
    found = re.findall(r"(?<![\w/.:-])[\w-]+/[\w.-]+(?![\w/])", cell.source)
    return {name for name in found if name.split("/")[0] in OWNERS}


# Whether commands and calls are possible -----------------------------------------------------------------------------

ARGUMENTS = dict(train=(TrainArguments, RewardConfig), check=(CheckArguments, RewardConfig), eval=(EvalArguments,),
                 audit=(AuditArguments,), bench=(BenchArguments,), score=(ScoreArguments,), compare=(CompareArguments,),
                 demo=(DemoArguments,))


def command_fault(words):
    "What the command line would say of these words; None where it would run."
    if not words or words[0] in ("--help", "--version") or "--help" in words:
        return None
    command, *options = words
    if command not in COMMANDS:
        return f"there is no command {command!r}"
    if "--config" in options:  # the file is the reader's: what is required may stand in it
        at = options.index("--config")
        options = options[:at] + options[at + 2:]
        options += [word for name in ("--model", "--dataset") if name not in options for word in (name, "x")]
    try:
        parse(command, options, *ARGUMENTS[command])
    except (UsageError, ValueError) as error:
        return f"rmkit {' '.join(words)}: {error}"


class An:
    "An object of a class; or, where a dict was written out, its keys."
    def __init__(self, made_of): self.made_of = made_of


TODAY = TrainingArguments.__dataclass_fields__.keys()
LIBRARIES = {"rmkit", "transformers", "peft", "datasets", "torch", "trl", "accelerate"}


class Calls(ast.NodeVisitor):
    "Reads cells in order, knows what the names in them stand for, and binds the arguments of each call it can."

    def __init__(self):
        self.names, self.faults = {}, []

    def value(self, node):
        "What an expression is; None where that isn't known."
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            return attribute(self.value(node.value), node.attr)
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "dict":
                return An([keyword.arg for keyword in node.keywords])
            return outcome(self.value(node.func))
        return None

    def bind(self, target, value):
        "A name stands for something else from here on."
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self.names[node.id] = value if node is target else None

    def visit_Import(self, node):
        for alias in node.names:
            if alias.name.split(".")[0] in LIBRARIES:
                self.take(alias.name, None, alias.asname or alias.name.split(".")[0])

    def visit_ImportFrom(self, node):
        for alias in node.names if node.module.split(".")[0] in LIBRARIES else ():
            self.take(node.module, alias.name, alias.asname or alias.name)

    def take(self, module, name, called):
        "Import what a cell imports; a library that isn't here is passed over."
        try:
            found = import_module(module if name or "." not in called else called)
            self.names[called] = getattr(found, name) if name else import_module(called.split(".")[0])
        except (ImportError, AttributeError) as error:
            if find_spec(module.split(".")[0]):
                self.faults.append(f"import of {module}, {name}: {error}")

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            self.bind(target, self.value(node.value))

    def visit_withitem(self, node):
        self.visit(node.context_expr)
        if node.optional_vars:
            self.bind(node.optional_vars, None)

    def visit_For(self, node):
        self.bind(node.target, None)
        self.generic_visit(node)

    def visit_FunctionDef(self, node):
        before, self.names = self.names, self.names | {name.arg: None for name in ast.walk(node.args)
                                                       if isinstance(name, ast.arg)}
        self.generic_visit(node)
        self.names = before | {node.name: None}

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        self.names[node.name] = next((self.value(base) for base in node.bases), None)

    def visit_Call(self, node):
        self.generic_visit(node)
        called, owner = self.value(node.func), self.value(getattr(node.func, "value", None))
        if isinstance(owner, An) and inspect.isclass(owner.made_of) and not hasattr(owner.made_of, node.func.attr):
            self.faults.append(f"{owner.made_of.__name__} has no {node.func.attr}")
        elif called is not None and not isinstance(called, An):
            self.faults += [f"{ast.unparse(node)}: {fault}" for fault in self.misfits(node, called)]

    def misfits(self, node, called):
        "What is wrong with the arguments of a call."
        given, is_whole = [], not any(isinstance(arg, ast.Starred) for arg in node.args)
        for keyword in node.keywords:
            written_out = self.value(keyword.value) if keyword.arg is None else None
            is_whole &= keyword.arg is not None or written_out is not None
            given += [keyword.arg] if keyword.arg else getattr(written_out, "made_of", [])
        if called is RewardConfig:
            yield from (f"{name} is an older name" for name in given if name in OLDER.keys() - TODAY)
        try:
            signature = inspect.signature(called)
            positional = [None] * len(node.args) if is_whole else []
            (signature.bind if is_whole else signature.bind_partial)(*positional, **dict.fromkeys(given))
        except TypeError as error:
            yield str(error)
        except ValueError:
            pass  # made in C, without a signature


def attribute(owner, name):
    "An attribute of a module, a class or an object; None where that isn't known."
    if isinstance(owner, An):
        found = getattr(owner.made_of, name, None)
        return MethodType(found, owner) if inspect.isfunction(found) else found if inspect.ismethod(found) else None
    return getattr(owner, name, None) if inspect.ismodule(owner) or inspect.isclass(owner) else None


def outcome(called):
    "What a call gives; None where that isn't known."
    if inspect.isclass(called):
        return An(called)
    given = getattr(called, "__annotations__", {}).get("return") if callable(called) else None
    if isinstance(given, str):
        given = getattr(inspect.getmodule(called), given, None)
    return An(given) if inspect.isclass(given) else None


def unrunnable(chapter):
    "What would fail in the cells that aren't run, each with its place."
    calls = Calls()
    for cell in chapter.code_cells:
        try:
            tree = python_of(cell)
        except SyntaxError as error:
            yield f"{cell.id} is no Python: {error}"
            continue
        calls.faults = []
        calls.visit(tree)
        yield from (f"{cell.id}: {fault}" for fault in calls.faults if cell.needs)
        yield from (f"{cell.id}: {fault}" for words in rmkit_calls(tree) if (fault := command_fault(words)))


# The anatomy --------------------------------------------------------------------------------------------------------

def opening_faults(chapter):
    "What the first two cells lack."
    first, second = chapter.cells[0], chapter.cells[1]
    lines = [line for line in first.source.splitlines() if line.strip()]
    if first.kind != "markdown" or not lines[0].startswith("# ") or not lines[1].startswith("> "):
        yield "begins with a title and a line of description"
    if lines[2] != BADGE.format(name=chapter.path.name):
        yield f"the third line is {BADGE.format(name=chapter.path.name)}"
    if len(lines) < 4:
        yield "then what the reader will have"
    if not re.fullmatch(re.escape(INSTALL) + "( [a-z][a-z-]*)*", second.source):
        yield f"the second cell is {INSTALL!r}, with the names of further packages behind it"


def fence_faults(chapter):
    "Fenced blocks that hold what could be a cell."
    for cell in chapter.cells:
        for language in FENCE.findall(cell.source)[::2] if cell.kind == "markdown" else ():
            if language.strip() not in NOT_CODE:
                yield f"{cell.id} has a fence of {language!r}: code is a cell; else say one of {sorted(NOT_CODE)}"


def mark_faults(chapter):
    "What is wrong with marks, and with what isn't marked."
    for cell in chapter.code_cells:
        if set(cell.needs) - NEEDS.keys() or "needs" in cell.directives and not cell.needs:
            yield f"{cell.id} needs {cell.directives['needs']!r}: one of {sorted(NEEDS)}, with commas between"
        if re.search(r"\A\s*\S.*^%%", cell.source, re.M | re.S) and not cell.source.startswith("%%"):
            yield f"{cell.id}: IPython takes a cell magic from the first line alone; put the mark below it"
        if cell.runs and (hub_names(cell) or re.search(r"push_to_hub\(|snapshot_download|hf_hub_download|^\s*[%!]pip",
                                                       cell.source, re.M)):
            yield f"{cell.id} reaches for a network and isn't marked"


def hub_faults(chapter):
    "Whether the same is shown for a model and a dataset of the Hub, by names that are there."
    named = {name for cell in chapter.code_cells if cell.needs for name in hub_names(cell)}
    if not named & MODELS or not named & DATASETS:
        yield f"a cell that needs a network names a model and a dataset of the Hub; found {sorted(named)}"
    yield from (f"is there a {name} on the Hub? then add it to the test" for name in named - MODELS - DATASETS)


def end_faults(chapter):
    "What is wrong with the picture and with the last cell."
    pictures = [cell for cell in chapter.code_cells if "thumbnail" in cell.directives]
    if [any("image/png" in output.get("data", {}) for output in cell.outputs) for cell in pictures] != [True]:
        yield "one cell is the thumbnail, and has a picture as its output"
    last = chapter.cells[-1]
    heading, text = re.split(r"^(## .*)$", f"## \n{last.source}", flags=re.M)[-2:]
    links = [link for link in LINK.findall(text) if not re.match(r"\w+:", link)]
    if last.kind != "markdown" or heading != "## Next" or len(links) < 2:
        yield "ends with '## Next', which leads to another tutorial and to one or two pages"
    if not any("/" not in link for link in links):
        yield "'Next' leads to another tutorial"
    yield from (f"'Next' leads to {link}, which isn't there" for link in links
                if not (chapter.path.parent / link.partition("#")[0]).exists())


def faults(chapter):
    "All that a tutorial lacks."
    for look in (opening_faults, fence_faults, mark_faults, hub_faults, end_faults, unrunnable):
        yield from look(chapter)


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_has_its_parts(path):
    found = list(faults(Chapter.read(path)))
    assert not found, "\n".join(found)


def test_the_chapter_that_a_tutorial_writes_is_one_of_this_house(monkeypatch):
    "What a reader is told to write passes the tests that it is told of."
    written = Chapter.read(ROOT / "nbs" / "tutorials" / "your_own_rmkit.ipynb")
    sources = next(node.value for cell in written.code_cells for node in cell.body
                   if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CHAPTER")
    cells = [Cell(kind, f"c{i}", source) for i, (kind, source) in enumerate(ast.literal_eval(sources))]
    chapter = Chapter(Path("03_robust.ipynb"), cells)
    assert not [rule for rule, places in faults_of_style(chapter).items() if places]
    names = [node.name for cell in chapter.exported for node in cell.body if isinstance(node, DEFINITIONS)]
    assert names
    module = "\n".join([f"__all__ = {names}", *(cell.code for cell in chapter.exported)])
    assert not faults_of_source(module, monkeypatch)


# The test itself ----------------------------------------------------------------------------------------------------

HUB = """#| needs: network
from rmkit import RewardConfig, RewardModel, RewardTrainer
from datasets import load_dataset
settings = dict(num_train_epochs=1)
rows = load_dataset("trl-lib/ultrafeedback_binarized", split="train")
trainer = RewardTrainer("Qwen/Qwen3-0.6B", RewardConfig("out", **settings), train_dataset=rows)
viz = trainer.visualize(rows, marks="marks.jsonl")
viz.save("pairs.html")
RewardModel.from_pretrained("out").score("Hi", ["Ho"], batch_size=2)
"""
COMMAND = """%%bash
#| needs: network
rmkit train --model Qwen/Qwen3-0.6B \\
    --dataset pairs.jsonl --learning_rate 1e-5 | tee log.txt
accelerate launch --num_processes 2 -m rmkit.cli train --config run.yaml
"""


def a_tutorial(place=None, old="", new=""):
    "One without a fault, or with one: in a cell, a text is another."
    opening = f"# A\n\n> B.\n\n{BADGE.format(name='reading_a_run.ipynb')}\n\nC.\n\n```text\na tree\n```"
    sources = [opening, INSTALL, "#| thumbnail\n1 + 1", HUB, COMMAND,
               "## Next\n\n[Run](reading_a_run.ipynb), [data](../12_data.ipynb)"]
    if place is not None:
        assert old in sources[place]
        sources[place] = sources[place].replace(old, new)
    kinds = ["markdown", *["code"] * 4, "markdown"]
    cells = [Cell(kind, f"c{i}", source) for i, (kind, source) in enumerate(zip(kinds, sources))]
    cells[2].outputs = [{"data": {"image/png": "..."}}]
    return Chapter(Path(ROOT / "nbs" / "tutorials" / "reading_a_run.ipynb"), cells)


def test_a_tutorial_without_a_fault():
    assert list(faults(a_tutorial())) == []


@pytest.mark.parametrize("place, old, new, told", [
    (0, "> B.", "B.", "a title and a line"), (0, "rmkit/blob", "rmkit/tree", "the third line"),
    (0, "C.\n\n```text\na tree\n```", "", "will"), (0, "```text", "```python", "'python'"),
    (0, "```text", "```", "fence of ''"), (0, "```text", "~~~bash", "'bash'"), (1, "-q ", "", "the second cell"),
    (2, "#| thumbnail", "", "thumbnail"), (2, "1 + 1", "%pip install x", "isn't marked"),
    (2, "1 + 1", "a = load('Qwen/Qwen3-0.6B')", "isn't marked"), (2, "1 + 1", "!rmkit demo --quik", "--quick"),
    (3, "network", "netwrk", "'netwrk'"), (3, "trl-lib/ultrafeedback_binarized", "rows", "a model and a dataset"),
    (3, "Qwen3-0.6B", "Qwen3-0.6", "is there a Qwen/Qwen3-0.6 on"),
    (3, "settings =", "settings = =", "no Python"), (3, "num_train_epochs", "num_epochs", "num_epochs"),
    (3, "train_dataset", "train_data", "train_data"), (3, "RewardModel,", "RewardModl,", "RewardModl"),
    (3, "num_train_epochs=1", "evaluation_strategy='no'", "older name"), (3, "marks=", "mark=", "'mark'"),
    (3, "viz.save", "viz.sav", "RewardVisualizer has no sav"), (3, "batch_size=2", "batch=2", "'batch'"),
    (3, '"Hi", ["Ho"]', '"Hi"', "'responses'"), (3, "trainer.visualize", "trainer.show", "RewardTrainer has no show"),
    (3, "import load_dataset", "import load_date", "load_date"), (4, "--learning_rate", "--learnin_rate", "learning_"),
    (4, "train --model", "trane --model", "'trane'"), (4, "--dataset", "", "--dataset"),
    (4, "%%bash\n#| needs: network", "#| needs: network\n%%bash", "first line alone"),
    (5, "## Next", "## More", "ends with"), (5, "12_data", "12_date", "12_date"),
    (5, "(reading_a", "(../reading_a", "another tutorial"),
])
def test_a_fault_is_found(place, old, new, told):
    assert told in " ".join(faults(a_tutorial(place, old, new)))
