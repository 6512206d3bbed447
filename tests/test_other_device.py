"""What users do on a GPU, on a device that is pretended (`pretended`): no tensors of two devices meet, and the numbers
are those of the CPU"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "other_device.py"
USES = re.findall(r"^@use\ndef (\w+)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
ROUNDED = 1e-2  # what bfloat16 may change of a mean loss


def python(*args):
    "Run Python where the device can be pretended, on one core: what the uses do is small"
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | dict(PYTHONPATH=path, OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
    return subprocess.run([sys.executable, *map(str, args)], capture_output=True, text=True, timeout=900,
                          env=environment)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    "What each use gave on either device; one process does them all, since most of its time goes into starting"
    path = tmp_path_factory.mktemp("device") / "found.json"
    done = python(SCRIPT, path)
    assert path.exists(), done.stderr[-3000:]
    return json.loads(path.read_text())


@pytest.mark.parametrize("name", USES)
def test_numbers_are_those_of_the_cpu(found, name):
    for device, outcome in found[name].items(): assert "error" not in outcome, f"on {device}:\n{outcome['error']}"
    cpu, away = (found[name][device]["numbers"] for device in ("cpu", "away"))
    assert cpu.keys() == away.keys() and any(map(len, cpu.values()))
    for what, numbers in cpu.items():
        off = ROUNDED if what.endswith("rounded") else 2e-5
        assert np.allclose(away[what], numbers, rtol=0, atol=off, equal_nan=True), what


def test_resumed_is_the_run_that_was_not_broken_off(found):
    numbers = found["resuming"]["away"]["numbers"]
    assert np.allclose(numbers["weights"], numbers["whole"], rtol=0, atol=1e-6)


MIXED = """
import pretended, torch
kept = pretended.set_up()
there, here = torch.arange(6.).view(2, 3).to("away"), torch.ones(2, 3)
for name, mix in dict(add=lambda: there + here, cat=lambda: torch.cat([there, here]), out=lambda: here @ there.T,
                      stack=lambda: torch.stack([there[0, 0], here[0, 0]]), equal=lambda: torch.equal(there, here),
                      mask=lambda: there.where(here > 0, 0.), take=lambda: here[there.long()[0, :1]]).items():
    try: print(name, mix())
    except RuntimeError as error: assert "same device" in str(error), error
try: print("numpy", there.numpy())
except (RuntimeError, TypeError): pass
moved = there.cpu()
assert moved.device.type == "cpu" and torch.equal(moved.to("away").cpu(), moved)
assert (there * torch.tensor(2.))[1, torch.tensor([2])].item() == 10 and there.device.type == "away"
with torch.autocast("away", torch.bfloat16): assert (there @ there.T).dtype == torch.bfloat16
assert (there @ there.T).dtype == torch.float32 and torch.zeros(2, device="away").device == there.device
torch.save(there, "there.pt")
for place in (None, "cpu"): assert torch.load("there.pt", map_location=place).device.type == (place or "away")
print("all refused")
"""


def test_the_device_refuses_what_a_gpu_refuses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = python("-c", MIXED)
    assert done.stdout.split("\n") == ["all refused", ""], done.stdout + done.stderr
