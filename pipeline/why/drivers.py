"""What a surge's excess is made of: each element's part of it, and which of them drove it.

After Adtributor (Bhagwan et al., *Adtributor: Revenue Debugging in Advertising Systems*, NSDI
2014): an element's explanatory power is its part of the excess, its surprise the term of the
Jensen-Shannon divergence, and dimensions are ranked by the surprise of the elements that explain.
Departures from it, and why:

- Surprise is that of the excess's composition against the usual one, not of the surge's days
  against it: the same driver surprises as much in a small surge as in a large one.
- An element that would have had its part, had everything risen alike, explains nothing. It is a
  driver when what it has beyond that is a tenth of the excess or more, and no chance: shares
  vary from day to day by more than a multinomial would, as much as the days before show. So
  "everything rose alike" is an answer. Adtributor always names a dimension.
- There is no part of the excess that the elements have to explain together (its T_EP): what a
  driver leaves over is said to have risen alike.
- Hour and server say when and where it came, not why: they rank after the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline.surges.tail import upper_tail
from pipeline.tables import DRIVERS
from pipeline.why.explain import CIRCUMSTANCES
from pipeline.why.thresholds import (
    ALIKE_SESSIONS,
    LARGEST_CHANCE,
    LEAST_DAYS_BEFORE,
    LEAST_OF_A_DRIVER,
    LEAST_SESSIONS_BEFORE,
    LEAST_SURPLUS,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]


def find_drivers(surges: pa.Table, spans: pa.Table, elements: pa.Table) -> pa.Table:
    """Return the table ``drivers`` of ``surges``, in the order of ``elements``.

    ``spans`` and ``elements`` are the rows of ``sql/why/``: their ``surge`` is the row of
    ``surges``. What is expected of an element is what the detector expected of each day, by the
    element's share of the earlier days of its kind (weekday or weekend), drawn to its share of all
    of them as far as there are few sessions. Sums over a dimension are the surge's, to the
    thousandth. All but ``observed`` is null where too few days or sessions lie before.
    """
    surge = _numbers(elements, "surge")
    observed, weekdays, weekends = (
        _numbers(elements, name) for name in ("observed", "weekdays_before", "weekends_before")
    )
    names = elements["dimension"].to_pylist()
    kinds, kind = np.unique(np.array(names, dtype=object), return_inverse=True)
    _, group = np.unique(surge * len(kinds) + kind, return_inverse=True)
    groups = _Groups(group)
    span = _Spans(spans, len(surges))

    before = weekdays + weekends
    share = (before + 1 / groups.size) / (groups.sum(before) + 1)
    share_of = [
        (part + ALIKE_SESSIONS * share) / (groups.sum(part) + ALIKE_SESSIONS)
        for part in (weekdays, weekends)
    ]
    in_all = np.maximum(groups.sum(observed), 1)
    wanted = (
        span.weekdays[surge] * share_of[0]
        + span.weekends[surge] * share_of[1]
        + span.unjudged[surge] * observed / in_all
    )
    expected = groups.apportion(wanted, _column(surges, "expected")[surge])
    excess = np.round(observed - expected, 3)
    total = np.maximum(_column(surges, "excess")[surge], 0.001)
    usual = expected / np.maximum(groups.sum(expected), 0.001)
    surplus = (observed - in_all * usual) / total
    chance = _chance(elements, groups, span, usual, in_all)

    is_known = (span.days[surge] >= LEAST_DAYS_BEFORE) & (
        groups.sum(before) >= LEAST_SESSIONS_BEFORE
    )
    is_other = elements["is_other"].to_numpy(zero_copy_only=False)
    is_driver = (
        is_known & ~is_other & (chance <= LARGEST_CHANCE)
        & (surplus >= LEAST_SURPLUS) & (excess >= LEAST_OF_A_DRIVER)
    )  # fmt: skip
    surprise = np.round(_surprise(usual, np.clip(excess / total, 0, 1)), 6)
    rank = _rank(surge, groups, np.isin(names, CIRCUMSTANCES), surprise, is_driver)
    columns = {
        "country": surges["country"].take(elements["surge"]),
        "start_day": surges["start_day"].take(elements["surge"]),
        "dimension": elements["dimension"],
        "element": elements["element"],
        "is_other": elements["is_other"],
        "observed": elements["observed"],
        "expected": pa.array(expected, mask=~is_known),
        "excess": pa.array(excess, mask=~is_known),
        "share": pa.array(np.round(excess / total, 6), mask=~is_known),
        "surprise": pa.array(surprise, mask=~is_known),
        "rank": pa.array(rank, mask=~is_driver),
        "sessions_before": pa.array(before),
        "days_before": pa.array(span.days[surge]),
    }
    return pa.table(columns).cast(DRIVERS)


class _Groups:
    """Rows by group, the elements of one dimension of one surge; results have a value a row."""

    def __init__(self, group: Ints) -> None:
        self.of = group
        self.size = np.bincount(group)[group] if len(group) else np.zeros(0)

    def sum(self, values: Ints | Floats) -> Floats:
        """The sum over each row's group."""
        return np.asarray(np.bincount(self.of, values)[self.of] if len(self.of) else values * 1.0)

    def apportion(self, wanted: Floats, totals: Floats) -> Floats:
        """Scale each group to its total in whole thousandths, the largest remainders rounded up."""
        if not len(wanted):
            return wanted
        thousandths = np.rint(totals * 1000)
        exact = wanted / np.maximum(self.sum(wanted), 1e-9) * thousandths
        floors = np.floor(exact)
        left = thousandths - self.sum(floors)
        order = np.lexsort((np.arange(len(exact)), floors - exact, self.of))
        first = np.searchsorted(self.of[order], self.of[order])
        place = np.empty(len(exact))
        place[order] = np.arange(len(exact)) - first
        return np.asarray((floors + (place < left)) / 1000)


