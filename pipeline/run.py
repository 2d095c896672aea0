"""The command ``run``: the steps of a night in one go, for one day or a span of days."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from pipeline.alerts import Failure, announce_failure
from pipeline.days import last_ended_day
from pipeline.discovery import Found
from pipeline.errors import DataError, SettingsError, TidegaugeError
from pipeline.lake import Lake
from pipeline.nightly import (
    build_stale,
    check_built,
    find_files,
    find_surges,
    take_in,
    tell,
    write_page,
)
from pipeline.options import ConfigOption, FromOption, GeoOption, LakeOption, ToOption, show_bytes
from pipeline.output import escape
from pipeline.raw_files import RawFiles
from pipeline.settings import Settings, load_settings
from pipeline.site import find_zone


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("run")(run)


def run(  # noqa: PLR0913 one parameter an option
    first: FromOption = None,
    last: ToOption = None,
    raw: Annotated[
        Path | None, typer.Option("--raw", help="Folder of raw logs.", show_default="./raw")
    ] = None,
    lake: LakeOption = None,
    geo: GeoOption = None,
    config: ConfigOption = None,
) -> None:
    """Take in the last day's raw logs and late ones, build, check, report, alert: a night's work.

    With --from and --to the raw logs of those days alone. What the Airflow DAG nightly does.

    For example:

    tidegauge run

    tidegauge run --from 2016-11-01 --to 2016-11-16 --raw ./raw
    """
    settings = load_settings(config, lake=lake, geo=geo, raw=raw)
    now = datetime.now(UTC)
    zone = find_zone(settings, Lake(settings.lake)).info
    with_late = first is None and last is None
    yesterday = last_ended_day(now, zone)
    days = _span(first or last or yesterday, last or first or yesterday)
    try:
        _run(settings, days, now, with_late=with_late)
    except TidegaugeError as error:
        failure = Failure(days[-1], "tidegauge run", str(error))
        announce_failure(settings, failure, now.astimezone(zone).date(), is_asked=False)
        raise


def _span(first: date, last: date) -> list[date]:
    start, end = (day.date() if isinstance(day, datetime) else day for day in (first, last))
    if end < start:
        raise SettingsError("--to", str(end), f"that is before --from {start}")
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def _run(settings: Settings, days: list[date], now: datetime, *, with_late: bool) -> None:
    found, missing = _find(settings, days, now, with_late=with_late)
    paths = found.files + found.again
    with show_bytes("ingesting", RawFiles(paths).raw_bytes) as (bar, task):
        result = take_in(
            settings, paths, found.again, lambda count: bar.update(task, advance=count)
        )
    rebuilt = build_stale(settings)
    find_surges(settings)
    told = [check_built(settings, day, rebuilt if day == days[-1] else ()) for day in days]
    today = now.astimezone(find_zone(settings, Lake(settings.lake)).info).date()
    alerts = tell(settings, days[-1], today, is_asked=False)
    print(f"files:  {len(result.added)} taken in, {len(result.known)} known")
    print(f"built:  {len(rebuilt)} days{f', {rebuilt[0]} to {rebuilt[-1]}' if rebuilt else ''}")
    for one in told:
        print(f"{one['day']}: {one['sessions']:,} sessions from {one['countries']} countries")
    print(f"report: {escape(write_page(settings))}")
    for title in alerts:
        print(f"alert:  {escape(title)}")
    if missing:
        raise DataError("; ".join(missing))


def _find(
    settings: Settings, days: list[date], now: datetime, *, with_late: bool
) -> tuple[Found, list[str]]:
    """What all the days need, and a sentence for each that has nothing."""
    files: dict[Path, None] = {}
    again: dict[Path, None] = {}
    missing: list[str] = []
    for day in days:
        try:
            found = find_files(settings, day, now, with_late=with_late)
        except DataError as error:
            missing.append(str(error))
            continue
        files |= dict.fromkeys(found.files)
        again |= dict.fromkeys(found.again)
    if len(missing) == len(days):
        raise DataError(missing[0])
    return Found(list(files), 0, [], list(again)), missing
