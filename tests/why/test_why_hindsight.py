"""A surge that has been over for three weeks: what its table, ``why`` and ``figure`` say."""

import json
from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from conftest import build_databases
from lake_fixtures import Site
from report_lakes import day_lines

pytestmark = pytest.mark.large

FIRST = datetime.fromisoformat("2016-11-01T16:00:00+00:00")
SURGE = (10, 11)
DAYS = 33
LATER = (
    "How large it was is told anew, once, when it has been over for 21 days, from the days before"
    " and after it: its excess may change."
)
SENTENCE = "What is expected of it was told anew from the days before and after it."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Days of 18 to 22 sessions, two of 80 among them, then three weeks of 26 to 30."""
    folder = tmp_path_factory.mktemp("hindsight")
    (folder / "raw").mkdir()
    for n in range(DAYS):
        sessions = 80 if n in SURGE else 18 + n % 5 + (8 if n > SURGE[1] else 0)
        lines = day_lines("203.0.1", FIRST + timedelta(n), sessions)
        (folder / "raw" / f"web01-{n:02}.log").write_text("\n".join(lines))
    built = "2003-01-01T00:00:00+00:00"
    networks = {"203.0.1.0/24": "FR"}
    build_databases(
        folder / "geo", [{"kind": "GeoLite2-Country", "built": built, "networks": networks}]
    )
    return Site(folder)


def build(site: Site, *files: str) -> dict[str, object]:
    zone = {"TIDEGAUGE_TIMEZONE": "America/Toronto"}
    site.run("ingest", *files, "--geo", "geo", env=zone)
    site.run("build", "--geo", "geo")
    [surge] = site.rows("surges")
    return surge


def ask(site: Site, *command: str) -> dict[str, object]:
    (answer,) = json.loads(site.run(*command, "--format", "json").out)
    return answer


def test_its_size_is_told_anew_and_said_so(site: Site) -> None:
    """Where the level has risen since, less is beyond it; each day's own expectation stands."""
    day = ("--day", "2016-11-12", "--country", "FR")
    first = build(site, *(f"raw/web01-{n:02}.log" for n in range(DAYS - 1)))
    expected = site.rows("expected")
    assert (first["in_hindsight"], SENTENCE in ask(site, "why")["why"]) == (False, False)
    assert ask(site, "why")["may_change"] == LATER
    assert LATER in " ".join(site.run("why").out.split())

    surge = build(site, f"raw/web01-{DAYS - 1}.log")
    assert surge["in_hindsight"] is True
    assert surge["expected"] > 1.1 * first["expected"]
    assert (surge["observed"], surge["excess"]) == (160, pytest.approx(160 - surge["expected"]))
    assert site.rows("expected")[: len(expected)] == expected

    why = ask(site, "why")
    assert (why["in_hindsight"], why["excess"]) == (True, pytest.approx(surge["excess"]))
    assert why["why"].startswith(SENTENCE)
    assert why["may_change"] is None
    sums = defaultdict(float)
    for row in why["drivers"]:
        sums[row["dimension"]] += row["excess"]
    assert len(sums) > 1
    assert list(sums.values()) == pytest.approx([surge["excess"]] * len(sums), abs=0.001)
    of_day = ask(site, "why", *day)
    assert (of_day["in_hindsight"], SENTENCE in of_day["why"]) == (False, False)

    figure = ask(site, "figure", *day, "--geo", "geo")["expectation"]
    assert (figure["in_hindsight"], figure["surge_expected"]) == (True, surge["expected"])
    assert SENTENCE in " ".join(site.run("figure", *day, "--geo", "geo").out.split())
    site.run("verify", "--geo", "geo")
