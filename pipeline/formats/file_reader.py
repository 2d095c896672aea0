"""Reads one raw file's blocks in its layout: the one given, else the one that its lines show."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.client_texts import are_addresses
from pipeline.formats.detection import LEAST_SHARE, Detected, are_plain, detect, try_layout
from pipeline.formats.doubts import Clients, count_clients
from pipeline.formats.fields import ReadBlock, Rejected
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.layouts import COMBINED, NO_REQUESTS, Combined, Layout, find_layout
from pipeline.formats.reader import Part, Reader, join, read_parts
from pipeline.formats.unwrapping import (
    Judge,
    Requests,
    Unwrapper,
    find_unwrapper,
    may_be_wrapped,
    sample_of,
)
from pipeline.formats.verdicts import FINAL
from pipeline.formats.zoneless import LOOKED_AT, find_zoneless
from pipeline.proxies import TrustedProxies
from pipeline.raw.blocks import NO_LINES, Block

LEAST_REJECTED = 20
"""So many rejected lines of a block are tried in another layout."""
LEAST_SHARE_OF_REJECTED = 0.9
_FALLBACK = Combined()
"""Combined as long as no line shows a layout."""


class _Strict(Combined):
    """The same of lines that something carries: only an address is a client."""

    def read_block(
        self,
        connection: duckdb.DuckDBPyConnection,
        line_no: npt.NDArray[np.int64],
        lines: pa.Array,
    ) -> ReadBlock:
        """Read a block of lines."""
        read = super().read_block(connection, line_no, lines)
        is_address = pa.array(are_addresses(read.hits["client"].combine_chunks()))
        others = read.hits["line_no"].filter(pc.invert(is_address)).to_numpy()
        rejects = [
            (int(line_no[row]), lines[row].as_py().rstrip("\r\n"), Rejected("client", 1))
            for row in np.searchsorted(line_no, others).tolist()
        ]
        rejects = sorted([*read.rejects, *rejects], key=lambda one: one[0])
        return ReadBlock(read.hits.filter(is_address), rejects, read.blank)


_STRICT = _Strict()


@dataclass
class FileReader:
    """One raw file's blocks in its layout: the one given, else the one that its lines show."""

    given: str | None = None
    """A layout's name or a format string."""
    zone: ZoneInfo | None = None
    """Of times without an offset; UTC when not given."""
    is_zoneless: bool | None = None
    """Whether they are taken for UTC as nothing says so; None as long as no hit tells."""
    detected: Detected | None = None
    _reader: Reader | None = None
    _is_found: bool = False
    """Whether it is clear what carries the lines, and in which layout they are."""
    _unwrapper: Unwrapper | None = None
    _later: Unwrapper | None = None
    """What carries only lines further on in the file."""
    # Blocks are read in several threads: an append is safe, a sum is not.
    _hits: list[tuple[str, int]] = field(default_factory=list)
    _clients: list[Clients] = field(default_factory=list)
    _is_guessed: bool = False

    def __post_init__(self) -> None:
        """Take the layout that is given."""
        if self.given:
            self._reader = Reader(find_layout(self.given), self.zone)

    @property
    def layout(self) -> Layout:
        """The layout; combined as long as no line shows another."""
        return self._reader.layout if self._reader else COMBINED

    @property
    def wrapper(self) -> str | None:
        """What carries its lines, by name; None when nothing does."""
        unwrapper = self._unwrapper or self._later
        return unwrapper.name if unwrapper else None

    def say_wrapper(self) -> str | None:
        """Say what carries its lines, and by what the requests came; None when nothing does."""
        unwrapper = self._unwrapper or self._later
        return unwrapper.explain() if unwrapper else None

    def cut(
        self,
        connection: duckdb.DuckDBPyConnection,
        line_no: npt.NDArray[np.int64],
        lines: pa.Array,
    ) -> list[Part]:
        """Cut a block where its layout changes; to be called in the order of the blocks.

        Lines that something carries are read without it: see ``unwrapping``.
        """
        ended = [] if self._is_found else self._find(connection, lines)
        if self._unwrapper:
            found = self._unwrapper.unwrap(connection, line_no, lines)
            requests = self._unwrapper.requests(found, self._judge(connection))
            return [*ended, *self._parts(requests)]
        requests, later = self._set_aside(connection, line_no, lines)
        return [*ended, *self._parts(requests.without_repeated()), *later]

    def cut_all(
        self, connection: duckdb.DuckDBPyConnection, blocks: Iterable[Block]
    ) -> Iterator[tuple[Block, list[Part]]]:
        """Cut all blocks of a file; what is left after the last one comes with no lines."""
        for block in blocks:
            parts = self.cut(connection, block.line_no, block.lines)
            if self.is_zoneless is None and not self.zone:
                self._look_at_times(connection, parts)
            yield block, parts
        if left := self._finish(connection):
            yield NO_LINES, left

    def _look_at_times(self, connection: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Tell by the first hit whether times have no offset and nothing says their zone."""
        if isinstance(self.layout, HeaderLayout):
            return
        for part in parts:
            rows, flags = find_zoneless(connection, part.layout, part.lines[:LOOKED_AT])
            if len(rows):
                self.is_zoneless = bool(flags[0])
                return

    def _finish(self, connection: duckdb.DuckDBPyConnection) -> list[Part]:
        """Messages whose last part never came."""
        if not self._unwrapper:
            return []
        judge = self._judge(connection)
        left = list(self._unwrapper.finish(connection))
        return [part for one in left for part in self._parts(self._unwrapper.requests(one, judge))]

    def _parts(self, requests: Requests) -> list[Part]:
        reader = self._reader or Reader(_STRICT if self._unwrapper else _FALLBACK)
        parts = reader.cut(requests.line_no, requests.lines) if len(requests.line_no) else []
        return [*parts, *requests.known]

    def _find(self, connection: duckdb.DuckDBPyConnection, lines: pa.Array) -> list[Part]:
        """Find what carries the lines, and their layout; done when a block tells the layout.

        Returns what was still held by other wrappers, found in a block that did not tell.
        """
        sample = sample_of(lines)
        if not len(sample):
            return []
        found = self._find_unwrapper(connection, sample, lines)
        requests = found.sample(connection, lines) if found and found.channels else None
        if self._reader and self.given:
            bare = try_layout(connection, self._reader.layout, sample)
            carried = (
                None if requests is None else try_layout(connection, self._reader.layout, requests)
            )
            if bare.share and not (carried and carried.rank[:2] >= bare.rank[:2]):
                found = None
            self._is_found = not found or bool(found.channels)
        elif best := detect(connection, sample if requests is None else requests):
            self.detected, self._reader = best, Reader(best.layout, self.zone)
            found = None if requests is None else found
            self._is_found = not found or best.layout.name != NO_REQUESTS.name
        return self._change(connection, found)

    def _find_unwrapper(
        self, connection: duckdb.DuckDBPyConnection, sample: pa.Array, lines: pa.Array
    ) -> Unwrapper | None:
        """What carries a block's lines: messages that are requests, or else that are known."""
        if not self.given and are_plain(sample).all():
            return None
        found = find_unwrapper(connection, lines, self._judge(connection))
        if not found or found.channels or self.given:
            return found
        return find_unwrapper(connection, lines, _any_judge(connection))

    def _change(self, connection: duckdb.DuckDBPyConnection, found: Unwrapper | None) -> list[Part]:
        """Take the wrappers found in place of those of before; the same ones go on."""
        before = self._unwrapper
        if before and found and before.chain == found.chain:
            before.channels = found.channels
            return []
        if before and not (found or self._is_found):
            return []
        ended = self._finish(connection)
        self._unwrapper = found
        return ended

    def _judge(self, connection: duckdb.DuckDBPyConnection) -> Judge:
        """Whether some lines are requests, in the layout if there is one already."""

        def judge(some: pa.Array, is_telling: bool) -> bool:
            if self._reader and (self.given or self._is_found):
                share, addresses, _ = try_layout(connection, self._reader.layout, some).rank
                may_be_hosts = self.given and is_telling
                return min(share, 1.0 if may_be_hosts else addresses) >= LEAST_SHARE
            found = detect(connection, some)
            return found is not None and found.layout.name != NO_REQUESTS.name

        return judge

    def _layout_of(self, connection: duckdb.DuckDBPyConnection, sample: pa.Array) -> Layout | None:
        """The layout that is given, or that some lines show."""
        if self.given:
            return self.layout
        found = detect(connection, sample)
        return found.layout if found else None

    def _set_aside(
        self,
        connection: duckdb.DuckDBPyConnection,
        line_no: npt.NDArray[np.int64],
        lines: pa.Array,
    ) -> tuple[Requests, list[Part]]:
        """The lines of a block, and apart from them those that something carries from here on.

        Combined takes anything for a client, so that it would not reject them.
        """
        is_odd = may_be_wrapped(lines) if self.layout is COMBINED else np.zeros(0, np.bool_)
        odd = lines.filter(pa.array(is_odd)) if is_odd.any() else lines[:0]
        judge = self._judge(connection) if self.given else _any_judge(connection)
        found = find_unwrapper(connection, odd, judge)
        layout = self._layout_of(connection, found.sample(connection, odd)) if found else None
        if not found or not found.channels or not layout:
            return Requests(line_no, lines), []
        self._later, reader = found, Reader(layout, self.zone)
        parts: list[Part] = []
        for one in (found.unwrap(connection, line_no[is_odd], odd), *found.finish(connection)):
            requests = found.requests(one, judge)
            parts += [*reader.cut(requests.line_no, requests.lines), *requests.known]
        return Requests(line_no[~is_odd], lines.filter(pa.array(~is_odd))), parts

    def read(self, connection: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> ReadBlock:
        """Read a block: ``hits + rejects + blank + directives`` is always the number of lines.

        Of a layout that was not given, rejected lines are read in another one that knows nearly
        all of them: a file may change its layout.
        """
        read = self._read_whole(connection, parts)
        self._clients.append(count_clients(read, parts))
        return read

    def _read_whole(
        self, connection: duckdb.DuckDBPyConnection, parts: Sequence[Part]
    ) -> ReadBlock:
        read = read_parts(connection, parts)
        self._is_guessed |= any(part.layout is _FALLBACK for part in parts)
        self._hits.append((self.layout.name, len(read.hits)))
        rejects = [one for one in read.rejects if one[2].reason not in FINAL]
        if self.given or len(rejects) < LEAST_REJECTED:
            return read
        numbers = np.array([number for number, _, _ in rejects], np.int64)
        lines = pa.array([line for _, line, _ in rejects], pa.string())
        other = detect(connection, lines)
        if other is None or other.share < LEAST_SHARE_OF_REJECTED:
            return read
        again = read_parts(connection, Reader(other.layout, self.zone).cut(numbers, lines))
        self._hits.append((other.layout.name, len(again.hits)))
        final = [one for one in read.rejects if one[2].reason in FINAL]
        kept = ReadBlock(read.hits, final, read.blank, read.directives)
        return join(iter((kept, again)))

    def count_hits(self) -> Counter[str]:
        """The hits by layout, of the layouts that have some."""
        counts = Counter[str]()
        for name, hits in self._hits:
            counts[name] += hits
        return +counts

    def say_doubt(self) -> str | None:
        """Say why the layout may be another one, and how to choose; None when there is no doubt."""
        if self.detected and self.detected.rivals:
            return self.detected.say_rivals()
        return self._all_clients.say_doubt() if self._is_guessed else None

    def say_refusal(self, proxies: TrustedProxies) -> str | None:
        """Say why the file must not be counted as it was read, and what to set; None if it may."""
        clients = self._all_clients
        return clients.say_refusal(self.layout.name, proxies, is_given=self.given is not None)

    @property
    def _all_clients(self) -> Clients:
        return sum(self._clients, Clients())


def _any_judge(connection: duckdb.DuckDBPyConnection) -> Judge:
    """Whether any layout knows some lines."""
    return lambda some, _: detect(connection, some) is not None
