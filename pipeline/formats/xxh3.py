"""XXH3-64 of many lines by compiled loops: the numbers that ``xxhash`` gives one by one.

After its specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), without a seed. It takes a
fourth of the time, and the interpreter is free meanwhile. Lines of up to ``SHORTEST`` bytes, which
no layout has, are left out.
"""

import numpy as np

from pipeline.formats.kernel import (
    NEWLINE,
    RETURN,
    Bytes,
    Hashes,
    Ints,
    compiled,
    inlined,
    read_word,
)

SHORTEST = 16
_LONGEST_WHOLE = 240
_STRIPE = 64
_BLOCK = 1024
_SECRET = np.frombuffer(
    bytes.fromhex(
        "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
        "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
        "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
        "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
        "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
        "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
    ),
    np.uint8,
)
_KEYS = np.lib.stride_tricks.sliding_window_view(_SECRET, 8).copy().view("<u8")[:, 0]
"""The eight bytes of the secret from each place on."""
_32_1, _32_2, _32_3 = np.uint64(0x9E3779B1), np.uint64(0x85EBCA77), np.uint64(0xC2B2AE3D)
_64_1, _64_2 = np.uint64(0x9E3779B185EBCA87), np.uint64(0xC2B2AE3D27D4EB4F)
_64_3, _64_4 = np.uint64(0x165667B19E3779F9), np.uint64(0x85EBCA77C2B2AE63)
_64_5, _MIX = np.uint64(0x27D4EB2F165667C5), np.uint64(0x165667919E3779F9)
_FIRST = np.array([_32_3, _64_1, _64_2, _64_3, _64_4, _32_2, _64_5, _32_1], np.uint64)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@inlined
def _fold(one: np.uint64, other: np.uint64) -> np.uint64:
    """The two halves of a product of 128 bits, by exclusive or."""
    low_low, high_high = (one & _LOW) * (other & _LOW), (one >> _HALF) * (other >> _HALF)
    low_high, high_low = (one & _LOW) * (other >> _HALF), (one >> _HALF) * (other & _LOW)
    middle = (low_low >> _HALF) + (low_high & _LOW) + (high_low & _LOW)
    high = high_high + (low_high >> _HALF) + (high_low >> _HALF) + (middle >> _HALF)
    return high ^ (one * other)


@inlined
def _mix(text: Bytes, at: int, key: int) -> np.uint64:
    return _fold(read_word(text, at) ^ _KEYS[key], read_word(text, at + 8) ^ _KEYS[key + 8])


@inlined
def _avalanche(number: np.uint64) -> np.uint64:
    number = (number ^ (number >> np.uint64(37))) * _MIX
    return number ^ (number >> _HALF)


@compiled
def _hash_whole(text: Bytes, at: int, length: int) -> np.uint64:
    """Of 17 to 240 bytes."""
    total = np.uint64(length) * _64_1
    if length <= 128:
        for pair in range((length - 1) // 32, -1, -1):
            total += _mix(text, at + 16 * pair, 32 * pair)
            total += _mix(text, at + length - 16 * (pair + 1), 32 * pair + 16)
        return _avalanche(total)
    for part in range(8):
        total += _mix(text, at + 16 * part, 16 * part)
    total = _avalanche(total)
    for part in range(8, length // 16):
        total += _mix(text, at + 16 * part, 16 * (part - 8) + 3)
    return _avalanche(total + _mix(text, at + length - 16, 119))


@inlined
def _add_stripe(totals: Hashes, text: Bytes, at: int, key: int) -> None:
    for lane in range(0, 8, 2):
        one, other = read_word(text, at + 8 * lane), read_word(text, at + 8 * lane + 8)
        first, second = one ^ _KEYS[key + 8 * lane], other ^ _KEYS[key + 8 * lane + 8]
        totals[lane] += other + (first & _LOW) * (first >> _HALF)
        totals[lane + 1] += one + (second & _LOW) * (second >> _HALF)


@compiled
def _hash_long(text: Bytes, at: int, length: int, totals: Hashes) -> np.uint64:
    for lane in range(8):  # as one assignment it takes 2 s to compile
        totals[lane] = _FIRST[lane]
    for begin in range(0, length - 1, _BLOCK):
        stripes = min(_BLOCK, length - 1 - begin) // _STRIPE
        for stripe in range(stripes):
            _add_stripe(totals, text, at + begin + _STRIPE * stripe, 8 * stripe)
        if stripes == _BLOCK // _STRIPE:
            for lane in range(8):
                mixed = totals[lane] ^ (totals[lane] >> np.uint64(47)) ^ _KEYS[128 + 8 * lane]
                totals[lane] = mixed * _32_1
    _add_stripe(totals, text, at + length - _STRIPE, 121)
    total = np.uint64(length) * _64_1
    for lane in range(0, 8, 2):
        first, second = totals[lane] ^ _KEYS[11 + 8 * lane], totals[lane + 1] ^ _KEYS[19 + 8 * lane]
        total += _fold(first, second)
    return _avalanche(total)


@compiled
def hash_lines(text: Bytes, starts: Ints, hashes: Hashes) -> None:
    """Fill in the hashes of n lines without their ends; zero where a line is too short.

    Args:
        text: what they are in.
        starts: shape ``(n + 1,)``, where each begins, and the end of the last one.
        hashes: shape ``(n,)``.
    """
    totals = np.empty(8, np.uint64)
    for line in range(len(hashes)):
        start, end = starts[line], starts[line + 1]
        if end > start and text[end - 1] == NEWLINE:
            end -= 1
        if end > start and text[end - 1] == RETURN:
            end -= 1
        if end - start > _LONGEST_WHOLE:
            hashes[line] = _hash_long(text, start, end - start, totals)
        elif end - start > SHORTEST:
            hashes[line] = _hash_whole(text, start, end - start)
        else:
            hashes[line] = 0
