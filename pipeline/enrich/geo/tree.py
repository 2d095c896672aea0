"""The search tree of a MaxMind DB file, walked for many addresses at once. Decodes no record.

Format: the MaxMind DB specification 2.0, section "Binary Search Tree". A record below the node
count is the next node, equal to it means "no data", above it points into the data section. Walking
in NumPy leaves the interpreter lock free and costs a tenth of a library call per address.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.enrich.geo.addresses import Words
from pipeline.errors import GeoError

Records = npt.NDArray[np.uint32]

_METADATA_MARKER = b"\xab\xcd\xefMaxMind.com"
_METADATA_MAX_BYTES = 128 * 1024
_SEPARATOR_BYTES = 16
_JUMP_BITS = 16


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


@dataclass(frozen=True)
class SearchTree:
    """Records in node order, left then right; 8 bytes a node in memory.

    ``ipv4_root`` is the record that all IPv4 addresses start from, ``ipv4_jump`` the record reached
    after the first 16 bits of each.
    """

    path: Path
    node_count: int
    ip_version: int
    records: Records
    ipv4_root: int
    ipv4_jump: Records


def read_tree(path: Path, shape: TreeShape) -> SearchTree:
    """Read and check the whole tree; raises GeoError when a record points outside the file."""
    records = decode_records(_read_nodes(path, shape), shape.record_size)
    _check_records(path, shape, records)
    root = _ipv4_root(records, shape)
    every_prefix = np.arange(1 << _JUMP_BITS, dtype=np.uint32).reshape(-1, 1) << np.uint32(16)
    unjumped = SearchTree(path, shape.node_count, shape.ip_version, records, root, records[:0])
    roots = np.full(len(every_prefix), root, dtype=np.uint32)
    jump = _descend(unjumped, every_prefix, roots, 0, _JUMP_BITS)
    return SearchTree(path, shape.node_count, shape.ip_version, records, root, jump)


def find_ipv4(tree: SearchTree, words: Words) -> Records:
    """Return the leaf record of each IPv4 address: ``node_count`` for no data, else a pointer."""
    jumped = tree.ipv4_jump[words[:, 0] >> np.uint32(32 - _JUMP_BITS)]
    return _checked_leaves(tree, _descend(tree, words, jumped, _JUMP_BITS, 32))


def find_ipv6(tree: SearchTree, words: Words) -> Records:
    """Return the leaf record of each IPv6 address; none has data in an IPv4-only database."""
    if tree.ip_version == 4:
        return np.full(len(words), tree.node_count, dtype=np.uint32)
    roots = np.zeros(len(words), dtype=np.uint32)
    return _checked_leaves(tree, _descend(tree, words, roots, 0, 128))


def first_networks(path: Path, shape: TreeShape, max_nodes: int) -> Iterator[int]:
    """Yield, lowest first, the first address (as an integer) of networks that have data.

    Reads at most ``max_nodes`` nodes and none twice, so that a tree with a loop ends too.
    """
    nodes = np.memmap(path, dtype=np.uint8, mode="r")
    node_bytes, bits = shape.record_size // 4, 32 if shape.ip_version == 4 else 128
    pending, seen = [(0, 0, 0)], set[int]()
    while pending and len(seen) < max_nodes:
        record, address, depth = pending.pop()
        if record > shape.node_count:
            yield address
        if record >= shape.node_count or record in seen or depth == bits:
            continue
        seen.add(record)
        node = np.asarray(nodes[record * node_bytes : (record + 1) * node_bytes]).reshape(1, -1)
        left, right = (int(child) for child in decode_records(node, shape.record_size))
        pending.append((right, address | 1 << (bits - 1 - depth), depth + 1))
        pending.append((left, address, depth + 1))


def _read_nodes(path: Path, shape: TreeShape) -> npt.NDArray[np.uint8]:
    if shape.record_size not in {24, 28, 32} or shape.node_count < 1:
        raise damaged(path, "its search tree has an impossible size")
    node_bytes = shape.record_size // 4
    tree_bytes = shape.node_count * node_bytes
    if tree_bytes > path.stat().st_size:
        raise damaged(path, "its search tree is cut off")
    return np.fromfile(path, dtype=np.uint8, count=tree_bytes).reshape(-1, node_bytes)


def decode_records(nodes: npt.NDArray[np.uint8], record_size: int) -> Records:
    """Turn nodes, shape (nodes, bytes), into their left and right records, in that order, flat."""
    records = np.zeros((len(nodes), 2), dtype=np.uint32)
    middle = record_size == 28  # its middle byte holds the top four bits of both records
    left = [0, 1, 2] if middle else range(record_size // 8)
    right = [4, 5, 6] if middle else range(record_size // 8, record_size // 4)
    for side, columns in enumerate((left, right)):
        if middle:
            records[:, side] = (nodes[:, 3] >> 4) if side == 0 else (nodes[:, 3] & 15)
        for column in columns:
            records[:, side] <<= np.uint32(8)
            records[:, side] |= nodes[:, column]
    return records.reshape(-1)


def _check_records(path: Path, shape: TreeShape, records: Records) -> None:
    tree_bytes = shape.node_count * shape.record_size // 4
    first = shape.node_count + _SEPARATOR_BYTES
    end = first + _metadata_start(path) - tree_bytes - _SEPARATOR_BYTES
    outside = (records > shape.node_count) & ((records < first) | (records >= end))
    if outside.any():
        raise damaged(path, "its search tree points outside the data")


def _metadata_start(path: Path) -> int:
    with path.open("rb") as file:
        tail_start = max(0, path.stat().st_size - _METADATA_MAX_BYTES)
        file.seek(tail_start)
        return tail_start + file.read().rfind(_METADATA_MARKER)


def _ipv4_root(records: Records, shape: TreeShape) -> int:
    record = 0
    for _ in range(0 if shape.ip_version == 4 else 96):
        if record >= shape.node_count:
            break
        record = int(records[2 * record])
    return record


def _descend(
    tree: SearchTree, words: Words, starts: Records, from_bit: int, to_bit: int
) -> Records:
    found = starts.copy()
    active = np.flatnonzero(found < tree.node_count)
    for depth in range(from_bit, to_bit):
        if not active.size:
            break
        bits = (words[active, depth // 32] >> np.uint32(31 - depth % 32)) & np.uint32(1)
        reached = tree.records[found[active].astype(np.int64) * 2 + bits]
        found[active] = reached
        active = active[reached < tree.node_count]
    return found


def _checked_leaves(tree: SearchTree, leaves: Records) -> Records:
    if (leaves < tree.node_count).any():
        raise damaged(tree.path, "its search tree does not end")
    return leaves


def damaged(path: Path, why: str) -> GeoError:
    """Make the error that names a database which cannot be trusted, and says what to do."""
    return GeoError(f"address database {path} is damaged: {why}; replace it or remove it")
