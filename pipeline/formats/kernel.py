"""Lines of the common and combined layouts taken apart by compiled loops over plain arrays.

Only plain lines are: whatever is odd is left to ``combined.read_line``, which alone decides. The
functions mean the same when they are not compiled (``NUMBA_DISABLE_JIT=1``). A loop that is to be
fast has no early end: only then several bytes are compared at once.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

_F = TypeVar("_F", bound=Callable[..., Any])
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
Keys = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]

NEWLINE, RETURN, SPACE, QUOTE, BACKSLASH = 10, 13, 32, 34, 92
PLUS, MINUS, DOT, SLASH, COLON, QUESTION, OPEN, CLOSE = 43, 45, 46, 47, 58, 63, 91, 93
CLIENT, METHOD, PATH, QUERY, PROTOCOL, REFERRER, AGENT, REQUEST = range(8)
"""A line's texts. The request is there where it does not come apart: then its parts are null."""
TEXTS = 8
BAD = -(1 << 40)
_MONTHS = np.frombuffer(b"JanFebMarAprMayJunJulAugSepOctNovDec", np.uint8)
_HTTP = np.frombuffer(b"HTTP/", np.uint8)
_MOST_DIGITS = 18
_ONES, _TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_PLACES = np.uint64(0x0001020304050607)
"""Times a word of one bit, the lowest of a byte: which byte, from 0, in the uppermost one."""
_AHEAD = 64
"""So many texts are hashed, and their slots read, before they are looked up: memory is then waited
for once."""
_LOW = np.uint64(0xFFFFFFFF)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits even: 2**64 over the golden ratio
_TIME_BYTES = 29
"""Of ``[08/Nov/2016:23:04:05 -0500] ``, which the request's quote follows."""


def compiled(function: _F, *, forceinline: bool = False) -> _F:
    """Compile when it is first called, and keep that on disk where there is a place for it."""
    try:
        kept = numba.njit(nogil=True, cache=True, forceinline=forceinline)
        return cast("_F", kept(function))
    except RuntimeError:  # neither the module's folder nor the user's can be written
        return cast("_F", numba.njit(nogil=True, forceinline=forceinline)(function))


inlined = partial(compiled, forceinline=True)
"""A part of such functions, which becomes a part of each: a call takes as long as a text."""


@inlined
def read_word(text: Bytes, at: int | np.uint64) -> np.uint64:
    """Eight bytes as a number; LLVM makes one load of it."""
    place, number = np.uint64(at), np.uint64(0)
    for i in range(8):
        number |= np.uint64(text[place + np.uint64(i)]) << np.uint64(8 * i)
    return number


@inlined
def _two_digits(text: Bytes, at: int) -> int:
    """The number that two digits make; far below zero when they are none."""
    tens, ones = int(text[at]) - 48, int(text[at + 1]) - 48
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else BAD


@compiled
def read_day(text: Bytes, at: int) -> int:
    """Days since 1970-01-01 of ``08/Nov/2016``, or BAD (docs/definitions.md, *time*)."""
    day = _two_digits(text, at)
    year = _two_digits(text, at + 7) * 100 + _two_digits(text, at + 9)
    month = 0
    for m in range(12):
        if _is_same(text, at + 3, _MONTHS, 3 * m, 3):
            month = m + 1
    if text[at + 2] != SLASH or text[at + 6] != SLASH or month == 0:
        return BAD
    if year < 1970 or year > 2099:
        return BAD
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    is_short = month in (4, 6, 9, 11)
    if day < 1 or day > ((29 if is_leap else 28) if month == 2 else (30 if is_short else 31)):
        return BAD
    of_march = (
        year - 1 if month <= 2 else year
    )  # a year that begins in March ends with its leap day
    in_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return of_march * 365 + of_march // 4 - of_march // 100 + of_march // 400 + in_year - 719468


