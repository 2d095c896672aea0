"""The watch's alerts, received by a web hook on loopback: once a surge, seen every hour."""

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hooks import Hook
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alerts.hours import find_new_hours, note_hours, write_alert
from pipeline.alerts.outbox import deliver
from pipeline.alerts.services import alert_settings
from pipeline.alerts.today import HourRow
from pipeline.errors import AlertError
from pipeline.language import ENGLISH
from pipeline.settings import Settings, load_settings

TORONTO = ZoneInfo("America/Toronto")


@pytest.fixture
def settings(tmp_path: Path, hook: Hook) -> Settings:
    """Return settings of a site whose alerts go to the hook."""
    return load_settings(lake=tmp_path / "lake", alert_urls=hook.url)


def announce_hours(settings: Settings, alarms: list[HourRow]) -> None:
    """Announce what is new about hours as the watch does, on the day of the last."""
    note_hours(alert_settings(settings), alarms, alarms[-1].hour.date())
    deliver(alert_settings(settings), alarms[-1].hour.date())


def row(hour: int, country: str = "US", sessions: int = 61_000, day: int = 8) -> HourRow:
    """Make an hour of November that is a surge."""
    start = datetime(2016, 11, day, hour, tzinfo=TORONTO)
    return HourRow(start, country, sessions, 17_000.4, 45_000.0, is_surge=True)


def test_an_alert_names_the_hour_the_figures_and_that_they_are_preliminary(
    settings: Settings, hook: Hook
) -> None:
    announce_hours(settings, [row(21)])
    assert hook.received == [
        {
            "title": "tidegauge: Surge from US in the hour 2016-11-08 21:00-22:00",
            "body": "US: 61,000 sessions from 2016-11-08 21:00-22:00, 17,000 expected, preliminary",
        }
    ]


def test_the_next_hours_and_the_next_days_of_a_surge_say_nothing(
    settings: Settings, hook: Hook
) -> None:
    """Each hour finds all hours before it again; the storm goes on over midnight."""
    for until in (22, 23, 24):
        announce_hours(settings, [row(hour) for hour in range(21, until)])
    for day in (9, 10, 11):
        announce_hours(settings, [row(3, day=day)])
    assert len(hook.received) == 1


def test_a_surge_after_days_without_one_is_another(settings: Settings, hook: Hook) -> None:
    """Two days end an episode; the day between 8 and 10 does not."""
    for day in (8, 10, 13):
        announce_hours(settings, [row(21, day=day)])
    assert [one["title"][-22:-12] for one in hook.received] == ["2016-11-08", "2016-11-13"]


def test_countries_that_rise_together_are_one_message(settings: Settings, hook: Hook) -> None:
    """The largest excess comes first; one that follows an hour later is another message."""
    many = [row(21, f"{letter}X", 20_000 + ord(letter)) for letter in "ABCDEFGHIJKLMNOPQRSTUVW"]
    announce_hours(settings, many)
    announce_hours(settings, [*many, row(22, "US")])
    assert [one["title"] for one in hook.received] == [
        "tidegauge: Surge from WX, VX, UX and 20 more in the hour 2016-11-08 21:00-22:00",
        "tidegauge: Surge from US in the hour 2016-11-08 22:00-23:00",
    ]
    assert hook.received[0]["body"].splitlines()[-1] == "and 3 more countries"


def test_an_alert_that_was_not_taken_is_sent_again(settings: Settings, hook: Hook) -> None:
    hook.is_down = True
    with pytest.raises(AlertError):
        announce_hours(settings, [row(21)])
    hook.is_down = False
    for _ in range(2):
        announce_hours(settings, [row(21)])
    assert len(hook.received) == 1


def test_without_a_service_nothing_is_remembered(tmp_path: Path) -> None:
    settings = load_settings(lake=tmp_path / "lake")
    assert note_hours(alert_settings(settings), [row(21)], date(2016, 11, 8)) == []
    assert not (tmp_path / "lake" / "ledger" / "alerts").exists()


ALARMS = st.lists(st.tuples(st.integers(0, 40 * 24), st.sampled_from(["US", "GB", "NA"])))


@given(ALARMS)
def test_each_country_is_said_once_a_run_of_days(hours: list[tuple[int, str]]) -> None:
    """A country is told of again only when its last such hour lies three days back or more."""
    start = datetime(2016, 11, 1, tzinfo=TORONTO)
    said: dict[str, str] = {}
    last: dict[str, datetime] = {}
    for hour, country in sorted(hours):
        alarm = HourRow(
            start + timedelta(hours=hour), country, 100, 10.0, 30.0, is_surge=True
        )  # fmt: skip
        new, said = find_new_hours([alarm], said)
        before = last.get(country)
        is_new = before is None or (alarm.hour.date() - before.date()).days > 2
        assert bool(new) == is_new
        assert find_new_hours([alarm], said)[0] == []
        last[country] = alarm.hour


def test_a_country_without_history_of_its_own_is_written_as_expecting_none() -> None:
    alarm = HourRow(row(21).hour, "XK", 40, 0.071, 20.0, is_surge=True)
    said = write_alert([alarm], ENGLISH).body
    assert said.endswith("40 sessions from 2016-11-08 21:00-22:00, 0 expected, preliminary")
