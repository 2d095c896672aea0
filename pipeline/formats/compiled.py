"""What reads lines and numbers texts by the compiled loops of ``kernel``."""

import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.formats import kernel, sha256, splitting, xxh3
from pipeline.formats.automaton import Automaton, automaton_of
from pipeline.formats.kernel import Bytes, Hashes, Ints

Rows = npt.NDArray[np.intp]
NO_ROWS = np.zeros(0, np.intp)
NO_TEXTS = pa.array([], pa.string())
_A = TypeVar("_A", bound=npt.NDArray[Any])
_KEYS = np.frombuffer(secrets.token_bytes(4 * 4096), np.uint32)

_wrapping = partial(np.errstate, over="ignore")
"""What goes round does so on purpose; NumPy says it only where nothing is compiled."""


class Texts:
    """Different texts, numbered from 0 as they come."""

    def __init__(self) -> None:
        """Have none."""
        self._slots, self._counts = np.zeros(0, np.uint64), np.zeros(2, np.int64)
        self._ends, self._bytes = np.zeros(1, np.int32), np.empty(0, np.uint8)

    def number(self, values: pa.StringArray | pa.Int64Array) -> Ints:
        """The number of each of n texts, or integers, none of them null."""
        if pa.types.is_integer(values.type):
            at = 8 * np.arange(len(values), dtype=np.int32)
            return self.number_parts(values.to_numpy().view(np.uint8), at, np.full_like(at, 8))
        ends = np.frombuffer(values.buffers()[1], np.int32)[values.offset :][: len(values) + 1]
        text = np.frombuffer(values.buffers()[2] or b"", np.uint8)
        return self.number_parts(text, ends[:-1], np.diff(ends))

    def number_parts(self, text: Bytes, at: Ints, length: Ints) -> Ints:
        """The number of each of n texts; see ``kernel.number_texts``."""
        self._make_room(len(at), int(np.maximum(length, 0).sum()))
        return self._number(text, at, length)

    def values(self) -> pa.StringArray:
        """The texts, in the order of their numbers."""
        count, used = self._counts.tolist()
        ends, out = self._ends[: count + 1], self._bytes[:used]
        return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(out))

    def __len__(self) -> int:
        """So many."""
        return int(self._counts[0])

    @property
    def nbytes(self) -> int:
        """Of all texts together."""
        return int(self._counts[1])

    def _number(self, text: Bytes, at: Ints, length: Ints) -> Ints:
        codes = np.empty(len(at), np.int32)
        with _wrapping():
            kernel.number_texts(
                _read_only(text), at, length, _KEYS, self._slots, codes, self._counts, self._ends,
                self._bytes,
            )  # fmt: skip
        return codes

    def _make_room(self, texts: int, more_bytes: int) -> None:
        """Twice as much as is needed, where it is not enough."""
        count, used = self._counts.tolist()
        if used + more_bytes > len(self._bytes):
            self._bytes = _longer(self._bytes[:used], more_bytes)
        if count + texts + 1 > len(self._ends):
            self._ends = _longer(self._ends[: count + 1], texts)
        if 2 * (count + texts) > len(self._slots):
            self._slots = np.zeros(1 << (2 * (count + texts)).bit_length(), np.uint64)
            known, ends = self._bytes[:used].copy(), self._ends[: count + 1].copy()
            self._counts[:] = 0
            self._number(known, ends[:-1], np.diff(ends))


def _read_only(array: _A) -> _A:
    """The same bytes: of Arrow's some may be written, and each kind is compiled for itself."""
    view = array.view()
    view.flags.writeable = False
    return view


def _longer(array: _A, more: int) -> _A:
    longer = np.empty(len(array) + max(more, len(array)), array.dtype)
    longer[: len(array)] = array
    return cast("_A", longer)


@dataclass(frozen=True, slots=True)
class PlainLines:
    """What ``read_lines`` found, ``n`` rows."""

    bytes: Bytes
    at: Ints
    length: Ints
    seconds: npt.NDArray[np.int64]
    status: npt.NDArray[np.int16]
    size: npt.NDArray[np.int64]
    line_of: Ints

    def coded(
        self,
        number: int | None,
        behind: pa.StringArray = NO_TEXTS,
        rows: Rows = NO_ROWS,
        others: pa.StringArray = NO_TEXTS,
    ) -> pa.DictionaryArray:
        """One of the rows' texts, CLIENT to AGENT, and some behind them; of ``None`` all are null.

        ``others`` are put into ``rows``, in which it has none.
        """
        texts, count = Texts(), len(self.line_of)
        if number is None:
            codes = np.full(count, -1, np.int32)
        else:
            codes = texts.number_parts(self.bytes, self.at[number], self.length[number])
        codes = np.append(codes, np.full(len(behind), -1, np.int32)) if len(behind) else codes
        for at, its in ((rows, others), (np.arange(count, len(codes)), behind)):
            is_text = its.is_valid().to_numpy(zero_copy_only=False)
            codes[at[is_text]] = texts.number(its.drop_null())
        is_null = codes < 0
        return pa.DictionaryArray.from_arrays(
            pa.array(codes, mask=is_null if is_null.any() else None), texts.values(), safe=False
        )

    def odd_requests(self) -> tuple[Rows, pa.DictionaryArray]:
        """The rows whose requests do not come apart, and those; few, as a rule."""
        rows, texts = np.flatnonzero(self.length[kernel.REQUEST] >= 0), Texts()
        at, length = self.at[kernel.REQUEST, rows], self.length[kernel.REQUEST, rows]
        codes = texts.number_parts(self.bytes, at, length)
        return rows, pa.DictionaryArray.from_arrays(pa.array(codes), texts.values(), safe=False)


