"""Which charts the page has, over which days, drawn for wide screens and for phones."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pipeline.language import Language
from pipeline.report import charts, hour_charts, known_charts
from pipeline.report.day_hours import fill_hours
from pipeline.report.facts import Facts, Focus, HistoryDay
from pipeline.report.svg import Size

_WINDOW_DAYS = 120
_BEFORE, _AFTER = timedelta(42), timedelta(28)
_SIZES = Size(820, 300, 9), Size(358, 260, 4, is_narrow=True)


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


def draw_charts(facts: Facts, focus: Focus, language: Language) -> dict[str, Drawing]:
    """Draw every chart of the page, by the name that the templates use."""
    zone = ZoneInfo(facts.zone)
    own = [episode for episode in facts.episodes if episode.country == focus.country]
    window = choose_window(focus)
    hours = fill_hours(focus.hours, focus.peak.day, zone)
    drawings = {
        "history": _draw(lambda size: charts.draw_history(window, own, size, language)),
        "hours": _draw(lambda size: hour_charts.draw_hours(hours, zone, size, language), 0.65, 2),
        "both_days": _draw(
            lambda size: charts.draw_both_days(focus.both_days, size, language), 0.75, 2
        ),
    }
    if any(hour.errors for hour in hours):
        drawings["errors"] = _draw(
            lambda size: hour_charts.draw_error_hours(hours, zone, size, language), 0.55, 2
        )
    published = [p for p in focus.published if window[0].day <= p.day <= window[-1].day]
    if published:
        drawings |= {
            "completeness": _draw(
                lambda size: known_charts.draw_completeness(window, size, language), 0.4
            ),
            "known": _draw(
                lambda size: known_charts.draw_known(window, published, zone, size, language), 0.75
            ),
        }
    if len(window) > 7:  # a weekday has another to be set against
        drawings["weekdays"] = _draw(
            lambda size: charts.draw_weekdays(window, size, language), 0.85
        )
    if charts.hides_all_else(window):
        drawings["log"] = _draw(
            lambda size: charts.draw_history(window, own, size, language, is_log=True), 0.85
        )
    if len(window) < len(focus.history):
        drawings["overview"] = _draw(
            lambda size: charts.draw_overview(focus.history, own, size, language), 0.5
        )
    return drawings


def _draw(make: Callable[[Size], Markup], share: float = 1.0, lines_below: int = 1) -> Drawing:
    """``share``: the height, of a usual one's."""
    return Drawing(
        *(
            make(replace(size, height=round(size.height * share), lines_below=lines_below))
            for size in _SIZES
        )
    )
