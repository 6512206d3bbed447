"""Write the type stubs, `rmkit/*.pyi`: `python docs/stubs.py`.

A method that is patched into its class stands outside of it, where neither an editor nor a type checker looks. A stub
lists each class with all its methods, for the modules that patch, and the names that the package loads on first use. It
is made of the source alone: signatures as they were written, docstrings, and the attributes that methods set on `self`.
Private functions are left out."""
import ast
import re

from chapters import DEFINITIONS, IMPORTS, ROOT

FUNCTIONS = DEFINITIONS[:2]
PACKAGE = ROOT / "rmkit"
WIDTH = 120
KEPT_DECORATORS = {"property", "cached_property", "setter", "classmethod", "staticmethod", "contextmanager", "overload",
                   "dataclass"}
ELLIPSIS = ast.Expr(ast.Constant(...))
CONTAINERS = {"dict", "list", "set", "tuple"}
HEAD = "# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.\n"


def is_public(name: str) -> bool:
    return not name.startswith("_") or name.endswith("__")


def decorator(node) -> str:
    "The last name of a decorator: `dataclass` of `@dataclass(frozen=True)`."
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id


def patch_of(node) -> ast.AST | None:
    "The `@patch` of a function, None if there is none."
    return next((each for each in getattr(node, "decorator_list", []) if decorator(each) == "patch"), None)


# Values and types ---------------------------------------------------------------------------------------------------

def default(value):
    "A default as a stub shows it: a plain constant, or `...`."
    simple = isinstance(value, ast.Constant) or isinstance(value,
                                                           ast.UnaryOp) and isinstance(value.operand, ast.Constant)
    return value if value is None or simple else ast.Constant(...)


def type_of(value, parameters: dict) -> str:
    """The type of a value, as far as the source says it: of a literal, of a new object, of an annotated parameter.
    A None says nothing about what comes in its place."""
    if isinstance(value, ast.Name) and parameters.get(value.id):
        return ast.unparse(parameters[value.id])
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        made = value.func.id
        return made if made[0].isupper() or made in CONTAINERS else "Any"
    if isinstance(value, ast.JoinedStr):
        return "str"
    try:
        kind = type(ast.literal_eval(value)).__name__
    except ValueError:
        return "Any"
    return "Any" if kind == "NoneType" else kind


def gives_nothing(node) -> bool:
    "Whether a function neither returns nor yields a value."
    inner = {id(part) for each in ast.walk(node) if isinstance(each, (*FUNCTIONS, ast.Lambda)) and each is not node
             for part in ast.walk(each)}
    own = [part for part in ast.walk(node) if id(part) not in inner]
    return not any(isinstance(part, (ast.Yield, ast.YieldFrom)) or isinstance(part, ast.Return) and part.value
                   for part in own)


# Functions and classes ----------------------------------------------------------------------------------------------

def docstring_of(node) -> list:
    return node.body[:ast.get_docstring(node) is not None]


def function(node):
    "A function without its body."
    arguments = node.args
    arguments.defaults = [default(value) for value in arguments.defaults]
    arguments.kw_defaults = [default(value) for value in arguments.kw_defaults]
    decorators = [each for each in node.decorator_list if decorator(each) in KEPT_DECORATORS]
    returns = node.returns or (ast.Constant(None) if gives_nothing(node) else None)
    return type(node)(name=node.name, args=arguments, body=docstring_of(node) or [ELLIPSIS], decorator_list=decorators,
                      returns=returns,
                      lineno=node.lineno, type_params=[])


def method(node):
    "A patched function as a method of its class."
    found, patch = function(node), patch_of(node)
    options = {each.arg for each in patch.keywords} if isinstance(patch, ast.Call) else set()
    found.args.args[0].annotation = None
    kind = "property" if "as_prop" in options else "classmethod" if "cls_method" in options else None
    if kind:
        found.decorator_list.insert(0, ast.Name(kind))
    return found


