"""This machine's copy of a lake in an object store: a folder, kept at the last commit of its log.

Files that are large are fetched when they are opened (``stand_ins``).
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pipeline.errors import StorageError
from pipeline.lake.commit_log import CollectedError, CommitLog, Version
from pipeline.lake.digests import digest_of, is_intact, read_content
from pipeline.lake.folder import Folder
from pipeline.lake.journal import Move
from pipeline.lake.ledger import write_json
from pipeline.lake.objects import open_objects
from pipeline.lake.stand_ins import (
    GoneError,
    StandIn,
    fetch,
    is_stand_in,
    name_copy,
    put_stand_ins,
    write_stand_in,
)
from pipeline.lake.storage import storage_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pipeline.lake.place import BucketUrl

LARGE = ("hits/", "rejects/", "ledger/lines/", "ledger/whole/")
"""Where files lie of which the copy has stand-ins until they are opened."""
_SPARED_EACH = 24 * 3600
AT_ONCE = 8
VIEWS = "tidegauge.duckdb"
log = logging.getLogger(__name__)


class Copied(Folder):
    """A folder that is brought to the last commit of a log; whoever reads asks for that."""

    def __init__(self, url: BucketUrl) -> None:
        """Know the place; nothing is asked."""
        super().__init__(url.copy)
        self._place, self._url = url, str(url)
        self._is_fresh = self._is_pulling = False

    @property
    def name(self) -> str:
        """What messages call the lake."""
        return self._url

    @property
    def disk(self) -> str:
        """The lake, and where this machine's copy of it is."""
        return name_copy(self._url, self.root)

    @property
    def _objects(self) -> Any:
        return open_objects(self._url)

    @property
    def _log(self) -> CommitLog:
        return CommitLog(self._objects)

    @property
    def _state(self) -> Path:
        """What of the log this machine's copy has."""
        return self.root / ".bucket.json"

    def recover(self) -> None:
        """Bring this machine's copy to the log's last commit."""
        self._make_root()
        with super().lock("commit"):
            self._pull()

    def _make_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StorageError(
                f"lake {self.name}: {self.root}, for this machine's copy of it, can't be made:"
                f" {error.strerror}; XDG_CACHE_HOME names another folder to keep it in"
            ) from error

    def mend(self) -> None:
        """Fetch anew what of the copy is not what the log says."""
        self._replace()

    def freshen(self) -> None:
        """Bring the copy to the last commit, unless this process did so before."""
        if not self._is_pulling and not (self._is_fresh and self._state.exists()):
            self.recover()

    def _pull(self) -> None:
        """Bring the copy to the last commit; the caller holds this machine's ``commit``."""
        with storage_named(self.disk, "the lake is as it was"):
            state = self._read_state()
            try:
                commits = self._log.read(state["head"], state["mark"])
            except (KeyError, CollectedError):
                self._replace()
            else:
                if commits:
                    files = {p: its for commit in commits for p, its in commit.files.items()}
                    self._change(files, commits[-1].number, commits[-1].mark)
            if time.time() - self._know("spared") > _SPARED_EACH:
                self._spare()
        self._is_fresh = True

    def _spare(self) -> None:
        """Keep of what is large only what somebody asked for lately."""
        _, files = self._log.read_all(self._know("head"))
        large = {self.root / p: (p, its) for p, its in files.items() if p.startswith(LARGE)}
        there = {path: self._stand_in(*file) for path, file in large.items() if not file[1].is_gone}
        with self.staging() as staging:
            put_stand_ins(self.root, there, staging)
        self._note(spared=int(time.time()))

    def _stand_in(self, place: str, its: Version) -> StandIn:
        return StandIn(self._url, place, its.object, its.sha256, its.size, its.etag)

    def _replace(self) -> None:
        """Make the copy what the log says, whatever it is: its way there is gone, or unknown."""
        head, files = self._log.read_all()
        mark = self._log.find_mark(head) or "collected" if head else ""
        every = (p.relative_to(self.root) for p in self.root.rglob("*") if p.is_file())
        here = {p.as_posix() for p in every if not any(part.startswith(".") for part in p.parts)}
        own = {VIEWS, "ledger/digests/views.json", "ledger/digests/robots.json"}
        stray = {p for p in here - files.keys() - own if not p.startswith("ledger/robots/")}
        off = {place: its for place, its in files.items() if not self._has(place, its)}
        was = self._read_state()
        known = {place for place in off.keys() | stray if not is_stand_in(self.root / place)}
        if (was.get("head"), was.get("mark")) == (head, mark) and known:
            log.warning(
                "%d files of %s, this machine's copy of %s, were not what the lake has: fetched"
                " anew, or taken away", len(known), self.root, self.name,
            )  # fmt: skip
        if off or stray:
            self._change(off, head, mark, stray)
        self._note(head=head, mark=mark, applied=0, spared=int(time.time()))

    def _has(self, place: str, its: Version) -> bool:
        path = self.root / place
        if its.is_gone or not path.exists():
            return its.is_gone and not path.exists()
        return not is_stand_in(path) and digest_of(path) == its.sha256

    def _change(
        self, files: Mapping[str, Version], head: int, mark: str, strays: Iterable[str] = ()
    ) -> None:
        with self.staging() as staging:

            def get(file: tuple[int, tuple[str, Version]]) -> Move:
                number, (place, its) = file
                target = self.root / place
                if its.is_gone:
                    return Move(None, target)
                what = self._stand_in(place, its)
                draft = staging / str(number)
                try:
                    if not place.startswith(LARGE):
                        fetch(what, draft)
                        return Move(draft, target)
                except GoneError:  # all else is as it was: whoever needs it is told
                    log.warning("lake %s: %s is damaged in the store", self.name, place)
                write_stand_in(draft, what)
                return Move(draft, target)

            with ThreadPoolExecutor(AT_ONCE) as pool:
                moves = list(pool.map(get, enumerate(files.items())))
            moves += [Move(None, self.root / place) for place in strays]
            super().commit(moves, lambda: self._note(head=head, mark=mark, views=""))
        self._write_views()

    def _write_views(self) -> None:
        """Have views of what was pulled; those for its URL are its writer's."""
        from pipeline.lake.lake import Lake  # noqa: PLC0415 it knows buckets
        from pipeline.lake.views import write_views  # noqa: PLC0415 it knows lakes

        self._is_pulling = True
        try:
            write_views(Lake(self._place))
        finally:
            self._is_pulling = False

    def _know(self, name: str) -> int:
        return int(self._read_state().get(name, 0))

    def _read_state(self) -> dict[str, Any]:
        """What is known of the copy: nothing where that is not as it was written."""
        try:
            text = self._state.read_text()
        except (OSError, UnicodeDecodeError):
            return {}
        return read_content(text) if is_intact(text) else {}

    def _note(self, **changed: int | str) -> None:
        write_json(self._state, self._read_state() | changed)
