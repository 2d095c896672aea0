"""A figure in three sentences, the number first: who has room for no more quotes these.

The second sets it beside what was expected; the third has all that would make the number wrong if
it were left out.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from pipeline.definitions import ALL, NO_COUNTRY
from pipeline.ingest.unread import Unread
from pipeline.language import Language
from pipeline.report import wording
from pipeline.report.figure import Figure
from pipeline.report.figure_basis import Completeness
from pipeline.report.figure_sentences import (
    count_for_logs,
    say_against_expected,
    say_unexpected,
    say_unjudged_total,
    shorten,
)
from pipeline.report.span_figure import SpanFigure
from pipeline.report.span_paragraph import count_of_span, find_worst


def write_short(figure: Figure, language: Language) -> str:
    """Three sentences of a day's figure."""
    span = language.span(figure.day, figure.day)
    where = wording.name_addresses(figure.country, language)
    if figure.sessions is None:
        first = language.gettext("No session {where} can be counted {span} any more.",
                                 where=where, span=span)  # fmt: skip
        last = figure.published[-1]
        second = language.gettext(
            "On {moment} {sessions} were published.",
            moment=language.day(last.published_at.date()),
            sessions=wording.count_sessions(last.sessions, language),
        )
        third = language.gettext("The lake has nothing of the day any more.")
        return f"{first} {second} {third}"
    sessions = count_for_logs(figure.sessions, figure.completeness, language)
    expectation = figure.expectation
    if expectation is None:
        second = say_unjudged_total(language)
    elif expectation.expected is None:
        second = say_unexpected(expectation.before, language)
    else:
        second = say_against_expected(
            figure.sessions, expectation.expected, language,
            at_least=figure.completeness.is_lower_bound,
        )  # fmt: skip
    third = _say_caveats(
        figure.country,
        [*_list_data(figure, language), *_list_caveats(figure, language)],
        language,
    )
    number = _say_number(figure.sessions, sessions, where, span, language)
    return f"{number} {second} {third}"


def write_short_span(figure: SpanFigure, language: Language) -> str:
    """Three sentences of the figures of some days together."""
    span = language.span(figure.first_day, figure.last_day)
    where = wording.name_addresses(figure.country, language)
    if figure.country == ALL:
        second = say_unjudged_total(language)
    elif figure.expected is None:
        second = language.gettext("No number can be expected for some of the days.")
    else:
        second = say_against_expected(
            figure.sessions, figure.expected, language, at_least=figure.is_lower_bound
        )
    third = _say_caveats(
        figure.country,
        [*_list_data(figure, language), *_list_span_caveats(figure, language)],
        language,
    )
    number = _say_number(figure.sessions, count_of_span(figure, language), where, span, language)
    return f"{number} {second} {third}"


def _say_number(count: int, sessions: str, where: str, span: str, language: Language) -> str:
    said = language.ngettext(
        "{sessions} {where} was counted {span}.",
        "{sessions} {where} were counted {span}.",
        count, sessions=sessions, where=where, span=span,
    )  # fmt: skip
    return language.begin(said)


def _list_data(figure: Figure | SpanFigure, language: Language) -> Iterator[str]:
    if figure.is_simulated:
        yield language.gettext("the data is simulated")
    if figure.unlocated_sessions and figure.country not in (ALL, NO_COUNTRY):
        share = figure.unlocated_sessions / (figure.all_sessions or 1)
        yield language.gettext(
            "{share} of all sessions could not be located", share=language.share(share)
        )


def _list_caveats(figure: Figure, language: Language) -> Iterator[str]:
    about = figure.completeness
    if about.is_preliminary is None:
        yield language.gettext("how complete the logs are was not judged")
    elif about.is_preliminary and about.sources == about.sources_expected:
        yield language.gettext(
            "the figure is preliminary: {reasons}",
            reasons=shorten("; ".join(map(language.retell, about.reasons))),
        )
    elif about.is_preliminary:
        yield language.gettext(
            "the figure is preliminary, as the logs of {sources} alone are whole",
            sources=wording.write_sources(about.sources, about.sources_expected, language),
        )
    if about.is_future:
        yield _say_future([figure.day], language)
    yield from _list_losses(about, language)
    yield from _list_source_doubts(figure, language)
    if figure.database is None and figure.country != ALL:
        yield language.gettext("nobody was located")
    if figure.database and figure.database.is_late and figure.country != ALL:
        yield language.gettext("the address database is younger than the day")
    if figure.expectation and figure.expectation.geo_before:
        yield language.gettext("the surge begins with another database of addresses")
    yield from _list_published(figure, language)


