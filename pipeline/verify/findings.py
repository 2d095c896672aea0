"""What ``verify`` has to say, each as one row."""

from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("what", "day_or_file", "finding")
NOTES = ("stale", "sealed")
"""Kinds of rows that say that nothing is off."""


@dataclass(frozen=True, order=True)
class Finding:
    """One file or day, and what is off with it; with a kind of ``NOTES``, what is known of it."""

    what: str
    place: str
    text: str

    @property
    def is_off(self) -> bool:
        """Whether it is a fault."""
        return self.what not in NOTES

    @property
    def row(self) -> tuple[str, str, str]:
        """The finding as ``COLUMNS``."""
        return self.what, self.place, self.text


def place_of(root: Path, path: Path) -> str:
    """A file's place in the lake, as findings and digests name it."""
    return path.relative_to(root).as_posix()


def place_of_record(file_key: str) -> str:
    """How findings name the record of a raw file, which lies in a sheet with others."""
    return f"ledger/files: {file_key}"
