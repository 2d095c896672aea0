"""Reports in a browser, and their text."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from chromium import PATIENCE_MS, open_chromium
from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


def open_page(browser: Browser, path: Path, width: int = 1280) -> tuple[Any, list[str]]:
    """Open a report without letting anything else load; returns the page and what went wrong."""
    events: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.on("request", lambda request: events.append(f"request {request.url}"))
    page.on("dialog", lambda dialog: (events.append("dialog"), dialog.dismiss()))
    page.on("console", lambda message: events.append(f"console {message.text}"))
    page.on("pageerror", lambda error: events.append(f"error {error}"))
    page.goto(path.as_uri())
    page.wait_for_timeout(200)
    return page, [event for event in events if event != f"request {path.as_uri()}"]


VOID = {"input", "meta"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; a tag that is never closed is an error."""

    def __init__(self, html: str) -> None:
        """Read all of `html`."""
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its attributes."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [str(value) for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost tag, which must be this one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text, without the style sheet."""
        if "style" not in self.open:
            self.text += data


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", Page(html).text)
