"""What is said of a surge: its drivers, and whether it was people, each in a sentence.

Rules over the rows of ``drivers`` and ``signals``. Texts of visitors (pages, referring sites) stand
in quotes, safe for a terminal, and no longer than a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.text import escape, write_share
from pipeline.why import signal_names as names
from pipeline.why import thresholds as at

CIRCUMSTANCES = ("hour", "source server")
"""Dimensions that say when and where it came, not why."""
NETWORK = "network"
MACHINES = "It looks like machines"
_NAMED = 3
_LONGEST = 80


@dataclass(frozen=True)
class Driver:
    """A row of ``drivers``."""

    country: str
    start_day: date
    dimension: str
    element: str | None
    is_other: bool
    observed: int
    expected: float | None
    excess: float | None
    share: float | None
    surprise: float | None
    rank: int | None
    sessions_before: int
    days_before: int


@dataclass(frozen=True)
class Signal:
    """A row of ``signals``; all three values are null where nothing can be said."""

    country: str
    start_day: date
    figure: str
    observed: float | None
    usual: float | None
    of_excess: float | None


def explain(rows: Sequence[Driver]) -> str:
    """Say in a sentence what drove a surge, by all its rows."""
    if not rows or all(row.expected is None for row in rows):
        return "Too few days lie before it to say what drove it."
    ranked = sorted((row for row in rows if row.rank is not None), key=lambda row: row.rank or 0)
    network = "network, " if any(row.dimension == NETWORK for row in rows) else ""
    alike = (
        f"Everything rose alike: no page, referring site, subdivision, {network}or kind of agent"
        " stands out"
    ).replace(", or", " or")
    if not ranked:
        return f"{alike}."
    in_all = {row.dimension: 0.0 for row in rows}
    for row in rows:
        in_all[row.dimension] += row.expected or 0
    parts = []
    for dimension in [*dict.fromkeys(row.dimension for row in ranked)][:_NAMED]:
        own = [row for row in ranked if row.dimension == dimension][:_NAMED]
        named = [
            f"{_name(row)} ({_percent(row.share or 0)}, usually"
            f" {_percent((row.expected or 0) / max(in_all[dimension], 0.001))})"
            for row in own
        ]
        parts.append(f"by {dimension} {_list(named)}")
    if ranked[0].dimension in CIRCUMSTANCES:
        return f"{alike}; but more than usual came {'; '.join(parts)}."
    return f"Of the sessions beyond the expected, more than usual came {'; '.join(parts)}."


def tell_lacking(rows: Sequence[Driver]) -> str | None:
    """Say what the rows of a surge lack, and which commands bring it; None when nothing."""
    if not rows or any(row.dimension == NETWORK for row in rows):
        return None
    return (
        "Networks were not looked at, as its hits were read without a database of them: `tidegauge"
        " geo fetch dbip-lite --kind asn` gets one, `tidegauge build --also geo` then reads the raw"
        " files again."
    )


def name_element(row: Driver) -> str | None:
    """An element as it is shown: a subdivision's code as ISO 3166-2 has it."""
    if row.is_other:
        return "(all others)"
    if row.dimension == "subdivision" and row.element is not None:
        return f"{row.country}-{row.element}"
    return row.element


def _name(row: Driver) -> str:
    name = name_element(row)
    if name is None:
        return "none"
    text = escape(name)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return f"\N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"


