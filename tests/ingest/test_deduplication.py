"""Files whose lines meet: dropped once, come back, whatever was forgotten or deleted meanwhile."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from lake_fixtures import Site, make_line
from verify_lakes import places_of, rewrite, verify

from pipeline.lake.lake import Lake
from pipeline.lake.ledger import write_json
from pipeline.lake.record_rows import to_table

TODAY = datetime.now(ZoneInfo("America/Toronto")).date()
START = datetime(TODAY.year, TODAY.month, TODAY.day, 5, tzinfo=UTC) - timedelta(days=5)
KEPT: dict[str, str | None] = {"TIDEGAUGE_HITS_KEPT_DAYS": "3"}


def lines(first: int, last: int, minutes: float = 0.1) -> bytes:
    """Write the lines of a server from number `first` to before `last`, from five days ago on."""
    return b"".join(
        make_line(
            f"{START + timedelta(minutes=n * minutes):%d/%b/%Y:%H:%M:%S} +0000",
            request=f"GET /{n} HTTP/1.1",
        )
        for n in range(first, last)
    )


def take(site: Site, *files: Path | str, code: int = 0) -> str:
    done = site.ingest(*files, code=code)
    site.run("build")
    return done.out + done.err


def hits(site: Site) -> int:
    return sum(row["hits"] for row in site.rows("daily"))


def delete(site: Site) -> None:
    site.run("retention", "--delete", env=KEPT)


def shifts(mark: bytes) -> bytes:
    """Fifty lines in blocks of ten, u v u v u or v u v u v."""
    blocks = {b"u": lines(0, 10), b"v": lines(10, 20)}
    other = b"v" if mark == b"u" else b"u"
    return (blocks[mark] + blocks[other]) * 2 + blocks[mark]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Return a site whose lake is sound at the end of the test."""
    site = Site(tmp_path)
    yield site
    site.run("verify")


OTHER_BYTES = {
    "byte-order-mark": (lines(0, 30), b"\xef\xbb\xbf" + lines(0, 30), 30),
    "cr-lf": (lines(0, 30), lines(0, 30).replace(b"\n", b"\r\n"), 30),
    "cr-lf-and-longer": (lines(0, 30), lines(0, 40).replace(b"\n", b"\r\n"), 40),
    "each-begins-with-the-other-s-end": (shifts(b"u"), shifts(b"v"), 60),
}


@pytest.mark.rest_large
@pytest.mark.parametrize("turn", [1, -1])
def test_the_same_lines_in_other_bytes_count_once(site: Site, turn: int) -> None:
    """A source each."""
    for number in (0, 1)[::turn]:
        take(site, *[site.write(f"{n}.log.{number}", w[number]) for n, w in OTHER_BYTES.items()])
    found = Counter(row["source"] for row in site.rows("hits", columns=["source"]))
    assert found == {source: count for source, (_, _, count) in OTHER_BYTES.items()}
    assert hits(site) == found.total()


def test_an_overlap_is_said_in_either_order(site: Site) -> None:
    """Also when the file that is shortened came before."""
    later = site.write("web01-b.log", lines(35, 100))
    take(site, later)
    said = take(site, site.write("web01-a.log", lines(0, 60)))
    assert "web01-b.log: its first 25 lines are also in web01-" in said
    assert "25 hits dropped as duplicates" in said
    assert hits(site) == 100


@pytest.mark.large
def test_an_earlier_state_of_a_forgotten_file_is_taken_in(site: Site) -> None:
    """In any order: what counts is the files that are there."""
    early = site.write("web01-a.log", lines(0, 60))
    grown = site.write("web01-b.log", lines(0, 100))
    take(site, early, grown)
    assert hits(site) == 100
    site.run("forget", "web01-b.log")
    take(site, early)
    assert hits(site) == 60
    assert "skipped" in take(site, early)
    take(site, grown)
    assert hits(site) == 60, "forgotten"
    site.ingest("--again", grown)
    site.run("build")
    assert hits(site) == 100


@pytest.mark.large
def test_an_earlier_state_read_again_leaves_no_hits(site: Site) -> None:
    """Its cut-off last line alone did not tell it from a file of its own."""
    early = site.write("web05-a.log", lines(0, 10)[:-40])
    grown = site.write("web05-b.log", lines(0, 40))
    take(site, grown)
    shutil.move(grown, site.folder / "hold")
    take(site, early)
    shutil.move(site.folder / "hold", grown)
    take(site, grown)
    site.ingest("--again", early)
    site.run("build")
    assert hits(site) == 40
    assert site.run("verify").err.endswith("nothing is off\n")
    kinds = sorted(record.is_live for record in Lake(site.lake).all_files())
    assert kinds == [False, True]


@pytest.mark.clock
def test_a_file_that_meets_sealed_hits_is_refused_alone(site: Site) -> None:
    take(site, site.write("web01-c.log", lines(20, 420, 10)))
    delete(site)
    before = hits(site)
    late = site.write("web01-d.log", lines(0, 60, 10))
    others = (
        site.write("web01-z.log", lines(560, 600, 10)),
        site.write("web02-ok.log", lines(600, 640, 10)),
    )
    said = take(site, late, *others, code=1)
    assert "web01-d.log: has hits of" in said
    assert "are sealed" in said
    assert hits(site) == before + 80


