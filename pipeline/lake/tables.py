"""The lake's tables: what each is called, its columns and their types."""

import pyarrow as pa

PARTITIONED = {
    "hits": "line_no BIGINT, ts TIMESTAMPTZ, source VARCHAR, client VARCHAR, visitor_id UBIGINT,"
    " country VARCHAR, subdivision VARCHAR, geo_built DATE, host VARCHAR, method VARCHAR,"
    " path VARCHAR, query VARCHAR, protocol VARCHAR, status SMALLINT, bytes_sent BIGINT,"
    " referrer VARCHAR, user_agent VARCHAR, duration_ms DOUBLE, is_robot BOOLEAN,"
    " is_asset BOOLEAN, is_page BOOLEAN, client_from VARCHAR",
    "rejects": "line_no BIGINT, line VARCHAR, reason VARCHAR",
    "sessions": "session_id UBIGINT, visitor_id UBIGINT, started_at TIMESTAMPTZ,"
    " ended_at TIMESTAMPTZ, hits BIGINT, pages BIGINT, bytes_sent BIGINT, errors BIGINT,"
    " entry_path VARCHAR, exit_path VARCHAR, referrer_host VARCHAR, country VARCHAR,"
    " subdivision VARCHAR, user_agent VARCHAR, is_robotlike BOOLEAN",
    "daily": "country VARCHAR, sessions BIGINT, visitors BIGINT, pages BIGINT, hits BIGINT,"
    " bytes_sent BIGINT, errors BIGINT, robot_hits BIGINT, geo_built DATE, geo_is_late BOOLEAN",
    "hourly": "hour TIMESTAMPTZ, country VARCHAR, sessions BIGINT, visitors BIGINT,"
    " pages BIGINT, hits BIGINT, bytes_sent BIGINT, errors BIGINT, robot_hits BIGINT",
    "minutes": "source VARCHAR, minute TIMESTAMPTZ, hits BIGINT",
}
UNPARTITIONED = {
    "days": "day DATE, sources BIGINT, files BIGINT, hits BIGINT, robot_hits BIGINT,"
    " sessions BIGINT, error_share DOUBLE, geo_built DATE, geo_is_late BOOLEAN,"
    " sources_expected BIGINT, share DOUBLE, is_preliminary BOOLEAN, is_censored BOOLEAN,"
    " reasons VARCHAR[], sources_whole BIGINT, doubts VARCHAR[]",
    "expected": "country VARCHAR, day DATE, observed BIGINT, expected DOUBLE, upper DOUBLE,"
    " score DOUBLE, is_surge BOOLEAN",
    "surges": "country VARCHAR, start_day DATE, peak_day DATE, end_day DATE, days BIGINT,"
    " observed BIGINT, expected DOUBLE, excess DOUBLE, peak_sessions BIGINT, peak_ratio DOUBLE,"
    " is_open BOOLEAN, is_at_least BOOLEAN",
    "restatements": "day DATE, country VARCHAR, published_at TIMESTAMPTZ, sessions BIGINT,"
    " previous_sessions BIGINT, reason VARCHAR, share DOUBLE, is_preliminary BOOLEAN,"
    " sources BIGINT, sources_expected BIGINT",
}
"""Their columns; a partitioned table has ``day`` besides, in the path."""

GROWN = {"sessions"}
"""Tables of which days built by an earlier version lack a column: it is null there."""


def select_nothing(columns: str) -> str:
    """A SELECT of no rows with ``columns``, written like those above."""
    typed = (column.split() for column in columns.split(", "))
    return f"SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in typed)} WHERE false"


_CODE = pa.dictionary(pa.int32(), pa.string())
HITS = pa.schema(
    [
        ("line_no", pa.int64()),
        ("ts", pa.timestamp("us", "UTC")),
        ("source", _CODE),
        ("client", pa.string()),
        ("visitor_id", pa.uint64()),
        ("country", _CODE),
        ("subdivision", _CODE),
        ("geo_built", pa.date32()),
        ("host", pa.string()),
        ("method", _CODE),
        ("path", pa.string()),
        ("query", pa.string()),
        ("protocol", _CODE),
        ("status", pa.int16()),
        ("bytes_sent", pa.int64()),
        ("referrer", pa.string()),
        ("user_agent", _CODE),
        ("duration_ms", pa.float64()),
        ("is_robot", pa.bool_()),
        ("is_asset", pa.bool_()),
        ("is_page", pa.bool_()),
        ("client_from", _CODE),
    ]
)
"""One row a hit, in line order (docs/definitions.md, *The lake*)."""
REJECTS = pa.schema([("line_no", pa.int64()), ("line", pa.string()), ("reason", pa.string())])
RESTATEMENTS = pa.schema(
    [("day", pa.date32()), ("country", pa.string()), ("published_at", pa.timestamp("us", "UTC")),
     ("sessions", pa.int64()), ("previous_sessions", pa.int64()), ("reason", pa.string()),
     ("share", pa.float64()), ("is_preliminary", pa.bool_()), ("sources", pa.int64()),
     ("sources_expected", pa.int64())]
)  # fmt: skip
