"""Apache's and nginx's common and combined layouts: lines become fields.

``client ident user [time] "request" status bytes`` and, for combined, ``"referrer" "agent"``
(https://httpd.apache.org/docs/2.4/logs.html). A block is split by DuckDB on quotes, then on
spaces; a line that does not come apart that way is read again by ``read_line``, slowly and
alone, and ``read_line`` alone decides what is rejected and why.
"""

import re
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats import clock

_BLANK = " \t\v\f\r\n"
_HEAD = re.compile('([^ "]+) ([^ ]+) ')
# Atomic: a hostile line costs one pass. A trailing backslash belongs to a field that is cut off.
_QUOTED = re.compile(r'[^"\\]*+(?:\\.?+[^"\\]*+)*+', re.DOTALL)
_RESULT = re.compile(r'" ([1-5]\d\d) (-|\d{1,18}+)', re.ASCII)
_STATUS = re.compile("[1-5][0-9][0-9]")
_METHOD = re.compile("[A-Z]+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://([^/?#]*+)", re.ASCII)

LAYOUT = "combined"
FORWARDED_KIND: str | None = None
"""Which header the column ``forwarded`` is; these layouts have none."""
TEXT = pa.string()
FIELDS = pa.schema(
    [
        ("line_no", pa.int64()),
        ("ts", pa.timestamp("s", "UTC")),
        ("client", TEXT),
        ("host", TEXT),
        ("method", TEXT),
        ("path", TEXT),
        ("query", TEXT),
        ("protocol", TEXT),
        ("status", pa.int16()),
        ("bytes_sent", pa.int64()),
        ("referrer", TEXT),
        ("user_agent", TEXT),
    ]
)
"""What a layout gives for each hit; ``client`` is as read."""

