"""The command ``run``: the steps of a night in one go, for one day or a span of days."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.options import (
    AsOfOption,
    FromOption,
    MasterOption,
    RawOption,
    SiteOptions,
    ToOption,
    WorkersOption,
)
from pipeline.days import last_ended_day, read_as_of
from pipeline.errors import DataError, SettingsError, StoreError, TidegaugeError
from pipeline.text import escape, write_countries, write_days, write_number_of

if TYPE_CHECKING:
    from pipeline.ingest.discovery import Found
    from pipeline.raw.files import Origin
    from pipeline.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Night:
    """What one run is about, and when it is."""

    days: list[date]
    now: datetime
    with_late: bool
    arrived_by: datetime | None
    """Raw files that were changed later are not there; None: all that are there."""


def run(  # noqa: PLR0913 one parameter an option
    first: FromOption = None,
    last: ToOption = None,
    raw: RawOption = None,
    as_of: AsOfOption = None,
    workers: WorkersOption = None,
    master: MasterOption = None,
    *,
    site: SiteOptions,
) -> None:
    """Take in the last day's raw logs and late ones, build, check, report, alert: a night's work.

    With --from and --to the raw logs of those days alone. With --as-of as if it were that time:
    yesterday is the day before, and a raw file changed since is not there yet. What the Airflow
    DAG tidegauge_nightly does.

    For example:

    tidegauge run

    tidegauge run --from 2016-11-01 --to 2016-11-16 --raw ./raw

    tidegauge run --as-of 2016-11-09T06:00
    """
    from pipeline.alerts.failures import Failure, failure_announced
    from pipeline.alerts.outbox import deliver
    from pipeline.alerts.services import alert_settings
    from pipeline.lake.lake import Lake
    from pipeline.lake.zone import find_zone

    settings = site.settings(raw=raw, workers=workers, spark_master=master)
    zone = find_zone(settings.timezone, Lake(settings.lake)).info
    present = datetime.now(UTC)
    now = read_as_of(as_of, zone, present) if as_of else present
    with_late = first is None and last is None
    yesterday = last_ended_day(now, zone)
    days = _span(first or last or yesterday, last or first or yesterday)
    night = Night(days, now, with_late=with_late, arrived_by=now if as_of else None)
    today = now.astimezone(zone).date()
    alerts = alert_settings(settings)
    with failure_announced(alerts, lambda why: Failure(days[-1], "tidegauge run", why), today):
        for problem in _run(settings, night, today):
            raise problem
    deliver(alerts, today)


def _span(first: date, last: date) -> list[date]:
    start, end = (day.date() if isinstance(day, datetime) else day for day in (first, last))
    if end < start:
        raise SettingsError("--to", str(end), f"that is before --from {start}")
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def _run(settings: Settings, night: Night, today: date) -> list[TidegaugeError]:
    """A night's work but the sending; returns what kept it from being whole."""
    from pipeline.orchestration.nightly import (
        build_stale,
        check_built,
        note_news,
        take_in,
        write_page,
    )
    from pipeline.progress import show_bytes
    from pipeline.raw.files import total_bytes

    days, now = night.days, night.now
    found, missing = _find(settings, night)
    paths = found.files + found.again
    with show_bytes("ingesting", total_bytes(paths)) as bar:
        result = take_in(settings, paths, found.again, bar.advance, found.origins)
    rebuilt = build_stale(settings)
    told = [check_built(settings, day, rebuilt if day == days[-1] else ()) for day in days]
    page = write_page(settings, now, days)
    alerts = note_news(settings, days[-1], today, is_asked=False)
    not_yet = f", {found.not_yet} not there yet" if night.arrived_by else ""
    print(f"files:  {len(result.added)} taken in, {len(result.known)} known{not_yet}")
    print(f"built:  {write_days(rebuilt)}")
    for one in told:
        sessions = write_number_of(one["sessions"], "session")
        countries = write_countries(one["countries"])
        print(f"{one['day']}: {sessions} from {countries}")
    print(f"report: {escape(page)}")
    for title in alerts:
        print(f"alert:  {escape(title)}")
    return [*found.unreached, *([DataError("; ".join(missing))] if missing else [])]


def _find(settings: Settings, night: Night) -> tuple[Found, list[str]]:
    """What all the days need, and a sentence for each that has nothing."""
    from pipeline.ingest.discovery import Found
    from pipeline.orchestration.finding import find_files

    files: dict[Path, None] = {}
    again: dict[Path, None] = {}
    origins: dict[Path, Origin] = {}
    missing: list[TidegaugeError] = []
    unreached: dict[str, StoreError] = {}
    not_yet = 0
    for day in night.days:
        try:
            found = find_files(
                settings, day, night.now, with_late=night.with_late, arrived_by=night.arrived_by
            )
        except (DataError, StoreError) as error:
            missing.append(error)
            continue
        files |= dict.fromkeys(found.files)
        again |= dict.fromkeys(found.again)
        origins |= found.origins
        unreached |= {error.key: error for error in found.unreached}
        not_yet = found.not_yet
    if len(missing) == len(night.days):
        raise missing[0]
    if not_yet:
        log.info("%d raw files are not there yet at %s", not_yet, night.arrived_by)
    found = Found(
        tuple(files), (), tuple(again), not_yet,
        origins=origins, unreached=tuple(unreached.values()),
    )  # fmt: skip
    return found, [str(error) for error in missing]
