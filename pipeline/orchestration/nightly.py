"""A night's steps: what ``tidegauge run`` does in one go and ``tidegauge_nightly`` task by task.

Each step takes the settings and small values, and returns small values (a scheduler keeps them).
Every step can be run again, and side by side with those of other days.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.alerts.figures import note_incomplete, note_restatements
from pipeline.alerts.outbox import deliver
from pipeline.alerts.services import alert_settings
from pipeline.alerts.surges import note_surges
from pipeline.build.build import build, build_settings
from pipeline.build.checks import check_days
from pipeline.build.restatements import publish
from pipeline.definitions import NO_COUNTRY
from pipeline.errors import DataError, PassingError
from pipeline.ingest.ingested import Failed, Ingested, explain_overlap
from pipeline.ingest.unheeded import explain_unheeded
from pipeline.lake.lake import Lake
from pipeline.lake.table_files import read_table
from pipeline.lake.zone import find_zone, open_lake
from pipeline.orchestration.jobs import (
    Job,
    count_of,
    name_file,
    read_again,
    read_origins,
    read_paths,
)
from pipeline.orchestration.read_files import read_files
from pipeline.raw.files import Origin
from pipeline.raw.holes import say_hole
from pipeline.report.accounting import report_settings
from pipeline.report.page import make_page
from pipeline.report.rendering import write_report
from pipeline.settings import Settings, engine_of
from pipeline.text import escape

log = logging.getLogger(__name__)


def take_in(
    settings: Settings,
    paths: Sequence[Path],
    again: Sequence[Path] = (),
    on_read: Callable[[int], None] = lambda _: None,
    origins: Mapping[Path, Origin] = MappingProxyType({}),
) -> Ingested:
    """Take raw files into the lake, those of ``again`` anew.

    Raises:
        DataError: some can't be read or are damaged; nothing of those is kept.
        GeoError: there is no database of addresses.
    """
    zone = find_zone(settings.timezone, Lake(settings.lake))
    result = read_files(settings, zone, paths, again=again, origins=origins, on_read=on_read)
    for path, doubt in result.ambiguous:
        log.warning("%s: %s", name_file(path), escape(doubt))
    for record in result.overlapping:
        log.warning("%s: %s", escape(record.name), explain_overlap(record))
    for record in result.added:
        if record.nul_bytes:
            log.warning("%s: %s", escape(record.name), say_hole(record.nul_bytes))
    for unheeded in explain_unheeded(result.added):
        log.warning("%s", unheeded)
    for path, why in result.unread:
        log.warning("%s: %s", name_file(path), escape(why))
    refuse_failed(result.failed)
    return result


def refuse_failed(failed: Sequence[Failed]) -> None:
    """Raise a ``DataError`` that names each file that failed, and why.

    It is a ``PassingError`` when another try may meet none of it.
    """
    if failed:
        kind = PassingError if all(one.is_passing for one in failed) else DataError
        raise kind("; ".join(f"{name_file(one.path)}: {escape(one.why)}" for one in failed))


def ingest_job(settings: Settings, job: Job) -> dict[str, int | str]:
    """Take raw files in; returns their name, lines, hits, rejected lines and local days.

    Raises:
        DataError, GeoError: as ``take_in``.
    """
    result = take_in(settings, read_paths(job), read_again(job), origins=read_origins(job))
    records = result.records
    return count_of(job, records) | {
        "rejected": sum(record.rejected for record in records),
        "days": ", ".join(sorted({day for record in records for day in record.days})),
    }


def build_stale(settings: Settings, jobs: Iterable[Job] = ()) -> list[str]:
    """Rebuild the stale days, and the tables over all days; returns the days.

    Files of ``jobs`` that nobody took in are taken in first.
    """
    take_in_lost(settings, jobs)
    lake = Lake(settings.lake)
    made_with = build_settings(settings, lake)
    return [str(day) for day in build(lake, made_with, engine=engine_of(settings))]


def take_in_lost(settings: Settings, jobs: Iterable[Job]) -> None:
    """Take files in that nobody took in: a scheduler may lose a task.

    Airflow does, when a run is cleared twice and its list of files was shorter in between.
    """
    lake = Lake(settings.lake)
    lake.recover()  # to what other machines took in
    origins: dict[Path, Origin] = {}
    left: list[Path] = []
    for job in jobs:
        origins |= read_origins(job)
        left += [path for path in read_paths(job) if lake.find_seen(path) is None]
    for path in left:
        log.warning("%s: its task was lost, taken in now", name_file(path))
    take_in(settings, left, origins=origins)


def check_built(settings: Settings, day: date, rebuilt: Iterable[str]) -> dict[str, Any]:
    """Check the day and those rebuilt; returns what others may schedule on.

    Returns:
        ``day``, the ``days`` rebuilt, and of the day its ``countries`` (with a session,
        known ones), ``sessions`` and ``hits`` (robots excluded).

    Raises:
        DataError: figures contradict each other.
    """
    lake = Lake(settings.lake)
    days = {day, *map(date.fromisoformat, rebuilt)}
    check_days(lake, days, build_settings(settings, lake))
    part = lake.part_path("daily", str(day))
    columns = ["country", "sessions", "hits"]
    rows = read_table(part, columns).to_pylist() if part.exists() else []
    return {
        "day": str(day),
        "days": sorted(map(str, days)),
        "countries": sum(row["sessions"] > 0 and row["country"] != NO_COUNTRY for row in rows),
        "sessions": sum(row["sessions"] for row in rows),
        "hits": sum(row["hits"] for row in rows),
    }


def write_page(
    settings: Settings, now: datetime, about: Collection[date], *, alone: bool = False
) -> str:
    """Publish the figures of ended days, write the report; returns its place.

    ``about``: the days that the run is about; ``alone``, of a backfill, publishes no others. The
    report goes to the place in settings and names the figures that were restated.
    """
    lake = Lake(settings.lake)
    publish(lake, now, build_settings(settings, lake), about, alone=alone)
    html = make_page(open_lake(settings.lake), report_settings(settings, datetime.now(UTC)))
    return str(write_report(html, settings.report))


def note_news(settings: Settings, day: date, today: date, *, is_asked: bool) -> list[str]:
    """Write down the alerts of a night that are new; returns their titles."""
    how = alert_settings(settings)
    return [
        alert.title
        for note in (note_surges, note_incomplete, note_restatements)
        for alert in note(how, day, today, is_asked=is_asked)
    ]


def tell(settings: Settings, day: date, today: date, *, is_asked: bool) -> list[str]:
    """Note what is new, then send each service all that is due to it as one message.

    Returns:
        The titles of what is new.

    Raises:
        SettingsError, AlertError: as ``deliver``.
    """
    titles = note_news(settings, day, today, is_asked=is_asked)
    deliver(alert_settings(settings), today)
    return titles