# A quoted part that ends in a backslash may end in an escaped quote: not plain.
_SPLIT = r"""
WITH quoted AS (
    SELECT line_no, string_split(line, '"') AS q FROM block
), spaced AS (
    SELECT line_no, q, string_split(q[1], ' ') AS h, string_split(q[2], ' ') AS r,
        string_split(CASE WHEN len(q) = 3
            THEN rtrim(replace(q[3], chr(13) || chr(10), ''), chr(10)) ELSE q[3] END, ' ') AS m
    FROM quoted
), fields AS (
    SELECT line_no, len(h) = 6 AND h[6] = '' AND NOT contains(q[1], '  ')
        AND NOT starts_with(q[1], ' ') AND strlen(h[4]) = 21 AND strlen(h[5]) = 6
        AND m[1] = '' AND NOT ends_with(q[2], '\')
        AND CASE WHEN len(q) >= 7
            THEN len(m) = 4 AND m[4] = '' AND q[5] = ' '
                AND NOT ends_with(q[4], '\') AND NOT ends_with(q[6], '\')
            ELSE len(q) = 3 AND len(m) = 3 END AS is_plain,
        h[4] || h[5] AS time_text, h[1] AS client, m[2] AS status, m[3] AS bytes_sent,
        nullif(q[4], '-') AS referrer, q[6] AS user_agent, q[2] AS request,
        len(r) = 3 AND starts_with(r[3], 'HTTP/') AND starts_with(r[2], '/') AS is_simple,
        r[1] AS method, r[2] AS target, r[3] AS protocol
    FROM spaced
), targets AS (
    SELECT *, string_split(target, '?') AS t FROM fields
)
SELECT line_no, is_plain, time_text, client, status, bytes_sent, referrer, user_agent,
    CASE WHEN is_simple THEN NULL ELSE request END AS odd_request, method, t[1] AS path,
    CASE WHEN len(t) = 2 THEN t[2] WHEN len(t) > 2 THEN array_to_string(t[2:], '?') END AS query,
    protocol
FROM targets
"""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no hit: why, and the column (1-based, in characters) where it fails."""

    reason: str
    column: int


def split_request(request: str) -> tuple[str | None, ...]:
    """Method, host, path, query and protocol of a request line; all null when it is none.

    Source: RFC 9112, section 3; an absolute target's authority is the host.
    """
    method, _, rest = request.partition(" ")
    target, _space, last = rest.rpartition(" ")
    if last.startswith("HTTP/"):
        protocol: str | None = last
    else:
        target, protocol = rest, None
    if not _METHOD.fullmatch(method) or not target:
        return None, None, None, None, None
    host = None
    if absolute := _ABSOLUTE.match(target):
        host, target = absolute[1] or None, target[absolute.end() :]
        host = None if host == "-" else host
    path, mark, query = target.partition("?")
    return method, host, path, query if mark else None, protocol


def read_line(line: str) -> dict[str, Any] | Rejected:
    """Read one line that is not blank (without its line end): its fields, or why it is none."""
    head = _HEAD.match(line)
    if not head:
        return Rejected("client", 1)
    time = clock.IN_LINE.search(line, head.end() + 1)
    seconds = clock.read_time(time[1]) if time else None
    if not time or seconds is None:
        return Rejected("time", (time.start() + 2 if time else head.end()) + 1)
    end = _QUOTED.match(line, time.end()).end()  # type: ignore[union-attr]  # matches ''
    result = _RESULT.match(line, end)
    if not result:
        return Rejected("request" if end == len(line) else "status", end + 1)
    quoted = _read_referrer_and_agent(line, result.end())
    if isinstance(quoted, Rejected):
        return quoted
    method, host, path, query, protocol = split_request(line[time.end() : end])
    return {
        "ts": seconds,
        "client": head[1],
        "host": host,
        "method": method,
        "path": path,
        "query": query,
        "protocol": protocol,
        "status": int(result[1]),
        "bytes_sent": None if result[2] == "-" else int(result[2]),
        "referrer": None if quoted[0] == "-" else quoted[0],
        "user_agent": quoted[1],
    }


def _read_referrer_and_agent(line: str, start: int) -> tuple[str | None, str | None] | Rejected:
    """Read what follows the bytes: nothing, or both fields, the last of them perhaps cut off."""
    if start == len(line):
        return None, None
    if not line.startswith(' "', start):
        return Rejected("bytes", start + 1)
    end = _QUOTED.match(line, start + 2).end()  # type: ignore[union-attr]
    referrer, rest = line[start + 2 : end], line[end + 1 : end + 3]
    if rest == ' "':
        agent = _QUOTED.match(line, end + 3)
        return referrer, agent[0] if agent else None
    if end + 1 + len(rest) >= len(line) and rest in ("", " "):
        return referrer, None
    return Rejected("referrer", end + 2)


EXPLAINED = {
    "client": "expected `client ident user [time]`: a client without spaces and quotes comes first",
    "time": 'expected ` [10/Oct/2000:13:55:36 -0700] "` after the user, and a time that exists',
    "request": "the quoted request is cut off",
    "status": "expected a status of 100 to 599 and the bytes (digits or -) after the request",
    "bytes": 'expected nothing, or ` "referrer" "agent"`, after the bytes',
    "referrer": 'expected ` "agent"` after the referrer',
}
"""What each reason means, for ``doctor``."""


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """What a block's lines became: hits in line order, rejects ``(line_no, line, reason)``."""

    hits: pa.Table
    rejects: list[tuple[int, str, Rejected]]
    blank: list[int]
    """The blank lines' numbers."""


def read_block(
    connection: duckdb.DuckDBPyConnection, line_no: npt.NDArray[np.int64], lines: pa.Array
) -> ReadBlock:
    """Read a block of lines: ``hits + rejects + blank`` is always the number of lines.

    Args:
        connection: the calling thread's own.
        line_no: shape ``(n,)``, rising.
        lines: ``n`` strings, with or without their line ends.
    """
    if _are_blank(lines):
        return ReadBlock(FIELDS.empty_table(), [], line_no.tolist())
    connection.register("block", pa.table({"line_no": line_no, "line": lines}))
    split = connection.execute(_SPLIT).to_arrow_table().combine_chunks()
    rows = np.flatnonzero(split["is_plain"])
    split = split.filter(split["is_plain"]) if len(rows) < len(lines) else split
    seconds, valid = clock.read_times(_fixed_width(split["time_text"], clock.WIDTH))
    status, status_valid = _read_status(split["status"])
    bytes_sent, bytes_valid = _read_bytes(split["bytes_sent"])
    valid &= status_valid & bytes_valid
    plain = _to_hits(split, seconds, status, bytes_sent)
    if not valid.all():
        rows, plain = rows[valid], plain.filter(pa.array(valid))
    if len(rows) == len(lines):
        return ReadBlock(plain, [], [])
    others = np.setdiff1d(np.arange(len(lines)), rows, assume_unique=True)
    rest = lines.take(pa.array(others))
    is_blank = pc.equal(pc.ascii_trim(rest, _BLANK), "").to_numpy(zero_copy_only=False)
    unread = rest.filter(pa.array(~is_blank)).to_pylist()
    hits, rejects = _read_alone(line_no[others[~is_blank]].tolist(), unread)
    if hits:
        plain = pa.concat_tables([plain, pa.Table.from_pylist(hits, FIELDS)]).sort_by("line_no")
    return ReadBlock(plain, rejects, line_no[others[is_blank]].tolist())


