"""Old hits and rejects are deleted by a scheduler: see ``build.retention``."""

import logging
from datetime import datetime
from pathlib import Path

from pipeline.build.retention import (
    apply_retention,
    local_today,
    plan_retention,
    retention_settings,
)
from pipeline.lake.zone import open_lake
from pipeline.settings import Settings

log = logging.getLogger(__name__)


def list_old_days(settings: Settings, now: datetime) -> list[str]:
    """The days that ``delete_old_days`` would delete something of, each logged; a dry run."""
    if settings.hits_kept_days is None:  # nothing to do, even where there is no lake yet
        return []
    lake = open_lake(settings.lake)
    today = local_today(settings.timezone, lake, now)
    plan = plan_retention(lake, retention_settings(settings), today)
    for old in plan:
        log.info("%s: %d files of hits, %d of rejects, %d bytes", *old.row[:4])
    return [str(old.day) for old in plan]


def delete_old_days(settings: Settings, now: datetime) -> list[str]:
    """Delete what is older than is kept, within the guard; returns the days.

    In a store, what no commit needs any more goes, too.

    Raises:
        LakeError, SettingsError, DataError, StorageError: as ``apply_retention``.
    """
    if settings.hits_kept_days is None and isinstance(settings.lake, Path):
        return []
    lake = open_lake(settings.lake)
    today = local_today(settings.timezone, lake, now)
    deleted = apply_retention(lake, retention_settings(settings), today)
    with lake.lock():
        lake.store.list_garbage(delete=True)
    return [str(old.day) for old in deleted]
