"""Apache's and nginx's common and combined layouts: lines become fields.

``client ident user [time] "request" status bytes`` and, for combined, ``"referrer" "agent"``
(https://httpd.apache.org/docs/2.4/logs.html). A block is split by DuckDB on quotes, then on
spaces; what does not come apart that way, as a line with an escaped quote, is read by regular
expressions; and what these do not read by ``read_line``, slowly and alone: it alone decides what is
rejected and why.
"""

import re
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats import clock
from pipeline.formats.client_texts import (
    are_addresses,
    follow_a_name,
    follows_a_name,
    is_address,
    read_client,
    read_clients,
)
from pipeline.formats.extraction import extract_in_steps
from pipeline.formats.fields import (
    BLANK,
    FIELDS,
    ReadBlock,
    Rejected,
)
from pipeline.formats.pattern import QUOTED, without_ends
from pipeline.formats.targets import TEXT, split_request

_HEAD = re.compile('([^ "]+) ([^ ]+) ')
# Atomic: a hostile line costs one pass. A trailing backslash belongs to a field that is cut off.
_QUOTED = re.compile(r'[^"\\]*+(?:\\.?+[^"\\]*+)*+', re.DOTALL)
_RESULT = re.compile(r'" ([1-5]\d\d) (-|\d{1,18}+)', re.ASCII)
_STATUS = re.compile("[1-5][0-9][0-9]")
_METHOD = re.compile("[A-Z]+")
_TWO_WORDS = "^[^ ]+ (?P<between>[^ ]+ [^ ]+) "
"""Identity and user of a line that comes apart."""

LAYOUT = "combined"
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
_ESCAPED_HEAD = (
    r'^(?P<taken>(?P<client>[^ "]+) [^ ]+ [^ ]+ '
    r"(?P<time>\[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d) (?P<zone>[+-]\d{4}\])) "
)
_ESCAPED_RESULT = rf' "(?P<request>{QUOTED})" (?P<status>[1-5]\d\d) (?P<bytes_sent>\d{{1,18}}|-)'
_ESCAPED = (
    (
        _ESCAPED_HEAD,
        f"(?s)^(?P<taken>{_ESCAPED_RESULT}) ",
        f'(?s)^ "(?P<referrer>{QUOTED})" "(?P<user_agent>{QUOTED})"',
    ),
    (_ESCAPED_HEAD, f"(?s)^{_ESCAPED_RESULT}$"),
)
"""Combined and common lines that ``read_line`` would read alike, for ``extract_in_steps``."""


