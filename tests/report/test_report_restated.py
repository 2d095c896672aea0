"""The report's place for figures that were restated."""

import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from lake_fixtures import make_line
from report_pages import Page, text_of
from restated_lakes import COMPLETE, ELEVENTH, NINTH, PRELIMINARY, Publisher, make_restated_storm

from pipeline.lake.zone import open_lake
from pipeline.report import restated
from pipeline.report.accounting import report_settings
from pipeline.report.page import make_page
from pipeline.report.restated import name_files_once


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    """Eight days; the last, a surge, was restated twice, the second time for a hostile reason."""
    return make_restated_storm(tmp_path_factory.mktemp("storm"))


def write(site: Publisher) -> str:
    return make_page(
        open_lake(site.settings.lake), report_settings(site.settings, datetime.now(UTC))
    )


def section_of(html: str) -> str:
    return html.split('id="restated"')[1].split("</section>", maxsplit=1)[0]


def entries_of(html: str) -> list[str]:
    """The section's entries, each as HTML."""
    return section_of(html).split('<div class="restatement">')[1:]


def rows_of(html: str) -> list[str]:
    """The text of each row of numbers."""
    rows = re.findall("<tr><th scope=.row.*?</tr>", html)
    return [text_of(f"<table>{row}</table>") for row in rows]


def test_each_restatement_has_one_entry(storm: Publisher) -> None:
    """When, why, the day's total before and after, the countries: the report's own one first."""
    later, first = entries_of(write(storm))
    assert "Figures of 8 November 2016, restated on 12 November 2016 at 06:00" in later
    assert "Why: late files: web06 &lt;img src=x" in later
    assert rows_of(later) == ["2016-11-08311312+1", "United States (US)250251+1"]
    assert "restated on 11 November 2016 at 06:00" in first
    assert "Why: late files: web03.log, web04.log, web05.log." in first
    assert rows_of(first) == [
        "2016-11-08before: 2 of 5 sources130311+181", "United States (US)100250+150",
        "Canada (CA)3060+30", "France (FR)01+1",
    ]  # fmt: skip
    assert "Times are those of America/Toronto" in section_of(write(storm))


@pytest.mark.large
def test_a_delivery_for_many_days_names_its_files_once(tmp_path: Path) -> None:
    """Also where days beside them changed; days and countries that moved less are folded."""
    site = Publisher(tmp_path)
    for day in range(1, 11):
        site.deliver(f"web01-{day}.log", day=day, US=2, CA=1)
    site.build()
    site.publish("2016-12-01T00:00:00Z")
    for name in ("web02.log", "web03.log"):
        site.site.write(name, late_lines(name, range(2, 10)))
    site.site.run("ingest", "raw/web02.log", "raw/web03.log")
    site.build()
    site.publish("2016-12-02T00:00:00Z")
    (entry,) = entries_of(write(site))
    assert "Figures of 2 to 9 November 2016, restated on" in entry
    assert entry.count("web02.log") == entry.count("web03.log") == 1
    shown, folded = entry.split("<details>")
    assert len(rows_of(shown)) == 5 + 1
    assert "The other 3 days" in folded
    assert len(rows_of(folded)) == 3
    assert rows_of(shown)[-1] == "United States (US)1632+16"


def late_lines(name: str, days: range) -> bytes:
    return b"".join(
        make_line(f"{day:02}/Nov/2016:13:00:00 -0500", client="203.0.113.9", agent=f"{name}/1")
        for day in days
    )


def test_reasons_name_each_file_once() -> None:
    """Those that say the same of other files, or of the day beside; any other stays as it is."""
    names = {"a.log", "b.log", "c, d.log", "e; f.log"}
    reasons = [
        "late files: a.log, b.log", "late files: b.log", "counted again", "counted again",
        "the day beside it, 2016-11-08, has late files: a.log and 3 more",
        "late files: a.log; files replaced or taken out: b.log",
        "late files: c, d.log", "late files: unknown, with a comma.log; late files: a.log",
    ]  # fmt: skip
    assert name_files_once(reasons, names) == [
        "late files: a.log, b.log and more", "files replaced or taken out: b.log", "counted again",
        "late files: c, d.log", "late files: unknown, with a comma.log; late files: a.log",
    ]  # fmt: skip


@pytest.mark.large
def test_equal_totals_are_an_entry_too(tmp_path: Path) -> None:
    """One country lost what another one got: the total's row says so."""
    site = Publisher(tmp_path)
    site.deliver("web01.log", US=3)
    site.build()
    site.publish(NINTH)
    site.site.run("forget", "web01.log")
    site.deliver("web02.log", CA=3)
    site.build()
    site.publish(ELEVENTH)
    (entry,) = entries_of(write(site))
    assert sorted(rows_of(entry)) == [
        "2016-11-0833+0", "Canada (CA)03+3", "United States (US)30\N{MINUS SIGN}3"
    ]  # fmt: skip


def test_the_headline_says_what_was_published_first(storm: Publisher) -> None:
    text = text_of(write(storm))
    assert (
        "The figure of 8 November 2016 was first published as 100 on 9 November 2016 at 06:00,"
        " preliminary with 2 of 5 sources; it was restated to 251 on 12 November 2016 at 06:00."
    ) in text


def test_a_hostile_reason_stays_text(storm: Publisher) -> None:
    html = write(storm)
    assert "img" not in Page(html).tags
    assert "\\x1b[31m\\u202e.log" in html
    assert not re.search("[\x1b\u202e]", html)


@pytest.mark.large
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


@pytest.mark.large
def test_older_restatements_are_folded_and_still_older_ones_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Publisher(tmp_path)
    for number in range(7):
        site.deliver(f"web0{number}.log", US=1)
        site.build()
        site.publish(f"2016-12-0{number + 1}T06:00:00-05:00")
    monkeypatch.setattr(restated, "MOST_RESTATEMENTS", 5)
    section = section_of(write(site))
    shown, folded = section.split("<details>")
    assert shown.count('<div class="restatement">') == 3
    assert "7 December 2016 at 06:00" in shown
    assert "2 earlier restatements" in folded
    assert folded.count('<div class="restatement">') == 2
    assert "1 still earlier one is not shown" in folded


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
