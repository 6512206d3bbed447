"The reference has all that is public; names in backticks lead there, and one that is stale is found"
import ast
import dataclasses
import importlib
import inspect
import re
import shlex
import shutil
import subprocess
import sys

import contexts
import links
import names
import pytest
import rmkit
import symbols
from chapters import Chapter, ROOT
from examples import EXAMPLES, example
from links import link_symbols
from options_reference import commands, fields_of_config, older_anchor, older_fields, shown
from reference import prose, SPHINX, write_reference
from rmkit.config import FOLLOWED, LEFT, OLDER, OLDER_VALUES, OTHER_SPELLINGS, RewardConfig
from rmkit.options import parse

MODULES = sorted(symbols.sources())
DIRECTIVE = re.compile(r"^:{3,}\{py:(\w+)\} ([\w.]+)(.*)$", re.M)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    "The pages of the reference by name; nothing in them is stale"
    folder = tmp_path_factory.mktemp("reference")
    links.unresolved.clear()
    written = write_reference(folder)
    assert not links.complaint()
    return {name: (folder / f"{name}.md").read_text(encoding="utf-8") for name in written}


def members(page, name):
    "The part of a page that is about a class, its members' entries by name"
    body = page.partition(f"::::{{py:class}} {name}")[2].partition("\n::::\n")[0]
    return {match[2]: match for match in DIRECTIVE.finditer(body)}


# Entries ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_an_entry_with_all_its_parameters(pages, module):
    page, loaded = pages[f"reference/{module}"], importlib.import_module(f"rmkit.{module}")
    entries = {match[2]: match for match in DIRECTIVE.finditer(page)}
    assert set(loaded.__all__) <= entries.keys()
    for name in loaded.__all__:
        if inspect.isfunction(thing := getattr(loaded, name)):
            arguments = inspect.signature(thing).parameters
            told = ast.parse(f"def f{entries[name][3]}: pass").body[0].args
            told = [*told.posonlyargs, *told.args, *told.kwonlyargs, *filter(None, [told.vararg, told.kwarg])]
            assert {each.arg for each in told} == set(arguments), name
        elif inspect.isclass(thing):
            ours = [key for key, value in vars(thing).items() if not key.startswith("_") and is_ours(value)]
            assert set(ours) <= members(page, name).keys(), name


def is_ours(value):
    "Whether a class's attribute is a method or a property that rmkit defines"
    value = getattr(value, "func", None) or getattr(value, "fget", None) or getattr(value, "__func__", value)
    return inspect.isfunction(value) and value.__module__.startswith("rmkit")


@pytest.mark.parametrize("module, owner, method, kind", [
    ("trainer", "RewardTrainer", "visualize", "method"), ("trainer", "RewardTrainer", "dashboard", "property"),
    ("config", "RewardConfig", "from_arguments", "method"), ("visualizer", "RewardVisualizer", "save", "method"),
    ("config", "OlderField", "warn", "method"),
])
def test_a_patched_method_stands_under_its_class(pages, module, owner, method, kind):
    assert members(pages[f"reference/{module}"], owner)[method][1] == kind


def test_an_entry_says_what_the_source_says(pages):
    page = pages["reference/trainer"]
    visualize = page.partition("{py:method} visualize(")[2].partition("\n:::\n")[0]
    row = next(line for line in visualize.splitlines() if line.startswith("| `key`"))
    assert "`str \\| None`" in row and "`None`" in row and row.count("|") - row.count("\\|") == 5
    assert "RuntimeError" in visualize.partition("**Raises**")[2]
    assert re.search(r"\[Chapter trainer: .+?\]\(\.\./trainer\.ipynb#[\w-]+\) · "
                     r"\[Source\]\(https://github\.com/rmkit/rmkit/blob/main/rmkit/trainer\.py#L\d+\)", visualize)
    line = int(re.search(r"trainer\.py#L(\d+)", visualize)[1])
    source = (ROOT / "rmkit/trainer.py").read_text(encoding="utf-8").splitlines()
    assert source[line - 1].startswith("def visualize(")
    assert "Also `from rmkit import RewardTrainer`." in page and ":canonical: rmkit.RewardTrainer" in page
    assert ":classmethod:" in pages["reference/config"].partition("from_arguments(")[2][:60]


