"""Ingest: every physical line of every file, however hostile, ends as exactly one kind."""

import gzip
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lake_fixtures import COMPRESS, GOOD, Site, assert_accounted, count_lines, make_line

from pipeline.formats import combined, numbers

MIB = 1024 * 1024
CUT_AGENT = GOOD[:-4] + b"\n"
CUT_REQUEST = GOOD[: GOOD.index(b" HTTP")] + b"\n"
ODD_BYTES = make_line(agent="a\0b\x01c").replace(b"b\x01", b"b\x01\xff\xc3\x28")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


LINES: dict[str, tuple[bytes, dict[str, int]]] = {
    "mixed_line_ends": (GOOD + GOOD[:-1] + b"\r\n" + GOOD + b"\r\n\n", {"hits": 3, "blank": 2}),
    "carriage_returns_alone": (GOOD[:-1] + b"\r" + GOOD + b"\r\r\n", {"hits": 1, "blank": 1}),
    "nul_bytes": (make_line(agent="a\0b") + b"\0\0\n" + GOOD, {"hits": 2, "rejected": 1}),
    "invalid_utf8": (ODD_BYTES + b"\xff\xfe\n" + GOOD, {"hits": 2, "rejected": 1}),
    "x01": (make_line(request="GET /\x01 X") + b"\x01 \x01 \n", {"hits": 1, "rejected": 1}),
    "3_mb": (
        make_line(agent="a" * 3_000_000) + b"b" * 3_000_000 + b"\n" + make_line(referrer="\\" * 3_000_000) + GOOD,  # noqa: E501
        {"hits": 3, "rejected": 1},
    ),
    "open_quote_cut_off": (CUT_AGENT + GOOD + CUT_REQUEST + GOOD, {"hits": 3, "rejected": 1}),
    "open_quote_alone": (b'"\n' + GOOD + b'" "\n', {"hits": 1, "rejected": 2}),
    "escaped_quotes": (make_line(agent='a\\"b', request='GET /\\" X'), {"hits": 1}),
    "ipv6_client": (make_line(client="2001:db8::1"), {"hits": 1}),
    "host_name_client": (make_line(client="crawl.example.org"), {"hits": 1}),
    "dashes_everywhere": (
        b'- - - [08/Nov/2016:10:00:00 -0500] "-" 200 - "-" "-"\n- - - - - - -\n-\n',
        {"hits": 1, "rejected": 2},
    ),
    "no_newline_at_the_end": (GOOD + GOOD[:-1], {"hits": 2}),
    "only_a_bad_line_without_newline": (b"x", {"rejected": 1}),
    "empty": (b"", {}),
    "blank_only": (b"\n \n\t\r\n\v\f\n ", {"blank": 5}),
    "rejected_only": (b"nonsense\n# a comment\n", {"rejected": 2}),
    "one_blank_after_hits": (GOOD + b"\n", {"hits": 1, "blank": 1}),
}  # fmt: skip


@pytest.mark.rest_large
@pytest.mark.parametrize("case", LINES)
def test_every_line_ends_as_one_kind(case: str, site: Site) -> None:
    """The five kinds add up to the newlines counted, in the ledger and in the Parquet files."""
    content, expected = LINES[case]
    log = site.write("web.log", content)
    done = site.ingest("--format", "json", log)
    assert_accounted(site, content, **expected)
    status = {row["what"]: row["value"] for row in json.loads(done.out)}
    assert status["lines"] == count_lines(content)


def test_odd_bytes_are_kept_as_written(site: Site) -> None:
    r"""NUL and \x01 stay; bytes that are not UTF-8 become \xhh, in hits and in rejects."""
    site.ingest(site.write("web.log", ODD_BYTES + b"\xff\xfe caf\xc3\xa9\n"))
    assert [row["user_agent"] for row in site.rows("hits")] == ["a\0b\x01\\xff\\xc3(c"]
    assert [row["line"] for row in site.rows("rejects")] == ["\\xff\\xfe caf\u00e9"]