@compiled
def read_clock(text: Bytes, at: int) -> int:
    """Seconds that ``:23:04:05 -0500] `` adds to its day, in UTC, or BAD."""
    hour, minute = _two_digits(text, at + 1), _two_digits(text, at + 4)
    second, sign = _two_digits(text, at + 7), text[at + 10]
    zone_hour, zone_minute = _two_digits(text, at + 11), _two_digits(text, at + 13)
    if text[at] != COLON or text[at + 3] != COLON or text[at + 6] != COLON:
        return BAD
    if text[at + 9] != SPACE or text[at + 15] != CLOSE or text[at + 16] != SPACE:
        return BAD
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 60:
        return BAD
    if zone_hour < 0 or zone_minute < 0 or zone_minute > 59 or zone_hour * 100 + zone_minute > 1400:
        return BAD
    if sign not in (PLUS, MINUS):
        return BAD
    zone = (zone_hour * 60 + zone_minute) * 60
    return (hour * 60 + minute) * 60 + min(second, 59) + (zone if sign == MINUS else -zone)


# Ints without a sign where bytes are many: of others each is looked at whether it is below zero,
# as a place from the end. With a sign again what they are added to: both together make a float.
@inlined
def _find(text: Bytes, at: int, end: int, byte: int, other: int) -> int:
    """The place of the next of two bytes, or ``end``."""
    place, last = np.uint64(at), np.uint64(end)
    one, two = np.uint64(byte) * _ONES, np.uint64(other) * _ONES
    while place + np.uint64(8) <= last:
        word = read_word(text, place)
        first, second = word ^ one, word ^ two  # a byte that is found is 0
        found = (((first - _ONES) & ~first) | ((second - _ONES) & ~second)) & _TOPS
        if found:
            lowest = (found & (~found + np.uint64(1))) >> np.uint64(7)
            return int(np.int64(place + ((lowest * _PLACES) >> np.uint64(56))))
        place += np.uint64(8)
    while place < last and text[place] != byte and text[place] != other:
        place += np.uint64(1)
    return int(np.int64(min(place, last)))


@inlined
def _find_quote(text: Bytes, at: int, end: int) -> int:
    """The place of the next quote that no backslash escapes, or ``end``."""
    place = _find(text, at, end, QUOTE, QUOTE)
    while place < end:
        before = place
        while before > at and text[before - 1] == BACKSLASH:
            before -= 1
        if (place - before) % 2 == 0:
            break
        place = _find(text, place + 1, end, QUOTE, QUOTE)
    return place


@inlined
def _is_same(one: Bytes, one_at: int, other: Bytes, other_at: int, length: int) -> bool:
    """Whether two texts of one length are the same."""
    first, second, count = np.uint64(one_at), np.uint64(other_at), np.uint64(length)
    differs, place = np.uint64(0), np.uint64(0)
    while place + np.uint64(8) < count:
        differs |= read_word(one, first + place) ^ read_word(other, second + place)
        place += np.uint64(8)
    if count >= np.uint64(8):
        place = count - np.uint64(8)
        differs |= read_word(one, first + place) ^ read_word(other, second + place)
        place = count
    while place < count:
        differs |= np.uint64(one[first + place] ^ other[second + place])
        place += np.uint64(1)
    return bool(differs == 0)


