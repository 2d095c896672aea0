"""`compare`: its figures are those of a lake that was really built under the other setting."""

import re
from collections.abc import Sequence
from typing import Any
from unittest import mock

import crawleruseragents
import numpy as np
import pytest
from compare_sites import (
    DAYS,
    assert_agrees,
    assert_surges_agree,
    compare,
    make_lake,
    python_rules,
    sessions_of,
    state_of,
    surges_of,
    write_databases,
    write_raw,
)
from crawlerdetect import CrawlerDetect
from lake_fixtures import Site

from pipeline.enrich import robots

RULES = "# checkers\n\nMyChecker\n^check .*y{100}\n(?i)CURL\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with its databases and a built lake."""
    made = Site(tmp_path_factory.mktemp("compare"))
    write_databases(made.folder)
    write_raw(made)
    (made.folder / "rules.txt").write_text(RULES)
    made.run("ingest", "raw")
    made.run("build")
    return made


def test_the_site_has_what_the_comparisons_need(site: Site) -> None:
    """A surge of the U.S. is in the lake, and sessions cross every midnight."""
    assert surges_of(site) >= {(f"2016-11-{day:02}", "US") for day in (9, 10, 11)}
    starts = {row["started_at"].date() for row in site.rows("sessions")}
    assert len(starts) == 15  # in UTC


@pytest.mark.rest_large
@pytest.mark.parametrize("minutes", ["15", "30", "61"])
def test_timeout_agrees_with_a_lake_built_under_it(minutes: str, site: Site) -> None:
    """Sessions and surges are exactly those of a lake with that timeout; 30 changes nothing."""
    other = make_lake(site, f"timeout-{minutes}", session_timeout_minutes=minutes)
    rows, done = compare(site, "--timeout", minutes)
    assert {row["variant"] for row in rows} == {f"timeout {minutes}"}
    assert_agrees(rows, site, other, DAYS)
    assert_surges_agree(rows, site, other)
    assert any(row["difference"] for row in rows) == (minutes != "30")
    assert f"timeout {minutes}: counted in " in done.err


@pytest.mark.large
@pytest.mark.parametrize(
    "zone", ["UTC", "Asia/Kathmandu", "America/Vancouver", "Pacific/Kiritimati"]
)
def test_zone_agrees_with_a_lake_of_that_zone(zone: str, site: Site) -> None:
    """Days of another zone are counted exactly; the one that the lake has a part of is left out."""
    other = make_lake(site, f"zone-{zone[:5].replace('/', '')}", timezone=zone)
    rows, done = compare(site, "--timezone", zone)
    is_behind = zone == "America/Vancouver"
    assert_agrees(rows, site, other, DAYS[:-1] if is_behind else DAYS[1:])
    partial = DAYS[-1] if is_behind else DAYS[0]
    assert f"timezone {zone}: {partial} left out: some of its hours are of" in done.err
    assert any(row["difference"] for row in rows)


LISTS: dict[str, Any] = {
    "none": lambda _: False,
    "crawlerdetect": lambda agent: CrawlerDetect().is_crawler(agent),
    "crawler-user-agents": crawleruseragents.is_crawler,
}


@pytest.mark.large
@pytest.mark.parametrize("given", [*LISTS, "rules.txt"])
def test_robots_agree_with_a_lake_made_by_them(given: str, site: Site) -> None:
    """Other lists give the figures of a lake whose hits were told apart by them."""
    patterns = python_rules(site.folder / "rules.txt")
    is_robot = LISTS.get(given, lambda agent: any(p.search(agent) for p in patterns))

    def match(agents: Sequence[str]) -> Any:
        return np.array([bool(is_robot(agent)) for agent in agents], np.bool_)

    with mock.patch.multiple(robots, match_lists=match, _FEW=0):
        other = make_lake(site, f"robots-{given}")
    rows, _ = compare(site, "--robots", given)
    assert {row["variant"] for row in rows} == {f"robots {given}"}
    assert_agrees(rows, site, other, DAYS)
    assert_surges_agree(rows, site, other)
    assert any(row["difference"] for row in rows)


def test_both_lists_are_those_of_the_lake(site: Site) -> None:
    """`both` tells robots apart as ingest does: nothing changes."""
    rows, _ = compare(site, "--robots", "both")
    assert_agrees(rows, site, site, DAYS)


