"""Take the picture of a report that the README shows: its headline and chart.

    python docs/screenshot.py demo/report.html docs/images/report.png

Needs Chromium (Debian: chromium-headless-shell) and the development tools (`make install-dev`).
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium-headless-shell"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
WIDTH, MARGIN = 1280, 24
THE_REST = "header :not(h1, h1 *), main > section:not(:first-of-type), figure ~ *"


def take_picture(report: Path, picture: Path) -> None:
    """Write the headline and the chart of ``report`` as a PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": 900}, color_scheme="light", bypass_csp=True
        )
        page.goto(report.resolve().as_uri())
        page.add_style_tag(content=f"{THE_REST} {{ display: none !important }}")
        chart = page.locator("main > section").first.bounding_box()
        if chart is None:
            raise SystemExit(f"{report} has no chart")
        page.screenshot(
            path=picture,
            full_page=True,
            clip={
                "x": chart["x"] - MARGIN,
                "y": 0,
                "width": chart["width"] + 2 * MARGIN,
                "height": chart["y"] + chart["height"] + MARGIN,
            },
        )
        browser.close()


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]), Path(sys.argv[2]))
