"""Which files may be read as raw logs, and why others are not."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from zoneinfo import ZoneInfo

from pipeline.errors import StoreError
from pipeline.raw.search import Search, by_parts, kind_of, real_path


@dataclass(frozen=True)
class Origin:
    """What is said of a raw file: whose it is, how it is read, where it came from."""

    source: str
    layout: str | None = None
    """A layout's name or a format string; None: found from the first lines."""
    timezone: str | None = None
    """Of times without an offset; None: UTC."""
    url: str | None = None
    """Of a remote file, without secrets."""

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone."""
        return ZoneInfo(self.timezone) if self.timezone else None


class Paths(Sequence[Path]):
    """Paths kept as text: there may be a million, and a ``Path`` takes 500 bytes."""

    def __init__(self, paths: Iterable[Path | str] = ()) -> None:
        """Keep paths, or texts as a ``Path`` writes them."""
        self.texts = [os.fspath(path) for path in paths]

    def __len__(self) -> int:
        """How many."""
        return len(self.texts)

    def __getitem__(self, place: Any) -> Any:
        """One of them, or some."""
        found = self.texts[place]
        return Path(found) if isinstance(found, str) else Paths(found)

    def __iter__(self) -> Iterator[Path]:
        """Each in turn."""
        return map(Path, self.texts)


@dataclass(frozen=True)
class RawFiles:
    """The raw files meant by some paths, and those that are not read: ``(path, why)``."""

    files: Paths = field(default_factory=Paths)
    refused: tuple[tuple[Path, str], ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Of the files (as text) that belong to a source in settings; others go by their names."""
    layout: str | None = None
    """Of the files of which ``origins`` says nothing."""
    unreached: tuple[StoreError, ...] = ()
    """The stores out of reach: to be raised when the others' files are taken in."""
    stats: Mapping[Path, list[int]] = field(default_factory=dict)
    """Of remote files size and time of change as they were listed; see ``RemoteFile.stat``."""
    passed_over: tuple[LeftOut, ...] = ()
    """Remote files that are not fetched for their names, and can have lines of the lake's days."""
    hidden: tuple[Path, ...] = ()
    """Files whose names begin with a dot: they are not read unless they are given themselves."""

    def __add__(self, other: RawFiles) -> RawFiles:
        """Both together."""
        return RawFiles(
            Paths([*self.files.texts, *other.files.texts]),
            self.refused + other.refused,
            {**self.origins, **other.origins},
            self.layout or other.layout,
            self.unreached + other.unreached,
            {**self.stats, **other.stats},
            self.passed_over + other.passed_over,
            self.hidden + other.hidden,
        )

    def tell_hidden(self) -> Iterator[tuple[Path, str]]:
        """The first of the hidden files, with how many there are."""
        if self.hidden:
            more = f"; so do {len(self.hidden) - 1:,} more" if len(self.hidden) > 1 else ""
            yield self.hidden[0], f"its name begins with a dot, not read unless named itself{more}"


def total_bytes(files: Iterable[Path]) -> int:
    """Their sizes together; what is gone counts nothing."""
    return sum(map(_size, files))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def is_file(path: Path) -> bool:
    """Whether a file is there, also behind a link; not one that nobody can look at."""
    try:
        return path.is_file()
    except OSError:
        return False


_MANY = 1_000
"""Files of a folder that are worth a look through all of it."""
_UNUSUAL = re.compile(r"//|/\.|^\./|/$")


def as_path_writes(text: str) -> str:
    """A path's text as a ``Path`` writes it."""
    return os.fspath(Path(text)) if _UNUSUAL.search(text) else text


def in_order(texts: Collection[str]) -> list[str]:
    """Texts of paths in the order of the paths; of one folder's files it is their own."""
    folders = set(map(_folder_of, texts))
    return sorted(texts, key=by_parts if len(folders) > 1 else None)


def _folder_of(path: str) -> str:
    """What stands before a path's name."""
    return path[: path.rfind("/") + 1]


def _list_others(paths: Collection[str]) -> set[str]:
    """Those of some paths that are no plain files, links among them, or that nobody can look at.

    And others that lie beside very many.
    """
    counts, found, listed = Counter(map(_folder_of, paths)), set[str](), set[str]()
    for folder, count in counts.items():
        others = _list_others_in(folder) if count >= _MANY else None
        if others is not None:
            found |= others
            listed.add(folder)
    if len(listed) < len(counts):
        found |= {path for path in paths if _folder_of(path) not in listed and not _is_plain(path)}
    return found


def _list_others_in(folder: str) -> set[str] | None:
    """What is no plain file in a folder; None when it can't be listed."""
    try:
        with os.scandir(folder or ".") as listed:
            names = [one.name for one in listed if not one.is_file(follow_symlinks=False)]
    except OSError:
        return None
    return {folder + name for name in ("", ".", "..", *names)}


def _is_plain(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def real_paths(paths: Collection[str]) -> Iterator[str]:
    """Each path without links and ``..``; where a folder leads is found out once."""
    others, folders = _list_others(paths), dict[str, str]()
    for path in paths:
        if path in others:
            yield os.path.realpath(path)
            continue
        folder = _folder_of(path)
        if folder not in folders:
            folders[folder] = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118
        real = folders[folder]
        yield path if real == folder else real + path[len(folder) :]


def find_files(paths: Iterable[Path | str], *, follow_links: bool = False) -> RawFiles:
    """The raw files meant by ``paths``: files as they are, folders with all files below them.

    A path that leads nowhere is kept: it fails when its turn comes, and stops no other. A link
    that is given is followed; one found in a folder only to a file that is not read anyway, and out
    of the folders only with ``follow_links``.
    """
    given = [os.fspath(path) for path in paths]
    folders = {path for path in _list_others(given) if kind_of(Path(path)) == stat.S_IFDIR}
    search = Search([real_path(Path(path)) for path in given if path in folders], follow_links)
    files: list[str] = []
    for path in given:
        files += search.files_below(Path(path)) if path in folders else [path]
    files += map(os.fspath, search.linked_files())
    return RawFiles(Paths(files), tuple(search.refused), hidden=tuple(sorted(search.hidden)))


def lasting_path(path: Path) -> Path:
    """A path that leads to the file from everywhere, written without ``..``."""
    whole = path.absolute()
    return real_path(whole.parent) / whole.name if ".." in whole.parts else whole


@dataclass(frozen=True)
class LeftOut:
    """A raw file that is not in the lake, or a store that nobody could look into."""

    path: str
    """Where it lies, quoted; of a store the key of its setting and the day, behind ``store:``."""
    name: str
    source: str
    days: tuple[str, ...]
    """The local days (ISO) that it has lines of, as far as they are known."""
    is_whole: bool
    """Whether these are all; else only its beginning was read."""
    why: str
    stat: tuple[int, ...] = ()
    """Size and time of change when it was looked at."""
    read_as: tuple[str | None, ...] = ()
    """The site's zone, the layout and the zone that its times were read by."""

    @property
    def is_store(self) -> bool:
        """Whether it is a store."""
        return self.path.startswith("store:")

    @property
    def raw(self) -> Path:
        """The raw file."""
        return Path(os.fsdecode(unquote_to_bytes(self.path)))

    def among(self, days: frozenset[str]) -> frozenset[str]:
        """Those of some days (ISO) that it has lines of, or may have."""
        if self.is_whole or not self.days:
            return days.intersection(self.days)
        return frozenset(day for day in days if day >= min(self.days))
