"""Who a hit's client is: its peer, or whom trusted proxies name in a header. One spelling each.

A proxy appends the address that it was asked from, so a header is read from its right end: what
stands left of the first address that is no trusted proxy's may be forged, and is not read.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.enrich.geo.addresses import ipv4_numbers, split_versions
from pipeline.formats.client_texts import are_plain_ipv6, read_client, recoded
from pipeline.proxies import TrustedProxies, number_of

_SINGLE = (
    "true-client-ip", "cf-connecting-ip", "x-real-ip", "x-client-ip", "x-cluster-client-ip",
    "client-ip", "fastly-client-ip", "incap-client-ip", "x-azure-clientip",
    "x-envoy-external-address", "do-connecting-ip", "fly-client-ip", "proxy-protocol",
)  # fmt: skip
"""These hold one address, no list; the last is no header, but what a proxy says on connecting."""
HEADERS = ("x-forwarded-for", "forwarded", *_SINGLE, "x-original-forwarded-for", "field")
"""Where a layout has the forwarded address from; ``field`` is one of the format's own, which is
read like ``x-forwarded-for``."""
MOST_HOPS = 100
"""So many addresses of a header are looked at, from the right; what is left of them is not read."""
MOST_CHARACTERS = 16_384
"""So many of a header's last characters are looked at; servers take 8 KiB by default."""

_MAPPED = bytes(10) + b"\xff\xff"
_COMPATIBLE = bytes(12)
_NODE_CHARACTERS = 128
# Layouts that have no spaces in their fields write the one after a comma as + or %20, and IIS a
# backslash before an address. RFC 7239 has ports that are hidden.
_NODE = re.compile(r"(?:[ \t+]|%20)*+\\*+(.*?)(?::_[\w.-]+)?[ \t]*", re.ASCII | re.DOTALL)
# Turned around, a quote is escaped when an odd number of backslashes comes after it.
_ELEMENT_REVERSED = re.compile(
    r'((?:[^",]++|"(?:[^"]++|"(?=\\(?:\\\\)*+(?!\\)))*+")*+)(?:,|\Z)', re.DOTALL
)
_PAIR = re.compile(
    r"[ \t;]*([\w!#$%&'*+.^`|~-]+)=(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s\",;]*))[ \t]*(?:;|\Z)",
    re.ASCII | re.DOTALL,
)
_HAS_QUOTE = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|(.))", re.DOTALL | re.IGNORECASE)
_PLAIN_FOR = "(?i)^for=(?P<last>[0-9.]{7,15})(?:;proto=https?)?$"
_PLAIN_HOPS = 3
_PRIVATE = (
    r"^\[?(?:(?:::ffff:)?(?:127|10|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])"
    r"|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.[\d.]+(?::\d+)?|f[cd][0-9a-f]{2}:.*|fe[89ab][0-9a-f]:.*"
    r"|::1\]?(?::\d+)?)$"
)
"""``proxies.PRESETS`` as one expression: of the many clients of a block all are asked at once."""
_NONE, _CHOSEN, _PEER_KEPT, _PROXY_KEPT = range(4)
PEER = "peer"
"""``client_from`` where there is no header, or whoever connected is not trusted."""


def name_choices(kind: str) -> tuple[str, str, str, str]:
    """What ``client_from`` says where a layout has a header of this kind.

    The peer, as there is no header or the peer is not trusted; the header; the peer, as what the
    header's last proxy names is no address; another trusted proxy, for the same reason.
    """
    return PEER, kind, f"peer: unreadable {kind}", f"proxy: unreadable {kind}"


CHOICES = frozenset(choice for kind in HEADERS for choice in name_choices(kind))
"""Every value of ``client_from``."""