def read_line(line: str) -> dict[str, Any] | Rejected:
    """Read one line that is not blank (without its line end): its fields, or why it is none."""
    head = _HEAD.match(line)
    if not head:
        return Rejected("client", 1)
    time = clock.IN_LINE.search(line, head.end() + 1)
    seconds = clock.read_time(time[1]) if time else None
    if not time or seconds is None:
        return Rejected("time", (time.start() + 2 if time else head.end()) + 1)
    client, between = read_client(head[1]), line[head.end(1) + 1 : time.start()]
    if client is None or not (is_address(client) or follows_a_name(between)):
        return Rejected("client", 1)
    end = _QUOTED.match(line, time.end()).end()  # type: ignore[union-attr]  # matches ''
    result = _RESULT.match(line, end)
    if not result:
        return Rejected("request" if end == len(line) else "status", end + 1)
    quoted = _read_referrer_and_agent(line, result.end())
    if isinstance(quoted, Rejected):
        return quoted
    method, host, path, query, protocol = split_request(line[time.end() : end])
    return {
        "ts": seconds * 1_000_000,
        "client": client,
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
    plain, valid = _without_sentences(*_to_hits(split), lines, rows)
    rows = rows[valid]
    if len(rows) == len(lines):
        return ReadBlock(plain, [], [])
    others = np.setdiff1d(np.arange(len(lines)), rows, assume_unique=True)
    rest = lines.take(pa.array(others))
    is_blank = pc.equal(pc.ascii_trim(rest, BLANK), "").to_numpy(zero_copy_only=False)
    numbers, unread, tables = line_no[others[~is_blank]], rest.filter(pa.array(~is_blank)), [plain]
    for steps in _ESCAPED:
        hits, is_read = _read_escaped(numbers, unread, steps)
        tables.append(hits)
        numbers, unread = numbers[~is_read], unread.filter(pa.array(~is_read))
    alone, rejects = _read_alone(numbers.tolist(), unread.to_pylist())
    tables.append(pa.Table.from_pylist(alone, FIELDS))
    blank = line_no[others[is_blank]].tolist()
    return ReadBlock(pa.concat_tables(tables).sort_by("line_no"), rejects, blank)


def _are_blank(lines: pa.Array) -> bool:
    """Whether all are empty lines: 16 MiB of them are too many to be split one by one."""
    longest = pc.max(pc.binary_length(lines)).as_py() if len(lines) else 0
    return longest <= 2 and pc.all(pc.equal(pc.ascii_trim(lines, BLANK), "")).as_py() is not False


def _read_escaped(
    line_no: npt.NDArray[np.int64], lines: pa.Array, steps: Sequence[str]
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """The hits among lines that regular expressions take apart, and which lines they are."""
    texts, is_found = extract_in_steps(without_ends(lines), steps)
    is_read: npt.NDArray[np.bool_] = is_found.to_numpy(zero_copy_only=False).copy()
    columns = {name: text.filter(is_found) for name, text in texts.items()}
    nothing = pa.nulls(int(is_read.sum()), TEXT)
    referrer = columns.get("referrer", nothing)
    hits, valid = _to_hits(
        pa.table({
            **dict.fromkeys(("method", "path", "query", "protocol"), nothing),
            "line_no": line_no[is_read],
            "time_text": pc.binary_join_element_wise(columns["time"], columns["zone"], ""),
            "odd_request": columns["request"],
            "referrer": pc.if_else(pc.equal(referrer, "-"), pa.scalar(None, TEXT), referrer),
            "user_agent": columns.get("user_agent", nothing),
            **{name: columns[name] for name in ("client", "status", "bytes_sent")},
        })
    )  # fmt: skip
    hits, valid = _without_sentences(hits, valid, lines, np.flatnonzero(is_read))
    is_read[is_read] = valid
    return hits, is_read


def _without_sentences(
    hits: pa.Table,
    valid: npt.NDArray[np.bool_],
    lines: pa.Array,
    rows: npt.NDArray[np.intp],
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Leave out lines whose first word is a host's name and no client.

    Args:
        hits: of those of the k lines that are ``valid``.
        valid: shape ``(k,)``.
        lines: all lines.
        rows: shape ``(k,)``, which of ``lines`` the k are.
    """
    is_hit = are_addresses(_one_chunk(hits["client"]))
    if is_hit.all():
        return hits, valid
    names = lines.take(pa.array(rows[valid][~is_hit]))
    is_hit[~is_hit] = follow_a_name(pc.extract_regex(names, _TWO_WORDS).field("between"))
    valid[valid] = is_hit
    return hits.filter(pa.array(is_hit)), valid


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


def _to_hits(split: pa.Table) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """The hits of ``n`` lines' texts, and which of the ``n`` are one."""
    seconds, valid = clock.read_times(_fixed_width(split["time_text"], clock.WIDTH))
    client, client_valid = read_clients(_one_chunk(split["client"]))
    status, status_valid = _read_status(split["status"])
    bytes_sent, bytes_valid = _read_bytes(split["bytes_sent"])
    valid &= client_valid & status_valid & bytes_valid
    columns = {name: split[name] for name in split.column_names} | {
        "ts": pa.array(seconds * 1_000_000).cast(FIELDS.field("ts").type),
        "client": client,
        "status": status,
        "bytes_sent": bytes_sent,
    }
    lacking = set(FIELDS.names) - columns.keys()
    columns |= {name: pa.nulls(len(split), FIELDS.field(name).type) for name in lacking}
    _read_odd_requests(columns)
    hits = pa.table({name: columns[name] for name in FIELDS.names}, FIELDS)
    return (hits if valid.all() else hits.filter(pa.array(valid))), valid


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