def test_errors_are_the_clauses_that_name_one():
    def told(address): return symbols.errors(symbols.entries()[address])
    assert told("rmkit.config.RewardConfig.from_arguments") == ["a TypeError where it is no config"]
    assert told("rmkit.words.percent") == []


@pytest.mark.parametrize("text, page", [
    ("a <b> and `<c>`", r"a \<b> and `<c>`"), ("See [it](../20_model.ipynb#load).", "See [it](../model.ipynb#load)."),
    ("[it](tutorials/lora.ipynb)", "[it](../tutorials/lora.ipynb)"),
    ("Do it.\n\nrmkit demo\nrmkit demo --quick", "Do it.\n\n```bash\nrmkit demo\nrmkit demo --quick\n```"),
])
def test_a_docstring_is_markdown(text, page):
    assert prose(text, "reference/model") == page


def test_a_page_is_written_only_where_it_changed(tmp_path, pages):
    write_reference(tmp_path)
    path = tmp_path / "reference" / "words.md"
    before = path.stat().st_mtime_ns
    (tmp_path / "reference" / "table.md").write_text("old")
    write_reference(tmp_path)
    assert path.stat().st_mtime_ns == before
    assert (tmp_path / "reference/table.md").read_text(encoding="utf-8") == pages["reference/table"]


