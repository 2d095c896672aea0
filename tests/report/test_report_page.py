"""The command `report`: what the page says of real lakes, and that nothing can be put into it."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import VISITOR_KEY, Tidegauge
from lake_fixtures import Site
from report_lakes import (
    CANADA,
    FILE,
    PATH,
    STATES,
    day_lines,
    line,
    make_hostile,
    make_lake,
    make_storm,
)
from report_pages import VOID, Page, text_of

from pipeline.days import ALL_DAYS, Span
from pipeline.lake.zone import open_lake
from pipeline.language import Language
from pipeline.orchestration.nightly import check_built
from pipeline.report.accounting import report_settings
from pipeline.report.page import make_page
from pipeline.settings import load_settings

ALLOWED = (
    "html head meta title style body header main footer section p h1 h2 h3 strong em span code"
    " ul li i dl dt dd div figure details summary table caption thead tbody tr th td"
    " svg g path rect circle text a"
)
NOON = datetime.fromisoformat("2016-11-01T16:00:00+00:00")


Report = Callable[..., str]


@pytest.fixture
def report() -> Report:
    """Make the page of a lake."""

    def run(lake: Path, country: str | None = None, span: Span = ALL_DAYS) -> str:
        settings = load_settings(lake=lake, geo=lake.parent / "geo")
        return make_page(
            open_lake(settings.lake), report_settings(settings, datetime.now(UTC)), country, span
        )

    return run


def days_shown(html: str) -> list[str]:
    """The days of the country's history, one by one."""
    section = html.split('id="history"')[1].split("</section>", maxsplit=1)[0]
    return re.findall(r'<span class="day">([0-9-]+)</span>', section)


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_storm(tmp_path_factory.mktemp("storm"))


def test_a_surge_is_the_headline(report: Report, storm: Path) -> None:
    """Country, peak, expectation, all countries' surges, accounting and caveats are said."""
    text = text_of(report(storm))
    assert "United States: 200 sessions on 10 November 2016, 10.0 times what was expected" in text
    assert "sessions from 2 countries" in text
    assert "local days of America/Toronto" in text
    assert "A U.S. address is not an American" in text
    assert "Counts under a crash are a lower bound" in text
    assert "780 log lines from 1 file, every line accounted for" in text
    assert "GeoLite2-Country, built on 1 January 2003" in text
    assert "imulated" not in text
    assert "Nothing is missing of any day" in text
    assert "at least" not in text.split("What these figures do not say")[0]


@pytest.mark.large
def test_a_surge_on_an_incomplete_day_is_at_least(report: Report, tmp_path: Path) -> None:
    """Without web02 on the peak day, and a tenth of its requests failing: headline, chart, list."""
    folder = tmp_path / "site"
    lines = []
    for n in range(12):
        day = NOON + timedelta(n)
        lines += day_lines(CANADA, day, 30) + day_lines(STATES, day, 200 if n == 9 else 20)
        if n != 9:
            more = day_lines(CANADA, day + timedelta(hours=5), 30)
            path = folder / "raw" / f"web02-{n}.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(more))
    failing = [text.replace('" 200 ', '" 503 ') for text in lines if "10/Nov" in text][:30]
    lines = [text for text in lines if text.replace('" 200 ', '" 503 ') not in failing] + failing
    html = report(make_lake(folder, lines))
    text = text_of(html)
    assert (
        "United States: at least 200 sessions on 10 November 2016, at least 10.0 times what" in text
    )
    assert "Logs are missing of 10 November 2016: the surge has at least this size" in text
    assert "its 2 servers usually write is there (1 whole)" in text
    assert "web02: nothing of this day" in text
    assert "Nothing is missing of 11 of 12 days" in text
    assert (
        "On 10 November 2016 the server answered 13.0 % of all requests (robots left out)" in text
    )
    assert (
        "Logs are missing of 10 November 2016. Visitors were turned away on 10 November 2016."
        in html
    )
    assert html.count("at least: 5 % or more of requests") == 1
    assert Page(html).tags <= set(ALLOWED.split()) | VOID


