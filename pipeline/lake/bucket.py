"""A lake in an object store: a log of commits there, and this machine's copy of what they say.

Whoever takes ``commit`` or reads first brings the copy to the log's last commit, as one change; so
all else finds a folder. A change is staged in the store, becomes the log's next commit, then the
copy's; files that are large are fetched when they are opened (``stand_ins``).
"""

from __future__ import annotations

import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import LakeError, PassingError
from pipeline.lake import parts
from pipeline.lake.commit_log import CHECKPOINT_EACH, STAGED, Commit, Version
from pipeline.lake.conditions import CONDITIONS, keeps_conditions
from pipeline.lake.copied import AT_ONCE, LARGE, VIEWS, Copied
from pipeline.lake.digests import digest_of
from pipeline.lake.garbage import collect, list_garbage, list_own
from pipeline.lake.journal import Move
from pipeline.lake.leases import Lease
from pipeline.lake.ledger import FILES_FOLDER, write_json
from pipeline.lake.requests import RefusedError
from pipeline.lake.stand_ins import StandIn, bring, is_stand_in, read_stand_in, spare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.lake.objects import ListedObject
    from pipeline.lake.place import BucketUrl

_OF_MACHINE = {"staging", "views", "robots"}
"""Locks of what each machine has for itself."""
_MENDING = "`tidegauge retention --delete` puts the newer ones there"
_LONGEST_STAGING = 24 * 3600
"""Half of the time after which what was staged and not committed is collected."""
_OF_LOG = (STAGED, *(f"ledger/{name}/" for name in ("commits", "applied", "checkpoints", "locks")))


class Bucket(Copied):
    """What a lake lies in: an object store, of which a folder here is a copy."""

    def __init__(self, url: BucketUrl) -> None:
        """Know the place; nothing is asked."""
        super().__init__(url)
        self._writer = secrets.token_hex(8)
        self._held: dict[str, int] = {}
        """The locks that this process holds, and the log's last commit when it got each."""

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
                    self._finish()
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

    def commit(self, moves: Sequence[Move], then: Callable[[], None] = lambda: None) -> None:
        """Make a change the lake's next commit, then this machine's copy's, and put it in place.

        Raises:
            PassingError: another machine was first; nothing is changed.
        """
        begun = time.clock_gettime(time.CLOCK_BOOTTIME)
        head, attempt = self._know("head"), f"{self._writer}-{secrets.token_hex(8)}"
        self._refuse_overtaken(head)
        with self.staging() as staging, ThreadPoolExecutor(AT_ONCE) as pool:

            def stage(one: tuple[int, Move]) -> tuple[str, Version]:
                number, move = one
                return self._stage(head + 1, move, staging / str(number))

            files = dict(pool.map(stage, enumerate(moves)))
        if time.clock_gettime(time.CLOCK_BOOTTIME) - begun > _LONGEST_STAGING:
            raise PassingError(f"lake {self.name}: a change took over a day: run the command again")
        commit = Commit(head + 1, attempt, tuple(sorted(self._held)), files)
        # What was put aside elsewhere, and readers here take for at hand.
        for move in moves:
            if move.staged and self._place_of(move).startswith(LARGE):
                spare(move.staged)
        small = (move for move in moves if not self._place_of(move).startswith(LARGE))
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
        self._objects.upload(VIEWS, draft)
        draft.unlink()
        self._note(views=made_of)

    def list_garbage(self, *, delete: bool = False) -> list[ListedObject]:
        """What lies there that no commit needs any more; the caller holds ``commit``.

        It is deleted when asked for, and what lies otherwise than the log says is put in place.
        """
        if delete:
            self._put_again()
        garbage = list(list_garbage(self._objects, self._log))
        if delete:
            collect(self._objects, garbage)
        return garbage

    def find_differences(self) -> Iterator[tuple[str, str]]:
        """What the store has otherwise than the log says: each place, and a phrase."""
        _, before = self._log.read_all()
        there = {one.place: one.etag for one in list_own(self._objects, before)}
        head, files = self._log.read_all()
        for place, its, number in self._find_unlike(head, files, there):
            if number is None:
                yield place, "is missing in the store"
            elif number < its.commit:
                yield place, f"its bytes in the store are older ones; {_MENDING}"
            elif number == its.commit and not self._objects.has(place, its.sha256):
                yield place, "its bytes in the store are not those that were written"
        for place in sorted(there.keys() - files.keys()):
            if not place.startswith(_OF_LOG):
                yield place, "no commit put it there; readers by path would read it"

    def _find_unlike(
        self, head: int, files: Mapping[str, Version], there: Mapping[str, str]
    ) -> Iterator[tuple[str, Version, int | None]]:
        """Files of whose place the entity tag is not the log's, with the commit that is there."""
        pending = set(self._log.find_pending(0, head))
        for place, its in sorted(files.items()):
            if not its.is_gone and its.commit not in pending and there.get(place) != its.etag:
                now = self._objects.look(place)
                yield place, its, now and now[1]

    def _put_again(self) -> None:
        """Put in place what is missing, or what an older commit's bytes have taken the place of.

        They have where a machine stood still between its look at a place and its copy, the same
        bytes as before came there meanwhile, and it was killed before it could look again.
        """
        head, files = self._log.read_all()
        there = {one.place: one.etag for one in list_own(self._objects, files)}
        for place, its, number in self._find_unlike(head, files, there):
            if number is None or number < its.commit:
                with suppress(FileNotFoundError):  # its bytes are lost: `verify` says so
                    self._log.put(place, its)

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
            with suppress(RefusedError):  # keys that may only read: whoever writes next does it
                self._finish()
            return
        if not keeps_conditions(self._objects):
            raise LakeError(
                f"lake {self.name}: the store does not keep {CONDITIONS}, without which two"
                " writers could lose each other's changes: use another store"
            )

    def put_aside(self, path: Path, place: str) -> StandIn:
        """Put a file where the lake finds it on every machine, for one of them to commit.

        Raises:
            LakeError: it would have to be made of parts, and the store does not do that safely.
        """
        size = path.stat().st_size
        if size > parts.ONE_REQUEST and not keeps_conditions(self._objects, of_parts=True):
            raise LakeError(
                f"lake {self.name}: {path.name} has {size:,} bytes, and of what has over"
                f" {parts.ONE_REQUEST:,} the store does not keep {CONDITIONS}: use another store,"
                " or split the raw file into smaller ones"
            )
        sha256 = digest_of(path)
        target = f"{STAGED}{self._writer}-{secrets.token_hex(8)}/{sha256}"
        etag = self._objects.upload(target, path)
        return StandIn(self._url, place, target, sha256, size, etag)

    def _finish(self) -> None:
        """Put in place what a killed process left, for one who may find nothing else to do."""
        if self._log.find_pending(self._know("applied"), self._know("head")):
            with self.lock("commit"):
                pass

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


def _write_without_rows(path: Path, place: str) -> None:
    """Write what stands for a file that is gone: where views look, Parquet with no rows."""
    from pipeline.lake.sheets import SCHEMA  # noqa: PLC0415 as above
    from pipeline.lake.table_files import write_table  # noqa: PLC0415 loads Arrow
    from pipeline.tables import PARTITIONED, UNPARTITIONED  # noqa: PLC0415 as above

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
