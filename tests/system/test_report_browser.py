"""The report in a real browser: hostile lakes run nothing, load nothing; who reads it how.

On a phone and on paper, in the dark, and with a screen reader.
"""

from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import CHROMIUM
from lake_fixtures import Site
from playwright.sync_api import Browser
from report_lakes import PATH, make_hostile, make_storm
from report_pages import (
    browser,  # noqa: F401 a fixture
    open_page,
)
from restated_lakes import make_restated_storm

from pipeline.lake.zone import open_lake
from pipeline.orchestration.tab import answer
from pipeline.report.accounting import report_settings
from pipeline.report.page import make_page
from pipeline.report.rendering import write_report
from pipeline.settings import load_settings

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Chromium at {CHROMIUM}")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports on a hostile lake and on an ordinary one."""
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    for name, make in (("hostile", make_hostile), ("storm", make_storm)):
        lake = make(folder / name)
        found[name] = folder / f"{name}.html"
        Site(lake.parent).run("report", "--geo", "geo", "--out", found[name])
    Site(lake.parent).run("report", "--geo", "geo", "--all", "--out", folder / "all")
    found["days"] = folder / "days.html"  # of the tab in Airflow's UI
    settings = load_settings(lake=lake, geo=lake.parent / "geo")
    tab = answer(lambda: settings, "days", {}, datetime(2016, 11, 12, 20, 30, tzinfo=UTC))
    found["days"].write_text(tab.html, encoding="utf-8")
    found["french"] = folder / "french.html"
    Site(lake.parent).run("report", "--geo", "geo", "--lang", "fr", "--out", found["french"])
    return found | {"index": folder / "all" / "index.html"}


def test_a_hostile_lake_runs_no_script_and_loads_nothing(
    browser: Browser, reports: dict[str, Path]
) -> None:
    """No dialog, no request, no complaint of the policy: nothing even tried."""
    page, events = open_page(browser, reports["hostile"])
    assert events == []
    assert page.locator("script, img, image, iframe, object, embed, foreignObject").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
        ".filter(name => name.startsWith('on') || name.endsWith(':href'))"
    ) == []  # fmt: skip
    assert page.locator("[href]:not(a[download][href^='data:text/csv;'])").count() == 0
    assert page.locator("code", has_text=PATH).count() >= 1
    assert page.title() == "unknown place, Tidegauge report"  # such a country is none
    page.close()


def test_hostile_logs_stay_text_in_airflows_tab(tmp_path: Path, browser: Browser) -> None:
    """Nothing runs and nothing is asked for, and no element is wider than a phone."""
    lake = make_hostile(tmp_path)
    settings = load_settings(lake=lake, geo=lake.parent / "geo")
    for name in ("", "days"):
        path = tmp_path / f"{name or 'index'}.html"
        tab = answer(lambda: settings, name, {}, datetime(2016, 11, 12, 20, 30, tzinfo=UTC))
        path.write_text(tab.html, encoding="utf-8")
        page, events = open_page(browser, path, width=390)
        assert events == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.close()


TOO_WIDE = """[...document.querySelectorAll('body *')].filter(e =>
    e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 0.5
    || getComputedStyle(e).overflowX != 'visible' && e.scrollWidth > e.clientWidth)
    .map(e => e.outerHTML.slice(0, 200))"""
"""What is wider than the screen or the paper, or has to be scrolled."""