@pytest.mark.large
def test_a_surge_under_a_crash_is_at_least_everywhere(report: Report, tmp_path: Path) -> None:
    """No log is missing, a tenth of the requests failed: report, figure and its JSON, verify."""
    lines = []
    for n in range(12):
        day = NOON + timedelta(n)
        sessions = day_lines(CANADA, day, 30) + day_lines(STATES, day, 200 if n == 9 else 20)
        lines += [
            text.replace('" 200 ', '" 503 ') if n == 9 and place < 30 else text
            for place, text in enumerate(sessions)
        ]
    lake = make_lake(tmp_path / "site", lines)
    text = text_of(report(lake))
    assert "United States: at least 200 sessions on 10 November 2016, at least 10.0 times" in text
    assert "Preliminary." not in text
    assert "Logs are missing" not in text
    assert "13.0 % of all requests (robots left out) with an error of its own" in text
    assert "was answered 5xx." not in text
    assert "visitors were turned away on one (5 % or more of the requests" in text
    site = Site(lake.parent)
    asked = ["--day", "2016-11-10", "--country", "US", "--format", "json"]
    (figure,) = json.loads(site.run("figure", *asked, "--geo", "geo").out)
    assert figure["expectation"]["is_at_least"] is True
    assert ": at least 200 sessions where" in figure["text"]
    (surge,) = json.loads(site.run("surges", "--format", "json").out)
    assert surge["is_at_least"] is True
    site.run("verify", "--geo", "geo")


@pytest.mark.rest_large
@pytest.mark.parametrize("zone", ["America/Toronto", "UTC"])
def test_a_lake_of_one_day_claims_no_judgement_and_no_country_without_a_session(
    report: Report, tmp_path: Path, zone: str
) -> None:
    """Canada visits, the States send a robot, others have no country; clocks change or do not."""
    lines = [
        *day_lines(CANADA, NOON, 3),
        *day_lines(STATES, NOON, 2, agent="Googlebot/2.1"),
        *day_lines("10.0.0", NOON, 4),
    ]
    lake = make_lake(tmp_path / "site", lines, zone=zone)
    text = text_of(report(lake))
    assert "7 sessions from 1 country, 9 log lines" in text
    assert "Nothing was judged: a day is once 7 earlier days can serve" in text
    assert "no country had a day" not in text
    assert ("23 or 25 hours" in text) is (zone == "America/Toronto")
    settings = load_settings(
        lake=lake, geo=lake.parent / "geo", timezone=zone, visitor_key=VISITOR_KEY
    )
    assert check_built(settings, NOON.date(), [])["countries"] == 1


@pytest.mark.large
def test_the_same_lake_gives_the_same_bytes_anywhere(
    report: Report,
    tidegauge: Tidegauge,
    storm: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the clock nor the machine's own time zone is in the page; no draft stays."""
    out = tmp_path / "new" / "report.html"
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    done = tidegauge("report", "--lake", storm, "--geo", storm.parent / "geo", "--out", out)
    assert done.stdout.decode() == f"report: {out}\n"
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]
    assert out.read_text(encoding="utf-8") == report(storm)


def test_the_same_sessions_by_local_day_and_by_utc_day(report: Report, tmp_path: Path) -> None:
    """Three sessions at 22:00 in Toronto are tomorrow's in UTC."""
    evening, noon = datetime.fromisoformat("2016-11-10T03:00:00+00:00"), NOON + timedelta(8)
    lines = day_lines(CANADA, evening, 3) + [
        line(f"{CANADA}.{100 + n}", noon + timedelta(n)) for n in (-1, 0, 1)
    ]
    html = report(make_lake(tmp_path / "site", lines))
    row = re.search(r'class="day">2016-11-09</th>(<td.*?)</tr>', html.split('id="zone"')[1])
    assert row
    assert re.findall(r">([^<>]+)</td>", row[1]) == ["4", "1", "\N{MINUS SIGN}3"]
    assert "9 November 2016 has 4 sessions by local day and 1 by UTC day" in text_of(html)


def test_another_country_can_be_asked_for(report: Report, storm: Path) -> None:
    """One without a surge says so."""
    assert "Canada: no surge in 12 days" in text_of(report(storm, "CA"))


def test_a_span_shows_its_days_alone(report: Report, storm: Path) -> None:
    """Its sessions, its surges, its countries; what the whole lake has is called so."""
    html = report(storm, "US", Span(date(2016, 11, 9), date(2016, 11, 11)))
    text = text_of(html)
    assert "9 to 11 November 2016, of 1 to 12 November 2016 in the lake" in text
    assert "United States: 200 sessions on 10 November 2016, 10.0 times what was expected" in text
    assert "These days: 3 days with hits, 330 sessions from 2 countries" in text
    assert "The whole lake: 780 log lines from 1 file" in text
    assert days_shown(html) == ["2016-11-09", "2016-11-10", "2016-11-11"]
    assert "UTC day lies in a local day that the lake does not have" not in text


