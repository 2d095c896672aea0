"""One log under two sources' names: taken over by the given one, or counted twice with a word."""

import itertools
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line
from source_sites import configure

from pipeline.ingest import deduplication

TABLE = 'name = "web01"\nfiles = "raw/access.log*"'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def lines(count: int, path: str = "a") -> bytes:
    """Write lines of a day, all of them different."""
    return b"".join(
        make_line(f"08/Nov/2016:10:{n // 60:02}:{n % 60:02} -0500", request=f"GET /{path}{n} X")
        for n in range(count)
    )


def doubts_of_days(site: Site) -> list[list[str]]:
    return [row["doubts"] for row in site.rows("days")]


def total_hits(site: Site) -> int:
    return len(site.rows("hits"))


def live(site: Site) -> dict[str, int]:
    return {record["source"]: record["hits"] for record in site.records().values()}


@pytest.mark.rest_large
@pytest.mark.parametrize("count", [3, 30])
@pytest.mark.parametrize("more", [0, 5])
def test_a_table_takes_over_what_was_named_by_its_name(site: Site, count: int, more: int) -> None:
    """By path, by the table's name or by run: unchanged or grown, however small."""
    log = site.write("access.log", lines(count))
    older = site.write("access.log.1", lines(25, "older"))
    site.ingest(log, older)
    log.write_bytes(lines(count + more))
    configure(site, TABLE)
    done = site.ingest("web01")
    assert "also in" not in done.err
    assert {record["source"] for record in site.records().values()} == {"web01"}
    assert total_hits(site) == count + more + 25
    site.run("build")
    assert doubts_of_days(site) == [[]]
    site.run("verify")
    assert site.ingest("web01").err.count("already in the lake as web01-") == 2


@pytest.mark.large
def test_a_run_takes_over_what_was_named_by_its_name(site: Site) -> None:
    """Also what was read of a log before it was rotated, under another name then."""
    log = site.write("access.log", lines(30))
    site.ingest(log)
    log.rename(log.with_name("access.log.1"))
    site.write("access.log", lines(40, "b"))
    configure(site, TABLE)
    done = site.run("run", "--from", "2016-11-08", "--to", "2016-11-08", "--geo", "none")
    assert "files:  2 taken in" in done.out
    assert {record["source"] for record in site.records().values()} == {"web01"}
    (day,) = site.rows("days")
    assert (day["hits"], day["doubts"]) == (70, [])
    assert not [reason for reason in day["reasons"] if "never seen" in reason]
    again = site.run("run", "--from", "2016-11-08", "--to", "2016-11-08", "--geo", "none")
    assert "files:  0 taken in" in again.out


@pytest.mark.large
def test_a_run_says_what_it_leaves_to_another_source(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that was renamed: by hand its file is another's, and a figure counts it once."""
    log = site.write("access.log", lines(30))
    site.ingest(log, "--source", "old")
    configure(site, TABLE)
    day = ("--from", "2016-11-08", "--to", "2016-11-08", "--geo", "none")
    (key,) = site.records()
    said = f"access.log: is {key} in the lake, not read as web01"
    site.run("run", *day)
    assert said in caplog.text
    assert total_hits(site) == 30
    site.run("forget", key)
    site.run("run", *day)
    assert f"was forgotten as {key}: `tidegauge ingest web01`" in caplog.text
    site.ingest("web01")
    assert live(site) == {"web01": 30}
    caplog.clear()
    site.run("run", *day)
    assert not caplog.text


@pytest.mark.rest_large
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_whatever_the_order_the_given_name_has_the_lines(site: Site, order: list[int]) -> None:
    """By its name, given, and grown as given: one set of files, one lake."""
    contents = [("a/web.log", 30, None), ("b/web.log", 30, "shop"), ("c/web.log", 50, "shop")]
    for at in order:
        name, count, source = contents[at]
        given = ("--source", source) if source else ()
        site.ingest(site.write(name, lines(count)), *given)
    assert live(site) == {"shop": 50}
    site.run("build")
    site.run("verify")


@pytest.mark.rest_large
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_equal_lines_of_two_sources_count_and_are_doubted(site: Site, order: list[int]) -> None:
    """At ingest, in the record and of the day, by both names; until one is forgotten."""
    contents = [("a.log", lines(30)), ("b.log", lines(40)), ("c.log", lines(35, "c"))]
    said = ""
    for at in order:
        said += site.ingest(site.write(*contents[at])).err
    by_source = {record["source"]: key for key, record in site.records().items()}
    a, b = by_source["a"], by_source["b"]
    doubt = f"30 lines of {b} are also in {a}, which has another source's name"
    assert said.count(doubt) == 1
    assert total_hits(site) == 105
    record = site.records()[b]
    assert (record["shared_lines"], record["shared_with"]) == (30, a)
    site.run("build")
    assert [doubt in text for text in doubts_of_days(site)[0]] == [True]
    site.run("verify")
    site.run("forget", a)
    assert site.records()[b]["shared_with"] is None
    site.run("build")
    assert doubts_of_days(site) == [[]]


@pytest.mark.parametrize("name", ["sorted", "doubled"])
def test_a_copy_in_another_order_under_another_name_is_doubted(site: Site, name: str) -> None:
    """It counted twice in silence; two servers with other lines of the same hour are no doubt."""
    log = lines(30).splitlines(keepends=True)
    copies = {"sorted": sorted(log, reverse=True), "doubled": log[20:] + log}
    site.ingest(site.write("a.log", b"".join(log)))
    said = site.ingest(site.write("b.log", b"".join(copies[name]))).err
    assert "which has another source's name: all count, twice" in said
    site.run("build")
    assert "another source's name" in doubts_of_days(site)[0][0]
    other = b"".join([*log[1:], lines(1, "c")])
    assert "which has another" not in site.ingest(site.write("c.log", other)).err


def test_a_few_equal_lines_of_two_servers_are_no_doubt(site: Site) -> None:
    for name in ("a.log", "b.log"):
        assert "also in" not in site.ingest(site.write(name, lines(19))).err
    assert total_hits(site) == 38


@pytest.mark.large
def test_what_a_person_was_erased_from_keeps_its_source(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """It is never read again, so a run leaves it and says so."""
    log = site.write("access.log", lines(30))
    site.ingest(log)
    site.run("build")
    site.run("erase", "--client", "192.0.2.1", "--delete")
    configure(site, TABLE)
    site.run("run", "--from", "2016-11-08", "--to", "2016-11-08", "--geo", "none")
    assert "not read as web01" in caplog.text
    assert live(site) == {"access": 30}


def test_what_the_records_rule_out_is_not_looked_for_in_the_lines(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that begins before another and ends within it has not all of its lines, nor it its."""
    hours = [make_line(time=f"08/Nov/2016:{hour:02}:00:00 -0500") for hour in range(8)]
    site.ingest("--source", "web01", site.write("a.log", b"".join(hours[2:])))
    monkeypatch.setattr(deduplication, "find_shared", None)
    site.ingest("--source", "web02", site.write("b.log", b"".join(hours[:6])))
    assert len(site.records()) == 2