@pytest.mark.parametrize("name", ["hostile", "storm", "index", "days", "french"])
@pytest.mark.parametrize(
    ("width", "media"), [(390, "screen"), (1280, "screen"), (688, "print"), (710, "print")]
)
def test_no_element_is_wider_than_a_phone_a_desk_or_paper(
    browser: Browser, reports: dict[str, Path], name: str, width: int, media: Literal["print"]
) -> None:
    """A4 and Letter less the margins; each chart is drawn once, its text legible."""
    page, _ = open_page(browser, reports[name], width)
    page.emulate_media(media=media)
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("figure svg:visible").count() >= (0 if name in ("index", "days") else 7)
    assert page.locator(".wide:visible").count() in (0, page.locator(".wide").count())
    sizes = page.evaluate(
        "[...document.querySelectorAll('figure svg text')].map(t => t.getBoundingClientRect())"
        ".filter(box => box.width).map(box => box.height)"
    )
    assert len(sizes) > 20 or name in ("index", "days")
    assert round(min(sizes, default=10), 2) >= 10  # what Chromium computes is 9.99997 at times
    page.close()


@pytest.mark.parametrize("name", ["hostile", "storm", "index", "days", "french"])
def test_a_screen_reader_finds_everything(
    browser: Browser, reports: dict[str, Path], name: str
) -> None:
    """Nothing that axe-core can see is wrong, contrast included, by day and by night."""
    page, _ = open_page(browser, reports[name])
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    for width, scheme in product((390, 1280), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, (width, scheme, found.generate_report())
    page.close()


def test_the_index_leads_to_each_country_and_back(
    browser: Browser, reports: dict[str, Path]
) -> None:
    page, events = open_page(browser, reports["index"])
    page.get_by_role("listitem").get_by_role("link", name="United States").click()
    assert "United States: 200 sessions" in page.locator("h1").inner_text()
    page.get_by_role("navigation").get_by_role("link", name="All countries").click()
    assert "2 countries, 1 surge" in page.locator("h1").inner_text()
    assert [event for event in events if not event.startswith("request file://")] == []
    page.close()


def test_the_numbers_behind_a_chart_are_a_file(browser: Browser, reports: dict[str, Path]) -> None:
    """A click keeps them, though the page may load nothing; no cell runs in a spreadsheet."""
    page, _ = open_page(browser, reports["storm"])
    with page.expect_download() as kept:
        page.get_by_role("link", name="All days as CSV").click()
    assert kept.value.suggested_filename == "US-days.csv"
    lines = kept.value.path().read_text().splitlines()
    columns = "country,day,observed,expected,upper,is_surge"
    assert lines[0] == f"{columns},share,is_preliminary,is_censored,is_future"
    assert len(lines) == 1 + 12
    assert lines[10].startswith("US,2016-11-10,200,20.")
    assert page.locator("a[download]").count() >= 8
    page.close()


def test_the_style_applies_and_charts_have_words(
    browser: Browser, reports: dict[str, Path]
) -> None:
    """The policy lets the page's own style in; every chart has a description; tables have heads."""
    page, _ = open_page(browser, reports["storm"])
    assert page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
    stroke = "getComputedStyle(document.querySelector('figure path.observed')).stroke"
    assert page.evaluate(stroke) == "rgb(18, 85, 127)"
    for label in page.locator("[role=img]").all():
        assert len(label.get_attribute("aria-label") or "") > 40
    assert page.locator("table:not(:has(caption)), table:not(:has(th[scope=col]))").count() == 0
    page.close()


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = make_restated_storm(tmp_path_factory.mktemp("restated"))
    lake, how = open_lake(site.settings.lake), report_settings(site.settings, datetime.now(UTC))
    return write_report(make_page(lake, how), site.site.folder / "r.html")


@pytest.mark.parametrize("width", [390, 1280])
def test_what_was_restated_fits_a_phone_and_a_desk(
    browser: Browser,
    restated: Path,
    width: int,
) -> None:
    """The page does not scroll sideways; first and last value are in sight at once."""
    page, events = open_page(browser, restated, width)
    assert events == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cells = page.locator("section[aria-labelledby=restated] tr:has(th[scope=row]) > .n:visible")
    right = [box["x"] + box["width"] for cell in cells.all() if (box := cell.bounding_box())]
    assert len(right) == 3 * 6
    assert max(right) <= width
    page.close()
