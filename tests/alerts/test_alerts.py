"""Alerts, received by a web hook on loopback: each once, none of what is long past."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hooks import Hook

from pipeline.alerts.failures import Failure, announce_failure, announce_late
from pipeline.alerts.outbox import deliver
from pipeline.alerts.services import alert_settings
from pipeline.alerts.surges import Said, find_news, note_surges
from pipeline.definitions import DEMO_MARK
from pipeline.errors import AlertError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.lake.views import write_views
from pipeline.language import ENGLISH
from pipeline.report.facts import SurgeEpisode
from pipeline.settings import Settings, load_settings
from pipeline.tables import TABLES

TODAY = date(2016, 11, 20)


@pytest.fixture
def settings(tmp_path: Path, hook: Hook) -> Settings:
    """Return settings of a site whose alerts go to the hook."""
    return load_settings(lake=tmp_path / "lake", alert_urls=hook.url)


def surge(country: str, start: date, end: date) -> SurgeEpisode:
    """Make a surge of 100 sessions a day where 10 are expected."""
    days = (end - start).days + 1
    return SurgeEpisode(
        country=country, start_day=start, peak_day=start, end_day=end, days=days,
        observed=100 * days, expected=10.0 * days, excess=90.0 * days, peak_sessions=100,
        peak_ratio=10.0, is_open=False,
    )  # fmt: skip


def november(day: int) -> date:
    return date(2016, 11, day)


def write_lake(
    settings: Settings, last_day: date, *surges: SurgeEpisode, **days: Mapping[str, Any]
) -> None:
    """Write a lake of the two tables that alerts are made of; `d8=...` says more of the 8th."""
    lake = Lake(settings.lake)
    lake.claim("America/Toronto", "0" * 16)
    known = [last_day - timedelta(days=n) for n in range(20)]
    for table, rows in {
        "surges": [asdict(one) for one in surges],
        "days": [{"day": day, "sources": 1, **days.get(f"d{day.day}", {})} for day in known],
    }.items():
        path = lake.part_path(table)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, TABLES[table]), path)
    write_views(lake)


def tell(settings: Settings, day: date, today: date | None = None, *, asked: bool = False) -> None:
    """Announce as the run of `day` would on the morning after, or on another day."""
    today = today or day + timedelta(days=1)
    note_surges(alert_settings(settings), day, today, is_asked=asked)
    deliver(alert_settings(settings), today)


def test_a_surge_is_announced_when_it_opens_and_when_it_is_over_once_each(
    settings: Settings, hook: Hook
) -> None:
    """An episode may hold one quiet day, so it is over after two."""
    for day in range(8, 20):
        last = min(day, 16)
        write_lake(settings, november(day), surge("US", november(8), november(last)))
        tell(settings, november(day))
        tell(settings, november(day))
        assert len(hook.received) == (1 if day < 18 else 2)
    assert hook.titles == ["Surge from US since 2016-11-08", "Surge from US is over"]
    assert "100 sessions from US on 2016-11-08, 10.0 times" in hook.received[0]["body"]
    assert "It lasted 9 days, 2016-11-08 to 2016-11-16" in hook.received[1]["body"]


def test_an_alert_of_the_demo_says_that_it_is_simulated(settings: Settings, hook: Hook) -> None:
    """Whoever is woken by it shall not look for visitors."""
    assert isinstance(settings.lake, Path)
    settings.lake.with_name(DEMO_MARK).touch()
    write_lake(settings, november(10), surge("US", november(9), november(9)))
    tell(settings, november(10))
    assert hook.titles == ["Simulated: Surge from US since 2016-11-09"]


def test_an_alert_says_in_a_sentence_what_drove_the_surge(settings: Settings, hook: Hook) -> None:
    """A page's name steers nothing."""
    write_lake(settings, november(10), surge("US", november(9), november(9)))
    driver = {
        "country": "US", "start_day": november(9), "dimension": "entry page", "element": "/\x1b[1m",
        "is_other": False, "observed": 100, "expected": 10.0, "excess": 90.0, "share": 1.0,
        "rank": 1,
    }  # fmt: skip
    path = Lake(settings.lake).part_path("drivers")
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([driver], TABLES["drivers"]), path)
    write_views(Lake(settings.lake))
    tell(settings, november(10))
    (said,) = hook.received
    assert "more than usual came by entry page \u201c/\\x1b[1m\u201d (100.0 %," in said["body"]


