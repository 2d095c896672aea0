"""`report --all`: an index of all countries, and a page of each."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from lake_fixtures import Site
from report_lakes import CANADA, STATES, day_lines, make_hostile, make_lake, make_storm
from report_pages import Page, text_of

NOON = datetime.fromisoformat("2016-11-01T16:00:00+00:00")


def write_all(lake: Path, *options: str) -> dict[str, str]:
    """The pages by their files' names."""
    folder = lake.parent / "pages"
    done = Site(lake.parent).run("report", "--geo", "geo", "--all", "--out", folder, *options)
    assert done.out == f"report: {folder / 'index.html'}\n"
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_storm(tmp_path_factory.mktemp("storm"))


def test_the_index_has_every_country_the_largest_excess_first(storm: Path) -> None:
    """Each with its small chart and its highest day; each links to its page, and that back."""
    pages = write_all(storm)
    assert set(pages) == {"index.html", "US.html", "CA.html"}
    text = text_of(pages["index.html"])
    assert "780 sessions from 2 countries, 1 surge" in text
    assert (
        "The largest surge was from addresses located in the United States, on 10 November 2016:"
        " 200 sessions"
    ) in text
    cards = re.findall("<li>\n<h3>(.*?)</li>", pages["index.html"], re.DOTALL)
    states, canada = (text_of(f"<h3>{card}").strip() for card in cards)
    assert states.startswith("United States (US)")
    assert (
        "180 above expectation in 1 surge, of 420 sessions; 200 sessions on 10 November 2016"
        in states
    )
    assert canada.startswith("Canada (CA)")
    assert "360 sessions; 30 sessions on 1 November 2016" in canada
    for name, html in pages.items():
        links = [link for link in Page(html).links if not link.startswith("data:")]
        assert {*links} <= {*pages}
        assert "index.html" in links or name == "index.html"


@pytest.mark.large
def test_a_page_of_all_is_the_page_of_one_with_links(storm: Path, tmp_path: Path) -> None:
    """The same facts and charts; alone it links nowhere."""
    alone = tmp_path / "CA.html"
    Site(storm.parent).run("report", "--geo", "geo", "--country", "CA", "--out", alone)
    html = alone.read_text(encoding="utf-8")
    assert all(link.startswith("data:") for link in Page(html).links)
    linked = re.sub("<nav.*?</nav>\n", "", write_all(storm)["CA.html"])
    assert re.sub('<a href="[A-Z]{2}.html">(.*?)</a>', r"\1", linked) == html


def test_a_span_has_the_countries_of_its_days(tmp_path: Path) -> None:
    lines = [*day_lines(CANADA, NOON, 3), *day_lines(STATES, NOON + timedelta(1), 2)]
    lake = make_lake(tmp_path / "site", lines)
    pages = write_all(lake, "--from", "2016-11-02", "--to", "2016-11-02")
    assert set(pages) == {"index.html", "US.html"}
    assert "2 sessions from 1 country, no surges" in text_of(pages["index.html"])


@pytest.mark.large
def test_files_are_named_by_codes_and_nothing_in_a_log_becomes_html(tmp_path: Path) -> None:
    """Whatever paths, sites, agents and files are called."""
    pages = write_all(make_hostile(tmp_path / "site"))
    assert all(re.fullmatch("([A-Z]{2}|index)[.]html", name) for name in pages)
    for html in pages.values():
        page = Page(html)
        assert not page.tags & {"script", "img", "svg/onload", "b", "iframe"}
        assert {name for name in page.attributes if name.startswith("on")} == set()


def test_a_lake_without_days_has_an_index_that_says_so(tmp_path: Path) -> None:
    pages = write_all(make_lake(tmp_path / "site", []))
    assert set(pages) == {"index.html"}
    assert "0 sessions from no known country" in text_of(pages["index.html"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--all", "--country", "US"), "give either --country or --all"),
        (("--all", "--out", "file"), "can't be written"),
    ],
)
def test_what_cannot_be_is_refused(
    storm: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / "file").touch()
    assert said in Site(tmp_path).run("report", "--lake", storm, *options, code=2).err
