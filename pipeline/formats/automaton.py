"""Regular expressions as tables: each byte of a text is looked at once, and tells how to go on.

A part of RE2's language, with named groups: those of Glushkov's automata of which each state lies
in one group, so that it is known at each byte where a group begins and ends (Glushkov, V. M.: The
abstract theory of automata. Russian Mathematical Surveys 16 (5), 1961).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

END: Final = 256
"""What stands behind a text's last byte."""
_FAILED = 1  # the state that no byte leads out of
_MOST_MOVES, _MOST_PARTS = 2**16, 127
_FOLLOWING = range(0x80, 0xC0)
"""A character's bytes but the first, in UTF-8: they lead nowhere else."""
_CHARACTERS = (1 << 128) - 1 | (1 << 256) - (1 << 192)
_ANYTHING = _CHARACTERS | 1 << END
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": " \t\n\f\r"}
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_GROUP = re.compile(r"\((?:\?:|\?P<(?P<name>\w+)>)")
_CLASS = re.compile(r"\[(?P<is_not>\^?)(?P<items>\]?(?:\\.|[^\\\]])*)\]", re.DOTALL)
_ITEM = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", re.DOTALL)
_REPEATED = re.compile(r"(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??")
_MOST_TIMES = 64
_LEAST_RUN = 4
"""Bytes that are sooner compared than looked up."""


@dataclass(frozen=True, eq=False)
class Automaton:
    """What reads a text byte by byte; the texts that it takes may go on behind their match."""

    fields: tuple[str, ...]
    """The groups' names, in order."""
    class_of: npt.NDArray[np.uint8]
    """Shape ``(257,)``: bytes, and ``END``, that lead to the same states from everywhere."""
    moves: npt.NDArray[np.uint16]
    """Shape ``(states * classes,)``: where the moves of the next state begin, a byte's of a class
    behind where those of this state do. The first state is at 0."""
    part_of: npt.NDArray[np.uint8]
    """Likewise: which part of the expression that byte is of, rising; their number is of none."""
    field_of: npt.NDArray[np.int8]
    """Shape ``(parts,)``: which field a part is, or -1."""
    run_of: npt.NDArray[np.uint16]
    """As ``moves``, where those of a state begin: the number of the run that must come there, from
    1; 0 where there is a choice."""
    run_to: npt.NDArray[np.uint16]
    """Shape ``(runs + 1,)``: the state behind each run."""
    run_at: npt.NDArray[np.int32]
    """Shape ``(runs + 2,)``: where the bytes of each begin in ``run_bytes``."""
    run_bytes: npt.NDArray[np.uint8]
    """The bytes of all runs, all of the part that the state is of."""


class UnfitError(ValueError):
    """A regular expression that no automaton is made of."""


@lru_cache(maxsize=512)
def automaton_of(regex: str) -> Automaton | None:
    """The automaton of a regular expression that begins where a text does.

    None where it has more than the part of RE2's language that is known here, or where what a byte
    belongs to is told only by what comes behind it.
    """
    try:
        return _Expression(regex.removeprefix("^")).automaton()
    except UnfitError:
        return None


class _Part(NamedTuple):
    """Of an expression: whether it may be empty, and the places that it begins and ends with."""

    may_be_empty: bool = True
    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()


