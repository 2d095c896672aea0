"""Layouts whose lines are named by a header in the file: W3C extended and what derives from it.

Source: W3C's working draft *Extended Log File Format*. A header holds until the next one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.pattern import NO_LINE, Pattern, Segment

_MOST_DIRECTIVES = 16
"""So many directives before a header are looked at."""


@dataclass(frozen=True)
class HeaderLayout:
    """A layout whose header lines say what the fields of the lines after them are."""

    name: str
    header: str
    """What a header line looks like, as RE2."""
    compile: Callable[[str, str | None], Pattern | None]
    """Make the layout of a header line, with the directives right before it (``#Software``) as
    lines before it, and of the name of the layout that the header before made; None when it lacks
    what a hit needs."""
    default: Pattern | None = None
    """The layout of lines before any header."""
    directive: str = "^#"
    """What lines look like that are none of the log's records, as RE2."""
    example: str = ""
    forwarded_kind: str = "x-forwarded-for"
    zone: ZoneInfo | None = None

    def in_zone(self, zone: ZoneInfo | None) -> "HeaderLayout":
        """The same layout with local times of ``zone``."""
        return replace(self, zone=zone)

    @cached_property
    def _compiled(self) -> Callable[[str, str | None], Pattern | None]:
        return lru_cache(64)(self.compile)

    def has_header(self, lines: pa.Array) -> bool:
        """Whether one of some lines is a header that names what a hit needs."""
        is_header = pc.match_substring_regex(lines, self.header).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(is_header).tolist()
        return any(self._compiled(self._directives(lines, row), None) for row in rows)

    def sections(
        self, lines: pa.Array, current: Pattern | None
    ) -> tuple[list[tuple[int, int, Pattern]], Pattern]:
        """Cut a block where the header changes.

        Args:
            lines: ``n`` of them.
            current: the layout in force before; None before the first block.

        Returns:
            ``(start, end, layout)`` of each part, none of them with a header line but its first;
            and the layout in force after the block. Where no header or one that lacks what a hit
            needs is in force, it is one that no line fits (``header``).
        """
        is_header = pc.match_substring_regex(lines, self.header).to_numpy(zero_copy_only=False)
        found, start, pattern = [], 0, current or self._default
        before = current.name if current else None
        for row in np.flatnonzero(is_header).tolist():
            if row > start:
                found.append((start, row, pattern))
            start, pattern = row, self._of(self._directives(lines, row), before)
            before = pattern.name
        found.append((start, len(lines), pattern))
        return found, pattern

    @property
    def _default(self) -> Pattern:
        return (self.default or self._unreadable("")).in_zone(self.zone)

    def _unreadable(self, name: str) -> Pattern:
        return Pattern(name, (Segment(NO_LINE, "header"), Segment("", "time")))

    def _directives(self, lines: pa.Array, row: int) -> str:
        """A header line and the directives right before it."""
        before = lines[max(row - _MOST_DIRECTIVES, 0) : row]
        others = np.flatnonzero(
            ~pc.match_substring_regex(before, self.directive).to_numpy(zero_copy_only=False)
        )
        first = int(others[-1]) + 1 if len(others) else 0
        texts = [*before[first:].to_pylist(), lines[row].as_py()]
        return "\n".join(text.rstrip("\r\n") for text in texts)

    def _of(self, text: str, before: str | None) -> Pattern:
        made = self._compiled(text, before) or self._unreadable(before or "")
        return made.in_zone(self.zone)
