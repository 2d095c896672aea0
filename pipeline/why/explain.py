"""What is said of a surge: its drivers, and whether it was people, each in a sentence.

Rules over the rows of ``drivers`` and ``signals``. Texts of visitors (pages, referring sites) stand
in quotes, safe for a terminal, and no longer than a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.language import Language
from pipeline.text import escape
from pipeline.why import signal_names as names
from pipeline.why import thresholds as at

CIRCUMSTANCES = ("hour", "source server")
"""Dimensions that say when and where it came, not why."""
NETWORK = "network"
KIND_OF_AGENT = "kind of agent"
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


def name_dimension(dimension: str, language: Language) -> str:
    """What sessions are told apart by, in words."""
    return {
        "entry page": language.gettext("entry page"),
        "hour": language.gettext("hour"),
        KIND_OF_AGENT: language.gettext("kind of agent"),
        "network": language.gettext("network"),
        "referring site": language.gettext("referring site"),
        "source server": language.gettext("source server"),
        "subdivision": language.gettext("subdivision"),
    }.get(dimension, dimension)


def name_signal(figure: str, language: Language) -> str:
    """A figure that speaks for people or for machines, in words."""
    return {
        names.SESSIONS_A_VISITOR: language.gettext("sessions a visitor"),
        names.BUSIEST_VISITOR: language.gettext("busiest visitor's share"),
        names.COMMONEST_NETWORK: language.gettext("one network's share"),
        names.COMMONEST_AGENT: language.gettext("one user agent's share"),
        names.NEW_AGENTS: language.gettext("share of new user agents"),
        names.AGENTS_SPREAD: language.gettext("spread of user agents"),
        names.ASSETS: language.gettext("assets a session"),
        names.PAGES: language.gettext("pages a session"),
        names.ONE_HIT: language.gettext("share of one-hit sessions"),
        names.ROBOTLIKE: language.gettext("robot-like share"),
        names.NIGHT: language.gettext("night share"),
        names.ERRORS: language.gettext("5xx share of hits"),
    }.get(figure, figure)


def explain(rows: Sequence[Driver], language: Language) -> str:
    """Say in a sentence what drove a surge, by all its rows."""
    if not rows or all(row.expected is None for row in rows):
        return _say_too_few(rows, language)
    ranked = sorted((row for row in rows if row.rank is not None), key=lambda row: row.rank or 0)
    if not ranked:
        return _say_alike(rows, language, but=None)
    in_all = {row.dimension: 0.0 for row in rows}
    for row in rows:
        in_all[row.dimension] += row.expected or 0
    parts = []
    for dimension in [*dict.fromkeys(row.dimension for row in ranked)][:_NAMED]:
        own = [row for row in ranked if row.dimension == dimension][:_NAMED]
        named = [
            language.gettext(
                "{element} ({share}, usually {usual})",
                element=_name(row, language),
                share=_percent(row.share or 0, language),
                usual=_percent((row.expected or 0) / max(in_all[dimension], 0.001), language),
            )
            for row in own
        ]
        parts.append(
            language.gettext(
                "by {dimension} {elements}",
                dimension=name_dimension(dimension, language), elements=language.list(named),
            )
        )  # fmt: skip
    if ranked[0].dimension in CIRCUMSTANCES:
        return _say_alike(rows, language, but="; ".join(parts))
    return language.gettext(
        "Of the sessions beyond the expected, more than usual came {parts}.", parts="; ".join(parts)
    )


def _say_too_few(rows: Sequence[Driver], language: Language) -> str:
    """What nothing can be compared with: days, or sessions on them."""
    if rows and rows[0].days_before >= at.LEAST_DAYS_BEFORE:
        return language.ngettext(
            "Too few sessions lie before it to say what drove it: {sessions} on {count} day.",
            "Too few sessions lie before it to say what drove it: {sessions} on {count} days.",
            rows[0].days_before,
            sessions=sum(r.sessions_before for r in rows if r.dimension == rows[0].dimension),
        )
    if not rows:
        return language.gettext("Too few days lie before it to say what drove it.")
    return language.gettext(
        "Too few days lie before it to say what drove it: {days} that lack nothing and belong to no"
        " surge, of {needed} at least.",
        days=rows[0].days_before, needed=at.LEAST_DAYS_BEFORE,
    )  # fmt: skip


def _say_alike(rows: Sequence[Driver], language: Language, *, but: str | None) -> str:
    """That nothing says why; ``but``: what says when or where."""
    if any(row.dimension == NETWORK for row in rows):
        if but is None:
            return language.gettext(
                "Everything rose alike: no page, referring site, subdivision, network or kind of"
                " agent stands out."
            )
        return language.gettext(
            "Everything rose alike: no page, referring site, subdivision, network or kind of agent"
            " stands out; but more than usual came {parts}.",
            parts=but,
        )
    if but is None:
        return language.gettext(
            "Everything rose alike: no page, referring site, subdivision or kind of agent stands"
            " out."
        )
    return language.gettext(
        "Everything rose alike: no page, referring site, subdivision or kind of agent stands out;"
        " but more than usual came {parts}.",
        parts=but,
    )


def tell_lacking(rows: Sequence[Driver], language: Language) -> str | None:
    """Say what the rows of a surge lack, and which commands bring it; None when nothing."""
    if not rows or any(row.dimension == NETWORK for row in rows):
        return None
    return language.gettext(
        "Networks were not looked at, as its hits were read without a database of them: `tidegauge"
        " geo fetch dbip-lite --kind asn` gets one, `tidegauge build --also geo` then reads the raw"
        " files again."
    )


def name_element(row: Driver, language: Language) -> str | None:
    """An element as it is shown: a subdivision's code as ISO 3166-2 has it."""
    if row.is_other:
        return language.gettext("(all others)")
    if row.dimension == "subdivision" and row.element is not None:
        return f"{row.country}-{row.element}"
    if row.dimension == KIND_OF_AGENT and row.element is not None:
        return _name_kind(row.element, language)
    return row.element


