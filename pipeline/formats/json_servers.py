"""Servers that log JSON a line: Caddy, Traefik, nginx with ``escape=json``, and any by a map.

Sources: Caddy, *How Logging Works* and *log* directive; Traefik, *Access Logs* (fields of JSON,
and the common log format that it adds to); nginx's ngx_http_log_module.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import SettingsError
from pipeline.formats.escapes import decode_where
from pipeline.formats.fields import DURATIONS
from pipeline.formats.json_lines import JsonLayout, find_strings, load_template
from pipeline.formats.templates import NGINX_FIELDS, NGINX_TIMES, compile_format
from pipeline.formats.times import PATTERNS, TimeFormat, expand, pattern_of


def _without_port(texts: pa.StringArray) -> pa.StringArray:
    """Take the port off an address, and an IPv6 address out of its brackets."""
    return pc.replace_substring_regex(
        texts, pattern=r"^\[?([0-9A-Fa-f:]*:[0-9A-Fa-f.]*|[0-9.]+)(?:\]:\d+|\]|:\d+)?$",
        replacement=r"\1",
    )  # fmt: skip


CADDY = JsonLayout(
    "caddy",
    {
        "time": ("ts",),
        # The same as remote_ip unless Caddy was told which proxies to trust.
        "client": ("request.client_ip", "request.remote_ip", "request.remote_addr"),
        "host": ("request.host",),
        "method": ("request.method",),
        "target": ("request.uri",),
        "protocol": ("request.proto",),
        "status": ("status",),
        "bytes": ("size",),
        "referrer": ("request.headers.Referer.0",),
        "agent": ("request.headers.User-Agent.0",),
        "duration_s": ("duration",),
        "forwarded": ("request.headers.X-Forwarded-For.0",),
    },
    TimeFormat("iso_or_epoch"),
    example='{"level":"info","ts":1478637000.123456,"logger":"http.log.access",'
    '"msg":"handled request","request":{"remote_ip":"203.0.113.7","remote_port":"50000",'
    '"client_ip":"203.0.113.7","proto":"HTTP/2.0","method":"GET","host":"www.example.com",'
    '"uri":"/english/?lang=en","headers":{"User-Agent":["Mozilla/5.0 (X11; Linux)"],'
    '"Referer":["https://example.org/"],"X-Forwarded-For":["198.51.100.9"]}},"bytes_read":0,'
    '"user_id":"","duration":0.046,"size":5120,"status":200}',
    marks=("request.method", "request.uri"),
    only={"logger": r"^http\.log\.access"},
    decoders={"client": partial(decode_where, r"[\[\]:]", _without_port)},
)
"""Up to 2.4 the client is ``remote_addr``, with its port, and ``common_log`` says all once more. An
error of a handler is logged with its request a second time, by another ``logger``."""

TRAEFIK_JSON = JsonLayout(
    "traefik_json",
    {
        "time": ("StartUTC", "StartLocal", "time"),
        "client": ("ClientHost",),
        "host": ("RequestHost", "RequestAddr"),
        "method": ("RequestMethod",),
        "target": ("RequestPath",),
        "protocol": ("RequestProtocol",),
        "status": ("DownstreamStatus",),
        "bytes": ("DownstreamContentSize",),
        "referrer": ("request_Referer",),
        "agent": ("request_User-Agent",),
        "duration_ns": ("Duration",),
        "forwarded": ("request_X-Forwarded-For",),
    },
    example='{"ClientAddr":"203.0.113.7:50000","ClientHost":"203.0.113.7",'
    '"DownstreamContentSize":5120,"DownstreamStatus":200,"Duration":46000000,'
    '"RequestAddr":"www.example.com","RequestHost":"www.example.com","RequestMethod":"GET",'
    '"RequestPath":"/english/?lang=en","RequestProtocol":"HTTP/2.0",'
    '"StartUTC":"2016-11-08T20:30:00.123456789Z","level":"info","msg":"",'
    '"request_Referer":"https://example.org/","request_User-Agent":"Mozilla/5.0 (X11; Linux)",'
    '"request_X-Forwarded-For":"198.51.100.9","time":"2016-11-08T20:30:00Z"}',
    marks=("ClientHost", "DownstreamStatus"),
)
"""``Duration`` is in nanoseconds; headers are there when ``fields.headers`` keeps them."""

TRAEFIK = compile_format(
    '%h - %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %k "%{router}n" "%{server}n" %{ms}Tms',
    "traefik",
    '203.0.113.7 - - [08/Nov/2016:20:30:00 +0000] "GET /english/?lang=en HTTP/2.0" 200 5120'
    ' "https://example.org/" "Mozilla/5.0 (X11; Linux)" 1 "site@docker" "http://192.0.2.1:80" 46ms',
)
"""Traefik's common log format: Apache's combined, the number of requests since its start, router,
server and duration."""

LAYOUTS = (CADDY, TRAEFIK_JSON, TRAEFIK)

_STRING_OR_VARIABLE = re.compile(r'"(?:[^"\\]|\\.)*"|\$(?:\w+|\{\w+\})', re.ASCII | re.DOTALL)
_PIECE = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
_URL = re.compile(r"(?:\$scheme|https?)://\$(?:http_host|host|server_name)\$request_uri")
_REQUEST = frozenset({"request", "method", "target", "path"})


def compile_json_template(text: str, name: str = "") -> JsonLayout | None:
    """Make a layout of nginx's ``log_format ... escape=json``; None when it is no JSON object.

    Args:
        text: the format, as one string or in the quoted pieces of a configuration file.
        name: what to call it; itself when not given.

    Raises:
        SettingsError: it is one, and lacks time, client or request.
    """
    whole = "".join(_PIECE.findall(text)) if text.lstrip().startswith("'") else text
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
            forwarded = re.sub("^(http|proxy_add)_", "", variable).replace("_", "-")
        # bytes_sent has the head too: the body's count comes first where both are there.
        places[field].insert(0 if variable == "body_bytes_sent" else len(places[field]), pointer)
    _check(text, places)
    return JsonLayout(
        name or text, {field: tuple(its) for field, its in places.items()}, times,
        forwarded_kind=forwarded, marks=(places["time"][0], places["client"][0]),
    )  # fmt: skip


def _variables(template: object) -> Iterator[tuple[str, str, str]]:
    """Pointer, variable and field of each value that is one variable and no more."""
    for pointer, value in find_strings(template):
        if _URL.fullmatch(value):
            yield pointer, "request_uri", "target"
        elif found := _VARIABLE.fullmatch(value):
            variable = found[1] or found[2]
            if variable in NGINX_FIELDS:
                yield pointer, variable, NGINX_FIELDS[variable]


def _check(text: str, places: Mapping[str, object]) -> None:
    remedies = {
        "a time": ({"time"}, "$time_iso8601, $time_local or $msec"),
        "a client": ({"client"}, "$remote_addr"),
        "a request": (_REQUEST, "$request, or $request_method and $request_uri"),
    }
    for what, (fields, remedy) in remedies.items():
        if fields.isdisjoint(places):
            raise SettingsError("--log-format", text, f"it has not {what}: add {remedy}")


_FIELDS = (
    "time", "client", "host", "request", "method", "target", "path", "query", "protocol", "status",
    "bytes", "referrer", "agent", "duration", "forwarded",
)  # fmt: skip
_PLACE = re.compile(r"(?:/[^/]*)+|[^./][^.]*(?:\.[^.]+)*", re.DOTALL)
_UNITS = {name.removeprefix("duration_"): name for name in DURATIONS}


def layout_of_map(
    name: str, places: dict[str, str], time: str, duration_unit: str = "ms"
) -> JsonLayout:
    """Make a layout of a map from fields to places in JSON objects.

    Args:
        name: what to call it.
        places: by field, keys with dots between, or a JSON pointer.
        time: ``iso``, ``clf``, ``epoch_s``, ``epoch_ms``, ``epoch_us``, ``epoch_ns``,
            ``iso_or_epoch``, or an strftime format.
        duration_unit: ``s``, ``ms``, ``us`` or ``ns``.

    Raises:
        SettingsError: the map has no time, client or request, or something that is not known.
    """
    key = f"formats.{name}"
    for field, place in places.items():
        if field not in _FIELDS:
            raise SettingsError(f"{key}.{field}", place, f"write one of {', '.join(_FIELDS)}")
        if not _PLACE.fullmatch(str(place)):
            remedy = "write keys with dots between, as request.uri, or a pointer, as /request/uri"
            raise SettingsError(f"{key}.{field}", place, remedy)
    for needed in ("time", "client"):
        if needed not in places:
            raise SettingsError(f"{key}.{needed}", None, f"write where the {needed} stands")
    if _REQUEST.isdisjoint(places):
        remedy = "write where the request stands: request, or method and target, or path"
        raise SettingsError(f"{key}.request", None, remedy)
    if duration_unit not in _UNITS:
        raise SettingsError(f"{key}.duration_unit", duration_unit, "write s, ms, us or ns")
    fields = {_UNITS[duration_unit] if f == "duration" else f: (p,) for f, p in places.items()}
    marks = (places["time"], places["client"])
    return JsonLayout(name, fields, TimeFormat(_time_kind(key, time)), marks=marks)


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
    return expand(time)
