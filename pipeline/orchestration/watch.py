"""The watch's steps, every hour: what ``tidegauge watch`` does in one go and the DAG task by task.

Like a night's (``nightly``), for a day that has not ended: what the servers have written so far
is taken in and counted, and its hours are compared. Its figures are never published.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.alerts.hours import note_hours
from pipeline.alerts.outbox import deliver
from pipeline.alerts.services import alert_settings
from pipeline.alerts.today import HourRow, read_day_so_far, watched_day
from pipeline.errors import DataError
from pipeline.ingest.discovery import Found
from pipeline.ingest.ingested import Ingested
from pipeline.ingest.maker import ingest_settings
from pipeline.lake.lake import Lake
from pipeline.lake.zone import find_zone, open_lake
from pipeline.orchestration.finding import find_own_zone, search_files
from pipeline.orchestration.jobs import Job, count_of, name_file, read_origins, read_paths
from pipeline.orchestration.nightly import refuse_failed
from pipeline.orchestration.read_files import read_files
from pipeline.raw.content import read_content, read_whole
from pipeline.raw.files import Origin
from pipeline.raw.opening import ReadLimits
from pipeline.settings import Settings

log = logging.getLogger(__name__)


def find_so_far(settings: Settings, now: datetime, *, is_replay: bool = False) -> Found:
    """Find today's raw files that are new or have grown; that there are none is no error.

    ``is_replay``: ``now`` is a moment of the past, at which files changed later were not there.

    Raises:
        SettingsError: the raw folder or the zone is wrong.
        LakeError: the lake is another zone's or key's.
        DataError: the folder can't be read.
        GeoError: there is no database of addresses, or a damaged one.
    """
    day = watched_day(now, find_own_zone(settings).info)
    found = search_files(
        settings, day, with_late=False, arrived_by=now if is_replay else None, may_be_empty=True
    )
    return replace(found, again=())  # locating anew is a night's work


def take_in_so_far(
    settings: Settings,
    paths: Sequence[Path],
    on_read: Callable[[int], None] = lambda _: None,
    origins: Mapping[Path, Origin] = MappingProxyType({}),
) -> Ingested:
    """Take live files in as they are; the next hour replaces what has grown.

    A file that is only half there is left to the next hour: an archive still being written, a
    file that was rotated away since it was found.

    Raises:
        DataError: some can't be read.
        GeoError: there is no database of addresses.
    """
    zone = find_zone(settings.timezone, Lake(settings.lake))
    result = read_files(settings, zone, paths, origins=origins, on_read=on_read)
    limits = ingest_settings(settings).limits
    unfinished = [one for one in result.failed if _is_unfinished(one.path, limits)]
    for one in unfinished:
        log.warning("%s: %s; the next hour tries again", name_file(one.path), one.why)
    refuse_failed([one for one in result.failed if one not in unfinished])
    return result


def _is_unfinished(path: Path, limits: ReadLimits) -> bool:
    with suppress(DataError):  # one that may not be read is no unfinished one
        _, content = read_whole(read_content(path, limits), lambda _: None)
        if content.damage:
            return True
    return not path.exists()


def take_job_in(settings: Settings, job: Job) -> dict[str, int | str]:
    """Take live files in; returns their name, lines and hits (0 when only half of one is there).

    Raises:
        DataError, GeoError: as ``take_in_so_far``.
    """
    result = take_in_so_far(settings, read_paths(job), origins=read_origins(job))
    return count_of(job, result.records)


def find_alarms(settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """Today's finished hours that are surges, as a scheduler keeps them; see ``HourRow``."""
    lake = open_lake(settings.lake)
    so_far = read_day_so_far(lake, find_zone(settings.timezone, lake).info, now)
    alarms = [row for row in so_far.rows if row.is_surge]
    log.info("%s: %d hours compared, %d surges", so_far.day, len(so_far.rows), len(alarms))
    return [asdict(row) | {"hour": row.hour.isoformat()} for row in alarms]


def note_alarms(settings: Settings, alarms: Iterable[dict[str, Any]], now: datetime) -> list[str]:
    """Write down the alerts of these hours that are new; returns their titles."""
    rows = [HourRow(**alarm | {"hour": datetime.fromisoformat(alarm["hour"])}) for alarm in alarms]
    return [
        alert.title for alert in note_hours(alert_settings(settings), rows, _today(settings, now))
    ]


def tell_alarms(settings: Settings, alarms: Iterable[dict[str, Any]], now: datetime) -> list[str]:
    """Note what is new, then send what is due; returns the titles of what is new.

    Raises:
        SettingsError, AlertError: as ``deliver``.
    """
    titles = note_alarms(settings, alarms, now)
    deliver(alert_settings(settings), _today(settings, now))
    return titles


def _today(settings: Settings, now: datetime) -> date:
    return now.astimezone(find_own_zone(settings).info).date()
