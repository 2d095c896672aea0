"""What one visitor can send stops no build: hostile logs stay within the memory that is set.

Every line has a user agent or a path of its own, of kilobytes. The bound is the setting
`memory_limit_mb` and 600 MB for the program itself, a tenth of it for how its threads fall out.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import zstandard
from conftest import COMMAND, environment_in

START = datetime(2016, 11, 8, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"
PROGRAM_MB = 600
_AT_ONCE = 2000


@dataclass(frozen=True)
class Flood:
    """So many lines over a day, each of its own visitor, with a long field of its own."""

    lines: int
    agent_bytes: int
    path_bytes: int

    def write(self, path: Path) -> None:
        """Write the log, compressed: what is long in it repeats."""
        with path.open("wb") as file, zstandard.ZstdCompressor(1).stream_writer(file) as packed:
            for first in range(0, self.lines, _AT_ONCE):
                numbers = range(first, min(first + _AT_ONCE, self.lines))
                packed.write("".join(self._lines(numbers)).encode())

    def _lines(self, numbers: range) -> Iterator[str]:
        for n in numbers:
            at = START + timedelta(seconds=n * 86_400 // self.lines)
            agent = f"{FIREFOX} {n:08x}{'x' * self.agent_bytes}" if self.agent_bytes else FIREFOX
            yield (
                f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255} - - [{at:%d/%b/%Y:%H:%M:%S} +0000]"
                f' "GET /{n:08x}{"x" * self.path_bytes} HTTP/1.1" 200 5 "-" "{agent}"\n'
            )


def run_within(folder: Path, memory_mb: int, *args: str | Path, code: int = 0) -> str:
    """Run the command and return what it says; fails when it needed more than it may."""
    environment = environment_in("UTC") | {
        "TIDEGAUGE_MEMORY_LIMIT_MB": str(memory_mb),
        "TIDEGAUGE_MAX_CONTENT_RATIO": "100000",
        "TIDEGAUGE_ADDRESSES": "none",
    }
    process = subprocess.Popen(
        [COMMAND, *args, "--lake", folder / "lake"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr
    with process.stderr:
        said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    peak_mb = used.ru_maxrss / 1024  # of 1,048,576 bytes, as the setting's are DuckDB's MiB
    print(f"{args[0]}: peak {peak_mb:.0f} MB, limit {memory_mb} MB")
    assert process.returncode == code, said
    assert peak_mb <= memory_mb + PROGRAM_MB
    return said


def built_days(folder: Path) -> dict[str, int]:
    """Return the sessions of each day that is built."""
    rows = duckdb.sql(
        f"SELECT day::VARCHAR, sum(sessions) FROM read_parquet('{folder}/lake/daily/**/*.parquet',"
        " hive_partitioning = true) GROUP BY day ORDER BY day"
    ).fetchall()
    return {day: int(sessions) for day, sessions in rows}


@pytest.mark.parametrize(("flood", "memory_mb"), [
    pytest.param(Flood(300_000, 4000, 0), 600, id="agents"),
    pytest.param(Flood(240_000, 0, 4000), 256, id="paths"),
])  # fmt: skip
def test_a_flood_of_long_fields_is_built(flood: Flood, memory_mb: int, tmp_path: Path) -> None:
    """Taken in and built within the memory set, and the innocent day before it, too.

    All of them and the program are more than may be taken: a step that keeps each fails here.
    """
    log = tmp_path / "web01.log.zst"
    flood.write(log)
    innocent = tmp_path / "web01-20161107.log"
    innocent.write_text(
        f'192.0.2.1 - - [07/Nov/2016:12:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "{FIREFOX}"\n'
    )
    run_within(tmp_path, 600, "ingest", log, innocent, "--no-geo")
    run_within(tmp_path, memory_mb, "build")
    assert built_days(tmp_path) == {"2016-11-07": 1, "2016-11-08": flood.lines}


def test_a_day_that_needs_more_is_named_and_the_others_are_built(tmp_path: Path) -> None:
    """One visitor's paths of 4 MB, all in one second, fit into no part of the memory."""
    log = tmp_path / "web01.log.zst"
    with log.open("wb") as file, zstandard.ZstdCompressor(1).stream_writer(file) as packed:
        for day, count in ((7, 1), (8, 40), (9, 1)):
            for n in range(count):
                at = datetime(2016, 11, day, 12, tzinfo=UTC)
                path = f"{n}{'x' * (4_000_000 if count > 1 else 1)}"
                packed.write(
                    f'192.0.2.1 - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET /{path} HTTP/1.1" 200 5'
                    f' "-" "{FIREFOX}"\n'.encode()
                )
    run_within(tmp_path, 600, "ingest", log, "--no-geo")
    said = run_within(tmp_path, 256, "build", code=2)
    assert "memory_limit_mb" in said
    assert "2016-11-08" in said
    assert built_days(tmp_path) == {"2016-11-07": 1, "2016-11-09": 1}
