"""Retention: hits and rejects older than ``hits_kept_days`` are deleted, the figures stay.

A day is sealed before it loses its hits, or those of the day before (its first hits may continue
that day's sessions): it can't be rebuilt as it was any more, so it never is, and a file that comes
late for it is refused. Sealed days lie before all others. Nothing else is ever deleted here.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.build.stale import SessionRules, session_rules, take_stock
from pipeline.days import ONE_DAY
from pipeline.errors import DataError, LakeError, SettingsError, StorageError
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import NO_DAY, FileRecord
from pipeline.lake.zone import zone_name
from pipeline.settings import Settings
from pipeline.text import write_number_of

log = logging.getLogger(__name__)

_TABLES = ("hits", "rejects", "ledger/whole")


@dataclass(frozen=True)
class OldDay:
    """What lies in the lake of one day that is older than is kept."""

    day: date
    hits: tuple[Path, ...]
    rejects: tuple[Path, ...]
    whole: tuple[Path, ...]
    """All hits of files of which some are dropped as duplicates."""
    size_bytes: int
    is_counted: bool
    """Whether the ledger has hits of it; else they are what a killed ingest left."""
    is_sealed: bool

    @property
    def row(self) -> tuple[date, int, int, int, bool]:
        """The day as ``COLUMNS``."""
        return self.day, len(self.hits), len(self.rejects), self.size_bytes, self.is_sealed


@dataclass(frozen=True)
class RetentionSettings:
    """How long hits and rejects are kept, and how many days may lose them at once."""

    kept_days: int | None
    """None: all are kept."""
    max_days: int
    rules: SessionRules
    """By which a day that is to be sealed must have been built."""
    timezone: str | None

    def cutoff(self, today: date) -> date | None:
        """The first day whose hits are kept; None when all are."""
        return None if self.kept_days is None else today - timedelta(days=self.kept_days)


def retention_settings(settings: Settings) -> RetentionSettings:
    """What retention depends on."""
    return RetentionSettings(
        settings.hits_kept_days,
        settings.retention_max_days,
        session_rules(settings),
        settings.timezone,
    )


def local_today(timezone: str | None, lake: Lake, now: datetime) -> date:
    """The date at the aware instant ``now`` in the site's zone.

    Raises:
        LakeError: the zone that is set is not the lake's.
    """
    zone = zone_name(timezone, lake)
    lake.claim(zone, lake.identity()["visitor_key"])  # the zone alone matters: any key is right
    return now.astimezone(ZoneInfo(zone)).date()


def plan_retention(lake: Lake, how: RetentionSettings, today: date) -> list[OldDay]:
    """List what ``apply_retention`` would delete on the local date ``today``, in order of days.

    An old day that is not sealed is listed even when its hits are gone already.

    Raises:
        LakeError: a day's folder is a link: what it leads to is not the lake's.
    """
    cutoff = how.cutoff(today)
    if cutoff is None:
        return []
    sealed = lake.sealed()
    counted = {date.fromisoformat(day) for its in lake.sums() for day in its.days}
    hits, rejects, whole = (_list_old(lake.root / table, cutoff) for table in _TABLES)
    if NO_DAY in rejects:
        its = lake.find_all(path.stem for path in rejects[NO_DAY]).values()
        young = _young_without_hits(its, cutoff, ZoneInfo(zone_name(how.timezone, lake)))
        rejects[NO_DAY] = [path for path in rejects[NO_DAY] if path.stem not in young]
    unsealed = {day for day in counted if day < cutoff and str(day) not in sealed}
    found = [
        OldDay(
            day,
            tuple(hits.get(day, ())),
            tuple(rejects.get(day, ())),
            tuple(whole.get(day, ())),
            sum(p.stat().st_size for table in (hits, rejects, whole) for p in table.get(day, ())),
            is_counted=day in counted,
            is_sealed=str(day) in sealed,
        )
        for day in sorted(hits.keys() | rejects.keys() | whole.keys() | unsealed)
    ]
    return [old for old in found if old.size_bytes or old.day in unsealed]


def days_to_seal(plan: Iterable[OldDay]) -> list[date]:
    """The days that can't be rebuilt once ``plan`` is done: its own, and the one after the last.

    That one is sealed whether or not the lake has it yet, and keeps its hits for now.
    """
    days = sorted(old.day for old in plan if old.is_counted)
    return days + [day + ONE_DAY for day in days[-1:]]


def check_plan(lake: Lake, how: RetentionSettings, plan: Sequence[OldDay]) -> None:
    """Refuse to delete more days at once than intended, or days whose figures are not final.

    Raises:
        SettingsError: more than ``retention_max_days`` days would lose their hits. Those before
            the last sealed day don't count: an earlier run was allowed to delete them.
        DataError: a day that would be sealed is stale or was never built.
    """
    last = max(lake.sealed(), default="")
    days = [old.day for old in plan if old.hits and not (old.is_sealed and str(old.day) < last)]
    if len(days) > how.max_days:
        raise SettingsError(
            "retention_max_days",
            how.max_days,
            f"hits of {write_number_of(len(days), 'day')} would be deleted, {days[0]} to"
            f" {days[-1]}; when that is intended, set it higher",
            options=f", or `tidegauge retention --delete --max-days {len(days)}` does it once",
        )
    sealing = set(days_to_seal(plan))
    stale = [day for day in take_stock(lake, how.rules).stale if day in sealing]
    if stale:
        raise DataError(
            f"lake {lake.name}: {len(stale)} of the days that would be sealed are stale or were"
            f" never built, {stale[0]} to {stale[-1]}; run `tidegauge build` first"
        )


def apply_retention(lake: Lake, how: RetentionSettings, today: date) -> list[OldDay]:
    """Seal the days that can't be rebuilt from then on, then delete what ``plan_retention`` lists.

    What a run that was interrupted left is deleted by the next. Returns what was deleted.

    Raises:
        LakeError, SettingsError, DataError: as ``plan_retention`` and ``check_plan``; nothing is
            sealed or deleted then.
        StorageError: something can't be deleted; the next run tries again.
    """
    started = time.monotonic()
    if how.kept_days is None:
        return []
    with lake.lock("build"), lake.lock():
        plan = plan_retention(lake, how, today)
        check_plan(lake, how, plan)
        seal_days(lake, days_to_seal(plan))
        delete_days(lake, plan)
        _delete_line_hashes(lake)
        from pipeline.lake.views import write_views  # noqa: PLC0415 Arrow is not for a list

        write_views(lake)  # the hits may all be gone, and the sealed days stand in them
    log.info(
        "retention deleted %d bytes of %d days in %d ms",
        sum(old.size_bytes for old in plan), len(plan), round((time.monotonic() - started) * 1000),
    )  # fmt: skip
    return plan


def seal_days(lake: Lake, days: Iterable[date]) -> None:
    """Seal days from now on; the caller holds the locks ``build`` and ``commit``."""
    if texts := [str(day) for day in days]:
        lake.seal(texts, datetime.now(UTC).isoformat(timespec="seconds"))


def delete_days(lake: Lake, plan: Iterable[OldDay]) -> None:
    """Delete what is listed, each day's hits and each day's rejects at one stroke for readers.

    The caller holds the locks ``build`` and ``commit``.

    Raises:
        StorageError: something can't be deleted.
    """
    for old in plan:
        try:
            lake.delete([*old.hits, *old.rejects, *old.whole])
        except OSError as error:
            raise StorageError(
                f"lake {lake.name}: hits and rejects of {old.day} can't be deleted:"
                f" {error.strerror or error}; the next run tries again"
            ) from error


def _delete_line_hashes(lake: Lake) -> None:
    """Delete what tells what files share, of those whose every day is sealed: none can come."""
    folder, sealed = lake.ledger / "lines", lake.sealed()
    packed = [day for day in sorted(sealed) if (folder / f"day={day}").is_dir()]
    large = [path.stem for path in folder.glob("*.npy")]
    if not packed and not large:
        return
    import pyarrow as pa  # noqa: PLC0415 not for a list
    import pyarrow.compute as pc  # noqa: PLC0415 it, too

    days = pa.array(map(date.fromisoformat, packed), pa.date32())
    is_packed = pc.field("day").isin(days) & pc.field("lies_in").is_valid()
    keys = lake.records(("file_key", "day", "lies_in"), which=is_packed)["file_key"].to_pylist()
    are_sealed: dict[Path, bool] = {}
    for record in lake.find_all([*keys, *large]).values():
        path = lake.lines_path(record)
        is_sealed = bool(record.read_days) and sealed.issuperset(record.read_days)
        are_sealed[path] = are_sealed.get(path, True) and is_sealed and record.is_live
    lake.delete([path for path, are in are_sealed.items() if are and path.exists()])


def _list_old(folder: Path, cutoff: date) -> dict[date, list[Path]]:
    """The files of each day before ``cutoff`` in a table's folder."""
    found = {}
    for path in folder.glob("day=*"):
        day = _day_of(path)
        if day is None or day >= cutoff or not path.is_dir():
            continue
        if path.is_symlink():
            raise LakeError(f"{path} is a link: retention deletes only what lies in the lake")
        found[day] = sorted(path.iterdir())
    return found


def _day_of(folder: Path) -> date | None:
    with suppress(ValueError):
        day = date.fromisoformat(folder.name.removeprefix("day="))
        return day if folder.name == f"day={day}" else None
    return None


def _young_without_hits(records: Iterable[FileRecord], cutoff: date, zone: ZoneInfo) -> set[str]:
    """Files without any hit that were taken in from ``cutoff`` on: their rejects are kept."""
    return {
        record.file_key
        for record in records
        if record.is_live
        and not record.hits
        and datetime.fromisoformat(record.ingested_at).astimezone(zone).date() >= cutoff
    }