def _list(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def tell_people(rows: Sequence[Signal], drivers: Sequence[Driver]) -> str:
    """Say in a sentence whether the sessions too many were people's, by all rows of a surge."""
    by_name = {row.figure: row for row in rows}
    if all(row.of_excess is None for row in rows):
        return "Whether it was people cannot be told: too few days lie before it."
    telling = _list_telling(by_name)
    odd = [*_list_odd(by_name), *_find_one_place(drivers)]
    excess = sum(row.excess or 0 for row in drivers if row.dimension == "hour")
    if telling or len(odd) > 1:
        return f"{MACHINES}: {'; '.join([*telling, *odd][:_NAMED])}."
    if excess < at.LEAST_EXCESS:
        return "Whether it was people cannot be told: it is too few sessions."
    if odd:
        return f"Whether it was people cannot be told: {odd[0]}, but nothing else is odd."
    usual = _list_usual(by_name)
    if len(usual) > 1:
        return f"It looks like people: {'; '.join(usual[:_NAMED])}."
    return "Whether it was people cannot be told: too little of it can be compared with the usual."


def _list_telling(by_name: Mapping[str, Signal]) -> list[str]:
    """What machines alone do."""
    found = []
    own, usual = _values(by_name, names.COMMONEST_AGENT)
    if own is not None and usual is not None and own - usual >= at.AGENT_MORE:
        found.append(
            f"one user agent made {_percent(own)} of the excess, usually {_percent(usual)}"
        )
    own, usual = _values(by_name, names.BUSIEST_VISITOR)
    if own is not None and own >= max(at.VISITOR_SHARE, at.TIMES_USUAL * (usual or 0)):
        found.append(f"one visitor made {_percent(own)} of the excess")
    own, usual = _values(by_name, names.SESSIONS_A_VISITOR)
    if (
        own is not None
        and usual is not None
        and own >= max(at.VISITS, at.VISITS_TIMES_USUAL * usual)
    ):
        found.append(f"its visitors came {own:.1f} times a day, usually {usual:.1f}")
    own, usual = _values(by_name, names.ROBOTLIKE)
    if own is not None and own >= max(at.ROBOTLIKE_SHARE, at.TIMES_USUAL * (usual or 0)):
        found.append(f"{_percent(own)} of its sessions are of visitors like robots")
    return found


def _list_odd(by_name: Mapping[str, Signal]) -> list[str]:
    """What people rarely do: two of it are machines."""
    found = []
    own, usual = _values(by_name, names.NEW_AGENTS)
    spread, usual_spread = _values(by_name, names.AGENTS_SPREAD)
    if own is not None and usual is not None and own >= usual + at.NEW_AGENTS_MORE:
        found.append(
            f"{_percent(own)} of its sessions have a user agent never seen before,"
            f" {_percent(usual)} would be usual"
        )
    elif spread and usual_spread and not _is_within(at.SPREAD_TIMES, spread / usual_spread):
        found.append(
            f"its user agents are mixed like {spread:,.0f} equally common ones, usually like"
            f" {usual_spread:,.0f}"
        )
    own, usual = _values(by_name, names.ASSETS)
    errors, _ = _values(by_name, names.ERRORS)
    if (
        own is not None and usual and usual >= at.LEAST_ASSETS
        and own < at.ASSETS_OF_USUAL * usual and (errors or 0) < at.MOST_ERRORS
    ):  # fmt: skip
        found.append(f"it loads {own:.2f} assets a session, usually {usual:.2f}")
    own, usual = _values(by_name, names.ONE_HIT)
    if (
        own is not None
        and usual is not None
        and own >= max(at.ONE_HIT_SHARE, usual + at.ONE_HIT_MORE)
    ):
        found.append(f"{_percent(own)} of its sessions are one hit, usually {_percent(usual)}")
    own, usual = _values(by_name, names.COMMONEST_NETWORK)
    if (
        own is not None
        and usual is not None
        and own >= max(at.NETWORK_SHARE, usual + at.NETWORK_MORE)
    ):
        found.append(f"one network made {_percent(own)} of the excess, usually {_percent(usual)}")
    return found


def _find_one_place(drivers: Sequence[Driver]) -> list[str]:
    """Whether all of it came from one subdivision and no site: one address does."""
    found = []
    for row in drivers:
        is_place = row.dimension == "subdivision" and row.element is not None
        is_nowhere = row.dimension == "referring site" and row.element is None
        if (
            (is_place or is_nowhere)
            and row.rank is not None
            and (row.share or 0) >= at.ONE_PLACE_SHARE
        ):
            found.append(row.dimension)
    return ["all of it came from one subdivision, from no site"] if len(found) > 1 else []


def _list_usual(by_name: Mapping[str, Signal]) -> list[str]:
    """What is as it is with the country's usual visitors."""
    found = []
    spread, usual_spread = _values(by_name, names.AGENTS_SPREAD)
    own, usual = _values(by_name, names.NEW_AGENTS)
    if own is not None and usual is not None:
        likely = "" if spread is None or usual_spread is None else (
            f" (like {spread:,.0f} equally common ones, usually like {usual_spread:,.0f})"
        )  # fmt: skip
        found.append(f"its user agents are as mixed as usual{likely}")
    own, usual = _values(by_name, names.ASSETS)
    if own is not None and (usual or 0) >= at.LEAST_ASSETS and _is_as_usual(own, usual):
        found.append(f"it loads {own:.2f} assets a session, usually {usual:.2f}")
    own, usual = _values(by_name, names.PAGES)
    if own is not None and _is_as_usual(own, usual):
        found.append(f"{own:.2f} pages a session, usually {usual:.2f}")
    own, _ = _values(by_name, names.BUSIEST_VISITOR)
    if own is not None:
        found.append(f"no visitor made more than {_percent(own)} of it")
    return found


def _is_as_usual(own: float, usual: float | None) -> bool:
    return bool(usual) and _is_within(at.AS_USUAL_TIMES, own / (usual or 1))


def _is_within(times: float, ratio: float) -> bool:
    return 1 / times <= ratio <= times


def _values(by_name: Mapping[str, Signal], figure: str) -> tuple[float | None, float | None]:
    """A figure of the excess, and its usual value."""
    row = by_name.get(figure)
    return (row.of_excess, row.usual) if row else (None, None)


def _percent(share: float) -> str:
    return write_share(min(max(share, 0.0), 1.0))