def _are_blank(lines: pa.Array) -> bool:
    """Whether all are empty lines: 16 MiB of them are too many to be split one by one."""
    longest = pc.max(pc.binary_length(lines)).as_py() if len(lines) else 0
    return longest <= 2 and pc.all(pc.equal(pc.ascii_trim(lines, _BLANK), "")).as_py() is not False


def _read_alone(
    line_no: list[int], lines: list[str]
) -> tuple[list[dict[str, Any]], list[tuple[int, str, Rejected]]]:
    """Read the lines that did not come apart by splitting, one by one."""
    hits, rejects = [], []
    for number, ended in zip(line_no, lines, strict=True):
        line = ended.removesuffix("\n").removesuffix("\r")
        read = read_line(line)
        if isinstance(read, Rejected):
            rejects.append((number, line, read))
        else:
            hits.append({"line_no": number, **read})
    return hits, rejects


def _to_hits(
    split: pa.Table, seconds: npt.NDArray[np.int64], status: pa.Array, bytes_sent: pa.Array
) -> pa.Table:
    columns = {name: split[name] for name in split.column_names} | {
        "ts": pa.array(seconds).cast(FIELDS.field("ts").type),
        "status": status,
        "bytes_sent": bytes_sent,
        "host": pa.nulls(len(split), TEXT),
    }
    _read_odd_requests(columns)
    return pa.table({name: columns[name] for name in FIELDS.names}, FIELDS)


def _read_odd_requests(columns: dict[str, Any]) -> None:
    """Replace the request's fields where it is not ``METHOD /path HTTP/x``."""
    methods = _one_chunk(columns["method"]).dictionary_encode()
    odd_method = np.array([not _METHOD.fullmatch(m or "") for m in methods.dictionary.to_pylist()])
    simple = columns["odd_request"].is_null().to_numpy()
    odd = ~simple
    if odd_method.any():
        odd |= odd_method[methods.indices.to_numpy(zero_copy_only=False)]
    if not odd.any():
        return
    mask = pa.array(odd)
    requests = columns["odd_request"].filter(mask).to_pylist()
    # A request of three words whose first is no method: null is what split_request would say.
    read = [(None,) * 5 if text is None else split_request(text) for text in requests]
    fields = zip(*read, strict=True)
    for name, values in zip(("method", "host", "path", "query", "protocol"), fields, strict=True):
        columns[name] = pc.replace_with_mask(
            _one_chunk(columns[name]), mask, pa.array(values, TEXT)
        )


def _one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def _read_status(text: pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    coded = _one_chunk(text).dictionary_encode()
    numbers = np.array(
        [int(s) if _STATUS.fullmatch(s) else 0 for s in coded.dictionary.to_pylist()], np.int16
    )
    status = numbers[coded.indices.to_numpy()] if len(numbers) else np.zeros(0, np.int16)
    return pa.array(status), status > 0


def _read_bytes(text: pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    is_number = pc.and_(pc.ascii_is_decimal(text), pc.less_equal(pc.binary_length(text), 18))
    is_none = pc.equal(text, "-")
    numbers = pc.if_else(is_number, text, pa.scalar(None, TEXT)).cast(pa.int64())
    return _one_chunk(numbers), pc.or_(is_number, is_none).to_numpy()


def _fixed_width(text: pa.ChunkedArray, width: int) -> npt.NDArray[np.uint8]:
    """View strings that all have ``width`` bytes as an array ``(n, width)``."""
    array = _one_chunk(text)
    if not len(array):
        return np.zeros((0, width), np.uint8)
    offsets = np.frombuffer(array.buffers()[1], np.int32)
    start = int(offsets[array.offset])
    data = np.frombuffer(array.buffers()[2], np.uint8)
    return data[start : start + len(array) * width].reshape(-1, width)
