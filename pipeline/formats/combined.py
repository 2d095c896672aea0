"""Apache's and nginx's common and combined layouts: lines become fields.

``client ident user [time] "request" status bytes`` and, for combined, ``"referrer" "agent"``
(https://httpd.apache.org/docs/2.4/logs.html). A block's plain lines are taken apart by compiled
loops (``kernel``), the others by ``read_line``, slowly and alone: it alone decides what is rejected
and why.
"""

import re
from dataclasses import replace
from types import ModuleType
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
    compiled = compiled_for(lines.nbytes)
    if compiled is None:
        return _read_alone(line_no, lines, np.arange(len(lines)))
    found = compiled.take_apart(lines)
    is_odd = np.ones(len(lines), np.bool_)
    is_odd[found.line_of] = False
    odd = _read_alone(line_no, lines, np.flatnonzero(is_odd))
    hits, left = _complete(line_no, lines, compiled, found, odd.hits)
    if not len(left):
        return replace(odd, hits=hits)
    rest = _read_alone(line_no, lines, left)
    return ReadBlock(
        pa.concat_tables([hits, rest.hits]).sort_by("line_no"),
        sorted([*odd.rejects, *rest.rejects], key=lambda one: one[0]), odd.blank,
    )  # fmt: skip


def _are_blank(lines: pa.Array) -> bool:
    """Whether all are empty lines: 16 MiB of them are too many to be split one by one."""
    longest = pc.max(pc.binary_length(lines)).as_py() if len(lines) else 0
    return longest <= 2 and pc.all(pc.equal(pc.ascii_trim(lines, BLANK), "")).as_py() is not False


def _complete(
    line_no: npt.NDArray[np.int64], lines: pa.Array, compiled: ModuleType, found: Any, odd: pa.Table
) -> tuple[pa.Table, npt.NDArray[np.intp]]:
    """The hits of plain lines and odd ones, and which plain lines are to be read alone after all.

    The odd ones' texts are numbered with the others': to join two numberings takes far longer.
    """
    kernel, count = compiled.kernel, len(found.line_of)
    behind = {name: odd[name].combine_chunks() for name in FIELDS.names}
    texts = {name: its.cast(TEXT) for name, its in behind.items() if its.type == CODED}
    rows, requests = found.odd_requests()
    parts = {name: (texts[name], rows, its) for name, its in _split_requests(requests).items()}
    client, is_kept = read_clients(found.coded(kernel.CLIENT, texts["client"]))
    at, size = behind["ts"].cast(pa.int64()), behind["bytes_sent"].fill_null(-1)
    size = np.append(found.size, size)
    columns = {
        "line_no": np.append(line_no[found.line_of], behind["line_no"]),
        "ts": pa.array(np.append(found.seconds * 1_000_000, at)).cast(FIELDS.field("ts").type),
        "client": client,
        "host": found.coded(None, *parts["host"]),
        "method": found.coded(kernel.METHOD, *parts["method"]),
        "path": found.coded(kernel.PATH, *parts["path"]),
        "query": found.coded(kernel.QUERY, *parts["query"]),
        "protocol": found.coded(kernel.PROTOCOL, *parts["protocol"]),
        "status": np.append(found.status, behind["status"]),
        "bytes_sent": pa.array(size, mask=size < 0),
        "referrer": found.coded(kernel.REFERRER, texts["referrer"]),
        "user_agent": found.coded(kernel.AGENT, texts["user_agent"]),
        "duration_ms": pa.nulls(len(client), pa.float64()),
        "forwarded": pa.nulls(len(client), CODED),
    }
    hits = pa.table(columns, FIELDS)
    row = np.append(found.line_of, np.searchsorted(line_no, behind["line_no"])).astype(np.intp)
    is_named = is_kept & ~are_addresses(client)
    is_named[count:], is_kept[count:] = False, True  # they were read by ``read_line``
    if is_named.any():
        is_kept[is_named] = _are_no_sentences(lines.take(pa.array(row[is_named])))
    if is_kept.all() and not len(odd):
        return hits, row[:0]
    kept = np.flatnonzero(is_kept)
    return hits.take(pa.array(kept[np.argsort(row[kept], kind="stable")])), row[~is_kept]


def _are_no_sentences(lines: pa.Array) -> npt.NDArray[np.bool_]:
    """Of which of n plain lines the first word, which is no address, is a client's name."""
    return follow_a_name(pc.extract_regex(lines, _TWO_WORDS).field("between"))


def _read_alone(
    line_no: npt.NDArray[np.int64], lines: pa.Array, rows: npt.NDArray[np.intp]
) -> ReadBlock:
    """Read some of the lines one by one."""
    chosen = lines.take(pa.array(rows))
    blank = pc.equal(pc.ascii_trim(chosen, BLANK), "").to_numpy(zero_copy_only=False)
    hits, rejects = [], []
    unread = chosen.filter(pa.array(~blank)).to_pylist()
    for number, ended in zip(line_no[rows[~blank]].tolist(), unread, strict=True):
        line = ended.removesuffix("\n").removesuffix("\r")
        read = read_line(line)
        if isinstance(read, Rejected):
            rejects.append((number, line, read))
        else:
            hits.append({"line_no": number, **read})
    return ReadBlock(pa.Table.from_pylist(hits, FIELDS), rejects, line_no[rows[blank]].tolist())


def _split_requests(requests: pa.DictionaryArray) -> dict[str, pa.StringArray]:
    """The fields of n requests that are not ``METHOD /path HTTP/x``."""
    names = ("method", "host", "path", "query", "protocol")
    split = [split_request(text) for text in requests.dictionary.to_pylist()]
    return {
        name: pa.array([fields[number] for fields in split], TEXT).take(requests.indices)
        for number, name in enumerate(names)
    }