def choose_clients(
    peers: pa.DictionaryArray, forwarded: pa.DictionaryArray, kind: str, trusted: TrustedProxies
) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
    """The canonical client of each of n hits, and how it was chosen.

    Where the peer is a trusted proxy, the client is the right-most address of the header that is
    not. When that one is no address (``unknown``, ``_hidden``, garbage), the proxy right of it is
    the client; when all are trusted, the left-most is.

    Args:
        peers: who connected, as read; a port does not matter to whether it is trusted.
        forwarded: the header as read; null, ``-`` or blank when there was none.
        kind: which one, of ``HEADERS``.
        trusted: the proxies whose word is taken.
    """
    headers = pc.coalesce(forwarded, pa.array([""]).dictionary_encode()[0])
    at_peer, at_header = (coded.indices.to_numpy() for coded in (peers, headers))
    texts = peers.dictionary.to_pylist()
    read_peers = [_read_node(text) for text in texts]
    is_proxy = np.array(
        [
            trusted.has(read[1]) if read else trusted.has_peer(text)
            for text, read in zip(texts, read_peers, strict=True)
        ],
        np.bool_,
    )
    asked = np.unique(at_header[is_proxy[at_peer]])
    named, read = _read_headers(headers.dictionary.take(pa.array(asked)), kind, trusted)
    place = np.searchsorted(asked, at_header)  # of another row's header where its peer is no proxy
    chosen = np.where(is_proxy[at_peer], np.append(read, _NONE)[place], _NONE).astype(np.int8)
    spelt = [read[0] if read else text for text, read in zip(texts, read_peers, strict=True)]
    is_named = (chosen == _CHOSEN) | (chosen == _PROXY_KEPT)
    either = pa.concat_arrays([pa.array(spelt, pa.string()), named])
    code = np.where(is_named, len(spelt) + place, at_peer)
    clients = pa.DictionaryArray.from_arrays(pa.array(code.astype(np.int32)), either)
    return recoded(clients, either), _name_all(chosen, kind)


def are_unheeded(
    forwarded: pa.DictionaryArray, client_from: pa.DictionaryArray
) -> npt.NDArray[np.bool_]:
    """Of which of n hits a header names a client, and the peer is taken, as nobody trusts it.

    Browsers send no such header: that peer is a proxy.
    """
    names_one = pc.match_substring_regex(forwarded.dictionary, "[.:]")
    is_peer = pc.equal(client_from.dictionary, PEER)
    is_both = pc.and_(names_one.take(forwarded.indices), is_peer.take(client_from.indices))
    found: npt.NDArray[np.bool_] = is_both.fill_null(False).to_numpy(zero_copy_only=False)
    return found


def are_private(
    peers: pa.DictionaryArray, client_from: pa.DictionaryArray
) -> npt.NDArray[np.bool_]:
    """Of which of n hits the client is the peer, and that has an address of a network of its own.

    No database locates it.
    """
    is_private = pc.match_substring_regex(peers.dictionary, _PRIVATE, ignore_case=True)
    is_peer = pc.equal(client_from.dictionary, PEER)
    is_both = pc.and_(is_private.take(peers.indices), is_peer.take(client_from.indices))
    found: npt.NDArray[np.bool_] = is_both.fill_null(False).to_numpy(zero_copy_only=False)
    return found


def _name_all(chosen: npt.NDArray[np.int8], kind: str) -> pa.DictionaryArray:
    coded = pa.array(chosen).dictionary_encode()
    names = pa.array(name_choices(kind)).take(coded.dictionary)
    return pa.DictionaryArray.from_arrays(coded.indices, names)


def _read_headers(
    headers: pa.StringArray, kind: str, trusted: TrustedProxies
) -> tuple[pa.StringArray, npt.NDArray[np.int8]]:
    """``_read_header`` of n distinct headers; where plain IPv4 decides, of all at once."""
    is_short = pc.less_equal(pc.binary_length(headers), _NODE_CHARACTERS)
    rows, rest = np.flatnonzero(_flags(is_short)), headers.filter(is_short)
    parts = []
    for _ in range(_PLAIN_HOPS):
        rest, last = _split_last(rest, kind)
        is_ipv4, _ = split_versions(last)
        rows, last, rest = rows[is_ipv4], last.take(is_ipv4), rest.take(is_ipv4)
        is_proxy = trusted.have_ipv4(ipv4_numbers(last))
        parts.append((rows[~is_proxy], last.filter(pa.array(~is_proxy))))
        rows, rest = rows[is_proxy], rest.filter(pa.array(is_proxy))
    read = np.full(len(headers), _CHOSEN, np.int8)
    others = np.setdiff1d(np.arange(len(headers)), np.concatenate([rows for rows, _ in parts]))
    answers = [_read_header(text, kind, trusted) for text in headers.take(others).to_pylist()]
    read[others] = [choice for _, choice in answers]
    parts.append((others, pa.array([named for named, _ in answers], pa.string())))
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    return pa.concat_arrays([named for _, named in parts]).take(order), read


def _split_last(headers: pa.StringArray, kind: str) -> tuple[pa.StringArray, pa.StringArray]:
    """What is left of each header's last comma, and what is right of it; empty without one."""
    if kind in _SINGLE:
        return pa.repeat("", len(headers)), headers
    split = pc.split_pattern(headers, ",", max_splits=1, reverse=True)
    ends = split.offsets.to_numpy()
    rest = pc.if_else(pa.array(np.diff(ends) > 1), split.values.take(ends[:-1]), "")
    last = pc.ascii_trim(split.values.take(ends[1:] - 1), " \t")
    if kind == "forwarded":
        last = pc.extract_regex(last, _PLAIN_FOR).field("last")
    return rest, last


