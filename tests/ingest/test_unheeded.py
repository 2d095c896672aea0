"""Requests that came by a proxy which is not trusted: said where the figure is."""

import json
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line

SENTENCE = "Most requests of web01 came by proxies that are not trusted: each of these counts as"


def behind(proxy: str, *headers: str) -> bytes:
    """A request a minute, with a forwarding header each."""
    lines = (
        make_line(f"08/Nov/2016:10:{n:02}:00 -0500", proxy, f"GET /{n} HTTP/1.1")[:-1]
        + f' "{header}"\n'.encode()
        for n, header in enumerate(headers)
    )
    return b"".join(lines)


CLIENTS = [f"203.0.113.{n}" for n in range(20)]


def count_unheeded(site: Site) -> list[int]:
    asked = "SELECT unheeded FROM files ORDER BY name"
    rows = json.loads(site.run("sql", asked, "--format", "json").out)
    return [row["unheeded"] for row in rows]


def test_a_figure_of_proxies_says_so(tmp_path: Path) -> None:
    """At ingest, in the sentence, the short one, a span's, JSON, on the page; until it is set."""
    site = Site(tmp_path)
    site.write("web01.log", behind("10.0.0.9", *CLIENTS))
    assert "most requests of web01 came by proxies" in site.ingest("raw").err
    site.run("build")
    day = ("--day", "2016-11-08", "--country", "all")
    span = ("--from", "2016-11-07", "--to", "2016-11-08", "--country", "all")
    for asked in (day, span):
        assert SENTENCE in site.run("figure", *asked).out
        assert "most visitors are proxies" in site.run("figure", *asked, "--short").out
        (told,) = json.loads(site.run("figure", *asked, "--format", "json").out)
        assert (told["sessions"], told["proxied"]) == (1, ["web01"])
    site.run("report", "--out", "page.html")
    assert "Sources whose visitors are proxies:</strong> web01." in Path(
        site.folder / "page.html"
    ).read_text(encoding="utf-8")
    trusted: dict[str, str | None] = {
        "TIDEGAUGE_TRUSTED_PROXIES": "private",
        "TIDEGAUGE_GEO": "none",
    }
    site.run("build", "--also", "settings", env=trusted)
    (told,) = json.loads(site.run("figure", *day, "--format", "json", env=trusted).out)
    assert (told["sessions"], told["proxied"]) == (20, [])
    assert SENTENCE not in told["text"]
    assert count_unheeded(site) == [0]


@pytest.mark.parametrize(
    ("headers", "unheeded"),
    [(["-"] * 20, 0), ([*["-"] * 15, *CLIENTS[:5]], 5), (["unknown"] * 20, 0)],
)
def test_a_header_that_names_few_clients_is_no_doubt(
    headers: list[str], unheeded: int, tmp_path: Path
) -> None:
    """A server that is asked by browsers has that header, too, where theirs go by a proxy."""
    site = Site(tmp_path)
    site.write("web01.log", behind("192.0.2.9", *headers))
    assert "proxies" not in site.ingest("raw").err
    assert count_unheeded(site) == [unheeded]


PRIVATE = ["10.0.0.1", "172.16.9.9", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1",
           "127.0.0.1", "::ffff:10.1.2.3"]  # fmt: skip
PUBLIC = ["172.32.0.1", "192.169.1.1", "100.128.0.1", "203.0.113.9", "2001:db8::1", "10.example"]


@pytest.mark.rest_large
@pytest.mark.parametrize(("n_public", "is_said"), [(0, True), (6, True), (9, False)])
def test_a_figure_of_private_addresses_says_so(
    n_public: int, is_said: bool, tmp_path: Path
) -> None:
    """Alone or most of them: in all the places, in both languages; a robot's count for nothing."""
    site = Site(tmp_path)
    clients = [*PRIVATE, *(PUBLIC * 2)[:n_public]]
    site.write("web01.log", b"".join(make_line(client=client) for client in clients))
    assert ("most requests of web01 came from private addr" in site.ingest("raw").err) is is_said
    (row,) = site.records().values()
    assert row["private_hits"] == len(PRIVATE)
    site.run("build")
    for asked in (["--day", "2016-11-08"], ["--from", "2016-11-07", "--to", "2016-11-08"]):
        figure = ("figure", "--country", "all", *asked)
        assert ("came from private addresses" in site.run(*figure).out) is is_said
        assert ("have private addresses" in site.run(*figure, "--short").out) is is_said
        assert ("adresses privées" in site.run(*figure, "--lang", "fr").out) is is_said
        (told,) = json.loads(site.run(*figure, "--format", "json").out)
        assert told["private"] == ["web01"] * is_said
    (row,) = json.loads(site.run("daily", "--format", "json").out)
    assert ["are proxies that are not trusted, or have private" in c for c in row["caveats"]] == (
        [True] * is_said
    )
    site.run("report", "--out", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert ("Sources whose visitors have private addresses:</strong> web01." in page) is is_said
    site.run("verify")


def test_robots_and_named_clients_are_no_private_visitors(tmp_path: Path) -> None:
    site = Site(tmp_path)
    robots = b"".join(make_line(client="10.0.0.1", agent="Googlebot/2.1") for _ in range(20))
    site.write("web01.log", robots)
    site.write("web02.log", behind("10.0.0.9", *CLIENTS))
    assert "private" not in site.ingest("raw").err
    assert [record["private_hits"] for record in site.records().values()] == [0, 0]


def test_small_files_that_are_read_together_are_counted_alike(tmp_path: Path) -> None:
    """What a record says does not depend on which files came with it."""
    site = Site(tmp_path)
    for n in range(3):
        site.write(f"web01-{n}.log", behind(f"10.0.0.{n}", *CLIENTS[n:]))
    assert "most requests of web01 came by proxies" in site.ingest("raw").err
    assert count_unheeded(site) == [20, 19, 18]
