"""Stretches of visits that come in batches, in no order, are cut as those of all at once."""

import random
from datetime import UTC, date, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest

from pipeline.build import stretches
from pipeline.build.cut_sessions import cut_sessions
from pipeline.tables import HITS

NOON = datetime(2016, 11, 8, 12, tzinfo=UTC)
BUILT = date(2016, 11, 8)
TABLES = {
    "cut_sessions": "visitor_id, started_at",
    "visitors_of_hours": "visitor_id, day, hours_since_1969, country",
    "visitors_of_days": "visitor_id, day, country",
}


def make_hits(seed: int) -> list[dict[str, object]]:
    """Hits of few visitors of several countries, dense and sparse, many in one instant."""
    draw = random.Random(seed)
    step = draw.choice([1, 60, 600, 3000])
    visitors = draw.choice([1, 3])
    apart = draw.choice([1, 2**60 - 1])  # all among the same visitors, or each among others
    return [
        {
            "visitor_id": 2**64 - 1 - apart * draw.randrange(visitors),
            "ts": NOON + timedelta(seconds=step * draw.randrange(-60, 60)),
            "country": draw.choice(["CA", "CA", "NA"]),
            "status": draw.choice([200, 404, 500, None]),
            "bytes_sent": draw.choice([0, 7, None, 10**18 - 1]),
            "is_robot": draw.random() < 0.1,
            "is_asset": draw.random() < 0.1,
            "is_page": draw.random() < 0.5,
        }
        for _ in range(draw.randrange(120))
    ]


def cut(hits: list[dict[str, object]], at_once: int) -> dict[str, list[tuple[object, ...]]]:
    """The tables made of some hits, as rows in order."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", pa.Table.from_pylist(hits, HITS))
        connection.execute(
            "CREATE TABLE hits AS SELECT *, ts::DATE AS day, rowid AS row_no FROM"
            " (SELECT *, row_number() OVER () - 1 AS rowid FROM given)"
        )
        connection.execute(
            "CREATE TABLE days AS SELECT day, day = DATE '2016-11-08' AS is_built,"
            " day + 1 AS ends_at, CASE WHEN is_built THEN '1900-01-01' WHEN day < '2016-11-08'"
            " THEN '2016-11-07 23:30' ELSE '2200-01-01' END::TIMESTAMPTZ AS keep_from"
            " FROM (SELECT DISTINCT day FROM hits)"
        )
        cut_sessions(connection, 30, at_once)
        found = {}
        for name, order in TABLES.items():
            columns = "* EXCLUDE (first_row, last_row)" if name == "cut_sessions" else "*"
            rows = connection.execute(f"SELECT {columns} FROM {name} ORDER BY {order}")
            found[name] = rows.fetchall()
        ends = "SELECT * FROM cut_sessions WHERE NOT is_tied ORDER BY visitor_id, started_at"
        return found | {"untied": connection.execute(ends).fetchall()}


def sessions_by_hand(hits: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """Visitor, first and last instant, hits, pages, bytes and errors of each session of the day."""
    kept = [hit for hit in hits if not hit["is_robot"] and not hit["is_asset"]]
    found = []
    for visitor in {hit["visitor_id"] for hit in kept}:
        its = sorted((h for h in kept if h["visitor_id"] == visitor), key=lambda h: str(h["ts"]))
        cuts = [
            n for n, hit in enumerate(its)
            if n == 0 or hit["ts"] - its[n - 1]["ts"] > timedelta(minutes=30)  # type: ignore[operator]
        ]  # fmt: skip
        for start, end in zip(cuts, [*cuts[1:], len(its)], strict=True):
            session = its[start:end]
            if session[0]["ts"].date() == BUILT:  # type: ignore[attr-defined]
                found.append(
                    (
                        visitor, session[0]["ts"], session[-1]["ts"], len(session),
                        sum(bool(hit["is_page"]) for hit in session),
                        min(sum(hit["bytes_sent"] or 0 for hit in session), 2**63 - 1),  # type: ignore[misc]
                        sum((hit["status"] or 0) >= 500 for hit in session),  # type: ignore[operator]
                    )
                )  # fmt: skip
    return sorted(found)  # type: ignore[type-var]


@pytest.mark.parametrize("seed", range(25))
def test_batches_give_what_all_visits_give(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether visitors are divided, as many are, or not."""
    monkeypatch.setattr(stretches, "_FEW_VISITS", seed % 2 * 1_000_000)
    hits = make_hits(seed)
    whole = cut(hits, 1_000_000)
    assert [row[1:8] for row in whole["cut_sessions"]] == sessions_by_hand(hits)
    for at_once in (1, 5, 40):
        assert cut(hits, at_once) == whole
