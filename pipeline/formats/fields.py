"""What every layout gives: fields of hits, rejected lines with their place, and what is neither."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.times import TimeFormat

TEXT = pa.string()
BLANK = " \t\v\f\r\n"
"""What a blank line may hold."""
FIELDS = pa.schema(
    [
        ("line_no", pa.int64()),
        ("ts", pa.timestamp("us", "UTC")),
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
        ("duration_ms", pa.float64()),
        ("forwarded", TEXT),
    ]
)
"""What a layout gives for each hit; ``client`` is the peer and ``forwarded`` a proxy's header, both
as read."""

DURATIONS = {"duration_s": 1e3, "duration_ms": 1.0, "duration_us": 1e-3, "duration_ns": 1e-6}
"""Milliseconds in one of each unit that a layout may have its duration in."""

EXPLAINED = {
    "client": "expected the client's address, without spaces and quotes",
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
}
"""What it means that a field fails, for ``doctor``."""

_METHOD = re.compile("[A-Z]+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://([^/?#]*+)", re.ASCII)
_ORIGIN = r"(?:[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?# ]+))?"
_PLAIN_REQUEST = (
    rf"^(?P<taken>(?P<method>[A-Z]+) {_ORIGIN}(?P<path>/[^ ?]*))[ ?]",
    r"^(?P<query>(?:\?[^ ]*)?) (?P<protocol>HTTP/[^ ]+)$",
)
_PLAIN_TARGET = (rf"^{_ORIGIN}(?P<path>/[^?]*)(?P<query>(?:\?(?s:.*))?)$",)
"""In steps; a query with its question mark."""
_REQUEST = ("method", "host", "path", "query", "protocol")
_NO_STATUS = ("", "-", "0", "000", "-1")
_MOST_BYTES_DIGITS = 18
_DECIMAL = r"^\d{1,15}(\.\d{1,20})?(e-\d{1,3})?$"
_NOTHING = ("", "-")
_MOST_PLACES = 16
"""So many places are looked at to find the last."""


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
class Until:
    """A step of ``extract_in_steps``: a field that ends where what follows it is found.

    The last place counts; where there are more than a few, the step does not match.
    """

    field: str
    following: str
    """What follows it, as RE2 without groups."""


Step: TypeAlias = str | Until


@dataclass(frozen=True, slots=True)
class Read:
    """What some lines' texts became: ``hits`` of the n - k that are one; why the others are not."""

    hits: pa.Table
    wrong: dict[int, str]
    """The field that is wrong, by row."""


def split_target(target: str) -> tuple[str | None, str | None, str | None]:
    """Host, path and query of a request's target; the authority of an absolute one is the host."""
    host = None
    if absolute := _ABSOLUTE.match(target):
        host, target = absolute[1] or None, target[absolute.end() :]
        host = None if host == "-" else host
    path, mark, query = target.partition("?")
    return host, path, query if mark else None


def split_request(request: str) -> tuple[str | None, ...]:
    """Method, host, path, query and protocol of a request line; all null when it is none.

    Source: RFC 9112, section 3.
    """
    method, _, rest = request.partition(" ")
    target, _space, last = rest.rpartition(" ")
    if last.startswith("HTTP/"):
        protocol: str | None = last
    else:
        target, protocol = rest, None
    if not _METHOD.fullmatch(method) or not target:
        return None, None, None, None, None
    return method, *split_target(target), protocol


