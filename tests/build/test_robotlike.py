"""Robots by behaviour: the rule at its edges, the setting both ways, and where both show."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest
from compare_sites import ask, assert_agrees, compare, make_lake
from conftest import build_database
from lake_fixtures import Site, make_line
from oracle.databases import Databases
from oracle.lake import read_lake
from oracle.robotlike import robotlike_days
from oracle.tables import COLUMNS, count_files, read_file, visits_of
from oracle.visits import Visit
from verify_lakes import places_of, resign

TORONTO = ZoneInfo("America/Toronto")
NOON = datetime(2016, 11, 8, 17, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:49.0) Firefox/49.0"
DROP: dict[str, str | None] = {"TIDEGAUGE_DROP_ROBOTLIKE": "true"}
DAYS = ["2016-11-08", "2016-11-09"]


def write_line(at: datetime, client: str, path: str, agent: str = BROWSER, **kind: Any) -> bytes:
    """A request of one client."""
    return make_line(f"{at:%d/%b/%Y:%H:%M:%S} +0000", client, f"GET {path} HTTP/1.1", agent, **kind)


def browse(
    client: str, count: int, seconds: float, kinds: int = 1000, agent: str = BROWSER, *,
    start: datetime = NOON, also: str = "",
) -> list[bytes]:  # fmt: skip
    """A visitor's pages, the last ``seconds`` after the first, of so many kinds; then one more."""
    lines = [
        write_line(
            start + timedelta(seconds=round(seconds * n / max(count - 1, 1))), client,
            f"/{n % kinds}", agent,
        )
        for n in range(count)
    ]  # fmt: skip
    return lines + ([write_line(start, client, also, agent)] if also else [])


EDGES: dict[str, tuple[bool, dict[str, Any]]] = {
    "800 pages": (False, {"count": 800, "seconds": 3600}),
    "801 pages": (True, {"count": 801, "seconds": 3600}),
    "29 pages in a second": (False, {"count": 29, "seconds": 1}),
    "30 pages in a second": (True, {"count": 30, "seconds": 0}),
    "30 a minute": (True, {"count": 33, "seconds": 66}),
    "under 30 a minute": (False, {"count": 33, "seconds": 67}),
    "9 pages of a short agent": (False, {"count": 9, "seconds": 3600, "agent": "x" * 24}),
    "10 pages of a short agent": (True, {"count": 10, "seconds": 3600, "agent": "x" * 24}),
    "agent of 25": (False, {"count": 10, "seconds": 3600, "agent": "x" * 25}),
    "25 characters of two bytes": (False, {"count": 10, "seconds": 3600, "agent": "\u00e9" * 25}),
    "24 characters of two bytes": (True, {"count": 10, "seconds": 3600, "agent": "\u00e9" * 24}),
    "agent of 400": (False, {"count": 10, "seconds": 3600, "agent": "x" * 400}),
    "agent of 401": (True, {"count": 10, "seconds": 3600, "agent": "x" * 401}),
    "100 pages of one kind": (False, {"count": 100, "seconds": 3600, "kinds": 1}),
    "101 pages of 20 kinds": (True, {"count": 101, "seconds": 3600, "kinds": 20}),
    "105 pages of 21 kinds": (False, {"count": 105, "seconds": 3600, "kinds": 21}),
    "106 pages of 21 kinds": (True, {"count": 106, "seconds": 3600, "kinds": 21}),
    "101 of one kind, an asset": (
        False, {"count": 101, "seconds": 3600, "kinds": 1, "also": "/style.css"},
    ),
    "101 of one kind, robots.txt": (
        True, {"count": 101, "seconds": 3600, "kinds": 1, "also": "/Robots.txt"},
    ),
}  # fmt: skip
CLIENTS = {name: f"192.0.2.{number}" for number, name in enumerate(EDGES, 1)}


