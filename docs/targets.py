"""What a text in backticks leads to: the place of its entry in the reference, or nothing of ours.

`target_of` gives the target of a link; None where the text is no name of rmkit; it raises `Stale` where the text looks
like one and isn't. An expression is read as Python, a command as `rmkit --help` has it."""
import ast
import re

from contexts import Context, imports_of, is_known, looks_ours, notebooks_by_page
from names import bare, dotted, field_anchor, package_name, Stale
from options_reference import commands, fields_of_config, older_fields, option_anchor, shown
from symbols import entries

FILE = re.compile(r".*\.(py|pyi|js|css|html|md|ipynb|jsonl?|ya?ml|csv|tsv|parquet|arrow|ini|toml|cff|txt|safetensors|"
                  r"jinja|typed|png|svg|sh|whl|gz)")


# Expressions --------------------------------------------------------------------------------------------------------

def chain(node) -> list | None:
    "The names of `a.b.c`, and of `a.b(x).c`; None for anything else."
    if isinstance(node, ast.Name):
        return [node.id]
    value = getattr(node, "value", None)
    before = chain(value.func if isinstance(value, ast.Call) else value) if isinstance(node, ast.Attribute) else None
    if before:
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
    if isinstance(node, ast.Compare):
        return target_of_expression(node.left, context)
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
