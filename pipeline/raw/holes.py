"""NULs before a line's first byte: the hole that ``copytruncate`` leaves. They are no part of it.

A server that writes on at its old place in a file that was cut to nothing leaves zeros before it.
"""

import re
from dataclasses import dataclass

import numpy as np

from pipeline.definitions import MAX_LINE_BYTES

_AFTER_A_LINE = re.compile(rb"\n\0++(?=[^\0\r\n]|\r[^\n])")
_END = re.compile(rb"\r?\n|\r?\Z")


@dataclass(slots=True)
class Holes:
    """Takes the holes out of content that comes in pieces, however long they are."""

    skipped: int = 0
    """NULs that stood before a line."""
    _begun: int = 0
    """NULs that the next line begins with so far."""

    def strip(self, data: bytes) -> bytes:
        """The same bytes without holes; they begin a line, or go on with what ``strip`` kept."""
        if not self._begun and b"\0" not in data:
            return data
        data = self._strip_first(data)
        stripped = _AFTER_A_LINE.sub(b"\n", data)
        self.skipped += len(data) - len(stripped)
        end = stripped.rfind(b"\n") + 1
        if end < len(stripped) and _count_nuls(stripped[end:]) == len(stripped) - end:
            self._begun = len(stripped) - end
            return stripped[:end]
        return stripped

    def _strip_first(self, data: bytes) -> bytes:
        count = _count_nuls(data)
        self._begun += count
        if not self._begun or count == len(data):
            return data[count:]
        if _END.match(data, count):  # a line of nothing else has no first byte: it keeps them
            return self.close() + data[count:]
        self.skipped, self._begun = self.skipped + self._begun, 0
        return data[count:]

    def close(self) -> bytes:
        """The NULs of a line that ends here without any other byte, one over the longest line's."""
        count, self._begun = min(self._begun, MAX_LINE_BYTES + 1), 0
        return bytes(count)


def say_hole(nul_bytes: int) -> str:
    """Say how many NULs were left out."""
    return (
        f"{nul_bytes:,} NUL bytes before its lines are no part of them: a hole, as copytruncate"
        " leaves it when the server does not open its log to append"
    )


def _count_nuls(data: bytes) -> int:
    """So many NULs a text begins with."""
    if not data.startswith(b"\0"):
        return 0
    others = np.frombuffer(data, np.uint8) != 0
    return int(others.argmax()) if others.any() else len(data)