def draw_lines(rng: random.Random) -> Iterator[bytes]:
    """Visitors of two days whose counts lie about the thresholds, some over midnight."""
    for number in range(60):
        client, agent = f"198.51.100.{number}", rng.choice([BROWSER, "A" * rng.choice([24, 25])])
        for _ in range(rng.choice([1, 1, 2])):
            start = datetime(2016, 11, 8, 5, tzinfo=UTC) + timedelta(
                seconds=rng.choice([0, 86_000, 86_390, rng.randrange(150_000)])
            )
            count = rng.choice([3, 9, 10, 11, 29, 30, 31, 99, 101, 110])
            seconds = rng.choice([0, 10, 59, 61, count * 2, count * 2 - 2, 3000])
            yield from browse(
                client, count, seconds, rng.choice([1, 20, 21, 22, 300]), agent, start=start,
                also=rng.choice(["", "", "/a.css", "/robots.txt"]),
            )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A lake of all edges and of drawn visitors, built with the default setting."""
    made = Site(tmp_path_factory.mktemp("robotlike"))
    (made.folder / "geo").mkdir()
    networks = {"192.0.2.0/24": "US", "198.51.100.0/25": "CA", "198.51.100.128/25": "FR"}
    built = "2016-11-01T00:00:00+00:00"
    build_database(made.folder / "geo" / "a.mmdb", "GeoLite2-City", built, networks)
    edges = [line for name, (_, how) in EDGES.items() for line in browse(CLIENTS[name], **how)]
    made.write("web01.log", b"".join(edges))
    made.write("web02.log", b"".join(draw_lines(random.Random(3))))
    made.run("ingest", "raw")
    made.run("build")
    return made


@pytest.fixture(scope="module")
def dropping(site: Site) -> Site:
    """The same raw logs in a lake built with the setting on."""
    return make_lake(site, "dropping", drop_robotlike="true")


@pytest.fixture(scope="module")
def visits(site: Site) -> list[Visit]:
    """Return every hit of the site as the oracle reads it."""
    databases = Databases(site.folder / "geo", TORONTO)
    try:
        files = [read_file(path) for path in sorted((site.folder / "raw").iterdir())]
        return [visit for file in files for visit in visits_of(file, TORONTO, databases)]
    finally:
        databases.close()


@pytest.mark.parametrize("name", EDGES)
def test_the_rule_at_its_edges(name: str, site: Site, visits: list[Visit]) -> None:
    """One page, second, character or path more or less decides, and the oracle agrees."""
    own = [visit for visit in visits if visit.hit.client == CLIENTS[name]]
    assert bool(robotlike_days(own)) == EDGES[name][0]
    (visitor,) = {visit.visitor for visit in own}
    agent, paths = visitor.split("\0")[1], {visit.hit.path for visit in own}
    rows = [
        row
        for row in site.rows("sessions")
        if row["user_agent"] == agent
        and row["country"] == "US"
        and row["pages"] == sum(visit.is_page for visit in own)
        and {row["entry_path"], row["exit_path"]} <= paths
    ]
    assert EDGES[name][0] in {row["is_robotlike"] for row in rows}


def test_every_session_is_judged_as_by_the_oracle(site: Site) -> None:
    """All columns of all sessions are the oracle's; many are robot-like and many are not."""
    raw = sorted((site.folder / "raw").iterdir())
    by_oracle = count_files(raw, TORONTO, site.folder / "geo")
    by_lake = read_lake(site.lake)
    assert sorted(by_lake.sessions, key=repr) == sorted(by_oracle.sessions, key=repr)
    at = COLUMNS["sessions"].index("is_robotlike")
    judged = [row[at] for row in by_lake.sessions]
    assert min(judged.count(True), judged.count(False)) > 20


def test_a_visitor_is_judged_by_the_day_its_session_starts(tmp_path: Path) -> None:
    """40 pages in two seconds, 20 on each side of midnight, are on neither day 30.

    1 page before it and 10 after it by a short agent: the session from before it is not
    robot-like, the one that starts after it is, and the visitor counts on the first day alone.
    """
    site = Site(tmp_path)
    midnight = datetime(2016, 11, 9, 5, tzinfo=UTC)
    ago, then = (midnight - timedelta(seconds=1), midnight)
    split = browse("192.0.2.1", 20, 0, start=ago) + browse("192.0.2.1", 20, 0, start=then)
    late = browse("192.0.2.2", 1, 0, agent="short", start=ago)
    late += browse("192.0.2.2", 9, 0, agent="short", start=then)
    later = browse("192.0.2.2", 1, 0, agent="short", start=then + timedelta(hours=5))
    site.ingest(site.write("web01.log", b"".join(split + late + later)))
    site.run("build", env=DROP)
    rows = sorted((row["hits"], row["is_robotlike"]) for row in site.rows("sessions"))
    assert rows == [(1, True), (10, False), (40, False)]
    daily = [(row["sessions"], row["visitors"], row["pages"]) for row in site.rows("daily")]
    assert daily == [(2, 2, 21), (0, 1, 20)]
    site.run("verify", env=DROP)


def count_without(visits: list[Visit]) -> dict[tuple[date, str], tuple[int, int]]:
    """Visitors and pages by day and country without robot-like visitors, by the oracle."""
    left_out = robotlike_days(visits)
    kept = [visit for visit in visits if (visit.day, visit.visitor) not in left_out]
    keys = {(visit.day, visit.country) for visit in visits}
    return {
        key: (
            len({v.visitor for v in kept if (v.day, v.country) == key and v.is_in_session}),
            sum(v.is_page for v in kept if (v.day, v.country) == key),
        )
        for key in keys
    }


