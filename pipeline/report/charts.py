"""The report's charts as Altair specifications: numbers and dates only, no text from a log line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

from pipeline.report.facts import BothDays, HistoryDay, Hour, SurgeEpisode
from pipeline.report.wording import write_count, write_hour, write_part, write_share

_HALF_DAY = timedelta(hours=12)
_DAY_STEPS = (1, 2, 3, 7, 14, 28)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)
_HOVER_DAYS = 150
"""More days than this are too narrow to point at: they have no tooltips and no dots."""


Layers = alt.LayerChart | alt.FacetChart


@dataclass(frozen=True)
class Size:
    """A drawing for one kind of screen: CSS pixels and how many dates fit below it."""

    width: int
    height: int
    most_dates: int
    is_narrow: bool = False


def _ms(moment: date | datetime) -> int:
    """Milliseconds since 1970 of an aware time, or of a date's start in UTC."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _edge(day: date, offset: timedelta) -> int:
    return _ms(datetime(day.year, day.month, day.day, tzinfo=UTC) + offset)


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


def draw_history(
    history: Sequence[HistoryDay], episodes: Sequence[SurgeEpisode], size: Size
) -> Layers:
    """One country's sessions per local day, the expected band, its episodes shaded.

    ``history``: at least one day, in order; days without hits leave a gap in the line.
    """
    x = _day_axis(history[0].day, history[-1].day, size)
    data = alt.InlineData(values=[_history_row(day) for day in _with_gaps(history)])
    base = alt.Chart(data)
    y = alt.Y("observed:Q", title="sessions per local day", axis=_count_axis(size))
    layers: list[Any] = [
        _shade(history, episodes, x),
        base.mark_area(color="var(--band)").encode(x=x, y=alt.Y("expected:Q"), y2="upper:Q"),
        base.mark_line(color="var(--expected)", strokeDash=[5, 3], strokeWidth=1.5).encode(
            x=x, y=alt.Y("expected:Q")
        ),
        base.mark_line(color="var(--observed)", strokeWidth=2).encode(x=x, y=y),
    ]
    return alt.layer(*layers, *_points(history, base, x, size), *_lower_bounds(base, x))


def _lower_bounds(base: alt.Chart, x: alt.X) -> list[alt.Chart]:
    """A ring on days of which logs are missing, an arrowhead over those with many failures."""
    y = alt.Y("observed:Q")
    rings = base.transform_filter("datum.is_preliminary").mark_point(
        filled=True, opacity=1, strokeWidth=2, size=70
    )
    heads = base.transform_filter("datum.is_censored").mark_point(
        filled=True, opacity=1, shape="triangle-up", size=60, yOffset=-12
    )
    rim = alt.condition("datum.is_surge", alt.value("var(--surge)"), alt.value("var(--observed)"))
    return [
        rings.encode(x=x, y=y, fill=alt.value("var(--paper)"), stroke=rim),
        heads.encode(x=x, y=y, color=alt.value("var(--error)")),
    ]


def _points(
    history: Sequence[HistoryDay], base: alt.Chart, x: alt.X, size: Size
) -> list[alt.Chart]:
    """Dots on flagged days, and an unseen rule over each day that carries its tooltip."""
    seen = base.transform_filter("isValid(datum.observed)")
    dots = seen.mark_point(filled=True, opacity=1).encode(
        x=x, y=alt.Y("observed:Q"),
        color=alt.ColorValue("var(--observed)"), size=alt.SizeValue(26),
    )  # fmt: skip
    flagged = dots.transform_filter("datum.is_surge").encode(
        color=alt.ColorValue("var(--surge)"), size=alt.SizeValue(60)
    )
    days = (history[-1].day - history[0].day).days + 1
    if days > _HOVER_DAYS:
        return [flagged]
    hover = seen.mark_rule(aria=True, opacity=0, strokeWidth=(size.width - 52) / days).encode(
        x=x, description="said:N"
    )
    return [dots, flagged, hover]


