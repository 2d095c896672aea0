"""Layouts whose lines are named by a header in the file: W3C extended and what derives from it.

Source: W3C's working draft *Extended Log File Format*. A header holds until the next one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.pattern import Pattern


@dataclass(frozen=True)
class HeaderLayout:
    """A layout whose header lines say what the fields of the lines after them are."""

    name: str
    header: str
    """What a header line looks like, as RE2."""
    compile: Callable[[str], Pattern | None]
    """Make the layout of a header line; None when it lacks what a hit needs."""
    default: Pattern | None = None
    """The layout of lines before any header."""
    directive: str = "^#"
    """What lines look like that are none of the log's records, as RE2."""
    example: str = ""
    forwarded_kind: str = "x-forwarded-for"
    zone: ZoneInfo | None = None

    def in_zone(self, zone: ZoneInfo | None) -> "HeaderLayout":
        """The same layout with local times of ``zone``."""
        return HeaderLayout(
            self.name, self.header, self.compile, self.default, self.directive, self.example,
            self.forwarded_kind, zone,
        )  # fmt: skip

    @cached_property
    def _compiled(self) -> Callable[[str], Pattern | None]:
        return lru_cache(64)(self.compile)

    def sections(
        self, lines: pa.Array, current: Pattern | None
    ) -> tuple[list[tuple[int, int, Pattern | None]], Pattern | None]:
        """Cut a block where the header changes.

        Args:
            lines: ``n`` of them.
            current: the layout in force before; None before the first header.

        Returns:
            ``(start, end, layout)`` of each part, none of them with a header line but its first;
            and the layout in force after the block.
        """
        is_header = pc.match_substring_regex(lines, self.header).to_numpy(zero_copy_only=False)
        found, start, pattern = [], 0, current or self._default
        for row in np.flatnonzero(is_header).tolist():
            if row > start:
                found.append((start, row, pattern))
            start, pattern = row, self._of(lines[row].as_py())
        found.append((start, len(lines), pattern))
        return found, pattern

    @property
    def _default(self) -> Pattern | None:
        return self.default and self.default.in_zone(self.zone)

    def _of(self, line: str) -> Pattern | None:
        made = self._compiled(line.rstrip("\r\n"))
        return made and made.in_zone(self.zone)
