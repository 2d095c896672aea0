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
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import LakeError
from pipeline.lake.exchange import exchanging, holding_still

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MODE, _SPARE = 0o700, 0o710
"""Of stand-ins, and of files for which one may stand: the lake's others are no programs."""
_DAY = 24 * 3600.0
_UNUSED = 3 * _DAY
"""Nobody asked for a file in this time: whoever does says so once a day, and no run lasts so long
that it still reads what it asked for."""
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


def name_copy(lake: str, root: Path) -> str:
    """What messages call a lake that say something of this machine's disk."""
    return f"{lake} (this machine's copy of it, {root})"


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
    absent = [path for path in paths if _is_absent(path)]
    if not absent:
        return
    size = sum(path.stat().st_size for path in absent)
    if size >= _SAID_FROM:
        log.info("fetching %d files of %d MB from the lake", len(absent), size // 1_000_000)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for coming in [pool.submit(copy_context().run, _bring, path) for path in absent]:
            coming.result()


def _is_absent(path: Path) -> bool:
    """Whether there is a stand-in; for a file that is there, that it is used is noted."""
    if _is_older(path, _DAY):
        ledger = next(ledger for folder in path.parents if (ledger := folder / "ledger").is_dir())
        with holding_still(ledger), suppress(OSError):  # nobody puts a stand-in there meanwhile
            if not is_stand_in(path):
                os.utime(path)
    return is_stand_in(path)


def _is_older(path: Path, seconds: float) -> bool:
    try:
        its = path.stat()
    except FileNotFoundError:
        return False
    return stat.S_IMODE(its.st_mode) == _SPARE and time.time() - its.st_mtime > seconds


def spare(path: Path) -> None:
    """Let a stand-in take a file's place when nobody asks for it."""
    if not is_stand_in(path):
        path.chmod(_SPARE)


def put_stand_ins(root: Path, files: Mapping[Path, StandIn], staging: Path) -> None:
    """Put stand-ins in place of spare files that nobody has asked for in days.

    Nobody may change the lake below ``root`` meanwhile.
    """
    unused = {path: what for path, what in files.items() if _is_older(path, _UNUSED)}
    if not unused:
        return
    for number, what in enumerate(unused.values()):
        write_stand_in(staging / f"{number}.unused", what)
    with exchanging(root / "ledger"):
        for number, path in enumerate(unused):
            if _is_older(path, _UNUSED):
                (staging / f"{number}.unused").replace(path)


def _bring(path: Path) -> None:
    from pipeline.lake.storage import storage_named  # noqa: PLC0415 it loads DuckDB

    while is_stand_in(path):
        with path.open("rb") as file:
            seen = os.fstat(file.fileno())
            what = _read(path, file.readline())
        root = path.parents[what.place.count("/")]
        draft = root / f".{secrets.token_hex(8)}.brought"
        try:
            with storage_named(name_copy(what.lake, root), "the lake is as it was"):
                fetch(what, draft)
            spare(draft)
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
