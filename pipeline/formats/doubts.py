"""Whether what stands in a file's lines as client is the visitor, or something else of the line.

A visitor is told by the client. Where most clients are no addresses, and the lines have some
elsewhere, the figures would be of something else: the file is refused, with what to set.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.client_texts import are_addresses, are_all_addresses, holds_address
from pipeline.formats.fields import ReadBlock
from pipeline.formats.layouts import Combined
from pipeline.formats.reader import Part
from pipeline.formats.targets import TEXT
from pipeline.proxies import NO_PEER, SOCKET, SOCKETS, UNLOGGED, TrustedProxies

_LOOKED_AT = 200
"""So many lines of a group are looked at in a block."""
_SHOWN_WIDTH = 100
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_TIME = re.compile(r" \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] \"", re.ASCII)


@dataclass(frozen=True)
class Group:
    """Lines whose client is no address: how many, and how many of some have one elsewhere."""

    count: int = 0
    looked_at: int = 0
    elsewhere: int = 0

    def __add__(self, other: "Group") -> "Group":
        """The lines of both."""
        looked_at = self.looked_at + other.looked_at
        return Group(self.count + other.count, looked_at, self.elsewhere + other.elsewhere)

    def is_most_of(self, lines: int) -> bool:
        """Whether it is more than half of the lines, and most of it has an address elsewhere."""
        return 2 * self.count > lines and 2 * self.elsewhere > self.looked_at


_NONE = Group()


@dataclass(frozen=True)
class Clients:
    """A block's, or a file's, by what they are; ``+`` adds up."""

    hits: int = 0
    unread: int = 0
    """Lines that are rejected for something else."""
    names: Group = _NONE
    """Also of peers that no line says more of."""
    rejected: Group = _NONE
    """Lines that only their client rejects."""
    unlogged: Group = _NONE
    sockets: Group = _NONE
    first: tuple[int, str] | None = None
    """The number of the first line whose client is no address, and that client."""

    def __add__(self, other: "Clients") -> "Clients":
        """The clients of both."""
        return Clients(
            self.hits + other.hits,
            self.unread + other.unread,
            self.names + other.names,
            self.rejected + other.rejected,
            self.unlogged + other.unlogged,
            self.sockets + other.sockets,
            min((one for one in (self.first, other.first) if one), default=None),
        )

    @property
    def others(self) -> int:
        """How many are no addresses."""
        return (self.names + self.rejected + self.unlogged + self.sockets).count

    def say_refusal(self, layout: str, proxies: TrustedProxies, *, is_given: bool) -> str | None:
        """Say why the file is not taken in, and what to set; None when it is.

        Args:
            layout: what its lines were read as.
            proxies: a peer without an address that is one of these is no doubt.
            is_given: whether a setting says so: then names of hosts are meant.
        """
        if self.unlogged.is_most_of(self.hits) and not proxies.has_unlogged:
            return self._ask_to_trust(UNLOGGED)
        if self.sockets.is_most_of(self.hits) and not proxies.has_sockets:
            return self._ask_to_trust(SOCKETS)
        has_names = self.names.is_most_of(self.hits) and not is_given
        lines = self.hits + self.rejected.count + self.unread
        if not has_names and not self.rejected.is_most_of(lines):
            return None
        meant = f', or to "{layout}" if they are names of hosts' if has_names else ""
        return (
            f"read as {layout}, but {self._say_count()}, while another field holds addresses: set"
            " log_format, or layout in a table [[source]], to the format string of"
            f" the server's configuration, or to the name of a table [formats.NAME]{meant}"
        )

    def _ask_to_trust(self, word: str) -> str:
        return (
            f"{self._say_count()}, while the header of a proxy holds addresses: put {word} into"
            f' trusted_proxies, beside your proxies (trusted_proxies = ["{word}", "private"]), and'
            " the clients are those of the header"
        )

    def say_doubt(self) -> str | None:
        """Say that most clients are no addresses, in lines that no layout fits."""
        if 2 * self.others <= self.hits + self.rejected.count:
            return None
        return (
            f"read as combined, as no layout fits, but {self._say_count()}: set log_format to the"
            ' format string of the server\'s configuration, or to "combined" if they are names of'
            " hosts"
        )

    def _say_count(self) -> str:
        first = self.first[1][:_SHOWN_WIDTH] if self.first else ""
        count = self.hits + self.rejected.count
        what = f"{self.others:,} of its {count:,} clients are no addresses"
        return f"{what}, the first is {first}"


def count_clients(read: ReadBlock, parts: Sequence[Part]) -> Clients:
    """The clients of a block that was read from ``parts``."""
    rejected = list(_find_rejected(read, parts))
    unread = len(read.rejects) - len(rejected)
    is_other = ~are_addresses(read.hits["client"].combine_chunks())
    if not rejected and not is_other.any():
        return Clients(len(read.hits), unread)
    others = read.hits.select(["line_no", "client", "forwarded"]).filter(pa.array(is_other))
    is_dash, is_socket = tell_unknown(others)
    names = others.filter(pc.invert(pc.or_(is_dash, is_socket)))
    numbers = names["line_no"][:_LOOKED_AT].to_numpy()
    firsts = [(number, line.partition(" ")[0]) for number, line in rejected[:1]]
    firsts += [(hit["line_no"], hit["client"]) for hit in others[:1].to_pylist()]
    return Clients(
        len(read.hits),
        unread,
        _group(len(names), map(_has_other_address, _lines_of(parts, numbers))),
        _group(len(rejected), (_has_other_address(line) for _, line in rejected[:_LOOKED_AT])),
        _group_by_header(others.filter(is_dash)),
        _group_by_header(others.filter(is_socket)),
        min(firsts),
    )


def tell_unknown(hits: pa.Table) -> tuple[pa.Array, pa.Array]:
    """Of which hits the layout does not log the peer, and which came by a socket.

    Only where there is a header that may say more.
    """
    clients, has_header = hits["client"].cast(TEXT), hits["forwarded"].is_valid()
    is_socket = pc.match_substring_regex(clients, f"^(?s:{SOCKET.pattern})$")
    return pc.and_(pc.equal(clients, NO_PEER), has_header), pc.and_(is_socket, has_header)


def _find_rejected(read: ReadBlock, parts: Sequence[Part]) -> Iterator[tuple[int, str]]:
    """The lines that only their client rejects, as far as their layout tells."""
    may_be_anything = any(isinstance(part.layout, Combined) for part in parts)
    for number, line, why in read.rejects:
        if why.reason == "client" and (not may_be_anything or _TIME.search(line)):
            yield number, line


def _group(count: int, elsewhere: Iterable[bool]) -> Group:
    flags = list(elsewhere)
    return Group(count, len(flags), sum(flags))


def _group_by_header(hits: pa.Table) -> Group:
    headers = hits["forwarded"][:_LOOKED_AT].to_pylist()
    return _group(len(hits), (holds_address(_bare(header or "")) for header in headers))


def _lines_of(parts: Sequence[Part], numbers: np.ndarray) -> list[str]:
    return [
        line
        for part in parts
        for line in part.lines.filter(pa.array(np.isin(part.line_no, numbers))).to_pylist()
    ]


def _has_other_address(line: str) -> bool:
    """Whether a field is an address, or is a list of some in quotes; a text in quotes is none."""
    lists = (_bare(quoted) for quoted in _QUOTED.findall(line))
    return holds_address(_QUOTED.sub(" ", line)) or any(map(are_all_addresses, lists))


def _bare(header: str) -> str:
    """What a forwarding header lists, without the names of pairs."""
    return re.sub(r"(?i)\bfor=", " ", header)
