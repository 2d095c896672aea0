"""The report's charts as Vega-Lite specifications: numbers and dates, no text from a log line.

https://vega.github.io/vega-lite/docs/spec.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.report.facts import BothDays, HistoryDay, Hour, SurgeEpisode
from pipeline.report.wording import write_count, write_hour, write_share

_HALF_DAY = timedelta(hours=12)
_DAY_STEPS = (1, 2, 3, 7, 14, 28)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)
_HOVER_DAYS = 150
"""More days than this are too narrow to point at: they have no tooltips and no dots."""


Spec = dict[str, Any]
_OBSERVED = {"field": "observed", "type": "quantitative"}
_EXPECTED = {"field": "expected", "type": "quantitative"}
_SAID = {"field": "said", "type": "nominal"}
"""A mark's description: its tooltip."""


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
) -> Spec:
    """One country's sessions per local day, the expected band, its episodes shaded.

    ``history``: at least one day, in order; days without hits leave a gap in the line.
    """
    x = _day_axis(history[0].day, history[-1].day, size)
    y = _OBSERVED | {"title": "sessions per local day", "axis": _count_axis(size)}
    band = {"type": "area", "color": "var(--band)"}
    expected = _line("var(--expected)", 1.5) | {"strokeDash": [5, 3]}
    layers = [
        _shade(history, episodes, x),
        _layer(band, x=x, y=_EXPECTED, y2={"field": "upper"}),
        _layer(expected, x=x, y=_EXPECTED),
        _layer(_line("var(--observed)", 2), x=x, y=y),
    ]
    rows = [_history_row(day) for day in _with_gaps(history)]
    return {
        "data": {"values": rows},
        "layer": [*layers, *_points(history, x, size), *_lower_bounds(x)],
    }


def _layer(mark: Spec, where: str | None = None, **encoding: Spec) -> Spec:
    """One mark for each row ``where`` a Vega expression is true, or for all."""
    layer = {"mark": mark, "encoding": encoding}
    return layer if where is None else layer | {"transform": [{"filter": where}]}


def _line(color: str, width: float) -> Spec:
    return {"type": "line", "color": color, "strokeWidth": width}


def _lower_bounds(x: Spec) -> list[Spec]:
    """A ring on days of which logs are missing, an arrowhead over those with many failures."""
    ring = _point(70) | {"strokeWidth": 2}
    head = _point(60) | {"shape": "triangle-up", "yOffset": -12}
    surge = {"test": "datum.is_surge", "value": "var(--surge)"}
    rim = {"condition": surge, "value": "var(--observed)"}
    paper, error = {"value": "var(--paper)"}, {"value": "var(--error)"}
    return [
        _layer(ring, "datum.is_preliminary", x=x, y=_OBSERVED, fill=paper, stroke=rim),
        _layer(head, "datum.is_censored", x=x, y=_OBSERVED, color=error),
    ]


def _point(size: int) -> Spec:
    return {"type": "point", "filled": True, "opacity": 1, "size": size}


def _points(history: Sequence[HistoryDay], x: Spec, size: Size) -> list[Spec]:
    """Dots on flagged days, and an unseen rule over each day that carries its tooltip."""
    seen = "isValid(datum.observed)"
    dot = _point(26) | {"color": "var(--observed)"}
    flag = _point(60) | {"color": "var(--surge)"}
    flagged = _layer(flag, f"{seen} && datum.is_surge", x=x, y=_OBSERVED)
    days = (history[-1].day - history[0].day).days + 1
    if days > _HOVER_DAYS:
        return [flagged]
    rule = {"type": "rule", "aria": True, "opacity": 0, "strokeWidth": (size.width - 52) / days}
    return [
        _layer(dot, seen, x=x, y=_OBSERVED),
        flagged,
        _layer(rule, seen, x=x, description=_SAID),
    ]


def draw_overview(
    history: Sequence[HistoryDay], episodes: Sequence[SurgeEpisode], size: Size
) -> Spec:
    """All days of one country as a thin line, its episodes shaded."""
    x = _day_axis(history[0].day, history[-1].day, size)
    rows = [
        {"day": _ms(day.day), "observed": day.observed, "is_surge": day.is_surge}
        for day in _with_gaps(history)
    ]
    y = _OBSERVED | {"title": "sessions per local day", "axis": _count_axis(size)}
    flag = _point(14) | {"color": "var(--surge)"}
    layers = [
        _shade(history, episodes, x),
        _layer(_line("var(--observed)", 0.8), x=x, y=y),
        _layer(flag, "datum.is_surge", x=x, y=y),
    ]
    return {"data": {"values": rows}, "layer": layers}


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
            row["said"] += f"; at least: {write_share(day.share)} of the logs"
        if day.is_censored:
            row["said"] += "; at least: visitors were turned away"
    return row


