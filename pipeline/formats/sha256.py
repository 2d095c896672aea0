"""SHA-256 (FIPS 180-4) of many short texts at once, by compiled loops; see ``kernel``.

Python's own takes a microsecond a text, most of it around the hash, and holds Python's lock. Here
each step is made for ``LANES`` texts, which the processor does together.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.formats.kernel import Bytes, Ints, compiled

Words = npt.NDArray[np.uint32]
LANES: Final = 16
BLOCK: Final = 64
"""Bytes that are hashed at once."""
_WORDS, _ROUNDS, _PADDING = 16, 64, 9  # of a block; a block's; a bit and the length, in bytes
_STATE = 8
_BACK_2, _BACK_7, _BACK_15, _BACK_16 = (np.uint64(LANES * words) for words in (2, 7, 15, 16))
_AHEAD_1, _AHEAD_2, _AHEAD_3, _AHEAD_4 = (np.uint64(LANES * rounds) for rounds in (1, 2, 3, 4))


def _root_bits(prime: int, degree: int) -> int:
    """The first 32 bits behind the point of a prime's root."""
    number = prime << 32 * degree
    root = round(number ** (1 / degree))
    while root**degree > number:
        root -= 1
    while (root + 1) ** degree <= number:
        root += 1
    return int(root & 0xFFFFFFFF)


_PRIMES = [n for n in range(2, 312) if all(n % divisor for divisor in range(2, n))]
START: Final = np.array([_root_bits(prime, 2) for prime in _PRIMES[:_STATE]], np.uint32)
"""The state before the first byte."""
CONSTANTS: Final = np.array([_root_bits(prime, 3) for prime in _PRIMES], np.uint32)


@compiled
def _turned(word: Any, bits: int) -> Any:
    """A word of 32 bits turned to the right; above them is what nobody looks at."""
    return (word >> np.uint32(bits)) | (word << np.uint32(32 - bits))


@compiled
def _fill(  # noqa: PLR0913 what it is, and where it goes
    text: Bytes, start: int, length: int, block: int, before: int, words: Words, lane: int
) -> None:
    """A lane's words of a block: bytes, and behind the last one a bit, zeros and their number."""
    for word in range(_WORDS):
        value, place = np.uint32(0), block * BLOCK + 4 * word
        if place + 4 <= length:
            at = np.uint64(start + place)
            for byte in range(np.uint64(4)):
                value = value << np.uint32(8) | np.uint32(text[at + byte])
        else:
            for byte in range(place, place + 4):
                value <<= np.uint32(8)
                if byte < length:
                    value |= np.uint32(text[start + byte])
                elif byte == length:
                    value |= np.uint32(0x80)
        words[LANES * word + lane] = value
    if (block + 1) * BLOCK >= length + _PADDING:
        words[LANES * (_WORDS - 1) + lane] = 8 * (before + length)


@compiled
def _put(state: Words, a: Words, e: Words, lane: int) -> None:
    """A lane's state, with which a block's rounds begin."""
    for part in range(4):
        a[LANES * (3 - part) + lane] = state[part]
        e[LANES * (3 - part) + lane] = state[4 + part]


@compiled
def _add(state: Words, a: Words, e: Words, lane: int) -> None:
    """What a block's rounds came to."""
    for part in range(4):
        state[part] += a[LANES * (3 + _ROUNDS - part) + lane]
        state[4 + part] += e[LANES * (3 + _ROUNDS - part) + lane]


@compiled
def _mix(words: Words, a: Words, e: Words, constants: Words) -> None:
    """The rounds of a block: of ``words`` the first 16 are there, of ``a`` and ``e`` 4."""
    for t in range(_WORDS, _ROUNDS):
        here = np.uint64(LANES * t)
        for lane in range(np.uint64(LANES)):
            at = here + lane
            old, new = words[at - _BACK_15], words[at - _BACK_2]
            words[at] = (
                words[at - _BACK_16] + words[at - _BACK_7]
                + (_turned(old, 7) ^ _turned(old, 18) ^ (old >> np.uint32(3)))
                + (_turned(new, 17) ^ _turned(new, 19) ^ (new >> np.uint32(10)))
            )  # fmt: skip
    for t in range(_ROUNDS):
        here, constant = np.uint64(LANES * t), constants[t]
        for lane in range(np.uint64(LANES)):
            at = here + lane
            x, y, z = e[at + _AHEAD_3], e[at + _AHEAD_2], e[at + _AHEAD_1]
            added = (
                e[at] + (_turned(x, 6) ^ _turned(x, 11) ^ _turned(x, 25))
                + (z ^ (x & (y ^ z))) + constant + words[at]
            )  # fmt: skip
            e[at + _AHEAD_4] = a[at] + added
            x, y, z = a[at + _AHEAD_3], a[at + _AHEAD_2], a[at + _AHEAD_1]
            a[at + _AHEAD_4] = (
                added + (_turned(x, 2) ^ _turned(x, 13) ^ _turned(x, 22))
                + ((x & y) | (z & (x | y)))
            )  # fmt: skip


@compiled
def state_after(beginning: Bytes, constants: Words, state: Words) -> None:
    """Go on from a ``state``, shape ``(8,)``, with whole blocks of bytes."""
    words = np.empty(LANES * _ROUNDS, np.uint32)
    a, e = np.empty(LANES * (4 + _ROUNDS), np.uint32), np.empty(LANES * (4 + _ROUNDS), np.uint32)
    for block in range(len(beginning) // BLOCK):
        for lane in range(LANES):
            _fill(beginning, 0, len(beginning) + BLOCK, block, 0, words, lane)
            _put(state, a, e, lane)
        _mix(words, a, e, constants)
        _add(state, a, e, 0)


@compiled
def hash_texts(  # noqa: PLR0913 likewise
    text: Bytes, starts: Ints, state: Words, before: int, constants: Words, digests: Words
) -> None:
    """Hash n texts that begin with the same bytes.

    Args:
        text: what they are in, without that beginning.
        starts: shape ``(n + 1,)``, where each begins, and the end of the last one.
        state: shape ``(8,)``, after that beginning.
        before: its bytes, a multiple of ``BLOCK``.
        constants: shape ``(64,)``, as above.
        digests: shape ``(n, 8)``, to be filled.
    """
    count = len(digests)
    words = np.empty(LANES * _ROUNDS, np.uint32)
    a, e = np.empty(LANES * (4 + _ROUNDS), np.uint32), np.empty(LANES * (4 + _ROUNDS), np.uint32)
    for first in range(0, count, LANES):
        blocks = 0
        for row in range(first, min(first + LANES, count)):
            digests[row, :] = state
            blocks = max(blocks, (starts[row + 1] - starts[row] + _PADDING + BLOCK - 1) // BLOCK)
        for block in range(blocks):
            for lane in range(LANES):
                row = min(first + lane, count - 1)
                start, length = starts[row], starts[row + 1] - starts[row]
                _fill(text, start, length, block, before, words, lane)
                _put(digests[row], a, e, lane)
            _mix(words, a, e, constants)
            for lane in range(min(LANES, count - first)):
                row = first + lane
                if block * BLOCK < starts[row + 1] - starts[row] + _PADDING:
                    _add(digests[row], a, e, lane)