@pytest.mark.large
@pytest.mark.clock
def test_settings_can_change_after_hits_were_deleted(site: Site) -> None:
    """Also when a log without hits meets the files of which nothing is left."""
    take(
        site, site.write("web01-p.log", lines(0, 60, 10)), site.write("web01-e.log", b""),
        site.write("web01-q.log", lines(600, 640, 10)),
    )  # fmt: skip
    delete(site)
    before = hits(site)
    site.run("build", "--also", "settings", env={"TIDEGAUGE_DROP_OVERLAPS": "false"})
    site.run("build", "--also", "settings")
    assert hits(site) == before


@pytest.mark.large
@pytest.mark.parametrize("change", ["DROP_OVERLAPS=false", "OVERLAP_LEAST_LINES=26"])
def test_changed_overlap_settings_are_explained(site: Site, change: str) -> None:
    """Whichever was changed, until the build that is asked to; the default has nothing to say."""
    take(
        site, site.write("web01.log.2", lines(0, 60)), site.write("web01.log.1", lines(35, 100)),
        site.write("web01.log.3", lines(200, 260)),
    )  # fmt: skip
    assert hits(site) == 100 + 60
    name, value = change.split("=")
    env: dict[str, str | None] = {f"TIDEGAUGE_{name}": value}
    assert "duplicates" not in site.run("build", "--explain").out
    said = site.run("build", "--explain", env=env).out
    assert said.count("1 file with other duplicates by overlap_least_lines, drop_overlaps") == 1
    assert "build --also settings" in said
    site.run("build", "--also", "settings", env=env)
    assert hits(site) == 100 + 60 + 25
    assert "duplicates" not in site.run("build", "--explain", env=env).out
    site.run("build", "--also", "settings")


@pytest.mark.clock
@pytest.mark.large
def test_a_file_grows_across_sealed_days(site: Site) -> None:
    path = site.write("web01-a.log", lines(0, 700, 10))
    take(site, path)
    delete(site)
    site.run("verify")
    before = hits(site)
    path.write_bytes(lines(0, 705, 10))
    take(site, path)
    assert hits(site) == before + 5


def test_hidden_parquet_is_found(tmp_path: Path) -> None:
    """Views read it: a day would be there twice."""
    site = Site(tmp_path)
    take(site, site.write("web01.log", lines(0, 30)))
    (part,) = site.lake.glob("daily/*/part.parquet")
    shutil.copy(part, part.with_name("._part.parquet"))
    assert "._part.parquet" in site.run("verify", code=1).out


@pytest.mark.large
def test_lost_and_stray_records_are_found(tmp_path: Path) -> None:
    """A forgotten file would come back, an earlier state be read again."""
    site = Site(tmp_path)
    early, grown = site.write("web01-a.log", lines(0, 30)), site.write("web01-b.log", lines(0, 50))
    other = site.write("web02.log", lines(0, 30))
    take(site, early)
    take(site, grown, other)
    site.run("forget", "web02.log")
    site.run("build")
    site.run("verify")
    records = Lake(site.lake).all_files()
    assert [bool(record.replaced_by) for record in records].count(True) == 1
    assert [bool(record.forgotten_at) for record in records].count(True) == 1
    for sheet in site.lake.glob("ledger/files/*.parquet"):
        content = sheet.read_bytes()
        sheet.unlink()
        assert f"ledger/files/{sheet.name}" in places_of(verify(site, code=1))
        sheet.write_bytes(content)
        stray = sheet.with_name("web09-1970-01-01.parquet")
        shutil.copy(sheet, stray)
        assert f"ledger/files/{stray.name}" in places_of(verify(site, code=1))
        stray.unlink()
    (live,) = (record for record in records if record.is_live)
    gone = to_table([replace(live, forgotten_at=live.ingested_at)])
    (sheet,) = site.lake.glob("ledger/files/web01-*.parquet")
    rewrite(site, sheet, lambda table: pa.concat_tables([table, gone]))
    assert f"ledger/files: {live.file_key}" in places_of(verify(site, code=1))


def test_stray_parquet_of_a_table_of_all_days_is_found(tmp_path: Path) -> None:
    site = Site(tmp_path)
    take(site, site.write("web01.log", lines(0, 30)))
    tables = ("days", "surges", "expected", "drivers", "signals", "restatements")
    for table in tables:
        (site.lake / table).mkdir(exist_ok=True)
        (site.lake / table / "x.parquet").write_bytes(b"x")
    said = site.run("verify", code=1).out
    assert [table for table in tables if f"{table}/x.parquet" not in said] == []


def test_a_lake_that_has_lost_its_zone_is_a_sentence(tmp_path: Path) -> None:
    site = Site(tmp_path)
    take(site, site.write("web01.log", lines(0, 30)))
    write_json(site.lake / "ledger" / "lake.json", {"visitor_key": "x"})
    for command in (["verify"], ["daily"], ["build"], ["ingest", "--no-geo", "raw"]):
        done = site.run(*command, code=2)
        assert "lake.json is damaged" in done.err