def draw_overview(
    history: Sequence[HistoryDay], episodes: Sequence[SurgeEpisode], size: Size
) -> Layers:
    """All days of one country as a thin line, its episodes shaded."""
    x = _day_axis(history[0].day, history[-1].day, size)
    rows = [
        {"day": _ms(day.day), "observed": day.observed, "is_surge": day.is_surge}
        for day in _with_gaps(history)
    ]
    base = alt.Chart(alt.InlineData(values=rows))
    y = alt.Y("observed:Q", title="sessions per local day", axis=_count_axis(size))
    line = base.mark_line(color="var(--observed)", strokeWidth=0.8).encode(x=x, y=y)
    flagged = base.transform_filter("datum.is_surge").mark_point(
        filled=True, opacity=1, color="var(--surge)", size=14
    )
    return alt.layer(_shade(history, episodes, x), line, flagged.encode(x=x, y=y))


def _with_gaps(history: Sequence[HistoryDay]) -> list[Any]:
    """The days with one empty day after each run: it breaks the line."""
    rows: list[Any] = []
    for day in history:
        if rows and (day.day - rows[-1].day).days > 1:
            rows.append(_Gap(rows[-1].day + timedelta(1)))
        rows.append(day)
    return rows


@dataclass(frozen=True)
class _Gap:
    """A day of which nothing is known."""

    day: date
    observed: None = None
    expected: None = None
    upper: None = None
    is_surge: bool = False
    is_preliminary: bool = False
    is_censored: bool = False


def _history_row(day: HistoryDay) -> dict[str, Any]:
    row: dict[str, Any] = {
        "day": _ms(day.day), "observed": day.observed, "expected": day.expected,
        "upper": day.upper, "is_surge": day.is_surge,
        "is_preliminary": day.is_preliminary, "is_censored": day.is_censored,
    }  # fmt: skip
    if day.observed is not None:
        row["said"] = f"{day.day}: {write_count(day.observed)} sessions"
        if day.expected is not None:
            row["said"] += f", expected {write_count(day.expected)}"
        if day.is_preliminary:
            row["said"] += f"; at least: {write_part(day.share)} of the logs"
        if day.is_censored:
            row["said"] += "; at least: visitors were turned away"
    return row


def _shade(history: Sequence[HistoryDay], episodes: Sequence[SurgeEpisode], x: alt.X) -> alt.Chart:
    first, last = history[0].day, history[-1].day
    spans = [
        {
            "from": _edge(max(e.start_day, first), -_HALF_DAY),
            "to": _edge(min(e.end_day, last), _HALF_DAY),
        }
        for e in episodes
        if e.end_day >= first and e.start_day <= last
    ]
    shade = alt.Chart(alt.InlineData(values=spans)).mark_rect(color="var(--shade)", opacity=1)
    start: alt.X = x.copy()
    start.shorthand = "from:T"
    shaded: alt.Chart = shade.encode(x=start, x2="to:Q")
    return shaded


def _day_axis(first: date, last: date, size: Size) -> alt.X:
    values = [_ms(day) for day in choose_dates(first, last, size.most_dates)]
    axis = alt.Axis(
        values=values, format="%Y-%m-%d", title=None, labelFlush=True, labelOverlap=True
    )
    domain = [_edge(first, -_HALF_DAY), _edge(last, _HALF_DAY)]
    return alt.X("day:T", axis=axis, scale=alt.Scale(type="utc", domain=domain, nice=False))


def _count_axis(size: Size) -> alt.Axis:
    return alt.Axis(format=",d", tickMinStep=1, tickCount=4 if size.is_narrow else 5)


def draw_hours(hours: Sequence[Hour], zone: ZoneInfo) -> Layers:
    """The country's sessions that began in each hour; ``hours`` in order, none left out."""
    rows = [
        {
            "place": place, "value": hour.sessions,
            "said": f"{write_hour(hour.hour, zone)}: {write_count(hour.sessions)} sessions",
        }
        for place, hour in enumerate(hours)
    ]  # fmt: skip
    y = _hour_axis(rows, "sessions begun per hour", ",d")
    return _hour_bars(rows, _hour_labels(hours, zone), y, "var(--observed)")