def _name_kind(kind: str, language: Language) -> str:
    """A browser and a device, as ``sql/why/elements.sql`` puts them; what is a name stays."""
    words = {
        "another browser": language.gettext("another browser"),
        "desktop": language.gettext("desktop"),
        "tablet": language.gettext("tablet"),
        "phone": language.gettext("phone"),
        "another device": language.gettext("another device"),
    }
    return ", ".join(words.get(part, part) for part in kind.split(", "))


def _name(row: Driver, language: Language) -> str:
    name = name_element(row, language)
    if name is None:
        return language.gettext("none")
    text = escape(name)
    return language.quote(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def find_machines(
    rows: Sequence[Signal], drivers: Sequence[Driver], language: Language
) -> list[str]:
    """What shows that a surge was machines; nothing where it was people or cannot be told."""
    by_name = {row.figure: row for row in rows}
    telling = _list_telling(by_name, language)
    odd = _list_all_odd(by_name, drivers, language)
    return [*telling, *odd][:_NAMED] if telling or len(odd) > 1 else []


def tell_people(rows: Sequence[Signal], drivers: Sequence[Driver], language: Language) -> str:
    """Say in a sentence whether the sessions too many were people's, by all rows of a surge."""
    by_name = {row.figure: row for row in rows}
    if all(row.of_excess is None for row in rows):
        return language.gettext("Whether it was people cannot be told: too few days lie before it.")
    if machines := find_machines(rows, drivers, language):
        return language.gettext("It looks like machines: {signs}.", signs="; ".join(machines))
    excess = sum(row.excess or 0 for row in drivers if row.dimension == "hour")
    if excess < at.LEAST_EXCESS:
        return language.gettext("Whether it was people cannot be told: it is too few sessions.")
    if odd := _list_all_odd(by_name, drivers, language):
        return language.gettext(
            "Whether it was people cannot be told: {sign}, but nothing else is odd.", sign=odd[0]
        )
    usual = _list_usual(by_name, language)
    if len(usual) > 1:
        return language.gettext("It looks like people: {signs}.", signs="; ".join(usual[:_NAMED]))
    return language.gettext(
        "Whether it was people cannot be told: too little of it can be compared with the usual."
    )


def _list_telling(by_name: Mapping[str, Signal], language: Language) -> list[str]:
    """What machines alone do."""
    found = []
    own, usual = _values(by_name, names.COMMONEST_AGENT)
    if own is not None and usual is not None and own - usual >= at.AGENT_MORE:
        found.append(
            language.gettext(
                "one user agent made {share} of the excess, usually {usual}",
                share=_percent(own, language), usual=_percent(usual, language),
            )
        )  # fmt: skip
    own, usual = _values(by_name, names.BUSIEST_VISITOR)
    if own is not None and own >= max(at.VISITOR_SHARE, at.TIMES_USUAL * (usual or 0)):
        found.append(
            language.gettext(
                "one visitor made {share} of the excess", share=_percent(own, language)
            )
        )
    own, usual = _values(by_name, names.SESSIONS_A_VISITOR)
    if (
        own is not None
        and usual is not None
        and own >= max(at.VISITS, at.VISITS_TIMES_USUAL * usual)
    ):
        found.append(
            language.gettext(
                "its visitors came {times} times a day, usually {usual}",
                times=language.number(own, 1), usual=language.number(usual, 1),
            )
        )  # fmt: skip
    own, usual = _values(by_name, names.ROBOTLIKE)
    if own is not None and own >= max(at.ROBOTLIKE_SHARE, at.TIMES_USUAL * (usual or 0)):
        found.append(
            language.gettext(
                "{share} of its sessions are of visitors like robots",
                share=_percent(own, language),
            )
        )
    return found


def _list_all_odd(
    by_name: Mapping[str, Signal], drivers: Sequence[Driver], language: Language
) -> list[str]:
    """What people rarely do: two of it are machines."""
    return [*_list_odd(by_name, language), *_find_one_place(drivers, language)]


def _list_odd(by_name: Mapping[str, Signal], language: Language) -> list[str]:
    found = []
    own, usual = _values(by_name, names.NEW_AGENTS)
    spread, usual_spread = _values(by_name, names.AGENTS_SPREAD)
    if own is not None and usual is not None and own >= usual + at.NEW_AGENTS_MORE:
        found.append(
            language.gettext(
                "{share} of its sessions have a user agent never seen before, {usual} would be"
                " usual",
                share=_percent(own, language), usual=_percent(usual, language),
            )
        )  # fmt: skip
    elif spread and usual_spread and not _is_within(at.SPREAD_TIMES, spread / usual_spread):
        found.append(
            language.ngettext(
                "its user agents are nearly one, usually mixed like {usual} equally common ones",
                "its user agents are mixed like {count} equally common ones, usually like {usual}",
                spread, usual=language.count(usual_spread),
            )
        )  # fmt: skip
    own, usual = _values(by_name, names.ASSETS)
    errors, _ = _values(by_name, names.ERRORS)
    if (
        own is not None and usual and usual >= at.LEAST_ASSETS
        and own < at.ASSETS_OF_USUAL * usual and (errors or 0) < at.MOST_ERRORS
    ):  # fmt: skip
        found.append(_say_assets(own, usual, language))
    own, usual = _values(by_name, names.ONE_HIT)
    if (
        own is not None
        and usual is not None
        and own >= max(at.ONE_HIT_SHARE, usual + at.ONE_HIT_MORE)
    ):
        found.append(
            language.gettext(
                "{share} of its sessions are one hit, usually {usual}",
                share=_percent(own, language), usual=_percent(usual, language),
            )
        )  # fmt: skip
    own, usual = _values(by_name, names.COMMONEST_NETWORK)
    if (
        own is not None
        and usual is not None
        and own >= max(at.NETWORK_SHARE, usual + at.NETWORK_MORE)
    ):
        found.append(
            language.gettext(
                "one network made {share} of the excess, usually {usual}",
                share=_percent(own, language), usual=_percent(usual, language),
            )
        )  # fmt: skip
    return found


def _say_assets(own: float, usual: float, language: Language) -> str:
    return language.gettext(
        "it loads {assets} assets a session, usually {usual}",
        assets=language.number(own, 2), usual=language.number(usual, 2),
    )  # fmt: skip


def _find_one_place(drivers: Sequence[Driver], language: Language) -> list[str]:
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
    if len(found) < 2:
        return []
    return [language.gettext("all of it came from one subdivision, from no site")]


def _list_usual(by_name: Mapping[str, Signal], language: Language) -> list[str]:
    """What is as it is with the country's usual visitors."""
    found = []
    spread, usual_spread = _values(by_name, names.AGENTS_SPREAD)
    own, usual = _values(by_name, names.NEW_AGENTS)
    if own is not None and usual is not None:
        if spread is None or usual_spread is None or round(spread) == 1:
            found.append(language.gettext("its user agents are as mixed as usual"))
        else:
            found.append(
                language.gettext(
                    "its user agents are as mixed as usual (like {spread} equally common ones,"
                    " usually like {usual})",
                    spread=language.count(spread), usual=language.count(usual_spread),
                )
            )  # fmt: skip
    own, usual = _values(by_name, names.ASSETS)
    if own is not None and usual and usual >= at.LEAST_ASSETS and _is_as_usual(own, usual):
        found.append(_say_assets(own, usual, language))
    own, usual = _values(by_name, names.PAGES)
    if own is not None and usual and _is_as_usual(own, usual):
        found.append(
            language.gettext(
                "{pages} pages a session, usually {usual}",
                pages=language.number(own, 2), usual=language.number(usual, 2),
            )
        )  # fmt: skip
    own, _ = _values(by_name, names.BUSIEST_VISITOR)
    if own is not None:
        found.append(
            language.gettext(
                "no visitor made more than {share} of it", share=_percent(own, language)
            )
        )
    return found


def _is_as_usual(own: float, usual: float | None) -> bool:
    return bool(usual) and _is_within(at.AS_USUAL_TIMES, own / (usual or 1))


def _is_within(times: float, ratio: float) -> bool:
    return 1 / times <= ratio <= times


def _values(by_name: Mapping[str, Signal], figure: str) -> tuple[float | None, float | None]:
    """A figure of the excess, and its usual value."""
    row = by_name.get(figure)
    return (row.of_excess, row.usual) if row else (None, None)


def _percent(share: float, language: Language) -> str:
    return language.share(min(max(share, 0.0), 1.0))
