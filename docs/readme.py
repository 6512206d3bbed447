"Write README.md from nbs/index.ipynb: its prose, its code and what the code printed"
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HIDDEN = re.compile(r"^#\|\s*(hide|include:\s*false)\s*$", re.M)
DIRECTIVE = re.compile(r"^#\|.*\n?", re.M)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def text_outputs(cell):
    "What a code cell printed, as text; a picture's `<Axes ...>` is left out"
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if any(kind.startswith("image/") for kind in data):
            continue
        yield ANSI.sub("", "".join(output.get("text", data.get("text/plain", "")))).rstrip()


def from_root(text, folder="nbs"):
    "Links that are relative to the notebook's folder, made relative to the repository's root"
    text = re.sub(r"\]\((?!\w+:|#|/|\.\./)", f"]({folder}/", text)
    return text.replace("](../", "](").replace('src="../', 'src="')


def readme(notebook: dict) -> str:
    "The README of an index notebook, given as parsed JSON"
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if HIDDEN.search(source) or cell["cell_type"] == "raw":
            continue
        if cell["cell_type"] == "markdown":
            parts.append(from_root(source))
            continue
        parts.append(f"```python\n{DIRECTIVE.sub('', source).strip()}\n```")
        parts += [f"```text\n{text}\n```" for text in text_outputs(cell) if text]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    index = json.loads((ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8"))
    (ROOT / "README.md").write_text(readme(index), encoding="utf-8")
