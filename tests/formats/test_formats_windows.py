"""Logs of IIS and of what writes W3C logs: whose a header is, files of headers, IIS's own log."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lake_fixtures import Site
from layout_lines import IIS, IIS_HEADER, find, read

from pipeline.formats.iis_native import LAYOUTS

NATIVE, DAY_FIRST = LAYOUTS
LINE = (
    "203.0.113.%d, -, {}, 7:55:20, W3SVC2, SALES1, 192.0.2.1, 46, 163, 5120, 200, 0, GET, /%d, -,"
)
IMPERVA = (
    "#Software: Incapsula LOGS API",
    "#Version: 1.1",
    "#Date: 20/Jan/2016 19:31:08",
    (
        "#Fields: date time cs-vid cs-clapp cs-browsertype cs-js-support cs-co-support c-ip s-caip"
        " cs-clappsig s-capsupport s-suid cs(User-Agent) cs-sessionid s-siteid cs-countrycode s-tag"
        " cs-cicode s-computername cs-lat cs-long s-accountname cs-uri cs-postbody cs-version"
        " sc-action s-externalid cs(Referrer) s-ip s-port cs-method cs-uri-query sc-status s-xff"
        " cs-bytes cs-start cs-rule cs-severity cs-attacktype cs-attackid s-ruleName"
    ),
)
PASSED = (
    '"2016-01-20" "19:31:%02d" "v" "Firefox" "Browser" "true" "true" "203.0.113.7" "198.51.100.1"'
    ' "sig" "NOT_SUPPORTED" "50005477" "Mozilla/5.0 (X11; \\"x\\")" "334" "15" "US" "" "Ottawa"'
    ' "www.example.com" "31.8" "34.8" "ACME" "www.example.com/%d" "" "HTTP/1.1" "REQ_PASSED" "5" ""'
    ' "192.0.2.1" "443" "GET" "a=b" "200" "198.51.100.9" "10117" "1453290121336" "" "" "" "" ""'
)
BLOCKED = PASSED.replace("REQ_PASSED", "REQ_BLOCKED").replace('"200"', '""')
ENVELOPE = ("accountId:1", "configId:2", "checksum:a", "format:W3C", "startTime:1", "|==|")
ADVANCED = (
    "#Software: IIS Advanced Logging Module",
    "#Version: 1.0",
    "#Start-Date: 2014-04-10 12:40:24.191",
    (
        "#Fields:  date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
        " cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken"
    ),
)


def write(tmp_path: Path, *lines: str, end: str = "\n") -> Path:
    path = tmp_path / "u_ex.log"
    path.write_text("\n".join(lines) + end)
    return path


@pytest.mark.parametrize("envelope", [(), ENVELOPE], ids=["bare", "below Imperva's own header"])
@pytest.mark.parametrize("software", [IMPERVA[0], "#Software: incapsula", "#Version: 1.0"])
def test_impervas_log_is_its_own_though_it_names_a_computer(
    tmp_path: Path, envelope: tuple[str, ...], software: str
) -> None:
    """``s-computername`` is IIS's mark, too; who wrote the log, it says itself."""
    lines = [(PASSED, BLOCKED)[n % 2] % (n, n) for n in range(10)]
    path = write(tmp_path, *envelope, software, *IMPERVA[1:], *lines)
    reader, hits = find(path)
    assert (reader.layout.name, len(hits)) == ("incapsula", 10)
    assert {(hit["client"], hit["host"], hit["forwarded"], hit["query"]) for hit in hits} == {
        ("203.0.113.7", "www.example.com", "198.51.100.9", "a=b")
    }
    assert [hit["status"] for hit in hits[:2]] == [200, None]
    assert {hit["user_agent"] for hit in hits} == {r"Mozilla/5.0 (X11; \"x\")"}
    assert all(hit["path"] == f"/{n}" for n, hit in enumerate(hits))


@pytest.mark.parametrize("software", ["Microsoft Internet Information Services 10.0", "Other 1.0"])
def test_a_header_of_iiss_fields_is_iiss(tmp_path: Path, software: str) -> None:
    header = IIS_HEADER.replace("Microsoft Internet Information Services 10.0", software)
    reader, hits = find(write(tmp_path, header, *(IIS % (n, n) for n in range(9))))
    assert (reader.layout.name, len(hits)) == ("iis", 9)