def test_the_setting_leaves_their_sessions_visitors_and_pages_out(
    site: Site, dropping: Site, visits: list[Visit]
) -> None:
    """Daily and hourly lose exactly theirs; hits, bytes, errors and sessions' rows stay."""
    columns = "day, country, hits, robot_hits, bytes_sent, errors"
    for table in ("daily", "hourly"):
        same = f"SELECT {columns} FROM {table} ORDER BY ALL"
        assert ask(site, same) == ask(dropping, same)
    assert site.rows("sessions") == dropping.rows("sessions")
    kept = "SELECT day, country, count(*) AS sessions FROM sessions WHERE NOT is_robotlike"
    wanted = {(r["day"], r["country"]): r["sessions"] for r in ask(site, f"{kept} GROUP BY ALL")}
    counted = count_without(visits)
    daily = ask(dropping, "SELECT * FROM daily")
    for row in daily:
        assert row["sessions"] == wanted.get((row["day"], row["country"]), 0)
        key = date.fromisoformat(row["day"]), row["country"]
        assert (row["visitors"], row["pages"]) == counted[key]
    (hours,) = ask(dropping, "SELECT sum(sessions) AS sessions, sum(pages) AS pages FROM hourly")
    assert hours == {name: sum(row[name] for row in daily) for name in hours}


@pytest.mark.large
def test_both_lakes_are_proved_and_pass_their_checks(site: Site, dropping: Site) -> None:
    """`verify` finds nothing under the setting that a lake was built with."""
    for one, env in ((site, None), (dropping, DROP)):
        site.run("verify", "--lake", one.lake, env=env)
        for check in ("daily", "hourly", "sessions"):
            path = Path(__file__).parents[2] / "sql" / "checks" / f"{check}.sql"
            done = site.run("sql", "-f", path, "--lake", one.lake, "--format", "json")
            assert json.loads(done.out) == []


@pytest.mark.rest_large
@pytest.mark.parametrize("damage", ["sessions", "daily", "hourly"])
def test_verify_finds_what_the_rule_does_not_say(damage: str, site: Site, tmp_path: Path) -> None:
    """A verdict turned round, and figures with and without robot-like visitors exchanged."""
    make_lake(site, str(tmp_path / "lake"), drop_robotlike="true")
    copy = Site(tmp_path)
    path = copy.lake / damage / "day=2016-11-08" / "part.parquet"
    if damage == "sessions":
        table = pq.ParquetFile(path).read()
        column = table.column_names.index("is_robotlike")
        values = table["is_robotlike"].to_pylist()
        values[5] = not values[5]
        pq.write_table(table.set_column(column, "is_robotlike", [values]), path)
    else:
        kept = site.lake / damage / "day=2016-11-08" / "part.parquet"
        path.write_bytes(kept.read_bytes())
    resign(copy, path)
    done = site.run("verify", "--lake", copy.lake, "--format", "json", env=DROP, code=1)
    rows = json.loads(done.out)
    assert f"{damage}/day=2016-11-08/part.parquet" in places_of(rows)
    named = {"sessions": "is_robotlike is", "daily": "sessions is", "hourly": "counted anew"}
    assert any(named[damage] in row["finding"] for row in rows)


@pytest.mark.large
def test_another_setting_waits_and_leads_back_to_the_same_bytes(site: Site, dropping: Site) -> None:
    """It is named, waits for `--also settings`, and off again gives the first bytes again."""
    lake = make_lake(site, "both-ways")
    before = lake.hashes()
    where = ("build", "--lake", lake.lake)
    assert site.run(*where, env=DROP).out.startswith("built 0 days")
    explained = site.run(*where, "--explain", env=DROP).out
    assert explained.count("drop_robotlike is true, it was built with false") == 2
    site.run(*where, "--also", "settings", env=DROP)
    assert lake.hashes() == dropping.hashes() != before
    explained = site.run(*where, "--explain").out
    assert explained.count("drop_robotlike is false, it was built with true") == 2
    site.run(*where, "--also", "settings")
    assert lake.hashes() == before == site.hashes()


