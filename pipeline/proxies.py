"""The proxies whose word on a client's address is taken: networks, as a site's settings list them.

Only what they say is read; ``clients`` reads it.
"""

import hashlib
import json
import re
import socket
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network

import numpy as np
import numpy.typing as npt

from pipeline.errors import show_value

NO_PEER = "-"
"""The client where a line or a layout has none."""
SOCKET = re.compile(r"unix(?::.*)?|@.*", re.DOTALL)
"""A peer that came by a socket of this machine: nginx writes ``unix:``, Go's servers ``@``."""
_LOOPBACK = ("127.0.0.0/8", "::1/128")
PRESETS = {
    "loopback": _LOOPBACK,
    "private": (
        *_LOOPBACK,
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
        *("fc00::/7", "100.64.0.0/10"),  # RFC 4193, RFC 6598
        *("169.254.0.0/16", "fe80::/10"),  # link-local
    ),
}
"""Names that stand for networks in the setting ``trusted_proxies``."""
UNLOGGED = "unlogged"
"""The name there that stands for whoever connected where a layout does not log that (Envoy's)."""
SOCKETS = "unix"
"""The name there that stands for whoever connected by a socket of the server's own machine."""
_WORDS = (UNLOGGED, SOCKETS)

_IPV4 = 0xFFFF << 32  # IPv4 addresses are counted as ::ffff:0:0/96
_LAST_IPV4 = 0xFFFF_FFFF


def number_of(address: str) -> int | None:
    """The number of an address among all of IPv6, IPv4 as mapped there; None when it is none.

    A zone id does not count.
    """
    try:
        if ":" not in address:
            return _IPV4 | int.from_bytes(socket.inet_pton(socket.AF_INET, address))
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, address.partition("%")[0]))
    except (OSError, ValueError):  # ValueError: a NUL in it, or a lone surrogate
        return None


@dataclass(frozen=True)
class TrustedProxies:
    """Networks as ``(first, last)`` numbers of addresses, in order, none touching the next."""

    spans: tuple[tuple[int, int], ...] = ()
    has_unlogged: bool = False
    """Whether a peer that the layout does not log is one."""
    has_sockets: bool = False
    """Whether a peer that connected by a socket is one."""

    @property
    def name(self) -> str:
        """16 hex digits that tell these proxies from others, however they were written."""
        words = zip(_WORDS, (self.has_unlogged, self.has_sockets), strict=True)
        known = [*self.spans, *(word for word, is_one in words if is_one)]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]

    @cached_property
    def _firsts(self) -> list[int]:
        return [first for first, _ in self.spans]

    def has(self, number: int | None) -> bool:
        """Whether the address of this number is a trusted proxy's; None is no address."""
        if number is None:
            return False
        at = bisect_right(self._firsts, number)
        return at > 0 and number <= self.spans[at - 1][1]

    def has_peer(self, text: str) -> bool:
        """Whether a peer that has no address is a trusted proxy."""
        return (self.has_unlogged and text == NO_PEER) or self.has_socket(text)

    def has_socket(self, text: str) -> bool:
        """Whether it is a socket of this machine, and that is trusted."""
        return self.has_sockets and SOCKET.fullmatch(text) is not None

    def have_ipv4(self, addresses: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """``has`` of n IPv4 addresses."""
        bounds = [
            (max(first - _IPV4, 0), min(last - _IPV4, _LAST_IPV4) + 1)
            for first, last in self.spans
            if last >= _IPV4 and first <= _IPV4 + _LAST_IPV4
        ]
        # Every other bound ends a network: behind an odd number of them lies what is in one.
        behind = np.searchsorted(np.array(bounds, np.int64).ravel(), addresses, side="right")
        is_in: npt.NDArray[np.bool_] = behind % 2 == 1
        return is_in


NO_PROXIES = TrustedProxies()


def read_proxies(words: Iterable[str]) -> TrustedProxies:
    """The proxies that words stand for: networks, addresses, names of ``PRESETS``, and two words.

    Raises:
        ValueError: a word is none of these, or all of IPv4 or IPv6 would be trusted; says what
            would be right.
    """
    names = list(words)
    networks = [
        _read_network(each)
        for name in names
        if name.lower() not in _WORDS
        for each in PRESETS.get(name.lower(), (name,))
    ]
    spans: list[tuple[int, int]] = []
    for first, last in sorted(map(_span_of, networks)):
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = spans[-1][0], max(last, spans[-1][1])
        else:
            spans.append((first, last))
    for first, last in spans:
        if first <= _IPV4 and last >= _IPV4 + _LAST_IPV4:
            raise ValueError(
                "every address would be trusted, so every visitor could name another as the"
                " client; list only the networks of your proxies, such as private"
            )
    lower = {name.lower() for name in names}
    return TrustedProxies(tuple(spans), UNLOGGED in lower, SOCKETS in lower)


def _read_network(word: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(word)
    except ValueError:
        pass
    try:
        meant = ip_network(word, strict=False)
    except ValueError:
        near = get_close_matches(word.lower(), (*PRESETS, *_WORDS), 1)
        hint = f"did you mean {near[0]}? Write" if near else "write"
        raise ValueError(
            f"{show_value(word)} is no network; {hint} networks such as 10.0.0.0/8 or"
            f" 2001:db8::/32, addresses, {', '.join((*PRESETS, UNLOGGED))} or {SOCKETS}; in TOML"
            " a list, else with spaces between"
        ) from None
    address = word.partition("/")[0]
    raise ValueError(
        f"{word!r} has bits behind its prefix; write {meant} for the network, or {address} for that"
        " address alone"
    )


def _span_of(network: IPv4Network | IPv6Network) -> tuple[int, int]:
    base = _IPV4 if network.version == 4 else 0
    return base + int(network.network_address), base + int(network.broadcast_address)