class _Spans:
    """What is known of each surge's days, and of those before it."""

    def __init__(self, spans: pa.Table, surges: int) -> None:
        surge = _numbers(spans, "surge")
        is_before, is_weekend = (
            spans[name].to_numpy(zero_copy_only=False) for name in ("is_before", "is_weekend")
        )
        observed = _column(spans, "observed")
        expected = _column(spans, "expected")
        is_judged = ~np.isnan(expected)

        def add_up(chosen: Bools, values: Floats) -> Floats:
            return np.bincount(surge[chosen], values[chosen], minlength=surges).astype(np.float64)

        self.days = np.bincount(surge[is_before], minlength=surges)
        self.weekdays = add_up(~is_before & is_judged & ~is_weekend, expected)
        self.weekends = add_up(~is_before & is_judged & is_weekend, expected)
        self.unjudged = add_up(~is_before & ~is_judged, observed)
        self.squares = add_up(~is_before, observed**2)
        self.squares_before = add_up(is_before, observed**2)


def _chance(
    elements: pa.Table, groups: _Groups, span: _Spans, usual: Floats, in_all: Floats
) -> Floats:
    """The chance of so many sessions of an element or more, were its share as usual.

    Its variance is that of a share that varies from day to day (beta-binomial, one correlation for
    a dimension, estimated by moments from the days before), and of the usual share's own estimate.
    """
    surge = _numbers(elements, "surge")
    before = _numbers(elements, "weekdays_before") + _numbers(elements, "weekends_before")
    named = ~elements["is_other"].to_numpy(zero_copy_only=False)
    sessions = np.maximum(groups.sum(before), 1)
    share, days = before / sessions, np.maximum(span.days[surge], 2)
    squares = span.squares_before[surge]
    scatter = (
        _column(elements, "squares")
        - 2 * share * _column(elements, "products")
        + share**2 * squares
    ) * days / (days - 1)  # fmt: skip
    spread = named * share * (1 - share)
    beyond = groups.sum(named * scatter) - groups.sum(spread) * sessions
    most = groups.sum(spread) * (squares - sessions)
    correlation = np.clip(beyond / np.maximum(most, 1e-9), 0, 1)
    per_session = (
        in_all + correlation * span.squares[surge]
        + in_all**2 * (1 / sessions + correlation * squares / sessions**2)
    )  # fmt: skip
    mean = np.maximum(in_all * usual, 1e-6)
    variance = np.maximum(usual * (1 - usual) * per_session, mean)
    return upper_tail(_column(elements, "observed"), mean, variance)


def _surprise(usual: Floats, share: Floats) -> Floats:
    """The term of the Jensen-Shannon divergence, in bits: 0 for a share as usual."""
    middle = np.maximum((usual + share) / 2, 1e-12)
    terms = (part * np.log2(np.maximum(part, 1e-12) / middle) for part in (usual, share))
    return np.asarray(sum(terms) / 2)


def _rank(
    surge: Ints, groups: _Groups, is_circumstance: Bools, surprise: Floats, is_driver: Bools
) -> Ints:
    """Each driver's place in its surge, from 1: by its dimension's surprise, then by its own."""
    of_dimension = np.round(groups.sum(surprise * is_driver), 6)
    order = np.lexsort((-surprise, groups.of, -of_dimension, is_circumstance, ~is_driver, surge))
    rank = np.empty(len(surge), np.int64)
    rank[order] = np.arange(len(surge)) - np.searchsorted(surge[order], surge[order]) + 1
    return rank


def _numbers(table: pa.Table, name: str) -> Ints:
    return np.asarray(table[name].cast(pa.int64()).to_numpy())


def _column(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False))
