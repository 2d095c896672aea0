"""SHA-256 of many short messages by compiled loops: the digests that ``hashlib`` gives one by one.

After FIPS 180-4. Sixty-four messages go through its rounds side by side, a step of each in turn,
which processors do of several at once: a third of the time, and the interpreter is free meanwhile.
"""

import numpy as np
import numpy.typing as npt

from pipeline.formats.kernel import Bytes, Hashes, Ints, compiled, inlined

Words = npt.NDArray[np.uint32]
Order = npt.NDArray[np.int64]
BLOCK = 64
"""Bytes."""
_LANES = 64
_PADDING = 9
"""Bytes behind a message, at least: a bit, and its length."""
_PRIMES = [n for n in range(2, 312) if all(n % divisor for divisor in range(2, n))]


def _root(prime: int, degree: int) -> int:
    """The first 32 bits behind the point of a prime's square or cube root."""
    low, high = 0, prime << 32
    while high - low > 1:  # of prime * 2**(32 * degree), to a whole number
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= prime << 32 * degree else (low, middle)
    return low & 0xFFFFFFFF


START = np.array([_root(prime, 2) for prime in _PRIMES[:8]], np.uint32)
"""What a message begins with that has nothing before it."""
_ROUNDS = np.array([_root(prime, 3) for prime in _PRIMES], np.uint32)


@inlined
def _turn(word: np.uint32, bits: int) -> np.uint32:
    """A word of which the last bits come first."""
    return (word >> np.uint32(bits)) | (word << np.uint32(32 - bits))


@compiled
def _mix(state: Words, words: Words) -> None:
    """Take a block of each message into its state; ``words`` are the block's sixteen, and room."""
    for n in range(16, 64):
        for lane in range(_LANES):
            early, late = words[n - 15, lane], words[n - 2, lane]
            first = _turn(early, 7) ^ _turn(early, 18) ^ (early >> np.uint32(3))
            second = _turn(late, 17) ^ _turn(late, 19) ^ (late >> np.uint32(10))
            words[n, lane] = words[n - 16, lane] + first + words[n - 7, lane] + second
    now = state.copy()
    a, b, c, d, e, f, g, h = 0, 1, 2, 3, 4, 5, 6, 7
    for n in range(64):
        constant = _ROUNDS[n]
        for lane in range(_LANES):
            at_a, at_b, at_c = now[a, lane], now[b, lane], now[c, lane]
            at_e = now[e, lane]
            chosen = (at_e & now[f, lane]) ^ (~at_e & now[g, lane])
            turned = _turn(at_e, 6) ^ _turn(at_e, 11) ^ _turn(at_e, 25)
            first = now[h, lane] + turned + chosen + constant + words[n, lane]
            most = (at_a & at_b) ^ (at_a & at_c) ^ (at_b & at_c)
            second = (_turn(at_a, 2) ^ _turn(at_a, 13) ^ _turn(at_a, 22)) + most
            now[d, lane] += first
            now[h, lane] = first + second
        a, b, c, d, e, f, g, h = h, a, b, c, d, e, f, g
    for row in range(8):
        for lane in range(_LANES):
            state[row, lane] += now[row, lane]


@inlined
def _read_words(text: Bytes, at: int, end: int, words: Words, lane: int) -> None:
    """A block's sixteen words: what is left of a message, a bit behind it, and zeros."""
    for n in range(16):
        place, left, word = np.uint64(at + 4 * n), end - at - 4 * n, np.uint64(0)
        if left >= 4:
            for i in range(4):
                word |= np.uint64(text[place + np.uint64(i)]) << np.uint64(24 - 8 * i)
        elif left >= 0:
            for i in range(left):
                word |= np.uint64(text[place + np.uint64(i)]) << np.uint64(24 - 8 * i)
            word |= np.uint64(0x80) << np.uint64(24 - 8 * left)
        words[n, lane] = word


@inlined
def _count_blocks(starts: Ints, number: int) -> int:
    """Of a message with what stands behind it."""
    length = int(starts[number + 1]) - int(starts[number])
    return (length + _PADDING + BLOCK - 1) // BLOCK


@compiled
def digest(  # noqa: PLR0913 what it is, and where it goes
    text: Bytes, starts: Ints, order: Order, begin: Words, before: int, digests: Words
) -> None:
    """Hash n messages.

    Args:
        text: what they are in.
        starts: shape ``(n + 1,)``, where each begins, and the end of the last one.
        order: their numbers; those of one length best one after the other.
        begin: shape ``(8,)``, the state that they begin with.
        before: so many bytes made it.
        digests: shape ``(n, 8)``, to be filled.
    """
    state, words = np.empty((8, _LANES), np.uint32), np.zeros((64, _LANES), np.uint32)
    for first in range(0, len(order), _LANES):
        these = order[first : first + _LANES]
        blocks = 0
        for number in these:
            blocks = max(blocks, _count_blocks(starts, number))
        for row in range(8):
            state[row] = begin[row]
        for block in range(blocks):
            for lane in range(len(these)):
                at, end = starts[these[lane]], starts[these[lane] + 1]
                _read_words(text, at + BLOCK * block, end, words, lane)
                if block + 1 == _count_blocks(starts, these[lane]):
                    bits = np.uint64(8 * (before + end - at))
                    words[14, lane], words[15, lane] = bits >> np.uint64(32), bits
            _mix(state, words)
            for lane in range(len(these)):
                if block + 1 == _count_blocks(starts, these[lane]):
                    for row in range(8):
                        digests[these[lane], row] = state[row, lane]


@compiled
def begin_with(block: Bytes) -> Words:
    """The state, shape ``(8,)``, behind 64 bytes that messages begin with."""
    state, words = np.zeros((8, _LANES), np.uint32), np.zeros((64, _LANES), np.uint32)
    state[:, 0] = START
    _read_words(block, 0, BLOCK, words, 0)
    _mix(state, words)
    return state[:, 0].copy()


@inlined
def _write_number(number: np.uint64, out: Bytes, at: int) -> int:
    """Write a number's digits; returns the place behind them."""
    end, rest = at + 1, number // np.uint64(10)
    while rest:
        end, rest = end + 1, rest // np.uint64(10)
    place, rest = end, number
    while place > at:
        place -= 1
        out[place] = np.uint64(48) + rest % np.uint64(10)
        rest //= np.uint64(10)
    return end


@compiled
def write_sessions(
    key: Bytes, visitor_id: Hashes, started_at: npt.NDArray[np.int64], out: Bytes, starts: Ints
) -> None:
    """Write what n sessions' ids are the hashes of: key, visitor, ``-`` and start.

    Args:
        key: its bytes.
        visitor_id: shape ``(n,)``.
        started_at: shape ``(n,)``, microseconds since 1970.
        out: to be filled; with room for the key and 41 bytes of each.
        starts: shape ``(n + 1,)``, to be filled with where each begins, and the last one's end.
    """
    at = 0
    for row in range(len(visitor_id)):
        starts[row] = at
        for n in range(len(key)):
            out[at + n] = key[n]
        at = _write_number(visitor_id[row], out, at + len(key))
        out[at] = 45
        at += 1
        if started_at[row] < 0:
            out[at] = 45
            at += 1
        at = _write_number(np.uint64(abs(started_at[row])), out, at)
    starts[len(visitor_id)] = at
