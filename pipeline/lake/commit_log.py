"""What a lake in a store is: a log of commits, each made by one conditional PUT.

``ledger/commits/NNNNNNNN.json`` is created where nothing is, so of two writers one is first. It
names the bytes of each file that it changes, which lie in ``staged/`` by then. Then it is applied:
each is copied, within the store, to its own place, over an older commit's alone; whoever comes next
finishes what a killed process left. Every so many commits a checkpoint says what they come to.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import LakeError, PassingError
from pipeline.lake.fault_points import reach
from pipeline.lake.requests import TakenError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.lake.objects import Objects

COMMITS, APPLIED, CHECKPOINTS = "ledger/commits/", "ledger/applied/", "ledger/checkpoints/"
STAGED = "staged/"
VERSION = 1
CHECKPOINT_EACH = 64
_AT_ONCE = 8


@dataclass(frozen=True)
class Version:
    """A file of the lake as a commit makes it."""

    commit: int
    object: str
    """Where its bytes were staged."""
    sha256: str
    size: int
    etag: str
    """The store's word for them, of the object that was staged: in most stores of its copy, too."""
    is_gone: bool = False
    """The commit takes it away. Its bytes are those of no rows, and stand at its place until they
    are collected: whoever is slow with an older commit can't bring that back."""


@dataclass(frozen=True)
class Commit:
    """One entry of the log."""

    number: int
    attempt: str
    """Whose it is."""
    under: tuple[str, ...]
    """The locks that its writer held."""
    files: Mapping[str, Version]
    """What it makes of each file, by place."""
    mark: str = ""
    """The entity tag of its object: another log's commit of the same number has another."""

    def render(self) -> bytes:
        """As it stands in the log."""
        return _render(attempt=self.attempt, under=self.under, files=self.files)


class CollectedError(PassingError):
    """Commits are asked for of which only a checkpoint is left, or which are not this log's."""


