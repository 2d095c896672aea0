"""A lake's folder: who may write there, staging, changes as one, and readers beside them."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pipeline.errors import LakeError, StorageError
from pipeline.lake import journal
from pipeline.lake.exchange import sharing
from pipeline.lake.ledger import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.lake.journal import Move
    from pipeline.lake.objects import ListedObject

_ASIDE = ".aside"
_KEPT_SECONDS = 2 * 24 * 3600
"""As in a store; see ``garbage``."""


class Folder:
    """What a lake lies in: a folder of this machine's."""

    def __init__(self, root: Path) -> None:
        """Know the folder; nothing is touched."""
        self.root = root

    @property
    def name(self) -> str:
        """What messages call the lake."""
        return str(self.root)

    @property
    def disk(self) -> str:
        """What messages call it that say something of this machine's disk."""
        return self.name

    @property
    def ledger(self) -> Path:
        """The folder of the accounting."""
        return self.root / "ledger"

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock across processes, which ends with the process.

        Whoever holds ``commit`` finds every change finished.
        """
        try:
            self.ledger.mkdir(parents=True, exist_ok=True)
            with (self.ledger / f".{name}.lock").open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if name == "commit":
                    journal.recover(self.root)
                yield
        except OSError as error:
            if isinstance(error.filename, str) and str(self.root) in error.filename:
                why = f"lake {self.disk} can't be written: {error.strerror}"
                raise StorageError(why) from error
            raise

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Keep others from changing what a lock guards; where one may only read, too.

        Raises:
            LakeError: a change was interrupted, which who may only read can't finish.
        """
        if _may_write(self.ledger):
            with self.lock(name):
                yield
            return
        with sharing(self.ledger, f".{name}.lock"):
            if name == "commit":
                self._refuse_interrupted()
            yield

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder of this process on the lake's disk; it and abandoned ones are removed."""
        parent = self.root / ".staging"
        folder = parent / secrets.token_hex(8)
        with ExitStack() as ending:
            with self.lock("staging"):  # whoever is not locked by then has ended
                try:
                    folder.mkdir(parents=True)
                    mine = ending.enter_context((folder / ".lock").open("w"))
                except OSError as error:
                    why = f"lake {self.disk} can't be written: {error.strerror}"
                    raise StorageError(why) from error
                fcntl.flock(mine, fcntl.LOCK_EX)
                _remove_abandoned(parent)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):
                    parent.rmdir()

    def lay_aside(self) -> Path:
        """A folder on the lake's disk for several processes, none of which need live all the time.

        What ``remove_aside`` did not remove goes after two days.
        """
        folder = self.root / ".staging" / f"{secrets.token_hex(8)}{_ASIDE}"
        with self.lock("staging"):
            folder.mkdir(parents=True)
        return folder

    def remove_aside(self, folder: Path | None = None) -> None:
        """Remove such a folder, when all is done; or all of them, whoever needs them."""
        parent = self.root / ".staging"
        for its in [folder] if folder else parent.glob(f"*{_ASIDE}"):
            shutil.rmtree(its, ignore_errors=True)
        with self.lock("staging"), suppress(OSError):
            parent.rmdir()

    def commit(self, moves: Sequence[Move], then: Callable[[], None] = lambda: None) -> None:
        """Do a change as one, and ``then`` what readers must not see undone.

        The caller holds ``commit``, and does not read as ``reading`` does.
        """
        journal.commit(self.root, moves, then)

    def claim(self) -> None:
        """Make sure that a lake can be made here, and that an older one is as it is now."""

    def put_views(self, made_of: str, make: Callable[[Path, str], None]) -> None:
        """Put views of the lake where those find them who know its URL alone, if it has one."""

    def list_garbage(self, *, delete: bool = False) -> list[ListedObject]:  # noqa: ARG002 here is none
        """What lies there that nothing needs any more; the caller holds ``commit``.

        It is deleted when asked for.
        """
        return []

    def mend(self) -> None:
        """Make what is here what it should be, where that is known; the caller holds ``commit``."""

    def find_differences(self) -> Iterator[tuple[str, str]]:
        """What is elsewhere than here, and not the same: each place, and a phrase."""
        yield from ()

    def freshen(self) -> None:
        """Make sure that what is here was there lately."""

    def put_json(self, path: Path, content: Mapping[str, Any] | None) -> None:
        """Write one ledger file, or remove it; the caller holds ``commit``."""
        if content is None:
            path.unlink(missing_ok=True)
        else:
            write_json(path, dict(content))

    def delete(self, paths: Iterable[Path]) -> None:
        """Delete files for good, those of a folder at one stroke; the caller holds ``commit``.

        Raises:
            OSError: something can't be deleted; what comes after it stands.
        """
        by_folder: dict[Path, set[Path]] = defaultdict(set)
        for path in paths:
            by_folder[path.parent].add(path)
        with self.staging() as staging:
            for number, (folder, its) in enumerate(by_folder.items()):
                if its == set(folder.iterdir()):
                    folder.replace(away := staging / str(number))
                    shutil.rmtree(away)  # the staging's end would hide an error
                else:
                    for path in its:
                        path.unlink()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep the lake in one state while it is read; not to be nested, nor to wait in.

        Raises:
            LakeError: a process died in the midst of a change, and this one may not finish it.
        """
        self.recover()
        with sharing(self.ledger):
            self._refuse_interrupted()
            yield

    def recover(self) -> None:
        """Finish a change that another process left, before reading."""
        if (self.root / ".commit").is_dir() and _may_write(self.root):
            with self.lock("commit"):
                pass

    def _refuse_interrupted(self) -> None:
        if journal.is_interrupted(self.root):
            raise LakeError(
                f"lake {self.name}: a change of it was interrupted: any command of who may"
                " write there finishes it, such as `tidegauge status`"
            )


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _remove_abandoned(parent: Path) -> None:
    """Remove what ended processes left: staging folders whose lock nobody holds, or that are old.

    The latter of those that were laid aside.
    """
    for folder in parent.iterdir():
        if folder.suffix == _ASIDE:
            if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
            continue
        with suppress(OSError), (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
