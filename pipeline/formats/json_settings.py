"""JSON as a setting describes it: nginx's ``escape=json``, or a map from fields to places.

Source: nginx's ngx_http_log_module.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import HIDDEN, SettingsError
from pipeline.formats.configuration import read_configured
from pipeline.formats.fields import DURATIONS
from pipeline.formats.json_lines import JsonLayout, find_strings, load_template
from pipeline.formats.nginx import NGINX_TIMES, forwarded_kind, nginx_fields
from pipeline.formats.times import PATTERNS, TimeFormat, expand, find_missing, pattern_of

_STRING_OR_VARIABLE = re.compile(r'"(?:[^"\\]|\\.)*"|\$(?:\w+|\{\w+\})', re.ASCII | re.DOTALL)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
_TARGET = r"\$(?:request_uri|(?:document_)?uri\$is_args\$(?:args|query_string))"
_WHOLE = {
    "target": re.compile(rf"(?:(?:\$scheme|https?)://\$(?:http_host|host|server_name))?{_TARGET}"),
    "request": re.compile(rf"\$request_method {_TARGET} \$server_protocol"),
}
"""Values of several variables that are one field."""
_NAME = "name"
"""Where a map that is written as one text has its name."""
_CLIENT = frozenset({"client", "forwarded"})
_REQUEST = frozenset({"request", "method", "target", "path"})


def compile_json_template(text: str, name: str = "", key: str = "log_format") -> JsonLayout | None:
    """Make a layout of nginx's ``log_format ... escape=json``; None when it is no JSON object.

    Args:
        text: the format, as one string or in the quoted pieces of a configuration file.
        name: what to call it; itself when not given.
        key: the setting that has the text.

    Raises:
        SettingsError: it is one, and lacks time, client or request.
    """
    whole, _ = read_configured(text)
    quoted = _STRING_OR_VARIABLE.sub(
        lambda found: found[0] if found[0][0] == '"' else f'"{found[0]}"', whole
    )
    template = load_template(quoted)
    if not isinstance(template, dict):
        return None
    places: dict[str, list[str]] = defaultdict(list)
    times, forwarded = TimeFormat("iso"), JsonLayout.forwarded_kind
    for pointer, variable, field in _variables(template):
        if field == "time" and "time" in places:
            continue
        if field == "time":
            times = TimeFormat(NGINX_TIMES[variable])
        elif field == "forwarded" and field not in places:
            forwarded = forwarded_kind(variable)
        # bytes_sent has the head too: the body's count comes first where both are there.
        places[field].insert(0 if variable == "body_bytes_sent" else len(places[field]), pointer)
    _check(key, text, places)
    return JsonLayout(
        name or text, {field: tuple(its) for field, its in places.items()}, times,
        forwarded_kind=forwarded, marks=_marks({field: its[0] for field, its in places.items()}),
    )  # fmt: skip


def _variables(template: object) -> Iterator[tuple[str, str, str]]:
    """Pointer, variable and field of each value that is one variable and no more."""
    values = list(find_strings(template))
    alone = {pointer: _VARIABLE.fullmatch(value) for pointer, value in values}
    names = {pointer: found[1] or found[2] for pointer, found in alone.items() if found}
    fields = nginx_fields(names.values())
    for pointer, value in values:
        whole = next((field for field, form in _WHOLE.items() if form.fullmatch(value)), None)
        if whole:
            yield pointer, value, whole
        elif field := fields.get(names.get(pointer, "")):
            yield pointer, names[pointer], field


def _marks(places: Mapping[str, str]) -> tuple[str, ...]:
    """Where the time and the peer stand; a forwarding header is not in every line."""
    return tuple(places[field] for field in ("date", "time", "client") if field in places)


def _check(key: str, text: str, places: Mapping[str, object]) -> None:
    remedies = {
        "a time": ({"time"}, "$time_iso8601, $time_local or $msec"),
        "a client": (_CLIENT, "$remote_addr"),
        "a request": (_REQUEST, "$request, or $request_method and $request_uri"),
    }
    for what, (fields, remedy) in remedies.items():
        if fields.isdisjoint(places):
            raise SettingsError(key, text, f"it has not {what}: add {remedy}")


def write_map(name: str, entries: Mapping[str, str]) -> str:
    """A map in settings as one text, which ``compile_json`` reads.

    ``entries``: fields and their places, ``time_format`` and ``duration_unit``.
    """
    return json.dumps({_NAME: name, **entries}, ensure_ascii=False)


def compile_json(text: str, key: str = "log_format") -> JsonLayout | None:
    """Make a layout of a template of nginx's or of a map; None when it is neither.

    Raises:
        SettingsError: it is one, and lacks something or has something that is not known.
    """
    if "$" in text:
        return compile_json_template(text, key=key)
    entries = load_template(text)
    if not isinstance(entries, dict):
        if "%" in text or not text.lstrip().startswith("{"):
            return None
        raise SettingsError(key, text, "it is no JSON: mind its commas, quotes and braces")
    name = str(entries.pop(_NAME, "json"))
    time = str(entries.pop("time_format", "iso"))
    unit = str(entries.pop("duration_unit", "ms"))
    return layout_of_map(name, entries, time, unit)


_FIELDS = (
    "time", "client", "host", "request", "method", "target", "path", "query", "protocol", "status",
    "bytes", "referrer", "agent", "duration", "forwarded", "date",
)  # fmt: skip
_PLACE = re.compile(r"(?:/[^/]*)+|[^./][^.]*(?:\.[^.]+)*", re.DOTALL)
_UNITS = {name.removeprefix("duration_"): name for name in DURATIONS}


def layout_of_map(
    name: str, places: dict[str, str], time: str, duration_unit: str = "ms"
) -> JsonLayout:
    """Make a layout of a map from fields to places in JSON objects.

    Args:
        name: what to call it; in settings the table is ``[formats.NAME]``.
        places: by field, keys with dots between, or a JSON pointer; beside a ``date`` the
            ``time`` is that of day.
        time: of the time, or of date and time with a space between: ``iso``, ``clf``,
            ``epoch_s``, ``epoch_ms``, ``epoch_us``, ``epoch_ns``, ``iso_or_epoch``, or an strftime
            format.
        duration_unit: ``s``, ``ms``, ``us`` or ``ns``.

    Raises:
        SettingsError: the map has no time, client or request, or something that is not known.
    """
    key = f"formats.{name}"
    for field, place in places.items():
        if field not in _FIELDS:
            raise SettingsError(f"{key}.{field}", HIDDEN, f"write one of {', '.join(_FIELDS)}")
        if not _PLACE.fullmatch(str(place)):
            remedy = "write keys with dots between, as request.uri, or a pointer, as /request/uri"
            raise SettingsError(f"{key}.{field}", place, remedy)
    for needed, ones in (("time", {"time"}), ("client", _CLIENT)):
        if places.keys().isdisjoint(ones):
            raise SettingsError(f"{key}.{needed}", None, f"write where the {needed} stands")
    if _REQUEST.isdisjoint(places):
        remedy = "write where the request stands: request, or method and target, or path"
        raise SettingsError(f"{key}.request", None, remedy)
    if duration_unit not in _UNITS:
        raise SettingsError(f"{key}.duration_unit", duration_unit, "write s, ms, us or ns")
    renamed = {"duration": _UNITS[duration_unit]} | ({"time": "clock"} if "date" in places else {})
    fields = {renamed.get(field, field): (place,) for field, place in places.items()}
    return JsonLayout(
        name, fields, TimeFormat(_time_kind(key, time)), marks=_marks(places),
        decoders={"query": _without_mark},
    )  # fmt: skip


def _without_mark(texts: pa.StringArray) -> pa.StringArray:
    """A query without the question mark before it."""
    return pc.replace_substring_regex(texts, pattern=r"^\?", replacement="")


def _time_kind(key: str, time: str) -> str:
    if time in PATTERNS:
        return time
    remedy = f"write {', '.join(PATTERNS)}, or a format as %Y-%m-%d %H:%M:%S"
    if "%" not in time:
        raise SettingsError(f"{key}.time_format", time, remedy)
    try:
        pattern_of(time)
    except KeyError as error:
        why = f"%{error.args[0]} is not read: {remedy}"
        raise SettingsError(f"{key}.time_format", time, why) from None
    if missing := find_missing(expand(time)):
        raise SettingsError(f"{key}.time_format", time, f"it has no {missing}: {remedy}")
    return expand(time)
