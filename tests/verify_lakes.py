"""A lake with every kind of file that a lake has, and ways to damage a file of one."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from conftest import VISITOR_KEY, build_default_databases
from lake_fixtures import Done, Site, make_line

from pipeline.build.build import build_settings
from pipeline.build.restatements import publish
from pipeline.lake.digests import digest_of, render
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.record_rows import to_records, to_table
from pipeline.lake.sheets import list_sheets
from pipeline.lake.table_files import write_table
from pipeline.settings import load_settings

BAD = b"not a request\n"
DAYS = ("2016-11-07", "2016-11-08", "2016-11-09")


def lines_of(server: int, day: int, count: int = 40, more: str = "") -> list[bytes]:
    """A day's lines of one server: sessions, some into the next day, robots, assets and ties."""
    lines = []
    for number in range(count):
        minute = number * 1440 // count
        lines.append(
            make_line(
                time=f"{day:02}/Nov/2016:{minute // 60:02}:{minute % 60:02}:{server:02} -0500",
                client=f"192.0.2.{server * 20 + number % 5}",
                request=f"GET /{number % 3}{'.css' if number % 7 == 3 else ''} HTTP/1.1",
                agent="Googlebot/2.1" if number % 11 == 5 else "Firefox/49.0",
                referrer=f"http://a.example/{more}" if number % 2 else "-",
                status=503 if number % 13 == 6 else 200,
            )
        )
    return lines


def make_everything(folder: Path) -> Site:
    """A lake with rejects, an overlap, a file that grew, one without hits, robots and views.

    One file is large, and has Parquet of its own; small ones lie together.
    """
    site = Site(folder)
    build_default_databases(folder / "geo")
    web01, web02 = ([line for day in (7, 8, 9) for line in lines_of(n, day)] for n in (1, 2))
    grown = lines_of(3, 8)
    site.write("web01.log", b"".join([*web01[:50], BAD, *web01[50:], BAD]))
    site.write("web02-1.log", b"".join(web02[:60]))
    site.write("web02-2.log", b"".join(web02[35:]))  # 25 lines again
    site.write("web03.log", b"".join(grown[:30]))
    site.write("nothing.log", BAD)
    large = [line for day in (7, 8, 9) for line in lines_of(7, day, more="x" * 18_000)]
    site.write("web07.log", b"".join([*large[:50], BAD, *large[50:], BAD]))
    site.write("web08-1.log", b"".join([make_line("08/Nov/2016:03:00:00 -0500"), BAD] * 4))
    site.write("web08-2.log", b"".join([make_line("08/Nov/2016:04:00:00 -0500"), BAD] * 5))
    site.write("web08-3.log", b"".join([make_line("08/Nov/2016:05:00:00 -0500"), BAD] * 6))
    take_in(site)
    site.write("web03.log", b"".join(grown))
    take_in(site)
    return site


def take_in(site: Site) -> None:
    """Ingest what is in `raw` with the address databases, build and publish."""
    site.run("ingest", "raw", "--geo", "geo")
    site.run("build", "--geo", "geo")
    settings = load_settings(lake=site.lake, visitor_key=VISITOR_KEY, timezone="America/Toronto")
    made_with = build_settings(settings, Lake(site.lake))
    publish(Lake(site.lake), datetime.now(UTC), made_with, [date.fromisoformat(d) for d in DAYS])


def verify(site: Site, *args: str, code: int) -> list[dict[str, str]]:
    """Return the rows that `verify` prints; asserts the exit code."""
    done: Done = site.run("verify", "--geo", "geo", "--format", "json", *args, code=code)
    return list(json.loads(done.out))


def places_of(rows: list[dict[str, str]]) -> set[str]:
    """Return the files and days that rows name."""
    return {row["day_or_file"] for row in rows}


def flip(path: Path) -> None:
    """Turn one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_last(path: Path) -> None:
    """Turn one bit of the last byte."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    """Cut the second half off."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    """Leave nothing in it."""
    path.write_bytes(b"")


def append(path: Path) -> None:
    """Write a byte more."""
    path.write_bytes(path.read_bytes() + b"\n")


def delete(path: Path) -> None:
    """Remove it."""
    path.unlink()


def resign(site: Site, path: Path) -> None:
    """Make the ledger's digest of a file that of its bytes now, as if it had been written so."""
    place = path.relative_to(site.lake).as_posix()
    for note in (site.lake / "ledger" / "digests").glob("*.json"):
        content = json.loads(note.read_text())
        if place in content:
            del content["checksum"]
            is_list = isinstance(content[place], list)
            content[place] = [digest_of(path)] if is_list else digest_of(path)
            note.write_text(render(content))
            return
    raise AssertionError(f"no digest of {place}")


def rewrite(site: Site, path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change a Parquet file's table, and its digest with it."""
    with pq.ParquetFile(path) as file:
        table = change(file.read())
    pq.write_table(table, path, store_schema=False)
    resign(site, path)


def rewrite_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a ledger file's content, and its checksum with it."""
    content = json.loads(path.read_text())
    del content["checksum"]
    change(content)
    path.write_text(render(content))


def rewrite_records(site: Site, change: Callable[[FileRecord], FileRecord | None]) -> None:
    """Change records where they lie, and their sheets' digests with them; one of None goes."""
    for sheet in list_sheets(Lake(site.lake).ledger):
        records = to_records(sheet.read())
        changed = [new for record in records if (new := change(record)) is not None]
        if changed != records:
            write_table(sheet.path, to_table(changed))
            resign(site, sheet.path)


def with_value(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    """The table with another value in one cell."""
    values = table[column].to_pylist()
    values[row] = value
    place = table.column_names.index(column)
    return table.set_column(place, column, pa.array(values, table[column].type))
