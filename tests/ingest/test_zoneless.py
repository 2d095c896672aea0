"""Times without an offset are taken for UTC, and every figure of them says so."""

import json
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line
from layout_lines import IIS, IIS_HEADER

FORMAT = '%h %l %u [%{%Y-%m-%d %H:%M:%S}t] "%r" %>s %b'
LINES = "".join(
    f'203.0.113.{n} - - [2016-11-08 12:{n:02}:00] "GET /{n} HTTP/1.1" 200 5\n' for n in range(40)
).encode()
CLOUDFRONT = (
    b'{"date":"2016-11-08","time":"20:30:00","x-edge-location":"YUL62-C1","sc-bytes":"5120",'
    b'"c-ip":"203.0.113.7","cs-method":"GET","cs-uri-stem":"/","sc-status":"200"}\n'
)
ENV: dict[str, str | None] = {"TIDEGAUGE_LOG_FORMAT": FORMAT, "TIDEGAUGE_GEO": "none"}
SAID = "have no offset and were taken for UTC"


def flags_of(site: Site) -> dict[str, bool]:
    return {row["name"]: row["is_zoneless"] for row in site.records().values()}


def test_a_figure_of_guessed_times_says_so(tmp_path: Path) -> None:
    """In the sentences, both languages, JSON, beside rows, on the page; until the zone is set."""
    site = Site(tmp_path)
    site.write("web01.log", LINES)
    assert "times of web01 have no offset" in site.run("ingest", "raw", env=ENV).err
    site.run("build", env=ENV)
    for asked in (["--day", "2016-11-08"], ["--from", "2016-11-07", "--to", "2016-11-08"]):
        figure = ("figure", "--country", "all", *asked)
        assert f"Times in the logs of web01 {SAID}" in site.run(*figure).out
        assert "times without an offset were taken for UTC" in site.run(*figure, "--short").out
        assert "sans décalage ont été prises" in site.run(*figure, "--short", "--lang", "fr").out
        (told,) = json.loads(site.run(*figure, "--format", "json").out)
        assert told["zoneless"] == ["web01"]
    for row in json.loads(site.run("daily", "--format", "json").out):
        assert any(SAID in one for one in row["caveats"])
    site.run("report", "--out", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Sources whose times have no offset:</strong> web01." in page
    site.run("verify")
    (tmp_path / "tidegauge.toml").write_text(
        '[[source]]\nname = "web01"\nfiles = "raw/web01.log"\ntimezone = "Europe/Berlin"\n'
    )
    config = ("--config", "tidegauge.toml")
    site.run("build", "--also", "settings", *config, env=ENV)
    assert flags_of(site) == {"web01.log": False}
    figure = ("figure", "--country", "all", "--day", "2016-11-08", *config)
    assert SAID not in site.run(*figure).out


def test_the_flag_hangs_on_the_file_alone(tmp_path: Path) -> None:
    """Small files that are read together, one with a line that is none, and one read again."""
    site = Site(tmp_path)
    cut = len(LINES) // 40 * 5
    for n in range(3):
        site.write(f"web0{n}.log", LINES[: n * cut + cut])
    site.write("web09.log", b"no request\n" + LINES)
    site.run("ingest", "raw", env=ENV)
    assert set(flags_of(site).values()) == {True}
    assert len(flags_of(site)) == 4


@pytest.mark.parametrize(
    "content",
    [
        make_line(),
        CLOUDFRONT,
        b"\n".join([IIS_HEADER.encode(), *((IIS % (n, n)).encode() for n in range(5)), b""]),
        LINES.replace(b":00] ", b":00+01:00] ").replace(b" 12:", b"T12:"),
    ],
    ids=["offset", "cloudfront", "w3c", "iso"],
)
def test_what_tells_its_zone_is_no_guess(content: bytes, tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write("web01.log", content)
    iso = ["--log-format", '$remote_addr - - [$time_iso8601] "$request" $status $bytes_sent']
    assert "no offset" not in site.ingest("raw", *(iso if b"T12:" in content else [])).err
    assert flags_of(site) == {"web01.log": False}
    assert all(row["hits"] for row in site.records().values())
