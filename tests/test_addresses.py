"Old addresses go on working, and light chapters stay light"
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import rmkit

NAMES = json.loads((Path(__file__).parent / "old_addresses.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", NAMES)
def test_a_public_name_is_found_where_it_once_stood(module):
    "`from rmkit.data import load_rows` was right once, and gives today's object; constants that only tune aren't held"
    found = {name: getattr(import_module(f"rmkit.{module}"), name) for name in NAMES[module].split()}
    homes = {name: home for home, names in rmkit._moved.get(module, {}).items() for name in names.split()}
    for name, home in homes.items():
        assert name in found and found[name] is getattr(import_module(f"rmkit.{home}"), name)


def test_a_name_that_never_was_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'rmkit.data' has no attribute 'lode_rows'"):
        import_module("rmkit.data").lode_rows
    with pytest.raises(ImportError, match="lode_rows"):
        exec("from rmkit.data import lode_rows")


def imported_by(module):
    "The packages that importing a module brings in, in a process of its own"
    code = f"import sys, rmkit.{module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


LIGHT = ("words tokens checks metrics table intervals fits calibration bias suspects best_of duplicates rules filters "
         "differences plots report review").split()


@pytest.mark.parametrize("module", LIGHT)
def test_pictures_and_tables_need_no_model(module):
    assert not {"torch", "peft", "accelerate", "trl"} & imported_by(module)


@pytest.mark.parametrize("module", ["browser", "options", "cli"])
def test_what_answers_at_once_imports_next_to_nothing(module):
    assert not {"torch", "transformers", "datasets", "pandas", "matplotlib"} & imported_by(module)
