"""One raw file's lines without what carries them, their parts joined.

Wrappers are found once, of a file's first lines, and taken off once: what a visitor writes into a
line is never taken for one.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.definitions import KEPT_OF_LONG_LINE, MAX_LINE_BYTES
from pipeline.formats.fields import BLANK
from pipeline.formats.pattern import without_ends
from pipeline.formats.reader import Part
from pipeline.formats.targets import TEXT
from pipeline.formats.verdicts import NO_REQUEST, NOT_WRAPPED, REPEATED, TOO_LONG, find_repeated
from pipeline.formats.wrappers import WRAPPERS, Messages, Wrapper
from pipeline.text import write_number_of

SAMPLE_LINES = 200
_LEAST_SHARE = 0.5
"""Of some lines a wrapper has at least so many."""
_MOST_CHANNELS = 20
"""So many channels of a block are asked whether they carry requests: the fullest ones."""
_MOST_NAMED = 5
_BEGINNING = 16
"""Bytes of the shortest thing that a wrapper writes."""
_FIRST_BYTES = np.isin(np.arange(256), np.frombuffer(b"JFMASOND<{\x1b", np.uint8))
"""A month's, a priority's, an object's, a colour's."""

LineNumbers = npt.NDArray[np.int64]
Judge = Callable[[pa.StringArray, bool], bool]
"""Whether some lines are requests in a layout; and whether what carried them is beyond doubt."""


@dataclass(frozen=True)
class Carried:
    """Messages of a block, or what ends in it."""

    line_no: LineNumbers
    """(m,) each message's line; of one in several parts the last."""
    texts: pa.StringArray
    """(m,)"""
    channels: pa.StringArray
    """(m,)"""
    joined: tuple[int, ...]
    """The other lines of messages in several parts."""
    bare: tuple[tuple[LineNumbers, pa.StringArray], ...]
    """Lines that are not wrapped, with their numbers."""
    too_long: tuple[tuple[int, str], ...]
    """Messages over 16 MiB when joined: the last line's number, the first 4 KiB."""


@dataclass(frozen=True)
class Requests:
    """The lines of a block that a layout is to read, and the parts that need none."""

    line_no: LineNumbers
    lines: pa.StringArray
    known: list[Part] = field(default_factory=list)

    def without_repeated(self) -> "Requests":
        """The same, those that a syslog daemon did not write out set aside."""
        found = find_repeated(self.lines)
        if not found.any():
            return self
        repeated = Part(self.line_no[found], self.lines.filter(pa.array(found)), REPEATED)
        others = self.lines.filter(pa.array(~found))
        return Requests(self.line_no[~found], others, [*self.known, repeated])


@dataclass
class _Open:
    """A message of which parts have come; its text up to the longest line's length."""

    line_no: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, number: int, text: str) -> None:
        self.line_no.append(number)
        if self.size <= MAX_LINE_BYTES:
            self.texts.append(text.removesuffix("\n"))
            self.size += len(text)


