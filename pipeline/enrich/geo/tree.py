"""The first networks in the search tree of a MaxMind DB file. Decodes no record, locates nothing.

Format: the MaxMind DB specification 2.0, section "Binary Search Tree". A record below the node
count is the next node, equal to it means "no data", above it points into the data section. The
libraries' own iteration has no bound on a hostile tree.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from pipeline.errors import GeoError


class TreeShape(Protocol):
    """The part of a database's metadata that lays out its tree."""

    @property
    def node_count(self) -> int:
        """Nodes in the tree."""

    @property
    def record_size(self) -> int:
        """Bits of a record; a node is two records."""

    @property
    def ip_version(self) -> int:
        """4 when the tree is 32 bits deep, 6 when it is 128."""


def first_networks(path: Path, shape: TreeShape, max_nodes: int) -> Iterator[int]:
    """Yield, lowest first, the first address (as an integer) of networks that have data.

    Reads at most ``max_nodes`` nodes and none twice, so that a tree with a loop ends too.
    """
    node_bytes, bits = shape.record_size // 4, 32 if shape.ip_version == 4 else 128
    pending, seen = [(0, 0, 0)], set[int]()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as nodes:
        while pending and len(seen) < max_nodes:
            record, address, depth = pending.pop()
            if record > shape.node_count:
                yield address
            if record >= shape.node_count or record in seen or depth == bits:
                continue
            seen.add(record)
            node = nodes[record * node_bytes : (record + 1) * node_bytes]
            left, right = _read_records(node, shape.record_size)
            pending.append((right, address | 1 << (bits - 1 - depth), depth + 1))
            pending.append((left, address, depth + 1))


def _read_records(node: bytes, record_size: int) -> tuple[int, int]:
    """A node's left and right record."""
    whole = record_size // 8
    left, right = int.from_bytes(node[:whole], "big"), int.from_bytes(node[-whole:], "big")
    if record_size == 28:  # the middle byte holds the top four bits of both
        left, right = left | node[3] >> 4 << 24, right | (node[3] & 15) << 24
    return left, right


def damaged(path: Path, why: str) -> GeoError:
    """Make the error that names a database which cannot be trusted, and says what to do."""
    return GeoError(f"address database {path} is damaged: {why}; replace it or remove it")
