"""Damaged archives that come again whole, pieces of a file, and floods of equal lines."""

import bz2
import gzip
import itertools
import json
import lzma
import random
import zlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import zstandard
from lake_fixtures import Site, make_line

from pipeline.ingest import overlaps, repeats
from pipeline.ingest.contained import find_runs

START = datetime(2016, 11, 8, 5, tzinfo=UTC)
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda content: gzip.compress(content, mtime=0),
    "gz of many blocks": lambda content: b"".join(
        gzip.compress(content[at : at + 9_000], 1, mtime=0) for at in range(0, len(content), 9_000)
    ),
    "bz2": bz2.compress,
    "bz2 of many blocks": lambda content: bz2.compress(content, 1),
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def write_lines(count: int, seed: int = 1) -> list[bytes]:
    """A server's lines, all of them different and hard to compress."""
    rng = random.Random(seed)
    return [
        make_line(
            f"{START + timedelta(seconds=20 * n):%d/%b/%Y:%H:%M:%S} +0000",
            client=f"192.0.2.{rng.randrange(250)}",
            request=f"GET /{n}/{rng.randrange(10**9)} HTTP/1.1",
            agent=f"Firefox/{rng.randrange(40, 60)}",
        )
        for n in range(count)
    ]


def flip(archive: bytes, share: float) -> bytes:
    """Turn one bit."""
    damaged = bytearray(archive)
    damaged[int(len(archive) * share)] ^= 4
    return bytes(damaged)


def overwrite(archive: bytes, share: float) -> bytes:
    """Write over a hundred bytes."""
    at = int(len(archive) * share)
    return archive[:at] + b"\x55" * 100 + archive[at + 100 :]


def lose(archive: bytes, share: float) -> bytes:
    """Leave out a hundred bytes."""
    at = int(len(archive) * share)
    return archive[:at] + archive[at + 100 :]