@dataclass
class Unwrapper:
    """Takes wrappers off the blocks of one raw file; to be called in their order."""

    chain: tuple[Wrapper, ...]
    """The outermost first."""
    channels: set[str] = field(default_factory=set)
    """Those that carry requests; none are known as long as no layout fits."""
    others: Counter[str] = field(default_factory=Counter)
    """The lines of channels that carry none."""
    _open: dict[tuple[int, str], _Open] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its wrappers' names."""
        return ", ".join(wrapper.name for wrapper in self.chain)

    @property
    def is_telling(self) -> bool:
        """Whether no log's own lines look like these."""
        return all(wrapper.is_telling for wrapper in self.chain)

    def unwrap(
        self, connection: duckdb.DuckDBPyConnection, line_no: LineNumbers, lines: pa.StringArray
    ) -> Carried:
        """The messages that end in a block."""
        channels = pa.repeat(pa.scalar("", TEXT), len(lines))
        return self._take(connection, 0, Carried(line_no, lines, channels, (), (), ()))

    def finish(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Carried]:
        """The messages that never ended: each is read as far as it came."""
        for level, channel in sorted(self._open):
            one = self._open[level, channel]
            number = np.array([one.line_no[-1]])
            last = Carried(
                number, pa.array(["".join(one.texts)], TEXT), pa.array([channel], TEXT),
                tuple(one.line_no[:-1]), (), (),
            )  # fmt: skip
            yield self._take(connection, level + 1, last)
        self._open.clear()

    def _take(self, connection: duckdb.DuckDBPyConnection, level: int, outer: Carried) -> Carried:
        """Take off the wrappers from a level of the chain on."""
        for number, wrapper in enumerate(self.chain[level:], level):
            found = wrapper.unwrap(connection, outer.texts)
            outer = self._join(number, outer, found)
        return outer

    def _join(self, level: int, outer: Carried, found: Messages) -> Carried:
        """Set aside what is not wrapped, and join what came in parts."""
        is_one = found.texts.is_valid()
        chosen = is_one.to_numpy(zero_copy_only=False)
        bare = outer.bare
        if not chosen.all():
            bare += ((outer.line_no[~chosen], outer.texts.filter(pc.invert(is_one))),)
        pair = (outer.channels.filter(is_one), found.channels.filter(is_one))
        channels = pc.utf8_trim(pc.binary_join_element_wise(*pair, " "), " ")
        inner = Carried(
            outer.line_no[chosen], found.texts.filter(is_one), channels,
            outer.joined, bare, outer.too_long,
        )  # fmt: skip
        goes_on = found.goes_on[chosen]
        is_any = goes_on.any() or any(open_level == level for open_level, _ in self._open)
        return self._join_parts(level, inner, goes_on) if is_any else inner

    def _join_parts(self, level: int, some: Carried, goes_on: npt.NDArray[np.bool_]) -> Carried:
        texts: dict[int, str] = {}
        joined, too_long = list(some.joined), list(some.too_long)
        kept = ~goes_on
        for row, channel in self._rows_in_parts(level, some, goes_on):
            key, number, text = (level, channel), int(some.line_no[row]), some.texts[row].as_py()
            if goes_on[row]:
                self._open.setdefault(key, _Open()).add(number, text)
                continue
            parts = self._open.pop(key)
            joined += parts.line_no
            if parts.size + len(text) > MAX_LINE_BYTES:
                too_long.append((number, "".join(parts.texts)[:KEPT_OF_LONG_LINE]))
                kept[row] = False
            else:
                texts[row] = "".join([*parts.texts, text])
        if texts:
            is_joined = np.zeros(len(kept), np.bool_)
            is_joined[list(texts)] = True
            values = pa.array([texts[row] for row in sorted(texts)], TEXT)
            replaced = pc.replace_with_mask(some.texts, pa.array(is_joined), values)
        else:
            replaced = some.texts
        mask = pa.array(kept)
        return Carried(
            some.line_no[kept], replaced.filter(mask), some.channels.filter(mask),
            tuple(joined), some.bare, tuple(too_long),
        )  # fmt: skip

    def _rows_in_parts(
        self, level: int, some: Carried, goes_on: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[int, str]]:
        """The rows, in order, of messages that came in several parts."""
        rows: list[tuple[int, str]] = []
        for channel in pc.unique(some.channels).to_pylist():
            its = np.flatnonzero(pc.equal(some.channels, channel).to_numpy(zero_copy_only=False))
            follows = np.append((level, channel) in self._open, goes_on[its][:-1])
            rows += [(row, channel) for row in its[goes_on[its] | follows].tolist()]
        yield from sorted(rows)

    def requests(self, some: Carried, judge: Judge) -> Requests:
        """The messages that a layout is to read: all as long as no channel is known."""
        chosen = self.choose(some, judge) if self.channels else np.ones(len(some.line_no), np.bool_)
        no_request = np.sort(np.append(some.line_no[~chosen], some.joined)).astype(np.int64)
        parts = [Part(no_request, pa.nulls(len(no_request), TEXT), NO_REQUEST)]
        parts += [Part(line_no, lines, NOT_WRAPPED) for line_no, lines in some.bare]
        numbers = np.array([number for number, _ in some.too_long], np.int64)
        parts.append(Part(numbers, pa.array([head for _, head in some.too_long], TEXT), TOO_LONG))
        known = [part for part in parts if len(part.line_no)]
        texts = some.texts.filter(pa.array(chosen))
        return Requests(some.line_no[chosen], texts, known).without_repeated()

    def choose(self, some: Carried, judge: Judge) -> npt.NDArray[np.bool_]:
        """Which messages come by channels that carry requests; others are asked in each block."""
        coded = some.channels.dictionary_encode()
        names = coded.dictionary.to_pylist()
        indices = coded.indices.to_numpy()
        counts = np.bincount(indices, minlength=len(names)) if names else np.zeros(0, np.int64)
        for code in np.argsort(-counts, kind="stable")[:_MOST_CHANNELS].tolist():
            if names[code] not in self.channels:
                its = some.texts.filter(pa.array(indices == code))
                if judge(sample_of(its), self.is_telling):
                    self.channels.add(names[code])
        is_known = np.array([name in self.channels for name in names], np.bool_)
        for code in np.flatnonzero(~is_known).tolist():
            self.others[names[code]] += int(counts[code])
        return is_known[indices] if names else np.zeros(0, np.bool_)

    def sample(
        self, connection: duckdb.DuckDBPyConnection, lines: pa.StringArray
    ) -> pa.StringArray:
        """The first requests of a file's first block."""
        numbers = np.arange(len(lines), dtype=np.int64)
        found = Unwrapper(self.chain).unwrap(connection, numbers, lines)
        is_one = pc.is_in(found.channels, pa.array(sorted(self.channels), TEXT))
        return sample_of(found.texts.filter(is_one))

    def explain(self) -> str:
        """Say what carries the lines, and which of the messages are requests."""
        by = _name_some(sorted(self.channels))
        said = f"its lines are carried by {self.name}" + (f", requests by {by}" if by else "")
        if not self.others:
            return said
        names = _name_some([name for name, _ in self.others.most_common()])
        lines = write_number_of(self.others.total(), "line")
        return f"{said}; {lines} of others ({names}) are no requests"


