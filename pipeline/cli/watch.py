"""The commands ``now`` and ``watch``: today's finished hours, for who has to know tonight."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipeline.cli.options import (
    AsOfOption,
    CountryOption,
    RawOption,
    RowOptions,
    SiteOptions,
    read_country,
)
from pipeline.days import read_as_of
from pipeline.errors import StoreError
from pipeline.text import escape, say, write_days, write_number_of

if TYPE_CHECKING:
    from pipeline.alerts.failures import Failure
    from pipeline.alerts.today import DaySoFar
    from pipeline.settings import Settings

_COLUMNS = ["hour", "country", "sessions", "expected", "upper", "is_surge", "is_preliminary"]


def now_command(
    country: CountryOption = None,
    as_of: AsOfOption = None,
    *,
    output: RowOptions,
    site: SiteOptions,
) -> None:
    """Today's finished hours beside the same hours of earlier days. Only reads; see `watch`.

    Without --country those that surge, and the largest ten.

    For example:

    tidegauge now

    tidegauge now --country US --as-of 2016-11-08T23:10
    """
    from pipeline.alerts.today import choose_countries, read_day_so_far
    from pipeline.lake.zone import open_lake

    settings = site.settings()
    now = _clock(settings, as_of)
    so_far = read_day_so_far(open_lake(settings.lake), _zone(settings), now)
    wanted = {read_country(country)} if country else choose_countries(so_far.rows)
    _say_how_far(so_far)
    rows = [row for row in so_far.rows if row.country in wanted]
    output.print(
        _COLUMNS,
        [[getattr(row, name) for name in _COLUMNS] for row in rows],
        zone=_zone(settings),
    )


def watch_command(
    raw: RawOption = None,
    as_of: AsOfOption = None,
    *,
    site: SiteOptions,
) -> None:
    """Take in what the servers have written so far today, compare its hours, alert: an hour's work.

    With --as-of as if it were that moment: files changed later are not there yet, and hours that
    had not finished are not compared. What the Airflow DAG tidegauge_watch does.

    For example:

    tidegauge watch

    tidegauge watch --raw ./raw --as-of 2016-11-08T23:10
    """
    from pipeline.alerts.failures import Failure, failure_announced
    from pipeline.alerts.outbox import deliver
    from pipeline.alerts.services import alert_settings

    settings = site.settings(raw=raw)
    now = _clock(settings, as_of)
    today = now.astimezone(_zone(settings)).date()

    def failed(why: str) -> Failure:
        return Failure(today, "tidegauge watch", why, is_watch=True)

    alerts = alert_settings(settings)
    with failure_announced(alerts, failed, today):
        for problem in _watch(settings, now, is_replay=as_of is not None):
            raise problem
    deliver(alerts, today)


def _watch(settings: Settings, now: datetime, *, is_replay: bool) -> list[StoreError]:
    """An hour's work but the sending; returns the stores that were out of reach."""
    from pipeline.orchestration.nightly import build_stale
    from pipeline.orchestration.watch import (
        find_alarms,
        find_so_far,
        note_alarms,
        take_in_so_far,
    )
    from pipeline.progress import show_bytes
    from pipeline.raw.files import total_bytes

    found = find_so_far(settings, now, is_replay=is_replay)
    with show_bytes("ingesting", total_bytes(found.files)) as bar:
        result = take_in_so_far(settings, found.files, bar.advance, found.origins)
    rebuilt = build_stale(settings)
    alarms = find_alarms(settings, now)
    titles = note_alarms(settings, alarms, now)
    print(f"files:  {len(result.added)} taken in, {len(result.known)} known")
    print(f"built:  {write_days(rebuilt)}")
    for alarm in alarms:
        print(
            f"surge:  {escape(alarm['country'])}, {alarm['hour']}:"
            f" {write_number_of(alarm['sessions'], 'session')}, {alarm['expected']:,.0f} expected,"
            " preliminary"
        )
    for title in titles:
        print(f"alert:  {escape(title)}")
    return list(found.unreached)


def _clock(settings: Settings, as_of: str | None) -> datetime:
    present = datetime.now(UTC)
    return read_as_of(as_of, _zone(settings), present) if as_of else present


def _zone(settings: Settings) -> ZoneInfo:
    from pipeline.lake.lake import Lake
    from pipeline.lake.zone import find_zone

    return find_zone(settings.timezone, Lake(settings.lake)).info


def _say_how_far(so_far: DaySoFar) -> None:
    """Say on stderr how far the figures reach."""
    ends = ", ".join(
        f"{name} {at:%H:%M}" if at.date() == so_far.day else f"{name} {at:%Y-%m-%d %H:%M}"
        for name, at in so_far.lines_until.items()
    )
    say(f"{so_far.day}, preliminary: {f'lines until {ends}' if ends else 'no line yet'}")
    if so_far.rows and all(row.expected is None for row in so_far.rows):
        say("no history: fewer than three earlier days to compare with")
