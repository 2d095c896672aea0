"""What `verify` counts in NumPy is what the SQL models give: on cases, drawn and real lines.

Sessions of the cases of `tests/sql`, drawn visits full of ties and gaps near the timeout, and the
hostile logs by the command; the cases of the definitions are proved where they are counted.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import build_default_databases
from lake_fixtures import Site
from oracle_cases import hostile_log
from sql_cases import (
    CASES,
    given_days,
    make_days,
    make_inputs,
    model_of,
    run_model,
    settings_of,
)
from verify_lakes import verify

from pipeline.build.stale import DERIVED
from pipeline.days import day_start
from pipeline.verify import recount as recounting
from pipeline.verify.day_proof import NO_HITS
from pipeline.verify.differences import find_difference
from pipeline.verify.recount import COUNTED, TEXTS, CountingRules, DayHits, Recount, recount_day
from pipeline.verify.sessions import referrer_host

KEY = b"k" * 16
ONE_DAY = timedelta(days=1)
TORONTO = ZoneInfo("America/Toronto")
CODE = pa.dictionary(pa.int32(), pa.string())


def day_hits(hits: pa.Table, day: date) -> DayHits:
    """The hits of one day as `verify` reads them: texts as dictionaries."""
    rows = hits.filter(pc.equal(hits["day"], pa.scalar(day, pa.date32()))).select(COUNTED)
    for name in TEXTS:
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].cast(CODE))
    return DayHits.join([DayHits.of(rows.cast(NO_HITS_SCHEMA))])


NO_HITS_SCHEMA = pa.schema(
    [(name, CODE if name in TEXTS else kind) for name, kind in (
        ("ts", pa.timestamp("us", "UTC")), ("source", CODE), ("visitor_id", pa.uint64()),
        ("country", CODE), ("subdivision", CODE), ("geo_built", pa.date32()), ("method", CODE),
        ("path", CODE), ("query", CODE), ("status", pa.int16()), ("bytes_sent", pa.int64()),
        ("referrer", CODE), ("user_agent", CODE), ("is_robot", pa.bool_()),
        ("is_asset", pa.bool_()), ("is_page", pa.bool_()), ("asn", pa.int64()), ("as_org", CODE),
    )]
)  # fmt: skip


def recount(
    hits: pa.Table, day: date, known: set[date], zone: ZoneInfo, minutes: int, *,
    drop_robotlike: bool = False,
) -> Recount:  # fmt: skip
    """Count one day anew; `known` are the days at hand."""
    rules = CountingRules(minutes, KEY, drop_robotlike)
    start, end = (
        round(day_start(each, zone).timestamp()) * 1_000_000 for each in (day, day + ONE_DAY)
    )
    before = day_hits(hits, day - ONE_DAY) if day - ONE_DAY in known else NO_HITS
    after = day_hits(hits, day + ONE_DAY) if day + ONE_DAY in known else NO_HITS
    return recount_day(
        before.tail(start - rules.timeout_us), day_hits(hits, day), after.visits, end, rules,
        geo_is_late=False,
    )  # fmt: skip


def by_sql(connection: duckdb.DuckDBPyConnection, model: str, day: date) -> pa.Table:
    """The rows of a day in the model's `result`, in the order that a build writes them in."""
    return (
        connection.execute(
            f"SELECT * EXCLUDE (day) FROM result WHERE day = $day ORDER BY {DERIVED[model]}",
            {"day": day},
        ).to_arrow_table()
    )  # fmt: skip


SESSION_CASES = [
    case for case in CASES if model_of(case) == "sessions" and not (case / "robotlike.csv").exists()
]
"""Those whose robot-like visitors are to be found in the hits, not given."""


@pytest.mark.rest_large
@pytest.mark.parametrize("case", SESSION_CASES, ids=lambda case: case.name)
def test_sessions_of_a_case_are_those_of_the_model(
    case: Path, database: duckdb.DuckDBPyConnection
) -> None:
    """Every column of every session of a case is the model's."""
    settings = settings_of(case)
    make_inputs(database, case)
    run_model(database, "sessions", settings, key=b"k")
    hits = database.execute("FROM hits").to_arrow_table()
    days = given_days(database, case)
    for day in (each["day"] for each in days if each["is_built"]):
        counted = recount(
            hits, day, {each["day"] for each in days}, ZoneInfo(settings["zone"]),
            settings["timeout_minutes"],
        )  # fmt: skip
        assert find_difference(by_sql(database, "sessions", day), counted.sessions) is None


