"""The ledger's files: the record of each raw file, and JSON that is damaged with a word."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from pipeline.errors import LakeError
from pipeline.lake.digests import read_content, render
from pipeline.lake.fault_points import reach
from pipeline.raw.files import lasting_path

FILES_FOLDER = "ledger/files"
"""Where the sheets lie, of which the table ``files`` is; in the lake."""
SUMS = b"tidegauge.sums.2"
"""What the sums in a sheet's footer are called; those of another meaning get another name."""
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
class Located:
    """By which databases a raw file's hits were located."""

    built: tuple[tuple[str, str | None], ...]
    """The build date of each local day's; None without one."""
    networks: str | None
    """Those of networks; see ``tables.FILES``."""


@dataclass(frozen=True)
class Seen:
    """Where a raw file was read."""

    path: str
    """As ``quoted``."""
    size: int
    changed_ns: int
    """Its time of change then, since 1970."""
    read_ns: int
    """When it was read, since 1970."""

    @property
    def raw(self) -> Path:
        """The raw file."""
        return path_of(self.path)

    @property
    def stat(self) -> list[int]:
        """As ``stat_of``."""
        return [self.size, self.changed_ns]


@dataclass(frozen=True)
class FileRecord:
    """The accounting of one raw file; ``tables.FILES`` says what each field is."""

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
    """ISO 8601 in UTC, as all times here."""
    last_at: str | None
    definitions: int
    robots: str
    addresses: str
    tail_bytes: int
    overlap_lines: int = 0
    overlap_with: str | None = None
    flood_lines: int = 0
    flood_with: str | None = None
    repeat_lines: int = 0
    repeat_with: str | None = None
    shared_lines: int = 0
    shared_with: str | None = None
    whole_days: dict[str, DayShare] = field(default_factory=dict)
    replaced_by: str | None = None
    forgotten_at: str | None = None
    proxies: str | None = None
    given: str | None = None
    timezone: str | None = None
    url: str | None = None
    nul_bytes: int = 0
    source_by_name: bool | None = None
    wrapper: str | None = None
    erasures: int = 0
    lies_in: str | None = None
    networks: str | None = None
    unheeded: int = 0
    private_hits: int = 0
    is_zoneless: bool = False
    seen: tuple[Seen, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether its hits are in the lake."""
        return self.replaced_by is None and self.forgotten_at is None

    @property
    def read_days(self) -> dict[str, DayShare]:
        """What it gave to each day before duplicates were dropped."""
        return self.whole_days or self.days

    @property
    def located(self) -> Located:
        """By what its hits were located, before duplicates were dropped."""
        its = self.read_days.items()
        return Located(tuple((day, share.geo_built) for day, share in its), self.networks)

    @property
    def stem(self) -> str:
        """The name of the Parquet files that have its rows, perhaps among other files'."""
        return self.lies_in or self.file_key

    @property
    def is_packed(self) -> bool:
        """Whether its rows lie among other files'; see ``packs``."""
        return self.stem != self.file_key

    @property
    def day(self) -> str:
        """The first local day that it has lines of; ``NO_DAY`` without hits."""
        return min(self.read_days, default=str(NO_DAY))

    @property
    def balances(self) -> bool:
        """Whether every physical line ended as exactly one kind."""
        kinds = self.hits + self.rejected + self.blank + self.directives + self.duplicates
        return self.lines == kinds


def key_of(source: str, sha256: str) -> str:
    """The file key: whose content it is, and which."""
    return f"{source}-{sha256[:16]}"


def quoted(path: Path) -> str:
    """A path as the ledger has it: of what may be no text, text."""
    return quote(os.fsencode(lasting_path(path)))


def quote_all(paths: Iterable[Path | str]) -> Iterator[str]:
    """Each path as ``quoted``; what folders are called is found out once."""
    folders: dict[str, str] = {}
    for path in paths:
        own = os.fspath(path)
        cut = own.rfind("/") + 1
        folder, name = own[:cut], own[cut:]
        if name in {"", ".", ".."}:
            yield quoted(Path(own))
            continue
        if folder not in folders:
            folders[folder] = quoted(Path(folder, "_"))[:-1]
        text = folders[folder] + quote(os.fsencode(name))
        # Of a million the path's own text, mostly, and no second one.
        yield own if own == text else text


def path_of(text: str) -> Path:
    """The path that ``quoted`` has written."""
    return Path(os.fsdecode(unquote_to_bytes(text)))


def stat_of(path: Path | str) -> list[int]:
    """Size and time of change (ns): while they are the same, so is the file's content."""
    stat = os.stat(path)  # noqa: PTH116 of very many
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