def test_sphinx_takes_the_entries(tmp_path, pages):
    "Permalinks, the index of objects with both addresses of a name, no warning"
    (tmp_path / "reference").mkdir()
    for name in ("snapshots", "words", "cli"):
        (tmp_path / f"reference/{name}.md").write_text(pages[f"reference/{name}"], encoding="utf-8")
    (tmp_path / "index.md").write_text("# I\n\n```{toctree}\n:glob:\n\nreference/*\n```\n")
    settings = dict(extensions=["myst_parser"], myst_enable_extensions=["colon_fence", "deflist"], **SPHINX,
                    suppress_warnings=["myst.xref_missing"])  # the pages that aren't here
    (tmp_path / "conf.py").write_text("\n".join(f"{name} = {value!r}" for name, value in settings.items()))
    done = subprocess.run([sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", tmp_path, tmp_path / "html"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    from sphinx.util.inventory import InventoryFile
    found = InventoryFile.loads((tmp_path / "html/objects.inv").read_bytes(), uri="").data
    page = (tmp_path / "html/reference/snapshots.html").read_text(encoding="utf-8")
    assert found["py:class"]["rmkit.snapshots.Snapshots"].uri == found["py:class"]["rmkit.Snapshots"].uri
    assert 'id="rmkit.snapshots.Snapshots"' in page and "rmkit.words.percent" in found["py:function"]
    assert "rmkit-eval.--by" in found["std:cmdoption"]


# Options, fields, older names ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", ["train", "eval", "audit", "score", "compare", "demo"])
def test_every_option_has_an_example_that_its_command_takes(pages, command, tmp_path, monkeypatch):
    from rmkit.cli import COMMANDS
    assert commands().keys() == COMMANDS.keys() == EXAMPLES.keys()
    monkeypatch.chdir(tmp_path)
    for option, given in EXAMPLES[command].items():
        if option == "--config":
            (tmp_path / given.split()[1]).write_text("{}")
        line = example(command, option)
        rmkit, name, *words = shlex.split(line)
        assert (rmkit, name) == ("rmkit", command) and option in words
        words += ["--use_cpu"] * (option == "--bf16")  # which a CPU without that word refuses
        parse(command, words, *commands()[command].dataclass_types)
        assert f"(rmkit-{command}{option})=" in pages["reference/cli"] and f"\n{line}\n" in pages["reference/cli"]
    assert EXAMPLES[command].keys() == shown(command).keys()


def test_every_field_is_there_with_type_default_and_help(pages):
    page = pages["reference/config"]
    for field in dataclasses.fields(RewardConfig):
        where = page if field.name not in OLDER else pages["reference/older_names"]
        assert f"{{py:attribute}} RewardConfig.{field.name}\n" in where, field.name
    length = page.partition("RewardConfig.max_length\n")[2].partition(":::")[0]
    assert ':type: "int | None"\n:value: "1024"\n\nLongest prompt plus response' in length
    titles = re.findall(r"^### (.+)", page, re.M)
    assert titles.index("Which loss") > titles.index("Columns by their names, where they aren't found")
    assert page.index("RewardConfig.loss_type\n") > page.index("### Which loss")


def test_every_older_name_is_told_with_what_became_of_it(pages):
    page = pages["reference/older_names"]
    told = {match[2].partition(".")[2]: page[match.end():].partition("\n:::")[0] for match in DIRECTIVE.finditer(page)}
    for name in (FOLLOWED | LEFT).keys() & older_fields().keys():
        row = (FOLLOWED | LEFT)[name]
        assert (row.newer or row.note.split("`")[0]) in told[name], name
    assert "[`optim='adafactor'`](#rmkit.config.RewardConfig.optim) today" in told["adafactor"]
    assert "hub_model_id='name/my-rm'" in told["push_to_hub_organization"]
    assert (FOLLOWED | LEFT).keys() <= told.keys() | fields_of_config().keys() and OLDER.keys() <= told.keys()
    for name, value, newer in OLDER_VALUES + OTHER_SPELLINGS:
        assert re.search(rf"\| .*`{name}`.* \| `{re.escape(repr(value))}` \| `{re.escape(repr(newer))}` \|", page)
    for module, homes in rmkit._moved.items():
        for home, moved in homes.items():
            assert all(f"`rmkit.{module}.{name}` | [`rmkit.{home}.{name}`](#rmkit.{home}.{name})" in page
                       for name in moved.split())
    assert "`ModelConfig`, `ScriptArguments`" in page and "\n: rmkit's options are fields of [`RewardConfig`](#" in page
    assert all(f"({older_anchor(name)})=" in page for name in rmkit._elsewhere)


# Links --------------------------------------------------------------------------------------------------------------

def linked(text, page="index"):
    "The targets of the links that a text gets; it must have nothing stale"
    links.unresolved.clear()
    found = link_symbols(text, page)
    assert not links.complaint()
    return re.findall(r"\]\(#?(?:rmkit\.)?([^)]+)\)", found)


@pytest.mark.parametrize("text, target", [
    ("RewardTrainer", "trainer.RewardTrainer"), ("rmkit.RewardTrainer", "trainer.RewardTrainer"),
    ("rmkit.trainer.RewardTrainer", "trainer.RewardTrainer"), ("rmkit.trainer", "trainer"),
    ("RewardModel.score", "scoring.RewardModel.score"), ("browser.front_end", "browser.front_end"),
    ("rmkit.scoring.PairScores", "table.PairScores"),  # where it once stood
    ("trainer.visualize()", "trainer.RewardTrainer.visualize"), ("viz.save", "visualizer.RewardVisualizer.save"),
    ('viz.save("page.html")', "visualizer.RewardVisualizer.save"), ("make_pairs", "synthetic.make_pairs"),
    ("trainer.visualize(marks=...)", "trainer.RewardTrainer.visualize"),
    ("score_pairs", "scoring.RewardModel.score_pairs"),
    ("RewardConfig(max_length=512, ...)", "config.RewardConfig"), ("LOSS_TYPES", "losses.LOSS_TYPES"),
    ("RewardConfig.max_length", "config.RewardConfig.max_length"), ("max_length", "config.RewardConfig.max_length"),
    ("RewardConfig.weight_decay", "config.RewardConfig.weight_decay"), ("bf16", "config.RewardConfig.bf16"),
    ('overlong="drop"', "config.RewardConfig.overlong"), ("no_cuda", "config.RewardConfig.no_cuda"),
    ("RewardConfig | None", "config.RewardConfig"), ("list[RewardConfig]", "config.RewardConfig"),
    ("setup_chat_format", "older-setup_chat_format"), ("rmkit train", "rmkit-train"),
    ("rmkit eval --by", "rmkit-eval--by"), ("rmkit eval --model my-rm --by source", "rmkit-eval"),
    ("--prompt_column", "rmkit-train--prompt_column"), ("--by", "rmkit-eval--by"),
    ("--weight-decay 0.1", "rmkit-train--weight_decay"), ("--adam_beta1", "config.RewardConfig.adam_beta1"),
    ("rmkit train | eval", "/reference/cli.md"), ("python -m rmkit.cli", "cli"), ("rmkit --help", "/reference/cli.md"),
    ("from rmkit import RewardModel", "scoring.RewardModel"), ("12_data", "/data.ipynb"),
    ("trainer.compute_loss = ...", "trainer.RewardTrainer.compute_loss"),
    ("rmkit.RewardModel(model, tokenizer).score(prompt, responses)", "scoring.RewardModel.score"),
    ('rmkit.data.detect_format(row).kind == "messages"', "data.detect_format"),
])
def test_a_name_in_backticks_is_a_link(text, target):
    assert linked(f"What `{text}` is.") == [target]


@pytest.mark.parametrize("text", [
    "chosen", "score", "prompt", "True", "reward_chosen", "torch.nn.Module", "transformers.Trainer", "ValueError",
    "AutoTokenizer", "pip install .", "README.md", "rmkit/static/", "model.config.pad_token_id", "HF_HUB_OFFLINE",
    "trainer.state.log_history", "RewardTrainer.push_to_hub", "apply_chat_template", "(B, 2)", "rmkit[liger]",
    "Dataset", "GRPOTrainer", "tokenizer(question, answer)", "config.json", "rmkit._moved", "--help", "a <b>",
])
def test_what_is_not_ours_stays_as_it_is(text):
    assert linked(f"What `{text}` is.") == []


@pytest.mark.parametrize("text, nearest", [
    ("rmkit.trainer.RewardTrainr", "RewardTrainer"), ("RewardTrainr", "RewardTrainer"), ("rmkit.losess", None),
    ("RewardTrainer.visualise", "visualize"), ("trainer.visualise()", "visualize"), ("viz.corected", "corrected"),
    ("RewardConfig.max_lenght", None), ("RewardConfig(max_lenght=512)", "max_length"), ("max_lenght", "max_length"),
    ("make_pair()", "make_pairs"), ("score_pair", "score_pairs"), ("Dashbord", "Dashboard"), ("LOSS_KINDS", None),
    ("rmkit trane", "rmkit train"), ("rmkit eval --bye", "--by"), ("--promt_column", "--prompt_column"),
    ("rmkit score --by", None), ("05_model", None), ("from rmkit import RewardTrainr", "RewardTrainer"),
    ("max_lenght=512", "max_length"), ("RewardModel.score(promt=1)", "prompts"),
    ("RewardTrainr.train", "RewardTrainer"),
    ("python -m rmkit.comandline", None), ("trainer.visualise = ...", "visualize"), ("my_own.thing", None),
    ("RewardModel(model).scor('Hi')", "score"),
])
def test_a_stale_name_is_found(text, nearest):
    links.unresolved.clear()
    assert link_symbols(f"What `{text}` is.", "index") == f"What `{text}` is."
    told = links.complaint()
    links.unresolved.clear()
    assert told.startswith(f"index: `{text}`: there is no ") and (nearest is None or f"`{nearest}`" in told), told


def test_a_page_s_own_code_says_what_a_bare_name_means():
    assert linked("`accuracy`", "metrics") == ["metrics.accuracy"] and linked("`accuracy`", "index") == []
    assert linked("`merge`", "model") == ["model.merge"]
    assert linked("`merge`", "running") == ["running.RunningMetrics.merge"]
    assert linked("`evaluate`", "trainer") == ["trainer.RewardTrainer.evaluate"]
    assert linked("`token_rewards`", "head") == ["head.token_rewards"]
    assert linked("```\nmy_own_name = 1\n```\n\n`my_own_name`", "index") == []
    assert linked("TRL's `RewardTrainer` and `RewardTrainer`") == ["trainer.RewardTrainer"]
    assert linked("`overlong`", "reference/config") == ["config.RewardConfig.overlong"]
    assert linked("`--bf16`", "benchmarks") == []  # an option of its scripts


@pytest.mark.parametrize("text", [
    "```python\nRewardTrainer `RewardTrainer`\n```", "~~~\n`RewardTrainer`\n~~~", "[`RewardTrainer`](x.md)",
    "[the `RewardTrainer` of old](x.md)", "![`RewardTrainer`](x.png)", "<a href='x'>`RewardTrainer`</a>",
    "<div>\n`RewardTrainer`\n</div>", "<!-- `RewardTrainer` -->", "{py:obj}`RewardTrainer`", "\\`RewardTrainer\\`",
    "> ```\n> `RewardTrainer`\n> ```", "[`RewardTrainer`][x]",
])
def test_no_link_in_code_in_a_link_or_in_html(text):
    assert linked(text) == [x for x in ("x.md", "x.png") if f"({x})" in text]


@pytest.mark.parametrize("before, after", [
    ("## The `RewardTrainer`", "## The [`RewardTrainer`](#rmkit.trainer.RewardTrainer)"),
    ("| `RewardConfig \\| None` |", "| [`RewardConfig \\| None`](#rmkit.config.RewardConfig) |"),
    ("**`RewardModel`**, ``RewardModel``", "**[`RewardModel`](#rmkit.scoring.RewardModel)**, "
                                           "[``RewardModel``](#rmkit.scoring.RewardModel)"),
    ("```\nx\n```\n`RewardModel`", "```\nx\n```\n[`RewardModel`](#rmkit.scoring.RewardModel)"),
    ("[a](b) `RewardModel` [c](d)", "[a](b) [`RewardModel`](#rmkit.scoring.RewardModel) [c](d)"),
])
def test_links_stand_in_markdown(before, after):
    assert link_symbols(before, "index") == after


def forget():
    "Have everything read anew"
    for module in (symbols, contexts, names):
        for each in vars(module).values():
            if hasattr(each, "cache_clear"): each.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    "A copy of the package, read instead of ours"
    copy = tmp_path / "rmkit"
    shutil.copytree(ROOT / "rmkit", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for module in (symbols, contexts):
        monkeypatch.setattr(module, "PACKAGE", copy)
    yield copy
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("name, newer, text", [
    ("word_diff", "words_apart", "word_diff"), ("plot_reliability", "draw_reliability", "rmkit.plots.plot_reliability"),
    ("as_reward_func", "as_reward_function", "as_reward_func"), ("PairScores", "ScoredPairs", "PairScores.show"),
])
def test_a_renamed_name_is_found_though_comments_still_have_it(package, name, newer, text):
    assert linked(f"`{text}`", "contributing")
    for path in package.glob("*.py"):
        said = re.sub(rf"\b{name}\b", newer, path.read_text(encoding="utf-8"))
        path.write_text(said + f"\n# once `{name}`\ndef _():\n    'As `{name}` did.'\n", encoding="utf-8")
    forget()
    links.unresolved.clear()
    link_symbols(f"`{text}`", "index")
    told = [each.text for each in links.unresolved]
    links.unresolved.clear()
    assert told == [text]


def test_nothing_is_stale_in_what_people_wrote():
    "Chapters, tutorials, and what the repository says of itself"
    links.unresolved.clear()
    for page, path in contexts.notebooks_by_page().items():
        for cell in Chapter.read(path).cells:
            if cell.kind == "markdown":
                link_symbols(cell.source, page)
    for page, path in dict(changelog="CHANGELOG.md", contributing="CONTRIBUTING.md", index="README.md",
                           benchmarks="benchmarks/README.md").items():
        link_symbols((ROOT / path).read_text(encoding="utf-8"), page)
    assert not links.complaint(), links.complaint()
