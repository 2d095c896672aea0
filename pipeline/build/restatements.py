"""Every figure ever published: its first value, each later one, when, why, how complete it was.

``publish`` adds to the table ``restatements``; nothing in it is ever changed or removed. It
records what happened and when, like the ledger, and so is no pure function of the raw files.
"""

import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipeline.build.batch import BuildSettings
from pipeline.build.build import refresh_tables, shown_days
from pipeline.build.built import (
    PartsOfDays,
    name_published,
    published_path,
    put_published,
    read_built,
)
from pipeline.build.causes import FileNames, compare_parts
from pipeline.days import day_start
from pipeline.lake.change import Change
from pipeline.lake.database import connect_reader
from pipeline.lake.day_files import read_partitions
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json
from pipeline.lake.sql import read_model
from pipeline.lake.storage import storage_named
from pipeline.lake.table_files import read_table, write_table
from pipeline.tables import RESTATEMENTS
from pipeline.text import keep

log = logging.getLogger(__name__)

COMPLETENESS = ("sources", "sources_expected", "share", "is_preliminary")
"""What of ``days`` is published beside a figure."""
_IN_DAYS = {"sources": "sources_whole"}
_ORDER = [("day", "ascending"), ("country", "ascending"), ("published_at", "ascending")]


@dataclass(frozen=True)
class _Mark:
    """What a day was published from; of one that is gone from the lake, nothing."""

    parts: str | None = None
    """The fingerprint of what it was counted from; None also when the ledger has lost it."""
    completeness: str = ""
    """How complete it was, as a hash."""


_GONE = _Mark()


@dataclass(frozen=True)
class Restated:
    """A figure whose number of sessions was published anew."""

    day: date
    country: str
    published_at: datetime
    sessions: int
    previous_sessions: int
    reason: str


def publish(
    lake: Lake,
    now: datetime,
    settings: BuildSettings,
    about: Collection[date] = (),
    *,
    alone: bool = False,
) -> list[Restated]:
    """Publish the figures of days that have ended, where a number or the completeness is new.

    A day is published when a run is about it, when all that is expected of it is there, or when it
    was published before: what one file brings of a neighbouring day is no figure yet. Publishing
    again with nothing changed writes nothing. A country that a rebuilt day no longer has is
    restated to 0, and so are all of a day that is no longer in the lake.

    Args:
        lake: one whose days are built; its tables are made anew where they lag behind.
        now: aware; figures of days that end later are not published. ``published_at`` is this,
            in whole seconds, or a second after the day's last publication when that is later.
        settings: what the tables are made with.
        about: the days that the run is about.
        alone: of a backfill, which works on several days at once: of other days the lake may have
            half the files. Only ``about`` is looked at, and the day after when it was published
            before: its first sessions may have begun on this one.

    Returns:
        The figures that had another number before.

    Raises:
        StorageError: the disk is full or can't be written; the next publication makes up for it.
    """
    with lake.lock("build"), storage_named(lake.store.disk, "the next run publishes what is due"):
        refresh_tables(lake, settings)
        built = read_built(lake)
        known, asked = _read_marks(lake), {str(day) for day in about}
        shown = set(shown_days(lake, built))
        gone = dict.fromkeys(known.keys() - shown, _GONE)
        if alone:
            after = {str(day + timedelta(days=1)) for day in about}
            shown, gone = shown & (asked | after & known.keys()), {}
        due = _find_due(lake, shown, asked | known.keys(), now)
        marks = {
            day: _Mark(built[day].parts if day in built else None, completeness)
            for day, completeness in due.items()
        }
        return _publish(lake, marks | gone, known, now)


def _publish(
    lake: Lake, marks: Mapping[str, _Mark], known: Mapping[str, _Mark], now: datetime
) -> list[Restated]:
    """Publish what differs from what is known of the days; the tables are current."""
    changed = {day: mark for day, mark in marks.items() if known.get(day) != mark}
    if not changed:
        return []
    names, parts = FileNames(lake), PartsOfDays(lake)
    reasons = {
        day: _write_reason(day, known.get(day), mark, parts, names) for day, mark in changed.items()
    }
    counted = sorted(day for day, mark in changed.items() if mark != _GONE)
    with lake.staging() as staging:
        change = Change(lake, staging)
        added = _add_rows(change, reasons, counted, now)
        then = {day: asdict(mark) for day, mark in {**known, **changed}.items()}
        put_published(change, then)
        change.put()
    restated = [_restated(row) for row in added if row["previous_sessions"] is not None]
    restated = [one for one in restated if one.sessions != one.previous_sessions]
    log.info("published %d values, %d restated", len(added), len(restated))
    return restated


