"""Small files are read, put in place and kept together; what comes of each is its own alone."""

import gzip
import hashlib
import logging
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from conftest import VISITOR_KEY
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_fixtures import GOOD, Site, make_line
from layout_lines import IIS, IIS_HEADER

from pipeline.enrich.hits import DatabasesInForce, HitMaker
from pipeline.enrich.robots import Robots
from pipeline.enrich.visitors import VisitorKey
from pipeline.formats.layouts import list_layouts
from pipeline.formats.together import JoinedLines
from pipeline.ingest import batches, ingest
from pipeline.ingest.batches import stage_together
from pipeline.ingest.deduplication import NewFile
from pipeline.ingest.filing import Piece
from pipeline.ingest.overlaps import (
    Lines,
    find_flood,
    find_overlap,
    is_earlier,
    is_sent_whole,
)
from pipeline.ingest.partners import find_partners
from pipeline.ingest.repeats import find_repeats, find_shared
from pipeline.ingest.staging import Reading, stage_file
from pipeline.lake.lake import Lake
from pipeline.lake.packs import MOST_BYTES
from pipeline.lake.table_files import complete, read_table
from pipeline.raw.files import Origin
from pipeline.raw.opening import DEFAULT_LIMITS
from pipeline.tables import HITS

LEAST = 3
CLOUDFRONT = (
    "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem"
    " sc-status cs(Referer) cs(User-Agent) cs-uri-query\n"
)
EDGE = "2016-11-08\t20:{:02}:{:02}\tYUL62\t51\t203.0.113.{}\tGET\tx.net\t/{}\t200\t-\tFirefox\t-\n"