def test_a_surge_is_not_over_while_the_days_after_it_lack_a_part(
    settings: Settings, hook: Hook
) -> None:
    """What one file brings of the 10th tells nothing; what is missing for a week is given up."""
    found = surge("US", november(7), november(8))
    for last, missing, count in ((10, (10,), 1), (11, (10, 11), 1), (17, range(9, 18), 2)):
        lacking: dict[str, Any] = {f"d{day}": {"is_preliminary": True} for day in missing}
        write_lake(settings, november(last), found, **lacking)
        tell(settings, november(last))
        assert len(hook.titles) == count
    assert hook.titles == ["Surge from US since 2016-11-07", "Surge from US is over"]


def test_a_surge_that_a_rebuild_dates_otherwise_is_the_same(settings: Settings, hook: Hook) -> None:
    write_lake(settings, november(10), surge("US", november(9), november(10)))
    tell(settings, november(10))
    write_lake(settings, november(11), surge("US", november(8), november(11)))
    tell(settings, november(11))
    assert hook.titles == ["Surge from US since 2016-11-09"]


def test_surges_of_two_countries_and_of_two_times_are_two(settings: Settings, hook: Hook) -> None:
    write_lake(
        settings, november(16), surge("US", november(10), november(11)),
        surge("CA", november(11), november(16)), surge("US", november(15), november(16)),
    )  # fmt: skip
    tell(settings, november(16))
    assert len(hook.received) == 1
    assert sorted(hook.titles[0].split("; ")) == [
        "Surge from CA since 2016-11-11", "Surge from US is over",
        "Surge from US since 2016-11-10", "Surge from US since 2016-11-15",
    ]  # fmt: skip


def test_countries_that_rise_alike_are_one_piece_of_news(settings: Settings, hook: Hook) -> None:
    """One when it opens, whoever joins it later, and one when it is over; none for each of them."""
    for last in range(9, 14):
        alike = [
            replace(
                surge(country, november(day), november(min(last, 11))), others_ratio=2.0 + day / 10
            )
            for country, day in (("CA", 9), ("US", 9), ("FR", 10))
            if day <= last
        ]
        write_lake(settings, november(last), *alike, surge("DE", november(9), november(9)))
        tell(settings, november(last))
    opened, _, closed = (one["body"] for one in hook.received)
    assert [sorted(title.split("; ")) for title in hook.titles] == [
        ["Surge from DE since 2016-11-09", "Surge from most countries alike since 2016-11-09"],
        ["Surge from DE is over"],
        ["Surge from most countries alike is over"],
    ]
    assert (
        "200 sessions of 2 countries on 9 November 2016, where 20 were expected. They rose alike,"
        " to 2.9 times what is expected of them"
    ) in opened
    assert "800 sessions of 3 countries from 9 to 11 November 2016, where 80 were" in closed


def test_a_backfill_of_old_days_is_silent_and_a_night_after_it_too(
    settings: Settings, hook: Hook
) -> None:
    write_lake(settings, november(16), surge("US", november(8), november(16)))
    tell(settings, november(16), date(2026, 11, 22))
    tell(settings, date(2026, 11, 21), date(2026, 11, 22))
    assert hook.titles == []


def test_a_backfill_that_was_asked_to_speaks_once(settings: Settings, hook: Hook) -> None:
    write_lake(settings, november(16), surge("US", november(8), november(16)))
    for _ in range(2):
        tell(settings, november(16), date(2026, 11, 22), asked=True)
    assert hook.titles == ["Surge from US since 2016-11-08"]


def test_an_alert_that_was_not_taken_is_sent_again(settings: Settings, hook: Hook) -> None:
    write_lake(settings, november(8), surge("US", november(8), november(8)))
    hook.is_down = True
    with pytest.raises(AlertError, match=r"were not taken by json://127.0.0.1:\d+ \(\w{8}\): "):
        tell(settings, november(8))
    hook.is_down = False
    tell(settings, november(8))
    assert hook.titles == ["Surge from US since 2016-11-08"]


def test_a_failed_day_is_announced_once_whatever_fails_after(
    settings: Settings, hook: Hook
) -> None:
    for step in ("discover", "ingest"):
        failure = Failure(november(19), step, "no raw file of 2016-11-19")
        announce_failure(alert_settings(settings), failure, TODAY, is_asked=False)
    old = Failure(november(1), "discover", "no raw file")
    announce_failure(alert_settings(settings), old, TODAY, is_asked=False)
    assert hook.titles == ["2016-11-19 failed in discover"]
    assert hook.received[0]["body"] == "no raw file of 2016-11-19"