def cut(archive: bytes, share: float) -> bytes:
    """End there."""
    return archive[: int(len(archive) * share)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def take(site: Site, *paths: Path) -> str:
    """Take files in one by one, damaged ones too; returns what was said."""
    said = []
    for path in paths:
        done = site.run("ingest", "--no-geo", "--source", "web01", path, code=None)
        assert done.code in {0, 1}, done
        said.append(done.err)
    return "".join(said)


def lake_of(site: Site) -> dict[str, str]:
    """Build, verify, and return the digests of all tables."""
    site.run("build")
    site.run("verify")
    return site.hashes()


def count_hits(site: Site) -> int:
    return len(site.rows("hits", columns=["line_no"]))


@pytest.mark.large
def test_a_damaged_archive_gives_way_to_the_whole_one(tmp_path: Path) -> None:
    """Damaged at several places, before and after: the lake is that of the whole one alone.

    Each compression with two damages, each damage with three compressions: a source of its own.
    """
    pairs = itertools.product(enumerate(PACK.values()), enumerate((flip, overwrite, lose, cut)))
    cases = {
        f"s{n}{m}": (pack(b"".join(write_lines(400, 10 * n + m))), damage)
        for (n, pack), (m, damage) in pairs
        if (n + m) % 2
    }
    lakes = []
    for turns in (["whole"], ["0.3", "0.6", "whole"], ["whole", "0.3", "0.6"]):
        (tmp_path / "".join(turns)).mkdir()
        site = Site(tmp_path / "".join(turns))
        for number, turn in enumerate(turns):
            paths = [
                site.write(
                    f"{name}.log.{number}",
                    archive if turn == "whole" else damage(archive, float(turn)),
                )
                for name, (archive, damage) in cases.items()
            ]
            site.run("ingest", "--no-geo", *paths, code=int(turn != "whole"))
        lakes.append(lake_of(site))
        kept = [r for r in site.records().values() if r["lines"]]
        assert [(r["damage"], r["hits"]) for r in kept] == [(None, 400)] * len(cases)
    assert lakes[0] == lakes[1] == lakes[2]


@pytest.mark.rest_large
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_damaged_and_grown_files_does_not_matter(
    order: tuple[int, ...], site: Site
) -> None:
    """Earlier state, damaged, and whole."""
    lines = write_lines(300)
    archive = PACK["gz"](b"".join(lines))
    files = [
        site.write("web01-a.log", b"".join(lines[:120])),
        site.write("web01-b.log.gz", flip(archive, 0.5)),
        site.write("web01-c.log.gz", archive),
    ]
    take(site, *(files[n] for n in order))
    assert count_hits(site) == 300
    assert [record["damage"] for record in site.records().values()] == [None]


def pack_damaged(content: bytes, told: bytes) -> bytes:
    """A gz that gives ``content``, and says that it should have been ``told``."""
    archive = bytearray(gzip.compress(content, mtime=0))
    archive[-8:-4] = zlib.crc32(told).to_bytes(4, "little")
    return bytes(archive)


def say_reasons(site: Site) -> str:
    return str([row["reasons"] for row in site.rows("days")])


def say_doubts(site: Site) -> str:
    return str([row["doubts"] for row in site.rows("days")])


@pytest.mark.rest_large
@pytest.mark.parametrize("turn", [1, -1])
def test_damage_within_the_first_line_is_told_by_what_follows(turn: int, site: Site) -> None:
    """Twenty lines that stand where the whole one has them, however many others there are."""
    lines = write_lines(100)
    whole = b"".join(lines)
    damaged = b"".join(
        line if n % 4 == 1 else line.replace(b"Firefox", b"Fjrefox") for n, line in enumerate(lines)
    )
    files = [site.write("b.log", pack_damaged(damaged, whole)), site.write("a.log", whole)]
    take(site, *files[::turn])
    lake_of(site)
    assert count_hits(site) == 100
    assert [record["damage"] for record in site.records().values()] == [None]
    assert "damaged" not in say_reasons(site)


@pytest.mark.large
@pytest.mark.parametrize("turn", [1, -1])
def test_a_damaged_file_of_which_no_line_is_right_is_doubted(turn: int, site: Site) -> None:
    """Nothing tells that it is the same file: the figure says that its hits may count twice."""
    whole = b"".join(write_lines(100))
    damaged = pack_damaged(whole.replace(b"Firefox", b"Fjrefox"), whole)
    files = [site.write("b.log", damaged), site.write("a.log", whole)]
    take(site, *files[::turn])
    lake_of(site)
    assert count_hits(site) == 200
    (key,) = (key for key, record in site.records().items() if record["damage"])
    assert f"web01: a damaged file ({key}) has the hours of web01-" in say_doubts(site)
    assert "has the hours" not in say_reasons(site)
    said = site.run("figure", "--day", "2016-11-08", "--country", "all", "--format", "json").out
    (told,) = json.loads(said)
    assert "Some lines may be counted twice: web01: a damaged file" in told["text"]
    assert told["completeness"]["doubts"]
    assert "at least" not in told["text"]
    site.run("forget", key)
    lake_of(site)
    assert count_hits(site) == 100
    assert "damaged" not in say_reasons(site) + say_doubts(site)


@pytest.mark.large
@pytest.mark.parametrize("turn", [1, -1])
def test_a_file_damaged_without_a_trace_is_said(turn: int, site: Site) -> None:
    """A zst without a checksum: nobody sees it, until the whole file comes."""
    lines = write_lines(100)
    whole = b"".join(lines)
    damaged = b"".join([*lines[:40], lines[40].replace(b"Fire", b"Fjre"), *lines[41:]])
    next_day = b"".join(write_lines(100)).replace(b"08/Nov", b"09/Nov")
    files = [
        site.write("b.log.zst", PACK["zst"](damaged)), site.write("a.log", whole),
        site.write("c.log", next_day),
    ]  # fmt: skip
    said = take(site, *files[::turn])
    lake_of(site)
    assert count_hits(site) == 300
    assert "99 different lines of web01-" in said
    assert "`tidegauge forget` one of the two files" in said
    (doubts, none) = (row["doubts"] for row in site.rows("days"))
    assert (len(doubts), none) == (1, [])
    assert doubts[0].startswith("web01: 99 different lines of web01-")
    assert "among others, like a damaged copy's" in doubts[0]
    asked = ("figure", "--day", "2016-11-08", "--country", "all", "--format", "json")
    (told,) = json.loads(site.run(*asked).out)
    assert told["completeness"]["doubts"] == doubts
    assert f"Some lines may be counted twice: {doubts[0]}." in told["text"]
    site.run("forget", files[0])
    lake_of(site)
    assert count_hits(site) == 200
    assert say_doubts(site) == "[[], []]"
    site.run("ingest", "--no-geo", "--source", "web01", "--again", files[0], code=None)
    lake_of(site)
    assert say_doubts(site) == str([doubts, []])


@pytest.mark.large
def test_lines_that_several_copies_share_are_said_the_same_in_any_order(tmp_path: Path) -> None:
    """Three copies, each damaged elsewhere without a trace: the lakes are the same bytes."""
    lines = write_lines(100)
    copies = [
        b"".join([*lines[:at], lines[at].replace(b"Fire", b"Fjre"), *lines[at + 1 :]])
        for at in (30, 50, 60)
    ]
    lakes = set()
    for order in itertools.permutations(range(3)):
        site = Site(tmp_path / str(order))
        take(site, *[site.write(f"{n}.log", copies[n]) for n in order])
        site.run("build")
        lakes.add(tuple(site.hashes().items()))
        assert len(site.rows("days")[0]["doubts"]) == 2
    assert len(lakes) == 1


@pytest.mark.rest_large
@pytest.mark.parametrize("turn", [1, -1])
def test_two_damaged_copies_are_said(turn: int, site: Site) -> None:
    """Each has what the other lacks, and the whole one does not come."""
    lines = write_lines(100)
    whole = b"".join(lines)
    files = [
        site.write(f"{at}.log", pack_damaged(b"".join([*lines[:at], *lines[at + 5 :]]), whole))
        for at in (30, 60)
    ]
    said = take(site, *files[::turn])
    lake_of(site)
    assert count_hits(site) > 100
    assert "different lines of web01-" in said
    assert "has the hours of web01-" in say_doubts(site)


def test_lines_that_are_repeated_are_counted_in_any_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty lines within a file that are within another one; single lines prove nothing."""
    rng = np.random.default_rng(1)
    one, other = (rng.integers(0, 2**32, 5_000, dtype=np.uint32) for _ in "12")
    other[700:730] = one[50:80]
    other[1_000:3_000:10] = one[2_000:4_000:10]
    for most in (500_000, 300, 7):
        monkeypatch.setattr(repeats, "_PAIRS_AT_ONCE", most)
        assert repeats.find_repeats(overlaps.Lines(one, 0), overlaps.Lines(other, 0), 20) == 30
        assert repeats.find_repeats(overlaps.Lines(other, 0), overlaps.Lines(one, 0), 31) == 0
        assert repeats.find_repeats(overlaps.Lines(one[:1], 0), overlaps.Lines(other, 0), 1) == 0


@pytest.mark.rest_large
@pytest.mark.parametrize("turn", [1, -1])
def test_a_copy_whose_lines_are_in_another_order_is_said(turn: int, site: Site) -> None:
    """Nothing of it stands beside what it stood beside; all of it counts twice."""
    lines = write_lines(100)
    files = [
        site.write("a.log", b"".join(lines)),
        site.write("b.log", b"".join([*lines[::2], *write_lines(130)[100:], *lines[1::2][::-1]])),
    ]
    said = take(site, *files[::turn])
    lake_of(site)
    assert count_hits(site) == 230
    assert "100 different lines of web01-" in said
    assert "100 different lines of web01-" in say_doubts(site)


@pytest.mark.parametrize("most", [50_000, 1_000, 300])
def test_lines_in_common_are_counted_in_any_order_and_parts(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one of the two; fewer single ones are by chance, or a health check's."""
    monkeypatch.setattr(repeats, "_LINES_AT_ONCE", most)
    rng = np.random.default_rng(2)
    one, other = (rng.integers(0, 2**32, 5_000, dtype=np.uint32) for _ in "12")
    mixed = rng.permutation(np.concatenate([one[:3_500], other[:1_500]]))
    for files, count in (((one, mixed), 3_500), ((one, other), 0), ((other, mixed), 0)):
        for pair in (files, files[::-1]):
            first, second = (overlaps.Lines(hashes, 0) for hashes in pair)
            assert repeats.find_repeats(first, second, 20) == count


def test_pieces_and_rotations_are_no_doubt(site: Site) -> None:
    """What is dropped does not count twice, whichever of three files it is in."""
    lines = write_lines(200)
    said = take(
        site, site.write("a.log", b"".join(lines[:120])), site.write("b.log", b"".join(lines[90:])),
        site.write("c.log", b"".join(lines[20:60])), site.write("d.log", b"".join(lines[100:110])),
    )  # fmt: skip
    assert "among others" not in said


def test_a_damaged_file_that_meets_the_next_one_at_its_end_is_no_doubt(site: Site) -> None:
    """Lines are written when a request ends: a rotation has some of the minute before."""
    lines = write_lines(200)
    damaged = b"".join([*lines[:95], *lines[96:100], lines[102]])
    take(site, site.write("web01-1.log", pack_damaged(damaged, b"".join(lines[:100]))))
    take(site, site.write("web01-2.log", b"".join([lines[95], *lines[101:]])))
    lake_of(site)
    assert "a damaged file was read in part" in say_reasons(site)
    assert say_doubts(site) == "[[]]"


HEAD = b"""#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)
"""


def write_w3c(server: int) -> bytes:
    rows = (
        f"2016-11-08 10:{n // 60:02}:{n % 60:02} 192.0.2.8 GET /{server}/{n} - 200 Firefox/50.0\n"
        for n in range(200)
    )
    return HEAD + "".join(rows).encode()


def write_checked(server: int) -> bytes:
    """A health check before each five of a server's own lines, the first one's at midnight."""
    own, checks = write_lines(200, server), write_lines(40, 9)
    return b"".join(b"".join([checks[n], *own[5 * n : 5 * n + 5]]) for n in range(40))


@pytest.mark.rest_large
@pytest.mark.parametrize("write", [write_w3c, write_checked], ids=["W3C heads", "health checks"])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_damaged_file_of_another_server_is_kept(
    turn: int, write: Callable[[int], bytes], site: Site
) -> None:
    """One source by their names: what all files begin with, or have beside others, is no proof."""
    damaged = write(1)[:-3_000]
    files = [
        site.write("b.log", pack_damaged(damaged, write(1))),
        site.write("a.log", write(2)),
    ]
    take(site, *files[::turn])
    paths = {row["path"] for row in site.rows("hits", columns=["path"])}
    assert len(paths) >= 350
    lake_of(site)
    assert "has the hours of web01-" in say_doubts(site)


def damage_at_random(archive: bytes, rng: random.Random) -> bytes:
    """Flip, write over, lose or cut, half of the times near the beginning."""
    at = max(20, int(len(archive) * rng.random() ** rng.choice([1, 4])))
    length = rng.choice([1, 4, 16, 100])
    end, kind = archive[at + length :], rng.randrange(4)
    middle = [bytes(length), rng.randbytes(length), bytes([archive[at] ^ 1 << rng.randrange(8)])]
    if kind == 3:
        return archive[:at]
    return archive[:at] + middle[kind] + (end if kind < 2 else archive[at + 1 :])


_LINES_LEFT = (0, 3, 5, 8, 10, 13, 15, 18, 20, 24, 25, 30, 33, 35)
"""The draws of 40 whose damage leaves a line or more, which alone can count twice."""
_NONE_LEFT = (2, 4)


@pytest.mark.large
def test_damaged_at_random_and_sent_whole_counts_once_or_is_doubted(tmp_path: Path) -> None:
    """A source each; in either order the lake is the same, and of most nothing is left."""
    rng, kinds = random.Random(3), [kind for kind in PACK if kind != "gz of many blocks"]
    lakes = []
    drawn = {
        f"s{n:02}": (
            content := b"".join(write_lines(150, n)),
            damage_at_random(PACK[kinds[n % len(kinds)]](content), rng),
        )
        for n in range(40)
    }
    cases = {f"s{n:02}": drawn[f"s{n:02}"] for n in _LINES_LEFT + _NONE_LEFT}
    for turn in (1, -1):
        (tmp_path / str(turn)).mkdir()
        site = Site(tmp_path / str(turn))
        for number in (0, 1)[::turn]:
            names = [
                site.write(f"{name}.log{'.1' * number}", pair[number])
                for name, pair in cases.items()
            ]
            site.run("ingest", "--no-geo", *names, code=None)
        lakes.append(lake_of(site))
    assert lakes[0] == lakes[1]
    hits = Counter(row["source"] for row in site.rows("hits", columns=["source"]))
    doubted = {name for name in cases if f"{name}: a damaged" in say_doubts(site)}
    assert {name for name in cases if hits[name] != 150} == doubted
    assert len(doubted) <= 2
    assert all(
        f"{name}: a damaged" not in say_reasons(site) for name in cases if name not in doubted
    )


def test_an_archive_whose_checksum_alone_was_wrong_is_whole_when_it_comes_again(site: Site) -> None:
    """Its content is the same: what was said of damage is taken back."""
    archive = PACK["gz"](b"".join(write_lines(60)))
    take(site, site.write("web01.log.gz", flip(archive, 0.9999)))
    ((_, damaged),) = site.records().items()
    assert damaged["damage"]
    take(site, site.write("again/web01.log.gz", archive))
    ((_, whole),) = site.records().items()
    assert (whole["damage"], whole["hits"]) == (None, 60)
    take(site, site.write("third/web01.log.gz", flip(archive, 0.9999)))
    assert [record["damage"] for record in site.records().values()] == [None]


def test_a_damaged_file_that_has_more_is_kept(site: Site) -> None:
    """The undamaged one ends earlier: nothing of what only the damaged one has is lost."""
    lines = write_lines(300)
    damaged = bytearray(b"".join(lines))
    damaged[len(damaged) // 4] = ord("#")
    archive = bytearray(gzip.compress(bytes(damaged), mtime=0))
    archive[-8:-4] = (zlib.crc32(b"".join(lines))).to_bytes(4, "little")
    take(site, site.write("web01-b.log.gz", bytes(archive)))
    take(site, site.write("web01-a.log", b"".join(lines[:200])))
    paths = {row["path"] for row in site.rows("hits", columns=["path"])}
    assert len(paths) >= 299
    assert any(record["damage"] for record in site.records().values())


@pytest.mark.rest_large
@pytest.mark.parametrize("turn", [1, -1])
def test_pieces_of_a_file_count_once(turn: int, site: Site) -> None:
    """From its middle, one after the other or with gaps; too small ones prove nothing."""
    lines = write_lines(300)
    files = [
        site.write("web01-all.log", b"".join(lines)),
        site.write("web01-run.log", b"".join(lines[100:180])),
        site.write("web01-errors.log", b"".join(lines[3::7])),
        site.write("web01-cut.log", b"".join(lines[200:250])[:-5]),
        site.write("web01-small.log", b"".join(lines[5:24])),
    ]
    said = take(site, *files[::turn])
    assert count_hits(site) == 300 + 19
    assert "all its 80 lines are also in web01-" in said
    first = lake_of(site)
    site.run("forget", "web01-all.log")
    site.run("build")
    assert count_hits(site) == 80 + 43 + 50 + 19
    assert first


def test_an_earlier_state_of_a_forgotten_file_is_named_and_comes_back_when_it_is_taken_in(
    site: Site,
) -> None:
    lines = write_lines(60)
    earlier = site.write("a/web01\x1b.log", b"".join(lines[:40]))
    take(site, earlier)
    take(site, site.write("b/web01.log", b"".join(lines)))
    assert count_hits(site) == 60
    said = site.run("forget", "web01.log").out
    assert "it had replaced web01\\x1b.log: what was there before comes back only when" in said
    assert count_hits(site) == 0
    take(site, earlier)
    assert count_hits(site) == 40
    assert "replaced" not in site.run("forget", earlier).out


FLOOD = make_line("08/Nov/2016:10:00:00 -0500", "198.51.100.66")
OTHER = make_line("08/Nov/2016:10:00:00 -0500", "198.51.100.67")


FLOODS = {
    "field-case-68": ([FLOOD] * 80, [40]),
    "long": ([FLOOD] * 400, [200]),
    "of-two-lines": ([FLOOD, OTHER] * 60, [60]),
    "over-two-rotations": ([FLOOD] * 200, [50, 130]),
    "first-lines": ([FLOOD] * 90, [0]),
    "last-lines": ([FLOOD] * 90, [90]),
}


@pytest.mark.large
@pytest.mark.parametrize("turn", [1, -1])
def test_a_flood_over_a_rotation_loses_nothing(turn: int, site: Site) -> None:
    """A source each, its files one after the other."""
    lines = write_lines(100)
    before, after = lines[:50], lines[50:]
    wanted, files = {}, {}
    for source, (flood, rotated_at) in FLOODS.items():
        cuts = [0, *(50 + at for at in rotated_at), 100 + len(flood)]
        whole = [*before, *flood, *after]
        wanted[source] = len(whole)
        files[source] = [b"".join(whole[start:end]) for start, end in itertools.pairwise(cuts)]
    for number in range(max(map(len, files.values())))[::turn]:
        parts = {source: parts[number] for source, parts in files.items() if number < len(parts)}
        site.ingest(*[site.write(f"{source}.log.{number}", part) for source, part in parts.items()])
    hits = Counter(row["source"] for row in site.rows("hits", columns=["source"]))
    assert hits == wanted
    lake_of(site)


@pytest.mark.rest_large
@pytest.mark.parametrize("turn", [1, -1])
def test_a_file_of_a_flood_alone_is_counted_and_doubted(turn: int, site: Site) -> None:
    """It may be an earlier state of the next, or the end of what was rotated: it is said."""
    files = [
        site.write("web01-1.log", FLOOD * 30),
        site.write("web01-2.log", FLOOD * 60 + b"".join(write_lines(30))),
    ]
    said = take(site, *files[::turn])
    assert count_hits(site) == 120
    assert "30 lines in a row of web01-" in said
    assert "few of them are different" in said
    assert "`tidegauge forget` one of the two files" in said


@pytest.mark.rest_large
@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(
    ("one", "other"), [((26, 60), (46, 60)), ((0, 40), (26, 50)), ((0, 60), (20, 34))]
)
def test_fewer_lines_than_prove_an_overlap_are_doubted(
    one: tuple[int, int], other: tuple[int, int], turn: int, site: Site
) -> None:
    """At an end, from one file to the next, or in the middle; of fewer than 5 nothing is said."""
    lines = write_lines(60)
    contents = {"web01-1.log": one, "web01-2.log": other}
    files = [site.write(name, b"".join(lines[slice(*its)])) for name, its in contents.items()]
    assert "14 lines in a row of web01-" in take(site, *files[::turn])
    assert "lines in a row" not in take(site, site.write("web01-3.log", b"".join(lines[30:34])))
    records = {record["name"]: record for record in site.records().values()}
    assert records["web01-3.log"]["flood_lines"] == 0


@pytest.mark.large
def test_lines_that_may_be_counted_twice_are_said_where_the_figure_is(tmp_path: Path) -> None:
    """In any order, of their day alone, and until one of the two files is forgotten."""
    flood = [*write_lines(50), *[FLOOD] * 40]
    next_day = [line.replace(b"08/Nov", b"09/Nov") for line in write_lines(60)]
    contents = {
        "web01-1.log": [*flood],
        "web01-2.log": [*[FLOOD] * 40, *next_day],
        "web01-3.log": next_day[30:],  # a proved overlap beside it
    }
    lakes = []
    for order in [tuple(contents)[n:] + tuple(contents)[:n] for n in range(3)]:
        one = Site(tmp_path / "-".join(order))
        take(one, *[one.write(name, b"".join(contents[name])) for name in order])
        one.run("build")
        lakes.append(one)
    assert len({tuple(sorted(lake.hashes().items())) for lake in lakes}) == 1
    one = lakes[0]
    keys = {record["name"]: record["file_key"] for record in one.records().values()}
    said = (
        f"web01: 40 lines in a row of {keys['web01-2.log']} are also in {keys['web01-1.log']}, but"
        " few of them are different: all count, twice if they were sent twice"
    )
    assert [row["doubts"] for row in one.rows("days")] == [[said], []]

    def figure(day: int, form: str = "table") -> str:
        args = ("--day", f"2016-11-{day:02}", "--country", "all", "--format", form)
        return one.run("figure", *args).out

    (told,) = json.loads(figure(8, "json"))
    assert told["completeness"]["doubts"] == [said]
    assert f"Some lines may be counted twice: {said}." in figure(8)
    assert f"Some lines may be counted twice: {said}." in told["text"]
    assert "twice" not in figure(9)
    doubted = "Some lines of 8 November 2016 may be counted twice: `tidegauge figure --day`"
    for table in ("daily", "hourly"):
        done = one.run(table, "--format", "json")
        assert doubted in done.err
        of_days = {row["day"]: row["caveats"] for row in json.loads(done.out)}
        assert of_days == {"2016-11-08": [f"{doubted} says which."], "2016-11-09": []}
        assert "twice" not in one.run(table, "--from", "2016-11-09").err
    one.run("report", "--out", "report.html")
    page = (one.folder / "report.html").read_text()
    assert "Days with lines that may be counted twice:</strong> 8 November 2016." in page
    assert said in page
    one.run("verify")
    one.run("forget", "web01-1.log")
    assert "may be counted twice" in figure(8), "like the number itself, until the build"
    one.run("build")
    assert "may be counted twice" not in figure(8)
    assert [row["doubts"] for row in one.rows("days")] == [[], []]
    one.run("verify")


def test_a_file_of_equal_lines_that_grew_otherwise_counts_once(site: Site) -> None:
    """The flood had ended when it was read first."""
    path = site.write("web01.log", FLOOD * 30)
    take(site, path)
    path.write_bytes(FLOOD * 30 + b"".join(write_lines(30)))
    take(site, path)
    assert count_hits(site) == 60


@pytest.mark.rest_large
@pytest.mark.parametrize("turn", [1, -1])
def test_lines_sent_twice_that_hold_a_flood_count_once(turn: int, site: Site) -> None:
    """Twenty different ones prove it, however many equal ones are between them."""
    lines = [*write_lines(60)[:30], *[FLOOD] * 70, *write_lines(60)[30:]]
    files = [
        site.write("web01-1.log", b"".join(lines[:110])),
        site.write("web01-2.log", b"".join(lines[5:])),
    ]
    take(site, *files[::turn])
    assert count_hits(site) == len(lines)


def test_runs_are_found_over_thousands_of_pieces() -> None:
    """Every second line of a file, and equal lines among them."""
    whole = random.Random(2).choices(range(2**32), k=20_000)
    whole[500:900] = [7] * 400
    hashes = np.array(whole, np.uint32)
    runs = find_runs(hashes[::2], hashes, is_damaged=False)
    assert runs is not None
    assert sum(run.length for run in runs) == 10_000
    found = find_runs(hashes[::-1], hashes, is_damaged=False)
    assert found is not None
    assert sum(run.length for run in found) < 10_000
