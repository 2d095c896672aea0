"""Every figure ever published: its first value, each later one, when, why, how complete it was.

``publish`` adds to the table ``restatements``; nothing in it is ever changed or removed. It
records what happened and when, like the ledger, and so is no pure function of the raw files.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from glob import escape as escape_glob
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.build import shown_days
from pipeline.database import connect
from pipeline.days import day_start
from pipeline.lake import Lake, put_in_place, read_json, write_json
from pipeline.models import read_model
from pipeline.output import escape
from pipeline.partitions import write_table
from pipeline.storage import storage_named
from pipeline.summary import is_current
from pipeline.views import PARTITIONED, select_nothing, write_views

log = logging.getLogger(__name__)

ALL = "all"
"""The country code of a day's total; leave it out of sums over countries."""
COMPLETENESS = {"sources": pa.int64(), "sources_expected": pa.int64(), "share": pa.float64(),
                "is_preliminary": pa.bool_()}  # fmt: skip
"""What of ``days`` is published beside a figure."""
_IN_DAYS = {"sources": "sources_whole"}
SCHEMA = pa.schema(
    [("day", pa.date32()), ("country", pa.string()), ("published_at", pa.timestamp("us", "UTC")),
     ("sessions", pa.int64()), ("previous_sessions", pa.int64()), ("reason", pa.string()),
     ("share", pa.float64()), ("is_preliminary", pa.bool_()), ("sources", pa.int64()),
     ("sources_expected", pa.int64())]
)  # fmt: skip
_ORDER = [("day", "ascending"), ("country", "ascending"), ("published_at", "ascending")]
_GONE = ("", "")


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
    sources: Sequence[str] = (),
    why: Mapping[str, Sequence[str]] | None = None,
) -> list[Restated]:
    """Publish the figures of days that have ended, where a number or the completeness is new.

    Publishing again with nothing changed writes nothing. A country that a rebuilt day no longer
    has is restated to 0, and so are all of a day that is no longer in the lake.

    Args:
        lake: one that was built; days rebuilt since its tables were are left to who rebuilt them.
        now: aware; figures of days that end later are not published. ``published_at`` is this,
            in whole seconds, or a second after the day's last publication when that is later.
        sources: the setting; the sources expected every day.
        why: by day (ISO), sentences that say why it was rebuilt; by default the ledger's.

    Returns:
        The figures that had another number before.

    Raises:
        StorageError: the disk is full or can't be written; the next publication makes up for it.
    """
    with lake.lock("build"), storage_named(lake.root, "the next run publishes what is due"):
        built = read_json(lake.ledger / "built.json")
        shown = shown_days(lake, built)
        if not lake.part_path("days").exists() or not is_current(lake, shown, sources):
            log.info("days were rebuilt since: their builder publishes them")
            return []
        completeness = read_completeness(lake)
        marks = _mark_days(lake, built, shown, completeness, now)
        known = read_marks(lake)
        changed = {day: mark for day, mark in marks.items() if known.get(day, _GONE) != mark}
        if not changed:
            return []
        why = _reasons_of(built) if why is None else why
        reasons = {
            day: _write_reason(mark, known.get(day, _GONE), why.get(day, ()))
            for day, mark in changed.items()
        }
        added = _add_rows(lake, completeness, reasons, sorted(changed.keys() & shown.keys()), now)
        write_json(_marks_path(lake), {**known, **changed})
    restated = [_restated(row) for row in added if row["previous_sessions"] is not None]
    restated = [one for one in restated if one.sessions != one.previous_sessions]
    log.info("published %d values, %d restated", len(added), len(restated))
    return restated


def _marks_path(lake: Lake) -> Path:
    return lake.ledger / "published.json"


def read_marks(lake: Lake) -> dict[str, tuple[str, str]]:
    """What each day was counted from and how complete it was when last published, as hashes."""
    if not lake.part_path("restatements").exists():
        return {}
    return {day: (mark[0], mark[1]) for day, mark in read_json(_marks_path(lake)).items()}