@pytest.mark.large
@pytest.mark.parametrize("by", ["file", "day"])
def test_database_agrees_with_a_lake_located_by_it(by: str, site: Site) -> None:
    """Another database, by file or by build date, gives the figures of a lake located by it."""
    other = make_lake(site, f"places-{by}", geo="later")
    asked = {"file": ("--geo-database", "later/later.mmdb"),
             "day": ("--geo-built", "2016-12-07", "--geo", "later")}  # fmt: skip
    rows, done = compare(site, *asked[by])
    assert {row["variant"] for row in rows} == {"geo maxmind 2016-12-07"}
    assert_agrees(rows, site, other, DAYS)
    assert_surges_agree(rows, site, other)
    assert {row["country"] for row in rows if row["difference"]} == {"US", "CA", "FR", "DE", "ZZ"}
    assert re.search(r"10 raw files \(\d.\d MB\) are read again into a temporary lake", done.err)


@pytest.mark.large
def test_several_variants_stand_side_by_side(site: Site) -> None:
    """Each value is a variant of its own, in the options' order; one given twice counts once."""
    rows, _ = compare(site, "--robots", "none", "--timeout", "60", "--timeout", "15", "--timeout",
                      "60", "--timezone", "UTC")  # fmt: skip
    order = list(dict.fromkeys(row["variant"] for row in rows if row["day"] == DAYS[3]))
    assert order == ["timeout 60", "timeout 15", "timezone UTC", "robots none"]
    assert len(rows) == 6 * (4 * len(DAYS) - 1)
    alone, _ = compare(site, "--timeout", "15")
    assert [row for row in rows if row["variant"] == "timeout 15"] == alone


def test_only_the_days_asked_are_counted(site: Site) -> None:
    """--from and --to give the rows that all days give, but for the surges then."""
    every, _ = compare(site, "--timeout", "15", "--timezone", "UTC")
    rows, done = compare(
        site, "--timeout", "15", "--timezone", "UTC", "--from", DAYS[7], "--to", DAYS[9]
    )
    wanted = [row | {"is_surge_then": None} for row in every if DAYS[7] <= row["day"] <= DAYS[9]]
    assert rows == wanted
    assert "leave --from and --to out" in done.err
    assert "counting 3 days" in done.err


def test_five_largest_countries_are_shown_unless_asked(site: Site) -> None:
    """Without --country: all countries together, then those with most sessions."""
    done = site.run("compare", "--timeout", "15", "--format", "csv")
    countries = list(dict.fromkeys(line.split(",")[1] for line in done.out.splitlines()[1:]))
    assert countries == ["all", "US", "CA", "FR"]


def test_what_it_means_is_said_on_stderr(site: Site) -> None:
    """Sums, change and surges stand in sentences that agree with the rows."""
    rows, done = compare(site, "--timeout", "15")
    mine = [row for row in rows if row["country"] == "US"]
    now, then = (sum(row[name] for row in mine) for name in ("sessions", "sessions_then"))
    change = f"{100 * (then - now) / now:+.2f} %"
    assert f"timeout 15, US: {then:,} sessions instead of {now:,} on 14 days ({change})" in done.err
    flagged = [row["day"] for row in mine if row["is_surge_then"]]
    assert flagged[0] in done.err


@pytest.mark.large
def test_the_lake_and_the_raw_files_are_not_touched(site: Site) -> None:
    """Every kind of variant leaves every byte, inode, mode and mtime as it was."""
    before = state_of(site.folder)
    compare(site, "--timeout", "15", "--timezone", "UTC", "--robots", "none", "--robots",
            "rules.txt", "--geo-database", "later/later.mmdb")  # fmt: skip
    assert state_of(site.folder) == before


@pytest.mark.large
def test_little_memory_changes_nothing(site: Site) -> None:
    """Counted in several parts and batches, the figures are the same."""
    every, _ = compare(site, "--timeout", "15", "--robots", "rules.txt")
    with mock.patch("pipeline.compare.counting.HITS_PER_MB", 0.3):
        rows, _ = compare(site, "--timeout", "15", "--robots", "rules.txt")
    assert rows == every
    assert sessions_of(site)[DAYS[9], "all"] > 50
