"""Text that is safe to show, and counts in words."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NewType

# C0 and C1 controls, and the marks that reorder or hide text in a terminal.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def escape(text: str) -> str:
    r"""Write control characters as ``\xhh`` or ``\uhhhh`` so that no text steers a terminal."""

    def written(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

    return _UNSAFE.sub(written, text)


Kept = NewType("Kept", str)
"""A sentence as the lake keeps it, in English, as Parquet knows no language."""


def keep(message: str, **values: str | int) -> Kept:
    """A sentence for the lake, which ``Language.retell`` says by ``languages/kept.fr.po``."""
    written = {name: f"{v:,}" if isinstance(v, int) else v for name, v in values.items()}
    return Kept(message.format_map(written))


def keep_clause(message: str) -> str:
    """What such a sentence says of ``{files}``, without them: the notes of several become one."""
    return message.removeprefix("{files} ")


def write_number_of(count: float, one: str, many: str | None = None) -> str:
    """``1 session``, ``1,200 sessions``; ``many`` where an ``s`` does not do."""
    return f"{count:,.0f} {one if count == 1 else many or one + 's'}"


def write_share(share: float) -> str:
    """A share of 0 to 1 as a percentage: one decimal, two below 0.1 %; 100 % is all of it."""
    shown = min(share, 0.999) if share < 1 else share
    return f"{100 * shown:.{2 if 0 < share < 0.001 else 1}f} %"


def write_limit(share: float) -> str:
    """A share of 0 to 1 from which a rule holds: ``5 %``."""
    return f"{share * 100:g} %"


def write_countries(count: int) -> str:
    """What sessions are from: ``2 countries``; ``no known country`` where nobody was located."""
    return write_number_of(count, "country", "countries") if count else "no known country"


def write_days(days: Sequence[str], colon: str = ", ") -> str:
    """``0 days``; ``2 days, 2016-11-08 to 2016-11-09``."""
    return write_number_of(len(days), "day") + (f"{colon}{days[0]} to {days[-1]}" if days else "")


def say(text: str) -> None:
    """A line for the person at the terminal, on stderr, safe to show."""
    print(escape(text), file=sys.stderr)


def printable(name: str) -> str:
    r"""A file's name as UTF-8, with ``\xhh`` for bytes that are not."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def shown(path: Path | str) -> str:
    """A path as text that is safe anywhere."""
    return escape(printable(os.fspath(path)))
