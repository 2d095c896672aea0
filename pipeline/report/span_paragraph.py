"""The figures of some days together in one paragraph, with the caveats of the worst of them."""

from collections.abc import Callable, Iterator, Sequence

from pipeline.definitions import ALL, CENSORED_SHARE, NO_COUNTRY
from pipeline.ingest.unread import Unread
from pipeline.language import Language
from pipeline.report import wording
from pipeline.report.figure import Robotlike
from pipeline.report.figure_sentences import (
    say_against_expected,
    say_declared_robots,
    say_nationality,
    say_program,
    say_robotlike,
    say_simulated,
    say_source_doubts,
    say_unit,
    say_unjudged_total,
    say_unlocated,
    shorten,
)
from pipeline.report.span_figure import PartOfSpan, SpanFigure

Part = Callable[[SpanFigure, Language], Iterator[str]]


def write_span_paragraph(figure: SpanFigure, language: Language) -> str:
    """One paragraph; each sentence is true on its own. Texts are as the lake has them."""
    parts: tuple[Part, ...] = (
        _say_number, _say_sum, _say_place, _say_lacking_days, _say_completeness, _say_doubts,
        _say_published, _say_expectation, _say_robots,
    )  # fmt: skip
    return " ".join(sentence for part in parts for sentence in part(figure, language))


def count_of_span(figure: SpanFigure, language: Language) -> str:
    """The sum, as what it is for the logs of its days."""
    if figure.is_lower_bound:
        return wording.count_at_least(figure.sessions, language)
    if figure.is_preliminary:
        return wording.count_preliminary(figure.sessions, language)
    return wording.count_sessions(figure.sessions, language)


def find_worst(days: Sequence[PartOfSpan]) -> PartOfSpan | None:
    """The day of which most is missing; None when nothing is of any."""
    lacking = [one for one in days if one.completeness.is_preliminary]
    return min(lacking, key=lambda one: (one.completeness.share or 0, one.day), default=None)


def _say_number(figure: SpanFigure, language: Language) -> Iterator[str]:
    if figure.is_simulated:
        yield say_simulated(language)
    said = {
        "span": language.begin(language.span(figure.first_day, figure.last_day)),
        "sessions": count_of_span(figure, language),
        "where": wording.name_addresses(figure.country, language),
    }
    if figure.country == ALL:
        yield language.gettext("{span} the site counted {sessions} {where}.", **said)
    else:
        yield language.gettext(
            "{span} the site counted {sessions} {where}, of {all} from all countries.",
            **said, all=figure.all_sessions,
        )  # fmt: skip


def _say_sum(figure: SpanFigure, language: Language) -> Iterator[str]:
    days = (figure.last_day - figure.first_day).days + 1
    yield language.ngettext(
        "That is the sum of {count} local day of {zone}: each session belongs to one day.",
        "That is the sum of {count} local days of {zone}: each session belongs to one day.",
        days, zone=figure.timezone,
    )  # fmt: skip
    yield language.gettext(
        "Visitors are told apart day by day and not summed: who came on two days would count twice."
    )
    highest = max(figure.days, key=lambda one: (not one.completeness.is_future, one.sessions))
    yield language.ngettext(
        "The highest day was {day} with {count} session.",
        "The highest day was {day} with {count} sessions.",
        highest.sessions, day=highest.day,
    )  # fmt: skip
    for minutes in figure.session_timeouts:
        yield say_unit(minutes, language)
    if len(figure.session_timeouts) > 1:
        yield language.gettext("The gap differs, as it was set when each day was counted.")


