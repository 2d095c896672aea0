"""The ledger's files: the record of each raw file, and JSON that is damaged with a word."""

import os
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import LakeError
from pipeline.lake.digests import read_content, render
from pipeline.lake.fault_points import reach

RECORD_KINDS = ("files", "replaced", "forgotten")
"""Where a raw file's record lies in the ledger: in the lake, part of another file, taken out."""
NO_DAY = date(1970, 1, 1)
"""The day of the rejects of a file without any hit."""


@dataclass(frozen=True)
class DayShare:
    """What a raw file gave to one local day."""

    hits: int
    first_line: int
    """The number of the first line that gave it one."""
    geo_is_late: bool
    geo_built: str | None
    """Build date of the database that located them; None without one."""


@dataclass(frozen=True)
class FileRecord:
    """The accounting of one raw file: ``lines`` is the sum of the five kinds."""

    file_key: str
    source: str
    name: str
    sha256: str
    raw_bytes: int
    content_bytes: int
    lines: int
    hits: int
    rejected: int
    blank: int
    directives: int
    duplicates: int
    reasons: dict[str, int]
    days: dict[str, DayShare]
    rejects_day: str | None
    damage: str | None
    layout: str
    ingested_at: str
    duration_ms: int
    first_at: str | None
    """The earliest hit's instant, ISO 8601 in UTC; None without hits."""
    last_at: str | None
    definitions: int
    """Version of the definitions that its lines were read by."""
    robots: str
    """The robot lists and their versions."""
    addresses: str
    """Whether addresses are kept: ``none``, ``truncated`` or ``full``."""
    tail_bytes: int
    """Length of a last line without its end; 0 when it has one."""
    overlap_lines: int = 0
    """So many of its first lines are also in another file of its source."""
    overlap_with: str | None = None
    flood_lines: int = 0
    """So many of its first lines would be an overlap with another file if more were different."""
    flood_with: str | None = None
    repeat_lines: int = 0
    """So many different lines are also in another file, among others, and count in both."""
    repeat_with: str | None = None
    shared_lines: int = 0
    """So many lines, all of one of the two, are another source's file's, too, and count in both."""
    shared_with: str | None = None
    whole_days: dict[str, DayShare] = field(default_factory=dict)
    """``days`` as they were before duplicates were dropped; empty when none were."""
    replaced_by: str | None = None
    """The file that begins with all of this one's content; its hits are in that one's. The same
    file, when that is of another source: it is called so since it was read again."""
    forgotten_at: str | None = None
    proxies: str | None = None
    """The name of the trusted proxies that its clients were chosen by; None when its lines have no
    forwarded address, so that none were asked."""
    given: str | None = None
    """The layout that was set for it; None: found from its lines."""
    timezone: str | None = None
    """That was set for its times without an offset; None: UTC."""
    url: str | None = None
    """Of a remote file, without secrets."""
    nul_bytes: int = 0
    """So many NULs stood before its lines, of which they are no part; see ``holes``."""
    source_by_name: bool | None = None
    """Whether the source is what its name says; None: read before that was noted."""
    wrapper: str | None = None
    """What carries its lines, such as ``syslog``; see ``formats.wrappers``."""
    erasures: int = 0
    """How often a person was erased from its hits and rejects: it is never read again then."""

    @property
    def is_live(self) -> bool:
        """Whether its hits are in the lake."""
        return self.replaced_by is None and self.forgotten_at is None

    @property
    def read_days(self) -> dict[str, DayShare]:
        """What it gave to each day before duplicates were dropped."""
        return self.whole_days or self.days

    @property
    def balances(self) -> bool:
        """Whether every physical line ended as exactly one kind."""
        kinds = self.hits + self.rejected + self.blank + self.directives + self.duplicates
        return self.lines == kinds


def _read_record(path: Path) -> FileRecord:
    stat = path.stat()
    return _read_once(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=20_000)
def _read_once(path: Path, _stat: tuple[int, int, int]) -> FileRecord:
    """Read a record; a lake has thousands, and each is asked for at every file's commit."""
    record = read_json(path)
    for name in ("days", "whole_days"):
        record[name] = {day: DayShare(**share) for day, share in record[name].items()}
    return FileRecord(**record)


def key_of(source: str, sha256: str) -> str:
    """The file key: whose content it is, and which."""
    return f"{source}-{sha256[:16]}"


def stat_of(path: Path) -> list[int]:
    """Size and time of change (ns): while they are the same, so is the file's content."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def read_json(path: Path) -> dict[str, Any]:
    """Read a ledger file; empty when there is none.

    Raises:
        LakeError: it is damaged.
    """
    try:
        return read_content(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as error:
        why = f"{path} is damaged: {error}; `tidegauge verify` tells what else is"
        raise LakeError(why) from error


def write_json(path: Path, content: dict[str, Any], draft_name: str | None = None) -> None:
    """Write a ledger file; it appears whole.

    Writers hold a lock, so one draft is enough: the next writing takes the place of one that was
    interrupted.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(draft_name or f".{path.name}.draft")
    with draft.open("w") as file:
        file.write(render(content))
        file.flush()
        os.fsync(file.fileno())
    reach(f"write: {path.parent.name}")
    draft.replace(path)
