"""Lines that could not be read are said where the figure is: none of them has a time."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from lake_fixtures import Site, make_line

DAY = "2016-11-08"
BAD = b"[core:error] no request\n"


def write_day(site: Site, bad: int) -> Path:
    """A line a minute of the whole day; ``bad`` of them, evenly spread, no reader can read."""
    lines = [
        BAD
        if at * bad // 1440 != (at + 1) * bad // 1440
        else make_line(f"08/Nov/2016:{at // 60:02}:{at % 60:02}:00 -0500")
        for at in range(1440)
    ]
    return site.write(f"web01-{DAY}.log", b"".join(lines))


def ask(site: Site) -> dict[str, Any]:
    (one,) = json.loads(
        site.run("figure", "--day", DAY, "--country", "all", "--format", "json").out
    )
    return dict(one)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def take(site: Site, bad: int) -> str:
    """Take a day in, build it; returns what ingest said on stderr."""
    done = site.ingest(write_day(site, bad).relative_to(site.folder))
    site.run("build")
    return done.err


def read_report(site: Site) -> str:
    site.run("report", "--out", "report.html")
    html = (site.folder / "report.html").read_text()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("\N{NO-BREAK SPACE}", " ")


SAID = "of 1,440 lines of the files that have hits of the day could not be read and are not counted"


def test_many_unread_lines_are_no_whole_day(site: Site) -> None:
    """The sentence, JSON, the report and ingest say it; it is no failure, nor preliminary."""
    said = take(site, 864)
    assert f"web01-{DAY}.log: 864 of its 1,440 lines could not be read (time 864)" in said
    assert f"`tidegauge doctor raw/web01-{DAY}.log` shows why" in said
    found = ask(site)
    about = found["completeness"]
    assert (about["lines"], about["rejected_lines"]) == (1440, 864)
    assert f" 864 {SAID}." in found["text"]
    assert "cover the whole day" not in found["text"]
    text = read_report(site)
    assert "Nothing is missing" not in text
    assert f"{DAY} 1,440 864 60.0 %" in text
    assert "Days of whose logs many lines could not be read: 8 November 2016" in text


@pytest.mark.large
def test_a_few_unread_lines_are_said_beside_a_whole_day(site: Site) -> None:
    """From a thousandth on, in the figure and the report; ingest and caveats have other news."""
    said = take(site, 2)
    assert "could not be read" not in said
    found = ask(site)
    assert f"its only expected source are in and cover the whole day. 2 {SAID}." in found["text"]
    text = read_report(site)
    assert f"{DAY} 1,440 2 0.1 %" in text
    assert "many lines could not be read" not in text


def test_one_line_in_thousands_is_in_json_alone(site: Site) -> None:
    take(site, 1)
    found = ask(site)
    assert found["completeness"]["rejected_lines"] == 1
    assert "could not be read" not in found["text"]
    text = read_report(site)
    assert "Nothing is missing of any day" in text
    assert "could not be read" not in text


def test_a_file_without_a_readable_line_is_of_no_known_day(site: Site) -> None:
    """The report names it, where it says what is missing."""
    take(site, 0)
    site.ingest(site.write("web02.log", BAD * 30))
    site.run("build")
    text = read_report(site)
    assert "No line of web02.log could be read: nobody knows of which days they are" in text
    assert "Nothing is missing" not in text


@pytest.mark.large
def test_a_night_warns_of_many_unread_lines(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """In its log, where a scheduler keeps it."""
    write_day(site, 144)
    site.run("run", "--from", DAY, "--to", DAY, env={"TIDEGAUGE_GEO": "none"})
    assert "144 of its 1,440 lines could not be read (time 144)" in caplog.text


@pytest.mark.parametrize(("bad", "is_said"), [(1, False), (2, True)])
def test_rows_say_that_many_lines_could_not_be_read(
    bad: int, is_said: bool, tmp_path: Path
) -> None:
    """From a twentieth on, as figures do: share and is_preliminary call such a day whole."""
    site = Site(tmp_path)
    good = b"".join(make_line(client=f"192.0.2.{n}") for n in range(30))
    site.ingest(site.write("web01.log", good + b"garbage\n" * bad))
    site.run("build")
    (row,) = json.loads(site.run("daily", "--format", "json").out)
    assert ["could not be read" in caveat for caveat in row["caveats"]] == [True] * is_said
    site.ingest(site.write("web02.log", good))
    site.run("forget", "web01.log")
    site.run("build")
    (row,) = json.loads(site.run("daily", "--format", "json").out)
    assert row["caveats"] == []