def _say_place(figure: SpanFigure, language: Language) -> Iterator[str]:
    if figure.country == ALL:
        return
    yield from say_nationality(figure.country, language)
    if not figure.databases:
        yield language.gettext("No address database was used, so nobody was located.")
    elif len(figure.databases) == 1:
        yield language.gettext(
            "Addresses were located by a database built on {day}.", day=figure.databases[0]
        )
    else:
        yield language.ngettext(
            "Addresses were located by {count} database, built from {first} to {last}.",
            "Addresses were located by {count} databases, built from {first} to {last}.",
            len(figure.databases), first=figure.databases[0], last=figure.databases[-1],
        )  # fmt: skip
    if figure.databases and figure.unlocated_sessions and figure.country != NO_COUNTRY:
        yield say_unlocated(figure.unlocated_sessions, figure.all_sessions, language)
    if figure.is_late:
        yield language.gettext(
            "For some of the days none of the time was at hand: theirs is younger than the day."
        )


def _say_lacking_days(figure: SpanFigure, language: Language) -> Iterator[str]:
    if figure.missing_days:
        yield language.ngettext(
            "The lake has no hit of {count} of the days ({days}): it is missing, not zero, and adds"
            " nothing to the sum.",
            "The lake has no hit of {count} of the days ({days}): they are missing, not zero, and"
            " add nothing to the sum.",
            len(figure.missing_days), days=language.days(figure.missing_days),
        )  # fmt: skip
    if figure.unbuilt_days:
        yield language.ngettext(
            "Hits of {count} of the days ({days}) were not counted yet and add nothing to the sum:"
            " {command} counts them.",
            "Hits of {count} of the days ({days}) were not counted yet and add nothing to the sum:"
            " {command} counts them.",
            len(figure.unbuilt_days), days=language.days(figure.unbuilt_days),
            command="`tidegauge build`",
        )  # fmt: skip
    if figure.unlocated_days:
        yield language.ngettext(
            "On {count} of the days ({days}) nobody was located: it adds nothing to the sum.",
            "On {count} of the days ({days}) nobody was located: they add nothing to the sum.",
            len(figure.unlocated_days), days=language.days(figure.unlocated_days),
        )  # fmt: skip


def _say_completeness(figure: SpanFigure, language: Language) -> Iterator[str]:
    unjudged = [one.day for one in figure.days if one.completeness.is_preliminary is None]
    if unjudged:
        yield language.ngettext(
            "How complete the logs of {count} of the days are was not judged.",
            "How complete the logs of {count} of the days are was not judged.",
            len(unjudged),
        )
    lacking = [one.day for one in figure.days if one.completeness.is_preliminary]
    worst = find_worst(figure.days)
    if worst:
        yield language.ngettext(
            "The logs of {count} of the days ({days}) are incomplete.",
            "The logs of {count} of the days ({days}) are incomplete.",
            len(lacking), days=language.days(lacking),
        )  # fmt: skip
        about = worst.completeness
        yield language.gettext(
            "Most is missing of {day}, of which the logs of {sources} are whole, {share} of what"
            " was expected: {reasons}.",
            day=worst.day, share=language.share(about.share or 0),
            sources=wording.write_sources(about.sources, about.sources_expected, language),
            reasons=shorten("; ".join(map(language.retell, about.reasons))),
        )  # fmt: skip
    elif not (unjudged or figure.missing_days or figure.unbuilt_days or figure.future_days):
        yield language.gettext("The logs of all sources that were expected are in.")
    if figure.future_days:
        yield wording.say_future(figure.future_days, language)
    if figure.overtaken_days:
        yield wording.say_overtaken(figure.overtaken_days, language)


def _say_doubts(figure: SpanFigure, language: Language) -> Iterator[str]:
    yield from _say_unread(figure, language)
    doubted = [one for one in figure.days if one.completeness.doubts]
    if doubted:
        yield language.gettext(
            "Some lines of {days} may be counted twice: {doubts}.",
            days=language.days([one.day for one in doubted]),
            doubts=shorten(
                "; ".join(language.retell(doubt) for doubt in doubted[0].completeness.doubts)
            ),
        )
    censored = [one for one in figure.days if one.completeness.is_censored]
    if censored:
        highest = max(censored, key=lambda one: one.completeness.error_share or 0)
        yield language.ngettext(
            "On {count} of the days {limit} or more of the requests (robots left out) ended in a"
            " failure of the server (5xx), most on {day} ({share}); visitors who were refused a"
            " connection are in no log.",
            "On {count} of the days {limit} or more of the requests (robots left out) ended in a"
            " failure of the server (5xx), most on {day} ({share}); visitors who were refused a"
            " connection are in no log.",
            len(censored), limit=language.limit(CENSORED_SHARE), day=highest.day,
            share=language.share(highest.completeness.error_share or 0),
        )  # fmt: skip
    yield from say_source_doubts(figure, language)


