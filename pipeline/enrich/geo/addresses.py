"""Which clients are addresses, and IPv4 ones as numbers. Says what is an address, not where."""

import ipaddress
import socket
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.client_texts import are_ipv4

Positions: TypeAlias = npt.NDArray[np.intp]


def split_versions(clients: pa.StringArray) -> tuple[Positions, Positions]:
    r"""Tell the positions of the clients that can be IPv4 and of those that may be IPv6.

    An IPv4 address is four decimal octets without leading zeros, as :mod:`ipaddress` reads it, and
    nothing behind them: ``1.2.3.4\n`` is none.
    """
    is_ipv4 = are_ipv4(clients)
    others = np.flatnonzero(~is_ipv4)
    has_colon = pc.match_substring(clients.take(pa.array(others)), ":")
    return np.flatnonzero(is_ipv4), others[_flags(has_colon)]


def ipv4_numbers(clients: pa.StringArray) -> npt.NDArray[np.uint32]:
    """Read dotted quads, which must all be valid, as numbers; shape ``(n,)``."""
    octets = pc.split_pattern(clients, ".").flatten().cast(pa.uint8())
    packed = np.ascontiguousarray(octets.to_numpy(zero_copy_only=False)).view(">u4")
    return packed.astype(np.uint32)


def are_ipv6(clients: list[str]) -> list[bool]:
    """Tell which clients are IPv6 addresses, also scoped ones (``fe80::1%eth0``)."""
    return [_is_ipv6(client) for client in clients]


def _is_ipv6(client: str) -> bool:
    try:
        if "%" in client:
            ipaddress.IPv6Address(client)
        else:
            socket.inet_pton(socket.AF_INET6, client)
    except (OSError, ValueError):  # ValueError: an embedded NUL or a lone surrogate
        return False
    return True


def _flags(mask: Any) -> npt.NDArray[np.bool_]:
    return np.asarray(mask.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_)