def attributes(methods: list) -> dict:
    "What methods set on `self`, with the type that is known first: `{name: type}`."
    found = {}
    for node in methods:
        if not node.args.args:
            continue
        parameters = {each.arg: each.annotation for each in [*node.args.args, *node.args.kwonlyargs]}
        for statement in ast.walk(node):
            for target, value in assigned(statement):
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == node.args.args[0].arg == "self":
                    kind = type_of(value, parameters)
                    found[target.attr] = kind if found.get(target.attr, "Any") == "Any" else found[target.attr]
    return found


def assigned(statement):
    "The single targets of an assignment, each with its value; of `a, b = f()` without one."
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    for target in targets if isinstance(statement, (ast.Assign, ast.AnnAssign)) else []:
        if not isinstance(target, ast.Tuple):
            yield target, statement.value
        elif isinstance(statement.value, ast.Tuple):
            yield from zip(target.elts, statement.value.elts)
        else:
            yield from ((each, None) for each in target.elts)


def declaration(name: str, kind: str):
    return ast.parse(f"{name}: {kind}").body[0]


def fields_of(node) -> list:
    "What stands in a class beside its methods: fields keep whether they have a default, other values their type."
    found = []
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and is_public(statement.target.id):
            value = default(statement.value)
            found.append(ast.AnnAssign(statement.target, statement.annotation, value, simple=1))
        elif isinstance(statement, ast.Assign):
            found += [declaration(target.id, type_of(value, {})) for target, value in assigned(statement)
                      if isinstance(target, ast.Name) and is_public(target.id)]
    return found


def class_of(node, patched: list, later: dict):
    "A class with its fields, its methods, those that are patched into it, and the attributes that any of them sets."
    written = [each for each in node.body if isinstance(each, FUNCTIONS)]
    fields = fields_of(node)
    known = {each.target.id for each in fields} | {each.name for each in [*written, *patched]}
    is_dataclass = "dataclass" in map(decorator, node.decorator_list)  # whose attributes would be taken for fields
    set_somewhere = later if is_dataclass else {**attributes([*written, *patched]), **later}
    fields += [declaration(name, kind) for name, kind in set_somewhere.items() if is_public(name) and name not in known]
    methods = [function(each) for each in written if is_public(each.name)]
    methods += [method(each) for each in patched if is_public(each.name)]
    decorators = [each for each in node.decorator_list if decorator(each) in KEPT_DECORATORS]
    return ast.ClassDef(name=node.name, bases=node.bases, keywords=node.keywords, decorator_list=decorators,
                        type_params=[],
                        body=[*docstring_of(node), *fields, *methods] or [ELLIPSIS])


# A module -----------------------------------------------------------------------------------------------------------

def patched_into(node) -> list:
    "The names of the classes that a function is patched into."
    if not patch_of(node):
        return []
    annotation = ast.unparse(node.args.args[0].annotation)
    return re.findall(r"\w+", annotation)


def import_of(node, used: set):
    "The names of an import that the stub needs; rmkit's own are passed on, since the module passes them on."
    ours = isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("rmkit"))
    names = []
    for each in node.names:
        passed_on = ours and not each.asname
        if passed_on or (each.asname or each.name).partition(".")[0] in used:
            names.append(ast.alias(each.name, each.name if passed_on else each.asname))
    if names:
        return ast.ImportFrom(node.module, names, node.level) if isinstance(node, ast.ImportFrom) else ast.Import(names)


def made_class(node) -> ast.ClassDef | None:
    "`Name = make_dataclass('Name', bases=...)` as a class."
    value = node.value if isinstance(node, ast.Assign) else None
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "make_dataclass":
        bases = next((each.value.elts for each in value.keywords if each.arg == "bases"), [])
        return ast.ClassDef(name=node.targets[0].id, bases=bases, keywords=[], body=[], decorator_list=[],
                            type_params=[])


def contents(tree: ast.Module, patches: dict) -> list:
    "The statements of a stub, imports aside."
    later = {}  # what the module sets on a class after making it
    for target, value in (pair for node in tree.body for pair in assigned(node)):
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            later.setdefault(target.value.id, {})[target.attr] = type_of(value, {})
    found, declared = [], set()
    for node in tree.body:
        made = node if isinstance(node, ast.ClassDef) else made_class(node)
        if made:
            found.append(class_of(made, patches.get(made.name, []), later.get(made.name, {})))
        elif isinstance(node, FUNCTIONS) and not patch_of(node) and is_public(node.name):
            found.append(function(node))
        else:
            names = {target.id: node if target.id == "__all__" else declaration(target.id, type_of(value, {}))
                     for target, value in assigned(node) if isinstance(target, ast.Name) and is_public(target.id)}
            found += [statement for name, statement in names.items() if name not in declared]
            declared.update(names)
    return found


