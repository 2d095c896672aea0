"""A figure in one paragraph of plain words, for people who will quote it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from pipeline.days import day_start
from pipeline.definitions import ALL, NO_COUNTRY
from pipeline.ingest.unread import Unread
from pipeline.language import Language
from pipeline.report import wording
from pipeline.report.facts import Published
from pipeline.report.figure import Database, Figure
from pipeline.report.figure_basis import Completeness
from pipeline.report.figure_sentences import (
    count_for_logs,
    say_declared_robots,
    say_nationality,
    say_program,
    say_robotlike,
    say_simulated,
    say_source_doubts,
    say_times,
    say_unexpected,
    say_unit,
    say_unjudged_total,
    say_unlocated,
    shorten,
)

Part = Callable[[Figure, Language], Iterator[str]]


def write_paragraph(figure: Figure, language: Language) -> str:
    """One paragraph; each sentence is true on its own. Texts are as the lake has them."""
    parts: tuple[Part, ...] = (
        _say_number, _say_unit, _say_place, _say_day, _say_completeness, _say_published,
        _say_expectation, _say_robots,
    )  # fmt: skip
    if figure.sessions is None:
        parts = (_say_gone, _say_published)
    return " ".join(sentence for part in parts for sentence in part(figure, language))


def _say_gone(figure: Figure, language: Language) -> Iterator[str]:
    yield language.gettext(
        "The lake has nothing of {day} any more, so the figure of sessions {where} can't be"
        " counted again.",
        day=figure.day, where=wording.name_addresses(figure.country, language),
    )  # fmt: skip


def _say_number(figure: Figure, language: Language) -> Iterator[str]:
    if figure.is_simulated:
        yield say_simulated(language)
    sessions = count_for_logs(figure.sessions or 0, figure.completeness, language)
    where = wording.name_addresses(figure.country, language)
    if figure.country == ALL:
        yield language.gettext(
            "On {day} the site counted {sessions} {where}.",
            day=figure.day, sessions=sessions, where=where,
        )  # fmt: skip
    else:
        yield language.gettext(
            "On {day} the site counted {sessions} {where}, of {all} from all countries.",
            day=figure.day, sessions=sessions, where=where, all=figure.all_sessions or 0,
        )  # fmt: skip


def _say_unit(figure: Figure, language: Language) -> Iterator[str]:
    yield say_unit(figure.session_timeout_minutes, language)


def _say_place(figure: Figure, language: Language) -> Iterator[str]:
    if figure.country == ALL:
        return
    yield from say_nationality(figure.country, language)
    yield _say_database(figure.database, language)
    if figure.database and figure.unlocated_sessions and figure.country != NO_COUNTRY:
        yield say_unlocated(figure.unlocated_sessions, figure.all_sessions or 1, language)
    if figure.database and figure.database.credit:
        yield figure.database.credit


def _say_database(database: Database | None, language: Language) -> str:
    if database is None:
        return language.gettext("No address database was used, so nobody was located.")
    said = {"name": database.database_type, "day": database.built}
    if database.database_type and database.is_late:
        return language.gettext(
            "Addresses were located by the database {name} built on {day}, which is younger than"
            " the day, as none of the time was at hand.",
            **said,
        )
    if database.database_type:
        return language.gettext(
            "Addresses were located by the database {name} built on {day}.", **said
        )
    if database.is_late:
        return language.gettext(
            "Addresses were located by a database built on {day}, which is younger than the day, as"
            " none of the time was at hand.",
            **said,
        )
    return language.gettext("Addresses were located by a database built on {day}.", **said)


def _say_day(figure: Figure, language: Language) -> Iterator[str]:
    zone = ZoneInfo(figure.timezone)
    starts_at = day_start(figure.day, zone)
    hours = (day_start(figure.day + timedelta(days=1), zone) - starts_at).total_seconds() / 3600
    yield language.gettext(
        "The day is the local day of {zone}: {hours} hours from {time} UTC on {day}.",
        zone=figure.timezone, hours=language.number(hours, 0 if hours == int(hours) else 1),
        time=language.clock(starts_at), day=starts_at.date(),
    )  # fmt: skip


def _say_completeness(figure: Figure, language: Language) -> Iterator[str]:
    about = figure.completeness
    yield _say_sources(about, language)
    if about.is_future:
        yield wording.say_future([figure.day], language)
    if about.is_overtaken:
        yield wording.say_overtaken([figure.day], language)
    unread = Unread(about.lines, about.rejected_lines)
    if unread.is_worth_saying:
        yield language.ngettext(
            "{rejected} of {count} line of the files that have hits of the day could not be read"
            " and are not counted.",
            "{rejected} of {count} lines of the files that have hits of the day could not be read"
            " and are not counted.",
            about.lines,
            rejected=about.rejected_lines,
        )
    if about.doubts:
        yield language.gettext(
            "Some lines may be counted twice: {doubts}.",
            doubts=shorten("; ".join(map(language.retell, about.doubts))),
        )
    if about.is_censored:
        yield _say_censored(about, language)
    yield from say_source_doubts(figure, language)


def _say_censored(about: Completeness, language: Language) -> str:
    share = language.share(about.error_share or 0)
    if about.is_lower_bound:
        return language.gettext(
            "{share} of that day's requests (robots left out) ended in a failure of the server"
            " (5xx); visitors who were refused a connection are in no log, so the figure is a lower"
            " bound.",
            share=share,
        )
    return language.gettext(
        "{share} of that day's requests (robots left out) ended in a failure of the server (5xx);"
        " visitors who were refused a connection are in no log.",
        share=share,
    )


def _say_sources(about: Completeness, language: Language) -> str:
    sources = wording.write_sources(about.sources, about.sources_expected, language)
    if about.is_preliminary is None:
        return language.gettext(
            "It is counted from the logs of {sources}; how complete they are was not judged.",
            sources=sources,
        )
    if about.is_preliminary:
        covered = ""
        if about.share is not None and about.share < 1:
            covered = language.gettext(
                ", {share} of what was expected", share=language.share(about.share)
            )
        if not about.reasons:
            return language.gettext(
                "The figure is preliminary: the logs of {sources} are whole{covered}.",
                sources=sources, covered=covered,
            )  # fmt: skip
        return language.gettext(
            "The figure is preliminary: the logs of {sources} are whole{covered}: {reasons}.",
            sources=sources, covered=covered,
            reasons=shorten("; ".join(map(language.retell, about.reasons))),
        )  # fmt: skip
    if about.sources == about.sources_expected == 1:
        sources = language.gettext("its only expected source")
    elif about.sources == about.sources_expected:
        sources = language.ngettext("all {count} source", "all {count} sources", about.sources)
    is_unsure = about.is_future or _hides_much(about)
    if about.share is None or (about.share == 1 and is_unsure):
        return language.gettext("The logs of {sources} are in.", sources=sources)
    if about.share == 1:
        return language.gettext(
            "The logs of {sources} are in and cover the whole day.", sources=sources
        )
    return language.gettext(
        "The logs of {sources} are in, {share} of what was expected.",
        sources=sources, share=language.share(about.share),
    )  # fmt: skip


def _hides_much(about: Completeness) -> bool:
    return Unread(about.lines, about.rejected_lines).is_large


def _say_published(figure: Figure, language: Language) -> Iterator[str]:
    if not figure.published:
        yield language.gettext("It has not been published yet.")
        if figure.completeness.is_preliminary:
            yield language.gettext(
                "It will be when the missing logs of the day are in, or when that day is run"
                " ({command}).",
                command=f"`tidegauge run --from {figure.day} --to {figure.day}`",
            )
        return
    zone = ZoneInfo(figure.timezone)
    first, *later = figure.published
    restated = [one for one in later if one.sessions != one.previous_sessions]
    at = language.moment(first.published_at, zone)
    if restated or first.sessions != figure.sessions:
        yield language.gettext(
            "It was first published on {moment} as {sessions}{then}.",
            moment=at, sessions=first.sessions, then=_qualify(first, language),
        )  # fmt: skip
    else:
        yield language.gettext(
            "It was published on {moment}{then} and the number has not changed since.",
            moment=at, then=_qualify(first, language),
        )  # fmt: skip
    for one in restated:
        yield language.gettext(
            "On {moment} it was restated to {sessions}{then}, {change} ({reason}).",
            moment=language.moment(one.published_at, zone), sessions=one.sessions,
            then=_qualify(one, language),
            change=_write_change(one.previous_sessions or 0, one.sessions, language),
            reason=shorten(language.retell(one.reason)),
        )  # fmt: skip
    if figure.sessions not in (None, figure.published[-1].sessions):
        yield language.gettext("The number above is newer and not published yet.")


def _qualify(one: Published, language: Language) -> str:
    if not one.is_preliminary:
        return ""
    return language.gettext(
        " (preliminary, {sources})",
        sources=wording.write_sources(one.sources, one.sources_expected, language),
    )


def _write_change(before: int, after: int, language: Language) -> str:
    """``150.0 % more``; the plain number of sessions when there was nothing to compare with."""
    change = abs(after - before)
    amount = language.share(change / before) if before else language.count(change)
    if after > before:
        return language.gettext("{amount} more", amount=amount)
    return language.gettext("{amount} less", amount=amount)


def _say_expectation(figure: Figure, language: Language) -> Iterator[str]:
    about = figure.expectation
    if about is None:
        yield say_unjudged_total(language)
        return
    if about.expected is None:
        yield say_unexpected(about.before, language)
    if about.start_day is None or about.end_day is None:
        if about.expected is not None:
            yield language.gettext(
                "The country's own history leads one to expect {expected}; the day is part of no"
                " surge.",
                expected=language.count(about.expected),
            )
        return
    times = say_times(
        figure.sessions or 0, about.expected, language,
        at_least=figure.completeness.is_lower_bound,
    )  # fmt: skip
    if times:
        yield times
    observed = about.surge_sessions or 0
    whole = {
        "span": language.span(about.start_day, about.end_day),
        "sessions": wording.count_at_least(observed, language)
        if about.is_at_least
        else wording.count_sessions(observed, language),
        "expected": language.count(about.surge_expected or 0),
    }
    if about.is_open:
        yield language.gettext(
            "The day is part of a surge {span}, not yet known to have ended, as no whole day after"
            " it is there: {sessions} where {expected} were expected.",
            **whole,
        )
    else:
        yield language.gettext(
            "The day is part of a surge {span}: {sessions} where {expected} were expected.", **whole
        )
    if about.why:
        yield about.why


def _say_robots(figure: Figure, language: Language) -> Iterator[str]:
    yield say_declared_robots(figure.robot_hits, figure.robot_lists, language)
    yield say_robotlike(figure.robotlike, language)
    yield say_program(figure.program, figure.definitions, language)
