"""A first ingest without a setting: which zone's days are counted, and when that can't be told."""

import json
from pathlib import Path

import pytest
from conftest import build_default_databases
from lake_fixtures import GOOD, Done, Site, make_line

from pipeline.machine import find_timezone


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def unset(machine: str | None) -> dict[str, str | None]:
    """Return the environment of a machine in a zone, with no zone set for the site."""
    return {"TIDEGAUGE_TIMEZONE": None, "TZ": machine}


def first_ingest(site: Site, machine: str, *offsets: str, code: int = 0) -> Done:
    """Take in a first file of lines with some offsets, no zone being set."""
    lines = b"bad\n" + b"".join(GOOD.replace(b"-0500", offset.encode()) for offset in offsets)
    return site.run(
        "ingest", "--no-geo", site.write("web.log", lines), code=code, env=unset(machine)
    )


def test_first_ingest_says_which_zone_it_assumes(site: Site) -> None:
    """The first ingest names the zone on stderr, in one line; later ones do not."""
    first = first_ingest(site, "America/Toronto", "-0500")
    (said,) = [line for line in first.err.splitlines() if "Toronto" in line]
    assert said == (
        "New lake in lake. Days are counted in America/Toronto, this machine's zone; set timezone"
        " to change it."
    )
    again = site.run("ingest", "--no-geo", site.write("b.log", GOOD * 2), env=unset("Asia/Tokyo"))
    assert "Days are counted" not in again.err
    assert "America/Toronto" in site.run("status", env=unset("Asia/Tokyo")).out
    set_one = site.run("ingest", "--no-geo", "raw/b.log", "--lake", "other")
    assert "America/Toronto, as set" in set_one.err


@pytest.mark.parametrize(
    "machine", ["America/Toronto", "Europe/Berlin", "UTC", ":Etc/UTC", "", "x9"]
)
def test_the_usual_log_in_utc_needs_no_setting(machine: str, site: Site) -> None:
    """Wherever the machine is: lines that say +0000 are counted by UTC's days, and so stored."""
    done = first_ingest(site, machine, "+0000", "+0000", "-0500")
    assert "Days are counted in UTC, " in done.err
    identity = json.loads((site.lake / "ledger" / "lake.json").read_text())
    assert identity["timezone"] == "UTC"


def test_winter_in_london_is_london_s(site: Site) -> None:
    """The machine's zone comes first where the offsets fit it."""
    assert "Days are counted in Europe/London" in first_ingest(site, "Europe/London", "+0000").err


@pytest.mark.rest_large
@pytest.mark.parametrize(
    ("machine", "offset", "fits"),
    [
        ("UTC", "-0500", "America/Toronto"),
        ("America/Toronto", "+0100", "Europe/Berlin"),
        ("America/Toronto", "-0400", "America/"),
        ("Europe/Berlin", "+0530", "Asia/Kolkata"),
        ("Europe/Berlin", "-0330", "America/St_Johns"),
        ("x9", "+1345", "Pacific/Chatham"),
    ],
)
def test_offsets_that_fit_neither_machine_nor_utc_exit_2(
    machine: str, offset: str, fits: str, site: Site
) -> None:
    """The sentence names the setting and a zone that fits; nothing is made, and it helps."""
    done = first_ingest(site, machine, offset, offset, "+0000", code=2)
    assert f"the lines' own offset ({offset}) is neither that of this machine" in done.err
    assert "set timezone in tidegauge.toml or TIDEGAUGE_TIMEZONE" in done.err
    zone = done.err.strip().rpartition("such as ")[2]
    assert zone.startswith(fits)
    assert not site.lake.exists()
    site.run("ingest", "--no-geo", "raw/web.log", env={"TIDEGAUGE_TIMEZONE": zone, "TZ": machine})
    # The lake's own zone is set from now on.
    site.run("ingest", "--no-geo", site.write("b.log", GOOD), env=unset(machine))


