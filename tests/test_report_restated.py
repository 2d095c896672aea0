"""The report's place for figures that were restated."""

import re
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser
from restated_lakes import COMPLETE, ELEVENTH, NINTH, PRELIMINARY, Publisher
from test_report_browser import CHROMIUM, browser, open_page
from test_report_page import Page, text_of

from pipeline.report import write_report

__all__ = ["browser"]
HOSTILE = "web06 <img src=x onerror=alert(8)>\x1b[31m\u202e.log"


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    """Eight days; the last, a surge, was restated twice, the second time for a hostile reason."""
    site = Publisher(tmp_path_factory.mktemp("storm"))
    for day in range(1, 8):
        site.deliver(f"web01-{day}.log", day=day, US=20, CA=30)
    site.build()
    site.restate_election_night()
    site.deliver(HOSTILE, US=1)
    site.build(d8=COMPLETE)
    site.publish("2016-11-12T06:00:00-05:00")
    return site


def write(site: Publisher) -> str:
    return write_report(site.settings, site.site.folder / "r.html").read_text(encoding="utf-8")


def test_first_and_last_value_with_why_and_when(storm: Publisher) -> None:
    """The total and the report's country first; the others by how far they moved."""
    html = write(storm)
    section = html.split('id="restated"')[1].split("</section>")[0]
    rows = [text_of(f"<table>{row}</table>") for row in re.findall("<tr.*?</tr>", section)[1:]]
    assert [row[:14].strip() for row in rows] == [
        "2016-11-08all", "2016-11-08Unit", "2016-11-08Cana", "2016-11-08Fran"
    ]  # fmt: skip
    assert "100251+1512016-11-09 06:00, preliminary, 2 of 5 sources2016-11-12 06:00" in rows[1]
    assert "for the 2nd timelate files: web06 <img src=x" in rows[1]
    assert "0" in rows[3]
    assert "times of America/Toronto" in section


def test_the_headline_says_what_was_published_first(storm: Publisher) -> None:
    text = text_of(write(storm))
    assert (
        "The figure of 2016-11-08 was first published as 100 on 2016-11-09 06:00, preliminary with"
        " 2 of 5 sources; it was restated to 251 on 2016-11-12 06:00." in text
    )


def test_a_hostile_reason_stays_text(storm: Publisher) -> None:
    html = write(storm)
    assert "img" not in Page(html).tags
    assert "\\x1b[31m\\u202e.log" in html
    assert not re.search("[\x1b\u202e]", html)


def test_a_lake_of_which_nothing_was_restated_has_no_such_place(tmp_path: Path) -> None:
    """Nor does a day that only became more complete, nor one that nobody published."""
    site = Publisher(tmp_path)
    site.deliver("web01.log", US=3)
    site.build(d8=PRELIMINARY)
    for now, completeness in ((None, PRELIMINARY), (NINTH, PRELIMINARY), (ELEVENTH, COMPLETE)):
        site.judge(d8=completeness)
        if now:
            site.publish(now)
        html = write(site)
        assert 'id="restated"' not in html
        assert "first published" not in html
    assert len(site.rows(8, "US")) == 2


def test_many_restated_figures_are_capped(tmp_path: Path) -> None:
    """The newest of the report's country and of the total; how many there are is said."""
    site = Publisher(tmp_path)
    for day in range(1, 21):
        site.deliver(f"web01-{day}.log", day=day, US=2)
    site.build()
    site.publish("2016-12-01T00:00:00Z")
    for day in range(1, 21):
        site.deliver(f"web02-{day}.log", day=day, US=1)
    site.build()
    site.publish("2016-12-02T00:00:00Z")
    section = write(site).split('id="restated"')[1].split("</section>")[0]
    assert section.count("<tr") == 1 + 30
    assert "2016-11-20" in section
    assert "2016-11-05" not in section
    assert "30 of 40 restated figures" in section


def test_a_lake_of_an_earlier_version_says_what_to_do(tmp_path: Path) -> None:
    """Its views have no such table yet."""
    site = Publisher(tmp_path)
    site.deliver("web01.log", US=3)
    site.build()
    views = site.lake.views
    views.unlink()
    with duckdb.connect(str(views)) as old:
        for table in ("days", "daily", "surges", "expected"):
            old.execute(f"CREATE VIEW {table} AS FROM '{site.lake.root}/{table}/**/*.parquet'")
    done = site.site.run("report", "--out", tmp_path / "r.html", code=2)
    assert "built by an earlier version: `tidegauge build`" in done.err


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Chromium at {CHROMIUM}")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_section_fits_a_phone_and_a_desk(
    browser: Browser,
    storm: Publisher,
    width: int,
) -> None:
    """The page does not scroll sideways; first and last value are in sight at once."""
    write(storm)
    page, events = open_page(browser, storm.site.folder / "r.html", width)
    assert events == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cells = page.locator("section[aria-labelledby=restated] tbody tr:first-child > .n")
    right = [box["x"] + box["width"] for cell in cells.all() if (box := cell.bounding_box())]
    assert len(right) == 3
    assert max(right) <= width
    page.close()
