"""Which paths are assets: style sheets, scripts, pictures, fonts, media and ``/robots.txt``."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.definitions import ASSET_PATH, ASSET_SUFFIXES

_WIDTH = max(map(len, (*ASSET_SUFFIXES, ASSET_PATH)))


def _padded(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode().rjust(_WIDTH, b"\0"), np.uint8)


def find_assets(path: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell which of ``path`` (n strings without query, may be null) are assets'.

    Compares the last bytes of all paths at once. Only ASCII letters are lower-cased: no other
    letter's lower case is part of a suffix (DESIGN, *asset*).
    """
    count = len(path)
    if not count or path.null_count == count:
        return np.zeros(count, np.bool_)
    offsets = np.frombuffer(path.buffers()[1], np.int32)[path.offset : path.offset + count + 1]
    data = np.frombuffer(path.buffers()[2], np.uint8)
    length = np.diff(offsets)
    dotted = _last_dots(data, offsets)
    tails = _tails(data, offsets[1:], np.minimum(length, _WIDTH), dotted)
    found = np.zeros(count, np.bool_)
    for suffix in ASSET_SUFFIXES:
        found[dotted] |= (tails[:, -len(suffix) :] == _padded(suffix)[-len(suffix) :]).all(axis=1)
    found[dotted] |= (tails == _padded(ASSET_PATH)).all(axis=1) & (length[dotted] == len(ASSET_PATH))
    return found


def _last_dots(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Rows whose path has a dot where an asset's would be: the only candidates."""
    candidate = np.zeros(len(offsets) - 1, np.bool_)
    for back in {len(suffix) for suffix in (*ASSET_SUFFIXES, ".txt")}:
        place = offsets[1:] - back
        inside = place >= offsets[:-1]
        candidate[inside] |= data[place[inside]] == ord(".")
    return np.flatnonzero(candidate)


def _tails(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
) -> npt.NDArray[np.uint8]:
    """The last bytes of the given rows, lower case, padded with zeros on the left."""
    back = np.arange(_WIDTH, 0, -1, dtype=np.int32)
    inside = back <= lengths[rows, None]
    tails = np.where(inside, data[np.where(inside, ends[rows, None] - back, 0)], 0)
    upper = (tails >= ord("A")) & (tails <= ord("Z"))
    return np.where(upper, tails + 32, tails).astype(np.uint8)