def test_cut_off_line_leaves_the_next_one_alone(site: Site) -> None:
    """An open quote at a line's end is that field's end; the good line after it is a hit."""
    log = site.write("web.log", CUT_AGENT + GOOD + CUT_REQUEST + GOOD)
    site.run("ingest", "--no-geo", log, env={"TIDEGAUGE_ADDRESSES": "full"})
    agents = [(row["line_no"], row["user_agent"]) for row in site.rows("hits")]
    assert agents == [(1, "Firefox/49"), (2, "Firefox/49.0"), (4, "Firefox/49.0")]
    ((reject),) = site.rows("rejects")
    assert (reject["line_no"], reject["reason"]) == (3, "request")
    assert reject["line"] == CUT_REQUEST.decode().removesuffix("\n")


def test_line_over_16_mib_is_rejected_and_its_start_kept(site: Site) -> None:
    """A line of exactly 16 MiB is read; one byte more is too_long, and its first 4 KiB are kept."""
    room = 16 * MIB - len(make_line(agent="")[:-1])
    longest, too_long = (make_line(agent="x" * n) for n in (room, room + 1))
    content = GOOD + longest + too_long + GOOD
    log = site.write("web.log", content)
    site.run("ingest", "--no-geo", log, env={"TIDEGAUGE_ADDRESSES": "full"})
    record = assert_accounted(site, content, hits=3, rejected=1)
    assert record["reasons"] == {"too_long": 1}
    assert [row["line_no"] for row in site.rows("hits")] == [1, 2, 4]
    rejected = {"line_no": 3, "line": too_long[:4096].decode(), "reason": "too_long"}
    assert site.rows("rejects") == [rejected | {"file_key": None}]


@pytest.mark.rest_large
@pytest.mark.parametrize("end", [b"", b"\n", b"\n" + GOOD])
def test_line_of_several_blocks_is_one_line(end: bytes, site: Site) -> None:
    """A line of 40 MiB is one rejected line, alone or with a good one after it."""
    content = b"z" * (40 * MIB) + end
    expected = {"hits": 1} if end.endswith(GOOD) else {}
    site.ingest(site.write("web.log.gz", gzip.compress(content, 1)))
    assert_accounted(site, content, rejected=1, **expected)


@pytest.mark.large
def test_file_of_several_blocks_keeps_line_order(site: Site) -> None:
    """A 34 MiB file, plain or compressed, gives the same hits, numbered without a gap."""
    lines = 18_000
    content = b"".join(make_line(agent=f"{n} " + "x" * 1900, client="::1") for n in range(lines))
    assert len(content) > 2 * 16 * MIB
    site.ingest(site.write("web.log", content))
    assert_accounted(site, content, hits=lines)
    before = site.hashes()
    rows = site.rows("hits", columns=["line_no", "user_agent"])
    assert [int(row["user_agent"].partition(" ")[0]) for row in rows] == list(range(lines))
    site.ingest(site.write("web.gz", gzip.compress(content, 1)))
    assert site.hashes() == before


def test_lines_of_many_offsets_fall_on_their_own_local_days(site: Site) -> None:
    """Each line's instant counts by its own offset, its day by the site's zone."""
    times = {
        "08/Nov/2016:23:59:59 -0500": ("2016-11-09T04:59:59", "2016-11-08"),
        "09/Nov/2016:05:00:00 +0000": ("2016-11-09T05:00:00", "2016-11-09"),
        "09/Nov/2016:10:29:60 +0530": ("2016-11-09T04:59:59", "2016-11-08"),
        "09/Nov/2016:19:00:00 +1400": ("2016-11-09T05:00:00", "2016-11-09"),
        "08/Nov/2016:14:59:59 -1400": ("2016-11-09T04:59:59", "2016-11-08"),
        "09/Nov/2016:01:30:00 -0330": ("2016-11-09T05:00:00", "2016-11-09"),
    }
    content = b"".join(make_line(time) for time in times)
    site.ingest(site.write("web.log", content))
    record = assert_accounted(site, content, hits=6)
    found = {row["line_no"]: row["ts"] for row in site.rows("hits")}
    assert [found[n] for n in range(1, 7)] == [
        datetime.fromisoformat(instant).replace(tzinfo=UTC) for instant, _ in times.values()
    ]
    shares = {day: share["hits"] for day, share in record["days"].items()}
    assert shares == {"2016-11-08": 3, "2016-11-09": 3}


