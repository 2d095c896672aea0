"""From when to when each source is expected, told from the days on which it came.

A stray line of a wrong clock (one of 1970 at boot, one of 2098) starts no tenure and ends none: a
few hits, days apart from all others of its source, or of the lake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from pipeline.days import ONE_DAY

RETIRED_AFTER_DAYS = 7
_FEW = 4
"""Hits so many times below those of a usual day are stray when they stand apart."""
_MANY_HITS = 20
"""A source with so many a usual day has none of its own rhythm that stand a day apart."""

Counts = Mapping[int, int | None]
"""Hits by day (index); None: the day has some, it is not known how many."""


@dataclass(frozen=True)
class Tenure:
    """From when to when (indices of days, both included) a source is expected."""

    first: int
    last: int
    has_ended: bool
    is_due: bool
    """Named by the setting: every day, whatever its rhythm."""
    due_until: date | None
    """Of a source that has not come lately: after which day it is taken as retired."""


def find_strays(days: Sequence[date], counts: Mapping[str, Counts]) -> dict[str, set[int]]:
    """The days (indices) on which each source has stray hits alone, sources without any left out.

    Late ones are stray when they are so far off that they would retire others.
    """
    total: dict[int, int | None] = {}
    for own in counts.values():
        for day, hits in own.items():
            before = total.get(day, 0)
            total[day] = None if hits is None or before is None else before + hits
    of_lake = _stray_days(days, total)
    found = {
        source: of_lake & own.keys()
        | _stray_days(days, {day: hits for day, hits in own.items() if day not in of_lake})
        for source, own in counts.items()
    }
    return {source: strays for source, strays in found.items() if strays}


def _stray_days(days: Sequence[date], counts: Counts) -> set[int]:
    stretches = _split(days, sorted(counts))
    sizes = [_sum([counts[day] for day in stretch]) for stretch in stretches]
    if len(stretches) < 2 or None in sizes:
        return set()
    main = max(range(len(sizes)), key=lambda place: sizes[place] or 0)
    usual = float(np.median([counts[day] or 0 for day in stretches[main]]))
    strays: set[int] = set()
    for place in range(main):
        apart = days[stretches[place + 1][0]] - days[stretches[place][-1]]
        is_far = apart > RETIRED_AFTER_DAYS * ONE_DAY or usual >= _MANY_HITS
        if not is_far or (sizes[place] or 0) * _FEW > usual:
            break
        strays.update(stretches[place])
    for place in range(len(stretches) - 1, main, -1):
        apart = days[stretches[place][0]] - days[stretches[place - 1][-1]]
        if apart <= RETIRED_AFTER_DAYS * ONE_DAY or (sizes[place] or 0) * _FEW > usual:
            break
        strays.update(stretches[place])
    return strays


def _split(days: Sequence[date], seen: Sequence[int]) -> list[list[int]]:
    """The runs of days without a calendar day between."""
    stretches: list[list[int]] = []
    for day in seen:
        if stretches and days[day] - days[stretches[-1][-1]] <= ONE_DAY:
            stretches[-1].append(day)
        else:
            stretches.append([day])
    return stretches


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def find_tenures(
    days: Sequence[date], given: Mapping[str, set[int]], named: Sequence[str]
) -> dict[str, Tenure]:
    """Which sources are expected from when to when.

    ``given``: the days (indices) on which each was seen, stray ones left out; not empty.
    """
    if not days:
        return {}
    newest = max(map(max, given.values()), default=len(days) - 1)
    if named:
        return {
            source: Tenure(
                min(given.get(source, {0})), newest, has_ended=False, is_due=True, due_until=None
            )
            for source in sorted(set(named))
        }
    firsts = {source: days[min(seen)] for source, seen in given.items()}
    found = {}
    for source, seen in sorted(given.items()):
        first, last = days[min(seen)], days[max(seen)]
        is_file_name = last - first <= ONE_DAY and any(
            first < other <= last + ONE_DAY for other in firsts.values()
        )
        due_until = last + RETIRED_AFTER_DAYS * ONE_DAY
        has_ended = max(seen) < newest and (is_file_name or days[newest] > due_until)
        found[source] = Tenure(
            min(seen),
            max(seen) if has_ended else newest,
            has_ended=has_ended,
            is_due=False,
            due_until=None if has_ended or max(seen) == newest else due_until,
        )
    return found
