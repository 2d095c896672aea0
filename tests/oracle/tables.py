"""The oracle's result as rows of the lake's tables, without ids (they hang on a secret key)."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from contract import TABLES

from .counting import Measures, Session, daily_of, hourly_of, sessions_of
from .databases import Databases
from .lines import Blank, Hit, Rejected, read_line
from .reading import physical_lines, read_content
from .robotlike import Days, robotlike_days
from .visits import ASCII_LOWER, Visit, visit_of

LARGEST_BIGINT = 2**63 - 1  # ten lines of 18 nines sum to more: the column holds no more than this
HTTP_SHAPE = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
HOST_SHAPE = re.compile(r"\[[^]]*\]|[^:]*")  # a name or an address, not its port
Row = tuple[object, ...]

NOT_COUNTED = {"client", "visitor_id", "session_id", "duration_ms", "client_from", "reason"}
KEYS = {
    "hits": ["file_key", "day"], "rejects": ["file_key", "day"],
    "sessions": ["day"], "daily": ["day"], "hourly": ["day"],
}  # fmt: skip
COLUMNS = {
    table: [*keys, *(name for name in TABLES[table] if name not in {*keys, *NOT_COUNTED})]
    for table, keys in KEYS.items()
}


@dataclass(frozen=True, slots=True)
class Tables:
    """Rows in the order of `COLUMNS`; times in seconds since 1970, days as dates.

    `visitors` holds who each hit's visitor is, by `(file_key, line_no)`: client and agent for the
    oracle, a number for the lake.
    """

    hits: list[Row]
    rejects: list[Row]
    sessions: list[Row]
    daily: list[Row]
    hourly: list[Row]
    visitors: dict[tuple[object, object], object]


@dataclass(frozen=True, slots=True)
class File:
    """One raw file's lines; `key` is in each row."""

    key: str
    source: str
    outcomes: list[Hit | Rejected | Blank]


def read_file(path: Path) -> File:
    """Read one raw file, line by line."""
    content = read_content(path)
    source = re.sub(r"([-._](19|20)\d\d(-?\d\d){2}|\.(log|gz|bz2|xz|zst|\d+))*$", "", path.name)
    key = f"{source}-{hashlib.sha256(content).hexdigest()[:16]}"
    return File(key, source, [read_line(no, line) for no, line in physical_lines(content)])


def count_files(paths: Sequence[Path], zone: ZoneInfo, geo: Path) -> Tables:
    """Return everything that the definitions say of these raw files."""
    files = {file.key: file for file in map(read_file, paths)}  # the same content counts once
    databases = Databases(geo, zone)
    try:
        visits = {key: visits_of(file, zone, databases) for key, file in files.items()}
        flat = [visit for own in visits.values() for visit in own]
        sessions, robotlike = sessions_of(flat), robotlike_days(flat)
        return Tables(
            [hit_row(files[key], v, databases) for key, own in visits.items() for v in own],
            [row for key, file in files.items() for row in reject_rows(file, visits[key])],
            [session_row(session, robotlike) for session in sessions],
            [(*key, *measures(row), *geo_of(key[0], databases))
             for key, row in daily_of(flat, sessions).items()],
            [(*key, *measures(row)) for key, row in hourly_of(flat, sessions).items()],
            {(key, v.hit.line_no): v.visitor for key, own in visits.items() for v in own},
        )  # fmt: skip
    finally:
        databases.close()


def visits_of(file: File, zone: ZoneInfo, databases: Databases) -> list[Visit]:
    """Return the file's hits in line order."""
    return [
        visit_of(hit, zone, databases, file.source) for hit in file.outcomes if isinstance(hit, Hit)
    ]


def hit_row(file: File, visit: Visit, databases: Databases) -> Row:
    """Return one row of hits."""
    hit, built = visit.hit, databases.in_force(visit.day).built
    return (
        file.key, visit.day, hit.line_no, hit.ts, file.source, visit.country, visit.subdivision,
        built, hit.host, hit.method, hit.path, hit.query, hit.protocol, hit.status,
        hit.bytes_sent, hit.referrer, hit.user_agent, visit.is_robot, visit.is_asset,
        visit.is_page, *visit.network,
    )  # fmt: skip


def reject_rows(file: File, visits: list[Visit]) -> Iterator[Row]:
    """Yield the file's rejected lines under the day of its first hit, 1970-01-01 without one."""
    day = visits[0].day if visits else date(1970, 1, 1)
    for outcome in file.outcomes:
        if isinstance(outcome, Rejected):
            yield file.key, day, outcome.line_no, outcome.line


def session_row(session: Session, robotlike: Days) -> Row:
    """Return one row of sessions from the session's own hits."""
    first, last = session.hits[0].hit, session.hits[-1].hit
    return (
        session.start.day, first.ts, last.ts, len(session.hits),
        sum(visit.is_page for visit in session.hits),
        min(sum(visit.hit.bytes_sent or 0 for visit in session.hits), LARGEST_BIGINT),
        sum(500 <= visit.hit.status <= 599 for visit in session.hits),
        first.path, last.path, referrer_host(first.referrer),
        session.start.country, session.start.subdivision, first.user_agent,
        (session.start.day, session.start.visitor) in robotlike, session.start.source,
        *session.start.network,
    )  # fmt: skip


def measures(row: Measures) -> Row:
    """Return the measures in the order of their columns."""
    return (
        row.sessions, len(row.visitors), row.pages, row.hits,
        min(row.bytes_sent, LARGEST_BIGINT), row.errors, row.robot_hits,
    )  # fmt: skip


def geo_of(day: date, databases: Databases) -> Row:
    """Return the build date of the database in force and whether it is late."""
    in_force = databases.in_force(day)
    return in_force.built, in_force.late


def referrer_host(referrer: str | None) -> str | None:
    """Return the host of an absolute http(s) referrer, lower case, without port and user."""
    url = HTTP_SHAPE.match(referrer or "")
    if url is None:
        return None
    host = HOST_SHAPE.match(url[1].rpartition("@")[2])
    return host[0].translate(ASCII_LOWER) or None if host else None
