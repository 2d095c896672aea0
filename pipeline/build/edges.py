"""The hours outside of a source's log: before its first hit, and after its last one.

A log that begins at 10:05 says nothing of the night before: it may be that of a site that opened,
or was cut. So here the burden of proof is the other way round than for a gap (``gaps``): the
hours are unknown, unless the source's own rhythm explains the silence.

**The rule.** The silence from midnight to the first hit, or from the last hit to midnight, is
explained when it is shorter than ``LEAST_GAP_MINUTES``; or the source was silent in the same hours
on another day (one in 50) of the kind, weekend or not; or its chance is over ``RARE``. The chance
is that of a renewal process with the rates of the other days (``learn_rates``) whose steps are as
regular as the source's silences are: of a visitor's clicks any silence may be long, of a line
every hour two hours' silence is none. Where no other day tells of these hours, the log's own day
does, and must have silences enough: then the chance is to be over ``RARE_ALONE``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pipeline.build.gaps import LEAST_GAP_MINUTES, Coverage, weigh_coverage
from pipeline.build.hazards import CAUTION, CAUTION_AT_FIRST, DAYS_OF_A_KIND, learn_rates
from pipeline.build.timeline import SATURDAY, Timeline, find_runs

if TYPE_CHECKING:
    from pipeline.surges.baseline import Bools, Floats, Ints

RARE = 0.005
RARE_ALONE = 0.03
_SILENT_DAYS_OF_ONE = 50
_LEAST_SILENCES = 10
_PRIOR_SILENCES = 3
_MOST_REGULAR = 20


def add_unknown_ends(  # noqa: PLR0913 a source's minutes, and which ends are open
    line: Timeline,
    hits: Ints,
    is_known: Bools,
    coverage: Coverage,
    *,
    has_begun: bool,
    has_ended: bool,
) -> Coverage:
    """Add the unknown hours of a source's first and last day to its gaps.

    Args:
        line: the days from the source's first one on.
        hits: hits of every minute.
        is_known: of every day, whether its minutes are known.
        coverage: what ``find_gaps`` found.
        has_begun: the source joined others: nothing is missing before its first hit.
        has_ended: it is gone for good: nothing is missing after its last one.
    """
    covered = (hits > 0) | ~is_known[line.day_of]
    seen = np.flatnonzero(covered)
    if not len(seen):
        return coverage
    is_log = np.zeros(len(hits), dtype=bool)
    is_log[seen[0] : seen[-1] + 1] = True
    log = _Log(line, hits, covered, is_log & ~coverage.is_gap & is_known[line.day_of])
    last_day = int(line.day_of[seen[-1]])
    ends = [] if has_begun else [(0, int(seen[0]))]
    ends += [] if has_ended else [(int(seen[-1]) + 1, int(line.starts[last_day + 1]))]
    is_gap = coverage.is_gap.copy()
    for start, end in ends:
        if not log.explains(start, end):
            is_gap[start:end] = True
    is_absent = coverage.is_absent & ~np.logical_or.reduceat(is_gap, line.starts[:-1])
    return weigh_coverage(line, hits, is_known, is_log, is_gap, is_absent)


class _Log:
    """One source's log, asked about the silences at its ends."""

    def __init__(self, line: Timeline, hits: Ints, covered: Bools, is_usable: Bools) -> None:
        """``is_usable``: of every minute, whether it lies within the log and in no gap."""
        self._line, self._hits, self._is_usable = line, hits, is_usable
        cells = learn_rates(line, hits, covered, is_usable)
        self._rate, self._caution, self._is_told = map(line.to_minutes, cells)
        firsts, ends = find_runs(is_usable & ~covered)
        self._silences = (ends - firsts).astype(np.float64)
        silent = is_usable & ~covered
        self._own_rate = len(self._silences) / max(int(silent.sum()), 1)

    def explains(self, start: int, end: int) -> bool:
        """Whether the source's own rhythm explains the silence of minutes ``start`` to ``end``."""
        if end - start < LEAST_GAP_MINUTES or self._was_silent(start, end):
            return True
        is_told = bool(self._is_told[start:end].all())
        if not is_told and len(self._silences) < _LEAST_SILENCES:
            return False
        rates = np.where(self._is_told, self._rate, self._own_rate)[start:end]
        # A first Sunday may be anything.
        caution = CAUTION if self._caution[start] == CAUTION_AT_FIRST and is_told else 1.0
        return self._chance(float(rates.sum()) / caution) > (RARE if is_told else RARE_ALONE)

    def _was_silent(self, start: int, end: int) -> bool:
        """Whether other days had no hit in the same minutes from midnight, or to midnight."""
        line, own = self._line, int(self._line.day_of[start])
        begins = line.starts[:-1] if start == line.starts[own] else line.starts[1:] - (end - start)
        begins = np.clip(begins, line.starts[:-1], line.starts[1:])
        ends = np.minimum(begins + (end - start), line.starts[1:])
        usable, hits = (
            np.concatenate([[0], np.cumsum(values)]) for values in (self._is_usable, self._hits)
        )
        daily = hits[line.starts[1:]] - hits[line.starts[:-1]]
        is_other = (usable[ends] - usable[begins] == ends - begins) & (daily > 0)
        is_other[own] = False
        is_kind = is_other & ((line.weekdays >= SATURDAY) == (line.weekdays[own] >= SATURDAY))
        chosen = is_kind if is_kind.sum() >= DAYS_OF_A_KIND else is_other
        silent = int((chosen & (hits[ends] == hits[begins])).sum())
        return silent > 0 and silent * _SILENT_DAYS_OF_ONE >= int(chosen.sum())

    def _chance(self, survived: float) -> float:
        """The chance of a silence that has survived so many others' ends."""
        steps = self._regularity()
        mean = steps * survived
        log_terms = [k * math.log(mean) - math.lgamma(k + 1) - mean for k in range(steps)]
        return math.fsum(map(math.exp, log_terms)) if mean > 0 else 1.0

    def _regularity(self) -> int:
        """Steps of the gamma distribution that silences are as regular as; 1: without memory."""
        lengths: Floats = self._silences
        if not len(lengths):
            return 1
        squares = float(((lengths / lengths.mean() - 1) ** 2).sum())
        spread = (squares + _PRIOR_SILENCES) / (len(lengths) + _PRIOR_SILENCES)
        return max(1, min(_MOST_REGULAR, int(1 / spread)))