def _say_unread(figure: SpanFigure, language: Language) -> Iterator[str]:
    parts = [
        (one, Unread(one.completeness.lines, one.completeness.rejected_lines))
        for one in figure.days
    ]
    unread = [(one, its) for one, its in parts if its.is_worth_saying]
    if unread:
        worst, its = max(unread, key=lambda pair: pair[1].share)
        yield language.ngettext(
            "Some lines of the files of {count} of the days could not be read and are not counted,"
            " most on {day} ({share}).",
            "Some lines of the files of {count} of the days could not be read and are not counted,"
            " most on {day} ({share}).",
            len(unread), day=worst.day, share=language.share(its.share),
        )  # fmt: skip


def _say_published(figure: SpanFigure, language: Language) -> Iterator[str]:
    if figure.withdrawn_days:
        yield language.ngettext(
            "A figure of {days} was published; all raw files of that day were taken out since.",
            "Figures of {days} were published; all raw files of these days were taken out since.",
            len(figure.withdrawn_days), days=language.days(figure.withdrawn_days),
        )  # fmt: skip
    published = [one for one in figure.days if one.published]
    if not published and not figure.withdrawn_days:
        yield language.gettext("None of these figures has been published yet.")
        return
    if len(published) < len(figure.days):
        yield language.ngettext(
            "The figure of {count} of the days has not been published yet.",
            "The figures of {count} of the days have not been published yet.",
            len(figure.days) - len(published),
        )
    newer = [one for one in published if one.published[-1] != one.sessions]
    if newer:
        yield language.gettext(
            "The figures of {days} are newer and not published yet.",
            days=language.days([one.day for one in newer]),
        )
    restated = [one for one in published if one.is_restated]
    if restated:
        yield language.gettext(
            "The figures of {days} were restated: the days that are published were first published"
            " as {first} sessions together, now as {last}.",
            days=language.days([one.day for one in restated]),
            first=sum(one.published[0] for one in published),
            last=sum(one.published[-1] for one in published),
        )
    elif not newer and not figure.withdrawn_days:
        yield language.gettext("No figure that was published has changed since.")


def _say_expectation(figure: SpanFigure, language: Language) -> Iterator[str]:
    if figure.country == ALL:
        yield say_unjudged_total(language)
        return
    unjudged = figure.unjudged_days
    if figure.expected is None:
        yield language.ngettext(
            "For {count} of the days ({days}) no number can be expected: `tidegauge figure --day`"
            " says why.",
            "For {count} of the days ({days}) no number can be expected: `tidegauge figure --day`"
            " says why.",
            len(unjudged), days=language.days(unjudged),
        )  # fmt: skip
        return
    yield say_against_expected(
        figure.sessions, figure.expected, language, at_least=figure.is_lower_bound
    )


def _say_robots(figure: SpanFigure, language: Language) -> Iterator[str]:
    yield say_declared_robots(figure.robot_hits, figure.robot_lists, language)
    left_out = [one for one in figure.robotlike if one.is_left_out]
    if 0 < len(left_out) < len(figure.days):
        yield language.ngettext(
            "Visitors whose day looks like a robot's are left out on {count} of the days and"
            " counted on the others.",
            "Visitors whose day looks like a robot's are left out on {count} of the days and"
            " counted on the others.",
            len(left_out),
        )
    else:
        is_judged = len(figure.robotlike) == len(figure.days)
        found = sum(one.robotlike_sessions for one in figure.robotlike)
        yield say_robotlike(Robotlike(found, bool(left_out)) if is_judged else None, language)
    yield say_program(figure.program, figure.definitions, language)
