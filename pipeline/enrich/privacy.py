"""What the lake keeps of a visitor's address: in hits, and in lines that were rejected.

By default nothing is kept. The visitor hash (``visitors``) and the country are made of the whole
address whatever is kept of it.
"""

import ipaddress
import re
import string
from collections.abc import Sequence

import pyarrow as pa

from pipeline.enrich.disguises import Place, find_encoded, find_octal, find_odd
from pipeline.enrich.geo.addresses import split_versions
from pipeline.formats.client_texts import recoded
from pipeline.setting_values import Addresses

_IPV4_KEPT_BITS = 24
_IPV6_KEPT_BITS = 48

# Each attempt of these ends after few characters and each match takes the whole run, so a hostile
# line costs one pass. They find more than addresses: four-part versions, hexadecimal with `::`.
_DOT, _COLON = r"(?:\.|%2[Ee])", "(?::|%3[Aa])"
_OCTET = "[0-9][0-9]{0,2}+"
_IPV4 = re.compile(f"{_OCTET}(?:{_DOT}{_OCTET}){{3,}}")
_HEXTET = f"[0-9A-Fa-f]{{1,4}}+{_COLON}"
# A time has three colons and a network card's number five: six, or two in a row, are an address.
_IPV6 = re.compile(
    f"(?:(?:{_HEXTET}){{6,}}+|(?:(?:{_HEXTET}){{1,5}}+|{_COLON}){_COLON})"
    rf"(?:[0-9A-Fa-f:]|%3[Aa])*+(?:\.[0-9]++)*+"
)
# As in ip-203-0-113-9.example.net; not a date with an hour.
_HYPHENS = re.compile(
    r"[0-9](?<![0-9][0-9])(?<![0-9]{2}[-_][0-9])[0-9]{0,2}+(?:[-_][0-9]{1,3}+){3}(?![-_]?[0-9])"
)
# What may be an address and stands by itself, or with a port.
_ALONE = re.compile(
    r"(?<![0-9A-Fa-f.:%])(?:[0-9.]{7,15}+(?=:[0-9]{1,5}+(?![0-9A-Fa-f.:]))"
    r"|[0-9A-Fa-f]*+[.:][0-9A-Fa-f.:]*+)"
)
_ADDRESS_CHARACTERS = string.hexdigits + ".:"


def truncate(client: str) -> str | None:
    """The network of an address: /24 of IPv4, /48 of IPv6, without a zone; else None."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    bits = _IPV4_KEPT_BITS if address.version == 4 else _IPV6_KEPT_BITS
    kept = int(address) >> (address.max_prefixlen - bits) << (address.max_prefixlen - bits)
    return str(type(address)(kept))


def kept_clients(clients: pa.DictionaryArray, kept: Addresses) -> pa.DictionaryArray:
    """What hits keep of their clients.

    Args:
        clients: shape ``(n,)``, canonical.
        kept: with ``truncated``, a client that is no address (a host's name) becomes null.
    """
    if kept is Addresses.none:
        return pa.nulls(len(clients), clients.type)
    if kept is Addresses.full:
        return clients
    networks = [_truncate_ipv4(client) for client in clients.dictionary.to_pylist()]
    is_ipv4, _ = split_versions(clients.dictionary)
    for position in set(range(len(networks))) - set(is_ipv4.tolist()):
        networks[position] = truncate(clients.dictionary[position].as_py())
    return recoded(clients, pa.array(networks, pa.string()))


def _truncate_ipv4(client: str) -> str | None:
    return client.rpartition(".")[0] + ".0"


def hide_addresses(line: str, kept: Addresses, *, is_head: bool = False) -> str:
    """Mask what may be an address anywhere in a rejected line, and leave its times readable.

    A mask is as long as what it hides, so that columns stay: ``203.0.113.9`` becomes
    ``x.x.x.xxxxx``, ``2001:db8::1`` becomes ``x:xxxxxxxxx``. With ``truncated``, an address that
    stands by itself becomes its network. No part of the result is another address. Masked too is
    what may be the beginning of one that the end of the line cuts off, and what is an address
    once it is decoded (see ``disguises``). An address with zero bytes
    between (UTF-16) is found; its line loses them.

    Args:
        line: as it was read.
        kept: what the lake keeps of addresses; with ``full`` the line is left as it is.
        is_head: whether the line goes on where this text ends.
    """
    if kept is Addresses.full:
        return line
    if "\0" in line:
        bare = line.replace("\0", "")
        hidden = _hide_all(bare, kept, is_head=is_head)
        return line if hidden == bare else hidden
    return _hide_all(line, kept, is_head=is_head)


def _hide_all(line: str, kept: Addresses, *, is_head: bool) -> str:
    """Mask what is encoded, then addresses as they are, then those in odd digits or separators."""
    line = _mask_places(line, sorted([*find_encoded(line), *find_octal(line)]))
    line = _hide(line, kept, is_head=is_head)
    odd = find_odd(line)
    if kept is Addresses.truncated:
        odd = [one for one in odd if truncate(line[one[0] : one[1]]) != line[one[0] : one[1]]]
    return _mask_places(line, odd)


def _mask_places(line: str, places: Sequence[Place]) -> str:
    pieces, at = [], 0
    for first, end, begins in places:
        if end > at:
            start = max(first, at)
            pieces += [line[at:start], begins.ljust(end - start, "x")[: end - start]]
            at = end
    return "".join([*pieces, line[at:]])


def _hide(line: str, kept: Addresses, *, is_head: bool) -> str:
    pieces, at = [], 0
    if kept is Addresses.truncated:
        for found in _ALONE.finditer(line):
            if network := truncate(found[0]):
                pieces += [_mask(line[at : found.start()]), network]
                at = found.end()
    pieces.append(_mask_rest(_mask(line[at:]), may_be_cut=is_head, is_whole=at == 0))
    return "".join(pieces)


def _mask(text: str) -> str:
    text = _IPV4.sub(_mask_ipv4, text)
    if "::" in text or "%3" in text or text.count(":") >= 6:
        text = _IPV6.sub(_mask_ipv6, text)
    return _HYPHENS.sub(_mask_hyphens, text)


def _mask_ipv4(found: re.Match[str]) -> str:
    return "x.x.x.".ljust(len(found[0]), "x")


def _mask_ipv6(found: re.Match[str]) -> str:
    return "x:".ljust(len(found[0]), "x") if len(found[0]) > 2 else "xx"


def _mask_hyphens(found: re.Match[str]) -> str:
    return "x-x-x-".ljust(len(found[0]), "x")


def _mask_rest(text: str, *, may_be_cut: bool, is_whole: bool) -> str:
    """Mask the beginning of an address that the end of the line cuts off."""
    stem = text.rstrip(_ADDRESS_CHARACTERS)
    end = text[len(stem) :]
    dots, colons = end.count("."), end.count(":")
    may_be_cut = may_be_cut or (is_whole and not stem)
    if dots >= 2 or colons >= 4 or (may_be_cut and dots + colons):
        return stem + "x" * len(end)
    return text
