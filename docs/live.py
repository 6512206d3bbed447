"""Live pages of the site: what a notebook saves in a cell `#| live: NAME.html` is made by a run of that notebook,
offline and in an empty folder, and kept by what it follows from."""
import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from chapters import Chapter, ROOT


def live_names(chapter: Chapter) -> list:
    "The pages that a notebook saves for the site."
    return [cell.directives["live"] for cell in chapter.code_cells if "live" in cell.directives]


def fingerprint(chapter: Chapter) -> str:
    "Of all that a run follows from: the notebook's code and the library."
    digest = hashlib.sha256("\n\n".join(cell.source for cell in chapter.code_cells if cell.runs).encode())
    for path in sorted((ROOT / "rmkit").rglob("*")):
        if path.suffix in (".py", ".js", ".css"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def run_for(chapter: Chapter, kept: Path):
    "Run a notebook and keep the pages that it saves; not half of them, if it fails."
    from notebooks import execute  # starts kernels: not needed where all is kept
    with TemporaryDirectory() as folder:
        execute(chapter.path, Path(folder))
        saved = {name: Path(folder, name) for name in live_names(chapter)}
        missing = [name for name, path in saved.items() if not path.is_file()]
        if missing:
            raise FileNotFoundError(f"{chapter.path.name} names {', '.join(missing)} in `#| live`, and doesn't save it")
        kept.mkdir(parents=True, exist_ok=True)
        for name, path in saved.items():
            (kept / name).write_bytes(path.read_bytes())


def live_pages(chapter: Chapter, cache: Path) -> dict:
    "Name -> the saved page, from the cache where nothing has changed."
    names, kept = live_names(chapter), cache / f"{chapter.path.stem}-{fingerprint(chapter)}"
    if not all((kept / name).is_file() for name in names):
        print(f"{chapter.path.name} is run for {', '.join(names)} ...", flush=True)
        run_for(chapter, kept)
    return {name: kept / name for name in names}
