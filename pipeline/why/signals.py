"""What speaks for people or for machines in a surge: figures beside their usual values.

Most are a ratio of two sums. That of the excess alone is what the surge's days have beyond the
expected sessions, had these been as usual: it does not depend on how large the surge is beside
the country's ordinary visitors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables import SIGNALS
from pipeline.why.signal_names import (
    AGENTS_SPREAD,
    ASSETS,
    BUSIEST_VISITOR,
    COMMONEST_AGENT,
    COMMONEST_NETWORK,
    ERRORS,
    FIGURES,
    NEW_AGENTS,
    NIGHT,
    ONE_HIT,
    PAGES,
    ROBOTLIKE,
    SESSIONS_A_VISITOR,
    SHARES,
)
from pipeline.why.thresholds import LEAST_DAYS_BEFORE, LEAST_SESSIONS_BEFORE, MOST_NOISE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_RATIOS = {
    SESSIONS_A_VISITOR: ("sessions", "visitors"),
    BUSIEST_VISITOR: ("busiest", "sessions"),
    ASSETS: ("assets", "sessions"),
    PAGES: ("pages", "sessions"),
    ONE_HIT: ("one_hit", "sessions"),
    ROBOTLIKE: ("robotlike", "sessions"),
    NIGHT: ("night", "sessions"),
    ERRORS: ("errors", "hits"),
}
NIGHT_HOURS = ("01", "02", "03", "04", "05")
"""Of the site's zone."""


def find_signals(
    surges: pa.Table, spans: pa.Table, visits: pa.Table, agents: pa.Table, elements: pa.Table
) -> pa.Table:
    """Return the table ``signals`` of ``surges``, ordered by them, then as in ``FIGURES``.

    The other tables are the rows of ``sql/why/``. ``usual`` and ``of_excess`` are null where too
    few days or sessions lie before; all is null that is divided by nothing.
    """
    during, before = (_sums(len(surges), visits, elements, is_before=b) for b in (False, True))
    expected = surges["expected"].to_numpy()
    is_before = spans["is_before"].to_numpy(zero_copy_only=False)
    days = np.bincount(spans["surge"].to_numpy()[is_before], minlength=len(surges))
    is_known = (days >= LEAST_DAYS_BEFORE) & (before["sessions"] >= LEAST_SESSIONS_BEFORE)
    scale = np.where(is_known, expected / np.maximum(before["sessions"], 1), np.nan)
    found = {
        name: (
            _divide(during[top], during[bottom]),
            np.where(is_known, _divide(before[top], before[bottom]), np.nan),
            _divide(
                np.maximum(during[top] - scale * before[top], 0),
                during[bottom] - scale * before[bottom],
            ),
        )
        for name, (top, bottom) in _RATIOS.items()
    } | _judge_agents(len(surges), agents, scale)
    sessions = during["sessions"], before["sessions"]
    found[COMMONEST_NETWORK] = _judge_networks(elements, *sessions, scale)
    for name in SHARES:  # of the excess they are estimates: more than all of it is all
        found[name] = (*found[name][:2], np.clip(found[name][2], 0, 1))
    rows = len(surges) * len(FIGURES)
    at = np.repeat(np.arange(len(surges)), len(FIGURES))
    values = np.array([found[name] for name in FIGURES]).transpose(1, 2, 0).reshape(3, rows)
    rounded = [pa.array(np.round(column, 6), from_pandas=True) for column in values]
    columns = [
        surges["country"].take(pa.array(at)),
        surges["start_day"].take(pa.array(at)),
        pa.array([*FIGURES] * len(surges), pa.string()),
        *rounded,
    ]
    return pa.table(columns, names=SIGNALS.names).cast(SIGNALS)


