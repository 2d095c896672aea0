"""Which paths are assets: style sheets, scripts, pictures, fonts, media and ``/robots.txt``."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.definitions import ASSET_PATH, ASSET_SUFFIXES

_WIDTH = 8
_KEEP = np.array([(1 << 8 * n) - 1 for n in range(_WIDTH + 1)], np.uint64)
"""Masks that keep the last n of eight bytes."""


def _number(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(text.encode()))


def find_assets(path: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell which of ``path`` (n strings without query, may be null) are assets'.

    Compares the last eight bytes of all paths at once, as one number. Only ASCII letters are
    lower-cased: no other letter's lower case is part of a suffix (docs/definitions.md, *Asset*).
    """
    if path.null_count == len(path):
        return np.zeros(len(path), np.bool_)
    offsets = np.frombuffer(path.buffers()[1], np.int32)[path.offset : path.offset + len(path) + 1]
    length = np.diff(offsets)
    tail = _tails(np.frombuffer(path.buffers()[2], np.uint8), offsets[1:], length)
    found = np.zeros(len(path), np.bool_)
    for suffix in ASSET_SUFFIXES:
        found |= (tail & _KEEP[len(suffix)]) == _number(suffix)
    may_equal = (length == len(ASSET_PATH)) & (tail == _number(ASSET_PATH[-_WIDTH:]))
    for row in np.flatnonzero(may_equal):
        found[row] = path[row].as_py().lower() == ASSET_PATH
    return found


def _tails(
    data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32]
) -> npt.NDArray[np.uint64]:
    """The last eight bytes of each string, lower case, as a number; zeros before a shorter one."""
    padded = np.concatenate([np.zeros(_WIDTH, np.uint8), data])
    tails = np.lib.stride_tricks.sliding_window_view(padded, _WIDTH)[ends]
    tails = tails + ((tails >= ord("A")) & (tails <= ord("Z"))) * np.uint8(32)
    return tails.view(">u8")[:, 0].astype(np.uint64) & _KEEP[np.minimum(lengths, _WIDTH)]
