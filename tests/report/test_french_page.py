"""The page, the index and Airflow's tab in French, and no English sentence in them."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from french_texts import find_english
from lake_fixtures import Site
from report_lakes import make_storm
from restated_lakes import make_restated_storm

from pipeline.orchestration.tab import answer
from pipeline.settings import load_settings

NOW = datetime(2016, 11, 12, 20, 30, tzinfo=UTC)
READ = (
    r"<style>.*?</style>",
    r"<code>.*?</code>",
    r'<(?!html)(\w+)[^>]* lang="en".*?</\1>',
    r'href="data:[^"]*"',
    r"Farrington.*?2013",
)
"""What is no French and is not to be: styles, what somebody else wrote, and the method's papers."""


def read(html: str) -> str:
    """All that a person sees or is read of a page."""
    for pattern in READ:
        html = re.sub(pattern, " ", html, flags=re.DOTALL)
    said = " ".join(re.findall(r'(?:aria-label|title)="([^"]*)"', html))
    return f"{re.sub('<[^>]+>', ' ', html)} {said}"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_storm(tmp_path_factory.mktemp("storm"))


@pytest.mark.large
def test_the_page_and_the_index_are_french(lake: Path) -> None:
    site = Site(lake.parent)
    site.run("report", "--geo", "geo", "--lang", "fr", "--out", "fr.html")
    html = (lake.parent / "fr.html").read_text()
    assert '<html lang="fr">' in html
    assert find_english(read(html)) == []
    assert "<code>Firefox, ordinateur</code>" in html
    assert "États-Unis\u00a0: 200 sessions le 10 novembre 2016, 10,0 fois le nombre" in html
    site.run("report", "--geo", "geo", "--all", "--out", "all", env={"TIDEGAUGE_LANGUAGE": "fr"})
    for page in sorted((lake.parent / "all").iterdir()):
        assert find_english(read(page.read_text())) == []
    site.run("report", "--geo", "geo", "--lang", "en", "--out", "en.html")
    english = read((lake.parent / "en.html").read_text())
    assert len(find_english(english)) > 200, "what looks for English finds it"


def test_why_has_french_numbers_and_names_what_is_none(lake: Path) -> None:
    table = Site(lake.parent).run("why", "--lang", "fr").out
    assert re.search("type d.agent +Firefox, ordinateur +200 +20,0 ", table)
    assert re.search(r"site référent +\(aucun\) +200 ", table)
    assert "1 agents" not in table
    rows = Site(lake.parent).run("why", "--lang", "fr", "--format", "csv").out
    assert ',kind of agent,"Firefox, desktop",200,20.0' in rows
    assert ",referring site,,200,20.0" in rows


@pytest.mark.large
def test_what_was_restated_is_french(tmp_path: Path) -> None:
    made = make_restated_storm(tmp_path)
    made.site.run("report", "--lang", "fr", "--out", "fr.html")
    text = read((made.site.folder / "fr.html").read_text())
    assert find_english(text) == []
    assert "fichiers tardifs\u00a0: " in text


@pytest.mark.parametrize("page", ["", "days"])
def test_the_tab_speaks_the_language_of_its_url(lake: Path, page: str) -> None:
    settings = load_settings(lake=lake, geo=lake.parent / "geo")
    french = answer(lambda: settings, page, {"lang": "fr", "country": "US"}, NOW)
    assert french.status == 200
    assert '<html lang="fr">' in french.html
    assert '<option value="fr" lang="fr" selected>' in french.html
    assert find_english(read(french.html)) == []
    assert "lang=fr" in french.html
    assert '<html lang="en">' in answer(lambda: settings, page, {"lang": "xx"}, NOW).html


def test_what_is_refused_says_so_in_french_and_why_in_english(lake: Path) -> None:
    settings = load_settings(lake=lake, geo=lake.parent / "geo", language="fr")
    refused = answer(lambda: settings, "", {"country": "Atlantis"}, NOW)
    assert refused.status == 404
    assert "Rien à afficher" in refused.html
    assert '<p class="lede" lang="en">' in refused.html