@pytest.mark.large
def test_a_span_beside_a_surge_s_peak_says_where_it_was(report: Report, tmp_path: Path) -> None:
    """It is no span without a surge, though its own days are lower."""
    lines = []
    for n in range(12):
        surge = {9: 200, 10: 100}.get(n, 20)
        lines += day_lines(STATES, NOON + timedelta(n), surge)
    lake = make_lake(tmp_path / "site", lines)
    text = text_of(report(lake, "US", Span(date(2016, 11, 11))))
    assert "United States: up to 100 sessions a day in a surge that was highest on" in text
    assert "and 200 on its highest day, which is none of those shown here" in text


@pytest.mark.parametrize("wanted", ["us", "United States", "the united states"])
def test_a_country_is_known_by_its_name(storm: Path, tmp_path: Path, wanted: str) -> None:
    """In any case of letters, with its article or without."""
    out = tmp_path / "report.html"
    span = ("--from", "2016-11-01", "--to", "2016-11-04")
    Site(tmp_path).run("report", "--lake", storm, "--out", out, "--country", wanted, *span)
    assert "United States: 80 sessions in 4 days, too few" in text_of(out.read_text())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--country", "Atlantis"), "such as US, or a name, such as Germany"),
        (("--country", "FR"), "--country = 'FR': no hits from there; the lake has"),
        (
            ("--from", "2016-12-01"),
            "'2016-12-01 and later': no hits of these days; the lake has 2016-11-01 to 2016-11-12",
        ),
        (("--to", "2015-12-01"), "'to 2015-12-01': no hits of these days"),
        (("--from", "2016-11-02", "--to", "2016-11-01"), "that is after --to, 2016-11-01"),
    ],
)
def test_a_page_of_nothing_is_a_wrong_option(
    storm: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    """Exit 2, the option named, what the lake has, and no file left."""
    out = tmp_path / "report.html"
    done = Site(tmp_path).run("report", "--lake", storm, "--out", out, *options, code=2)
    assert said in done.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("out", "said"),
    [(".", "setting --out"), ("file/report.html", "report.html can't be written")],
)
def test_a_place_that_cannot_be_written_is_refused(
    storm: Path, tmp_path: Path, out: str, said: str
) -> None:
    """Exit 2 and the place named, without a traceback."""
    (tmp_path / "file").touch()
    assert said in Site(tmp_path).run("report", "--lake", storm, "--out", out, code=2).err


def test_the_page_says_why_and_what_was_known_when(report: Report, storm: Path) -> None:
    """The sentences of `why`, its drivers, and every publication of a day."""
    html = report(storm)
    text = text_of(html)
    said = Site(storm.parent).run("why").out.splitlines()
    assert said[1] in text.replace("\N{NO-BREAK SPACE}", " ")
    assert said[2] in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "By entry page" in text
    (links,) = ([link for link in Page(html).links if "dimension" in link],)
    assert len(links) == 1
    assert unquote(links[0]).count("\nUS,2016-11-10,") >= 5


def test_a_page_without_a_surge_asks_no_why(report: Report, storm: Path) -> None:
    """Nor has it a logarithmic scale: nothing is hidden."""
    html = report(storm, "CA")
    assert 'id="why"' not in html
    assert "logarithmic" not in html
    assert "logarithmic" in report(storm)


def test_an_empty_lake_says_what_to_do(report: Report, tmp_path: Path) -> None:
    """A lake without hits is a page too."""
    text = text_of(report(make_lake(tmp_path / "site", [])))
    assert "No day has been counted yet" in text
    assert "tidegauge ingest" in text


def test_an_unbuilt_lake_says_what_to_do(report: Report, tmp_path: Path) -> None:
    """Hits that were taken in but not counted are named."""
    (tmp_path / "a.log").write_text("\n".join(day_lines(CANADA, NOON, 2)))
    Site(tmp_path).ingest("a.log")
    text = text_of(report(tmp_path / "lake"))
    assert "The lake holds hits of 1 day that was not built" in text


