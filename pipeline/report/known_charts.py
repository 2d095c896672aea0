"""The report's charts of what was known when: how complete days are, when they were published."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import median
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pipeline.days import ONE_DAY, day_start
from pipeline.language import Language
from pipeline.report import wording
from pipeline.report.charts import day_axis, day_scale
from pipeline.report.facts import HistoryDay, PublishedFigure
from pipeline.report.svg import (
    LEFT,
    TOP,
    Scale,
    Size,
    count_scale,
    dot,
    line,
    rect,
    svg,
    value_axis,
)

_HIDING = 20.0
"""A publication so many times as late as the usual one makes all others look the same."""


def draw_completeness(history: Sequence[HistoryDay], size: Size, language: Language) -> Markup:
    """How much of each day's logs is there now, as bars of the whole."""
    first, last = history[0].day, history[-1].day
    x = day_scale(size, first, last)
    y = Scale(0, 1, size.bottom, TOP)
    width = (size.right - LEFT) / ((last - first).days + 1)
    bars = []
    for day in history:
        start = x.at(day.day.toordinal()) - width * 0.45
        share = day.share if day.is_preliminary else 1.0
        said = language.gettext(
            "{date}: {share} of the logs",
            date=str(day.day), share=wording.keep_whole(language.share(share)),
        )  # fmt: skip
        bars += [
            rect("lacking", start, TOP, width * 0.9, size.bottom - TOP, title=said),
            rect("there", start, y.at(share), width * 0.9, size.bottom - y.at(share), title=said),
        ]
    ticks = [(share, language.limit(share)) for share in (0.0, 1.0)]
    axis = value_axis(size, y, ticks, language.gettext("logs of the day that are there now"))
    return svg(size, axis, *bars, day_axis(size, x, first, last))


def draw_known(
    history: Sequence[HistoryDay],
    published: Iterable[PublishedFigure],
    zone: ZoneInfo,
    size: Size,
    language: Language,
) -> Markup:
    """Each publication of each day's figure, the higher the later it was.

    ``published``: by day, then in order of time; at least one.
    """
    first, last = history[0].day, history[-1].day
    x = day_scale(size, first, last)
    late = {
        one: (one.published_at - day_start(one.day + ONE_DAY, zone)) / ONE_DAY for one in published
    }
    is_log = max(late.values()) > _HIDING * max(median(late.values()), 1.0)
    y, ticks = count_scale(
        size, language, [max(days, 0.0) for days in late.values()], is_log=is_log
    )
    marks = []
    for day, its in groupby(late, key=lambda one: one.day):
        ones = list(its)
        places = [(x.at(day.toordinal()), y.at(late[one])) for one in ones]
        marks.append(line("observed thin", places))
        for one, place in zip(ones, places, strict=True):
            kind = "surge" if one.is_restated else "usual"
            ring = " ring" if one.is_preliminary else ""
            marks.append(dot(kind + ring, *place, 4, title=_say(one, zone, language)))
    axis = value_axis(size, y, ticks, language.gettext("days from its end until it was published"))
    return svg(size, axis, *marks, day_axis(size, x, first, last))


def _say(one: PublishedFigure, zone: ZoneInfo, language: Language) -> str:
    said = language.ngettext(
        "{date}: {count} session, published {moment}",
        "{date}: {count} sessions, published {moment}",
        one.sessions, date=str(one.day),
        moment=wording.write_local_time(one.published_at, zone),
    )  # fmt: skip
    if one.is_preliminary:
        said += language.gettext(
            ", preliminary with {sources}",
            sources=wording.write_sources(one.sources, one.sources_expected, language),
        )
    return said
