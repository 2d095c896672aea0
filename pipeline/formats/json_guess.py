"""A setting for JSON lines of no known layout: which of their places hold what a hit needs.

It is advice for a person, who sees the places and their names; nothing is read by it unasked.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.formats.headers import HeaderLayout
from pipeline.formats.json_lines import load_template, pointer_of
from pipeline.formats.json_repair import make_json
from pipeline.formats.json_settings import write_map
from pipeline.formats.layouts import find_layout
from pipeline.formats.times import TimeFormat

_NAME = "json_log"
_ADDRESS = (
    r"\[?(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\]?(?::\d+)?"
)
_TARGET = r"(?:/|[A-Za-z][A-Za-z0-9+.-]*://).*"
_NO_CLIENT = "server|upstream|backend|origin|local|dest|listen|host_?ip|forward|proxy|edge"
_KINDS = ("iso", "clf", "iso_or_epoch")


@dataclass(frozen=True)
class _Field:
    """How a field is told: by its name, from the likeliest on, and by its values."""

    names: tuple[str, ...]
    shape: str
    others: str = "$^"
    """Names that it never has."""


_FIELDS = {
    "client": _Field(("client", "remote", "source|src", "visitor|real", ""), _ADDRESS, _NO_CLIENT),
    "request": _Field(("request", ""), r"[A-Z]+ .+ HTTP/[\d.]+"),
    "method": _Field(("method", "verb"), "[A-Z]+"),
    "target": _Field(("uri$", "url$", "target", "request", "path"), _TARGET, "refer|hostname"),
    "query": _Field((r"query|\bargs",), ".*"),
    "status": _Field(("status", "code"), r"[1-5]\d\d"),
    "bytes": _Field(("body.*(?:bytes|size)", "bytes_?sent|response_?(?:size|bytes)", "bytes|size"),
                    r"\d+|-|", "request|received|bytes_?in|header"),
    "referrer": _Field(("refer",), ".*"),
    "agent": _Field(("user.?agent", r"agent|\bua$"), ".*"),
    "host": _Field((r"\b(?:http_)?host$", "request_?host|vhost|domain", "server_?name|uri_?host"),
                   r"[^\s/]+", "remote"),
    "protocol": _Field(("proto", "version"), r"HTTP/[\d.]+"),
    "forwarded": _Field(("forwarded.?for|xff",), ".*"),
}  # fmt: skip
_NEEDED_REQUEST = ("request", "method", "target")


def guess_setting(connection: duckdb.DuckDBPyConnection, lines: Sequence[str]) -> str | None:
    """The text of settings that reads some lines; None when they are no JSON or nothing fits."""
    places = _guess_map(lines)
    if places is None:
        return None
    layout = find_layout(write_map(_NAME, places))
    if isinstance(layout, HeaderLayout):
        return None
    read = layout.read_block(connection, np.arange(len(lines)), pa.array(lines))
    if len(read.hits) < len(lines):
        return None
    written = [f"{name} = {_quote(place)}" for name, place in places.items()]
    return "\n".join([f'log_format = "{_NAME}"', "", f"[formats.{_NAME}]", *written])


def _guess_map(lines: Sequence[str]) -> dict[str, str] | None:
    records = [record for line in lines if isinstance(record := _load(line), dict)]
    if not records or len(records) < len(lines):
        return None
    columns = _columns(records)
    places = dict(_choose(columns))
    times = _find_time(columns, len(records))
    if times is None or "client" not in places or places.keys().isdisjoint(_NEEDED_REQUEST):
        return None
    if "request" in places:
        places = {n: p for n, p in places.items() if n not in ("method", "target", "query")}
    return times | places


def _load(line: str) -> object:
    record = load_template(line)
    return load_template(make_json(line)) if record is None else record


def _columns(records: Iterable[dict[str, object]]) -> dict[str, list[str]]:
    """The texts at every place of the records that have one there."""
    columns: dict[str, list[str]] = {}
    for record in records:
        for place, text in _walk(record, ()):
            columns.setdefault(place, []).append(text)
    return columns


def _walk(value: object, keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*keys, str(key)))
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield _place(keys), str(value)


def _place(keys: tuple[str, ...]) -> str:
    """Keys with dots between, or a JSON pointer where that would not be these keys."""
    pointer = "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in keys)
    dotted = ".".join(keys)
    is_plain = all(keys) and pointer_of(dotted) == pointer and dotted[:1] != "/"
    return dotted if is_plain else pointer


def _choose(columns: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """The likeliest place of each field, none twice."""
    taken: set[str] = set()
    for name, field in _FIELDS.items():
        fits = [place for place, texts in columns.items() if place not in taken
                and _all_match(field.shape, texts) and not _has(field.others, place)]  # fmt: skip
        named = (place for likely in field.names for place in fits if _has(likely, place))
        if place := next(named, None):
            taken.add(place)
            yield name, place


def _has(pattern: str, place: str) -> bool:
    return re.search(pattern, place, re.IGNORECASE) is not None


def _all_match(shape: str, texts: Iterable[str]) -> bool:
    return all(re.fullmatch(shape, text, re.DOTALL) for text in texts)


def _find_time(columns: dict[str, list[str]], count: int) -> dict[str, str] | None:
    """Where the time stands, or the day and the time of day, and how it is written."""
    whole = {place: texts for place, texts in columns.items() if len(texts) == count}
    by_name: Callable[[str], tuple[bool, bool]] = lambda place: (  # noqa: E731
        not _has("time|stamp|date", place),
        not _has("^@?time|^ts$|local|iso", place),
    )
    for kind in _KINDS:
        for place in sorted(whole, key=by_name):
            if not _has(r"time|stamp|date|\bdt$|\bts$|\bt$", place):
                continue
            if all(TimeFormat(kind).read(pa.array(whole[place]))[1]):
                return {"time": place, "time_format": kind}
    days = [p for p, texts in whole.items() if _all_match(r"\d{4}-\d\d-\d\d", texts)]
    clocks = [p for p, texts in whole.items() if _all_match(r"\d\d:\d\d:\d\d(?:\.\d+)?", texts)]
    return {"date": days[0], "time": clocks[0]} if days and clocks else None


def _quote(text: str) -> str:
    """A basic string of TOML, which has JSON's escapes."""
    return json.dumps(text).replace("\x7f", "\\u007f")
