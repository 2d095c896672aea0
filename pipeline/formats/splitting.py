"""The compiled loops that take texts apart by an automaton, see ``automaton`` and ``kernel``."""

import numpy as np
import numpy.typing as npt

from pipeline.formats.automaton import END
from pipeline.formats.kernel import Bytes, Ints, compiled, copy_bytes, inlined


@compiled
def split_texts(  # noqa: PLR0913 what it is, and where it goes
    text: Bytes,
    starts: Ints,
    class_of: Bytes,
    moves: npt.NDArray[np.uint16],
    part_of: Bytes,
    field_of: npt.NDArray[np.int8],
    run_of: npt.NDArray[np.uint16],
    run_to: npt.NDArray[np.uint16],
    run_at: Ints,
    run_bytes: Bytes,
    at: Ints,
    length: Ints,
    is_found: npt.NDArray[np.bool_],
) -> None:
    """Find the fields of those of n texts that an automaton takes; the others' mean nothing.

    Args:
        text: what they are in.
        starts: shape ``(n + 1,)``, where each begins, and the end of the last one.
        class_of: the automaton's, see there.
        moves: likewise.
        part_of: likewise.
        field_of: likewise.
        run_of: likewise.
        run_to: likewise.
        run_at: likewise.
        run_bytes: likewise.
        at: shape ``(fields, n)``, where a text's fields begin; to be filled, as are the others.
        length: likewise, their bytes.
        is_found: shape ``(n,)``, which texts it takes.
    """
    for row in range(len(is_found)):
        state, part = np.uint64(0), np.uint64(0)
        begin, end = np.uint64(starts[row]), np.uint64(starts[row + 1])
        place = begin
        while True:
            run = np.uint64(run_of[state])
            if run:
                first = np.uint64(run_at[run])
                size = np.uint64(run_at[run + np.uint64(1)]) - first
                if not _is_there(text, place, end, run_bytes, first, size):
                    part = np.uint64(len(field_of))
                    break
                place += size
                state = np.uint64(run_to[run])
            # Where a byte leads nowhere else, the next one need not wait for it.
            while place < end and moves[state + np.uint64(class_of[text[place]])] == state:
                place += np.uint64(1)
            symbol = np.uint64(text[place]) if place < end else np.uint64(END)
            move = state + np.uint64(class_of[symbol])
            state = np.uint64(moves[move])
            while part < part_of[move]:  # parts between are empty
                field = field_of[part]
                if field >= 0:
                    at[field, row], length[field, row] = begin, place - begin
                begin, part = place, part + np.uint64(1)
            if place >= end or part == len(field_of):
                break
            place += np.uint64(1)
        is_found[row] = part < len(field_of)


@inlined
def _is_there(  # noqa: PLR0913 what, and where
    text: Bytes,
    place: np.uint64,
    end: np.uint64,
    run_bytes: Bytes,
    first: np.uint64,
    size: np.uint64,
) -> bool:
    """Whether a run of bytes is at a place, before an end."""
    i = np.uint64(0)
    if place + size > end:
        return False
    while i < size and text[place + i] == run_bytes[first + i]:
        i += np.uint64(1)
    return bool(i == size)


@compiled
def take_texts(text: Bytes, at: Ints, length: Ints, ends: Ints, out: Bytes) -> None:
    """Put n texts one behind the other into ``out``; ``ends``: shape ``(n + 1,)``, from 0."""
    used = 0
    for row in range(len(at)):
        copy_bytes(text, at[row], out, used, length[row])
        used += length[row]
        ends[row + 1] = used
