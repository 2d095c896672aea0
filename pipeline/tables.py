"""The lake's tables and views: what a row of each is, its columns, their types and meaning.

The words stand here alone: the comments in ``tidegauge.duckdb`` and the reference are made of them.
"""

from typing import Any

import pyarrow as pa

from pipeline.definitions import KEPT_OF_LONG_LINE, NO_COUNTRY

_CODE = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("us", "UTC")
_LOCAL_TIME = pa.timestamp("us")
_DAY = ("day", pa.date32(), "local date in the site's zone")
_SHARES = pa.list_(
    pa.struct(
        [("day", pa.date32()), ("hits", pa.int64()), ("first_line", pa.int64()),
         ("geo_is_late", pa.bool_()), ("geo_built", pa.date32())]
    )
)  # fmt: skip
_COUNTS = pa.map_(pa.string(), pa.int64())
DUCKDB_TYPES: dict[pa.DataType, str] = {
    pa.bool_(): "BOOLEAN",
    pa.int16(): "SMALLINT",
    pa.int64(): "BIGINT",
    pa.uint64(): "UBIGINT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    _CODE: "VARCHAR",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.date32(): "DATE",
    _TIME: "TIMESTAMPTZ",
    _LOCAL_TIME: "TIMESTAMP",
    _COUNTS: "MAP(VARCHAR, BIGINT)",
    _SHARES: "STRUCT(day DATE, hits BIGINT, first_line BIGINT, geo_is_late BOOLEAN,"
    " geo_built DATE)[]",
}

_FILE_KEY = ("file_key", _CODE, "raw file; null where the Parquet's own name is the key")
_COUNTRY = f"country of the client, ISO 3166-1 alpha-2; {NO_COUNTRY} where there is no answer"
_SUBDIVISION = "largest subdivision of the country, the code after the country's in ISO 3166-2"
_ASN = (
    "number of the autonomous system that announced the address, 0: none known of; null: not asked"
)
_AS_ORG = "name of that system"
_NETWORKS = (
    "dates of the databases of networks it was read by, or none; null: by an earlier version"
)
_GEO_BUILT = "date on which the database of addresses was built"
_GEO_IS_LATE = "whether that database was built only after the day began"
_SHARE = "covered part of what was expected of the day's sources, 0 to 1"
_IS_PRELIMINARY = "whether anything of the day is missing"
_SOURCES_EXPECTED = "sources expected of the day"


_ID = "64 bits: JavaScript rounds it in JSON, so give it a text there (::VARCHAR)"
_VISITOR_ID = f"keyed hash of client and user agent; {_ID}"
_BY_LOCAL_CLOCKS = "by the site's clocks; where they are put back, two instants have one"


def _table(row: str, *columns: tuple[str, pa.DataType, str]) -> pa.Schema:
    fields: list[pa.Field[Any]] = [
        pa.field(name, kind, metadata={"description": meaning}) for name, kind, meaning in columns
    ]
    return pa.schema(fields, metadata={"description": row})