def _shade(history: Sequence[HistoryDay], episodes: Sequence[SurgeEpisode], x: Spec) -> Spec:
    first, last = history[0].day, history[-1].day
    spans = [
        {
            "from": _edge(max(e.start_day, first), -_HALF_DAY),
            "to": _edge(min(e.end_day, last), _HALF_DAY),
        }
        for e in episodes
        if e.end_day >= first and e.start_day <= last
    ]
    shade = {"type": "rect", "color": "var(--shade)", "opacity": 1}
    layer = _layer(shade, x=x | {"field": "from"}, x2={"field": "to"})
    return {"data": {"values": spans}} | layer


def _day_axis(first: date, last: date, size: Size) -> Spec:
    axis = {
        "values": [_ms(day) for day in choose_dates(first, last, size.most_dates)],
        "format": "%Y-%m-%d", "title": None, "labelFlush": True, "labelOverlap": True,
    }  # fmt: skip
    domain = [_edge(first, -_HALF_DAY), _edge(last, _HALF_DAY)]
    scale = {"type": "utc", "domain": domain, "nice": False}
    return {"field": "day", "type": "temporal", "axis": axis, "scale": scale}


def _count_axis(size: Size) -> Spec:
    return {"format": ",d", "tickMinStep": 1, "tickCount": 4 if size.is_narrow else 5}


def draw_hours(hours: Sequence[Hour], zone: ZoneInfo) -> Spec:
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


def draw_error_hours(hours: Sequence[Hour], zone: ZoneInfo) -> Spec:
    """The share of requests, robots left out, in each hour that got a 5xx answer."""
    rows = []
    for place, hour in enumerate(hours):
        share = hour.errors / hour.hits if hour.hits else None
        said = f"{write_hour(hour.hour, zone)}: {write_share(share)} of {write_count(hour.hits)}"
        rows.append({"place": place, "value": share, "said": f"{said} requests"})
    y = _hour_axis(rows, "share of requests (robots left out) answered 5xx", ".0%")
    return _hour_bars(rows, _hour_labels(hours, zone), y, "var(--error)")


def _hour_axis(rows: list[dict[str, Any]], title: str, form: str) -> Spec:
    top = max((row["value"] or 0 for row in rows), default=0)
    return {
        "field": "value", "type": "quantitative", "title": title,
        "scale": {"domain": [0, top or 1], "nice": bool(top)},
        "axis": {"format": form, "tickCount": 3},
    }  # fmt: skip


def _hour_labels(hours: Sequence[Hour], zone: ZoneInfo) -> dict[int, list[str]]:
    """What stands below which bar: every sixth local hour, the date below a day's first."""
    local = [hour.hour.astimezone(zone) for hour in hours]
    labels = {n: [f"{at:%H}h"] for n, at in enumerate(local) if at.hour % 6 == 0}
    for n, at in enumerate(local):
        if n == 0 or at.date() != local[n - 1].date():
            labels[n] = [f"{at:%H}h", f"{at:%Y-%m-%d}"]
    return labels


def _hour_bars(
    rows: list[dict[str, Any]], labels: dict[int, list[str]], y: Spec, color: str
) -> Spec:
    written = ", ".join(f"'{n}': {label!r}" for n, label in sorted(labels.items()))
    axis = {
        "values": sorted(labels), "labelExpr": f"({{{written}}})[datum.value]", "title": None,
        "labelAngle": 0, "labelAlign": "left", "labelBaseline": "top", "labelPadding": 6,
        "ticks": False,
    }  # fmt: skip
    place = {"field": "place", "type": "ordinal"}
    scale = {"domain": [row["place"] for row in rows], "paddingInner": 0.2}
    bar = {"type": "bar", "color": color, "aria": True}
    rule = {"type": "rule", "color": "var(--axis)", "strokeDash": [2, 3]}
    midnights = [{"place": n} for n, label in labels.items() if n and len(label) > 1]
    return {
        "layer": [
            {"data": {"values": midnights}} | _layer(rule, x=place | {"bandPosition": 0}),
            {"data": {"values": rows}}
            | _layer(bar, x=place | {"axis": axis, "scale": scale}, y=y, description=_SAID),
        ]
    }


def draw_both_days(days: Sequence[BothDays], size: Size) -> Spec:
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
    kind = {"field": "kind", "type": "nominal"}
    colors = {"domain": ["local", "UTC"], "range": ["var(--observed)", "var(--other)"]}
    bars = _layer(
        {"type": "bar", "aria": True},
        x={
            "field": "day", "type": "ordinal", "title": None,
            "axis": {"labelAngle": 0, "labelExpr": label, "ticks": False},
            "scale": {"paddingInner": 0.25},
        },
        xOffset=kind | {"sort": ["local", "UTC"]},
        y={
            "field": "sessions", "type": "quantitative", "title": "sessions per day",
            "axis": _count_axis(size),
        },
        color=kind | {"scale": colors, "legend": None},
        description=_SAID,
    )  # fmt: skip
    return {"data": {"values": rows}} | bars
