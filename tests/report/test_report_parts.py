"""The report's parts: dates below an axis, hours of a local day, wording, charts as safe SVG."""

from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from pipeline.report import charts, wording
from pipeline.report.day_hours import fill_hours, mark_whole_days
from pipeline.report.facts import (
    BothDays,
    CountryTotal,
    HistoryDay,
    Hour,
    SurgeEpisode,
    choose_country,
)
from pipeline.report.svg import draw
from pipeline.text import write_share

TORONTO, KOLKATA = ZoneInfo("America/Toronto"), ZoneInfo("Asia/Kolkata")
SIZE = charts.Size(600, 300, 8)


def episode(country: str, excess: float = 10.0) -> SurgeEpisode:
    day = date(2016, 11, 9)
    return SurgeEpisode(country, day, day, day, 1, 20, 10.0, excess, 20, 2.0, is_open=False)


@pytest.mark.parametrize("days", [1, 2, 7, 8, 9, 60, 365, 4_661, 40_000])
@pytest.mark.parametrize("most", [4, 9])
def test_an_axis_of_any_length_has_few_dates(days: int, most: int) -> None:
    """From one day to a century: at least one date, never more than fit, all inside."""
    first = date(2004, 2, 29)
    last = first + timedelta(days - 1)
    chosen = charts.choose_dates(first, last, most)
    assert 1 <= len(chosen) <= most
    assert chosen == sorted(set(chosen))
    assert first <= chosen[0]
    assert chosen[-1] <= last


def test_a_day_on_which_clocks_go_back_has_25_hours() -> None:
    """Quiet hours are filled in as zeros, and the repeated hour stands twice."""
    known = Hour(datetime(2016, 11, 6, 6, tzinfo=UTC), 3, 5, 1)
    hours = fill_hours([known], date(2016, 11, 6), TORONTO)
    assert len(hours) == 25
    assert sum(hour.sessions for hour in hours) == 3
    local = [hour.hour.astimezone(TORONTO).hour for hour in hours]
    assert local.count(1) == 2


def test_the_day_before_the_peak_shows_when_it_has_hits() -> None:
    """48 hours when the eve has hits, 24 when the peak is the lake's first day."""
    eve = Hour(datetime(2016, 11, 9, 4, tzinfo=UTC), 1, 1, 0)  # 23:00 on the 8th in Toronto
    peak = Hour(datetime(2016, 11, 9, 5, tzinfo=UTC), 1, 1, 0)
    assert len(fill_hours([eve, peak], date(2016, 11, 9), TORONTO)) == 48
    assert len(fill_hours([peak], date(2016, 11, 9), TORONTO)) == 24


def test_a_half_hour_zone_keeps_the_hours_it_shares_with_its_neighbours() -> None:
    """00:00 in Kolkata is 18:30 in UTC: the hour from 18:00 belongs to two days."""
    hours = fill_hours([], date(2016, 11, 9), KOLKATA)
    assert hours[0].hour == datetime(2016, 11, 8, 18, tzinfo=UTC)
    assert hours[-1].hour == datetime(2016, 11, 9, 18, tzinfo=UTC)


def test_a_utc_day_is_whole_when_both_local_days_it_touches_are_there() -> None:
    """The UTC day of the first local day lacks the evening before it; in UTC nothing is lacking."""
    days = [BothDays(date(2016, 11, n), 1, 1) for n in (1, 2)]
    built = {day.day for day in days}
    assert [is_whole for _, is_whole in mark_whole_days(days, built, TORONTO)] == [False, True]
    assert [is_whole for _, is_whole in mark_whole_days(days, built, ZoneInfo("UTC"))] == [True] * 2


def test_the_report_is_about_the_largest_surge_of_a_known_country() -> None:
    """The largest surge, then most sessions; addresses without a country last."""
    totals = [CountryTotal("ZZ", 9), CountryTotal("CA", 8), CountryTotal("US", 2)]
    assert choose_country(totals, [episode("ZZ"), episode("US")]) == "US"
    assert choose_country(totals, []) == "CA"
    assert choose_country(totals[:1], [episode("ZZ")]) == "ZZ"
    assert choose_country([], []) is None


def test_wording() -> None:
    """Thousands separators, units and true minus signs; unlisted codes are their own name."""
    assert wording.write_count(1_611_800) == "1,611,800"
    assert wording.write_share(0.1234) == "12.3\N{NO-BREAK SPACE}%"
    assert wording.write_share(0.0004) == "0.04\N{NO-BREAK SPACE}%"
    assert wording.write_figure(877.43) == "877.43"
    assert wording.write_difference(-4083) == "\N{MINUS SIGN}4,083"
    assert wording.name_country("NA") == "Namibia"
    assert wording.name_country("<b>") == "<b>"
    assert wording.name_in_sentence("US") == "the United States"
    assert wording.name_in_sentence("ZZ") == "an unknown place"
    assert wording.compare_with_expected(20, 0.2) is None


def test_text_in_a_chart_stays_text() -> None:
    """Labels and descriptions cannot become elements, attributes or links."""
    hostile = "</text><script>alert(1)</script><image href='http://x/'/>\"&"
    chart = {
        "title": hostile,
        "data": {"values": [{"name": hostile, "n": 1}]},
        "mark": {"type": "bar", "aria": True, "href": "http://x/"},
        "encoding": {
            "x": {"field": "name", "type": "nominal", "title": hostile},
            "y": {"field": "n", "type": "quantitative"},
            "description": {"field": "name", "type": "nominal"},
        },
    }
    root = ET.fromstring(draw(chart, 300, 200))  # noqa: S314 our own drawing
    assert {element.tag for element in root.iter()} <= {"svg", "g", "path", "line", "text", "title"}
    assert not {"href", "style"} & {name for element in root.iter() for name in element.attrib}
    assert any(hostile in (element.text or "") for element in root.iter("text"))


def test_4661_days_are_one_thin_line_of_moderate_size() -> None:
    """Thirteen years of days fit a page that can be mailed."""
    first = date(2005, 1, 1)
    history = [
        HistoryDay(first + timedelta(n), n % 700, 9.0, 20.0, is_surge=False) for n in range(4_661)
    ]
    drawn = draw(charts.draw_overview(history, [episode("US")], SIZE), 600, 150)
    assert len(drawn) < 100_000
    assert drawn.count(">20") <= SIZE.most_dates
    assert 'fill="var(--shade)"' in drawn


@pytest.mark.parametrize("count", [1, 2, 200])
def test_a_history_of_any_length_can_be_drawn(count: int) -> None:
    """One day is a dot; a gap breaks the line; many days have no tooltips."""
    first = date(2016, 1, 1)
    history = [
        HistoryDay(first + timedelta(n), n, None, None, is_surge=False)
        for n in range(count)
        if n != 5
    ]
    drawn = draw(charts.draw_history(history, [], SIZE), 600, 300)
    assert drawn.count("<title>") == (len(history) if count < 200 else 0)
    if count == 200:
        line = next(part for part in drawn.split("<path ") if 'stroke="var(--observed)"' in part)
        assert line.count("M") == 2


def test_a_share_is_written_alike_everywhere_and_never_as_all_when_it_is_less() -> None:
    """In the report as in a figure and an alert; rounded, two decimals below 0.1 %."""
    written = {0.5816: "58.2 %", 0.9996: "99.9 %", 1.0: "100.0 %", 0.0: "0.0 %", 0.0004: "0.04 %"}
    for share, text in written.items():
        assert write_share(share) == text
        assert wording.write_share(share) == text.replace(" ", "\N{NO-BREAK SPACE}")