def read_fields(
    line_no: npt.NDArray[np.int64], texts: Mapping[str, pa.StringArray], times: TimeFormat
) -> Read:
    """Make hits of texts as a layout names them.

    Args:
        line_no: shape ``(n,)``.
        texts: ``n`` each, of ``time``, or ``date`` and ``clock``; ``client``; ``request``, or
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
    columns |= _read_request(texts, count)
    columns["client"] = _or_null(texts.get("client"), count).fill_null("-")
    for name in ("referrer", "forwarded"):
        columns[name] = _or_null(texts.get(name), count)
    columns["user_agent"] = texts.get("agent", pa.nulls(count, TEXT))
    for name, valid in (("bytes", bytes_valid), ("status", status_valid), ("time", ts_valid)):
        wrong |= dict.fromkeys(np.flatnonzero(~valid).tolist(), name)
    hits = pa.table({name: columns[name] for name in FIELDS.names}, FIELDS)
    if wrong:
        kept = np.ones(count, np.bool_)
        kept[list(wrong)] = False
        hits = hits.filter(pa.array(kept))
    return Read(hits, wrong)


def _time_text(texts: Mapping[str, pa.StringArray]) -> pa.StringArray:
    if "time" in texts:
        return texts["time"]
    return pc.binary_join_element_wise(texts["date"], texts["clock"], " ")


def _or_null(text: pa.StringArray | None, count: int) -> pa.StringArray:
    if text is None:
        return pa.nulls(count, TEXT)
    return pc.if_else(pc.is_in(text, pa.array(_NOTHING)), pa.scalar(None, TEXT), text)


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
    text = _or_null(text, count)
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


def _read_request(texts: Mapping[str, pa.StringArray], count: int) -> dict[str, pa.Array]:
    if "request" in texts:
        parts = _split(texts["request"], _PLAIN_REQUEST, _REQUEST, split_request)
    else:
        method = _or_null(texts.get("method"), count)
        is_method = pc.match_substring_regex(method, r"\A[A-Z]+\z")
        parts = {
            "method": pc.if_else(is_method, method, pa.scalar(None, TEXT)),
            "protocol": _or_null(texts.get("protocol"), count),
        }
        if "target" in texts:
            target = _or_null(texts["target"], count)
            parts |= _split(target, _PLAIN_TARGET, ("host", "path", "query"), split_target)
            if "query" in texts:
                parts["query"] = pc.coalesce(parts["query"], _or_null(texts["query"], count))
        else:
            parts |= {name: _or_null(texts.get(name), count) for name in ("path", "query")}
            parts["host"] = pa.nulls(count, TEXT)
    if "host" in texts:
        parts["host"] = pc.coalesce(parts["host"], _or_null(texts["host"], count))
    return parts


def _split(
    text: pa.StringArray,
    plain: Sequence[str],
    names: Sequence[str],
    split_one: Callable[[str], tuple[str | None, ...]],
) -> dict[str, pa.Array]:
    """Split by regular expressions where they fit, else each distinct text by ``split_one``."""
    parts, is_plain = extract_in_steps(text, plain)
    has_query = pc.greater(pc.binary_length(parts["query"]), 0)
    query = pc.utf8_slice_codeunits(parts["query"], 1)
    parts["query"] = pc.if_else(has_query, query, pa.scalar(None, TEXT))
    parts["host"] = _or_null(parts["host"], len(text))
    is_odd = pc.and_(pc.invert(is_plain), text.is_valid())
    if pc.any(is_odd).as_py():
        coded = text.filter(is_odd).dictionary_encode()
        columns = zip(*map(split_one, coded.dictionary.to_pylist()), strict=True)
        for name, values in zip(names, columns, strict=True):
            odd = pa.array(values, TEXT).take(coded.indices)
            parts[name] = pc.replace_with_mask(parts[name], is_odd, odd)
    return parts


def extract_in_steps(
    texts: pa.StringArray, steps: Sequence[Step]
) -> tuple[dict[str, pa.StringArray], pa.BooleanArray]:
    """Read texts by regular expressions, each of which goes on behind the last's group ``taken``.

    RE2 reads several times as fast with at most four groups, where each character tells how to go
    on, as with more; and it does not look at what follows a step.

    Returns:
        each group's ``n`` texts, and which of the ``n`` all steps matched; of the others the
        groups' texts mean nothing.
    """
    parts: dict[str, pa.StringArray] = {}
    is_found = texts.is_valid()
    for step in steps:
        if isinstance(step, Until):
            taken, is_one = _take_until(texts, step.following)
            parts |= {step.field: taken, "taken": taken}
        else:
            found = pc.extract_regex(texts, pattern=step)
            parts |= {group.name: pc.struct_field(found, group.name) for group in found.type}
            is_one = found.is_valid()
        is_found = pc.and_(is_found, is_one)
        if "taken" in parts:
            lengths = pc.binary_length(parts.pop("taken")).fill_null(0)
            texts = _half(texts, lengths.to_numpy(), 1)
    return parts, is_found


def _take_until(texts: pa.StringArray, following: str) -> tuple[pa.StringArray, pa.BooleanArray]:
    """What stands before the last place where something matches, and where there is one."""
    ends = np.full(len(texts), -1, np.int32)
    is_more = np.ones(len(texts), np.bool_)
    for _ in range(_MOST_PLACES):
        rest = _half(texts, ends + 1, 1)
        before = pc.replace_substring_regex(rest, pattern=f"(?s)(?:{following}).*", replacement="")
        lengths = pc.binary_length(before).to_numpy()
        is_more = lengths < pc.binary_length(rest).to_numpy()
        ends = np.where(is_more, ends + 1 + lengths, ends)
        if not is_more.any():
            break
    return _half(texts, np.maximum(ends, 0), 0), pa.array((ends >= 0) & ~is_more)


def _half(
    texts: pa.StringArray, lengths: npt.NDArray[np.int32], number: Literal[0, 1]
) -> pa.StringArray:
    """The first so many bytes of each text (0), or what follows them (1)."""
    count = len(texts)
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: count + 1]
    bounds = np.empty(2 * count + 1, np.int32)
    bounds[::2] = offsets
    bounds[1::2] = np.minimum(offsets[:-1] + lengths, offsets[1:])
    halves = pa.StringArray.from_buffers(2 * count, pa.py_buffer(bounds), texts.buffers()[2])
    return halves.take(pa.array(np.arange(number, 2 * count, 2)))
