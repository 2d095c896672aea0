"""The report's parts: dates below an axis, hours of a local day, wording, charts as safe SVG."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from pipeline.language import ENGLISH, Language, LanguageCode
from pipeline.report import charts, known_charts, wording
from pipeline.report.day_hours import fill_hours, mark_whole_days
from pipeline.report.facts import (
    BothDays,
    CountryTotal,
    HistoryDay,
    Hour,
    PublishedFigure,
    SurgeEpisode,
)
from pipeline.report.gather import choose_country
from pipeline.report.svg import Size, count_scale, element, svg
from pipeline.text import write_share

TORONTO, KOLKATA = ZoneInfo("America/Toronto"), ZoneInfo("Asia/Kolkata")
FRENCH = Language(LanguageCode.fr)
SIZE = Size(600, 300, 8)


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


def test_a_country_s_own_surge_comes_before_a_larger_one_of_all() -> None:
    alike, own = replace(episode("CA", 90.0), others_ratio=3.0), episode("US", 10.0)
    assert sorted([alike, own], key=lambda one: one.rank) == [own, alike]


def test_wording() -> None:
    """Thousands separators, units and true minus signs; unlisted codes are their own name."""
    assert ENGLISH.count(1_611_800) == "1,611,800"
    assert ENGLISH.share(0.1234) == "12.3 %"
    assert ENGLISH.share(0.0004) == "0.04 %"
    assert ENGLISH.figure(877.43) == "877.43"
    assert ENGLISH.difference(-4083) == "\N{MINUS SIGN}4,083"
    assert ENGLISH.country("NA") == "Namibia"
    assert ENGLISH.country("<b>") == "<b>"
    assert ENGLISH.in_country("US") == "in the United States"
    assert ENGLISH.in_country("ZZ") == "in an unknown place"
    assert wording.compare_with_expected(20, 0.2, ENGLISH) is None


def test_text_in_a_chart_stays_text() -> None:
    """Labels, titles and attributes cannot become elements, attributes or links."""
    hostile = "</text><script>alert(1)</script><image href='http://x/'/>\"&"
    drawn = svg(SIZE, element("text", text=hostile, title=hostile, class_=hostile))
    (label,) = ET.fromstring(drawn)  # noqa: S314 our own drawing
    assert [child.tag for child in label] == ["title"]
    assert label.attrib == {"class": hostile}
    assert (label[0].text, label[0].tail) == (hostile, hostile)


def test_4661_days_are_one_thin_line_of_moderate_size() -> None:
    """Thirteen years of days fit a page that can be mailed."""
    first = date(2005, 1, 1)
    history = days_of(first, [n % 700 for n in range(4_661)])
    drawn = charts.draw_overview(history, [episode("US")], SIZE, ENGLISH)
    assert len(drawn) < 100_000
    assert drawn.count(">20") <= SIZE.most_dates
    assert drawn.count('class="shade"') == 1


def days_of(first: date, counts: list[int], *, surge: tuple[int, ...] = ()) -> list[HistoryDay]:
    """Days one after another, those of ``surge`` by their places; 9 expected, 20 an alarm."""
    return [
        HistoryDay("US", first + timedelta(n), count, 9.0, 20.0, is_surge=n in surge)
        for n, count in enumerate(counts)
    ]


def places_of(drawn: str, kind: str) -> list[tuple[float, float]]:
    """The points of a class, in their order."""
    points = ET.fromstring(drawn).iter("circle")  # noqa: S314 our own drawing
    return [
        (float(p.attrib["cx"]), float(p.attrib["cy"])) for p in points if p.get("class") == kind
    ]


def titles_of(drawn: str) -> list[str]:
    return [str(title.text) for title in ET.fromstring(drawn).iter("title")]  # noqa: S314


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("size", [SIZE, Size(358, 260, 4, is_narrow=True)])
@pytest.mark.parametrize("top", [0, 1, 2, 7, 99, 100, 14_858, 742_915])
def test_an_axis_has_a_few_round_numbers_inside_the_plot(
    top: int, size: Size, *, is_log: bool
) -> None:
    """Counts are whole; more is always higher."""
    scale, ticks = count_scale(size, ENGLISH, [top / 900, 0, top], is_log=is_log)
    values = [value for value, _ in ticks]
    assert 1 <= len(ticks) <= 8
    assert values == sorted(set(values))
    assert all(value == int(value) for value in values)
    heights = [scale.at(value) for value in (*values, max(top, values[-1]))]
    assert all(22 <= height <= size.bottom for height in heights)
    assert heights == sorted(heights, reverse=True)


def test_a_log_scale_shows_what_a_surge_hides() -> None:
    """A day of 10 lies apart from one of 20; both do at the bottom of a linear scale."""
    history = days_of(date(2016, 11, 1), [10, 20, 10, 20, 10, 20_000], surge=(5,))
    assert charts.hides_all_else(history)
    assert not charts.hides_all_else(history[:5])
    for is_log, least in ((False, 0), (True, 20)):
        drawn = charts.draw_history(history, [], SIZE, ENGLISH, is_log=is_log)
        low, high = (y for _, y in places_of(drawn, "usual")[:2])
        assert (low - high > 15) is is_log
        assert low - high >= least
    assert "2016-11-06: 20,000 sessions, expected 9" in titles_of(drawn)


def test_days_stand_under_their_weekday_and_missing_days_leave_a_gap() -> None:
    """2016-11-01 was a Tuesday: two Tuesdays at one side, Monday left of them."""
    history = days_of(date(2016, 11, 1), [5] * 8, surge=(7,))
    drawn = charts.draw_weekdays(history[:3] + history[6:], SIZE, ENGLISH)
    assert len(places_of(drawn, "usual")) == 4
    ((tuesday, _),) = places_of(drawn, "surge")
    usual = sorted(x for x, _ in places_of(drawn, "usual"))
    monday, first_tuesday = usual[:2]
    assert monday < first_tuesday < tuesday < usual[2]


def test_what_was_known_when_is_a_point_a_publication() -> None:
    """The later the higher; preliminary ones are rings, other numbers than before stand out."""
    day = date(2016, 11, 8)
    at = datetime(2016, 11, 9, 11, tzinfo=UTC)
    first = PublishedFigure(at, 2_000, None, 0.4, 2, 5, is_preliminary=True, reason="<b>", day=day)
    last = PublishedFigure(
        at + timedelta(2), 4_999, 2_000, 1.0, 5, 5, is_preliminary=False, reason="", day=day
    )
    drawn = known_charts.draw_known(days_of(day, [4_999]), [first, last], TORONTO, SIZE, ENGLISH)
    ((x, low),), ((same, high),) = places_of(drawn, "usual ring"), places_of(drawn, "surge")
    assert x == same
    assert high < low
    assert titles_of(drawn) == [
        "2016-11-08: 2,000 sessions, published 2016-11-09 06:00, preliminary with 2 of 5 sources",
        "2016-11-08: 4,999 sessions, published 2016-11-11 06:00",
    ]


@pytest.mark.parametrize("count", [1, 2, 200])
def test_a_history_of_any_length_can_be_drawn(count: int) -> None:
    """One day is a dot; a gap breaks the line; many days have no tooltips."""
    history = days_of(date(2016, 1, 1), list(range(count)))
    drawn = charts.draw_history([*history[:5], *history[6:]], [], SIZE, ENGLISH)
    assert drawn.count("<title>") == ({1: 1, 2: 2, 200: 0}[count])
    if count == 200:
        line = next(part for part in drawn.split("<path ") if 'class="observed"' in part)
        assert line.count("M") == 2


def test_a_share_is_written_alike_everywhere_and_never_as_all_when_it_is_less() -> None:
    """In the report as in a figure and an alert; rounded, two decimals below 0.1 %."""
    written = {0.5816: "58.2 %", 0.9996: "99.9 %", 1.0: "100.0 %", 0.0: "0.0 %", 0.0004: "0.04 %"}
    for share, text in written.items():
        assert write_share(share) == text
        assert ENGLISH.share(share) == text
        assert FRENCH.share(share) == text.replace(".", ",").replace(" ", "\N{NO-BREAK SPACE}")
