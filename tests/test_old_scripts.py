"""Training scripts of three years of TRL, told again in a few lines; only the import changed. Each asserts its result.

`# Command: ...` in a script is what followed its name on the command line; `# Stops: ...` is what it stops with, where
the right answer is an error. Its globals hold a model (`MODEL`, a classifier; `LM`, a language model; both with a
tokenizer) and data (`DATA`), in the place of names on the Hub."""
import json
import re
import runpy
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from rmkit.synthetic import make_pairs, tiny_causal_lm, tiny_model, tiny_tokenizer

SCRIPTS = sorted((Path(__file__).parent / "old_scripts").glob("*.py"))


def rows_of(split):
    "The same pairs in four layouts: text, HH transcripts, conversations, Stack Exchange's columns"
    for row in make_pairs(16 if split == "train" else 8, seed=0, split=split):
        prompt, chosen, rejected = (row[k][-1]["content"] for k in ("prompt", "chosen", "rejected"))
        yield dict(text=dict(prompt=prompt, chosen=chosen, rejected=rejected),
                   hh={k: f"\n\nHuman: {prompt}\n\nAssistant: {row[k][-1]['content']}" for k in ("chosen", "rejected")},
                   chat={k: row["prompt"] + row[k] for k in ("chosen", "rejected")},
                   stack=dict(question=prompt, response_j=chosen, response_k=rejected))


@pytest.fixture(scope="module")
def at_hand(tmp_path_factory):
    "What a script finds in its globals"
    folder = tmp_path_factory.mktemp("hub")
    for name, model in (("MODEL", tiny_model(seed=0)), ("LM", tiny_causal_lm(seed=0))):
        model.save_pretrained(folder / name)
        tiny_tokenizer().save_pretrained(folder / name)
    for split in ("train", "test"):
        rows = list(rows_of(split))
        for layout in rows[0]:
            file = folder / "DATA" / layout / f"{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(json.dumps(row[layout]) + "\n" for row in rows))
    return {name: str(folder / name) for name in ("MODEL", "LM", "DATA")}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_old_script_runs(script, at_hand, tmp_path, monkeypatch):
    import datasets
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    source = script.read_text(encoding="utf-8").replace(" \\\n# ", " ")
    told = dict(re.findall(r"^# (Command|Stops): (.+)$", source, re.M))
    monkeypatch.setattr(sys, "argv", [script.name, *shlex.split(told.get("Command", "").format(**at_hand))])
    stops = pytest.raises(Exception, match=told["Stops"]) if "Stops" in told else nullcontext()
    with stops: runpy.run_path(str(script), at_hand, "__main__")


def test_there_is_a_script_for_every_style(): assert len(SCRIPTS) >= 25