def edge_lines(first: int, count: int) -> str:
    return "".join(
        EDGE.format(n // 60, n % 60, n % 250 + 1, n) for n in range(first, first + count)
    )


def log(first: int, count: int, day: str = "08/Nov/2016") -> bytes:
    return b"".join(
        make_line(
            f"{day}:10:{n // 60:02}:{n % 60:02} -0500", f"192.0.2.{n % 200 + 1}", f"GET /{n} X"
        )
        for n in range(first, first + count)
    )


def lines_of(*layouts: str) -> bytes:
    """Examples of some layouts, a line each."""
    examples = {one.name: getattr(one, "example", "") for one in list_layouts()}
    return "".join(f"{examples[name]}\n" for name in layouts).encode()


FILES: dict[str, bytes] = {
    "plain": log(0, 30),
    "grown": log(0, 45),
    "overlapping": log(25, 40),
    "contained": log(30, 8),
    "of_two_days": log(100, 3) + log(103, 3, "09/Nov/2016") + log(106, 3),
    "without_end": log(200, 5)[:-1],
    "cut_off": log(210, 5)[:-30],
    "with_rejects": log(220, 4) + b"nonsense\n" + log(224, 4),
    "with_blanks": log(230, 4) + b"\n \n",
    "with_odd_bytes": log(240, 3) + make_line(agent="\xff").replace(b"\xc3\xbf", b"\xff"),
    "with_names_of_hosts": make_line(client="crawl.example.org") * 2 + log(250, 2),
    "crlf": log(260, 4).replace(b"\n", b"\r\n"),
    "marked": b"\xef\xbb\xbf" + log(270, 4),
    "wrapped": b"".join(b"<134>Nov  8 10:00:00 web01 nginx: " + GOOD for _ in range(3)),
    "cloudfront": (CLOUDFRONT + edge_lines(0, 20)).encode(),
    "cloudfront_later": (CLOUDFRONT + edge_lines(10, 20)).encode(),
    "cloudfront_head_alone": CLOUDFRONT.encode(),
    "cloudfront_head_within_a_line": (
        "#Version: 1.0\x0b" + CLOUDFRONT.split("\n")[1] + "\n" + edge_lines(60, 5)
    ).encode(),
    "cloudfront_two_heads": (CLOUDFRONT + edge_lines(40, 4)).encode() * 2,
    "cloudfront_without_head": edge_lines(50, 5).encode(),
    "iis": "\n".join([IIS_HEADER, *(IIS % (n, n) for n in range(20)), ""]).encode(),
    "s3": lines_of("s3", "s3"),
    "s3_with_garbage": lines_of("s3") + b"nonsense\n",
    "alb": lines_of("alb", "alb", "alb"),
    "cloudflare": lines_of("cloudflare", "cloudflare"),
    "cloudflare_and_another": lines_of("cloudflare") + b'{"a": 1}\n' + lines_of("cloudflare"),
    "another_and_cloudflare": b'{"a": 1}\n' + lines_of("cloudflare"),
    "json_of_two": lines_of("cloudflare", "caddy"),
    "json_of_one_in_escapes": lines_of("caddy").replace(b'"uri"', b'"u\\u0072i"'),
    "json_and_s3": lines_of("s3", "traefik_json", "cloudflare"),
    "empty": b"",
    "blank": b"\n\n",
    "nonsense": b"nonsense\n",
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def write_all(site: Site) -> list[Path]:
    paths = [site.write(f"{name}.log", content) for name, content in FILES.items()]
    damaged = bytearray(gzip.compress(log(300, 20)))
    damaged[-5] ^= 1
    return [*paths, site.write("damaged.log.gz", bytes(damaged))]


def state_of(site: Site) -> tuple[dict[str, str], list[object]]:
    """The tables' bytes, and the records but for when they were made.

    Of several files that begin with all of another one any may be named.
    """
    site.run("build")
    records = [
        (
            replace(record, ingested_at="", duration_ms=0, seen=(), name="", replaced_by=None),
            record.is_live,
        )
        for record in Lake(site.lake).all_files()
    ]
    return site.hashes(), records


@pytest.mark.large
@pytest.mark.parametrize("given", [["--source", "s"], []])
def test_together_or_one_by_one_in_any_order_is_the_same_lake(
    tmp_path: Path, given: list[str]
) -> None:
    """Files of one source, and each of its own."""
    found = []
    for turn in range(3):
        folder = tmp_path / str(turn)
        folder.mkdir()
        site = Site(folder)
        paths = write_all(site)
        for its in ([paths], [paths[::-1]], [[path] for path in paths[::-1]])[turn]:
            site.run("ingest", "--no-geo", *given, *its, code=None)
        found.append(state_of(site))
    assert [one == found[0] for one in found] == [True] * 3
    site.run("verify")


@pytest.fixture
def how(site: Site) -> Iterator[Reading]:
    """How an ingest without databases of addresses reads."""
    places = DatabasesInForce([], None, ZoneInfo("America/Toronto"))
    maker = HitMaker(places.zone, places, Robots(site.lake), VisitorKey(VISITOR_KEY.encode()))
    with ThreadPoolExecutor(2) as pool:
        yield Reading(
            maker, DEFAULT_LIMITS, only_whole=False, on_read=lambda _: None, pool=pool,
            stop=threading.Event(),
        )  # fmt: skip


@pytest.mark.large
def test_what_is_read_together_is_what_is_read_alone(site: Site, how: Reading) -> None:
    """Of every layout the example, given and found, beside others; records and hits are equal."""
    texts = {one.name: one.example for one in list_layouts() if getattr(one, "example", "")}
    assert len(texts) > 20
    paths = [
        site.write(f"{name}-{count}.log", f"{text}\n".encode() * count)
        for name, text in texts.items()
        for count in (1, 2)
    ]
    together: set[str] = set()
    for layout in [None, *texts]:
        chosen = [path for path in paths if path.name[:-6] == layout or not layout]
        origins = {path: Origin(path.stem, layout) for path in chosen}
        found, _ = stage_together([(*one, False) for one in origins.items()], how, lambda _: ())
        for path, new in found.items():
            folder = site.folder / f"{layout}-{path.name}"
            alone, doubt = stage_file(path, origins[path], how, folder, is_source_by_name=False)
            assert (_what_of(new), None) == (_what_of(alone), doubt)
            together.add(path.name)
    assert len(together) > 80


def _what_of(new: NewFile) -> tuple[object, ...]:
    """All but when it was made, and where it lies."""
    hits = {day: _rows_of(piece) for day, piece in new.hits.items()}
    record = replace(new.record, ingested_at="", duration_ms=0)
    lines = (new.lines.hashes.tolist(), replace(new.lines, hashes=np.zeros(0)).__repr__())
    return record, lines, hits, new.rejects, new.raw, new.stat


def _rows_of(piece: Piece) -> list[dict[str, Any]]:
    table = read_table(piece) if isinstance(piece, Path) else piece.slice
    return complete(table, HITS).drop_columns("file_key").to_pylist()


@pytest.mark.large
def test_most_files_are_read_together(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above compares nothing where all is left to a file's own reader."""
    alone: list[Path] = []
    stage = ingest.stage_file

    def count(path: Path, *args: object, **named: object) -> object:
        alone.append(path)
        return stage(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "stage_file", count)
    paths = write_all(site)
    site.run("ingest", "--no-geo", "--source", "s", *paths, code=None)
    names = {path.name.partition(".")[0] for path in alone}
    together = FILES.keys() - names
    assert together == {
        "plain", "grown", "overlapping", "contained", "of_two_days", "without_end", "crlf",
        "cloudfront", "cloudfront_later", "iis", "s3", "alb", "cloudflare",
        "cloudflare_and_another", "json_of_one_in_escapes",
    }  # fmt: skip


@pytest.mark.large
def test_what_lies_where_it_was_read_is_not_read_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, size and time; but what there is more to say of is read, and said again."""
    paths = [*write_all(site), site.write("forgotten.log", log(400, 3))]
    site.run("ingest", "--no-geo", *paths, code=None)
    site.run("forget", "forgotten.log")
    read: list[str] = []
    for module in (batches, ingest):
        begin = module.read_content

        def count(path: Path, *args: object, begin: Any = begin) -> Any:
            read.append(path.name.partition(".")[0])
            return begin(path, *args)

        monkeypatch.setattr(module, "read_content", count)
    before = state_of(site)
    done = site.run("ingest", "--no-geo", site.folder / "raw", code=None)
    unreadable = {"nonsense", "with_rejects", "cut_off", "s3_with_garbage", "json_and_s3"}
    headless = {"cloudfront_head_within_a_line", "cloudfront_without_head"}
    assert set(read) == {"damaged", "forgotten"} | unreadable | headless
    assert "plain.log: already in the lake as plain-" in done.err
    new = site.write("plain.log", log(500, 30))
    site.run("ingest", "--no-geo", site.folder / "raw", code=None)
    digest = hashlib.sha256(new.read_bytes()).hexdigest()
    assert digest in {record.sha256 for record in Lake(site.lake).files()}
    del read[:]
    site.run("ingest", "--no-geo", "--source", "other", new, site.folder / "raw/iis.log")
    assert {"plain", "iis"} == set(read)
    assert before != state_of(site)


def test_odd_ones_are_put_in_place_together(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is read alone; 250 come in three changes, what is left of a damaged one in its own."""
    odd = [site.write(f"{number}.log", log(4 * number, 4) + b"nonsense\n") for number in range(250)]
    damaged = site.write("damaged.log.gz", gzip.compress(log(2000, 9))[:-6])
    changes: list[int] = []
    commit = Lake.commit

    def count(lake: Lake, moves: Any, records: Any = (), read: Any = ()) -> None:
        changes.append(len(records))
        commit(lake, moves, records, read)

    monkeypatch.setattr(Lake, "commit", count)
    said = site.run("ingest", "--no-geo", "--source", "s", damaged, *odd, code=None).err
    assert said.count("could not be read") == 100
    assert "150 more likewise: `tidegauge --verbose ingest` names all, with --again also of" in said
    assert sorted(changes) == [1, 51, 99, 100]
    its = [(one.hits, one.rejected, bool(one.damage)) for one in Lake(site.lake).files()]
    assert sorted(its) == [(4, 1, False)] * 250 + [(9, 0, True)]
    caplog.set_level(logging.INFO)  # as --verbose sets it in a process of its own
    more = site.run("ingest", "--again", "--no-geo", "--source", "s", *odd).err
    assert more.count("could not be read") == 250


def test_a_source_has_one_file_of_hits_a_quarter_of_a_day(site: Site) -> None:
    paths = [
        site.write(f"{number}.log", log(number, 1).replace(b":10:", b":%02d:" % (number % 24)))
        for number in range(60)
    ]
    site.run("ingest", "--no-geo", "--source", "s", *paths)
    found = sorted(path.name for path in site.lake.glob("hits/*/*"))
    assert found == ["s-h00.parquet", "s-h06.parquet", "s-h12.parquet", "s-h18.parquet"]
    assert {row["file_key"] for row in site.rows("hits")} == site.records().keys()
    site.run("build")
    assert len(list((site.lake / "ledger").rglob("*"))) < 60


def test_a_file_leaves_a_pack_and_comes_back(site: Site) -> None:
    paths = [site.write(f"{number}.log", log(20 * number, 20)) for number in range(5)]
    site.run("ingest", "--no-geo", "--source", "s", *paths)
    before = state_of(site)[0]
    site.run("forget", "2.log")
    assert len(site.rows("hits")) == 80
    site.run("build")
    assert site.run("verify").code == 0
    site.run("ingest", "--no-geo", "--source", "s", "--again", paths[2])
    assert state_of(site)[0] == before


def hashes_of(numbers: list[int], *, has_tail: bool, is_damaged: bool) -> Lines:
    return Lines(
        np.array(numbers, np.uint32), int(has_tail), is_damaged=is_damaged, hits=len(numbers)
    )


FILE = st.builds(
    hashes_of, st.lists(st.integers(0, 9), min_size=1, max_size=14),
    has_tail=st.booleans(), is_damaged=st.sampled_from([False, False, True]),
)  # fmt: skip


def relations(one: Lines, other: Lines) -> Iterator[object]:
    """All that is ever found of two files."""
    for find in (find_overlap, find_flood, find_repeats, find_shared):
        yield find(one, other, LEAST)
    yield is_sent_whole(one, other, LEAST)
    yield is_earlier(one, other, LEAST) is not False


@pytest.mark.large
@settings(max_examples=400)
@given(files=st.lists(FILE, min_size=2, max_size=5), many=st.sampled_from([1, 2, 64]))
def test_files_that_share_anything_are_partners(files: list[Lines], many: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.ingest.partners._MANY", many)
        keys = [f"s-{number}" for number in range(len(files))]
        found = find_partners(dict(zip(keys, files, strict=True)), keys, LEAST)
    for (one, its), (other, others) in permutations(zip(keys, files, strict=True), 2):
        if any(relations(its, others)):
            assert other in found[one]


def test_a_damaged_pack_keeps_no_other_file_out(site: Site) -> None:
    """Files whose rows would lie in it are refused, with its name; those of another day are not."""
    site.run("ingest", "--no-geo", "--source", "s", site.write("0.log", log(0, 3)))
    (pack,) = site.lake.glob("hits/day=2016-11-08/*.parquet")
    pack.write_bytes(b"nothing")
    paths = [site.write(f"{n}.log", log(60 * n, 3)) for n in (1, 2)]
    others = [site.write(f"{n}.log", log(60 * n, 3, "09/Nov/2016")) for n in (3, 4)]
    done = site.run("ingest", "--no-geo", "--source", "s", *paths, *others, code=None)
    assert done.code
    assert done.err.count(str(pack.relative_to(site.lake))) == 2
    assert {record["name"] for record in site.records().values()} == {"0.log", "3.log", "4.log"}


def test_a_small_archive_of_much_is_not_held_in_memory(site: Site) -> None:
    """Of two archives that would be read together, each of hundreds of times its bytes."""
    paths = [site.write(f"{n}.log.gz", gzip.compress(log(n, 1) * 300_000)) for n in range(2)]
    assert all(path.stat().st_size < MOST_BYTES / 2 for path in paths)
    origin = Origin("s")
    tracemalloc.start()
    try:
        found = batches.look_together(
            [(path, origin) for path in paths], ZoneInfo("UTC"), DEFAULT_LIMITS
        )
        assert found == {}
        assert tracemalloc.get_traced_memory()[1] < 8 * MOST_BYTES
    finally:
        tracemalloc.stop()


def test_no_more_is_read_together_than_memory_is_meant_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Archives of which nobody could guess how much they hold: the rest is read one by one."""
    monkeypatch.setattr(batches, "_BATCH_BYTES", 20_000)
    held: list[int] = []
    read_together = batches.read_together

    def watched(connection: object, texts: JoinedLines, *more: object) -> object:
        held.append(sum(map(len, texts.lines.to_pylist())))
        return read_together(connection, texts, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(batches, "read_together", watched)
    paths = [site.write(f"{n}.log.gz", gzip.compress(log(n, 1) * 100)) for n in range(20)]
    site.run("ingest", "--no-geo", "--source", "s", *paths)
    assert len(site.rows("hits")) == 2000
    assert len(held) >= 1
    assert max(held) < 3 * 20_000
