"""The cases of the definitions, and random logs."""

import json
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from conftest import DEFAULT_CASE, build_databases

DEFINITIONS = Path(__file__).with_name("definitions")
CASES = sorted(note.parent for note in DEFINITIONS.glob("*/NOTE.md"))


def prepare(case: Path, tmp_path: Path) -> tuple[ZoneInfo, Path, list[Path]]:
    """Build the case's address databases; return its zone, their folder and its raw files."""
    settings = json.loads(DEFAULT_CASE.read_text())
    own = case / "case.json"
    settings |= json.loads(own.read_text()) if own.exists() else {}
    geo = build_databases(tmp_path / "geo", settings["databases"])
    return ZoneInfo(settings["zone"]), geo, sorted(case.glob("*.log"))


def hostile_lines() -> Iterator[bytes]:
    """Yield every line of the definitions with ends that change, and the lines of their files."""
    for number, row in enumerate((DEFINITIONS / "lines.jsonl").read_text().splitlines()):
        line = json.loads(row)["line"].encode("utf-8", "surrogateescape")
        yield line + (b"\r\n" if number % 3 == 0 else b"\n")
        if number % 7 == 0:  # the same line again is a hit of its own
            yield line + b"\n"
    for row in (DEFINITIONS / "files.jsonl").read_text().splitlines():
        yield json.loads(row)["content"].encode("utf-8", "surrogateescape") + b"\n"


def good_line(number: int, agent: bytes = b"Firefox/49.0") -> bytes:
    """Return a good line without its newline; the number gives client, time and path."""
    client, minute, second = number % 5, number // 60 % 60, number % 60
    return b'192.0.2.%d - - [08/Nov/2016:12:%02d:%02d -0500] "GET /%d HTTP/1.1" 200 5 "-" "%s"' % (
        client, minute, second, number, agent,
    )  # fmt: skip


def hostile_log(number: int) -> bytes:
    """Return a log of everything at once that ends in an open quote and without a newline."""
    spaced = (good_line(600 * number + n) + b"\n" for n in range(500))
    return b"".join((*hostile_lines(), *spaced, good_line(number)[:-4]))
