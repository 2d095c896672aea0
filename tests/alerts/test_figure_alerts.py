"""Alerts about published figures, received by a web hook: each said once, none of what is old."""

from datetime import date
from pathlib import Path

import pytest
from hooks import Hook
from pydantic import SecretStr
from restated_lakes import COMPLETE, ELEVENTH, LATE, NINTH, PRELIMINARY, Publisher

from pipeline.alerts.figures import note_incomplete, note_restatements
from pipeline.alerts.outbox import deliver
from pipeline.alerts.services import alert_settings
from pipeline.errors import AlertError
from pipeline.orchestration.nightly import tell
from pipeline.settings import Settings

EIGHTH, TENTH = date(2016, 11, 8), date(2016, 11, 10)
TODAY = date(2016, 11, 11)


@pytest.fixture
def site(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)


def settings_of(site: Publisher, hook: Hook, **changes: object) -> Settings:
    urls = {"alert_urls": (SecretStr(hook.url),)}
    return site.settings.model_copy(update=urls | changes)


def announce(settings: Settings, day: date = TENTH, today: date = TODAY) -> None:
    note_restatements(alert_settings(settings), day, today, is_asked=False)
    deliver(alert_settings(settings), today)


def test_a_large_restatement_is_announced_once(site: Publisher, hook: Hook) -> None:
    """However often the night is retried; small countries are not listed."""
    site.restate_election_night()
    settings = settings_of(site, hook)
    for _ in range(3):
        announce(settings)
    assert hook.titles == ["Figures of 2016-11-08 were restated"]
    assert hook.received[0]["body"] == (
        f"Sessions: all countries 130 to 311 (+139.2 %), US 100 to 250 (+150.0 %). Why: {LATE}."
    )


@pytest.mark.large
def test_a_refused_alert_is_sent_again(site: Publisher, hook: Hook) -> None:
    site.restate_election_night()
    settings = settings_of(site, hook)
    hook.is_down = True
    with pytest.raises(AlertError):
        announce(settings)
    hook.is_down = False
    announce(settings)
    announce(settings)
    assert len(hook.titles) == 1


@pytest.mark.large
def test_a_first_value_and_a_small_change_are_no_news(site: Publisher, hook: Hook) -> None:
    """5 % of 200 is 10: no more than the setting allows; a further session is."""
    site.deliver("web01.log", US=200)
    site.build()
    site.publish(NINTH)
    settings = settings_of(site, hook)
    announce(settings)
    site.deliver("web02.log", US=10)
    site.build()
    site.publish(ELEVENTH)
    announce(settings)
    assert hook.titles == []
    announce(settings.model_copy(update={"restatement_alert_share": 0.04}))
    assert len(hook.titles) == 1


@pytest.mark.large
def test_a_figure_that_creeps_is_announced_when_it_has_moved_far(
    site: Publisher, hook: Hook
) -> None:
    """Twice 4 %; after that it is measured from there."""
    site.deliver("web00.log", US=200)
    site.build()
    site.publish(NINTH)
    settings = settings_of(site, hook)
    told = []
    for number in range(1, 4):
        site.deliver(f"web0{number}.log", US=8)
        site.build()
        site.publish(f"2016-11-1{number}T00:00:00Z")
        announce(settings)
        told.append(len(hook.titles))
    assert told == [0, 1, 1]


@pytest.mark.large
def test_a_country_of_few_sessions_raises_no_alert(site: Publisher, hook: Hook) -> None:
    """3 to 6 is 100 %, and 1.5 % of the total."""
    site.deliver("web01.log", US=200, FR=3)
    site.build()
    site.publish(NINTH)
    site.deliver("web02.log", FR=3)
    site.build()
    site.publish(ELEVENTH)
    announce(settings_of(site, hook))
    assert hook.titles == []


@pytest.mark.large
def test_old_days_are_silent_unless_asked_for(site: Publisher, hook: Hook) -> None:
    site.restate_election_night()
    settings = settings_of(site, hook)
    announce(settings, EIGHTH, date(2026, 11, 22))
    announce(settings, date(2026, 11, 21), date(2026, 11, 22))
    assert hook.titles == []
    for _ in range(2):
        note_restatements(alert_settings(settings), EIGHTH, date(2026, 11, 22), is_asked=True)
        deliver(alert_settings(settings), date(2026, 11, 22))
    assert len(hook.titles) == 1


@pytest.mark.large
def test_an_incomplete_day_is_announced_once(site: Publisher, hook: Hook) -> None:
    """Not those complete, unknown or unpublished, nor today; and with why."""
    for day in (6, 7, 8, 9, 11):
        site.deliver(f"web01-{day}.log", day=day, US=3)
    site.build(d6=PRELIMINARY, d7=COMPLETE, d8=PRELIMINARY, d11=PRELIMINARY)
    site.publish("2016-11-12T06:00:00Z", about=[7, 8, 9, 11])
    settings = settings_of(site, hook)
    for _ in range(2):
        note_incomplete(alert_settings(settings), TENTH, TODAY, is_asked=False)
        deliver(alert_settings(settings), TODAY)
    assert hook.titles == ["2016-11-08 is incomplete"]
    assert hook.received[0]["body"] == (
        "Logs of 2 of 5 sources are in (40.0 % of what was expected): its figures are"
        " preliminary. Why: no log of web03, web04, web05."
    )
    note_incomplete(
        alert_settings(settings), date(2026, 11, 21), date(2026, 11, 22), is_asked=False
    )
    deliver(alert_settings(settings), date(2026, 11, 22))
    assert len(hook.titles) == 1


@pytest.mark.large
def test_hostile_names_are_escaped_in_alerts(site: Publisher, hook: Hook) -> None:
    evil = "\x1b[31m\u202ered.log"
    site.deliver("web01.log", US=200)
    site.build(d8=PRELIMINARY | {"reasons": [f"no {evil}"]})
    site.publish(NINTH)
    site.deliver(evil, US=200)
    site.build(d8=PRELIMINARY | {"reasons": [f"no {evil}"]})
    site.publish(ELEVENTH)
    settings = settings_of(site, hook)
    announce(settings)
    note_incomplete(alert_settings(settings), TENTH, TODAY, is_asked=False)
    deliver(alert_settings(settings), TODAY)
    assert len(hook.received) == 2
    for said in hook.received:
        assert "\\x1b[31m\\u202ered.log" in said["body"]
        assert "\x1b" not in said["body"]


@pytest.mark.large
def test_a_night_tells_all_of_it_once(site: Publisher, hook: Hook) -> None:
    """What the DAG and `run` call: surges, incomplete days, restatements."""
    site.restate_election_night()
    site.deliver("web01-9.log", day=9, US=5)
    site.build(d8=COMPLETE, d9=PRELIMINARY)
    site.publish(ELEVENTH, about=[9])
    settings = settings_of(site, hook)
    assert tell(settings, TENTH, TODAY, is_asked=False) == [
        "2016-11-09 is incomplete", "Figures of 2016-11-08 were restated"
    ]  # fmt: skip
    assert hook.titles == ["2016-11-09 is incomplete; Figures of 2016-11-08 were restated"]
    assert tell(settings, TENTH, TODAY, is_asked=False) == []