HITS = _table(
    "One row a line that is a hit, in line order. Each raw file has one Parquet file a day, small"
    " ones of a source one for all whose first hits are of the same quarter of a day in UTC.",
    ("line_no", pa.int64(), "number of the line in its raw file, from 1"),
    ("ts", _TIME, "time of the hit"),
    ("source", _CODE, "source that the raw file belongs to"),
    ("client", _CODE, "address of the client; null unless addresses are kept"),
    ("visitor_id", pa.uint64(), _VISITOR_ID),
    ("country", _CODE, _COUNTRY),
    ("subdivision", _CODE, _SUBDIVISION),
    ("geo_built", pa.date32(), _GEO_BUILT),
    ("host", _CODE, "host that was asked, where the log has it"),
    ("method", _CODE, "method of the request; null where the request is none"),
    ("path", _CODE, "target up to the first ?, as written"),
    ("query", _CODE, "target after the first ?, as written"),
    ("protocol", _CODE, "protocol of the request"),
    ("status", pa.int16(), "status of the answer, 100 to 599"),
    ("bytes_sent", pa.int64(), "bytes sent; null where the log has -"),
    ("referrer", _CODE, "referrer as written; null where it is -"),
    ("user_agent", _CODE, "user agent as written; null where the line has none"),
    ("duration_ms", pa.float64(), "time taken to answer, in milliseconds"),
    ("is_robot", pa.bool_(), "whether the user agent is a robot's"),
    ("is_asset", pa.bool_(), "whether the path is a style sheet's, script's, picture's or alike"),
    ("is_page", pa.bool_(), "whether it is a page: no robot's, no asset, GET, 2xx or 304"),
    ("client_from", _CODE, "how the client was chosen: peer, or of which header"),
    _FILE_KEY,
    ("asn", pa.int64(), _ASN),
    ("as_org", _CODE, _AS_ORG),
)
REJECTS = _table(
    "One row a line that was rejected; under the day of its file's first hit, or 1970-01-01.",
    ("line_no", pa.int64(), "number of the line in its raw file, from 1"),
    (
        "line",
        pa.string(),
        f"the line; of one too long its first {KEPT_OF_LONG_LINE:,} bytes",
    ),
    ("reason", pa.string(), "what is wrong with it"),
    _FILE_KEY,
)
SESSIONS = _table(
    "One row a session: a visitor's hits without a gap longer than the timeout; no robots, no"
    " assets. Under the day on which it starts.",
    ("session_id", pa.uint64(), f"keyed hash of visitor_id and started_at; {_ID}"),
    ("visitor_id", pa.uint64(), _VISITOR_ID),
    ("started_at", _TIME, "time of its first hit"),
    ("ended_at", _TIME, "time of its last hit, at most the end of the following day"),
    ("hits", pa.int64(), "its hits"),
    ("pages", pa.int64(), "its pages"),
    ("bytes_sent", pa.int64(), "bytes sent in it"),
    ("errors", pa.int64(), "its hits answered with 5xx"),
    ("entry_path", pa.string(), "path of its first hit"),
    ("exit_path", pa.string(), "path of its last hit"),
    ("referrer_host", pa.string(), "host of its first hit's referrer, lower case"),
    ("country", pa.string(), "country of its first hit"),
    ("subdivision", pa.string(), "subdivision of its first hit"),
    ("user_agent", pa.string(), "user agent as written"),
    ("is_robotlike", pa.bool_(), "whether the visitor's day looks like a robot's"),
    ("source", pa.string(), "source of its first hit"),
    ("asn", pa.int64(), f"of its first hit: {_ASN}"),
    ("as_org", pa.string(), _AS_ORG),
)
_MEASURES = (
    ("sessions", pa.int64(), "sessions that started"),
    ("visitors", pa.int64(), "distinct visitors with a hit that is no robot's and no asset"),
    ("pages", pa.int64(), "pages"),
    ("hits", pa.int64(), "hits that are not robots', assets included"),
    ("bytes_sent", pa.int64(), "bytes sent with those hits"),
    ("errors", pa.int64(), "those hits that were answered with 5xx"),
    ("robot_hits", pa.int64(), "hits of robots"),
)
DAILY = _table(
    "One row a country with any hit on the day.",
    ("country", pa.string(), _COUNTRY),
    *_MEASURES,
    ("geo_built", pa.date32(), _GEO_BUILT),
    ("geo_is_late", pa.bool_(), _GEO_IS_LATE),
)
HOURLY = _table(
    "One row an hour and country with any hit.",
    ("hour", _TIME, "start of the hour in UTC"),
    ("country", pa.string(), _COUNTRY),
    *_MEASURES,
)
MINUTES = _table(
    "One row a source and minute with any hit, robots and assets included.",
    ("source", pa.string(), "source of the raw files"),
    ("minute", _TIME, "start of the minute in UTC"),
    ("hits", pa.int64(), "hits, robots and assets included"),
)
DAYS = _table(
    "One row a day with any hit: how much came from where, and how complete it is.",
    _DAY,
    ("sources", pa.int64(), "sources with a hit on the day"),
    ("files", pa.int64(), "raw files with a hit on the day"),
    ("hits", pa.int64(), "hits, robots included"),
    ("robot_hits", pa.int64(), "hits of robots"),
    ("sessions", pa.int64(), "sessions that started"),
    ("error_share", pa.float64(), "part of 5xx among hits that are not robots', 0 to 1"),
    ("geo_built", pa.date32(), _GEO_BUILT),
    ("geo_is_late", pa.bool_(), _GEO_IS_LATE),
    ("sources_expected", pa.int64(), _SOURCES_EXPECTED),
    ("share", pa.float64(), _SHARE),
    ("is_preliminary", pa.bool_(), _IS_PRELIMINARY),
    ("is_censored", pa.bool_(), "whether so many were turned away that counts are a lower bound"),
    ("reasons", pa.list_(pa.string()), "what is missing, in words"),
    ("sources_whole", pa.int64(), "expected sources of which nothing is missing"),
    ("doubts", pa.list_(pa.string()), "which lines may be counted twice, in words"),
)
EXPECTED = _table(
    "One row a country and day with any hit of any country: what its own history expects. A day on"
    " which nobody was located has one of ZZ alone.",
    ("country", pa.string(), _COUNTRY),
    _DAY,
    ("observed", pa.int64(), "sessions"),
    ("expected", pa.float64(), "sessions expected; null while there is too little history"),
    ("upper", pa.float64(), "sessions from which the day is a surge by itself"),
    ("score", pa.float64(), "-log10 of the chance of so many sessions on an ordinary day"),
    ("is_surge", pa.bool_(), "whether the day belongs to a surge"),
)
SURGES = _table(
    "One row a surge: days on which a country's sessions lie far above what its history expects.",
    ("country", pa.string(), _COUNTRY),
    ("start_day", pa.date32(), "its first day, a local date"),
    ("peak_day", pa.date32(), "its day of most sessions"),
    ("end_day", pa.date32(), "its last day"),
    ("days", pa.int64(), "calendar days from the first to the last"),
    ("observed", pa.int64(), "sessions of those days"),
    ("expected", pa.float64(), "sessions expected of those days"),
    ("excess", pa.float64(), "sessions beyond the expected ones"),
    ("peak_sessions", pa.int64(), "sessions of the peak day"),
    ("peak_ratio", pa.float64(), "sessions of the peak day for each expected one"),
    ("is_open", pa.bool_(), "whether it still went on, on the last whole day"),
    ("is_at_least", pa.bool_(), "whether hits are missing or were turned away: it is larger still"),
    ("excess_low", pa.float64(), "lower end of the excess' 90 % interval"),
    ("excess_high", pa.float64(), "upper end of the excess' 90 % interval"),
    (
        "others_ratio",
        pa.float64(),
        "where the other countries rose alike, their sessions for each expected one; else null",
    ),
    (
        "in_hindsight",
        pa.bool_(),
        "whether the expected ones were told anew, from the days on both sides of it",
    ),
)
DRIVERS = _table(
    "One row a surge, dimension and element: what the surge is made of, and which of it drove it.",
    ("country", pa.string(), _COUNTRY),
    ("start_day", pa.date32(), "the surge's first day, a local date"),
    ("dimension", pa.string(), "along what the surge is taken apart"),
    ("element", pa.string(), "the page, site, network or alike; null where sessions have none"),
    ("is_other", pa.bool_(), "whether it is all elements of the dimension that have no row"),
    ("observed", pa.int64(), "its sessions on the surge's days"),
    (
        "expected",
        pa.float64(),
        "those expected; null where too little lies before, as what follows",
    ),
    ("excess", pa.float64(), "sessions beyond the expected ones; a dimension's sum to the surge's"),
    ("share", pa.float64(), "its part of the surge's excess; a dimension's sum to 1"),
    ("surprise", pa.float64(), "how unlike its usual share that is, 0 to 1 (Jensen-Shannon, bits)"),
    ("rank", pa.int64(), "its place among the surge's drivers, from 1; null where it is none"),
    ("sessions_before", pa.int64(), "its sessions on the earlier days that say what is usual"),
    ("days_before", pa.int64(), "those earlier days"),
)
SIGNALS = _table(
    "One row a surge and figure that speaks for people or for machines.",
    ("country", pa.string(), _COUNTRY),
    ("start_day", pa.date32(), "the surge's first day, a local date"),
    ("figure", pa.string(), "what it is"),
    ("observed", pa.float64(), "its value on the surge's days"),
    ("usual", pa.float64(), "its value on the earlier days; null where too few lie before"),
    ("of_excess", pa.float64(), "its value for the sessions beyond the expected ones alone"),
)
RESTATEMENTS = _table(
    "One row a figure published: a day's sessions of a country, whenever something of it was new.",
    _DAY,
    ("country", pa.string(), "country, or all for the day's total"),
    ("published_at", _TIME, "time of the publication, in whole seconds"),
    ("sessions", pa.int64(), "sessions as published"),
    ("previous_sessions", pa.int64(), "sessions as published before; null the first time"),
    ("reason", pa.string(), "why the figure is published anew"),
    ("share", pa.float64(), _SHARE),
    ("is_preliminary", pa.bool_(), _IS_PRELIMINARY),
    ("sources", pa.int64(), "expected sources of which nothing is missing"),
    ("sources_expected", pa.int64(), _SOURCES_EXPECTED),
)
SUBDIVISIONS = _table(
    "One row a subdivision that hits were located in, as the newest database calls it that did so.",
    ("country", pa.string(), _COUNTRY),
    ("subdivision", pa.string(), _SUBDIVISION),
    ("name", pa.string(), "its name in English, as the database writes it"),
    ("geo_built", pa.date32(), _GEO_BUILT),
)