def draw_hits(seed: int, zone: ZoneInfo, days: list[date], minutes: int) -> pa.Table:
    """Draw hits of few visitors: many share a second, gaps are about the timeout, most at night."""
    draw = np.random.default_rng(seed)
    start = round(day_start(days[0], zone).timestamp())
    end = round(day_start(days[-1] + ONE_DAY, zone).timestamp())
    rows: list[dict[str, Any]] = []
    for visitor in range(60):
        at = start + int(draw.integers(0, end - start))
        if draw.random() < 0.7:  # about a midnight
            at = round(day_start(days[int(draw.integers(1, len(days)))], zone).timestamp())
            at += int(draw.integers(-7200, 3600))
        country = str(draw.choice(["CA", "US", "NA"]))
        for _ in range(int(draw.integers(1, 80))):
            at += int(draw.choice([0, 0, 1, 300, minutes * 60 - 1, minutes * 60, minutes * 60 + 1]))
            if start <= at < end:
                country = str(draw.choice(["ZZ", "GB"])) if draw.random() < 0.02 else country
                rows.append(drawn_hit(draw, visitor, at, country, zone))
    order = draw.permutation(len(rows))
    return pa.Table.from_pylist([rows[place] for place in order], DRAWN)


def drawn_hit(
    draw: np.random.Generator, visitor: int, at: int, country: str, zone: ZoneInfo
) -> dict[str, Any]:
    """One hit of a visitor; every field that can be null is, now and then."""

    def one(*values: object) -> Any:
        return values[int(draw.integers(0, len(values)))]

    is_robot, is_asset = visitor % 10 == 9, one(False, False, False, True)
    return {
        "ts": datetime.fromtimestamp(at, UTC) + timedelta(microseconds=one(0, 0, 0, 1, 999_999)),
        "day": datetime.fromtimestamp(at, zone).date(),
        "source": one("web01", "web02"),
        "visitor_id": 2**64 - 1 - visitor if visitor % 2 else visitor,
        "country": country,
        "subdivision": one(None, "ON", "QC"),
        "geo_built": date(2016, 11, 3),
        "method": one("GET", "POST", None),
        "path": one("/a", "/b", "/a/", "/", None, "/\u00e9"),
        "query": one(None, "", "x=1", "x=10"),
        "status": one(200, 304, 404, 500, 503),
        "bytes_sent": one(None, 0, 5, 10**17, 999_999_999_999_999_999),
        "referrer": one(None, "http://a.example/", "HTTPS://B.example:8080/x", "ftp://c/", "/d"),
        "user_agent": f"Agent {visitor}".ljust(visitor % 3 * 20) if visitor % 7 else None,
        "is_robot": is_robot,
        "is_asset": is_asset,
        "is_page": not is_robot and not is_asset and one(True, False),
        "asn": one(None, 0, 64500),
        "as_org": one(None, "One", "Two"),
    }


DRAWN = pa.schema(
    [("day", pa.date32()), *(
        (field.name, pa.string() if field.name in TEXTS else field.type)
        for field in NO_HITS_SCHEMA
    )]
)  # fmt: skip


PLAIN = [date(2016, 11, 7) + n * ONE_DAY for n in range(4)]
OF_25_HOURS = [date(2016, 11, 5) + n * ONE_DAY for n in range(4)]
OF_23_HOURS = [date(2016, 3, 11) + n * ONE_DAY for n in range(4)]


