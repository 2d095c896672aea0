"""Phrases that sentences of figures, pages and alerts share."""

from collections.abc import Sequence
from datetime import date, datetime
from math import floor
from zoneinfo import ZoneInfo

from pipeline.definitions import ALL, NO_COUNTRY
from pipeline.language import Language

_LEAST_FOR_RATIO = 1.0


def name_addresses(country: str, language: Language) -> str:
    """Whose sessions a figure counts: what stands after ``sessions``."""
    if country == ALL:
        return language.gettext("from all countries together")
    if country == NO_COUNTRY:
        return language.gettext("from addresses that the database places in no country")
    return language.gettext(
        "from addresses located {in_country}", in_country=language.in_country(country)
    )


def write_sources(sources: int | None, expected: int | None, language: Language) -> str:
    """``2 of 5 sources``; the number alone where nobody knows how many there should be."""
    if sources is None:
        return language.gettext("an unknown number of sources")
    if expected is None:
        return language.ngettext("{count} source", "{count} sources", sources)
    return language.ngettext(
        "{there} of {count} source", "{there} of {count} sources", expected, there=sources
    )


def say_overtaken(days: Sequence[date], language: Language) -> str:
    """That the logs of days are not those that they were counted from."""
    return language.ngettext(
        "Raw files of {days}, or of a day beside it, came or went since it was counted:"
        " {command} counts it anew.",
        "Raw files of {days}, or of days beside them, came or went since they were counted:"
        " {command} counts them anew.",
        len(days), days=language.days(days), command="`tidegauge build`",
    )  # fmt: skip


def say_future(days: Sequence[date], language: Language) -> str:
    """That days with hits have not begun: whose clock is wrong, nobody here knows."""
    return language.ngettext(
        "{days} has not begun yet by the clock of this machine: a clock is wrong, this one or that"
        " of who wrote the logs, and its hits may be of another day.",
        "{days} have not begun yet by the clock of this machine: a clock is wrong, this one or that"
        " of who wrote the logs, and their hits may be of other days.",
        len(days), days=language.days(days),
    )  # fmt: skip


def say_unbuilt(days: Sequence[date], language: Language) -> str:
    """That days were taken in and have no figures yet."""
    return language.gettext(
        "Hits of {days} were not counted yet: {command} counts them.",
        days=language.days(days), command="`tidegauge build`",
    )  # fmt: skip


def count_sessions(sessions: float, language: Language) -> str:
    """``1,200 sessions``."""
    return language.ngettext("{count} session", "{count} sessions", sessions)


def count_at_least(sessions: float, language: Language) -> str:
    """Of a lower bound: ``at least 1,200 sessions``."""
    return language.ngettext("at least {count} session", "at least {count} sessions", sessions)


def count_preliminary(sessions: float, language: Language) -> str:
    """Of a number that may also be too large."""
    return language.ngettext(
        "a preliminary {count} session", "a preliminary {count} sessions", sessions
    )


def compare_with_expected(
    observed: int, expected: float | None, language: Language, *, at_least: bool = False
) -> str | None:
    """``17.0 times what was expected``; None when nothing was expected to compare with."""
    if expected is None or expected < _LEAST_FOR_RATIO:
        return None
    if at_least:
        times = language.ratio(lower_tenth(observed / expected))
        return language.gettext("at least {times} times what was expected", times=times)
    times = language.ratio(observed / expected)
    return language.gettext("{times} times what was expected", times=times)


def lower_tenth(ratio: float) -> float:
    """A lower bound to the decimal that is shown: rounded up, it would be none."""
    return floor(round(ratio * 10, 6)) / 10


def write_hour(hour: datetime, zone: ZoneInfo) -> str:
    """An hour's start in the site's zone with its offset: ISO 8601, a space for the ``T``."""
    return hour.astimezone(zone).isoformat(sep=" ", timespec="minutes")


def write_local_time(moment: datetime, zone: ZoneInfo) -> str:
    """``2016-11-09 06:00``, in the site's zone, which is said beside it."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def keep_whole(written: str) -> str:
    """A number with its unit in one piece on a line."""
    return written.replace(" ", "\N{NO-BREAK SPACE}")