def draw_error_hours(hours: Sequence[Hour], zone: ZoneInfo) -> Layers:
    """The share of all requests in each hour that got a 5xx answer."""
    rows = []
    for place, hour in enumerate(hours):
        share = hour.errors / hour.hits if hour.hits else None
        said = f"{write_hour(hour.hour, zone)}: {write_share(share)} of {write_count(hour.hits)}"
        rows.append({"place": place, "value": share, "said": f"{said} requests"})
    y = _hour_axis(rows, "share of requests answered 5xx", ".0%")
    return _hour_bars(rows, _hour_labels(hours, zone), y, "var(--error)")


def _hour_axis(rows: list[dict[str, Any]], title: str, form: str) -> alt.Y:
    top = max((row["value"] or 0 for row in rows), default=0)
    scale = alt.Scale(domain=[0, top or 1], nice=bool(top))
    return alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(format=form, tickCount=3))


def _hour_labels(hours: Sequence[Hour], zone: ZoneInfo) -> dict[int, list[str]]:
    """What stands below which bar: every sixth local hour, the date below a day's first."""
    local = [hour.hour.astimezone(zone) for hour in hours]
    labels = {n: [f"{at:%H}h"] for n, at in enumerate(local) if at.hour % 6 == 0}
    for n, at in enumerate(local):
        if n == 0 or at.date() != local[n - 1].date():
            labels[n] = [f"{at:%H}h", f"{at:%Y-%m-%d}"]
    return labels


def _hour_bars(
    rows: list[dict[str, Any]], labels: dict[int, list[str]], y: alt.Y, color: str
) -> Layers:
    written = ", ".join(f"'{n}': {label!r}" for n, label in sorted(labels.items()))
    axis = alt.Axis(
        values=sorted(labels), labelExpr=f"({{{written}}})[datum.value]", title=None, labelAngle=0,
        labelAlign="left", labelBaseline="top", labelPadding=6, ticks=False,
    )  # fmt: skip
    scale = alt.Scale(domain=[row["place"] for row in rows], paddingInner=0.2)
    bars = alt.Chart(alt.InlineData(values=rows)).mark_bar(color=color, aria=True)
    midnights = [{"place": n} for n, label in labels.items() if n and len(label) > 1]
    rule = alt.Chart(alt.InlineData(values=midnights)).mark_rule(
        color="var(--axis)", strokeDash=[2, 3]
    )
    return alt.layer(
        rule.encode(x=alt.X("place:O", bandPosition=0)),
        bars.encode(x=alt.X("place:O", axis=axis, scale=scale), y=y, description="said:N"),
    )


def draw_both_days(days: Sequence[BothDays], size: Size) -> alt.Chart:
    """The same sessions by local day and by UTC day, two bars a day."""
    rows = [
        {
            "day": day.day.isoformat(), "kind": kind, "sessions": sessions,
            "said": f"{day.day}, {kind} day: {write_count(sessions)} sessions",
        }
        for day in days
        for kind, sessions in (("local", day.local_sessions), ("UTC", day.utc_sessions))
    ]  # fmt: skip
    label = "[slice(datum.value, 5), slice(datum.value, 0, 4)]" if size.is_narrow else "datum.value"
    colors = alt.Scale(domain=["local", "UTC"], range=["var(--observed)", "var(--other)"])
    chart: alt.Chart = alt.Chart(alt.InlineData(values=rows)).mark_bar(aria=True).encode(
        x=alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelExpr=label, ticks=False),
                scale=alt.Scale(paddingInner=0.25)),
        xOffset=alt.XOffset("kind:N", sort=["local", "UTC"]),
        y=alt.Y("sessions:Q", title="sessions per day", axis=_count_axis(size)),
        color=alt.Color("kind:N", scale=colors, legend=None),
        description="said:N",
    )  # fmt: skip
    return chart
