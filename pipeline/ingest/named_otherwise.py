"""Remote raw files that are named for other days than a run's: a store may hold years of them.

Those that the lake has are forgotten as they are listed; the rest is noted, not fetched.
"""

import os
from collections.abc import Container, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

from pipeline.ingest.fetching import place_of
from pipeline.ingest.unchanged import list_unchanged
from pipeline.lake.lake import Lake
from pipeline.lake.left_out import note_file
from pipeline.raw.files import LeftOut
from pipeline.raw.stores import RemoteFile
from pipeline.setting_values import SourceTable
from pipeline.text import keep_clause

_LOOKED_UP_AT_ONCE = 250_000
"""Names: the lake's records are read once for so many."""
_NAMED_OTHERWISE = keep_clause("{files} not fetched, named for another day")


def place_all(
    lake: Lake, remotes: Iterable[RemoteFile], taken: Container[str]
) -> Iterator[tuple[RemoteFile, Path]]:
    """Where remote files lie when they are fetched; not what another source has."""
    for remote in remotes:
        path = place_of(lake.fetched, remote)
        if os.fspath(path) not in taken:
            yield remote, path


class Others:
    """Remote files that are named for other days than a run's."""

    def __init__(
        self, lake: Lake, table: SourceTable, near: Iterable[date], reach: tuple[int, int]
    ) -> None:
        """``reach``: so many days before and after the day in their names files have lines."""
        self._lake, self._table, self._reach = lake, table, reach
        self._days = {date.fromisoformat(day) for sums in lake.sums() for day in sums.days}
        self._days.update(near)
        self._of_hint: dict[date, set[date]] = {}
        self._new: list[tuple[RemoteFile, date]] = []
        self._unseen: list[tuple[RemoteFile, date]] = []

    def add(self, remote: RemoteFile, hint: date) -> None:
        """Keep one that is named for a day, as far as it matters."""
        if hint not in self._of_hint:
            before, after = self._reach
            around = {hint + timedelta(n) for n in range(-before, after + 1)}
            self._of_hint[hint] = self._days & around
        if self._of_hint[hint]:
            self._new.append((remote, hint))
            if len(self._new) == _LOOKED_UP_AT_ONCE:
                self._look_up()

    def _look_up(self) -> None:
        """Forget those that the lake has as they are now."""
        places = [os.fspath(place_of(self._lake.fetched, remote)) for remote, _ in self._new]
        with_places = zip(places, self._new, strict=True)
        stats = {place: its for place, (one, _) in with_places if (its := one.stat) is not None}
        seen = set(list_unchanged(self._lake, stats))
        with_places = zip(places, self._new, strict=True)
        self._unseen += [one for place, one in with_places if place not in seen]
        self._new = []

    def note(self, taken: Container[str]) -> Iterator[LeftOut]:
        """Note what the lake lacks, by name."""
        self._look_up()
        for remote, hint in sorted(self._unseen, key=lambda one: one[0].url):
            for _, path in place_all(self._lake, [remote], taken):
                days, stat = self._of_hint[hint], remote.stat or ()
                yield note_file(path, self._table.name, days, _NAMED_OTHERWISE, stat)
