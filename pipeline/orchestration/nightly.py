"""A night's steps: what ``tidegauge run`` does in one go and ``tidegauge_nightly`` task by task.

Each step takes the settings and small values, and returns small values (a scheduler keeps them).
Every step can be run again, and side by side with those of other days.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.alerts.figures import note_incomplete, note_restatements
from pipeline.alerts.outbox import deliver
from pipeline.alerts.services import alert_settings
from pipeline.alerts.surges import note_surges
from pipeline.build.build import build, build_settings
from pipeline.build.checks import check_days
from pipeline.build.completeness import list_expected
from pipeline.build.restatements import publish
from pipeline.days import check_day, morning_after
from pipeline.definitions import NO_COUNTRY
from pipeline.enrich.geo.databases import list_databases, list_networks, none_in
from pipeline.enrich.hits import DatabasesInForce
from pipeline.enrich.visitors import load_key
from pipeline.errors import DataError, PassingError, StoreError
from pipeline.ingest.discovery import Found, discover
from pipeline.ingest.ingested import Failed, Ingested, explain_overlap
from pipeline.ingest.maker import choose_zone, ingest_settings
from pipeline.ingest.sources import days_around, find_raw_files, list_places
from pipeline.ingest.unheeded import explain_unheeded
from pipeline.lake.lake import Lake
from pipeline.lake.table_files import read_table
from pipeline.lake.zone import Zone, find_zone, open_lake
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
_ASK_STORES = timedelta(minutes=5)


def find_files(  # noqa: PLR0913 what is looked for, and when
    settings: Settings,
    day: date,
    now: datetime,
    *,
    with_late: bool,
    arrived_by: datetime | None = None,
    awaited: Collection[str] = (),
) -> Found:
    """Find what to take in for a local day, and ``with_late`` of earlier days, too.

    With ``arrived_by`` only what was there at that instant. ``awaited``: see ``discover``.

    Raises:
        SettingsError: the day has not ended; the raw folder or the zone is wrong.
        LakeError: the lake is another zone's or key's.
        PassingError: nothing of the day is there.
        DataError: the folder can't be read.
        StoreError: nothing of the day is there, and a store is out of reach.
        GeoError: there is no database of addresses, or a damaged one.
    """
    check_day(day, now, find_own_zone(settings).info)
    found = search_files(settings, day, with_late=with_late, arrived_by=arrived_by, awaited=awaited)
    check_day(day, now, find_own_zone(settings).info)  # a new lake's is known only now
    return found


@dataclass(frozen=True)
class Awaited:
    """What a night waits for: a raw file that comes to one of the places, until an instant."""

    places: list[str]
    until: datetime


def find_all_files(settings: Settings, day: date, now: datetime) -> Found | Awaited:
    """Find what to take in, late files too, when all that is expected of the day is there.

    Or when it is ``files_due_by``: then the others make the day preliminary, and so does a store
    out of reach. Only this machine's folders can be watched; stores are asked now and then.

    Raises:
        As ``find_files``; that something is not there yet only when it is due.
    """
    zone = find_own_zone(settings).info
    due = now if settings.files_due_by is None else morning_after(day, settings.files_due_by, zone)
    if now >= due:
        found = find_files(settings, day, now, with_late=True)
        if settings.files_due_by is None:
            return found
        for error in found.unreached:
            log.warning("%s", error)
        return replace(found, unreached=())
    every = Lake(settings.lake).sums()
    there = {sums.source for sums in every if str(day) in sums.days}
    awaited = [name for name in list_expected(every, settings.sources, day) if name not in there]
    try:
        found = find_files(settings, day, now, with_late=True, awaited=awaited)
    except (PassingError, StoreError) as error:
        why = str(error)
    else:
        if not found.missing and not found.unreached:
            return found
        why = "; ".join([*map(str, found.unreached), *(f"no file of {n}" for n in found.missing)])
    log.warning("%s: %s; waiting until %s", day, escape(why), f"{due.astimezone(zone):%H:%M}")
    sources = ingest_settings(settings).sources
    is_remote = any(table.url for table in sources.tables)
    return Awaited(
        list_places(sources, days_around(day, with_late=False)),
        min(due, now + _ASK_STORES) if is_remote else due,
    )


def find_own_zone(settings: Settings) -> Zone:
    """The site's zone; another zone's or key's lake is refused before any work.

    Raises:
        LakeError: the lake is another zone's or key's.
    """
    lake = Lake(settings.lake)
    if lake.identity():
        build_settings(settings, lake)
    return find_zone(settings.timezone, lake)


def search_files(  # noqa: PLR0913 likewise
    settings: Settings,
    day: date,
    *,
    with_late: bool,
    arrived_by: datetime | None = None,
    may_be_empty: bool = False,
    awaited: Collection[str] = (),
) -> Found:
    """Find what to take in for a local day, whether it has ended or not; see ``find_files``.

    ``may_be_empty``: that there is nothing of the day yet is no error.
    """
    lake, zone = Lake(settings.lake), find_own_zone(settings)
    how = ingest_settings(settings)
    raw_files = find_raw_files(lake, how.sources, days_around(day, with_late=with_late))
    zone = choose_zone(zone, raw_files.files)
    databases = list_databases(settings.geo)
    places = DatabasesInForce(
        databases, settings.geo_provider, zone.info, list_networks(settings.geo)
    )
    found = discover(
        lake, raw_files, places, day,
        where=str(how.sources), with_late=with_late, arrived_by=arrived_by,
        limits=how.limits, may_be_empty=may_be_empty, awaited=awaited,
    )  # fmt: skip
    if found.files and settings.geo and not databases:
        raise none_in(settings.geo)
    if zone.is_new and found.files:  # for the tasks that follow
        lake.claim(zone.info.key, load_key(settings).fingerprint)
        log.warning("%s", zone.explain(settings.lake))
    for path, why in found.unread:
        log.warning("%s: %s", name_file(path), why)
    for path in found.refused:
        log.warning("%s: of a sealed day, not taken in: its figures stand", name_file(path))
    log.info("%s: %d files, %d to locate anew", day, len(found.files), len(found.again))
    return found


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