def test_figures_that_are_late_are_said_once_and_published_ones_never(
    settings: Settings, hook: Hook
) -> None:
    write_lake(settings, november(19))
    path = Lake(settings.lake).part_path("restatements")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([{"day": november(18)}], TABLES["restatements"]), path)
    for day in (19, 19, 18, 1):
        announce_late(alert_settings(settings), november(day), "07:00", TODAY)
    assert hook.titles == ["2016-11-19 has no figures yet"]
    assert hook.received[0]["body"] == "They were due by 07:00."


def test_what_a_file_name_says_is_escaped(settings: Settings, hook: Hook) -> None:
    failure = Failure(november(19), "ingest", "\x1b[31mred\x1b[0m.log: cannot be read")
    announce_failure(alert_settings(settings), failure, TODAY, is_asked=False)
    assert "\x1b" not in hook.received[0]["body"]


def test_a_failure_is_announced_though_the_lake_can_not_remember_it(
    tmp_path: Path, hook: Hook
) -> None:
    (tmp_path / "lake").write_text("a file where the lake should be")
    settings = load_settings(lake=tmp_path / "lake", alert_urls=hook.url)
    announce_failure(
        alert_settings(settings), Failure(november(19), "build", "full"), TODAY, is_asked=False
    )
    assert hook.titles == ["2016-11-19 failed in build"]


def test_a_wrong_url_is_refused_without_showing_it(settings: Settings) -> None:
    wrong = settings.model_copy(
        update={"alert_urls": (*settings.alert_urls, *_secret("nosuch://me:pw@x"))}
    )
    with pytest.raises(SettingsError, match="number 2") as refused:
        announce_failure(
            alert_settings(wrong), Failure(november(19), "x", "y"), TODAY, is_asked=False
        )
    assert "pw" not in str(refused.value)


def _secret(url: str) -> Any:
    return load_settings(alert_urls=url).alert_urls


def test_nothing_is_remembered_of_what_was_old_when_first_seen() -> None:
    old = surge("US", november(1), november(2))
    assert find_news({old: ""}, november(20), [], november(13), ENGLISH) == ([], [])


def test_what_is_over_stays_over() -> None:
    said = [Said("US", "2016-11-08", "2016-11-16", is_closed=True)]
    found = {surge("US", november(8), november(16)): ""}
    assert find_news(found, november(17), said, november(10), ENGLISH) == ([], said)


def test_a_part_of_today_neither_opens_nor_ends_a_surge(settings: Settings, hook: Hook) -> None:
    """The watch has counted some hours of the 20th when the night tells of the 19th."""
    rows = (surge("CA", TODAY, TODAY), surge("US", november(10), november(18)))
    write_lake(settings, TODAY, *rows)
    tell(settings, november(19))
    assert hook.titles == ["Surge from US since 2016-11-10"]
    tell(settings, TODAY, november(21))
    assert hook.titles[1:] == ["Surge from CA since 2016-11-20; Surge from US is over"]


def test_a_surge_on_incomplete_days_is_told_as_at_least() -> None:
    """Opened and closed, with the reason; that of whole days says nothing of the kind."""
    found = surge("US", TODAY - timedelta(9), TODAY - timedelta(8))
    lacking = {replace(found, is_at_least=True): " The logs of its days are not complete."}
    (opened, closed), _ = find_news(lacking, TODAY, [], TODAY - timedelta(20), ENGLISH)
    assert opened.body.startswith(
        "At least 100 sessions from US on 2016-11-11, at least 10.0 times"
    )
    assert "(at least 100 sessions); at least 200 sessions in all" in closed.body
    for alert in (opened, closed):
        assert alert.body.endswith("The logs of its days are not complete.")
    whole, _ = find_news({found: ""}, TODAY, [], TODAY - timedelta(20), ENGLISH)
    assert not any("least" in alert.body for alert in whole)


@pytest.mark.parametrize(
    ("is_preliminary", "is_censored", "said"),
    [
        (True, False, "above the expected. The logs of its days are not complete."),
        (False, True, "above the expected. Visitors were turned away: of a day's requests (robots"),
        (True, True, "not complete. Visitors were turned away"),
    ],
)
def test_an_alert_says_which_cause_makes_a_size_at_least(
    settings: Settings, hook: Hook, *, is_preliminary: bool, is_censored: bool, said: str
) -> None:
    """Logs that are missing, visitors that were turned away, or both."""
    today = {"is_preliminary": is_preliminary, "is_censored": is_censored}
    found = replace(surge("US", TODAY, TODAY), is_at_least=True)
    write_lake(settings, TODAY, found, **{f"d{TODAY.day}": today})
    tell(settings, TODAY)
    body = hook.received[0]["body"]
    assert said in body
    assert ("not complete" in body) is is_preliminary
