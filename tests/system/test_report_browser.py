"""The report in a real browser: hostile lakes run nothing, load nothing, and fit a phone."""

from pathlib import Path

import pytest
from lake_fixtures import Site
from playwright.sync_api import Browser
from report_lakes import PATH, make_hostile, make_storm
from report_pages import (
    CHROMIUM,
    browser,  # noqa: F401 a fixture
    open_page,
)
from restated_lakes import make_restated_storm

from pipeline.lake.zone import open_lake
from pipeline.report.accounting import report_settings
from pipeline.report.page import make_page, write_report

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
    return found


def test_a_hostile_lake_runs_no_script_and_loads_nothing(
    browser: Browser, reports: dict[str, Path]
) -> None:
    """No dialog, no request, no complaint of the policy: nothing even tried."""
    page, events = open_page(browser, reports["hostile"])
    assert events == []
    assert page.locator("script, img, image, a, iframe, object, embed, foreignObject").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
        ".filter(name => name.startsWith('on') || name.endsWith('href'))"
    ) == []  # fmt: skip
    assert page.locator("code", has_text=PATH).count() == 1
    assert page.title() == "unknown place, Tidegauge report"  # such a country is none
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["hostile", "storm"])
def test_the_page_fits_a_phone_and_a_desk(
    browser: Browser, reports: dict[str, Path], name: str, width: int
) -> None:
    """No sideways scrolling of the page, one drawing of each chart, its text legible."""
    page, _ = open_page(browser, reports[name], width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    shown = page.locator("figure svg:visible")
    assert shown.count() == 4
    sizes = page.evaluate(
        "[...document.querySelectorAll('figure svg text')].map(t => t.getBoundingClientRect())"
        ".filter(box => box.width).map(box => box.height)"
    )
    assert len(sizes) > 20
    assert min(sizes) >= 10
    page.close()


def test_the_style_applies_and_charts_have_words(
    browser: Browser, reports: dict[str, Path]
) -> None:
    """The policy lets the page's own style in; every chart has a description; tables have heads."""
    page, _ = open_page(browser, reports["storm"])
    assert page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
    stroke = "getComputedStyle(document.querySelector('[stroke=\"var(--observed)\"]')).stroke"
    assert page.evaluate(stroke) == "rgb(18, 85, 127)"
    for label in page.locator("[role=img]").all():
        assert len(label.get_attribute("aria-label") or "") > 40
    assert page.locator("table:not(:has(caption)), table:not(:has(th[scope=col]))").count() == 0
    page.close()


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = make_restated_storm(tmp_path_factory.mktemp("restated"))
    lake, how = open_lake(site.settings.lake), report_settings(site.settings)
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