class CommitLog:
    """The log of one lake."""

    def __init__(self, objects: Objects) -> None:
        """Know where it is; nothing is asked."""
        self._objects = objects

    def read(self, after: int, mark: str = "") -> list[Commit]:
        """The commits behind a number; with a mark: behind the one that has it.

        Raises:
            CollectedError: the first of them are gone, or the one with the mark is.
            LakeError: one is damaged, or a later version wrote it.
        """
        first = after if mark else after + 1
        there = self._objects.list(COMMITS, f"{COMMITS}{first - 1:08d}.json")
        listed = [one for one in there if number_of(one.place)]
        numbers = [number_of(one.place) for one in listed]
        if numbers != list(range(first, first + len(numbers))):
            raise self._collected()
        if mark:
            if [one.etag for one in listed[:1]] != [mark]:
                raise self._collected()
            numbers = numbers[1:]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._read, numbers))

    def _read(self, number: int) -> Commit:
        found = self._objects.get(f"{COMMITS}{number:08d}.json")
        if found is None:
            raise self._collected()
        content = self._parse(found[0], f"commit {number}")
        return Commit(
            number,
            content["attempt"],
            tuple(content["under"]),
            _files_of(content["files"]),
            found[1],
        )

    def _collected(self) -> CollectedError:
        return CollectedError(
            f"lake {self._objects.name}: its log went on without this run: run the command again"
        )

    def find_mark(self, number: int) -> str:
        """The mark of a commit; nothing where it is gone."""
        found = self._objects.get(f"{COMMITS}{number:08d}.json")
        return found[1] if found else ""

    def _parse(self, text: bytes, what: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(text)
            version = content["version"]
        except (ValueError, KeyError, TypeError):
            raise LakeError(f"lake {self._objects.name}: {what} of its log is damaged") from None
        if version > VERSION:
            raise LakeError(
                f"lake {self._objects.name} was written by a later version of Tidegauge: install"
                " that"
            )
        return content

    def read_checkpoint(self) -> tuple[int, dict[str, Version]]:
        """The latest checkpoint: its number, and every file as of then; 0 and none without one."""
        number = self._last_checkpoint()
        if not number:
            return 0, {}
        found = self._objects.get(f"{CHECKPOINTS}{number:08d}.json")
        if found is None:
            return self.read_checkpoint()  # collected: there is a later one
        content = self._parse(found[0], f"checkpoint {number}")
        return number, _files_of(content["files"])

    def _last_checkpoint(self) -> int:
        numbers = [number_of(one.place) for one in self._objects.list(CHECKPOINTS)]
        return max(numbers, default=0)

    def read_all(self, until: int | None = None) -> tuple[int, dict[str, Version]]:
        """The number of the last commit, and every file of the lake after it, or gone since.

        Args:
            until: the last commit that counts; all do when not given.
        """
        while True:
            number, files = self.read_checkpoint()
            try:
                for commit in self.read(number):
                    if until is None or commit.number <= until:
                        number = commit.number
                        files |= commit.files
            except CollectedError:
                if self.read_checkpoint()[0] == number:
                    raise LakeError(
                        f"lake {self._objects.name}: its log lacks commits behind number {number}:"
                        " bring them back from a copy of the bucket"
                    ) from None
                continue
            return number, files

    def put_checkpoint(self, number: int, files: Mapping[str, Version]) -> None:
        """Write what the commits up to a number come to."""
        self._objects.put(f"{CHECKPOINTS}{number:08d}.json", _render(files=files))

    def append(self, commit: Commit) -> str:
        """Make a commit the log's next one. From then on it is the lake's. Returns its mark.

        Raises:
            PassingError: somebody else's is there: nothing of this one counts.
        """
        reach("store: staged")
        place = f"{COMMITS}{commit.number:08d}.json"
        try:
            mark = self._objects.create(place, commit.render())
        except TakenError:
            there = self._read(commit.number)
            mark = there.mark
            if there.attempt != commit.attempt:
                raise PassingError(
                    f"lake {self._objects.name}: another machine changed it at the same time, so"
                    " this run's change was not made: run the command again"
                ) from None
        reach("store: committed")
        return mark

    def find_pending(self, applied: int, head: int) -> list[int]:
        """The commits up to ``head`` that nobody has put in place, as far as it is written down.

        Args:
            applied: the commit up to which all are.
            head: the last commit that is asked about.
        """
        names = self._objects.list(APPLIED, f"{APPLIED}{applied:08d}")
        done = {number_of(one.place) for one in names}
        pending = [number for number in range(applied + 1, head + 1) if number not in done]
        if pending:  # what a checkpoint has is in place, and may be written down no longer
            kept = self._last_checkpoint()
            pending = [number for number in pending if number > kept]
        return pending

    def apply(self, applied: int, head: int) -> None:
        """Put in place what commits say that are not known to be applied."""
        if todo := self.find_pending(applied, head):
            every = self.read(todo[0] - 1)
            self._apply([one for one in every if one.number in todo], every)

    def apply_own(self, commit: Commit, new: Collection[str]) -> None:
        """Put in place what a commit just made says; ``new``: places where nothing was before."""
        self._apply([commit], [commit], new)

    def _apply(self, todo: list[Commit], every: list[Commit], new: Collection[str] = ()) -> None:
        places = {place for one in todo for place in one.files}
        while True:
            latest = {p: its for one in every for p, its in one.files.items() if p in places}
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(lambda file: self.put(*file, is_new=file[0] in new), latest.items()))
            # While this was slow, another may have gone on, and be done.
            if not (more := self.read(every[-1].number)):
                break
            every = [*every, *more]
        for one in todo:
            self._objects.put(f"{APPLIED}{one.number:08d}", b"")

    def put(self, place: str, its: Version, *, is_new: bool = False) -> None:
        """Copy what was staged of a file to its place, where an older commit's is."""
        while True:
            there = None if is_new else self._objects.look(place)
            if there and there[1] >= its.commit:
                return
            reach("store: before a copy")
            with suppress(TakenError):
                self._objects.copy(its.object, place, its.commit, there and there[0], its.size)
                return
            is_new = False


def number_of(place: str) -> int:
    """The number in the name of one of the log's objects; 0 in others."""
    found = re.search(r"(\d{8})(\.json)?$", place)
    return int(found[1]) if found else 0


def _render(**content: Any) -> bytes:
    files = {place: asdict(its) for place, its in content["files"].items()}
    return json.dumps({"version": VERSION, **content, "files": files}).encode()


def _files_of(files: Mapping[str, Any]) -> dict[str, Version]:
    return {place: Version(**its) for place, its in files.items()}
