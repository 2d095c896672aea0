"""Files of a lake in a store that are not on this machine yet: they are there by name and size.

A machine's copy of such a lake has small files whole, and stand-ins for hits and what else is
large: whoever opens a file has it brought first. A stand-in says what stands where, so it needs no
more than itself to become the file it stands for, which is of the moment that all others are of.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import LakeError
from pipeline.lake.exchange import holding_still

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODE = 0o700
"""Of stand-ins alone: the lake's files are no programs."""
_AT_ONCE = 8
_SAID_FROM = 32 * 1024 * 1024

log = logging.getLogger(__name__)


class GoneError(LakeError):
    """The store has bytes of a file no longer."""


@dataclass(frozen=True)
class StandIn:
    """What a file's bytes are, and where."""

    lake: str
    """Its URL."""
    place: str
    """The file's in it."""
    object: str
    """Where the same bytes lie until the lake no longer needs them there."""
    sha256: str
    size: int
    etag: str
    """The store's word for them."""


def write_stand_in(path: Path, what: StandIn) -> None:
    """Write one to ``path``, as large as the file that it stands for."""
    text = json.dumps(asdict(what)).encode() + b"\n"
    with path.open("wb") as file:
        file.write(text)
        file.truncate(max(what.size, len(text)))
    path.chmod(_MODE)


def is_stand_in(path: Path) -> bool:
    """Whether a file is one."""
    try:
        return stat.S_IMODE(path.stat().st_mode) == _MODE
    except FileNotFoundError:
        return False


def read_stand_in(path: Path) -> StandIn:
    """What a stand-in says."""
    with path.open("rb") as file:
        return _read(path, file.readline())


def bring(paths: Iterable[Path]) -> None:
    """Have files of a lake on this machine, before they are opened; for most lakes they are.

    Raises:
        LakeError: the store has one no longer: the lake was changed long since.
        StorageError: the store can't be reached, or the disk is full.
    """
    absent = [path for path in paths if is_stand_in(path)]
    if not absent:
        return
    size = sum(path.stat().st_size for path in absent)
    if size >= _SAID_FROM:
        log.info("fetching %d files of %d MB from the lake", len(absent), size // 1_000_000)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(_bring, absent))


def _bring(path: Path) -> None:
    while is_stand_in(path):
        with path.open("rb") as file:
            seen = os.fstat(file.fileno())
            what = _read(path, file.readline())
        root = path.parents[what.place.count("/")]
        draft = root / f".{secrets.token_hex(8)}.brought"
        try:
            fetch(what, draft)
            with holding_still(root / "ledger"):  # nobody puts a newer one there meanwhile
                if is_stand_in(path) and path.stat().st_ino == seen.st_ino:
                    draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def _read(path: Path, line: bytes) -> StandIn:
    try:
        what = StandIn(**json.loads(line))
        path.parents[what.place.count("/")]
    except (ValueError, TypeError, AttributeError, IndexError):
        raise LakeError(
            f"{path}, of this machine's copy of a lake, is damaged: `tidegauge verify` fetches it"
            " anew"
        ) from None
    return what


def fetch(what: StandIn, target: Path) -> None:
    """Write the bytes to ``target``.

    Raises:
        GoneError: the store has them no longer.
    """
    from pipeline.lake.objects import open_objects  # noqa: PLC0415 few lakes are in a store

    objects = open_objects(what.lake)
    for place in (what.place, what.object):
        try:
            with target.open("wb") as file:
                for piece in objects.download(place, what.sha256):
                    file.write(piece)
        except FileNotFoundError:
            continue
        return
    raise GoneError(
        f"lake {what.lake}: {what.place} was changed while it was read, or is damaged: run the"
        " command again; `tidegauge verify` tells what is damaged"
    )