def test_rejects_lie_on_the_day_of_the_first_hit(site: Site) -> None:
    """A file's rejects have its first hit's day, or 1970-01-01 when it has no hit."""
    site.ingest(site.write("a.log", b"bad\n" + make_line("10/Nov/2016:01:00:00 -0500") + GOOD))
    site.ingest(site.write("b.log", b"bad\n"))
    days = {path.parent.name for path in (site.lake / "rejects").rglob("*.parquet")}
    assert days == {"day=2016-11-10", "day=1970-01-01"}


def test_folder_is_read_with_all_files_below_it(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder stands for every file below it; hidden ones are left out, and said to be."""
    for name in ("a.log", "deep/er/b.log.gz", ".hidden", "deep/.more"):
        path = site.write(name, GOOD if name != "deep/er/b.log.gz" else gzip.compress(GOOD))
    said = site.ingest("raw").err
    assert "raw/.hidden: its name begins with a dot, not read unless named itself; so do 1" in said
    assert {record["name"] for record in site.records().values()} == {"a.log", "b.log.gz"}
    site.run("run", "--from", "2016-11-08", "--to", "2016-11-08")
    assert ".hidden: its name begins with a dot" in caplog.text
    assert "begins with a dot" not in site.ingest(path).err
    assert len(site.records()) == 3


def test_known_content_changes_nothing(site: Site) -> None:
    """The same content again, renamed or recompressed has the same key; no file changes."""
    content = b"bad\n" + GOOD * 3
    site.ingest(site.write("web01-a.log", content))
    before = site.hashes()
    again = site.ingest(site.write("web01-a.log", content))
    assert "already in the lake as web01-" in again.err
    site.ingest(site.write("web01.2.log", content))
    for kind, compress in COMPRESS.items():
        site.ingest(site.write(f"web01_x.{kind}", compress(content)))
    site.ingest(site.folder / "raw")
    assert site.hashes() == before
    assert_accounted(site, content, hits=3, rejected=1)


def test_lost_line_is_an_error_that_names_the_file(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a file's lines do not add up, exit 1 names it and nothing of it is kept."""
    real = combined.read_block

    def lose_a_line(*args: Any) -> combined.ReadBlock:
        read = real(*args)
        return replace(read, hits=read.hits.slice(1)) if len(read.hits) >= 3 else read

    monkeypatch.setattr(combined, "read_block", lose_a_line)
    done = site.ingest(site.write("bad.log", GOOD * 3), site.write("good.log", GOOD), code=1)
    assert "bad.log: its lines do not add up" in done.err
    assert {record["source"] for record in site.records().values()} == {"good"}
    assert len(site.rows("hits")) == 1


def test_source_is_the_file_name_or_as_given(site: Site) -> None:
    """The source is the name without what rotation adds, unless one is given."""
    names = ("web01-access.log", "web02_x", "web03.gz", "plain", "-x.log")
    site.ingest(*(site.write(name, GOOD * number) for number, name in enumerate(names, 1)))
    site.ingest("--source", "edge", site.write("y.log", GOOD * 9))
    sources = {record["name"]: record["source"] for record in site.records().values()}
    assert [sources[name] for name in names] == ["web01-access", "web02", "web03", "plain", "x"]
    assert sources["y.log"] == "edge"
    assert {row["source"] for row in site.rows("hits")} == set(sources.values())


@pytest.mark.parametrize("source", ["../../up", "a/b", "", "a\nb", ".", "a\x1b[31m"])
def test_source_that_is_no_name_is_refused(source: str, site: Site) -> None:
    """A source becomes part of file names: one with a slash or control characters is refused."""
    done = site.ingest("--source", source, site.write("web.log", GOOD), code=2)
    assert "--source" in done.err
    assert not site.records()


@pytest.mark.rest_large
@pytest.mark.parametrize(
    "name", [b"w\xff.log", b"w\x1b[31m.log", b"w\n.log", "w\u202e.log".encode()]
)
def test_odd_file_name_is_no_obstacle(name: bytes, site: Site) -> None:
    """A file whose name is not text or holds controls is read, and shown without them."""
    path = site.write(name.decode("utf-8", "surrogateescape"), GOOD)
    done = site.ingest(path, site.write("good.log", GOOD))
    assert sorted(record["hits"] for record in site.records().values()) == [1, 1]
    assert not {"\x1b", "\u202e"} & {*done.out, *done.err}
    site.run("build")
    assert [row["hits"] for row in site.rows("daily")] == [2]


def test_file_of_which_no_line_is_read_is_said(site: Site) -> None:
    """Each time, and accounted; one with a hit or a directive is not said."""
    bad, good = site.write("bad.log", b"x\n\n" * 3), site.write("good.log", b"x\n" + GOOD)
    for _ in range(2):
        said = site.ingest(bad, good).err
        assert "bad.log: none of its 6 lines could be read (client 3): `tidegauge doctor" in said
        assert "good.log: none" not in said
    assert len(site.records()) == 2


def test_zip_archive_is_refused_and_stops_no_other(site: Site) -> None:
    """Its names and stored files could be taken for lines."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("web.log", GOOD * 9)
    done = site.ingest(site.write("a.zip", archive.getvalue()), site.write("web.log", GOOD), code=1)
    assert "a.zip: is a zip archive" in done.err
    assert "unzip it first" in done.err
    assert [record["name"] for record in site.records().values()] == ["web.log"]


def test_source_without_a_file_is_said(site: Site) -> None:
    site.write("web01.log", GOOD)
    (site.folder / "tidegauge.toml").write_text(
        '[[source]]\nname = "web01"\nfiles = "raw/web01*"\n'
        '[[source]]\nname = "web02"\nfiles = "raw/web02-*.log"\n'
    )
    said = site.ingest("web01", "web02").err
    assert "source web02: no file matches raw/web02-*.log" in said
    assert "web01: no file" not in said


def test_a_files_hits_are_the_same_bytes_with_compiled_loops_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them read it hangs on what the process has read before."""
    odd = [
        '203.0.113.9 - a user [08/Nov/2016:10:00:00 -0500] "GET /odd HTTP/1.1" 200 5 "-" "Odd/1"\n',
        '203.0.113.9 - - [08/Nov/2016:10:00:00 -0500] "\\\\x16\\\\x03" 400 5 "-" "-"\n',
        'host.example - - [09/Nov/2016:10:00:00 -0500] "GET /odd?a HTTP/1.1" 200 - "-" "Odd/2"\n',
        'a b c 203.0.113.9 - - [09/Nov/2016:10:00:00 -0500] "GET /not HTTP/1.1" 200 - "-" "Not"\n',
        '203.0.113.8 - - [09/Nov/2016:10:00:00 -0500] "GET /cut HTTP/1.1" 200 5 "-" "Cut\n',
        "\n",
    ]
    odd_and_even = ((make_line(agent=one[:9]), one.encode(), GOOD) for one in odd)
    lines = [line for three in odd_and_even for line in three]
    found = []
    for name, worth in (("compiled", 0), ("not", 1 << 40)):
        monkeypatch.setattr(numbers, "WORTH_BYTES", worth)
        folder = tmp_path / name
        folder.mkdir()
        site = Site(folder)
        site.ingest(site.write("web01.log", b"".join(lines * 3)))
        found.append(site.hashes())
    assert len(found[0]) >= 3
    assert found[0] == found[1]
