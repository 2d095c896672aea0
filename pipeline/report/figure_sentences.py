"""Sentences that a figure of a day, one of a span, and the short one share."""

from collections.abc import Iterator

from pipeline.definitions import ALL, LEAST_HISTORY_DAYS, LEVEL_DAYS, NO_COUNTRY
from pipeline.language import Language
from pipeline.report import wording
from pipeline.report.facts import HistoryBefore
from pipeline.report.figure import Figure, Robotlike
from pipeline.report.figure_basis import Completeness
from pipeline.report.span_figure import SpanFigure

_LONGEST_REASON = 600


def count_for_logs(sessions: int, completeness: Completeness, language: Language) -> str:
    """The sessions as what they are for the day's logs: all, at least, or preliminary."""
    if completeness.is_lower_bound:
        return wording.count_at_least(sessions, language)
    if completeness.is_preliminary:
        return wording.count_preliminary(sessions, language)
    return wording.count_sessions(sessions, language)


def say_simulated(language: Language) -> str:
    """What comes first of a demo's figure."""
    return language.gettext("Simulated data: no real visitor is in this figure.")


def say_unit(timeout_minutes: int, language: Language) -> str:
    """What a session is."""
    return language.ngettext(
        "A session is one visitor's requests with no gap of more than {count} minute between them,"
        " and belongs to the day of its first request; a visitor is one address with one browser,"
        " not one person; images, style sheets and the like are not counted.",
        "A session is one visitor's requests with no gap of more than {count} minutes between them,"
        " and belongs to the day of its first request; a visitor is one address with one browser,"
        " not one person; images, style sheets and the like are not counted.",
        timeout_minutes,
    )


def say_nationality(country: str, language: Language) -> Iterator[str]:
    """What the place of an address is not."""
    if country == "US":
        yield language.gettext(
            "An address is not a nationality: a U.S. address is not an American."
        )
    elif country not in (ALL, NO_COUNTRY):
        yield language.gettext(
            "An address is not a nationality: it says where a connection is, not who uses it."
        )


def say_unexpected(before: HistoryBefore | None, language: Language) -> str:
    """Why no number is expected of a country's day."""
    if before is None:
        return language.gettext(
            "No number can be expected: no hit of any day that was judged is from there."
        )
    left_out = []
    if before.unlocated:
        left_out.append(
            language.ngettext(
                "{count} was counted without locating anybody",
                "{count} were counted without locating anybody",
                before.unlocated,
            )
        )
    if before.lacking:
        left_out.append(
            language.ngettext("{count} is incomplete", "{count} are incomplete", before.lacking)
        )
    if before.in_surges:
        left_out.append(
            language.ngettext(
                "{count} lies in a surge of the country",
                "{count} lie in a surge of the country",
                before.in_surges,
            )
        )
    if not left_out:
        return language.gettext(
            "No number can be expected yet: it takes {needed} earlier days, and the lake has"
            " {days} of the {reach} before this one.",
            needed=LEAST_HISTORY_DAYS, days=before.days, reach=LEVEL_DAYS,
        )  # fmt: skip
    return language.gettext(
        "No number can be expected yet: it takes {needed} earlier days, and of the {days} that the"
        " lake has of the {reach} before this one {left_out}.",
        needed=LEAST_HISTORY_DAYS, days=before.days, reach=LEVEL_DAYS,
        left_out=language.list(left_out),
    )  # fmt: skip


