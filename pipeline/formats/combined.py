"""Apache's and nginx's common and combined layouts: lines become fields.

``client ident user [time] "request" status bytes`` and, for combined, ``"referrer" "agent"``
(https://httpd.apache.org/docs/2.4/logs.html). A block's plain lines are taken apart by compiled
loops (``kernel``), the others by ``read_line``, slowly and alone: it alone decides what is rejected
and why.
"""

import re
from typing import Any

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
from pipeline.formats.fields import (
    BLANK,
    CODED,
    FIELDS,
    ReadBlock,
    Rejected,
)
from pipeline.formats.numbers import compiled_for
from pipeline.formats.targets import TEXT, split_request

_HEAD = re.compile('([^ "]+) ([^ ]+) ')
# Atomic: a hostile line costs one pass. A trailing backslash belongs to a field that is cut off.
_QUOTED = re.compile(r'[^"\\]*+(?:\\.?+[^"\\]*+)*+', re.DOTALL)
_RESULT = re.compile(r'" ([1-5]\d\d) (-|\d{1,18}+)', re.ASCII)
_TWO_WORDS = "^[^ ]+ (?P<between>[^ ]+ [^ ]+) "
"""Identity and user of a line that comes apart."""

LAYOUT = "combined"


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


def read_block(line_no: npt.NDArray[np.int64], lines: pa.Array) -> ReadBlock:
    """Read a block of lines: ``hits + rejects + blank`` is always the number of lines.

    Args:
        line_no: shape ``(n,)``, rising.
        lines: ``n`` strings, with or without their line ends.
    """
    if _are_blank(lines):
        return ReadBlock(FIELDS.empty_table(), [], line_no.tolist())
    plain, rows = _read_plain(line_no, lines)
    if len(rows) == len(lines):
        return ReadBlock(plain, [], [])
    others = np.setdiff1d(np.arange(len(lines)), rows, assume_unique=True)
    rest = lines.take(pa.array(others))
    is_blank = pc.equal(pc.ascii_trim(rest, BLANK), "").to_numpy(zero_copy_only=False)
    unread = rest.filter(pa.array(~is_blank)).to_pylist()
    alone, rejects = _read_alone(line_no[others[~is_blank]].tolist(), unread)
    hits = pa.concat_tables([plain, pa.Table.from_pylist(alone, FIELDS)])
    hits = hits.sort_by("line_no") if len(plain) else hits
    return ReadBlock(hits, rejects, line_no[others[is_blank]].tolist())


def _are_blank(lines: pa.Array) -> bool:
    """Whether all are empty lines: 16 MiB of them are too many to be split one by one."""
    longest = pc.max(pc.binary_length(lines)).as_py() if len(lines) else 0
    return longest <= 2 and pc.all(pc.equal(pc.ascii_trim(lines, BLANK), "")).as_py() is not False


def _read_plain(
    line_no: npt.NDArray[np.int64], lines: pa.Array
) -> tuple[pa.Table, npt.NDArray[np.intp]]:
    """The hits of plain lines, and which of the n lines they are."""
    compiled = compiled_for(lines.nbytes)
    if compiled is None:
        return FIELDS.empty_table(), np.zeros(0, np.intp)
    found, kernel = compiled.take_apart(lines), compiled.kernel
    client, is_client = read_clients(found.coded(kernel.CLIENT))
    odd_rows, requests = found.odd_requests()
    odd = _split_requests(requests)
    columns = {
        "line_no": line_no[found.line_of],
        "ts": pa.array(found.seconds * 1_000_000).cast(FIELDS.field("ts").type),
        "client": client,
        "host": found.coded(None, odd_rows, odd["host"]),
        "method": found.coded(kernel.METHOD, odd_rows, odd["method"]),
        "path": found.coded(kernel.PATH, odd_rows, odd["path"]),
        "query": found.coded(kernel.QUERY, odd_rows, odd["query"]),
        "protocol": found.coded(kernel.PROTOCOL, odd_rows, odd["protocol"]),
        "status": found.status,
        "bytes_sent": pa.array(found.size, mask=found.size < 0),
        "referrer": found.coded(kernel.REFERRER),
        "user_agent": found.coded(kernel.AGENT),
        "duration_ms": pa.nulls(len(client), pa.float64()),
        "forwarded": pa.nulls(len(client), CODED),
    }
    hits, rows = pa.table(columns, FIELDS), found.line_of.astype(np.intp)
    if not is_client.all():
        hits, rows = hits.filter(pa.array(is_client)), rows[is_client]
    return _without_sentences(hits, lines, rows)


def _without_sentences(
    hits: pa.Table, lines: pa.Array, rows: npt.NDArray[np.intp]
) -> tuple[pa.Table, npt.NDArray[np.intp]]:
    """Leave out lines whose first word is a host's name and no client.

    Args:
        hits: of some of the lines.
        lines: all lines.
        rows: which of them each hit is of.
    """
    is_hit = are_addresses(hits["client"].combine_chunks())
    if is_hit.all():
        return hits, rows
    names = lines.take(pa.array(rows[~is_hit]))
    is_hit[~is_hit] = follow_a_name(pc.extract_regex(names, _TWO_WORDS).field("between"))
    return hits.filter(pa.array(is_hit)), rows[is_hit]


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


def _split_requests(requests: pa.DictionaryArray) -> dict[str, pa.StringArray]:
    """The fields of n requests that are not ``METHOD /path HTTP/x``."""
    names = ("method", "host", "path", "query", "protocol")
    split = [split_request(text) for text in requests.dictionary.to_pylist()]
    return {
        name: pa.array([fields[number] for fields in split], TEXT).take(requests.indices)
        for number, name in enumerate(names)
    }