def test_summer_and_winter_of_one_zone_do_not_contradict_each_other(site: Site) -> None:
    """Files of both halves of a year, and one odd line among good ones."""
    summer = make_line("01/Jul/2016:10:00:00 -0400")
    site.write("a.log", summer * 3 + summer.replace(b"-0400", b"+0000"))
    site.write("b.log", GOOD * 3)
    done = site.run("ingest", "--no-geo", "raw", env=unset("America/Toronto"))
    assert "Days are counted in America/Toronto, this" in done.err
    refused = site.run("ingest", "--no-geo", "raw", "--lake", "b", env=unset("UTC"), code=2)
    assert "such as America/Toronto" in refused.err


IIS = (
    b"#Fields: date time c-ip cs-method cs-uri-stem sc-status\n"
    b"2016-11-08 10:00:00 192.0.2.1 GET / 200\n"
)
CADDY = (
    b'{"level":"info","ts":1478617200.1,"logger":"http.log.access","msg":"handled request",'
    b'"request":{"remote_ip":"192.0.2.1","proto":"HTTP/2.0","method":"GET","host":"a.b","uri":"/a",'
    b'"headers":{"User-Agent":["F/1"]}},"duration":0.1,"size":5,"status":200}\n'
)


@pytest.mark.parametrize("content", [IIS, CADDY, b""], ids=["IIS", "epochs", "empty"])
def test_lines_without_an_offset_contradict_nothing(content: bytes, site: Site) -> None:
    """Their days are those of the machine's zone; a machine without one is in UTC."""
    log = site.write("web.log", content)
    for machine, zone in (("Asia/Tokyo", "Asia/Tokyo"), ("CET-1CEST,M3", "UTC")):
        done = site.run("ingest", "--no-geo", log, "--lake", zone[:3], env=unset(machine))
        assert f"Days are counted in {zone}, " in done.err


def test_offsets_are_found_in_what_carries_the_lines(site: Site) -> None:
    """In Docker's JSON, where quotes are escaped, and behind syslog's own offset."""
    line = GOOD.decode().replace("-0500", "+0000")
    carried = json.dumps({"log": line, "stream": "stdout", "time": "2016-11-08T10:00:00Z"})
    for name, text in (
        ("docker", carried + "\n"),
        ("iso", f"2016-11-08T11:00:00+01:00 web01 nginx: {line}"),
    ):
        log = site.write(f"{name}.log", text.encode())
        done = site.run("ingest", "--no-geo", log, "--lake", name, env=unset("Asia/Tokyo"))
        assert "Days are counted in UTC" in done.err


@pytest.mark.clock
def test_a_first_night_needs_no_zone_and_stores_it(site: Site) -> None:
    """What finds the files of a day writes the zone down, for the tasks that follow."""
    build_default_databases(site.folder / "geo")
    site.write("web.log", GOOD.replace(b"-0500", b"+0000"))
    night = ("run", "--from", "2016-11-08", "--to", "2016-11-08", "--geo", "geo")
    site.run(*night, env=unset("Asia/Tokyo"))
    assert [row["hits"] for row in site.rows("daily")] == [1]
    assert "UTC" in site.run("status", env=unset("Asia/Tokyo")).out


def test_machine_s_zone_by_variable_link_and_name(tmp_path: Path) -> None:
    """As the C library has it: TZ first, then the link, then the name; a copy has no name."""
    link, name = tmp_path / "localtime", tmp_path / "timezone"
    assert find_timezone(None, link, name) == "UTC"
    name.write_text("Europe/Berlin\n")
    assert find_timezone(None, link, name) == "Europe/Berlin"
    for target, zone in (
        ("/usr/share/zoneinfo/America/St_Johns", "America/St_Johns"),
        ("../usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"),
        ("/usr/share/zoneinfo/Etc/UTC", "UTC"),
        ("/nowhere/else", "Europe/Berlin"),
    ):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert find_timezone(None, link, name) == zone
    link.unlink()
    link.write_bytes(b"TZif")
    name.unlink()
    assert find_timezone(None, link, name) is None
    for variable, zone in (
        (":America/Toronto", "America/Toronto"), ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        ("", "UTC"), ("EST5EDT4,M3.2.0", None), ("../../etc/passwd", None), ("Zulu", "UTC"),
    ):  # fmt: skip
        assert find_timezone(variable, link, name) == zone