def say_source_doubts(figure: Figure | SpanFigure, language: Language) -> Iterator[str]:
    """What of the sources may be otherwise: whose lines are whose, and who and when their hits."""
    if figure.doubts:
        yield language.gettext(
            "Which server wrote what is in doubt: {doubts}.",
            doubts=shorten("; ".join(map(language.retell, figure.doubts))),
        )
    if figure.proxied:
        yield language.gettext(
            "Most requests of {sources} came by proxies that are not trusted: each of these counts"
            " as the visitor, and the country is the proxy's ({setting}).",
            sources=language.list(figure.proxied), setting="trusted_proxies",
        )  # fmt: skip
    if figure.private:
        yield language.gettext(
            "Most requests of {sources} came from private addresses, which nobody can locate: that"
            " is a network of its own, or a proxy that counts as the visitor ({setting}).",
            sources=language.list(figure.private), setting="trusted_proxies",
        )  # fmt: skip
    if figure.zoneless:
        yield language.gettext(
            "Times in the logs of {sources} have no offset and were taken for UTC: if that is not"
            " their zone, hits are of other hours and days ({setting}).",
            sources=language.list(figure.zoneless), setting="[[source]] timezone",
        )  # fmt: skip


def say_times(
    observed: int, expected: float | None, language: Language, *, at_least: bool
) -> str | None:
    """How many times the expected number it is; None where that would say nothing."""
    times = wording.compare_with_expected(observed, expected, language, at_least=at_least)
    if expected is None or times is None:
        return None
    return language.gettext(
        "That is {times} from the country's own history ({expected}).",
        times=times, expected=language.count(expected),
    )  # fmt: skip


def say_against_expected(
    observed: int, expected: float, language: Language, *, at_least: bool
) -> str:
    """The same, or else what is expected."""
    return say_times(observed, expected, language, at_least=at_least) or language.gettext(
        "The country's own history leads one to expect {expected}.",
        expected=language.count(expected),
    )


def say_unjudged_total(language: Language) -> str:
    """Why no number is expected of all countries."""
    return language.gettext(
        "No number is expected of all countries together: each is judged by its own history."
    )


def shorten(reasons: str) -> str:
    """Reasons of any length, without a full stop."""
    reasons = reasons.rstrip(".")
    return reasons if len(reasons) <= _LONGEST_REASON else f"{reasons[:_LONGEST_REASON]} ..."


def say_unlocated(sessions: int, of_all: int, language: Language) -> str:
    """Which sessions may be from the country, and don't count there."""
    return language.ngettext(
        "{count} session of all ({share}) came from addresses that it gives no country, and count"
        " in no country's figure.",
        "{count} sessions of all ({share}) came from addresses that it gives no country, and count"
        " in no country's figure.",
        sessions, share=language.share(sessions / of_all),
    )  # fmt: skip


def say_declared_robots(requests: int, lists: str, language: Language) -> str:
    """Which robots don't count."""
    return language.ngettext(
        "Declared robots are left out: {count} request without a user agent or with one that the"
        " lists {lists} know.",
        "Declared robots are left out: {count} requests without a user agent or with one that the"
        " lists {lists} know.",
        requests,
        lists="; ".join(language.list(one.split(" and ")) for one in lists.split("; ")),
    )


def say_program(program: str, definitions: list[int], language: Language) -> str:
    """By what it was counted."""
    return language.ngettext(
        "Counted by {program}, definitions version {versions}.",
        "Counted by {program}, definitions versions {versions}.",
        len(definitions), program=program, versions=", ".join(map(str, definitions)),
    )  # fmt: skip


def say_robotlike(about: Robotlike | None, language: Language) -> str:
    """What of the others is known; None where no behaviour was judged."""
    if about is None:
        return language.gettext("Robots that pose as browsers are counted as visitors.")
    if not about.sessions:
        return language.gettext(
            "Robots that pose as browsers are counted as visitors; none of these sessions is of one"
            " whose day looks like a robot's."
        )
    found = wording.count_sessions(about.sessions, language)
    if about.is_left_out:
        return language.gettext(
            "Visitors whose day looks like a robot's are left out ({sessions}); other robots that"
            " pose as browsers are counted as visitors.",
            sessions=found,
        )
    return language.gettext(
        "Robots that pose as browsers are counted as visitors, also those whose day looks like a"
        " robot's ({sessions}).",
        sessions=found,
    )