FILES = _table(
    "One row a raw file that was read: what became of each of its lines, which are its hits,"
    " rejected, blank, directives and duplicates together.",
    ("file_key", pa.string(), "its source, and the beginning of its content's SHA-256"),
    ("source", pa.string(), "source that it belongs to"),
    ("name", pa.string(), "its name"),
    ("day", pa.date32(), "local date of its first hits; 1970-01-01 when it has none"),
    ("lines", pa.int64(), "lines that it has"),
    ("hits", pa.int64(), "lines that are hits and count"),
    ("rejected", pa.int64(), "lines that could not be read"),
    ("blank", pa.int64(), "lines of nothing but space"),
    ("directives", pa.int64(), "lines that the layout knows and that are no requests"),
    ("duplicates", pa.int64(), "hits that another file has, too, and that count there"),
    ("reasons", _COUNTS, "its rejected lines, by reason"),
    ("damage", pa.string(), "why the rest of it could not be read; null when all was"),
    ("layout", pa.string(), "how its lines are written"),
    ("wrapper", pa.string(), "what carries its lines, such as syslog"),
    ("first_at", _TIME, "time of its earliest hit; null without hits"),
    ("last_at", _TIME, "time of its latest hit"),
    ("ingested_at", _TIME, "when it was read, in whole seconds"),
    ("replaced_by", pa.string(), "file that has all of this one, and its hits; see Exactly once"),
    ("forgotten_at", _TIME, "when it was taken out"),
    ("duration_ms", pa.int64(), "time that reading it took"),
    ("raw_bytes", pa.int64(), "bytes of the file"),
    ("content_bytes", pa.int64(), "bytes of its content, decompressed"),
    ("sha256", pa.string(), "SHA-256 of its content, decompressed"),
    ("tail_bytes", pa.int64(), "bytes of a last line that has no end"),
    ("nul_bytes", pa.int64(), "NULs before its lines, of which they are no part"),
    ("url", pa.string(), "of a remote file, without secrets"),
    ("source_by_name", pa.bool_(), "whether the source is what its name says; null: not noted"),
    ("given", pa.string(), "layout that was set for it; null: found from its lines"),
    ("timezone", pa.string(), "zone that was set for its times without an offset; null: UTC"),
    ("definitions", pa.int64(), "version of the definitions that it was read by"),
    ("robots", pa.string(), "lists of robots that it was read by"),
    ("addresses", pa.string(), "whether addresses are kept: none, truncated or full"),
    ("proxies", pa.string(), "trusted proxies that its clients were chosen by; null: none asked"),
    ("overlap_lines", pa.int64(), "first lines of it that are also in another file of its source"),
    ("overlap_with", pa.string(), "that file"),
    ("flood_lines", pa.int64(), "first lines that would be an overlap if more were different"),
    ("flood_with", pa.string(), "with that file"),
    ("repeat_lines", pa.int64(), "different lines that are also in another file, among others"),
    ("repeat_with", pa.string(), "that file"),
    ("shared_lines", pa.int64(), "lines, all of one of the two, that another source's file has"),
    ("shared_with", pa.string(), "that file"),
    ("erasures", pa.int64(), "how often a person was erased from it: it is never read again then"),
    ("lies_in", pa.string(), "name of its Parquet files; null: its key, by an earlier version"),
    ("rejects_day", pa.date32(), "day that its rejected lines lie under"),
    ("days", _SHARES, "what it gives to each local day, from which line on"),
    ("whole_days", _SHARES, "the same before duplicates were dropped; empty when none were"),
    ("networks", pa.string(), _NETWORKS),
    ("unheeded", pa.int64(), "hits whose peer names a client in a header, and is not trusted"),
    ("private_hits", pa.int64(), "other hits of no robot, of a client with a private address"),
    ("is_zoneless", pa.bool_(), "its times have no offset; they are taken for UTC, as no one says"),
)

