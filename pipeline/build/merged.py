"""Sessions of buckets put together: sorted runs merged in bounded memory, cut as one run would be.

A run gives its rows in small pieces; of each run one piece is in memory, and what becomes a row
group. What is given back depends on the rows alone, not on how they were divided.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.build.sorted_runs import PIECE_BYTES, PIECE_ROWS, Numbers, cut


def merge_sessions(runs: Sequence[Iterable[pa.Table]]) -> Iterator[pa.Table]:
    """The rows of all runs by ``started_at`` and ``session_id``, in which order each run is."""
    rests = [iter(run) for run in runs]
    heads = [_Head(piece, rest) for rest in rests if (piece := next(rest, None)) is not None]
    while heads:
        # All rows up to the first end of a piece are at hand.
        bound = min(head.last for head in heads)
        table = pa.concat_tables(head.take(*bound) for head in heads).combine_chunks()
        keys = table["session_id"].to_numpy(), _instants(table)
        yield table.take(pa.array(np.lexsort(keys)))
        heads = [head for head in heads if head.has_more()]


class _Head:
    """What is at hand of a run."""

    def __init__(self, piece: pa.Table, rest: Iterator[pa.Table]) -> None:
        self._rest = rest
        self._put(piece)

    def _put(self, piece: pa.Table) -> None:
        self._piece, self._at = piece, 0
        self._ids, self._starts = piece["session_id"].to_numpy(), _instants(piece)
        self.last = int(self._starts[-1]), int(self._ids[-1])

    def take(self, started_at: int, session_id: int) -> pa.Table:
        """The rows up to one of that key."""
        low, high = (int(np.searchsorted(self._starts, started_at, s)) for s in ("left", "right"))
        ids = self._ids[low:high]
        first, self._at = self._at, low + int(np.searchsorted(ids, np.uint64(session_id), "right"))
        return self._piece.slice(first, self._at - first)

    def has_more(self) -> bool:
        """Whether the run has more rows, which are at hand then."""
        while self._at == len(self._piece):
            piece = next(self._rest, None)
            if piece is None:
                return False
            self._put(piece)
        return True


def _instants(table: pa.Table) -> Numbers:
    found: Numbers = table["started_at"].cast(pa.int64()).to_numpy()
    return found


def cut_pieces(tables: Iterable[pa.Table], part_rows: int) -> Iterator[pa.Table]:
    """A day's sessions that come in any pieces, cut as ``session_texts`` cuts a day's."""
    held: list[pa.Table] = []
    sizes = np.zeros(0, np.int64)
    start = 0
    for table in chain(tables, [None]):
        if table is not None:
            held.append(table)
            sizes = np.concatenate([sizes, _text_bytes(table)])
            if len(sizes) <= PIECE_ROWS and sizes.sum() <= PIECE_BYTES:
                continue
        if not held:
            return
        rows = pa.concat_tables(held)
        bounds = list(pairwise(cut(sizes, (start + np.arange(len(sizes))) // part_rows)))
        rest = len(sizes) if table is None else bounds.pop()[0]  # it may go on in what comes next
        for first, end in bounds:
            yield rows.slice(first, end - first).combine_chunks()
        start += rest
        held, sizes = [rows.slice(rest)], sizes[rest:]


def _text_bytes(sessions: pa.Table) -> Numbers:
    """Bytes of all texts of each session, of which a network's number is one."""
    texts = [column for column in sessions.columns if pa.types.is_string(column.type)]
    texts.append(sessions["asn"].cast(pa.string()))
    total = np.zeros(len(sessions), np.int64)
    for text in texts:
        total += pc.binary_length(text).fill_null(0).to_numpy()
    return total
