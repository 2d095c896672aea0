"""Which layout a file is found to have, and what is said where no layout is sure."""

from pathlib import Path

import pytest
from lake_fixtures import Site

from pipeline.blocks import RawFile
from pipeline.database import connect
from pipeline.formats.detection import FileReader

TIME = "[10/Oct/2024:13:55:36 +0200]"
LINE = f'203.0.113.%d - - {TIME} "GET /%d HTTP/1.1" 200 45 "-" "Mozilla/5.0"'
VHOST = f"www.example.com:443 {LINE}"
IIS = "2024-10-10 11:55:%02d 192.0.2.1 GET /%d - 443 - 203.0.113.7 Mozilla/5.0 - 200 0 0 46"
IIS_HEADER = (
    "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method"
    " cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status"
    " sc-substatus sc-win32-status time-taken"
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def write(site: Site, line: str, *more: str, name: str = "web.log") -> Path:
    """Write thirty lines that are numbered, and more."""
    lines = [line % ((n,) * line.count("%")) for n in range(1, 31)]
    return site.write(name, "\n".join([*lines, *more, ""]).encode())


def find(path: Path) -> tuple[FileReader, list[dict]]:
    """A file's reader and its hits."""
    reader, hits = FileReader(), []
    with connect(threads=1) as connection:
        for block in RawFile(path).blocks():
            parts = reader.cut(connection, block.line_no, block.lines)
            hits += reader.read(connection, parts).hits.to_pylist()
    return reader, hits


def test_a_visitor_who_asks_for_an_address_changes_no_files_layout(site: Site) -> None:
    """A virtual host may be an address of version 6, in brackets."""
    odd = (VHOST % (99, 99)).replace("www.example.com", "[2001:db8::1]")
    reader, hits = find(write(site, VHOST, odd))
    assert reader.layout.name == "vhost_combined"
    assert {hit["host"] for hit in hits} == {"www.example.com", "[2001:db8::1]"}
    assert hits[-1]["client"] == "203.0.113.99"


def test_the_best_layout_is_one_that_meets_both_bounds(site: Site) -> None:
    """Combined reads most of these lines, but its clients would be hosts."""
    others = [f"{host} {LINE % (n, n)}" for n, host in enumerate(["a,b:80", "c:x", "d,e"])]
    reader, hits = find(write(site, VHOST, *others))
    assert reader.layout.name == "vhost_combined"
    assert len(hits) == 30
    assert reader.say_doubt() is None


@pytest.mark.parametrize(
    ("line", "client"),
    [
        (f"{VHOST} 0.012 0.011 .", "www.example.com:443"),
        (f"www.example.com - {LINE}", "www.example.com"),
        (f"198.51.100.%d, {LINE}", "x.x.x.xxxxxx,"),
    ],
    ids=["more behind", "host before a dash", "list of addresses"],
)
def test_what_is_combined_for_want_of_a_layout_is_said_to_be(
    site: Site, line: str, client: str
) -> None:
    """Its lines are hits, as a client is any word; no full address is shown outside of doctor."""
    path = write(site, line)
    ingested = site.ingest(path).err
    assert f"the first is {client}: " in ingested
    for done in (ingested, site.run("doctor", path).out):
        assert "read as combined, as no layout fits, but 30 of its 30 clients are no add" in done
        assert "set log_format to the format string of the server's configuration" in done
    assert "read as combined" not in site.run("doctor", path, "--log-format", "combined").out
    assert len(site.rows("hits")) == 30


def test_combined_with_some_names_of_hosts_is_no_doubt(site: Site) -> None:
    names = [(LINE % (n, n)).replace("203", "a.example.com203") for n in range(29)]
    assert find(write(site, LINE, *names))[0].say_doubt() is None


@pytest.mark.parametrize("between", ["12345", "0.012"])
def test_a_number_before_the_referrer_is_no_log_of_couchbase(site: Site, between: str) -> None:
    reader, hits = find(write(site, LINE.replace(' "-" "', f' {between} "-" "')))
    assert (reader.detected, hits) == (None, [])


def test_doctor_names_each_layout_of_a_file_of_several(site: Site) -> None:
    """To set one of them would lose the others' lines."""
    iis = [IIS % (n, n) for n in range(30)]
    said = site.run("doctor", write(site, LINE, IIS_HEADER, *iis)).out.splitlines()[0]
    assert "iis (30 hits)" in said
    assert "combined (30 hits)" in said
    assert "set log_format" not in said