def warm() -> None:
    """Compile everything, so that no run has to wait for it: arrays are of one kind each."""
    take_apart(pa.array(["-"])).coded(kernel.CLIENT)
    hash_lines(pa.array(["-"]))
    hash_messages(pa.array(["-"]), (bytes(sha256.BLOCK), bytes(sha256.BLOCK)))
    hash_sessions(b"-", np.ones(1, np.uint64), np.ones(1, np.int64))
    find_ipv4(pa.array(["-"]))
    if automaton := automaton_of("^(?P<all>.*)$"):
        split(pa.array(["-"]), automaton)


def split(
    texts: pa.StringArray, automaton: Automaton
) -> tuple[dict[str, pa.StringArray], npt.NDArray[np.bool_]]:
    """The fields of n texts, and which of them the automaton takes; the others' mean nothing."""
    text, starts = _text_of(texts)
    at, length = np.zeros((2, len(automaton.fields), len(texts)), np.int32)
    is_found = np.empty(len(texts), np.bool_)
    splitting.split_texts(
        text, starts, automaton.class_of, automaton.moves, automaton.part_of, automaton.field_of,
        automaton.run_of, automaton.run_to, automaton.run_at, automaton.run_bytes,
        at, length, is_found,
    )  # fmt: skip
    taken = map(partial(_take, text), at, length)
    return dict(zip(automaton.fields, taken, strict=True)), is_found


def _take(text: Bytes, at: Ints, length: Ints) -> pa.StringArray:
    ends, out = np.zeros(len(at) + 1, np.int32), np.empty(int(length.sum()), np.uint8)
    splitting.take_texts(text, at, length, ends, out)
    return pa.StringArray.from_buffers(len(at), pa.py_buffer(ends), pa.py_buffer(out))


def find_ipv4(texts: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Which of n texts are addresses of version 4; a null is any text or none."""
    is_ipv4 = np.empty(len(texts), np.bool_)
    if len(texts):
        kernel.find_ipv4(*_text_of(texts), is_ipv4)
    return is_ipv4


def hash_lines(lines: pa.StringArray) -> Hashes:
    """The XXH3-64 of n lines without their ends; zero where a line is too short, see ``xxh3``."""
    text, starts = _text_of(lines)
    hashes = np.empty(len(lines), np.uint64)
    with _wrapping():
        xxh3.hash_lines(text, starts, hashes)
    return hashes


def hash_messages(messages: pa.StringArray, blocks: tuple[bytes, bytes]) -> Hashes:
    """The first 64 bits of the HMAC-SHA256 (RFC 2104) of n messages, as big-endian numbers.

    ``blocks``: the key's inner and outer one.
    """
    text, starts = _text_of(messages)
    with _wrapping():
        inner, outer = (sha256.begin_with(np.frombuffer(one, np.uint8)) for one in blocks)
    digests = _digest(text, starts, inner, sha256.BLOCK).astype(">u4").view(np.uint8)
    ends = np.arange(0, digests.size + 1, digests.shape[1], dtype=np.int32)
    return _numbers_of(_digest(digests.reshape(-1), ends, outer, sha256.BLOCK))


def hash_sessions(key: bytes, visitor_id: Hashes, started_at: npt.NDArray[np.int64]) -> Hashes:
    """The ids of n sessions; see ``enrich.visitors``."""
    text = np.empty((len(key) + 41) * len(visitor_id), np.uint8)
    starts = np.empty(len(visitor_id) + 1, np.int32)
    sha256.write_sessions(
        np.frombuffer(key, np.uint8), _read_only(np.ascontiguousarray(visitor_id)),
        _read_only(np.ascontiguousarray(started_at)), text, starts,
    )  # fmt: skip
    return _numbers_of(_digest(text, starts, sha256.START, 0))


def _digest(
    text: Bytes, starts: Ints, begin: npt.NDArray[np.uint32], before: int
) -> npt.NDArray[np.uint32]:
    """The digests of n messages, shape ``(n, 8)``; see ``sha256.digest``."""
    digests = np.empty((len(starts) - 1, 8), np.uint32)
    order = np.argsort(np.diff(starts), kind="stable")
    with _wrapping():
        sha256.digest(_read_only(text), starts, order, begin, before, digests)
    return digests


def _numbers_of(digests: npt.NDArray[np.uint32]) -> Hashes:
    high, low = digests[:, 0].astype(np.uint64), digests[:, 1].astype(np.uint64)
    return (high << np.uint64(32)) | low


def take_apart(lines: pa.StringArray) -> PlainLines:
    """Take the plain ones of n lines apart; they are with or without their line ends."""
    text, starts = _text_of(lines)
    shape = (kernel.TEXTS, len(lines))
    at, length = np.empty(shape, np.int32), np.empty(shape, np.int32)
    seconds, size = np.empty(len(lines), np.int64), np.empty(len(lines), np.int64)
    status, line_of = np.empty(len(lines), np.int16), np.empty(len(lines), np.int32)
    with _wrapping():
        rows = kernel.read_lines(text, starts, at, length, seconds, status, size, line_of)
    return PlainLines(
        text, at[:, :rows], length[:, :rows], seconds[:rows], status[:rows], size[:rows],
        line_of[:rows],
    )  # fmt: skip


def _text_of(texts: pa.StringArray) -> tuple[Bytes, Ints]:
    """The bytes of n texts, and where each begins in them, and the last one's end."""
    starts = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
    first, last = int(starts[0]), int(starts[-1])
    text = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[first:last]
    return _read_only(text), starts - first
