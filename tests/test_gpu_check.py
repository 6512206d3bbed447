"The script for a person with a GPU, tried on a CPU: what needs no GPU is checked and right, and a failure is told"
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import gpu_check


def run(monkeypatch, capsys, tmp_path, *options):
    "Exit status, printed table, numbers"
    save = tmp_path / "checks.json"
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--device", "cpu", "--quick", "--save", str(save), *options])
    monkeypatch.setattr(gpu_check, "disable_progress_bars", lambda: None)
    monkeypatch.setattr(gpu_check.logging, "disable", lambda level: None)
    with pytest.raises(SystemExit) as ended: gpu_check.main()
    return ended.value.code, capsys.readouterr().out, json.loads(save.read_text())


def test_on_a_cpu(monkeypatch, capsys, tmp_path):
    status, table, saved = run(monkeypatch, capsys, tmp_path)
    by_check = {row["check"]: row["result"] for row in saved["checks"]}
    assert status == saved["failed"] == 0, table
    assert set(by_check) == {*gpu_check.CHECKS, *gpu_check.SPEED}
    assert by_check.pop("scaler") == "not run: needs a GPU"
    assert {by_check.pop(what) for what in gpu_check.SPEED} == {"not run: --quick"}
    assert {result for result in by_check.values() if not result.startswith("not run: bitsandbytes")} == {"ok"}
    assert "| out_of_memory | float32: memory never ran out | ok | 0 | 0 |" in table
    assert "0 failed; not run: scaler" in table
    assert "gpu" not in saved["about"] and saved["about"]["versions"]["torch"] == version("torch")


def test_a_failure_is_told_and_the_rest_goes_on(monkeypatch, capsys, tmp_path):
    def broken(device):
        yield "right", 1e-9, 1e-6
        yield "wrong", 2e-6, 1e-6
        yield "not a number", float("nan"), 1e-6
        raise RuntimeError("a kernel's message")
    monkeypatch.setitem(gpu_check.CHECKS, "attention_kernels", broken)
    status, table, saved = run(monkeypatch, capsys, tmp_path, "--only", "attention_kernels", "rewards_of_texts")
    assert status == 1 and saved["failed"] == 3 and "3 failed" in table
    told = dict(re.findall(r"\| attention_kernels \| (.*?) \| (\S+) \|", table))
    wrong = ["wrong", "not a number", "RuntimeError: a kernel's message"]
    assert told == {"right": "ok"} | dict.fromkeys(wrong, "FAILED")
    assert sum(row["check"] == "rewards_of_texts" and row["result"] == "ok" for row in saved["checks"]) == 5


def test_a_wrong_kernel_is_found(monkeypatch):
    "Attention that looks one token too far back"
    right = gpu_check.rectangle_attention
    def wrong(q, k, v, branches, scale, window=None):
        return right(q, k, v, branches, scale, window and window + (q.dtype == torch.float32))
    monkeypatch.setattr(gpu_check, "rectangle_attention", wrong)
    made = gpu_check.outcome("attention_kernels", gpu_check.attention_kernels, "cpu")
    failed = [row["what"] for row in made if row["result"] == "FAILED"]
    assert failed == ["rectangles, float32, 2 of 4 heads, width 64, window"]
