# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from collections.abc import Iterable
from typing import NamedTuple
from .words import as_plain_text as as_plain_text, printable as printable, visible as visible

__all__ = ['STATUSES', 'Check', 'Checks']
STATUSES: tuple
class Check(NamedTuple):
    """One question, and what was found."""
    name: str
    status: str
    found: str
    why: str
    remedy: str = ''
    number: float | None = None

    def as_dict(self) -> dict:
        """The row for JSON, which knows no NaN."""

class Checks(list):
    """A titled list of `Check`s, which shows itself as a table."""
    title: str
    __repr__: Any

    def __init__(self, checks: Iterable[Check]=..., title: str='Checks') -> None:
        ...

    def of(self, status: str) -> list[Check]:
        """The rows of one status."""

    @property
    def failed(self) -> list[Check]:
        """The rows that would spoil what comes next."""

    @property
    def warned(self) -> list[Check]:
        """The rows to know of."""

    def __getitem__(self, key):
        """A row by its place or its name; the rows of a slice, with the title. A KeyError for a name that no row has."""

    def raise_failed(self) -> None:
        """Raise a ValueError that lists each failed row with what to do about it; do nothing where none failed."""

    def as_dict(self) -> dict:
        """The title, how many rows there are of each status, and the rows, for JSON."""

    def __rich_console__(self, console, options):
        """The table for a terminal."""

    def __str__(self):
        """The table as plain text, 80 characters wide."""