@compiled
def read_lines(  # noqa: C901, PLR0912, PLR0913, PLR0915 one line's way, in its order
    text: Bytes,
    starts: Ints,
    at: Ints,
    length: Ints,
    seconds: npt.NDArray[np.int64],
    status: npt.NDArray[np.int16],
    size: npt.NDArray[np.int64],
    line_of: Ints,
) -> int:
    """Take plain lines apart, one row each; returns how many rows.

    Args:
        text: bytes of UTF-8.
        starts: shape ``(lines + 1,)``, where each line begins, and the end of the last one.
        at: shape ``(TEXTS, lines)``, where a row's texts begin; of the same one as in the row
            before, there: what comes again and again is looked up where it is in the cache.
        length: likewise, their bytes; -1 is null.
        seconds: shape ``(lines,)``, since 1970 in UTC.
        status: shape ``(lines,)``.
        size: shape ``(lines,)``, the bytes sent; -1 is null.
        line_of: shape ``(lines,)``, which line a row is of, from 0.
    """
    rows = 0
    day, day_at = BAD, -1  # the last date, and where it stands
    for line in range(len(starts) - 1):
        start, end = starts[line], starts[line + 1]
        if end > start and text[end - 1] == NEWLINE:
            end -= 1
        if end > start and text[end - 1] == RETURN:
            end -= 1
        # client identity user [08/Nov/2016:23:04:05 -0500] "
        client_end = _find(text, start, end, SPACE, QUOTE)
        identity_end = _find(text, client_end + 1, end, SPACE, QUOTE)
        user_end = _find(text, identity_end + 1, end, SPACE, QUOTE)
        time = user_end + 1
        first = time + _TIME_BYTES
        if first >= end or text[user_end] != SPACE or text[time] != OPEN or text[first] != QUOTE:
            continue
        if client_end == start or identity_end == client_end + 1 or time == identity_end + 2:
            continue
        if text[client_end] != SPACE or text[identity_end] != SPACE:
            continue
        second = _find_quote(text, first + 1, end)
        if day_at < 0 or not _is_same(text, time + 1, text, day_at, 11):
            day, day_at = read_day(text, time + 1), time + 1
        clock = read_clock(text, time + 12)
        if day + clock < BAD // 2:
            continue
        #  200 1234
        p = second + 1
        if end - p < 6 or text[p] != SPACE or text[p + 4] != SPACE:
            continue
        code = (int(text[p + 1]) - 48) * 100 + _two_digits(text, p + 2)
        if code < 100 or code > 599:
            continue
        p += 5
        digits, number = p, 0
        while p < end and 48 <= text[p] <= 57 and p - digits <= _MOST_DIGITS:
            number = number * 10 + int(text[p]) - 48
            p += 1
        if p == digits and text[p] == MINUS:
            number = -1
            p += 1
        if p == digits or p - digits > _MOST_DIGITS:
            continue
        #  "referrer" "agent" and anything
        is_common = p == end
        referrer = referrer_end = agent = agent_end = p
        if not is_common:
            if end - p < 7 or text[p] != SPACE or text[p + 1] != QUOTE:
                continue
            referrer = p + 2
            referrer_end = _find_quote(text, referrer, end)
            agent = referrer_end + 3
            if agent >= end or text[agent - 2] != SPACE or text[agent - 1] != QUOTE:
                continue
            agent_end = _find_quote(text, agent, end)
            if agent_end == end:
                continue
        is_null = is_common or (referrer_end == referrer + 1 and text[referrer] == MINUS)
        # GET /path?query HTTP/1.1
        method_end = first + 1
        while 65 <= text[method_end] <= 90:
            method_end += 1
        path = min(method_end + 1, second)
        path_end = _find(text, path, second, SPACE, QUESTION)
        target_end = _find(text, path_end, second, SPACE, SPACE)
        protocol = min(target_end + 1, second)
        is_simple = (
            method_end > first + 1
            and text[method_end] == SPACE
            and text[path] == SLASH
            and second - protocol >= 5
            and _is_same(text, protocol, _HTTP, 0, 5)
            and _find(text, protocol, second, SPACE, SPACE) == second
        )
        at[CLIENT, rows], length[CLIENT, rows] = start, client_end - start
        at[METHOD, rows], length[METHOD, rows] = first + 1, method_end - first - 1
        at[PATH, rows], length[PATH, rows] = path, path_end - path
        at[QUERY, rows], length[QUERY, rows] = path_end + 1, target_end - path_end - 1
        at[PROTOCOL, rows], length[PROTOCOL, rows] = protocol, second - protocol
        at[REFERRER, rows] = referrer
        length[REFERRER, rows] = -1 if is_null else referrer_end - referrer
        at[AGENT, rows], length[AGENT, rows] = agent, -1 if is_common else agent_end - agent
        at[REQUEST, rows], length[REQUEST, rows] = first + 1, -1
        if not is_simple:
            for part in range(METHOD, PROTOCOL + 1):
                length[part, rows] = -1
            length[REQUEST, rows] = second - first - 1
        for part in range(TEXTS if rows else 0):
            before, n_bytes = at[part, rows - 1], length[part, rows]
            is_alike = n_bytes == length[part, rows - 1] and n_bytes > 0
            if is_alike and _is_same(text, at[part, rows], text, before, n_bytes):
                at[part, rows] = before
        seconds[rows], status[rows], size[rows] = day * 86400 + clock, code, number
        line_of[rows] = line
        rows += 1
    return rows


