"Write README.md from nbs/index.ipynb: its prose, its code and what the code printed."
import json
import re

from chapters import cells_of, printed, ROOT


def from_root(text, folder="nbs"):
    "Links that are relative to the notebook's folder, made relative to the repository's root."
    text = re.sub(r"\]\((?!\w+:|#|/|\.\./)", f"]({folder}/", text)
    return text.replace("](../", "](").replace('src="../', 'src="')


def readme(notebook: dict) -> str:
    "The README of an index notebook, given as parsed JSON."
    parts = []
    for cell in cells_of(notebook):
        if cell.hidden or cell.kind == "raw":
            continue
        if cell.kind == "markdown":
            parts.append(from_root(cell.source))
            continue
        parts.append(f"```python\n{cell.shown.strip()}\n```")
        parts += [f"```text\n{text}\n```" for output in cell.outputs if (text := printed(output).rstrip())]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    index = json.loads((ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8"))
    (ROOT / "README.md").write_text(readme(index), encoding="utf-8")
