"""Hits of days that have not begun: a clock is wrong, and the figure says so."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lake_fixtures import Site, make_line

pytestmark = pytest.mark.clock
TORONTO = ZoneInfo("America/Toronto")
SAID = "by the clock of this machine: a clock is wrong"


def deliver(site: Site, day: date, sessions: int) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=TORONTO)
    lines = (
        make_line(f"{noon + timedelta(minutes=n % 500):%d/%b/%Y:%H:%M:%S %z}", f"192.0.2.{n % 250}",
                  f"GET /{n} HTTP/1.1", f"Firefox/{n // 250}")
        for n in range(sessions)
    )  # fmt: skip
    site.write(f"web01-{day:%Y%m%d}.log", b"".join(sorted(lines)))


def test_a_day_in_the_future_is_said_wherever_its_figure_is(tmp_path: Path) -> None:
    """In the sentence, the short one, a span's, JSON, rows, on the page; no surge begins."""
    site, today = Site(tmp_path), datetime.now(UTC).astimezone(TORONTO).date()
    for n in range(1, 21):
        deliver(site, today - timedelta(days=n), 30)
    ahead = today + timedelta(days=3)
    deliver(site, ahead, 900)
    site.ingest("raw")
    site.run("build")
    before = today - timedelta(days=1)

    def figure(*asked: str) -> tuple[str, str, dict[str, object]]:
        args = ("figure", "--country", "ZZ", *asked)
        (facts,) = json.loads(site.run(*args, "--format", "json").out)
        return site.run(*args).out, site.run(*args, "--short").out, facts

    said, short, facts = figure("--day", str(ahead))
    assert SAID in said
    assert "dated in the future (" in short
    assert facts["completeness"]["is_future"] is True  # type: ignore[index]
    assert facts["is_lower_bound"] is False
    assert facts["published"] == []
    assert "whole day" not in said
    assert "part of a surge" not in said
    said, short, facts = figure("--day", str(before))
    assert SAID not in said
    assert "dated in the future" not in short
    assert facts["completeness"]["is_future"] is False  # type: ignore[index]
    said, short, facts = figure("--from", str(before), "--to", str(ahead))
    assert SAID in said
    assert "dated in the future (" in short
    assert f"The highest day was {before:%-d %B %Y} with 30 sessions." in said
    assert [one["completeness"]["is_future"] for one in facts["days"]] == [False, True]  # type: ignore[attr-defined]
    for command in (["daily"], ["hourly"], ["expected"], ["compare", "--timeout", "9"]):
        done = site.run(*command, "--format", "json")
        assert SAID in done.err
        for row in json.loads(done.out):
            assert any(SAID in one for one in row["caveats"]) is (row["day"] == str(ahead))
    (surge,) = json.loads(site.run("surges", "--format", "json").out)
    assert any(SAID in one for one in surge["caveats"])
    assert json.loads(site.run("why", "--format", "json").out) == []
    (asked,) = json.loads(site.run("why", "--day", str(ahead), "--format", "json").out)
    assert any(SAID in one for one in asked["caveats"])
    site.run("report", "--out", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Days in the future:" in page
    assert ": no surge in 21 days" in page
    row = page[page.index(f'<span class="day">{ahead}</span>') :].partition("</tr>")[0]
    assert "in the future" in row
    assert "in a surge" not in row
    assert f'<span class="note day">{ahead}</span>' not in page  # its weekday's highest
    lede = page[page.index('<p class="lede">') :].partition("</p>")[0]
    assert "with 30 sessions" in lede
    site.run("figure", "--country", "ZZ", "--day", str(ahead), "--lang", "fr")
    site.run("verify")