@compiled
def find_ipv4(text: Bytes, starts: Ints, is_ipv4: npt.NDArray[np.bool_]) -> None:
    """Tell which of n texts are addresses of version 4, as ``client_texts.IPV4`` does.

    Args:
        text: what they are in.
        starts: shape ``(n + 1,)``, where each begins, and the end of the last one.
        is_ipv4: shape ``(n,)``, to be filled.
    """
    for row in range(len(is_ipv4)):
        start, end = starts[row], starts[row + 1]
        dots = digits = number = 0
        is_one = 7 <= end - start <= 15
        for place in range(start, end if is_one else start):
            byte = text[place]
            if 48 <= byte <= 57:
                is_one &= digits == 0 or number > 0  # no zero before another digit
                digits, number = digits + 1, number * 10 + int(byte) - 48
                is_one &= number <= 255
            else:
                is_one &= byte == DOT and digits > 0
                dots, digits, number = dots + 1, 0, 0
        is_ipv4[row] = is_one and dots == 3 and digits > 0


@inlined
def _hash(text: Bytes, at: int, length: int, keys: Keys) -> np.uint64:
    """A text's number under secret keys: multilinear, so that no log is made to collide in it."""
    total = rest = np.uint64(max(length, 0))
    first = np.uint64(at)
    while rest:
        part = min(rest, np.uint64(len(keys)))
        for i in range(part):
            total += np.uint64(text[first + i]) * np.uint64(keys[i])
        total *= _SPREAD  # so that the same bytes behind it count otherwise
        first, rest = first + part, rest - part
    return total ^ (total >> np.uint64(32))


@inlined
def copy_bytes(text: Bytes, at: int, out: Bytes, out_at: int, length: int) -> None:
    """Copy so many bytes of ``text`` from ``at`` to ``out`` from ``out_at``."""
    first, second = np.uint64(at), np.uint64(out_at)
    for i in range(np.uint64(length)):
        out[second + i] = text[first + i]


@compiled
def number_texts(  # noqa: C901, PLR0913 what it is, and where it goes
    text: Bytes,
    at: Ints,
    length: Ints,
    keys: Keys,
    slots: Hashes,
    codes: Ints,
    counts: npt.NDArray[np.int64],
    ends: Ints,
    out: Bytes,
) -> None:
    """Number texts by their first appearance, from 0, or from where an earlier call ended.

    Args:
        text: what they are in.
        at: shape ``(n,)``, where each begins.
        length: shape ``(n,)``; -1 is null.
        keys: secret numbers, two for each word that is hashed at once.
        slots: a table with open addressing, each slot the upper half of a hash above the number +
            1, at first 0; a power of two of at least twice as many as there can be texts.
        codes: shape ``(n,)``, filled with each text's number; null's is -1.
        counts: shape ``(2,)``, how many different texts there are, and their bytes.
        ends: where each different text ends in ``out``, from 0; with room for all.
        out: the different texts, one behind the other; with room for all.
    """
    mask = np.uint64(max(len(slots) - 1, 0))
    count, used = counts[0], counts[1]
    ends[count] = used
    hashes, slot_of = np.empty(_AHEAD, np.uint64), np.empty(_AHEAD, np.uint64)
    for begin in range(0, len(at), _AHEAD):
        stop = min(begin + _AHEAD, len(at))
        for row in range(begin, stop):
            hashes[row - begin] = _hash(text, at[row], length[row], keys)
        for row in range(stop - begin):
            slot_of[row] = slots[hashes[row] & mask]
        for row in range(begin, stop):
            size, start, hashed = length[row], at[row], hashes[row - begin]
            if size < 0:
                codes[row] = -1
                continue
            if row > 0 and start == at[row - 1] and size == length[row - 1]:
                codes[row] = codes[row - 1]
                continue
            place = hashed & mask
            while True:
                slot = slots[place]
                code = int(slot & _LOW) - 1
                if code < 0:
                    break
                is_alike = (slot ^ hashed) <= _LOW and ends[code + 1] - ends[code] == size
                if is_alike and _is_same(text, start, out, ends[code], size):
                    break
                place = (place + np.uint64(1)) & mask
            if code < 0:
                copy_bytes(text, start, out, used, size)
                code, count, used = count, count + 1, used + size
                ends[count] = used
                slots[place] = (hashed & ~_LOW) | np.uint64(count)
            codes[row] = code
    counts[0], counts[1] = count, used
