"""What every layout gives: fields of hits, rejected lines with their place, and what is neither."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.client_texts import read_clients
from pipeline.formats.targets import TEXT, or_null, read_request
from pipeline.formats.times import TimeFormat
from pipeline.proxies import NO_PEER

CODED = pa.dictionary(pa.int32(), TEXT)
"""A column of texts that come again and again."""

BLANK = " \t\v\f\r\n"
"""What a blank line may hold."""
FIELDS = pa.schema(
    [
        ("line_no", pa.int64()),
        ("ts", pa.timestamp("us", "UTC")),
        ("client", CODED),
        ("host", CODED),
        ("method", CODED),
        ("path", CODED),
        ("query", CODED),
        ("protocol", CODED),
        ("status", pa.int16()),
        ("bytes_sent", pa.int64()),
        ("referrer", CODED),
        ("user_agent", CODED),
        ("duration_ms", pa.float64()),
        ("forwarded", CODED),
    ]
)
"""What a layout gives for each hit; ``client`` is the peer, without a port, and ``forwarded`` a
proxy's header as read."""

DURATIONS = {"duration_s": 1e3, "duration_ms": 1.0, "duration_us": 1e-3, "duration_ns": 1e-6}
"""Milliseconds in one of each unit that a layout may have its duration in."""

EXPLAINED = {
    "client": "expected the client: an address or a host's name, and what follows it",
    "time": "expected a time that exists, as the layout writes it",
    "date": "expected a date that exists",
    "clock": "expected a time of day",
    "request": "expected a request, such as `GET / HTTP/1.1`",
    "status": "expected a status of 100 to 599",
    "bytes": "expected a number of bytes, or -, and then what the layout has after them",
    "referrer": "expected the user agent in quotes after the referrer",
    "end": "expected the end of the line",
    "header": "no header before it names its fields",
    "json": "expected one JSON object",
    "wrapper": "expected what carries the file's other lines, such as syslog's time and program",
    "repeated": "a syslog daemon's word that lines came several times; set it to write each",
}
"""What it means that a field fails, for ``doctor``."""

_NO_STATUS = ("", "-", "0", "000", "-1")
_MOST_BYTES_DIGITS = 18
_DECIMAL = r"^\d{1,15}(\.\d{1,20})?(e-\d{1,3})?$"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no hit: why, and the column (1-based, in characters) where it fails."""

    reason: str
    column: int


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """What a block's lines became: hits in line order, rejects ``(line_no, line, reason)``."""

    hits: pa.Table
    rejects: list[tuple[int, str, Rejected]]
    blank: list[int]
    """The blank lines' numbers."""
    directives: list[int] = field(default_factory=list)
    """The numbers of lines that the layout knows and that are no requests."""


@dataclass(frozen=True, slots=True)
class Read:
    """What some lines' texts became: ``hits`` of the n - k that are one; why the others are not."""

    hits: pa.Table
    wrong: dict[int, str]
    """The field that is wrong, by row."""


def read_fields(
    line_no: npt.NDArray[np.int64], texts: Mapping[str, pa.StringArray], times: TimeFormat
) -> Read:
    """Make hits of texts as a layout names them.

    Args:
        line_no: shape ``(n,)``.
        texts: ``n`` each, of ``date`` and ``clock``, or ``time``; ``client``; ``request``, or
            ``method``, ``target`` (or ``path``), ``query`` and ``protocol``; ``host``,
            ``status``, ``bytes``, ``referrer``, ``agent``, ``forwarded``; one of ``DURATIONS``.
            Those that a layout lacks are null; so is ``-``, except as the client and the agent.
        times: how its time is written.
    """
    count = len(line_no)
    columns: dict[str, pa.Array] = {"line_no": pa.array(line_no)}
    wrong: dict[int, str] = {}
    columns["ts"], ts_valid = times.read(_time_text(texts))
    columns["status"], status_valid = _read_status(texts.get("status"), count)
    columns["bytes_sent"], bytes_valid = _read_bytes(texts.get("bytes"), count)
    columns["duration_ms"] = _read_duration(texts, count)
    columns |= read_request(texts, count)
    clients = or_null(texts.get("client"), count).fill_null(NO_PEER).dictionary_encode()
    columns["client"], client_valid = read_clients(clients)
    for name in ("referrer", "forwarded"):
        columns[name] = or_null(texts.get(name), count)
    columns["user_agent"] = texts.get("agent", pa.nulls(count, TEXT))
    valid_by_name = {
        "client": client_valid, "bytes": bytes_valid, "status": status_valid, "time": ts_valid,
    }  # fmt: skip
    for name, valid in valid_by_name.items():
        wrong |= dict.fromkeys(np.flatnonzero(~valid).tolist(), name)
    hits = pa.table({name: columns[name] for name in FIELDS.names}, FIELDS)
    if wrong:
        kept = np.ones(count, np.bool_)
        kept[list(wrong)] = False
        hits = hits.filter(pa.array(kept))
    return Read(hits, wrong)


def _time_text(texts: Mapping[str, pa.StringArray]) -> pa.StringArray:
    if "clock" not in texts:
        return texts["time"]
    whole = pc.binary_join_element_wise(texts["date"], texts["clock"], " ")
    return pc.coalesce(whole, texts["time"]) if "time" in texts else whole


def _read_status(text: pa.StringArray | None, count: int) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Statuses of 100 to 599; none where the server sent none (``-``, ``0``, ``000``, ``-1``)."""
    if text is None:
        return pa.nulls(count, pa.int16()), np.ones(count, np.bool_)
    coded = text.dictionary_encode()
    known = {str(number): number for number in range(100, 600)}
    values = [known.get(value) for value in coded.dictionary.to_pylist()]
    fine = [
        v is not None or t in _NO_STATUS
        for v, t in zip(values, coded.dictionary.to_pylist(), strict=True)
    ]
    indices = coded.indices.fill_null(len(values)).to_numpy()
    status = pa.array([*values, None], pa.int16()).take(pa.array(indices))
    return status, np.array([*fine, True], np.bool_)[indices]


def _read_bytes(text: pa.StringArray | None, count: int) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    if text is None:
        return pa.nulls(count, pa.int64()), np.ones(count, np.bool_)
    text = or_null(text, count)
    is_number = pc.and_(
        pc.ascii_is_decimal(text), pc.less_equal(pc.binary_length(text), _MOST_BYTES_DIGITS)
    ).fill_null(False)
    numbers = pc.if_else(is_number, text, pa.scalar(None, TEXT)).cast(pa.int64())
    return numbers, pc.or_(is_number, text.is_null()).to_numpy(zero_copy_only=False)


def _read_duration(texts: Mapping[str, pa.StringArray], count: int) -> pa.Array:
    """Durations in milliseconds; none where it is no number or negative (a request broken off)."""
    for name, factor in DURATIONS.items():
        if name in texts:
            is_number = pc.match_substring_regex(texts[name], _DECIMAL)
            numbers = pc.if_else(is_number.fill_null(False), texts[name], pa.scalar(None, TEXT))
            return pc.multiply(numbers.cast(pa.float64()), factor)
    return pa.nulls(count, pa.float64())