def test_one_day_without_locations(report: Report, tmp_path: Path) -> None:
    """Too short to judge; everybody is ZZ, and no database was in force. No chart is empty."""
    lines = day_lines(CANADA, NOON, 3)
    html = report(make_lake(tmp_path / "site", lines, geo=False))
    text = text_of(html)
    assert "None of the requests of these hours was answered 5xx." in text
    assert "expected from its own history" not in text
    assert 'id="weekdays"' not in html
    assert "unknown place: 3 sessions in 1 day (preliminary), too few days to judge" in text
    assert "3 of 3 sessions (100.0 %) are from addresses" in text
    assert "none: nobody was located" in text


@pytest.mark.large
def test_a_long_lake_shows_the_days_about_the_surge(report: Report, tmp_path: Path) -> None:
    """Those are shown one by one, six weeks before to four after; all days in a thin line."""
    first = datetime.fromisoformat("2004-01-01T16:00:00+00:00")
    lines = []
    for n in range(130):
        lines += day_lines(STATES, first + timedelta(n), 60 if n == 60 else 1)
    html = report(make_lake(tmp_path / "site", lines))
    assert "United States: 60 sessions on 1 March 2004" in text_of(html)
    assert "All 130 days" in text_of(html)
    shown = days_shown(html)
    assert (shown[0], shown[-1], len(shown)) == ("2004-01-19", "2004-03-29", 42 + 1 + 28)


def test_a_missing_day_is_named_and_not_zero(report: Report, tmp_path: Path) -> None:
    """In a zone of half hours, too."""
    lines = [x for n in (0, 1, 3) for x in day_lines(CANADA, NOON + timedelta(n), 9)]
    html = report(make_lake(tmp_path / "site", lines, zone="Asia/Kolkata"))
    text = text_of(html)
    assert "Days without any hit: 3 November 2016." in text
    assert "2016-11-01 21:30+05:30" in text


def test_a_demo_lake_is_called_simulated_by_whoever_reports_on_it(
    report: Report, storm: Path, tmp_path: Path
) -> None:
    """The demo's mark beside the lake is enough."""
    (tmp_path / "lake").symlink_to(storm)
    assert "imulated" not in report(tmp_path / "lake")
    copy = tmp_path / "demo" / "lake"
    shutil.copytree(storm, copy)
    (copy.parent / ".tidegauge-demo").touch()
    html = report(copy)
    assert "<strong>Simulated data.</strong>" in html
    assert "<title>Simulated: United States" in html


@dataclass(frozen=True)
class Compared:
    """A figure as `storm.published` compares it."""

    said: str
    basis: str
    expected: float
    measured: float
    is_equal: bool

    def name(self, _: Language) -> str:
        """As it was given."""
        return self.said


def test_compared_figures_stand_side_by_side(storm: Path) -> None:
    """Published, measured, equal; and the page says that the data is simulated."""
    figures = [
        Compared("U.S., 9 Nov", "published", 742_915, 742_915, is_equal=True),
        Compared("<b>", "published", 43_877, 43_877.25, is_equal=False),
    ]
    settings = load_settings(lake=storm, geo=storm.parent / "geo")
    html = make_page(
        open_lake(settings.lake), report_settings(settings, datetime.now(UTC)), comparisons=figures
    )
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", html.split('id="published"')[1])
    assert cells[4:12] == [
        "U.S., 9 Nov", "742,915", "742,915", "yes", "&lt;b&gt;", "43,877", "43,877.25", "no",
    ]  # fmt: skip
    assert "Simulated data." in html
    assert "The Hill Times, 22 November 2016" in html


def test_nothing_in_a_log_becomes_html(report: Report, tmp_path: Path) -> None:
    """Hostile paths, referrers, agents, sources and file names stay text; that country is none."""
    html = report(make_hostile(tmp_path / "site"))
    page = Page(html)
    assert page.tags <= set(ALLOWED.split())
    assert {name for name in page.attributes if name.startswith("on")} == set()
    assert not page.attributes & {"src", "style", "srcdoc", "action", "xlink:href"}
    assert all(re.match("data:text/csv;charset=utf-8,[\\w%,:.~-]+$", link) for link in page.links)
    assert "unknown place: 200 sessions on 12 November 2016" in page.text
    assert PATH in page.text
    assert "<img" in page.text
    assert "~svg~onload~alert~7~~" in page.text  # a source is a name
    assert FILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e") in page.text
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", html
    )


def test_the_page_forbids_scripts_and_allows_its_own_style_alone(
    report: Report, storm: Path
) -> None:
    """The policy names the style sheet's hash, comes before it, and allows nothing else."""
    html = report(storm)
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert html.index(policy) < html.index("<style>")
    assert "http" not in re.sub("http-equiv", "", html)
