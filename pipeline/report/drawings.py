"""Which charts the page has, over which days, drawn for wide screens and for phones."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pipeline.report import charts, svg
from pipeline.report.day_hours import fill_hours
from pipeline.report.facts import Facts, Focus, HistoryDay

_WINDOW_DAYS = 120
_BEFORE, _AFTER = timedelta(42), timedelta(28)


@dataclass(frozen=True)
class Drawing:
    """One chart for wide screens and paper, and for phones."""

    wide: Markup
    narrow: Markup


def choose_window(focus: Focus) -> list[HistoryDay]:
    """The days worth seeing one by one: all of a short lake, else those about the surge or peak."""
    if len(focus.history) <= _WINDOW_DAYS:
        return focus.history
    first: date = focus.episode.start_day if focus.episode else focus.peak.day
    last: date = focus.episode.end_day if focus.episode else focus.peak.day
    return [d for d in focus.history if first - _BEFORE <= d.day <= last + _AFTER]


def draw_charts(facts: Facts, focus: Focus) -> dict[str, Drawing]:
    """Draw every chart of the page, by the name that the templates use."""
    wide, narrow = charts.Size(960, 320, 9), charts.Size(358, 270, 4, is_narrow=True)

    def draw(make: Callable[[charts.Size], Any], share: float = 1.0) -> Drawing:
        drawn = [
            svg.draw(make(size), size.width, round(size.height * share)) for size in (wide, narrow)
        ]
        return Drawing(*drawn)

    zone = ZoneInfo(facts.zone)
    own = [episode for episode in facts.episodes if episode.country == focus.country]
    window = choose_window(focus)
    hours = fill_hours(focus.hours, focus.peak.day, zone)
    drawings = {
        "history": draw(lambda size: charts.draw_history(window, own, size)),
        "hours": draw(lambda _: charts.draw_hours(hours, zone), 0.6),
        "errors": draw(lambda _: charts.draw_error_hours(hours, zone), 0.5),
        "both_days": draw(lambda size: charts.draw_both_days(focus.both_days, size), 0.75),
    }
    if len(window) < len(focus.history):
        drawings["overview"] = draw(
            lambda size: charts.draw_overview(focus.history, own, size), 0.5
        )
    return drawings