def stub(source: str, patches: dict) -> str:
    """The stub of a module.

    `patches`: functions that are patched into a class, here or in another module, by the class's name."""
    tree = ast.parse(source)
    statements = contents(tree, patches)
    used = {part.id for node in statements for part in ast.walk(node) if isinstance(part, ast.Name)}
    imports = [made for node in tree.body if isinstance(node, IMPORTS) and (made := import_of(node, used))]
    if "Any" in used and not any("Any" in ast.unparse(each) for each in imports):
        imports.insert(0, ast.parse("from typing import Any").body[0])
    text = "\n".join(
        [*map(unparse, imports), "", *(unparse(each) + "\n" * isinstance(each, DEFINITIONS) for each in statements)])
    return HEAD + text.rstrip() + "\n"


def unparse(node) -> str:
    "The source of a statement, a parameter on a line of its own where a signature is too long."
    return "\n".join(map(wrapped, ast.unparse(ast.fix_missing_locations(node)).splitlines()))


def wrapped(line: str) -> str:
    match = re.fullmatch(r"( *)((?:async )?def \w+\(|from [\w.]+ import |__all__ = \[)(.*?)(\)(?: -> .*)?:|\]|)", line)
    if len(line) <= WIDTH or not match:
        return line
    indent, head, inside, tail = match.groups()
    opening, closing = ("(", ")") if head.startswith("from") else ("", "")
    parts = split_at_commas(inside)
    return "\n".join(
        [f"{indent}{head}{opening}", *(f"{indent}    {part}," if not part.startswith("**") else f"{indent}    {part}"
                                                    for part in parts), f"{indent}{closing}{tail}"])


def split_at_commas(text: str) -> list:
    "The parts between the commas that stand in no bracket and no string."
    parts, depth, quote = [""], 0, ""
    for sign in text:
        quote = "" if sign == quote else quote or sign * (sign in "'\"")
        depth += (not quote) * ((sign in "([{") - (sign in ")]}"))
        if sign == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def package_stub(source: str) -> str:
    "The names that the package loads on first use, as imports: `_home`, and those of `_elsewhere` that lead to a name."
    tables = {target.id: value for node in ast.parse(source).body for target, value in assigned(node)
              if isinstance(value, ast.Dict)}
    homes = {name: (home, name) for name, home in ast.literal_eval(tables["_home"]).items()}
    for key, value in zip(tables["_elsewhere"].keys, tables["_elsewhere"].values):
        if isinstance(value, ast.Constant) and re.fullmatch(r"\w+\.\w+", value.value):
            homes[key.value] = tuple(value.value.split("."))
    lines = [f"from .{home} import {name} as {called}" for called, (home, name) in homes.items()]
    public = ["__version__", *ast.literal_eval(tables["_home"])]
    names = ["__all__ = [", *(f'    "{name}",' for name in public), "]"]
    return "\n".join([HEAD.rstrip(), *lines, "", "__version__: str", *names, ""])


def stubs() -> dict:
    "The stubs of the package: file name to text."
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.glob("[!_]*.py"))}
    trees = {name: ast.parse(source) for name, source in sources.items()}
    patches = {}
    for tree in trees.values():
        for node in tree.body:
            for owner in patched_into(node):
                patches.setdefault(owner, []).append(node)
    patching = [name for name, tree in trees.items()
                if any(isinstance(node, ast.ClassDef) and node.name in patches for node in tree.body)]
    package = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    return {"__init__.pyi": package_stub(package), **{f"{name}.pyi": stub(sources[name], patches) for name in patching}}


def main():
    fresh = stubs()
    for path in PACKAGE.glob("*.pyi"):
        if path.name not in fresh:
            path.unlink()
    for name, text in fresh.items():
        (PACKAGE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