PARTITIONED = {
    "hits": HITS, "rejects": REJECTS, "sessions": SESSIONS, "daily": DAILY, "hourly": HOURLY,
    "minutes": MINUTES,
}  # fmt: skip
"""A folder a day; they have ``day`` besides, in the path."""
UNPARTITIONED = {
    "days": DAYS, "expected": EXPECTED, "surges": SURGES, "drivers": DRIVERS, "signals": SIGNALS,
    "restatements": RESTATEMENTS, "subdivisions": SUBDIVISIONS,
}  # fmt: skip
"""One file each."""
TABLES = {name: schema.append(DAYS.field("day")) for name, schema in PARTITIONED.items()}
TABLES |= UNPARTITIONED | {"files": FILES}
"""All tables with all columns, as they are read."""

GROWN = {"sessions", "surges", "files"}
"""Tables of which files made by an earlier version lack a column: it is null there."""
OF_RAW_FILES = {"hits", "rejects"}
"""Tables whose rows are of a raw file; those of earlier versions have no ``file_key``."""

RENAMED = {"days": {"hits": "all_hits"}}
"""Columns that a view calls otherwise than the Parquet: ``daily.hits`` are without robots."""
_IN_VIEWS: dict[str, pa.Schema] = {
    "sessions": _table(
        "",
        ("local_started_at", _LOCAL_TIME, f"started_at {_BY_LOCAL_CLOCKS}"),
        ("local_ended_at", _LOCAL_TIME, "ended_at, likewise"),
        ("duration_s", pa.float64(), "seconds from its first hit to its last; 0 when it has one"),
        ("is_bounce", pa.bool_(), "whether it has one hit"),
    ),
    "hourly": _table("", ("local_hour", _LOCAL_TIME, f"hour {_BY_LOCAL_CLOCKS}")),
}
FIGURES = pa.schema(
    RESTATEMENTS.set(RESTATEMENTS.get_field_index("country"), DAILY.field("country")),
    {"description": "One row a day and country: its figure as last published. No day's total."},
)
VISITORS = _table(
    "One row a visitor with a session, as far back as the lake's sessions go.",
    ("visitor_id", pa.uint64(), _VISITOR_ID),
    ("first_day", pa.date32(), "first day on which a session of the visitor's starts"),
    ("last_day", pa.date32(), "last such day"),
    ("sessions", pa.int64(), "sessions of all days"),
)
COUNTRIES = _table(
    f"One row a country of ISO 3166-1, Kosovo (XK), and {NO_COUNTRY}.",
    ("country", pa.string(), "its code"),
    ("name", pa.string(), "its name in English, as the tz database has it"),
)
SITE = _table(
    "One row: the site.",
    ("timezone", pa.string(), "zone of days and local times, by its name in IANA's database"),
)


def _as_viewed(name: str, schema: pa.Schema) -> pa.Schema:
    names = [RENAMED.get(name, {}).get(column, column) for column in schema.names]
    fields = [field.with_name(name) for field, name in zip(schema, names, strict=True)]
    return pa.schema([*fields, *_IN_VIEWS.get(name, [])], schema.metadata)


VIEWS = {name: _as_viewed(name, schema) for name, schema in TABLES.items()}
VIEWS |= {"figures": FIGURES, "visitors": VISITORS, "countries": COUNTRIES, "site": SITE}
"""All views with all columns: the tables as they are read in DuckDB, and those of no table."""


def select_nothing(table: str) -> str:
    """A SELECT of no rows with the columns of a table, as DuckDB names their types."""
    columns = (f"NULL::{DUCKDB_TYPES[field.type]} AS {field.name}" for field in TABLES[table])
    return f"SELECT {', '.join(columns)} WHERE false"


def words_of(described: Any) -> str:
    """What a row is, of a schema, or a column, of its field."""
    return str(described.metadata[b"description"].decode())
