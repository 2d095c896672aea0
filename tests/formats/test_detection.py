"""Which layout a file is found to have, and what is said where no layout is sure."""

from pathlib import Path

import pyarrow as pa
import pytest
from lake_fixtures import Site
from layout_lines import IIS, IIS_HEADER, LINE, TIME, VHOST, find

from pipeline.formats.detection import detect, rank
from pipeline.formats.layouts import COMBINED, list_layouts
from pipeline.lake.database import connect_reader


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def write(site: Site, line: str, *more: str, name: str = "web.log") -> Path:
    """Write thirty lines that are numbered, and more."""
    lines = [line % ((n,) * line.count("%")) for n in range(1, 31)]
    return site.write(name, "\n".join([*lines, *more, ""]).encode())


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


@pytest.mark.rest_large
@pytest.mark.parametrize(
    ("line", "client"),
    [
        (f"{VHOST} 0.012 0.011 .", "www.example.com:443"),
        (f"www.example.com - {LINE}", "www.example.com"),
        (f"shop {LINE} x", "shop"),
        (f"198.51.100.%d, {LINE}", "x.x.x.xxxxxx,"),
        (f"Nov 10 12:11:05 10.0.0.1 nginx/{LINE}", "Nov"),
        (f"2024-10-10 13:55:36 {LINE}", "2024-10-10"),
        (f"13:55:36 {LINE}", "13:55:36"),
        (f"unix: {LINE}", "unix:"),
    ],
)
@pytest.mark.parametrize("form", [None, "combined"])
def test_a_file_whose_clients_stand_elsewhere_is_refused(
    site: Site, line: str, client: str, form: str | None
) -> None:
    """Also when a setting calls it combined; no full address is shown outside of doctor."""
    path = write(site, line)
    given = ["--log-format", form] if form else []
    told = site.ingest(path, *given, code=1).err
    assert f"30 of its 30 clients are no addresses, the first is {client}, while another" in told
    assert "set log_format, or layout in a table [[source]], to the format" in told
    assert "30 of its 30 clients are no addresses" in site.run("doctor", path, *given, code=1).out
    assert (site.records(), site.rows("hits")) == ({}, [])


NAMED = f'host%d.example.com - - {TIME} "GET /%d HTTP/1.1" 200 45 "-" "Mozilla/5.0 1.2.3.4"'


def test_a_log_of_names_of_hosts_is_read_with_a_word(site: Site) -> None:
    """HostnameLookups On; an address in the agent is none of another field."""
    path = write(site, NAMED)
    done = site.ingest(path)
    assert "read as combined, as no layout fits, but 30 of its 30 clients are no add" in done.err
    assert "no addresses" not in site.run("doctor", path, "--log-format", "combined").out
    assert len(site.rows("hits")) == 30


@pytest.mark.parametrize(
    "behind", [' "203.0.113.9"', ' "-" "203.0.113.9, 10.0.0.1"', " 203.0.113.9"]
)
def test_names_beside_addresses_are_refused_unless_meant(site: Site, behind: str) -> None:
    path = write(site, NAMED + behind)
    told = site.ingest(path, code=1).err
    assert "30 of its 30 clients are no addresses, the first is host1.example.com, while" in told
    assert '"combined" if they are names of hosts' in told
    site.ingest(path, "--log-format", "combined")
    assert len(site.rows("hits")) == 30


def test_few_lines_with_another_address_refuse_no_file(site: Site) -> None:
    """A header that a visitor sends decides nothing, nor do some lines of something else."""
    more = [NAMED % (n, n) + ' "203.0.113.9"' for n in range(14)]
    more += [f"www.example.com {LINE % (n, n)} x" for n in range(14)]
    site.ingest(write(site, NAMED, *more))
    (record,) = site.records().values()
    assert (record["hits"], record["reasons"]) == (44, {"client": 14})


PEERS = {"unix": "unix:", "unlogged": "-"}


@pytest.mark.parametrize("word", PEERS)
@pytest.mark.parametrize("given", [[], ["--log-format", "combined_forwarded"]])
def test_a_peer_without_an_address_has_to_be_trusted(
    site: Site, word: str, given: list[str]
) -> None:
    """All visitors would be one; that the layout is set changes nothing."""
    peer = PEERS[word]
    path = write(site, LINE.replace("203.0.113.%d", peer) + ' "203.0.113.%d"')
    told = site.ingest(path, *given, code=1).err
    assert f"30 of its 30 clients are no addresses, the first is {peer}, while the header" in told
    assert f"put {word} into trusted_proxies" in told
    trusting = {"TIDEGAUGE_TRUSTED_PROXIES": word}
    assert "no addresses" not in site.run("doctor", path, *given, env=trusting).out
    site.run("ingest", "--no-geo", path, *given, env=trusting)
    assert len({hit["visitor_id"] for hit in site.rows("hits")}) == 30


@pytest.mark.parametrize("peer", PEERS.values())
def test_a_peer_without_address_and_header_is_a_visitor(site: Site, peer: str) -> None:
    """Who it was is nowhere in the line."""
    site.ingest(write(site, LINE.replace("203.0.113.%d", peer) + ' "-"'))
    assert len({hit["visitor_id"] for hit in site.rows("hits")}) == 1


def test_json_whose_client_is_another_field_is_refused(site: Site) -> None:
    line = '{"t": "2024-10-10T11:55:36Z", "ip": "203.0.113.%d", "p": "/%d"}'
    form = '{"time": "t", "client": "t", "path": "p"}'
    told = site.ingest(write(site, line), "--log-format", form, code=1).err
    assert "clients are no addresses" in told
    right = form.replace('"client": "t"', '"client": "ip"')
    site.ingest(write(site, line), "--log-format", right)


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


@pytest.mark.parametrize("others", [1, 4])
def test_lines_of_another_layout_among_combined_ones_decide_as_if_all_were_asked(
    others: int,
) -> None:
    """Where most lines can be nothing but combined, no other layout is tried."""
    plain = [LINE % (n, n) for n in range(9)]
    with connect_reader() as connection:
        assert [one.layout for one in rank(connection, pa.array(plain))] == [COMBINED]
        for layout in list_layouts():
            lines = pa.array([*plain, *layout.example.splitlines()[:1] * others])
            found, best = detect(connection, lines), rank(connection, lines)[0]
            assert found
            assert (found.layout, found.share) == (best.layout, best.share), layout.name
