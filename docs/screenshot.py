"""Take the picture of a report that the README shows: its headline, chart and compared figures.

    python docs/screenshot.py demo/report.html docs/images/report.png

Needs Chromium and the development tools (`make install-dev`).
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
WIDTH, MARGIN = 1280, 24


def take_picture(report: Path, picture: Path) -> None:
    """Write the top of ``report``, to the end of its first table, as a PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        last = page.locator("main > section:nth-of-type(-n + 2)").last.bounding_box()
        if last is None:
            raise SystemExit(f"{report} has no sections")
        height = last["y"] + last["height"] + MARGIN
        page.screenshot(
            path=picture,
            full_page=True,
            clip={"x": 0, "y": 0, "width": WIDTH, "height": height},
        )
        browser.close()


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]), Path(sys.argv[2]))
