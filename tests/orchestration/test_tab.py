"""The pages of Airflow's tab, asked for without Airflow."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from lake_fixtures import Site
from report_lakes import make_storm
from report_pages import Page, text_of

from pipeline.alerts.outbox import say_once
from pipeline.alerts.services import Alert, alert_settings
from pipeline.orchestration.tab import TabPage, answer
from pipeline.settings import Settings, load_settings

NOW = datetime(2016, 11, 12, 20, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_storm(tmp_path_factory.mktemp("storm"))


def settings_of(lake: Path) -> Callable[[], Settings]:
    return lambda: load_settings(lake=lake, geo=lake.parent / "geo")


def ask(lake: Path, page: str = "", **query: str) -> TabPage:
    return answer(settings_of(lake), page, query, NOW)


def read_tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_country_and_a_span_have_the_page_that_the_command_writes(storm: Path) -> None:
    """All that it says, with a form before it; links lead to the same span."""
    span = {"from": "2016-11-08", "to": "2016-11-11"}
    out = storm.parent / "report.html"
    options = ("--country", "US", "--from", span["from"], "--to", span["to"])
    Site(storm.parent).run("report", "--geo", "geo", *options, "--out", out)
    live = ask(storm, country="the united states", **span)
    assert live.status == 200
    main = re.compile("<main>.*</main>", re.DOTALL)
    assert text_of(main.search(live.html)[0]) == text_of(main.search(out.read_text())[0])
    links = {link for link in Page(live.html).links if not link.startswith("data:")}
    assert links == {
        "./?from=2016-11-08&to=2016-11-11&lang=en", "days?lang=en",
        "./?country=US&from=2016-11-08&to=2016-11-11&lang=en",
    }  # fmt: skip
    assert '<option value="US" selected>United States</option>' in live.html
    assert 'name="from" value="2016-11-08"' in live.html
    assert "form-action 'self'\">" in live.html


def test_without_a_country_it_is_the_index(storm: Path) -> None:
    page = ask(storm, country="", **{"from": "", "to": ""})
    assert page.status == 200
    assert "780 sessions from 2 countries, 1 surge" in text_of(page.html)
    assert {"./?country=CA&lang=en", "./?country=US&lang=en"} <= {*Page(page.html).links}
    assert page.html.count(" selected") == 1, "the language alone"


@pytest.mark.large
def test_each_day_leads_to_its_runs_and_says_what_is_stale_or_missing(tmp_path: Path) -> None:
    """Nights have the logical date 06:00 of their day; here clocks change on the sixth."""
    lake = make_storm(tmp_path)
    site = Site(tmp_path)
    more = site.write("late.log", (tmp_path / "raw" / "web01-access.log").read_bytes()[:-300])
    site.run("ingest", more, "--no-geo")
    page = ask(lake, "days")
    assert page.status == 200
    text = text_of(page.html)
    assert "Stale: " in text
    assert "No alert waits to be sent." in text
    links = [unescape(link) for link in Page(page.html).links]
    assert (
        "../dags/tidegauge_nightly/runs?logical_date_gte=2016-11-06T04%3A00%3A00Z"
        "&logical_date_lte=2016-11-07T05%3A00%3A00Z"
    ) in links
    assert links.count("../dags/tidegauge_nightly") == 13  # twelve days, and how it is done
    few = ask(lake, "days", **{"from": "2016-11-11"})
    assert re.findall(r'aria-label="Runs of (.*?)"', few.html) == ["2016-11-12", "2016-11-11"]


def test_alerts_that_no_service_took_wait_without_their_passwords(storm: Path) -> None:
    urls = "json://me:secret@127.0.0.1:1"
    settings = load_settings(lake=storm, geo=storm.parent / "geo", alert_urls=urls)
    news = [Alert("A surge", "Of which this says more.")]
    say_once(alert_settings(settings), "x", NOW.date(), lambda _: (news, {"said": 1}))
    page = answer(lambda: settings, "days", {}, NOW)
    text = text_of(page.html)
    assert "alerts to be sent" in text
    assert "1 alert since 2016-11-12" in text
    assert "secret" not in page.html


@pytest.mark.clock
def test_todays_hours_are_those_of_now(storm: Path) -> None:
    """The same rows as the command's, the last hour first."""
    order = ("now", "--as-of", "2016-11-12T15:30", "--format", "json")
    rows = json.loads(Site(storm.parent).run(*order).out)
    assert len({row["hour"] for row in rows}) > 10
    html = ask(storm, "days").html
    today = html[html.index('id="today"') : html.index('id="waiting"')]
    cells = re.findall(r'<tr.*?class="day">(.*?)</th><td>.*?\((..)\).*?"n">([\d,]+)</td>', today)
    assert cells == [
        (row["hour"][11:16], row["country"], f"{row['sessions']:,}") for row in reversed(rows)
    ]


@pytest.mark.large
def test_nothing_of_the_lake_is_written(storm: Path) -> None:
    before = read_tree(storm)
    assert {ask(storm, page).status for page in ("", "days")} == {200}
    assert ask(storm, country="US").status == 200
    assert read_tree(storm) == before


@pytest.mark.parametrize(
    ("status", "query", "sentence"),
    [
        (404, {"country": "FR"}, "no hits from there; the lake has US, CA"),
        (404, {"country": "<script>alert(1)</script>\x1b"}, "no hits from there"),
        (404, {"from": "2020-01-01"}, "no hits of these days"),
        (400, {"from": "yesterday"}, "write a date such as 2016-11-08"),
        (400, {"from": "2016-11-09", "to": "2016-11-08"}, "that is after to, 2016-11-08"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(
    storm: Path, status: int, query: dict[str, str], sentence: str
) -> None:
    page = ask(storm, **query)
    assert page.status == status
    assert sentence in text_of(page.html)
    assert Page(page.html).tags.isdisjoint({"script"})
    assert "\x1b" not in page.html


def test_without_a_lake_or_with_a_damaged_one_it_is_a_sentence(tmp_path: Path) -> None:
    for page in ("", "days"):
        none = ask(tmp_path / "none", page)
        assert (none.status, "no lake at" in text_of(none.html)) == (404, True)
    assert ask(tmp_path, "other").status == 404
    lake = make_storm(tmp_path)
    for part in lake.rglob("*.parquet"):
        part.write_bytes(b"PAR1")
    damaged = ask(lake)
    assert (damaged.status, "damaged" in text_of(damaged.html)) == (500, True)


def test_a_wrong_setting_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGAUGE_SESSION_TIMEOUT_MINUTES", "soon")
    page = answer(load_settings, "", {}, NOW)
    assert page.status == 500
    assert "session_timeout_minutes" in text_of(page.html).lower()