def _say_future(days: Sequence[date], language: Language) -> str:
    return language.gettext("hits are dated in the future ({days})", days=language.days(days))


def _list_published(figure: Figure, language: Language) -> Iterator[str]:
    values = [one.sessions for one in figure.published]
    if not values:
        yield language.gettext("it has not been published yet")
    elif values[-1] != figure.sessions:
        yield language.gettext("{sessions} is what was published", sessions=values[-1])
    elif values[0] != figure.sessions:
        yield language.gettext("it was first published as {sessions}", sessions=values[0])
    elif len({*values}) > 1:
        yield language.gettext("it was restated, and is again what was first published")


def _list_losses(about: Completeness, language: Language) -> Iterator[str]:
    if about.is_overtaken:
        yield language.gettext("raw files came or went since it was counted")
    if about.is_censored:
        yield language.gettext(
            "visitors were turned away ({share} of the requests failed)",
            share=language.share(about.error_share or 0),
        )
    if about.doubts:
        yield language.gettext("some lines may be counted twice")
    unread = Unread(about.lines, about.rejected_lines)
    if unread.is_worth_saying:
        yield language.gettext(
            "{share} of the lines could not be read", share=language.share(unread.share)
        )


def _list_source_doubts(figure: Figure | SpanFigure, language: Language) -> Iterator[str]:
    if figure.doubts:
        yield language.gettext("which server wrote what is in doubt")
    if figure.proxied:
        yield language.gettext("most visitors are proxies that are not trusted")
    if figure.private:
        yield language.gettext("most visitors have private addresses")
    if figure.zoneless:
        yield language.gettext("times without an offset were taken for UTC")


def _list_span_caveats(figure: SpanFigure, language: Language) -> Iterator[str]:
    if figure.missing_days:
        yield language.gettext("there is no log of {days}", days=language.days(figure.missing_days))
    if figure.unbuilt_days:
        yield language.gettext(
            "hits of {days} were not counted yet", days=language.days(figure.unbuilt_days)
        )
    if figure.unlocated_days:
        yield language.gettext("nobody was located {when}", when=language.on(figure.unlocated_days))
    if any(one.completeness.is_preliminary is None for one in figure.days):
        yield language.gettext("how complete the logs are was not judged on each day")
    if figure.future_days:
        yield _say_future(figure.future_days, language)
    if figure.overtaken_days:
        yield language.gettext("raw files came or went since it was counted")
    yield from _list_span_losses(figure, language)
    yield from _list_source_doubts(figure, language)
    if figure.is_late and figure.country != ALL:
        yield language.gettext("an address database is younger than its day")
    if not all(one.published and one.published[-1] == one.sessions for one in figure.days):
        yield language.gettext("not all of it has been published yet")
    if figure.withdrawn_days or any(one.is_restated for one in figure.days):
        yield language.gettext("figures of it were restated")
    yield language.gettext("visitors of different days are not told apart")


def _list_span_losses(figure: SpanFigure, language: Language) -> Iterator[str]:
    worst = find_worst(figure.days)
    if worst:
        yield language.gettext(
            "the figure is preliminary, as logs are missing, most of {day}", day=worst.day
        )
    refused = [one for one in figure.days if one.completeness.is_censored]
    if refused:
        yield language.gettext(
            "visitors were turned away ({days})",
            days=language.days([one.day for one in refused]),
        )
    if any(one.completeness.doubts for one in figure.days):
        yield language.gettext("some lines may be counted twice")
    if any(Unread(one.completeness.lines, one.completeness.rejected_lines).is_worth_saying
           for one in figure.days):  # fmt: skip
        yield language.gettext("some lines could not be read")


def _say_caveats(country: str, caveats: list[str], language: Language) -> str:
    """The last sentence: what is the matter with this figure, then what is with all."""
    always = (
        language.gettext(
            "a session is not a person, an address is not a nationality, and declared robots are"
            " left out"
        )
        if country not in (ALL, NO_COUNTRY)
        else language.gettext("a session is not a person, and declared robots are left out")
    )
    return language.gettext("To be said with it: {caveats}.", caveats="; ".join([*caveats, always]))
