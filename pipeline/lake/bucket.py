"""A lake in an object store: a log of commits there, and this machine's copy of what they say.

Whoever takes ``commit`` or reads first brings the copy to the log's last commit, as one change; so
all else finds a folder. A change is staged in the store, becomes the log's next commit, then the
copy's; files that are large are fetched when they are opened (``stand_ins``).
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import LakeError, PassingError, StorageError
from pipeline.lake.commit_log import (
    CHECKPOINT_EACH,
    STAGED,
    CollectedError,
    Commit,
    CommitLog,
    Version,
)
from pipeline.lake.digests import digest_of, is_intact, read_content
from pipeline.lake.folder import Folder
from pipeline.lake.garbage import collect, list_garbage, list_own
from pipeline.lake.journal import Move
from pipeline.lake.leases import Lease
from pipeline.lake.ledger import write_json
from pipeline.lake.objects import RefusedError, TakenError, open_objects
from pipeline.lake.stand_ins import (
    GoneError,
    StandIn,
    bring,
    fetch,
    is_stand_in,
    name_copy,
    put_stand_ins,
    read_stand_in,
    spare,
    write_stand_in,
)
from pipeline.lake.storage import storage_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.lake.objects import Listed
    from pipeline.lake.place import BucketUrl

_LARGE = ("hits/", "rejects/", "ledger/lines/", "ledger/whole/")
_OF_MACHINE = {"staging", "views", "robots"}
"""Locks of what each machine has for itself."""
_LONGEST_STAGING = 24 * 3600
"""Half of the time after which what was staged and not committed is collected."""
_SPARED_EACH = 24 * 3600
_AT_ONCE = 8
_VIEWS = "tidegauge.duckdb"
_OF_LOG = (STAGED, *(f"ledger/{name}/" for name in ("commits", "applied", "checkpoints", "locks")))

log = logging.getLogger(__name__)


class Bucket(Folder):
    """What a lake lies in: an object store, of which a folder here is a copy."""

    def __init__(self, url: BucketUrl) -> None:
        """Know the place; nothing is asked."""
        super().__init__(url.copy)
        self._place, self._url = url, str(url)
        self._writer = secrets.token_hex(8)
        self._held: dict[str, int] = {}
        """The locks that this process holds, and the log's last commit when it got each."""
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

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock across processes and machines; where it is ``commit``, at the last commit."""
        self._make_root()
        with super().lock(name), ExitStack() as held:
            if name not in _OF_MACHINE:
                held.enter_context(Lease(self._objects, name).held())
                if name == "commit":
                    self._pull()
                    self._log.apply(self._know("applied"), self._know("head"))
                    self._note(applied=self._know("head"))
                else:
                    self.recover()
                self._held[name] = self._know("head")
                held.callback(self._held.pop, name)
            yield

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Keep others from changing what a lock guards; where keys may only read, on this machine.

        What changes in the store meanwhile, the copy does not have.
        """
        with ExitStack() as held:
            try:
                held.enter_context(self.lock(name))
            except RefusedError:
                held.enter_context(super().lock(name))
                if name == "commit":
                    self._pull()
            yield

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

    def commit(self, moves: Sequence[Move], then: Callable[[], None] = lambda: None) -> None:
        """Make a change the lake's next commit, then this machine's copy's, and put it in place.

        Raises:
            PassingError: another machine was first; nothing is changed.
        """
        begun = time.clock_gettime(time.CLOCK_BOOTTIME)
        head, attempt = self._know("head"), f"{self._writer}-{secrets.token_hex(8)}"
        self._refuse_overtaken(head)
        with self.staging() as staging, ThreadPoolExecutor(_AT_ONCE) as pool:

            def stage(one: tuple[int, Move]) -> tuple[str, Version]:
                number, move = one
                return self._stage(head + 1, move, staging / str(number))

            files = dict(pool.map(stage, enumerate(moves)))
        if time.clock_gettime(time.CLOCK_BOOTTIME) - begun > _LONGEST_STAGING:
            raise PassingError(f"lake {self.name}: a change took over a day: run the command again")
        commit = Commit(head + 1, attempt, tuple(sorted(self._held)), files)
        # What was put aside elsewhere, and readers here take for at hand.
        for move in moves:
            if move.staged and self._place_of(move).startswith(_LARGE):
                spare(move.staged)
        small = (move for move in moves if not self._place_of(move).startswith(_LARGE))
        bring(move.staged for move in small if move.staged)
        new = {place for place in files if not (self.root / place).exists()}
        mark = self._log.append(commit)

        def after() -> None:
            self._note(head=head + 1, mark=mark)
            then()

        super().commit(moves, after)
        self._held.update(dict.fromkeys(self._held, head + 1))
        self._log.apply_own(commit, new)
        self._note(applied=head + 1)
        if (head + 1) % CHECKPOINT_EACH == 0:
            self._log.put_checkpoint(*self._log.read_all(head + 1))  # all of it is applied

    def put_views(self, made_of: str, make: Callable[[Path, str], None]) -> None:
        """Put views of the lake, written for its URL, beside its tables; unless this only reads."""
        if self._is_pulling or self._read_state().get("views") == made_of:
            return
        draft = self.root / ".views.draft"
        make(draft, f"{self._url}/")
        self._objects.upload(_VIEWS, draft)
        draft.unlink()
        self._note(views=made_of)

    def list_garbage(self, *, delete: bool = False) -> list[Listed]:
        """What lies there that no commit needs any more; the caller holds ``commit``.

        It is deleted when asked for.
        """
        garbage = list(list_garbage(self._objects, self._log))
        if delete:
            collect(self._objects, garbage)
        return garbage

    def find_differences(self) -> Iterator[tuple[str, str]]:
        """What the store has otherwise than the log says: each place, and a phrase."""
        _, before = self._log.read_all()
        there = {one.place: one for one in list_own(self._objects, before)}
        head, files = self._log.read_all()
        pending = set(self._log.find_pending(0, head))
        for place, its in sorted(files.items()):
            one = there.pop(place, None)
            if its.is_gone or its.commit in pending or (one and one.etag == its.etag):
                continue
            now = self._objects.look(place)
            if now is None:
                yield place, "is missing in the store"
            elif now[1] <= its.commit and not self._objects.has(place, its.sha256):
                yield place, "its bytes in the store are not those that were written"
        for place in sorted(there):
            if not place.startswith(_OF_LOG):
                yield place, "no commit put it there; readers by path would read it"

    def mend(self) -> None:
        """Fetch anew what of the copy is not what the log says."""
        self._replace()

    def freshen(self) -> None:
        """Bring the copy to the last commit, unless this process did so before."""
        if not self._is_pulling and not (self._is_fresh and self._state.exists()):
            self.recover()

    def put_json(self, path: Path, content: Mapping[str, Any] | None) -> None:
        """Write one ledger file, or remove it; the caller holds ``commit``."""
        with self.staging() as staging:
            draft = staging / path.name
            if content is not None:
                write_json(draft, dict(content))
            self.commit([Move(draft if content is not None else None, path)])

    def delete(self, paths: Iterable[Path]) -> None:
        """Delete files for good; the caller holds ``commit``."""
        if moves := [Move(None, path) for path in paths]:
            self.commit(moves)

    def claim(self) -> None:
        """Bring the copy to the last commit; see that the store keeps conditions where none is.

        Raises:
            LakeError: it does not, so no lake can be made there.
        """
        self.recover()
        if self._know("head"):
            return
        place = f"ledger/locks/probe-{secrets.token_hex(8)}"
        broken = 0
        self._objects.create(place, b"1")
        try:
            with suppress(TakenError):
                self._objects.create(place, b"2")
                broken += 1
            with suppress(TakenError):
                self._objects.replace(place, b"3", '"0123456789abcdef0123456789abcdef"')
                broken += 1
        finally:
            self._objects.delete(place)
        if broken:
            raise LakeError(
                f"lake {self.name}: the store does not keep conditions (If-None-Match, If-Match),"
                " without which two writers could lose each other's changes: use another store"
            )

    def put_aside(self, path: Path, place: str) -> StandIn:
        """Put a file where the lake finds it on every machine, for one of them to commit."""
        sha256 = digest_of(path)
        target = f"{STAGED}{self._writer}-{secrets.token_hex(8)}/{sha256}"
        etag = self._objects.upload(target, path)
        return StandIn(self._url, place, target, sha256, path.stat().st_size, etag)

    def _place_of(self, move: Move) -> str:
        return move.target.relative_to(self.root).as_posix()

    def _stage(self, number: int, move: Move, draft: Path) -> tuple[str, Version]:
        place = self._place_of(move)
        if move.staged is None:
            _write_without_rows(draft, place)
        path = move.staged or draft
        its = read_stand_in(path) if is_stand_in(path) else self.put_aside(path, place)
        is_gone = move.staged is None
        return place, Version(number, its.object, its.sha256, its.size, its.etag, is_gone)

    def _refuse_overtaken(self, head: int) -> None:
        """See that nobody else made commits under locks that this process took to be its own."""
        first = min(self._held.values(), default=head)
        if first == head:
            return
        for commit in self._log.read(first):
            for name, since in self._held.items():
                is_other = not commit.attempt.startswith(f"{self._writer}-")
                if is_other and commit.number > since and name in commit.under:
                    raise PassingError(
                        f"lake {self.name}: another machine took over while this run stood still:"
                        " run the command again"
                    )

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
        large = {self.root / p: (p, its) for p, its in files.items() if p.startswith(_LARGE)}
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
        own = {_VIEWS, "ledger/digests/views.json", "ledger/digests/robots.json"}
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
                    if not place.startswith(_LARGE):
                        fetch(what, draft)
                        return Move(draft, target)
                except GoneError:  # all else is as it was: whoever needs it is told
                    log.warning("lake %s: %s is damaged in the store", self.name, place)
                write_stand_in(draft, what)
                return Move(draft, target)

            with ThreadPoolExecutor(_AT_ONCE) as pool:
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


def _write_without_rows(path: Path, place: str) -> None:
    """Write what stands for a file that is gone: where views look, Parquet with no rows."""
    from pipeline.lake.partitions import write_table  # noqa: PLC0415 loads Arrow
    from pipeline.lake.sheets import SCHEMA  # noqa: PLC0415 as above
    from pipeline.tables import FILES_FOLDER, PARTITIONED, UNPARTITIONED  # noqa: PLC0415 as above

    folder, _, _ = place.rpartition("/")
    table = folder.partition("/")[0]
    schema = SCHEMA if folder == FILES_FOLDER else (PARTITIONED | UNPARTITIONED).get(table)
    if schema is None:
        path.touch()
    else:
        write_table(path, schema.empty_table())


@lru_cache(maxsize=8)
def _open(url: BucketUrl, _process: int) -> Bucket:
    return Bucket(url)


def open_bucket(url: BucketUrl) -> Bucket:
    """A lake's bucket; one object a process, as it knows which locks are held."""
    return _open(url, os.getpid())
