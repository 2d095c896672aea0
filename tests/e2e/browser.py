"""Airflow's pages in a real browser, used as a person uses them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from chromium import PATIENCE_MS, open_chromium
from playwright.sync_api import Locator, Page
from standalone import Standalone


@contextmanager
def open_browser() -> Iterator[Page]:
    """A window of its own; nothing is remembered."""
    with open_chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-CA")
        page.set_default_timeout(PATIENCE_MS)
        yield page


def log_in(page: Page, airflow: Standalone) -> None:
    """Log in as the administrator, and open `tidegauge_nightly`."""
    page.goto(airflow.url)
    page.get_by_label("Username").fill("admin")
    page.locator("input[type=password]").fill(airflow.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "login" not in url)
    open_nightly(page, airflow)


def open_nightly(page: Page, airflow: Standalone) -> None:
    """Open the page of `tidegauge_nightly`; one must be logged in."""
    page.goto(f"{airflow.url}/dags/tidegauge_nightly")
    page.get_by_role("button", name="Trigger").wait_for()


def show_grid_alone(page: Page) -> None:
    """Give the grid the whole width, with the last 25 runs instead of 10."""
    page.get_by_role("button", name="Options").click()
    page.get_by_role("dialog").get_by_role("combobox").first.click()
    page.get_by_role("option", name="25", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Collapse Details Panel").click()


def choose_time_zone(page: Page, zone: str) -> None:
    """Choose the time zone that the pages show, by the clock at the left."""
    page.get_by_role("button", name=re.compile("^[+-][0-9]{2}:[0-9]{2}$")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").fill(zone)
    page.keyboard.press("Enter")
    dialog.get_by_text(f"Current time in {zone}").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")


def fill_backfill(page: Page, first: str, last: str, reprocess: str = "Missing Runs") -> Locator:
    """Trigger, Backfill: fill the form with days like 2016/11/01; returns it, not yet sent."""
    page.get_by_role("button", name="Trigger").click()
    page.get_by_role("dialog").get_by_text("Backfill", exact=True).click()
    form = page.get_by_role("dialog").filter(has_text="Run Backfill - tidegauge_nightly")
    for day, name in ((first, "From"), (last, "To")):
        form.get_by_text("Select date and time").first.click()
        # By its name: the one before may still be closing.
        field = page.get_by_role("textbox", name=name, exact=True).and_(
            page.locator('input[placeholder="YYYY/MM/DD"]:visible')
        )
        field.fill(day)
        field.press("Enter")
        page.keyboard.press("Escape")
    form.get_by_text(reprocess, exact=True).click()
    form.locator("input[name=max_active_runs]").fill("3")
    return form


def run_backfill(form: Locator, runs: int) -> None:
    """Send the form when it says how many runs there will be, and leave the page."""
    form.get_by_text(f"{runs} runs will be triggered.").wait_for()
    form.get_by_role("button", name="Run Backfill").click()
    form.wait_for(state="hidden")
    leave(form.page)


def leave(page: Page) -> None:
    """Leave Airflow's pages, which ask for news all the time."""
    page.goto("about:blank")
