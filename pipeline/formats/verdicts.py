"""Lines of which it is known what they are before any layout reads them."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.fields import BLANK, FIELDS, ReadBlock, Rejected
from pipeline.formats.pattern import without_ends


@dataclass(frozen=True)
class Verdict:
    """What stands for a layout where all lines become the same thing; blank ones stay blank."""

    name: str
    reason: str | None
    """Why they are rejected; None: they are directives."""
    example: str = ""
    forwarded_kind: str | None = None

    def in_zone(self, _: ZoneInfo | None) -> "Verdict":
        """The same."""
        return self

    def read_block(
        self, _: duckdb.DuckDBPyConnection, line_no: npt.NDArray[np.int64], lines: pa.Array
    ) -> ReadBlock:
        """Read a block of lines, as ``formats.combined.read_block`` does."""
        if self.reason is None:
            return ReadBlock(FIELDS.empty_table(), [], [], line_no.tolist())
        is_blank = pc.equal(pc.ascii_trim(lines, BLANK), "").to_numpy(zero_copy_only=False)
        texts = without_ends(lines.filter(pa.array(~is_blank))).to_pylist()
        numbers, why = line_no[~is_blank].tolist(), Rejected(self.reason, 1)
        rejects = [(number, text, why) for number, text in zip(numbers, texts, strict=True)]
        return ReadBlock(FIELDS.empty_table(), rejects, line_no[is_blank].tolist())


NO_REQUEST = Verdict("messages", None)
"""Messages of other programs, and all but the last part of what came in parts."""
NOT_WRAPPED = Verdict("not wrapped", "wrapper")
REPEATED = Verdict("repeated", "repeated")
"""``message repeated 3 times: [ ... ]``: of which times, nobody knows any more."""
TOO_LONG = Verdict("too long", "too_long")
_REPEATED_BEGIN = ("message repeated ", "last message repeated ", "Last message '")
_REPEATED_FIRST = np.isin(np.arange(256), [ord(begin[0]) for begin in _REPEATED_BEGIN])
FINAL = frozenset((REPEATED.reason, TOO_LONG.reason))
"""Reasons of lines that no other layout may read."""


def find_repeated(lines: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Which lines are a syslog daemon's word that lines came several times."""
    ends = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset :][: len(lines) + 1]
    rows = np.flatnonzero(np.diff(ends) > 0)
    data = np.frombuffer(lines.buffers()[2] or b"", np.uint8)
    rows = rows[_REPEATED_FIRST[data[ends[rows]]]]
    some, found = lines.take(pa.array(rows)), np.zeros(len(lines), np.bool_)
    for begin in _REPEATED_BEGIN:
        found[rows] |= pc.starts_with(some, begin).to_numpy(zero_copy_only=False)
    return found