def _sums(
    surges: int, visits: pa.Table, elements: pa.Table, *, is_before: bool
) -> dict[str, Floats]:
    """By name what the surges' days, or those before, add up to."""
    chosen = visits.filter(pc.equal(visits["is_before"], is_before))
    at = chosen["surge"].to_numpy()
    sums = {}
    for name in ("sessions", "visitors", "busiest", "hits", "pages", "errors", "one_hit",
                 "robotlike", "assets"):  # fmt: skip
        sums[name] = np.zeros(surges)
        sums[name][at] = chosen[name].to_numpy()
    nights = elements.filter(
        pc.and_(
            pc.equal(elements["dimension"], "hour"),
            pc.is_in(elements["element"], value_set=pa.array(NIGHT_HOURS)),
        )
    )
    columns = ("weekdays_before", "weekends_before") if is_before else ("observed",)
    counts = sum(nights[name].to_numpy() for name in columns)
    sums["night"] = np.bincount(nights["surge"].to_numpy(), counts, surges).astype(float)
    return sums


def _judge_agents(
    surges: int, agents: pa.Table, scale: Floats
) -> dict[str, tuple[Floats, Floats, Floats]]:
    """The figures of user agents: the one that rose most, those never seen before, their spread.

    The spread is the number of equally common agents of which two sessions would have the same one
    as often (the exponential of Renyi's entropy of order 2, Hill's N2; *A Diversity Index*, Ecology
    54, 1973). Unlike Shannon's, it is estimated without bias from any number of sessions.
    """
    at = agents["surge"].to_numpy()
    count, now, before = (
        agents[name].to_numpy().astype(np.float64)
        for name in ("agents", "sessions", "sessions_before")
    )

    def total(values: Floats) -> Floats:
        return np.bincount(at, count * values, minlength=surges).astype(np.float64)

    sessions, all_before = total(now), total(before)
    excess = now - np.where(np.isnan(scale[at]), 0, scale[at]) * before
    in_all = np.where(np.isnan(scale), np.nan, total(excess))
    order = np.lexsort((before, now, excess, at))
    last = np.searchsorted(at[order], np.arange(surges), side="right") - 1
    top = order[last] if len(order) else np.zeros(surges, np.int64)
    new = before == 0
    noise = now + np.where(np.isnan(scale[at]), 0, scale[at]) ** 2 * before
    shared = np.maximum(total(excess**2 - noise), 0)
    is_clear = np.sqrt(2 * total(noise**2)) <= MOST_NOISE * shared
    usual = np.where(np.isnan(scale), np.nan, 1)
    return {
        COMMONEST_AGENT: (
            _divide(now[top], sessions),
            usual * _divide(before[top], all_before),
            _divide(excess[top], in_all),
        ),
        NEW_AGENTS: (
            _divide(total(now * new), sessions),
            # What a session more would find new: Good's estimate, by the agents seen once.
            usual * _divide(total((before == 1) * 1.0), all_before),
            _divide(np.maximum(total(now * new) - scale * total((before == 1) * 1.0), 0), in_all),
        ),
        AGENTS_SPREAD: (
            _divide(sessions * (sessions - 1), total(now * (now - 1))),
            usual * _divide(all_before * (all_before - 1), total(before * (before - 1))),
            np.where(is_clear, _divide(in_all**2, shared), np.nan),
        ),
    }


def _judge_networks(
    elements: pa.Table, sessions: Floats, sessions_before: Floats, scale: Floats
) -> tuple[Floats, Floats, Floats]:
    """The share of the network that rose most, of those that are named."""
    is_network = pc.equal(elements["dimension"], "network")
    own = elements.filter(pc.and_(is_network, pc.is_valid(elements["element"])))
    at = own["surge"].to_numpy()
    now = own["observed"].to_numpy().astype(np.float64)
    before = own["weekdays_before"].to_numpy() + own["weekends_before"].to_numpy()
    excess = now - np.where(np.isnan(scale[at]), 0, scale[at]) * before
    order = np.lexsort((before, now, excess, at))
    last = np.searchsorted(at[order], np.arange(len(scale)), side="right") - 1
    has_any = np.isin(np.arange(len(scale)), at)

    def take(values: Floats) -> Floats:
        taken = np.full(len(scale), np.nan)
        taken[has_any] = values[order[last[has_any]]]
        return taken

    usual = np.where(np.isnan(scale), np.nan, 1)
    return (
        _divide(take(now), sessions),
        usual * _divide(take(before), sessions_before),
        usual * _divide(take(excess), sessions - scale * sessions_before),
    )


def _divide(top: Floats, bottom: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(bottom > 0, top / bottom, np.nan))