def _mark_days(
    lake: Lake,
    built: Mapping[str, Any],
    shown: Mapping[str, Any],
    completeness: pa.Table,
    now: datetime,
) -> dict[str, tuple[str, str]]:
    """Name what is to be published of each day; days published before may be gone."""
    zone = ZoneInfo(lake.identity()["timezone"])
    rows = {str(row["day"]): row for row in completeness.to_pylist()}

    def has_ended(day: str) -> bool:
        return day_start(date.fromisoformat(day) + timedelta(days=1), zone) <= now

    marks = dict.fromkeys(read_marks(lake), _GONE)
    for day in filter(has_ended, shown):
        marks[day] = (_hash(_parts(built.get(day))), _hash(rows.get(day)))
    return {day: mark for day, mark in marks.items() if mark != _GONE or day not in shown}


def _parts(entry: Any) -> Any:
    """What a day was built from, without what was said of it."""
    if isinstance(entry, dict):
        return {name: part for name, part in entry.items() if name != "why"}
    return entry


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _reasons_of(built: Mapping[str, Any]) -> dict[str, list[str]]:
    return {day: entry.get("why", []) for day, entry in built.items() if isinstance(entry, dict)}


def _write_reason(mark: tuple[str, str], known: tuple[str, str], why: Sequence[str]) -> str:
    """Why the day differs from what was published; the sentences are the last rebuild's."""
    if mark == _GONE:
        return "all raw files of the day were taken out of the lake"
    if mark[0] == known[0]:
        return "how complete the day is was judged again"
    return "; ".join(map(escape, why)) or "counted again"


def read_completeness(lake: Lake) -> pa.Table:
    """How complete each day is: ``day`` and the columns of ``COMPLETENESS``.

    ``sources`` are those of which nothing is missing: one whose log of the day before goes on for
    a minute after midnight is not in.
    """
    days = pq.ParquetFile(lake.part_path("days")).read()
    columns = {name: days[_IN_DAYS.get(name, name)] for name in COMPLETENESS}
    return pa.table({"day": days["day"], **columns})


def read_restatements(lake: Lake) -> pa.Table:
    """All published values, by day, country and time."""
    path = lake.part_path("restatements")
    return pq.ParquetFile(path).read().cast(SCHEMA) if path.exists() else SCHEMA.empty_table()


def _add_rows(
    lake: Lake, completeness: pa.Table, reasons: dict[str, str], counted: list[str], now: datetime
) -> list[dict[str, Any]]:
    """Put what is new into the table and return it."""
    published = read_restatements(lake)
    connection = connect(threads=1)
    connection.register("completeness", completeness)
    connection.register("published", published)
    days = pa.array([date.fromisoformat(day) for day in reasons], pa.date32())
    connection.register("changed", pa.table({"day": days, "reason": list(reasons.values())}))
    if counted:
        files = [escape_glob(str(lake.part_path("daily", day))) for day in counted]
        connection.read_parquet(files, hive_partitioning=True).create_view("daily")
    else:
        nothing = select_nothing(f"{PARTITIONED['daily']}, day DATE")
        connection.execute(f"CREATE VIEW daily AS {nothing}")
    bound = {"now": now.replace(microsecond=0)}
    added = connection.execute(read_model("restatements"), bound).to_arrow_table().cast(SCHEMA)
    connection.close()
    if len(added):
        with lake.staging() as staging:
            write_table(staging / "part", pa.concat_tables([published, added]).sort_by(_ORDER))
            lake.note_next("restatements", lake.part_path("restatements"), staging / "part")
            put_in_place([(staging / "part", lake.part_path("restatements"))])
        write_views(lake)
    rows: list[dict[str, Any]] = added.to_pylist()
    return rows


def _restated(row: dict[str, Any]) -> Restated:
    return Restated(**{name: row[name] for name in Restated.__dataclass_fields__})
