"""The part of an ingest and a build that engines of others do in one question.

Run by ``benchmarks/bench.py``, a process each: ``peers.py chdb|polars LOG FOLDER``. Combined lines
become columns in Parquet, and sessions of an address and a user agent (30 minutes, days of Toronto)
are counted a day. Neither looks for odd lines, places, robots, repeated lines or what is missing.
"""

import sys
from pathlib import Path

ZONE = "America/Toronto"
CHDB = """
INSERT INTO FUNCTION file('{hits}', Parquet)
WITH splitByChar('"', line) AS part, splitByChar(' ', part[1]) AS before,
    splitByChar(' ', part[2]) AS request, splitByChar(' ', part[3]) AS behind
SELECT before[1] AS client, toUnixTimestamp(parseDateTimeOrNull(
        substring(before[4], 2), '%d/%b/%Y:%H:%i:%s', 'UTC')) AS ts,
    request[1] AS method, request[2] AS path, request[3] AS protocol,
    toUInt16OrZero(behind[2]) AS status, toUInt64OrZero(behind[3]) AS size,
    part[4] AS referrer, part[6] AS agent
FROM file('{log}', LineAsString);
SELECT toDate(ts, '{zone}') AS day, count() FROM (
    SELECT ts, lagInFrame(ts) OVER (PARTITION BY client, agent ORDER BY ts) AS previous
    FROM file('{hits}', Parquet) WHERE ts IS NOT NULL)
WHERE previous IS NULL OR ts - previous > 1800 GROUP BY day ORDER BY day
"""
LINE = (
    r'^(?P<client>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<method>\S+) (?P<path>\S+)'
    r' (?P<protocol>[^"]+)" (?P<status>\d+) (?P<size>\S+) "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"'
)


def ask_chdb(log: Path, hits: Path) -> str:
    """ClickHouse in a process."""
    import chdb  # noqa: PLC0415 one of the two is installed beside

    said = ""
    for question in CHDB.format(log=log, hits=hits, zone=ZONE).split(";"):
        said = str(chdb.query(question, "CSV"))
    return said


def ask_polars(log: Path, hits: Path) -> str:
    """Polars, streaming."""
    import polars as pl  # noqa: PLC0415

    lines = pl.scan_csv(
        log, separator="\x01", quote_char=None, has_header=False, new_columns=["line"]
    )
    fields = pl.col("line").str.extract_groups(LINE).struct.unnest()
    lines.select(fields).with_columns(
        pl.col("time").str.to_datetime("%d/%b/%Y:%H:%M:%S %z"),
        pl.col("status").cast(pl.UInt16),
        pl.col("size").cast(pl.UInt64, strict=False),
    ).sink_parquet(hits)
    ts, visitor = pl.col("time"), ["client", "agent"]
    rows = pl.scan_parquet(hits).filter(ts.is_not_null()).select(*visitor, ts).sort(ts)
    gap = ts.diff().over(visitor)
    begun = rows.filter(gap.is_null() | (gap > pl.duration(minutes=30)))
    days = begun.group_by(ts.dt.convert_time_zone(ZONE).dt.date().alias("day")).len().sort("day")
    return days.collect(engine="streaming").write_csv(include_header=False)


if __name__ == "__main__":
    peer, log, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    ask = {"chdb": ask_chdb, "polars": ask_polars}[peer]
    print(ask(log.absolute(), folder.absolute() / "hits.parquet"), end="")
