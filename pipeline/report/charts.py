"""The report's charts of days: numbers and dates, no text from a log line."""

from collections.abc import Sequence
from datetime import date, timedelta
from statistics import median

from markupsafe import Markup

from pipeline.language import Language
from pipeline.report.facts import BothDays, HistoryDay, SurgeEpisode
from pipeline.report.svg import (
    LEFT,
    TOP,
    Scale,
    Size,
    count_scale,
    dot,
    element,
    line,
    name_axis,
    rect,
    svg,
    value_axis,
)
from pipeline.report.wording import keep_whole

_DAY_STEPS = (1, 2, 3, 7, 14, 28)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)
_HOVER_DAYS = 150
"""More days than this are too narrow to point at: they have no tooltips and no dots."""
_HIDING = 8.0
"""A day that is so many times the usual one makes all others look like none."""


def choose_dates(first: date, last: date, most: int) -> list[date]:
    """At most ``most`` dates to write below an axis: evenly spaced days, or firsts of months."""
    days = (last - first).days
    for step in _DAY_STEPS:
        if days // step + 1 <= most:
            return [first + timedelta(n) for n in range(0, days + 1, step)]
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    for step in _MONTH_STEPS:
        chosen = [date(m // 12, m % 12 + 1, 1) for m in months if m % step == 0]
        inside = [day for day in chosen if day >= first]
        if len(inside) <= most:
            break
    return inside or [first]


def hides_all_else(history: Sequence[HistoryDay]) -> bool:
    """Whether the highest day makes the usual ones look like none."""
    usual = median(day.observed for day in history)
    return max(day.observed for day in history) >= _HIDING * max(usual, 1.0)


def day_scale(size: Size, first: date, last: date) -> Scale:
    """Where days lie: each in the middle of its own share of the width, by its ordinal."""
    return Scale(first.toordinal() - 0.5, last.toordinal() + 0.5, LEFT, size.right)


def day_axis(size: Size, x: Scale, first: date, last: date) -> Markup:
    """Dates below a chart of days."""
    chosen = choose_dates(first, last, size.most_dates)
    return name_axis(size, [(x.at(day.toordinal()), [str(day)]) for day in chosen])


def draw_history(
    history: Sequence[HistoryDay],
    episodes: Sequence[SurgeEpisode],
    size: Size,
    language: Language,
    *,
    is_log: bool = False,
) -> Markup:
    """One country's sessions per local day, the expected band, its episodes shaded.

    ``history``: at least one day, in order; days without hits leave a gap in the line.
    """
    first, last = history[0].day, history[-1].day
    x = day_scale(size, first, last)
    counts = [value for day in history for value in (day.observed, day.expected, day.upper)]
    y, ticks = count_scale(size, language, [n for n in counts if n is not None], is_log=is_log)
    days = _with_gaps(history)
    banded = [day for day in days if day is None or day.expected is not None]
    expected = [
        (x.at(day.day.toordinal()), y.at(day.expected or 0)) if day else None for day in banded
    ]
    return svg(
        size,
        *_shade(episodes, first, last, x, (TOP, size.bottom)),
        value_axis(size, y, ticks, _name_sessions(language, is_log=is_log)),
        *(_band(run, x, y) for run in _runs(banded)),
        line("expected", expected),
        line("observed", [_place(day, x, y) for day in days]),
        day_axis(size, x, first, last),
        *_marks(history, x, y, size, language),
    )


def _place(day: HistoryDay | None, x: Scale, y: Scale) -> tuple[float, float] | None:
    return (x.at(day.day.toordinal()), y.at(day.observed)) if day else None


def _band(run: Sequence[HistoryDay], x: Scale, y: Scale) -> Markup:
    lower = [(x.at(day.day.toordinal()), y.at(day.expected or 0)) for day in run]
    upper = [(x.at(day.day.toordinal()), y.at(day.upper or 0)) for day in run]
    return line("band", lower + upper[::-1])


def _marks(
    history: Sequence[HistoryDay], x: Scale, y: Scale, size: Size, language: Language
) -> list[Markup]:
    """A dot on each day, a ring where logs are missing, a head where visitors were turned away."""
    width = (size.right - LEFT) / (history[-1].day - history[0].day + timedelta(1)).days
    is_single = width * _HOVER_DAYS >= size.right - LEFT
    marks = []
    for day in history:
        at = x.at(day.day.toordinal()), y.at(day.observed)
        kind = "surge" if day.is_surge else "usual"
        if day.is_preliminary:
            marks.append(dot(f"{kind} ring", *at, 4.5))
        elif is_single or day.is_surge:
            marks.append(dot(kind, *at, 4 if day.is_surge else 2.5))
        if day.is_censored:
            head = [(at[0] - 4.5, at[1] - 7), (at[0] + 4.5, at[1] - 7), (at[0], at[1] - 14)]
            marks.append(line("head", head))
    if is_single:
        marks += [
            rect("hover", x.at(day.day.toordinal()) - width / 2, TOP, width, size.bottom - TOP,
                 title=_say(day, language))
            for day in history
        ]  # fmt: skip
    return marks


def _say(day: HistoryDay, language: Language) -> str:
    if day.expected is None:
        said = language.ngettext(
            "{date}: {count} session", "{date}: {count} sessions", day.observed, date=str(day.day)
        )
    else:
        said = language.ngettext(
            "{date}: {count} session, expected {expected}",
            "{date}: {count} sessions, expected {expected}",
            day.observed, date=str(day.day), expected=language.count(day.expected),
        )  # fmt: skip
    if day.is_preliminary:
        share = keep_whole(language.share(day.share))
        said += language.gettext("; at least: {share} of the logs", share=share)
    if day.is_censored:
        said += language.gettext("; at least: visitors were turned away")
    return said


def _name_sessions(language: Language, *, is_log: bool = False) -> str:
    if is_log:
        return language.gettext("sessions per local day, logarithmic")
    return language.gettext("sessions per local day")


def draw_overview(
    history: Sequence[HistoryDay],
    episodes: Sequence[SurgeEpisode],
    size: Size,
    language: Language,
) -> Markup:
    """All days of one country as a thin line, its episodes shaded."""
    first, last = history[0].day, history[-1].day
    x = day_scale(size, first, last)
    y, ticks = count_scale(size, language, [day.observed for day in history])
    points = [_place(day, x, y) for day in _with_gaps(history)]
    return svg(
        size,
        *_shade(episodes, first, last, x, (TOP, size.bottom)),
        value_axis(size, y, ticks, _name_sessions(language)),
        line("observed thin", points),
        day_axis(size, x, first, last),
        *(
            dot("surge", x.at(day.day.toordinal()), y.at(day.observed), 2)
            for day in history
            if day.is_surge
        ),
    )


def draw_spark(
    history: Sequence[HistoryDay], episodes: Sequence[SurgeEpisode], language: Language
) -> Markup:
    """One country's days as a line without axes: its own highest day is the top.

    Of more days than it is wide, the highest of each few.
    """
    size = Size(160, 40, 0)
    few = len(history) // size.width + 1
    history = [
        max(history[n : n + few], key=lambda day: day.observed) for n in range(0, len(history), few)
    ]
    first, last = history[0].day, history[-1].day
    x = Scale(first.toordinal() - 0.5, last.toordinal() + 0.5, 0, size.width)
    days = _with_gaps(history) if few == 1 else history
    highest = max(history, key=lambda day: day.observed)
    y = Scale(0, highest.observed or 1, size.height - 1, 3)
    at = (x.at(highest.day.toordinal()), y.at(highest.observed))
    return svg(
        size,
        *_shade(episodes, first, last, x, (0, size.height)),
        line("observed thin", [_place(day, x, y) for day in days]),
        dot("usual", *at, 2, title=_say(highest, language)),
    )


def _with_gaps(history: Sequence[HistoryDay]) -> list[HistoryDay | None]:
    """The days, with None where days are missing: it breaks the line."""
    rows: list[HistoryDay | None] = []
    for day in history:
        if rows and rows[-1] and (day.day - rows[-1].day).days > 1:
            rows.append(None)
        rows.append(day)
    return rows


def _runs(days: Sequence[HistoryDay | None]) -> list[list[HistoryDay]]:
    """The days between gaps."""
    runs: list[list[HistoryDay]] = [[]]
    for day in days:
        if day is None:
            runs.append([])
        else:
            runs[-1].append(day)
    return [run for run in runs if run]


def _shade(
    episodes: Sequence[SurgeEpisode], first: date, last: date, x: Scale, height: tuple[float, float]
) -> list[Markup]:
    shades = []
    for episode in episodes:
        start = x.at(max(episode.start_day, first).toordinal() - 0.5)
        end = x.at(min(episode.end_day, last).toordinal() + 0.5)
        shades.append(rect("shade", start, height[0], end - start, height[1] - height[0]))
    return shades


def draw_weekdays(history: Sequence[HistoryDay], size: Size, language: Language) -> Markup:
    """Each weekday by itself, its weeks from left to right; a line where its usual days lie."""
    is_log = hides_all_else(history)
    y, ticks = count_scale(size, language, [day.observed for day in history], is_log=is_log)
    width = (size.right - LEFT) / 7
    monday = history[0].day.toordinal() - history[0].day.weekday()
    weeks = (history[-1].day.toordinal() - monday) // 7 + 1
    parts, names = [], []
    for weekday in range(7):
        start, end = LEFT + width * (weekday + 0.1), LEFT + width * (weekday + 0.9)
        names.append((LEFT + width * (weekday + 0.5), [language.weekday(weekday)[:3]]))
        days = [day for day in history if day.day.weekday() == weekday]
        usual = usual_of(days)
        if usual is not None:
            parts.append(line("expected", [(start, y.at(usual)), (end, y.at(usual))]))
        x = Scale(-0.5, weeks - 0.5, start, end)
        places = [(x.at((day.day.toordinal() - monday) // 7), y.at(day.observed)) for day in days]
        parts.append(line("observed thin", places))
        for day, place in zip(days, places, strict=True):
            kind = "surge" if day.is_surge else "usual"
            parts.append(dot(kind, *place, 4 if day.is_surge else 2.5, title=_say(day, language)))
    title = _name_sessions(language, is_log=is_log)
    return svg(size, value_axis(size, y, ticks, title), name_axis(size, names), *parts)


def usual_of(days: Sequence[HistoryDay]) -> float | None:
    """The median of those that lack nothing and are in no surge; None when there are none."""
    usual = [day.observed for day in days if not day.is_surge and not day.is_preliminary]
    return median(usual) if usual else None


def draw_both_days(days: Sequence[BothDays], size: Size, language: Language) -> Markup:
    """The same sessions by local day and by UTC day, two bars a day."""
    counts = [n for day in days for n in (day.local_sessions, day.utc_sessions)]
    y, ticks = count_scale(size, language, counts)
    width = (size.right - LEFT) / len(days)
    bars, names = [], []
    for place, day in enumerate(days):
        start = LEFT + width * (place + 0.12)
        text = str(day.day)
        parts = [text[5:], text[:4]] if size.is_narrow else [text]
        names.append((LEFT + width * (place + 0.5), parts))
        said = (
            language.ngettext(
                "{date}, local day: {count} session", "{date}, local day: {count} sessions",
                day.local_sessions, date=text,
            ),
            language.ngettext(
                "{date}, UTC day: {count} session", "{date}, UTC day: {count} sessions",
                day.utc_sessions, date=text,
            ),
        )  # fmt: skip
        for side, sessions in enumerate((day.local_sessions, day.utc_sessions)):
            top = y.at(sessions)
            bars.append(
                rect(("local", "utc")[side], start + width * 0.38 * side, top, width * 0.36,
                     size.bottom - top, title=said[side])
            )  # fmt: skip
    title = language.gettext("sessions per day")
    return svg(size, value_axis(size, y, ticks, title), name_axis(size, names), element("g", *bars))