def _read_marks(lake: Lake) -> dict[str, _Mark]:
    """What each day was published from, the last time."""
    if not lake.part_path("restatements").exists():
        return {}
    return {
        day: _Mark(name_published(mark), mark["completeness"])
        for day, mark in read_json(published_path(lake)).items()
    }


def _find_due(
    lake: Lake, shown: Iterable[str], asked: Collection[str], now: datetime
) -> dict[str, str]:
    """The ended days that are ``asked`` for or lack nothing, and how complete each is, hashed."""
    zone = ZoneInfo(lake.identity()["timezone"])
    rows = {str(row["day"]): row for row in read_completeness(lake).to_pylist()}

    def is_due(day: str) -> bool:
        has_ended = day_start(date.fromisoformat(day) + timedelta(days=1), zone) <= now
        return has_ended and (day in asked or (day in rows and not rows[day]["is_preliminary"]))

    return {day: _hash(rows.get(day)) for day in filter(is_due, shown)}


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write_reason(
    day: str, known: _Mark | None, mark: _Mark, parts: PartsOfDays, names: FileNames
) -> str:
    """Why the day differs from what was published, however often it was built in between.

    What came to the days beside it is told only when nothing came to the day itself.
    """
    if mark == _GONE:
        return keep("all raw files of the day were taken out of the lake")
    again = keep("counted again")
    if known is None:
        return again
    if mark.parts and mark.parts == known.parts:
        return keep("how complete the day is was judged again")
    now = parts.find(day, mark.parts)
    before = now and now | {"files": {}} if known == _GONE else parts.find(day, known.parts)
    if now is None or before is None:
        return again
    causes = list(compare_parts(before, now, names))
    own = [cause for cause in causes if not cause.is_beside]
    return "; ".join(cause.text for cause in own or causes) or again


def read_completeness(lake: Lake) -> pa.Table:
    """How complete each day is: ``day`` and the columns of ``COMPLETENESS``.

    ``sources`` are those of which nothing is missing: one whose log of the day before goes on for
    a minute after midnight is not in.
    """
    days = read_table(lake.part_path("days"))
    columns = {name: days[_IN_DAYS.get(name, name)] for name in COMPLETENESS}
    return pa.table({"day": days["day"], **columns})


def read_restatements(lake: Lake) -> pa.Table:
    """All published values, by day, country and time."""
    path = lake.part_path("restatements")
    return read_table(path).cast(RESTATEMENTS) if path.exists() else RESTATEMENTS.empty_table()


def _add_rows(
    change: Change, reasons: dict[str, str], counted: list[str], now: datetime
) -> list[dict[str, Any]]:
    """Let a change bring what is new into the table; returns it."""
    lake = change.lake
    published = read_restatements(lake)
    connection = connect_reader()
    connection.register("completeness", read_completeness(lake))
    connection.register("published", published)
    days = pa.array([date.fromisoformat(day) for day in reasons], pa.date32())
    connection.register("changed", pa.table({"day": days, "reason": list(reasons.values())}))
    parts = [lake.part_path("daily", day) for day in counted]
    connection.register("daily", read_partitions(connection, "daily", parts).to_arrow_table())
    bound = {"now": now.replace(microsecond=0)}
    added = (
        connection.execute(read_model("restatements"), bound).to_arrow_table().cast(RESTATEMENTS)
    )
    connection.close()
    if len(added):
        table = pa.concat_tables([published, added]).sort_by(_ORDER)
        write_table(change.staging / "part", table)
        change.replace(lake.part_path("restatements"), change.staging / "part")
        change.note_latest("restatements", lake.part_path("restatements"))
    rows: list[dict[str, Any]] = added.to_pylist()
    return rows


def _restated(row: dict[str, Any]) -> Restated:
    return Restated(**{name: row[name] for name in Restated.__dataclass_fields__})