@pytest.mark.parametrize(
    "agent", ['"Mozilla/5.0 (Windows NT 6.2)"', '"a ""b"" c"', "curl/8", "-", '""']
)
def test_advanced_logging_has_strings_in_quotes(tmp_path: Path, agent: str) -> None:
    line = f"2014-04-10 12:40:24.190 - GET /%d - 80 - 203.0.113.1 {agent} 200 0 0 2036"
    reader, hits = find(write(tmp_path, *ADVANCED, *(line % n for n in range(9))))
    assert (reader.layout.name, len(hits)) == ("iis_advanced", 9)
    assert hits[0]["ts"] == datetime(2014, 4, 10, 12, 40, 24, 190_000, tzinfo=UTC)
    expected = agent[1:-1].replace('""', '"') if agent[0] == '"' else agent
    assert (hits[0]["user_agent"], hits[0]["duration_ms"]) == (expected, 2036.0)


HEADS = {"iis": tuple(IIS_HEADER.split("\n")), "incapsula": IMPERVA, "iis_advanced": ADVANCED}


@pytest.mark.parametrize("name", HEADS)
def test_a_header_alone_is_a_log_without_a_hit(tmp_path: Path, name: str) -> None:
    """Of a server that was asked for nothing yet; no line of it is rejected."""
    site = Site(tmp_path)
    path = write(tmp_path, *HEADS[name])
    assert f": {name} (100.0 % of its first lines)" in site.run("doctor", path).out
    said = site.run("parse", path).out.splitlines()
    assert said == ['{"skipped": "directive"}'] * len(HEADS[name])


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("name", ["iis", "incapsula"])
def test_one_line_below_a_header_is_a_hit_with_and_without_its_end(
    tmp_path: Path, name: str, end: str
) -> None:
    """Without its end it comes in a block of its own."""
    line = (IIS if name == "iis" else PASSED) % (7, 7)
    reader, hits = find(write(tmp_path, *HEADS[name], line, end=end))
    assert (reader.layout.name, [hit["path"] for hit in hits]) == (name, ["/7"])


@pytest.mark.parametrize(
    ("date", "day"),
    [("03/20/01", 20), ("3/20/2001", 20), ("03-20-01", 20), ("2001-03-20", 20), ("03/06/01", 6)],
)
def test_iiss_own_log_has_local_times_and_years_of_two_digits(
    tmp_path: Path, date: str, day: int
) -> None:
    path = write(tmp_path, *(LINE.format(date) % (n, n) for n in range(1, 9)))
    reader, hits = find(path)
    assert (reader.layout.name, len(hits)) == ("iis_native", 8)
    assert {hit["ts"] for hit in hits} == {datetime(2001, 3, day, 7, 55, 20, tzinfo=UTC)}
    assert ("iis_native_day_first" in (reader.say_doubt() or "")) == (day <= 12)
    hit = read(NATIVE.in_zone(ZoneInfo("America/Toronto")), LINE.format(date) % (1, 1)).hits
    assert hit["ts"].to_pylist() == [datetime(2001, 3, day, 12, 55, 20, tzinfo=UTC)]


def test_a_day_over_twelve_tells_which_comes_first(tmp_path: Path) -> None:
    reader, hits = find(write(tmp_path, *(LINE.format("20.03.2001") % (n, n) for n in range(9))))
    assert (reader.layout.name, reader.say_doubt()) == ("iis_native_day_first", None)
    assert hits[0]["ts"] == datetime(2001, 3, 20, 7, 55, 20, tzinfo=UTC)


def test_commas_in_a_path_and_what_is_no_web_request() -> None:
    begin, _, _ = (LINE.format("03/20/99") % (1, 1)).partition("/1, -,")
    lines = [
        f"{begin}/a, b,c, x=1,2,", f"{begin}/a,b, -,", f"{begin}/a, -", f"{begin}/a, -, ",
        begin.replace("W3SVC2", "MSFTPSVC1") + "/a, -,", begin.replace(" -, 03", " a, b, 03"),
        (begin + "/a, -,").replace("03/20", "13/32"),
    ]  # fmt: skip
    block = read(NATIVE, *lines)
    told = list(zip(block.hits["path"].to_pylist(), block.hits["query"].to_pylist(), strict=True))
    assert told == [("/a, b,c", "x=1,2"), ("/a,b", None), ("/a", None), ("/a", None)]
    assert {ts.year for ts in block.hits["ts"].to_pylist()} == {1999}
    assert block.directives == [5]
    assert [(number, why.reason) for number, _, why in block.rejects] == [(6, "date"), (7, "time")]