@pytest.mark.large
def test_compare_shows_the_setting_both_ways(site: Site, dropping: Site) -> None:
    """From either lake, the other's figures; the own ones change nothing."""
    rows, _ = compare(site, "--robotlike", "drop", "--robotlike", "keep", "--timezone", "UTC")
    by_variant = {
        name: [row for row in rows if row["variant"] == name]
        for name in ("robotlike drop", "robotlike keep")
    }
    assert_agrees(by_variant["robotlike drop"], site, dropping, DAYS)
    assert_agrees(by_variant["robotlike keep"], site, site, DAYS)
    assert any(row["difference"] < 0 for row in by_variant["robotlike drop"])
    rows, _ = compare(site, "--lake", dropping.lake, "--robotlike", "keep")
    assert_agrees(rows, dropping, site, DAYS)
    rows, _ = compare(site, "--lake", dropping.lake, "--timeout", "30")
    assert_agrees(rows, dropping, dropping, DAYS)
    utc = make_lake(site, "utc", timezone="UTC")
    kept = "SELECT count(*) AS n FROM sessions WHERE NOT is_robotlike AND day = '2016-11-09'"
    assert ask(utc, kept)  # a zone's days: the lake's verdicts, sorted into other days
    rows, _ = compare(site, "--lake", dropping.lake, "--timezone", "UTC")
    (total,) = [r for r in rows if (r["day"], r["country"]) == ("2016-11-09", "all")]
    by_utc = "SELECT count(*) AS n FROM sessions WHERE NOT is_robotlike"
    by_utc += " AND (started_at AT TIME ZONE 'UTC')::DATE = '2016-11-09'"
    assert total["sessions_then"] == ask(site, by_utc)[0]["n"]


def test_a_wrong_variant_or_value_is_refused(site: Site) -> None:
    """What would be right is named."""
    done = site.run("compare", "--robotlike", "maybe", code=2)
    assert "keep" in done.err
    assert "drop" in done.err
    done = site.run("build", env={"TIDEGAUGE_DROP_ROBOTLIKE": "perhaps"}, code=2)
    assert "drop_robotlike = 'perhaps'" in done.err


def tell(site: Site, lake: Site, day: str, country: str) -> tuple[str, Any]:
    """The paragraph of a figure, and the facts about robot-like visitors in its JSON."""
    args = ("figure", "--day", day, "--country", country, "--lake", lake.lake, "--format", "json")
    (facts,) = json.loads(site.run(*args).out)
    return facts["text"], facts["robotlike"]


def test_figure_says_whether_they_count(site: Site, dropping: Site) -> None:
    """How many there are and what was done with them, in one clause and as facts."""
    count = sum(is_robotlike for is_robotlike, _ in EDGES.values())
    said, facts = tell(site, site, "2016-11-08", "US")
    assert facts == {"sessions": count, "is_left_out": False}
    assert (
        "Robots that pose as browsers are counted as visitors, also those whose day looks like a"
        f" robot's ({count} sessions). Counted by"
    ) in said
    said, facts = tell(site, dropping, "2016-11-08", "US")
    assert facts == {"sessions": count, "is_left_out": True}
    assert (
        f"On 8 November 2016 the site counted at least {len(EDGES) - count} sessions from" in said
    )
    assert (
        f"Visitors whose day looks like a robot's are left out ({count} sessions); other robots"
        " that pose as browsers are counted as visitors. Counted by"
    ) in said
    said, facts = tell(site, site, "2016-11-08", "FR")
    assert facts == {"sessions": 0, "is_left_out": False}
    assert "none of these sessions is of one whose day looks like a robot's. Counted" in said


def test_report_says_whether_they_count(site: Site, dropping: Site) -> None:
    """Sessions of the country's highest day, how many are robot-like, and what was done."""
    count = sum(is_robotlike for is_robotlike, _ in EDGES.values())
    for lake, what in ((site, "They are counted."), (dropping, "They are left out of sessions,")):
        out = lake.lake.parent / f"{lake.lake.name}.html"
        site.run("report", "--lake", lake.lake, "--country", "US", "--out", out)
        text = " ".join(out.read_text().split())
        assert f"<strong>Robots by behaviour:</strong> {count} of {len(EDGES)} sessions" in text
        assert what in text


@pytest.mark.large
def test_days_of_an_earlier_version_are_not_judged(site: Site, tmp_path: Path) -> None:
    """Where a day's sessions lack the column it is null, and all else works."""
    lake = make_lake(site, str(tmp_path / "lake"))
    for day in DAYS:
        path = lake.lake / "sessions" / f"day={day}" / "part.parquet"
        whole = path.read_bytes()
        pq.write_table(pq.ParquetFile(path).read().drop_columns("is_robotlike"), path)
        with duckdb.connect(str(lake.lake / "tidegauge.duckdb"), read_only=True) as views:
            for other in DAYS:
                values = views.execute(
                    "SELECT bool_and(is_robotlike IS NULL) FROM sessions WHERE day = $1", [other]
                ).fetchall()
                assert values == [(other == day,)]
        said, facts = tell(site, lake, day, "US")
        assert facts is None
        assert "Robots that pose as browsers are counted as visitors. Counted by" in said
        path.write_bytes(whole)