def _flags(mask: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    flags: npt.NDArray[np.bool_] = mask.to_numpy(zero_copy_only=False)
    return flags


def _read_header(text: str, kind: str, trusted: TrustedProxies) -> tuple[str | None, int]:
    """The address that a header names, or None, and which of the four choices that is."""
    if text.strip(" \t") in {"", "-"}:
        return None, _NONE
    named = None
    for node in _nodes_from_right(text, kind):
        if trusted.has_socket(node.strip(" \t")):
            continue
        read = _read_node(node)
        if read is None:
            return named, _PEER_KEPT if named is None else _PROXY_KEPT
        named = read[0]
        if not trusted.has(read[1]):
            break
    return named, _PEER_KEPT if named is None else _CHOSEN


def _nodes_from_right(text: str, kind: str) -> Iterator[str]:
    """The nodes of a header from right to left; an empty one, which is none, where it is cut."""
    if kind in _SINGLE:
        yield text
        return
    if len(text) > MOST_CHARACTERS:
        text = text[-MOST_CHARACTERS:]
        text = text[text.find(",") :] if "," in text else ""
    if kind == "forwarded":
        yield from _forwarded_nodes(text)
        return
    nodes = text.rsplit(",", MOST_HOPS)
    if len(nodes) > MOST_HOPS:
        nodes[0] = ""
    yield from reversed(nodes)


def _forwarded_nodes(text: str) -> Iterator[str]:
    """The ``for`` of each element of RFC 7239's header, from right to left; empty without one.

    From the left, a quote that a visitor opened would swallow what proxies append.
    """
    backwards = _unescape(text)[::-1]
    at = 0
    for _ in range(MOST_HOPS):
        element = _ELEMENT_REVERSED.match(backwards, at)
        if element is None:  # a quote is never opened
            break
        yield _read_for(element[1][::-1])
        at = element.end()
        if not element[0].endswith(","):
            return
    yield ""


def _unescape(text: str) -> str:
    r"""The header as it was sent, when a server's log has it with its quotes escaped.

    Apache writes ``\"`` and nginx ``\x22``; in neither log a quote is left as it was, whatever a
    visitor sends, and where one is left, backslashes are the header's own.
    """
    if "\\" not in text or _HAS_QUOTE.match(text):
        return text
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)


def _read_for(element: str) -> str:
    """The one ``for`` of ``for=..;by=..``; empty when there is none, or more, or it is broken."""
    element, at, found = element.strip(" \t;"), 0, []
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None:
            return ""
        if pair[1].lower() == "for":
            found.append(pair[3] if pair[2] is None else re.sub(r"\\(.)", r"\1", pair[2]))
        at = pair.end()
    return found[0] if len(found) == 1 else ""


def _read_node(text: str) -> tuple[str, int] | None:
    """A node's canonical address, without its port, and its number; None when it has none."""
    return _read_short(text) if text and len(text) <= _NODE_CHARACTERS else None


@lru_cache(maxsize=50_000)
def _read_short(text: str) -> tuple[str, int] | None:
    node = _NODE.fullmatch(text)
    client = read_client(node[1]) if node else None
    address = None if client is None else canonical(client)
    number = None if address is None else number_of(address)
    return None if address is None or number is None else (address, number)


@lru_cache(maxsize=50_000)
def canonical(client: str) -> str:
    """One spelling per address: IPv6 compressed, IPv4-mapped as IPv4; anything else as written."""
    if ":" not in client:
        return client
    if "%" in client:  # a zone id, which the C library does not take
        return _canonical_scoped(client)
    try:
        packed = socket.inet_pton(socket.AF_INET6, client)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return client
    if packed.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    if packed.startswith(_COMPATIBLE):  # the C library writes these with a dotted end
        return str(ipaddress.IPv6Address(packed))
    return socket.inet_ntop(socket.AF_INET6, packed)


def _canonical_scoped(client: str) -> str:
    try:
        address = ipaddress.IPv6Address(client)
    except ValueError:
        return client
    return str(address.ipv4_mapped or address)


def canonical_clients(clients: pa.StringArray) -> pa.StringArray:
    """``canonical`` of n distinct clients; only what holds a colon can need a change."""
    is_changed = pc.find_substring(clients, ":").to_numpy() >= 0
    is_changed[is_changed] = ~are_plain_ipv6(clients.filter(pa.array(is_changed)))
    if not is_changed.any():
        return clients
    mask = pa.array(is_changed)
    changed = [canonical(client) for client in clients.filter(mask).to_pylist()]
    return pc.replace_with_mask(clients, mask, pa.array(changed, pa.string()))
