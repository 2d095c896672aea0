"""Whether a surge was people or machines, in a sentence: rules over the rows of ``signals``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.language import Language
from pipeline.why import signal_names as names
from pipeline.why import thresholds as at
from pipeline.why.explain import Driver, write_share

_NAMED = 3


@dataclass(frozen=True)
class Signal:
    """A row of ``signals``; all three values are null where nothing can be said."""

    country: str
    start_day: date
    figure: str
    observed: float | None
    usual: float | None
    of_excess: float | None


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
                share=write_share(own, language), usual=write_share(usual, language),
            )
        )  # fmt: skip
    own, usual = _values(by_name, names.BUSIEST_VISITOR)
    if own is not None and own >= max(at.VISITOR_SHARE, at.TIMES_USUAL * (usual or 0)):
        found.append(
            language.gettext(
                "one visitor made {share} of the excess", share=write_share(own, language)
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
                share=write_share(own, language),
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
                share=write_share(own, language), usual=write_share(usual, language),
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
                share=write_share(own, language), usual=write_share(usual, language),
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
                share=write_share(own, language), usual=write_share(usual, language),
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
                "no visitor made more than {share} of it", share=write_share(own, language)
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
