"""The reference of options, fields and older names, from what takes them: the parsers behind `rmkit --help`, the fields
of `RewardConfig`, the tables of older names."""
import json
import re
from argparse import SUPPRESS
from functools import cache
from types import SimpleNamespace
from unittest.mock import patch

from examples import example


class Asked(Exception):
    "Stops a command where it would parse its arguments, and holds their classes."


# Commands -----------------------------------------------------------------------------------------------------------

@cache
def commands() -> dict:
    "Command -> the parser that gives its --help."
    from rmkit import cli
    from rmkit.options import make_parser

    def ask(command, words, *classes):
        raise Asked(classes)
    found = {}
    for name, run in cli.COMMANDS.items():
        try:
            with patch.object(cli, "parse", ask):
                run([])
        except Asked as asked:
            found[name] = make_parser(name, *asked.args[0])
    return found


def shown(command: str) -> dict:
    "Option -> action, of those that --help lists."
    actions = [action for group in commands()[command]._action_groups for action in group._group_actions]
    return {action.option_strings[0]: action for action in actions
            if action.help != SUPPRESS and action.dest != "help"}


def option_anchor(command: str, option: str) -> str | None:
    "Where an option of a command is explained; None where it has no such option."
    name = option.lstrip("-").replace("-", "_")
    if f"--{name}" in shown(command):
        return f"rmkit-{command}--{name}"
    if any(f"--{name}" in action.option_strings for action in commands()[command]._actions):
        return f"rmkit.config.RewardConfig.{name.removeprefix('no_')}"
    return None


def value_of(action) -> str:
    "What follows an option, as --help writes it."
    return action.metavar or ("" if action.nargs == "?" else action.dest.upper())


def option_lines(command: str, option: str, action, link) -> list:
    help = action.help + "." * (not action.help.endswith((".", ")")))
    choices = f" One of {', '.join(f'`{word}`' for word in action.choices)}." if action.choices else ""
    default = action.default
    says = "" if default in (None, False, SUPPRESS, []) else f" Default: `{default}`."
    return [f"({option_anchor(command, option)})=", "", f":::{{option}} {option} {value_of(action)}".rstrip(), "",
            link(help) + " Must be given." * action.required + choices + says, "", "```bash",
            example(command, option), "```", ":::", ""]


@cache
def group_of(dest: str) -> str:
    "The heading over an option of `rmkit train`: the part of the config that its field is in."
    groups = {name: title for title, names in field_groups().items() for name in names}
    return groups.get(dest, list(field_groups())[-2] if dest in older_fields() else "The command's own")


def command_lines(command: str, link) -> list:
    "The section of a command: what it does, how it is called, its options."
    parser = commands()[command]
    about, _, rest = parser.description.partition("\n\n")
    blocks = [f"```bash\n{block}\n```" if block.startswith("rmkit ") else link(block) for block in rest.split("\n\n")]
    lines = [f"(rmkit-{command})=", "", f"## rmkit {command}", "", link(about), "", "```text",
             parser.format_usage().strip(), "```", "", "\n\n".join(blocks), "",
             f":::{{program}} rmkit {command}", ":::", ""]
    if command == "train":
        lines += ["They are listed with the [fields of the config](config.md#fields-of-rewardconfig).", ""]
    groups = {}
    for option, action in shown(command).items():
        groups.setdefault(group_of(action.dest) if command == "train" else "", []).append((option, action))
    for title, options in groups.items():
        lines += [f"### {title}", ""] * bool(title)
        lines += [line for option, action in options for line in option_lines(command, option, action, link)]
    return lines


def cli_lines(link) -> list:
    "The commands, all of them."
    from rmkit.cli import HELP, version
    lines = ["```text", HELP.format(version=version("rmkit")).rstrip(), "```", ""]
    return lines + [line for command in commands() for line in command_lines(command, link)]


# Fields of the config -----------------------------------------------------------------------------------------------

@cache
def fields_of_config() -> dict:
    "Today's fields of `RewardConfig` by name, the inherited ones too."
    from rmkit.config import OLDER, RewardConfig
    return {name: each for name, each in RewardConfig.__dataclass_fields__.items() if name not in OLDER}


@cache
def types_of_fields() -> dict:
    "Their types as they were written: `HfArgumentParser` writes into the fields what a command line gives."
    from rmkit.config import RewardConfig
    found = {}
    for each in reversed(RewardConfig.__mro__):
        found |= vars(each).get("__annotations__", {})
    return found


@cache
def older_fields() -> dict:
    from rmkit.config import FOLLOWED, LEFT
    return {name: row for name, row in (FOLLOWED | LEFT).items() if name not in fields_of_config()}


@cache
def field_groups() -> dict:
    "Heading -> names of fields, as the class groups them; what `TrainingArguments` brings comes last."
    from rmkit import config
    from rmkit.options import USUAL
    kinds = [each for each in reversed(config.RewardConfig.__mro__)
             if each.__module__ == "rmkit.config" and each.__name__.startswith("_") and each.__doc__]
    groups = {kind.__doc__.rstrip("."): list(vars(kind).get("__annotations__", {})) for kind in kinds}
    groups = {title: names for title, names in groups.items() if names}
    ours = {name for names in groups.values() for name in names}
    rest = [name for name in fields_of_config() if name not in ours]
    return groups | {"Of transformers, often set": [name for name in USUAL if name in rest],
                     "Of transformers, seldom set": [name for name in rest if name not in USUAL]}