def _name_some(names: Sequence[str]) -> str:
    named = [name for name in names if name]
    more = len(named) - _MOST_NAMED
    return ", ".join(named[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def sample_of(lines: pa.StringArray) -> pa.StringArray:
    """The first lines that are not blank, without their ends; none that stand for others."""
    for count in sorted({min(4 * SAMPLE_LINES, len(lines)), len(lines)}):  # mostly the few do
        first = lines[:count]
        is_text = pc.not_equal(pc.ascii_trim(first, BLANK), "")
        sample = first.filter(pc.and_not(is_text, pa.array(find_repeated(first))))[:SAMPLE_LINES]
        if len(sample) == SAMPLE_LINES:
            break
    return without_ends(sample)


def find_unwrapper(
    connection: duckdb.DuckDBPyConnection, lines: pa.StringArray, judge: Judge
) -> Unwrapper | None:
    """The wrappers of a block's lines, tried on its first ones; None where they have none.

    Wrappers whose messages no layout knows are taken where nothing else fits: their ``channels``
    are empty then.
    """
    sample = sample_of(lines)
    outer = _fitting(sample)
    tried: list[tuple[Wrapper, ...]] = [(wrapper,) for wrapper in outer]
    for wrapper in outer:
        messages = wrapper.unwrap(connection, sample).texts.drop_null()
        tried += product((wrapper,), _fitting(sample_of(messages)))
    for chain in tried:
        found = Unwrapper(chain)
        numbers = np.arange(len(lines), dtype=np.int64)
        found.choose(found.unwrap(connection, numbers, lines), judge)
        if found.channels:
            return Unwrapper(chain, found.channels)
    telling = [wrapper for wrapper in outer if wrapper.is_telling]
    return Unwrapper((telling[0],)) if telling else None


def may_be_wrapped(lines: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Which of some lines begin as wrapped ones may, and as none do that begins with an address."""
    ends = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset :][: len(lines) + 1]
    data = np.frombuffer(lines.buffers()[2] or b"", np.uint8)
    is_long = np.diff(ends) > _BEGINNING
    starts = ends[:-1][is_long]
    first, fifth = data[starts], data[starts + 4]
    found = np.zeros(len(lines), np.bool_)
    found[is_long] = _FIRST_BYTES[first] | (fifth == ord("-"))
    return found


def may_be_carried(lines: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Which of some lines any wrapper could have written."""
    found = np.zeros(len(lines), np.bool_)
    for wrapper in WRAPPERS:
        is_one = pc.match_substring_regex(lines, f"(?s){wrapper.shape}")
        found |= is_one.to_numpy(zero_copy_only=False)
    return found


def _fitting(sample: pa.StringArray) -> list[Wrapper]:
    """The wrappers that at least half of some lines have."""
    if not len(sample):
        return []
    return [
        wrapper
        for wrapper in WRAPPERS
        if pc.mean(
            pc.match_substring_regex(sample, f"(?s){wrapper.shape}").cast(pa.float64())
        ).as_py()
        >= _LEAST_SHARE
    ]
