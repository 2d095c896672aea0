"""What no commit of a lake in a store needs any more: staged bytes, files gone, the log's old part.

And parts of an object that was never made whole.

Whatever is younger than two days stays, by the store's clock: a run may still be at it, or a reader
of an older state. No run lasts that long: a change that took a day is not made (``bucket``).
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.errors import LakeError
from pipeline.lake.commit_log import APPLIED, CHECKPOINTS, COMMITS, STAGED, CommitLog, number_of
from pipeline.lake.requests import TakenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.lake.objects import ListedObject, Objects

log = logging.getLogger(__name__)

KEPT_SECONDS = 2 * 24 * 3600.0


def list_garbage(objects: Objects, log: CommitLog) -> Iterator[ListedObject]:
    """The objects that may go; every commit is applied."""
    _, files = log.read_all()
    staged = {its.object: (place, its) for place, its in files.items()}
    checkpoints = sorted(number_of(one.place) for one in objects.list(CHECKPOINTS))
    kept_from = checkpoints[-2] if len(checkpoints) > 1 else 0
    for one in list_own(objects, files):
        place = one.place
        if one.age_seconds <= KEPT_SECONDS:
            continue
        if place.startswith(STAGED):
            target, its = staged.get(place, (None, None))
            there = objects.look(target) if target else None
            is_garbage = its is None or (there is not None and there[1] >= its.commit)
        elif place.startswith((COMMITS, APPLIED)):
            is_garbage = number_of(place) <= kept_from
        elif place.startswith(CHECKPOINTS):
            is_garbage = number_of(place) < kept_from
        else:  # what others put there is theirs
            is_garbage = place in files and files[place].is_gone
        if is_garbage:
            yield one
    yield from _list_uploads(objects, files)


def list_own(objects: Objects, files: Iterable[str]) -> Iterator[ListedObject]:
    """The objects in the lake's folders: beside those may lie what is not its, or another lake."""
    for folder in _folders(files):
        yield from objects.list(folder)


def _list_uploads(objects: Objects, files: Iterable[str]) -> list[ListedObject]:
    """Parts that a killed process left, and nobody will make whole."""
    try:
        there = [one for folder in _folders(files) for one in objects.list_uploads(folder)]
    except LakeError as error:  # keys or stores that can't: all else goes all the same
        log.warning("%s: parts that were never made whole are not listed", error)
        return []
    return [one for one in there if one.age_seconds > KEPT_SECONDS]


def _folders(files: Iterable[str]) -> list[str]:
    return sorted({f"{place.partition('/')[0]}/" for place in files} | {STAGED, "ledger/"})


def collect(objects: Objects, garbage: Iterable[ListedObject]) -> None:
    """Delete it; what was written anew since it was listed stays."""
    for one in garbage:
        with suppress(TakenError):
            if one.upload:
                objects.abort(one)
            else:
                objects.delete(one.place, one.etag)
