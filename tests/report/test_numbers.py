"""A number that is said in several places is one constant: in the page, in SQL and in the docs."""

import re
from pathlib import Path

import pytest
from report_pages import text_of
from restated_lakes import Publisher

from pipeline.definitions import CENSORED_SHARE, ROBOTLIKE
from pipeline.report import page
from pipeline.report.page import write_report
from pipeline.surges.baseline import LEAST_HISTORY_DAYS, LEVEL_DAYS
from pipeline.surges.episodes import ALARM_PROBABILITY

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture
def site(tmp_path: Path) -> Publisher:
    site = Publisher(tmp_path)
    site.deliver("web01.log", US=3)
    site.build()
    return site


def write(site: Publisher) -> str:
    path = write_report(site.settings, site.site.folder / "r.html")
    return text_of(path.read_text(encoding="utf-8"))


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
        monkeypatch.setattr(page, name, value)
    said = write(site)
    assert "of the last 77 days" in said
    assert "once 9 earlier days" in said
    assert "No day had 12.5 % or more" in said


def test_readme_has_the_same_numbers() -> None:
    censored = re.search(r"`days\.is_censored` marks days with (\S+) % of requests refused", README)
    assert censored
    assert float(censored[1]) == CENSORED_SHARE * 100
    (rule,) = re.findall(r"^- \*\*Robot-like\*\*: (.+)", README, re.MULTILINE)
    said = set(map(int, re.findall(r"\b\d+\b", rule)))
    assert said == set(ROBOTLIKE.values()) - {ROBOTLIKE["many_pages_a_path"]}