@pytest.mark.large
@pytest.mark.parametrize(
    ("days", "minutes", "at_once"),
    [
        (PLAIN, 1, 10**6), (PLAIN, 30, 10**6), (PLAIN, 1440, 100),
        (OF_25_HOURS, 1440, 10**6), (OF_25_HOURS, 30, 100), (OF_23_HOURS, 30, 100),
    ],
)  # fmt: skip
def test_drawn_days_are_counted_as_by_the_models(
    days: list[date],
    minutes: int,
    at_once: int,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sessions, daily and hourly of drawn hits are the models' in every column and in order.

    Whether all visitors are taken at once or in parts.
    """
    monkeypatch.setattr(recounting, "VISITS_AT_ONCE", at_once)
    ties = left_out = 0
    for seed in range(4):
        hits = draw_hits(seed, TORONTO, days, minutes)
        numbered = hits.append_column("row_no", pa.array(range(len(hits)), pa.int64()))
        database.register("numbered", numbered)
        # A scan of Arrow refuses a filter by ids that no int64 can hold.
        database.execute("CREATE OR REPLACE TABLE hits AS FROM numbered")
        settings = {"zone": "America/Toronto", "timeout_minutes": minutes, "params": {}}
        make_days(
            database,
            [{"day": str(day), "is_built": True, "geo_is_late": False} for day in days],
            settings,
        )
        drop = bool(seed % 2)
        run_model(database, "robotlike", settings)
        database.execute("CREATE OR REPLACE TABLE robotlike AS FROM result")
        database.execute(f"CREATE OR REPLACE TABLE left_out AS FROM result WHERE {drop}")
        left_out += len(database.table("left_out"))
        run_model(database, "sessions", settings, key=b"k")
        stored = {"sessions": [by_sql(database, "sessions", day) for day in days]}
        database.execute("CREATE OR REPLACE TABLE sessions AS FROM result")
        for model in ("daily", "hourly"):
            run_model(database, model, settings)
            stored[model] = [by_sql(database, model, day) for day in days]
        database.execute("DROP TABLE sessions")
        for place, day in enumerate(days):
            counted = recount(hits, day, set(days), TORONTO, minutes, drop_robotlike=drop)
            for model, tables in stored.items():
                difference = find_difference(tables[place], getattr(counted, model))
                assert difference is None, (seed, day, model)
        seconds = hits.group_by(["visitor_id", "ts"]).aggregate([([], "count_all")])
        ties += pc.sum(pc.greater(seconds["count_all"], 1)).as_py()
    assert ties > 100
    assert left_out > 10 or minutes == 1440  # whose gaps leave few pages a day


def test_minutes_count_every_hit_of_each_source() -> None:
    """Robots and assets count; a minute without a hit has no row."""
    days = [date(2016, 11, 8)]
    hits = draw_hits(1, TORONTO, [date(2016, 11, 7), *days], 30)
    counted = recount(hits, days[0], set(days), TORONTO, 30).minutes
    today = hits.filter(pc.equal(hits["day"], pa.scalar(days[0], pa.date32())))
    wanted: dict[tuple[str, datetime], int] = {}
    for row in today.select(["source", "ts"]).to_pylist():
        key = row["source"], row["ts"].replace(second=0, microsecond=0)
        wanted[key] = wanted.get(key, 0) + 1
    found = [(row["source"], row["minute"], row["hits"]) for row in counted.to_pylist()]
    assert found == [(*key, wanted[key]) for key in sorted(wanted)]


@pytest.mark.parametrize(
    ("referrer", "host"),
    [
        ("http://U@Example.ORG:80/x", "example.org"), ("https://[2001:DB8::]:8/", "[2001:db8::]"),
        ("http://a@b@C/", "c"), ("HTTP://x?y/z", "x"), ("http://x#y", "x"), ("http:///x", None),
        ("http://[x/", None), ("//x/", None), ("httpx://x/", None), ("http://\u00c9X/", "\u00c9x"),
        ("http:/x/", None), ("http://:80/", None),
    ],
)  # fmt: skip
def test_host_of_a_referrer(referrer: str, host: str | None) -> None:
    """The host is that of an absolute http(s) URL, its ASCII in lower case."""
    assert referrer_host(referrer) == host


@pytest.mark.large
def test_lake_of_hostile_lines_is_proved(tmp_path: Path) -> None:
    """Nothing is found in a lake of lines made to be misread."""
    site = Site(tmp_path)
    build_default_databases(tmp_path / "geo")
    for number in range(2):
        site.write(f"web0{number}.log", hostile_log(number))
    site.run("ingest", "raw", "--geo", "geo")
    site.run("build", "--geo", "geo")
    assert verify(site, code=0) == []
