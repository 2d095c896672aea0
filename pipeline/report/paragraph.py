"""A figure in one paragraph of plain English, for people who will quote it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from pipeline.days import day_start
from pipeline.definitions import ALL, NO_COUNTRY
from pipeline.ingest.unread import Unread
from pipeline.report import wording
from pipeline.report.facts import Published
from pipeline.report.figure import Completeness, Figure, Robotlike
from pipeline.text import write_number_of

_LONGEST_REASON = 600


def write_paragraph(figure: Figure) -> str:
    """One paragraph; each sentence is true on its own. Texts are as the lake has them."""
    parts: tuple[Callable[[Figure], Iterator[str]], ...] = (
        _say_number, _say_unit, _say_place, _say_day, _say_completeness, _say_published,
        _say_expectation, _say_robots,
    )  # fmt: skip
    if figure.sessions is None:
        parts = (_say_gone, _say_published)
    sentences = [sentence for part in parts for sentence in part(figure)]
    return " ".join(sentences).replace("\N{NO-BREAK SPACE}", " ")


def _say_gone(figure: Figure) -> Iterator[str]:
    yield (
        f"The lake has nothing of {wording.write_day(figure.day)} any more, so the figure of"
        f" sessions {wording.name_addresses(figure.country)} can't be counted again."
    )


def _say_number(figure: Figure) -> Iterator[str]:
    if figure.is_simulated:
        yield "Simulated data: no real visitor is in this figure."
    counted = write_number_of(figure.sessions or 0, "session")
    about = figure.completeness
    only = "a preliminary " if about.is_preliminary else ""
    least = "at least " if about.is_lower_bound else only
    of = ""
    if figure.country != ALL:
        of = f", of {wording.write_count(figure.all_sessions or 0)} from all countries"
    yield (
        f"On {wording.write_day(figure.day)} the site counted {least}{counted}"
        f" {wording.name_addresses(figure.country)}{of}."
    )


def _say_unit(figure: Figure) -> Iterator[str]:
    gap = write_number_of(figure.session_timeout_minutes, "minute")
    yield (
        f"A session is one visitor's requests with no gap of more than {gap} between them, and"
        " belongs to the day of its first request; a visitor is one address with one browser, not"
        " one person; images, style sheets and the like are not counted."
    )


def _say_place(figure: Figure) -> Iterator[str]:
    if figure.country == ALL:
        return
    if figure.country == "US":
        yield "An address is not a nationality: a U.S. address is not an American."
    elif figure.country != NO_COUNTRY:
        yield "An address is not a nationality: it says where a connection is, not who uses it."
    database = figure.database
    if database is None:
        yield "No address database was used, so nobody was located."
        return
    name = f"the database {database.database_type}" if database.database_type else "a database"
    late = ""
    if database.is_late:
        late = ", which is younger than the day, as none of the time was at hand"
    yield f"Addresses were located by {name} built on {wording.write_day(database.built)}{late}."
    if figure.unlocated_sessions and figure.country != NO_COUNTRY:
        share = wording.write_share(figure.unlocated_sessions / (figure.all_sessions or 1))
        yield (
            f"{write_number_of(figure.unlocated_sessions, 'session')} of all ({share}) came from"
            " addresses that it gives no country, and count in no country's figure."
        )
    if database.credit:
        yield database.credit


def _say_day(figure: Figure) -> Iterator[str]:
    zone = ZoneInfo(figure.timezone)
    starts_at = day_start(figure.day, zone)
    hours = (day_start(figure.day + timedelta(days=1), zone) - starts_at).total_seconds() / 3600
    yield (
        f"The day is the local day of {figure.timezone}: {hours:g} hours from {starts_at:%H:%M} UTC"
        f" on {wording.write_day(starts_at.date())}."
    )


def _say_completeness(figure: Figure) -> Iterator[str]:
    about = figure.completeness
    sources = wording.write_sources(about.sources, about.sources_expected)
    if about.is_preliminary is None:
        yield f"It is counted from the logs of {sources}; how complete they are was not judged."
    elif about.is_preliminary:
        covered = _write_cover(about)
        because = _shorten("; ".join(about.reasons))
        yield (
            f"The figure is preliminary: the logs of {sources} are whole{covered}"
            f"{': ' if because else ''}{because}."
        )
    elif about.sources == about.sources_expected:
        is_one = about.sources == 1
        who = "its only expected source" if is_one else f"all {sources.split(' of ')[1]}"
        yield f"The logs of {who} are in{_write_cover(about)}."
    else:
        yield f"The logs of {sources} are in{_write_cover(about)}."
    if _unread_of(about).is_worth_saying:
        yield (
            f"{wording.write_count(about.rejected_lines)} of"
            f" {write_number_of(about.lines, 'line')} of the files that have hits of the"
            " day could not be read and are not counted."
        )
    if about.doubts:
        yield f"Some lines may be counted twice: {_shorten('; '.join(about.doubts))}."
    if about.is_censored:
        share = wording.write_share(about.error_share)
        yield (
            f"{share} of that day's requests (robots left out) ended in a failure of the server"
            " (5xx); visitors who were refused a connection are in no log"
            f"{', so the figure is a lower bound' if about.is_lower_bound else ''}."
        )
    if figure.doubts:
        yield f"Which server wrote what is in doubt: {_shorten('; '.join(figure.doubts))}."


def _write_cover(about: Completeness) -> str:
    if about.share is None:
        return ""
    if about.share == 1:
        is_whole = not about.is_preliminary and not _unread_of(about).is_large
        return " and cover the whole day" if is_whole else ""
    return f", {wording.write_share(about.share)} of what was expected"


def _unread_of(about: Completeness) -> Unread:
    return Unread(about.lines, about.rejected_lines)


def _say_published(figure: Figure) -> Iterator[str]:
    if not figure.published:
        yield "It has not been published yet."
        if _lacks_logs(figure):
            yield (
                "It will be when the missing logs of the day are in, or when that day is run"
                f" (`tidegauge run --from {figure.day} --to {figure.day}`)."
            )
        return
    zone = ZoneInfo(figure.timezone)
    first, *later = figure.published
    restated = [one for one in later if one.sessions != one.previous_sessions]
    at = wording.write_moment(first.published_at, zone)
    if restated or first.sessions != figure.sessions:
        yield (
            f"It was first published on {at} as"
            f" {wording.write_count(first.sessions)}{_qualify(first)}."
        )
    else:
        yield f"It was published on {at}{_qualify(first)} and the number has not changed since."
    for one in restated:
        before = one.previous_sessions or 0
        yield (
            f"On {wording.write_moment(one.published_at, zone)} it was restated to"
            f" {wording.write_count(one.sessions)}{_qualify(one)},"
            f" {wording.write_change(before, one.sessions)} ({_shorten(one.reason)})."
        )
    if figure.sessions not in (None, figure.published[-1].sessions):
        yield "The number above is newer and not published yet."


def _qualify(one: Published) -> str:
    if not one.is_preliminary:
        return ""
    return f" (preliminary, {wording.write_sources(one.sources, one.sources_expected)})"


def _shorten(reason: str) -> str:
    reason = reason.rstrip(".")
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} ..."


def _say_expectation(figure: Figure) -> Iterator[str]:
    about = figure.expectation
    if about is None:
        return
    least = "at least " if figure.completeness.is_lower_bound else ""
    if about.start_day is None or about.end_day is None:
        if about.expected is not None:
            expected = wording.write_count(about.expected)
            yield (
                f"The country's own history leads one to expect {expected}; the day is part of no"
                " surge."
            )
        return
    times = wording.compare_with_expected(figure.sessions or 0, about.expected)
    if times:
        expected = wording.write_count(about.expected or 0)
        yield f"That is {least}{times} from the country's own history ({expected})."
    span = wording.write_span(about.start_day, about.end_day)
    in_all = "at least " if about.is_at_least else ""
    is_open = ", not yet known to have ended, as no whole day after it is there"
    yield (
        f"The day is part of a surge {span}"
        f"{is_open if about.is_open else ''}:"
        f" {in_all}{write_number_of(about.surge_sessions or 0, 'session')} where"
        f" {wording.write_count(about.surge_expected or 0)} were expected."
    )
    if about.why:
        yield about.why


def _lacks_logs(figure: Figure) -> bool:
    return bool(figure.completeness.is_preliminary)


def _say_robots(figure: Figure) -> Iterator[str]:
    left_out = write_number_of(figure.robot_hits, "request")
    yield (
        f"Declared robots are left out: {left_out} without a user agent or with one that the lists"
        f" {figure.robot_lists} know. {_say_robotlike(figure.robotlike)}"
    )
    versions = ", ".join(map(str, figure.definitions))
    is_one = len(figure.definitions) == 1
    yield f"Counted by {figure.program}, definitions version{'' if is_one else 's'} {versions}."


def _say_robotlike(about: Robotlike | None) -> str:
    counted = "Robots that pose as browsers are counted as visitors"
    if about is None:
        return f"{counted}."
    if not about.sessions:
        return f"{counted}; none of these sessions is of one whose day looks like a robot's."
    found = write_number_of(about.sessions, "session")
    if about.is_left_out:
        return (
            f"Visitors whose day looks like a robot's are left out ({found}); other robots that"
            " pose as browsers are counted as visitors."
        )
    return f"{counted}, also those whose day looks like a robot's ({found})."
