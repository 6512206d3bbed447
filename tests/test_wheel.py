"What is built and shipped: the wheel's contents, and dependencies that are what the modules import"
import ast
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Imported on our behalf: Trainer runs on accelerate, chat templates are jinja2's, anywidget's widgets are ipywidgets'.
INDIRECT = {"accelerate", "jinja2", "ipywidgets"}
# Imported only where the user already has them: inside a notebook, by a run that reports to wandb.
USERS_OWN = {"ipython", "wandb"}


def distribution(requirement):
    "The name in a requirement, as package indexes spell it"
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    "The folder with the sdist and the wheel that is built from that sdist"
    tree, dist = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for name in "pyproject.toml", "settings.ini", "setup.py", "MANIFEST.in", "README.md", "LICENSE":
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "rmkit", tree / "rmkit", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, tree],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return dist


@pytest.fixture(scope="module")
def wheel(built):
    "The wheel's files: name to bytes"
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel):
    return message_from_string(next(data for name, data in wheel.items() if name.endswith("/METADATA")).decode())


def test_wheel_holds_the_package_and_nothing_else(wheel):
    package = {f"rmkit/{path.name}" for kind in ("*.py", "*.pyi", "py.typed") for path in (ROOT / "rmkit").glob(kind)}
    package |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "rmkit" / "static").rglob("*") if path.is_file()}
    assert {name for name in wheel if ".dist-info/" not in name} == package
    assert any(name.endswith("/LICENSE") for name in wheel)


def test_sdist_holds_the_package(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "settings.ini", "setup.py", "README.md", "LICENSE", "rmkit/__init__.py"} <= names


def test_command(wheel):
    entry_points = next(data for name, data in wheel.items() if name.endswith("/entry_points.txt")).decode()
    assert "rmkit = rmkit.cli:main" in entry_points.splitlines()


def test_metadata(metadata):
    import rmkit
    assert metadata["Name"] == "rmkit"
    assert metadata["Version"] == rmkit.__version__
    assert metadata["License-Expression"] == "Apache-2.0"


def imports(path):
    "Top-level names imported by a module, wherever in it: (always, only inside a function)"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef)
              for node in ast.walk(function) if node is not function}
    always, lazily = set(), set()
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
            [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
        (lazily if id(node) in inside else always).update(name.partition(".")[0] for name in names)
    return always, lazily


def test_dependencies_are_what_the_modules_import(metadata):
    requirements = metadata.get_all("Requires-Dist")
    required = {distribution(each) for each in requirements if "extra ==" not in each}
    optional = {distribution(each) for each in requirements if "extra ==" in each}
    provided_by = packages_distributions()
    found = [imports(path) for path in (ROOT / "rmkit").glob("*.py")]
    always, lazily = (
        {distribution(provided_by[name][0] if name in provided_by else name)
         for names in found for name in names[which] if name not in sys.stdlib_module_names} - {"rmkit"}
        for which in (0, 1))
    missing = always - required
    assert not missing, f"imported by rmkit, missing from requirements in settings.ini: {sorted(missing)}"
    missing = lazily - required - optional - USERS_OWN
    assert not missing, f"imported inside a function, in no dependencies or extra: {sorted(missing)}"
    unused = required - always - lazily - INDIRECT
    assert not unused, f"requirements in settings.ini that no module imports: {sorted(unused)}"