class _Expression:
    """A regular expression's places: what stands at each, and which may follow which."""

    def __init__(self, regex: str) -> None:
        self._regex, self._at = regex, 0
        self._symbols: list[int] = []  # of each place, as bits
        self._following: list[set[int]] = []
        self._part_of: list[int] = []
        self._names: list[str | None] = [None]  # of each part
        whole = self._read_either()
        if self._at < len(regex):
            raise UnfitError(regex)
        self._first = self._then(whole, self._repeat(self._place(_ANYTHING), 0, None)).first

    def automaton(self) -> Automaton:
        """Sets of places become states."""
        class_of, symbols = self._classes()
        start, failed = frozenset({-1}), frozenset[int]()
        states = {start: 0, failed: _FAILED}
        moves: list[list[int]] = []
        for places in (queue := [start, failed]):
            following = self._first if places is start else self._follow(places)
            row = []
            for symbol in symbols:
                next_ones = frozenset(one for one in following if self._symbols[one] >> symbol & 1)
                next_ones = places if symbol in _FOLLOWING else next_ones
                if next_ones not in states:
                    states[next_ones] = len(states)
                    queue.append(next_ones)
                row.append(states[next_ones])
            moves.append(row)
            if len(states) * len(symbols) > _MOST_MOVES or len(self._names) > _MOST_PARTS:
                raise UnfitError(self._regex)
        parts = np.array([0, len(self._names), *map(self._only_part, queue[2:])], np.uint8)
        to = np.array(moves).ravel()
        fields = tuple(name for name in self._names if name)
        field_of = [fields.index(name) if name else -1 for name in self._names]
        alone = self._find_alone(queue, moves, class_of, parts)
        return Automaton(
            fields, class_of, (to * len(symbols)).astype(np.uint16), parts[to],
            np.array(field_of, np.int8), *_join_runs(alone, len(symbols), to.size),
        )  # fmt: skip

    def _find_alone(
        self,
        states: list[frozenset[int]],
        moves: list[list[int]],
        class_of: npt.NDArray[np.uint8],
        parts: npt.NDArray[np.uint8],
    ) -> dict[int, tuple[int, int]]:
        """States out of which one byte alone leads, to another one of the same part: these."""
        counts = np.bincount(class_of)
        ignored = class_of[_FOLLOWING[0]]  # none comes behind a character of one byte
        alone: dict[int, tuple[int, int]] = {}
        for state, places in enumerate(states):
            if any(place >= 0 and self._symbols[place] >> 128 for place in places):
                continue
            there = [(of, to) for of, to in enumerate(moves[state]) if to != _FAILED]
            there = [(of, to) for of, to in there if of != ignored]
            if len(there) == 1 and counts[there[0][0]] == 1:
                ((of, to),) = there
                byte = int(np.argmax(class_of == of))
                if byte != END and to != state and parts[to] == parts[state]:
                    alone[state] = byte, to
        return alone

    def _follow(self, places: frozenset[int]) -> set[int]:
        return set().union(*(self._following[place] for place in places))

    def _only_part(self, places: Iterable[int]) -> int:
        parts = {self._part_of[place] for place in places}
        if len(parts) > 1:
            raise UnfitError(self._regex)
        return parts.pop()

    def _classes(self) -> tuple[npt.NDArray[np.uint8], list[int]]:
        """The class of each symbol, and a symbol of each class."""
        classes: dict[tuple[int, ...], int] = {}
        distinct = sorted({sum(1 << byte for byte in _FOLLOWING), *self._symbols})
        keys = [tuple(one >> symbol & 1 for one in distinct) for symbol in range(END + 1)]
        of_each = [classes.setdefault(key, len(classes)) for key in keys]
        return np.array(of_each, np.uint8), [of_each.index(number) for number in classes.values()]

    def _read_either(self) -> _Part:
        """Parts of which one is there."""
        either = self._read_sequence()
        while self._regex[self._at : self._at + 1] == "|":
            self._at += 1
            other = self._read_sequence()
            either = _Part(
                either.may_be_empty or other.may_be_empty,
                either.first | other.first, either.last | other.last,
            )  # fmt: skip
        return either

    def _read_sequence(self) -> _Part:
        """Parts that follow each other."""
        sequence = _Part()
        while self._at < len(self._regex) and self._regex[self._at] not in "|)":
            sequence = self._then(sequence, self._read_repeated())
        return sequence

    def _read_repeated(self) -> _Part:
        """A part, and how often it is there."""
        begin, parts = self._at, len(self._names)
        one = self._read_one()
        found = _REPEATED.match(self._regex, self._at)
        if not found:
            return one
        sign, least, comma, most = found.groups()
        if sign != "?" and len(self._names) > parts:
            raise UnfitError(self._regex)  # a group that may be there several times
        if sign:
            one = self._repeat(one, 0 if sign in "*?" else 1, 1 if sign == "?" else None)
        else:
            one = self._count(one, begin, int(least), int(most or 0) if comma else int(least))
        self._at = found.end()
        return one

    def _count(self, one: _Part, begin: int, least: int, most: int) -> _Part:
        """A part so many times, each with its own places: it is read again."""
        if not 0 < least <= most <= _MOST_TIMES:
            raise UnfitError(self._regex)
        for time in range(1, most):
            self._at = begin
            again = self._read_one()
            one = self._then(one, again if time < least else again._replace(may_be_empty=True))
        return one

    def _read_one(self) -> _Part:
        """A group, a class, or a character."""
        group = _GROUP.match(self._regex, self._at)
        if group:
            self._at = group.end()
            if group["name"]:
                self._names.append(group["name"])
            inner = self._read_either()
            if self._regex[self._at : self._at + 1] != ")":
                raise UnfitError(self._regex)
            if group["name"]:
                if self._names[-1] != group["name"]:
                    raise UnfitError(self._regex)  # a group in a group
                self._names.append(None)
            self._at += 1
            return inner
        if found := _CLASS.match(self._regex, self._at):
            self._at = found.end()
            symbols = self._read_items(found["items"])
            return self._place(~symbols & _CHARACTERS if found["is_not"] else symbols)
        return self._read_character()

    def _read_character(self) -> _Part:
        character = self._regex[self._at]
        size = 2 if character == "\\" else 1
        text = self._regex[self._at : self._at + size]
        self._at += size
        if text in ("^", "(", "[", "\\"):
            raise UnfitError(self._regex)
        if text == ".":
            return self._place(_CHARACTERS)
        if text == "$":
            return self._place(1 << END)
        return self._place(self._read_item(text))

    def _read_items(self, items: str) -> int:
        """A class's, as bits."""
        if "[:" in items:
            raise UnfitError(self._regex)
        symbols = 0
        for first, last in _ITEM.findall(items):
            if last:
                begin, end = (self._read_item(one).bit_length() - 1 for one in (first, last))
                symbols |= (1 << end + 1) - (1 << begin)
            else:
                symbols |= self._read_item(first)
        return symbols

    def _read_item(self, text: str) -> int:
        """A character, or a class that is escaped, as bits."""
        character = text.removeprefix("\\") if len(text) > 1 else text
        if not character.isascii():
            raise UnfitError(self._regex)
        if text == character:
            return 1 << ord(text)
        if character in _CLASSES:
            return self._read_items(_CLASSES[character])
        if character.isalnum() and character not in _ESCAPED:
            raise UnfitError(self._regex)
        return 1 << ord(_ESCAPED.get(character, character))

    def _place(self, symbols: int) -> _Part:
        here = len(self._symbols)
        self._symbols.append(symbols)
        self._following.append(set())
        self._part_of.append(len(self._names) - 1)
        return _Part(False, frozenset({here}), frozenset({here}))

    def _then(self, one: _Part, other: _Part) -> _Part:
        for place in one.last:
            self._following[place] |= other.first
        return _Part(
            one.may_be_empty and other.may_be_empty,
            one.first | other.first if one.may_be_empty else one.first,
            one.last | other.last if other.may_be_empty else other.last,
        )

    def _repeat(self, one: _Part, least: int, most: int | None) -> _Part:
        if most is None:
            for place in one.last:
                self._following[place] |= one.first
        return one._replace(may_be_empty=one.may_be_empty or not least)


def _join_runs(
    alone: dict[int, tuple[int, int]], n_classes: int, n_moves: int
) -> tuple[
    npt.NDArray[np.uint16], npt.NDArray[np.uint16], npt.NDArray[np.int32], npt.NDArray[np.uint8]
]:
    """The runs of states out of which one byte leads, to the next one: see ``Automaton``."""
    run_of = np.zeros(n_moves, np.uint16)
    ends, texts = [0], [b""]
    for first in alone.keys() - {to for _, to in alone.values()}:
        state, text = first, bytearray()
        while state in alone and len(text) <= len(alone):
            byte, state = alone[state]
            text.append(byte)
        if len(text) >= _LEAST_RUN:
            run_of[first * n_classes] = len(texts)
            ends.append(state * n_classes)
            texts.append(bytes(text))
    at = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    run_bytes = np.frombuffer(b"".join(texts) or b"\0", np.uint8)
    return run_of, np.array(ends, np.uint16), at, run_bytes
