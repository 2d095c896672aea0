"""A number that is said in several places is one constant: in the page, in SQL and in the docs."""

import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest
from report_pages import text_of
from restated_lakes import Publisher

from pipeline.build.gaps import FALSE_GAPS_A_DAY, LEAST_GAP_MINUTES
from pipeline.build.tenures import RETIRED_AFTER_DAYS
from pipeline.definitions import (
    ASSET_PATH,
    ASSET_SUFFIXES,
    CENSORED_SHARE,
    DEFINITIONS_VERSION,
    HINDSIGHT_DAYS,
    KEPT_OF_LONG_LINE,
    LEAST_HISTORY_DAYS,
    LEVEL_DAYS,
    MAX_LINE_BYTES,
    NO_COUNTRY,
    ROBOT_PREFIX_CHARS,
    ROBOTLIKE,
)
from pipeline.enrich.clients import MOST_CHARACTERS, MOST_HOPS
from pipeline.enrich.robots import LISTS
from pipeline.lake.zone import open_lake
from pipeline.report import rendering
from pipeline.report.accounting import report_settings
from pipeline.report.page import make_page
from pipeline.settings import Settings
from pipeline.surges import finished_hours
from pipeline.surges.baseline import LEVEL_HALF_LIFE_DAYS
from pipeline.surges.episodes import (
    ALARM_PROBABILITY,
    ALARM_PROBABILITY_AT_FIRST,
    ALARM_PROBABILITY_IN_FIRST_WEEKS,
    DATED_BACK_DAYS,
    FIRST_DAYS,
    GOING_ON_AGAIN_PROBABILITY,
    GOING_ON_PEAK_SHARE,
    GOING_ON_PROBABILITY,
    LEAST_EXCESS,
    LEAST_SESSIONS,
    RELEASED_AFTER_DAYS,
)

DOCS = Path(__file__).parents[2] / "docs"
DEFINITIONS = (DOCS / "definitions.md").read_text()
DEFAULTS = Settings.model_fields


@pytest.fixture
def site(tmp_path: Path) -> Publisher:
    site = Publisher(tmp_path)
    site.deliver("web01.log", US=3)
    site.build()
    return site


def write(site: Publisher) -> str:
    return text_of(
        make_page(open_lake(site.settings.lake), report_settings(site.settings, datetime.now(UTC)))
    )


def test_the_page_says_what_the_detector_does(site: Publisher) -> None:
    said = write(site)
    assert f"a weighted level of the last {LEVEL_DAYS} days" in said
    assert f"once {LEAST_HISTORY_DAYS} earlier days" in said
    assert f"below 1 in {1 / ALARM_PROBABILITY:,.0f} (" in said
    assert f"No day had {CENSORED_SHARE * 100:g} % or more" in said
    assert f"got {ROBOTLIKE['least_pages']} pages or more" in said


def test_the_page_takes_them_from_the_constants(
    site: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LEVEL_DAYS": 77, "LEAST_HISTORY_DAYS": 9, "CENSORED_SHARE": 0.125}.items():
        monkeypatch.setattr(rendering, name, value)
    monkeypatch.setattr(rendering, "environment", rendering.environment.__wrapped__)  # as anew
    said = write(site)
    assert "of the last 77 days" in said
    assert "once 9 earlier days" in said
    assert "No day had 12.5 % or more" in said


def section(title: str) -> str:
    """The text below a heading of the definitions, its lines joined."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", DEFINITIONS, re.MULTILINE | re.DOTALL)
    return " ".join(text.split())


def test_the_definitions_are_those_of_the_code() -> None:
    assert re.findall(r"This is version (\d+) of the definitions", DEFINITIONS) == [
        str(DEFINITIONS_VERSION)
    ]
    (suffixes,) = re.findall(r"that ends in ([^,]+), or is `(.+?)`", section("Asset"))
    assert (tuple(suffixes[0].split()), suffixes[1]) == (ASSET_SUFFIXES, ASSET_PATH)
    rule = section("Robot-like").partition("After [Wikimedia")[0]
    assert set(map(int, re.findall(r"\b\d+\b", rule))) == set(ROBOTLIKE.values())
    said = {
        "Line": f"A line over {MAX_LINE_BYTES // 1024**2} MiB is rejected (`too_long`), its first"
        f" {KEPT_OF_LONG_LINE // 1024} KiB kept",
        "Client": f"At most {MOST_HOPS} addresses and {MOST_CHARACTERS // 1024} KiB of a header",
        "Robot": f"The first {ROBOT_PREFIX_CHARS} characters are looked at",
        "Session": f"more than {DEFAULTS['session_timeout_minutes'].default} minutes",
        "Country": f"are `{NO_COUNTRY}`.",
        "What a day counts": f"on which {CENSORED_SHARE * 100:g} % of the requests",
        "Exactly once": f"when {DEFAULTS['overlap_least_lines'].default} of them are different",
    }
    for title, words in said.items():
        assert words in section(title)


def test_the_definitions_name_the_lists_in_use() -> None:
    for package in LISTS:
        major_and_minor = ".".join(version(package).split(".")[:2])
        assert re.search(rf"{package} {re.escape(major_and_minor)}\b", section("Robot"))


def page_of(name: str) -> str:
    """The text of a page of the docs, its lines joined."""
    return " ".join((DOCS / name).read_text().split())


def test_completeness_has_the_numbers_of_the_build() -> None:
    page = page_of("understand/completeness.md")
    for words in (
        f"has not come for more than {RETIRED_AFTER_DAYS} days is taken as retired",
        f"it lasts at least {LEAST_GAP_MINUTES} minutes and",
        f"fewer than one false gap in {1 / FALSE_GAPS_A_DAY:,.0f} days",
        f"{CENSORED_SHARE * 100:g} % of the requests or more ended in a 5xx",
    ):
        assert words in page


def test_hindsight_and_restatements_are_told_as_they_are() -> None:
    for name in ("definitions.md", "how-to/why.md", "understand/surges.md"):
        assert f"over for {HINDSIGHT_DAYS} days" in page_of(name)
    share = DEFAULTS["restatement_alert_share"].default
    assert f"more than {share * 100:g} % (`restatement_alert_share`)" in page_of("how-to/alerts.md")


def test_how_surges_are_found_has_the_numbers_of_the_detector() -> None:
    page = page_of("understand/surges.md")
    for words in (
        f"the last {LEVEL_DAYS} days, with a half-life of {LEVEL_HALF_LIFE_DAYS}",
        f"At least {LEAST_HISTORY_DAYS} days are needed",
        f"below 1 in {1 / ALARM_PROBABILITY:,.0f} (1 in {1 / ALARM_PROBABILITY_AT_FIRST:,.0f} in",
        f"first {FIRST_DAYS} days of history, which tell",
        f"1 in {1 / ALARM_PROBABILITY_IN_FIRST_WEEKS:,.0f} until weekdays",
        f"with {LEAST_SESSIONS:g} sessions or more, and {LEAST_EXCESS:g} or more above the",
        f"below {GOING_ON_PROBABILITY * 100:g} in 100 (1 in {1 / GOING_ON_AGAIN_PROBABILITY:g}",
        f"more than {GOING_ON_PEAK_SHARE * 100:g} % of its highest day's",
        f"back by up to {DATED_BACK_DAYS} days",
        f"After {RELEASED_AFTER_DAYS} days what has lasted",
        f"of up to {finished_hours.HISTORY_DAYS} days before",
        f"with {finished_hours.LEAST_SESSIONS:g} sessions or more, and",
        f"and {finished_hours.LEAST_EXCESS:g} or more above the expected. 24 hours",
    ):
        assert words in page