def type_text(kind) -> str:
    text = kind if isinstance(kind, str) else kind.__name__ if isinstance(kind, type) and not str(kind).startswith(
        ("dict[", "list[")) else str(kind)
    return re.sub(r"\b(?:typing|transformers\.\w+(?:\.\w+)*)\.", "", text)


def default_text(each) -> str:
    made = each.default_factory() if callable(each.default_factory) else each.default
    return repr(getattr(made, "value", made))


def first_sentence(text: str) -> str:
    text = " ".join(text.split())
    found = re.match(r".+?[.!?](?= [A-Z`]|$)", text)
    return found[0] if found else text + "." * (not text.endswith("."))


def field_lines(name: str, link, whole: bool) -> list:
    "The entry of a field; `whole`: with all of its help, not just what it says first."
    each = fields_of_config()[name]
    help = each.metadata.get("help", "")
    return [f":::{{py:attribute}} RewardConfig.{name}", f":type: {json.dumps(type_text(types_of_fields()[name]))}",
            f":value: {json.dumps(default_text(each))}", "",
            link(" ".join(help.split())) if whole else link(first_sentence(help), strict=False), ":::", ""]


def config_lines(link) -> list:
    "Every field of the config, by group."
    lines = []
    for title, names in field_groups().items():
        is_ours = not title.startswith("Of transformers")
        lines += [f"### {title}", ""]
        for name in names:
            lines += field_lines(name, link, is_ours)
    return lines


# Older names --------------------------------------------------------------------------------------------------------

SAMPLES = {bool: True, int: 8, float: 0.1, str: "name", dict: {"use_reentrant": False}}


def written(name: str, value) -> str:
    return f"`{name}={value!r}`"


def became(name: str, row, link) -> str:
    "What becomes of an older field: today's, as the config itself turns it, or why there is none."
    if row.newer is None:
        return link(f"It {row.note}.")
    value = SAMPLES.get(row.kind, "steps")
    each = fields_of_config().get(row.newer)
    if each is None:
        return f"This version of transformers has no `{row.newer}` yet, and `{name}` is its own."
    now = each.default_factory() if callable(each.default_factory) else each.default
    turned = row.write(value, now, SimpleNamespace(output_dir="my-rm"))
    return f"{written(name, value)} is {link(written(row.newer, getattr(turned, 'value', turned)))} today."


def older_field_lines(link) -> list:
    lines = ["## Fields of the config", "", link("Older documentation, scripts and files name them; `RewardConfig` "
             "takes them, with a warning that says today's name. One that can't be followed is an error."), ""]
    for name, row in older_fields().items():
        lines += [f":::{{py:attribute}} RewardConfig.{name}", "", became(name, row, link), ":::", ""]
    return lines


def older_values_lines(link) -> list:
    from rmkit.config import OLDER_VALUES, OTHER_SPELLINGS
    lines = ["## Values of fields", "", "| field | older value | today's | |", "|---|---|---|---|"]
    for table, says in ((OLDER_VALUES, "with a warning"), (OTHER_SPELLINGS, "the same, said otherwise")):
        lines += [f"| {link(f'`{name}`')} | `{old!r}` | `{new!r}` | {says} |" for name, old, new in table]
    return [*lines, ""]


def moved_lines(link) -> list:
    import rmkit
    lines = ["## Names that have moved", "", "Both addresses work, and give the same object.", "",
             "| older address | today's |", "|---|---|"]
    for module, homes in rmkit._moved.items():
        for home, names in homes.items():
            lines += [f"| `rmkit.{module}.{name}` | {link(f'`rmkit.{home}.{name}`')} |" for name in names.split()]
    return [*lines, ""]


def trl_lines(link) -> list:
    import rmkit
    lines = ["## Names of TRL", "", "Importing one of them from rmkit, or asking for it, says this.", ""]
    alike = {}  # what is said -> of which names
    for name, says in rmkit._elsewhere.items():
        alike.setdefault(says, []).append(name)
    for says, names in alike.items():
        is_renamed = says.partition(".")[2].isidentifier()
        text = f"It is `rmkit.{says}`." if is_renamed else says.format(name=names[0] if len(names) == 1 else "...")
        lines += [*(f"({older_anchor(name)})=" for name in names), "", ", ".join(f"`{name}`" for name in names),
                  f": {link(text)}", ""]
    says = rmkit._missing("PPOTrainer").partition(": ")[2]
    return [*lines, "`PPOTrainer`, `DPOConfig`, `AutoModelForCausalLMWithValueHead` and their like", f": {says}.", ""]


def older_anchor(name: str) -> str:
    "Where a name of TRL is told what took its place."
    return f"older-{name.lower()}"


def older_page(link) -> str:
    "The page of older names."
    lines = ["# Older names", "", link("What TRL, transformers and rmkit itself once called something, and what became "
             "of it."), "", ":::{py:currentmodule} rmkit.config", ":::", "", *older_field_lines(link),
             *older_values_lines(link), *moved_lines(link), *trl_lines(link)]
    return "\n".join(lines)
