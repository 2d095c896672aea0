"""A campaign in a lake of ten countries: what the table, ``why``, ``figure`` and the page say."""

import json
from datetime import datetime, timedelta

import pytest
from conftest import build_databases
from lake_fixtures import Site
from report_lakes import day_lines

FIRST = datetime.fromisoformat("2016-11-01T16:00:00+00:00")
COUNTRIES = ("AU", "CA", "CH", "DE", "ES", "FR", "GB", "IT", "NZ", "US")
CAMPAIGN = 10
SENTENCE = (
    "The other countries rose alike, to 4.0 times what is expected of them: it is no surge of this"
    " country's own."
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Ten days of 18 to 22 sessions, then one of 80; from NZ 250."""
    folder = tmp_path_factory.mktemp("campaign")
    (folder / "raw").mkdir()
    lines = []
    for n in range(CAMPAIGN + 1):
        for number, country in enumerate(COUNTRIES):
            more = 250 if country == "NZ" else 80
            sessions = more if n == CAMPAIGN else 18 + (n + number) % 5
            lines += day_lines(f"203.0.{number}", FIRST + timedelta(n), sessions)
    (folder / "raw" / "web01-access.log").write_text("\n".join(lines))
    networks = {f"203.0.{number}.0/24": country for number, country in enumerate(COUNTRIES)}
    built = "2003-01-01T00:00:00+00:00"
    build_databases(
        folder / "geo", [{"kind": "GeoLite2-Country", "built": built, "networks": networks}]
    )
    site = Site(folder)
    site.run("ingest", "raw", "--geo", "geo", env={"TIDEGAUGE_TIMEZONE": "America/Toronto"})
    site.run("build", "--geo", "geo")
    return site


def test_every_country_has_its_surge_and_the_others_beside_it(site: Site) -> None:
    others = {row["country"]: row["others_ratio"] for row in site.rows("surges")}
    assert tuple(others) == COUNTRIES
    assert others.pop("NZ") is None
    assert list(others.values()) == pytest.approx([4.0] * 9, rel=0.05)


def test_why_and_figure_say_that_the_others_rose_alike(site: Site) -> None:
    """In JSON and in the sentence; not of the country that stands out, which comes first."""
    day = "2016-11-11"
    first, *alike = json.loads(site.run("why", "--day", day, "--format", "json").out)
    assert (first["country"], first["others_ratio"]) == ("NZ", None)
    assert "rose alike, to" not in first["why"]
    assert all(
        one["why"].startswith("The other countries rose alike, to 4.0 times") for one in alike
    )
    asked = ("figure", "--day", day, "--geo", "geo")
    said = site.run(*asked, "--country", "FR").out
    assert SENTENCE in " ".join(said.split())
    (figure,) = json.loads(site.run(*asked, "--country", "FR", "--format", "json").out)
    assert figure["expectation"]["others_ratio"] == pytest.approx(4.0, rel=0.05)
    (figure,) = json.loads(site.run(*asked, "--country", "NZ", "--format", "json").out)
    assert figure["expectation"]["others_ratio"] is None


def test_the_page_is_about_the_country_that_stands_out(site: Site) -> None:
    """Its own surge comes before larger ones of all; a country's page says which it is."""
    for country, is_alike in (("", False), ("DE", True)):
        asked: tuple[str, ...] = ("--country", country) if country else ()
        site.run("report", "--geo", "geo", "--out", "page.html", *asked)
        page = (site.folder / "page.html").read_text()
        assert ("The other countries rose alike" in page) == is_alike
        assert ("New Zealand" in page) or is_alike


def test_verify_finds_the_same(site: Site) -> None:
    site.run("verify", "--geo", "geo")
