"""What nginx's variables write in a ``log_format``.

Source: nginx's ngx_http_log_module and its variables; ngx_http_upstream_module, on several servers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from pipeline.formats.directives import (
    FORWARDING,
    MARK,
    PORT,
    Directive,
    merge_targets,
    split_format,
)
from pipeline.formats.times import PATTERNS, TimeFormat

VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<name>\w+))", re.ASCII)
_FIELDS = {
    "request": "request", "status": "status", "body_bytes_sent": "bytes", "bytes_sent": "bytes",
    "http_referer": "referrer", "http_user_agent": "agent", "host": "host", "http_host": "host",
    "server_name": "host", "request_method": "method", "request_uri": "target", "uri": "path",
    "document_uri": "path", "args": "query", "query_string": "query",
    "server_protocol": "protocol", "request_time": "duration_s", "time_local": "time",
    "time_iso8601": "time", "msec": "time",
}  # fmt: skip
NGINX_TIMES = {"time_local": "clf", "time_iso8601": "iso", "msec": "epoch_s"}
_PROXY_PROTOCOL = "proxy_protocol_addr"
_PEERS = ("remote_addr", "the_real_ip", "realip_remote_addr", _PROXY_PROTOCOL)
"""Who connected; the first of these that a format has. ``$the_real_ip`` is ingress-nginx's."""
_KINDS = {
    f"http_{header.replace('-', '_')}": header for header in FORWARDING
} | {"proxy_add_x_forwarded_for": "x-forwarded-for", _PROXY_PROTOCOL: "proxy-protocol"}  # fmt: skip
"""The variables that name a client whom somebody else told of, and who told."""
_SURE = frozenset(name for name, kind in _KINDS.items() if FORWARDING.get(kind))
_SEVERAL = re.compile("upstream_(?!http_|cookie_|trailer_|cache_|last_)")
_WITH_SPACES = re.compile(
    "(?:sent_|upstream_)?(?:http|cookie|trailer)_|arg_|geoip|ssl_client_|request_body"
)


def nginx_fields(variables: Iterable[str]) -> Mapping[str, str]:
    """The field of each of a format's variables that has one.

    Several say who the client is. The peer is the first of ``_PEERS``; what a proxy tells comes
    of the headers that are lists or a CDN's own, else of the first other one, else of the PROXY
    protocol, which is the peer where nothing else is.
    """
    names = list(dict.fromkeys(variables))
    fields = {name: _FIELDS[name] for name in names if name in _FIELDS}
    peer = next((name for name in _PEERS if name in names), None)
    told = [name for name in names if name in _SURE] or [
        name for name in names if name in _KINDS and name not in (peer, _PROXY_PROTOCOL)
    ][:1]
    if not told and _PROXY_PROTOCOL in names and peer != _PROXY_PROTOCOL:
        told = [_PROXY_PROTOCOL]
    return fields | dict.fromkeys(told, "forwarded") | ({peer: "client"} if peer else {})


def read_nginx(text: str) -> list[Directive]:
    """Read a format string of nginx's; variables that are not known are any text."""
    found = VARIABLE.finditer(text)
    fields = nginx_fields(one["braced"] or one["name"] for one in found)
    return merge_targets(list(_read(text, fields)))


def _read(text: str, fields: Mapping[str, str]) -> Iterator[Directive]:
    for part, found in split_format(text, VARIABLE):
        if found is None:
            yield Directive(part, is_literal=True)
            continue
        name = found["braced"] or found["name"]
        if name == "is_args":
            yield Directive(part, shape=MARK)
            continue
        field, kind = fields.get(name), NGINX_TIMES.get(name)
        shape = PATTERNS[kind] if kind else PORT if name.endswith("_port") else None
        yield Directive(
            part, field, shape, times=TimeFormat(kind) if kind else None,
            forwarded=_KINDS[name] if field == "forwarded" else None,
            is_final=name == "body_bytes_sent",
            has_spaces=field in (None, "agent", "referrer") and bool(_WITH_SPACES.match(name)),
            is_several=bool(_SEVERAL.match(name)),
        )  # fmt: skip


def forwarded_kind(variable: str) -> str:
    """Which header one of nginx's variables is, of ``clients.HEADERS``."""
    return _KINDS[variable]
