"""The report's charts of hours."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pipeline.language import Language
from pipeline.report.facts import Hour
from pipeline.report.svg import (
    LEFT,
    TOP,
    Scale,
    Size,
    count_scale,
    line,
    name_axis,
    rect,
    svg,
    value_axis,
)
from pipeline.report.wording import keep_whole, write_hour


def draw_hours(hours: Sequence[Hour], zone: ZoneInfo, size: Size, language: Language) -> Markup:
    """The country's sessions that began in each hour; ``hours`` in order, none left out."""
    y, ticks = count_scale(size, language, [hour.sessions for hour in hours])
    bars = [
        (
            hour.sessions,
            language.ngettext(
                "{date}: {count} session", "{date}: {count} sessions",
                hour.sessions, date=write_hour(hour.hour, zone),
            ),
        )
        for hour in hours
    ]  # fmt: skip
    axis = value_axis(size, y, ticks, language.gettext("sessions begun per hour"))
    return svg(size, axis, *_bars("observed", bars, y, size), *_hours_below(hours, zone, size))


def draw_error_hours(
    hours: Sequence[Hour], zone: ZoneInfo, size: Size, language: Language
) -> Markup:
    """The share of requests, robots left out, in each hour that got a 5xx answer."""
    shares = [hour.errors / hour.hits if hour.hits else None for hour in hours]
    highest = max((share or 0 for share in shares), default=0)
    top = next((n for n in (0.02, 0.05, 0.1, 0.2, 0.5) if n >= highest), 1.0) if highest else 1.0
    y = Scale(0, top, size.bottom, TOP)
    bars = []
    for hour, share in zip(hours, shares, strict=True):
        at = write_hour(hour.hour, zone)
        if share is None:
            said = language.gettext("{date}: no request", date=at)
        else:
            said = language.ngettext(
                "{date}: {share} of {count} request", "{date}: {share} of {count} requests",
                hour.hits, date=at, share=keep_whole(language.share(share)),
            )  # fmt: skip
        bars.append((share or 0.0, said))
    ticks = [(value, language.limit(value)) for value in (0, top / 2, top)]
    axis = value_axis(
        size, y, ticks, language.gettext("share of requests (robots left out) answered 5xx")
    )
    return svg(size, axis, *_bars("error", bars, y, size), *_hours_below(hours, zone, size))


def _bars(kind: str, bars: Sequence[tuple[float, str]], y: Scale, size: Size) -> list[Markup]:
    """A bar an hour; each can be pointed at in all its height."""
    width = (size.right - LEFT) / len(bars)
    drawn = []
    for place, (value, said) in enumerate(bars):
        x, top = LEFT + width * place, y.at(value)
        drawn += [
            rect(kind, x + width * 0.1, top, width * 0.8, size.bottom - top),
            rect("hover", x, TOP, width, size.bottom - TOP, title=said),
        ]
    return drawn


def _hours_below(hours: Sequence[Hour], zone: ZoneInfo, size: Size) -> list[Markup]:
    """Every sixth local hour, the date below a day's first, which a line begins."""
    width = (size.right - LEFT) / len(hours)
    local = [hour.hour.astimezone(zone) for hour in hours]
    names, midnights = [], []
    for place, at in enumerate(local):
        x = LEFT + width * (place + 0.5)
        if place == 0 or at.date() != local[place - 1].date():
            names.append((x, [f"{at:%H}h", f"{at:%Y-%m-%d}"]))
            start = LEFT + width * place
            midnights.append(line("midnight", [(start, TOP), (start, size.bottom)]))
        elif at.hour % 6 == 0:
            names.append((x, [f"{at:%H}h"]))
    return [*midnights[1:], name_axis(size, names)]
