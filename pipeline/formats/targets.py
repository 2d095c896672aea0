"""A request's method, target and protocol, and the host that a target names.

Source: RFC 9112, section 3 (the forms of a target); RFC 9110, sections 4.2 (the ports that schemes
have) and 9.3.6 (CONNECT, whose target is an authority with its port).
"""

import re
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.extraction import extract

TEXT = pa.string()
_NOTHING = ("", "-")
_METHOD = re.compile("[A-Z]+")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+)://([^/?#]*+)", re.ASCII)
_AUTHORITY = re.compile("[^/?#*]+")
"""What ``CONNECT`` asks for, with its port."""
_ORIGIN = r"(?:[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?# ]+))?"
_PATH = r"(?P<path>/[^ ?]*)(?P<query>(?:\?[^ ]*)?)"
_PLAIN_REQUEST = rf"^(?P<method>[A-Z]+) {_ORIGIN}{_PATH} (?P<protocol>HTTP/[^ ]+)$"
_PLAIN_TARGET = rf"^{_ORIGIN}(?P<path>/[^?]*)(?P<query>(?:\?.*)?)$"
"""A query with its question mark."""
_REQUEST = ("method", "host", "path", "query", "protocol")
_DEFAULT_PORTS = {":80": ("http", "ws"), ":443": ("https", "wss")}
"""The schemes whose own a port is: it says nothing (RFC 3986, section 6.2.3)."""


def _without_default_port(scheme: str, host: str) -> str:
    for port, schemes in _DEFAULT_PORTS.items():
        if host.endswith(port) and scheme.lower() in schemes:
            return host.removesuffix(port)
    return host


def split_target(target: str) -> tuple[str | None, str | None, str | None]:
    """Host, path and query of a request's target.

    The authority of an absolute one is the host, without the port that its scheme has anyway.
    """
    host = None
    if absolute := _ABSOLUTE.match(target):
        host, target = _without_default_port(*absolute.groups()), target[absolute.end() :]
        host = None if host in _NOTHING else host
    path, mark, query = target.partition("?")
    return host, path, query if mark else None


def split_request(request: str) -> tuple[str | None, ...]:
    """Method, host, path, query and protocol of a request line; all null when it is none.

    What ``CONNECT`` asks for is the host, with its port; it has no path.
    """
    method, _, rest = request.partition(" ")
    target, _space, last = rest.rpartition(" ")
    if last.startswith("HTTP/"):
        protocol: str | None = last
    else:
        target, protocol = rest, None
    if not _METHOD.fullmatch(method) or not target:
        return None, None, None, None, None
    if method == "CONNECT" and _AUTHORITY.fullmatch(target):
        return method, target, None, None, protocol
    return method, *split_target(target), protocol


def or_null(text: pa.StringArray | None, count: int) -> pa.StringArray:
    """Texts with null for what is empty or ``-``; all null of a field that a layout lacks."""
    if text is None:
        return pa.nulls(count, TEXT)
    return pc.if_else(pc.is_in(text, pa.array(_NOTHING)), pa.scalar(None, TEXT), text)


def read_request(texts: Mapping[str, pa.StringArray], count: int) -> dict[str, pa.Array]:
    """Method, host, path, query and protocol of n requests, as ``split_request`` has them."""
    if "request" in texts:
        parts = _split(texts["request"], _PLAIN_REQUEST, _REQUEST, split_request)
    else:
        method = or_null(texts.get("method"), count)
        is_method = pc.match_substring_regex(method, r"\A[A-Z]+\z")
        parts = {
            "method": pc.if_else(is_method, method, pa.scalar(None, TEXT)),
            "protocol": or_null(texts.get("protocol"), count),
        }
        if "target" in texts:
            target = or_null(texts["target"], count)
            parts |= _split(target, _PLAIN_TARGET, ("host", "path", "query"), split_target)
            parts |= _read_tunnels(target, parts)
            if "query" in texts:
                parts["query"] = pc.coalesce(parts["query"], or_null(texts["query"], count))
        else:
            parts |= {name: or_null(texts.get(name), count) for name in ("path", "query")}
            parts["host"] = pa.nulls(count, TEXT)
    if "host" in texts:
        parts["host"] = pc.coalesce(parts["host"], or_null(texts["host"], count))
    return parts


def _split(
    text: pa.StringArray,
    plain: str,
    names: Sequence[str],
    split_one: Callable[[str], tuple[str | None, ...]],
) -> dict[str, pa.Array]:
    """Split by a regular expression where it fits, else each distinct text by ``split_one``."""
    parts, is_plain = extract(text, plain)
    has_query = pc.greater(pc.binary_length(parts["query"]), 0)
    query = pc.utf8_slice_codeunits(parts["query"], 1)
    parts["query"] = pc.if_else(has_query, query, pa.scalar(None, TEXT))
    parts["host"] = or_null(_drop_default_ports(parts["host"], text), len(text))
    is_odd = pc.and_(pc.invert(is_plain), text.is_valid())
    if pc.any(is_odd).as_py():
        coded = text.filter(is_odd).dictionary_encode()
        columns = zip(*map(split_one, coded.dictionary.to_pylist()), strict=True)
        for name, values in zip(names, columns, strict=True):
            odd = pa.array(values, TEXT).take(coded.indices)
            parts[name] = pc.replace_with_mask(parts[name], is_odd, odd)
    return parts


def _drop_default_ports(hosts: pa.StringArray, texts: pa.StringArray) -> pa.StringArray:
    """The hosts of requests or targets, none with the port that its scheme has anyway."""
    if hosts.null_count == len(hosts):
        return hosts
    for port, schemes in _DEFAULT_PORTS.items():
        is_said = pc.ends_with(hosts, port).fill_null(False)
        if pc.any(is_said).as_py():
            own = rf"(?i)^(?:[A-Z]+ )?(?:{'|'.join(schemes)})://"
            is_said = pc.and_(is_said, pc.match_substring_regex(texts, own).fill_null(False))
            without = pc.utf8_slice_codeunits(hosts, 0, -len(port))
            hosts = pc.if_else(is_said, without, hosts)
    return hosts


def _read_tunnels(
    targets: pa.StringArray, parts: Mapping[str, pa.Array]
) -> dict[str, pa.StringArray]:
    """What ``CONNECT`` asks for as the host, and no path."""
    is_tunnel = pc.equal(parts["method"], "CONNECT").fill_null(False)
    if not pc.any(is_tunnel).as_py():
        return {}
    is_tunnel = pc.and_(is_tunnel, pc.match_substring_regex(targets, r"^[^/?#*]+$"))
    nothing = pa.scalar(None, TEXT)
    return {
        "host": pc.if_else(is_tunnel, targets, parts["host"]),
        "path": pc.if_else(is_tunnel, nothing, parts["path"]),
    }
