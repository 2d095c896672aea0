"""Several files of the lake changed as one: after a kill, either nothing or all of it happened.

A change is written down with its new files before the first of them is put in place; whoever next
takes the lake's commit lock finishes what is written down. Readers who share the lock of
``exchange`` see all of it or nothing; others see each day's folder as it was or as it becomes.
"""

import ctypes
import errno
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.lake.exchange import exchanging
from pipeline.lake.fault_points import reach

_SYNC_EACH = 64
"""More files than this are made durable by one sync of the disk instead of one each."""
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


@dataclass(frozen=True)
class Move:
    """``target`` becomes the file ``staged``, or goes when that is None."""

    staged: Path | None
    target: Path


def commit(root: Path, moves: Sequence[Move], then: Callable[[], None] = lambda: None) -> None:
    """Do all ``moves`` within the lake ``root``; the caller holds the commit lock.

    Staged files lie on the lake's disk and are moved away. ``then`` is done before readers look.
    """
    folder = root / ".commit"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    make_durable([move.staged for move in moves if move.staged])
    lines: list[list[str | None]] = []
    for number, move in enumerate(moves):
        name = None if move.staged is None else str(number)
        if move.staged is not None:
            move.staged.replace(folder / str(number))
        lines.append([name, str(move.target.relative_to(root))])
    reach("commit: staged")
    draft = folder / ".draft"
    with draft.open("w") as file:
        json.dump(lines, file)
        file.flush()
        os.fsync(file.fileno())
    with exchanging(root / "ledger"):
        draft.replace(_written(root))
        sync_folder(folder)
        reach("commit: written down")
        _finish(root)
        then()
    shutil.rmtree(folder)


def is_interrupted(root: Path) -> bool:
    """Whether an exchange was broken off; the caller shares its lock, so none is going on."""
    return _written(root).exists()


def recover(root: Path) -> None:
    """Finish an interrupted change; the caller holds the commit lock."""
    folder = root / ".commit"
    if not folder.is_dir():
        return
    if _written(root).exists():
        with exchanging(root / "ledger"):
            _finish(root)
    shutil.rmtree(folder)


def _written(root: Path) -> Path:
    """Where a change is written down from its first file's move to its last one's."""
    return root / ".commit" / "moves.json"


def _finish(root: Path) -> None:
    folder = root / ".commit"
    lines = json.loads(_written(root).read_text())
    moves = [Move(folder / name if name else None, root / target) for name, target in lines]
    _apply(folder, moves)
    reach("commit: applied")
    _written(root).unlink()


def make_durable(paths: Sequence[Path]) -> None:
    """Have the disk hold the files' contents, before anything names them."""
    if len(paths) > _SYNC_EACH:
        os.sync()
        return
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the disk hold a folder's names."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _apply(folder: Path, moves: Iterable[Move]) -> None:
    by_folder: dict[Path, list[Move]] = defaultdict(list)
    for move in moves:
        by_folder[move.target.parent].append(move)
    for number, (target, its) in enumerate(by_folder.items()):
        if len(its) == 1 or not target.name.startswith("day="):
            for move in its:
                _move(move)
        elif not _is_done(its):
            _exchange(folder / f"day-{number}", target, its)
        reach(f"commit: {target.parent.name if '=' in target.name else target.name}")


def _move(move: Move) -> None:
    if move.staged is None:
        move.target.unlink(missing_ok=True)
        with suppress(OSError):  # the folder's last file
            move.target.parent.rmdir()
    elif move.staged.exists():  # else it was done before the interruption
        move.target.parent.mkdir(parents=True, exist_ok=True)
        move.staged.replace(move.target)


def _is_done(moves: Iterable[Move]) -> bool:
    return all(
        move.target.exists() and move.staged.samefile(move.target)
        if move.staged
        else not move.target.exists()
        for move in moves
    )


def _exchange(fresh: Path, target: Path, moves: Sequence[Move]) -> None:
    """Make the day's folder anew with links to its files, then exchange the two at one stroke."""
    away = fresh.with_name(f"{fresh.name}-away")
    if away.exists() and not target.exists():  # interrupted between the two renames of `_swap`
        away.replace(target)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    changed = {move.target.name for move in moves}
    if target.is_dir():
        for path in target.iterdir():
            if path.name not in changed:
                os.link(path, fresh / path.name)
    for move in moves:
        if move.staged:
            os.link(move.staged, fresh / move.target.name)
    is_empty = not any(fresh.iterdir())
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.replace(target)
    elif is_empty:
        target.replace(fresh.with_name(f"{fresh.name}-gone"))
    else:
        _swap(fresh, target)


def _swap(one: Path, other: Path) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    failed = errno.ENOSYS
    if call is not None:
        paths = os.fsencode(one), os.fsencode(other)
        if call(_HERE, paths[0], _HERE, paths[1], _EXCHANGE) == 0:
            return
        failed = ctypes.get_errno()
    if failed not in _NOT_SUPPORTED:
        raise OSError(failed, os.strerror(failed), str(other))
    away = one.with_name(f"{one.name}-away")  # a file system without exchange: two renames
    other.replace(away)
    one.replace(other)
