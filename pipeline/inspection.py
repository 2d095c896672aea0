"""The commands that look at a raw file and touch no lake: parse and doctor."""

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.blocks import Block, RawFile
from pipeline.database import connect
from pipeline.errors import DataError, SettingsError, StorageError
from pipeline.formats import combined
from pipeline.options import ConfigOption, GeoOption, LakeOption, LayoutOption
from pipeline.output import escape, until_closed
from pipeline.settings import load_settings
from pipeline.site import read_limits

_LAYOUTS = ("combined", "common")
_SHOWN_FAILURES = 5
_SHOWN_WIDTH = 100


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(parse)
    app.command()(doctor)


def check_layout(name: str, key: str = "--log-format") -> None:
    """Refuse a layout that is not read.

    Raises:
        SettingsError: names those that are.
    """
    if name not in _LAYOUTS:
        raise SettingsError(key, name, f"one of {', '.join(_LAYOUTS)}")


@contextmanager
def _raw_file(file: Path, config: Path | None) -> Iterator[RawFile]:
    """The file, or what standard input gives, kept on disk while it is read."""
    limits = read_limits(load_settings(config))
    if str(file) != "-":
        yield RawFile(file, limits=limits)
        return
    with tempfile.NamedTemporaryFile(prefix="tidegauge-") as copy:
        try:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.flush()
        except OSError as error:
            raise StorageError(f"{copy.name}, a copy of the input: {error.strerror}") from error
        yield RawFile(Path(copy.name), limits=limits)


def parse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A raw log, or - for stdin.")],
    log_format: LayoutOption = "combined",
    lake: LakeOption = None,  # noqa: ARG001 accepted by every command
    geo: GeoOption = None,  # noqa: ARG001
    config: ConfigOption = None,
) -> None:
    """Print what each line is: one JSON object a line, in line order.

    For example:

    tidegauge parse access.log.gz | head -3

    zcat access.log.gz | tidegauge parse -
    """
    check_layout(log_format)
    connection = connect(threads=1)
    with until_closed(), _raw_file(file, config) as raw:
        for block in raw.blocks():
            read = combined.read_block(connection, block.line_no, block.lines)
            for _, row in sorted(_rows(block, read), key=lambda numbered: numbered[0]):
                print(json.dumps(row))
        if raw.damage:
            raise DataError(f"{file}: {raw.damage}; the readable part was printed")


def _rows(block: Block, read: combined.ReadBlock) -> Iterator[tuple[int, dict[str, Any]]]:
    for hit in read.hits.to_pylist():
        hit["ts"] = hit["ts"].strftime("%Y-%m-%dT%H:%M:%SZ")
        yield hit["line_no"], hit | {"duration_ms": None}
    rejects = [(number, line, why.reason) for number, line, why in read.rejects]
    rejects += [(number, head, "too_long") for number, head in block.too_long]
    for number, line, reason in rejects:
        yield number, {"rejected": reason, "line_no": number, "line": line}
    for number in read.blank:
        yield number, {"skipped": "blank"}


def doctor(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A raw log, or - for stdin.")],
    lake: LakeOption = None,  # noqa: ARG001 accepted by every command
    geo: GeoOption = None,  # noqa: ARG001
    config: ConfigOption = None,
) -> None:
    """Say which layout a file has, what fails, where and why. Exit 1 when it cannot be read.

    For example:

    tidegauge doctor access.log.gz
    """
    connection = connect(threads=1)
    counts: Counter[str] = Counter()
    failures: list[tuple[int, str, combined.Rejected]] = []
    with _raw_file(file, config) as raw:
        for block in raw.blocks():
            read = combined.read_block(connection, block.line_no, block.lines)
            agents = len(read.hits) - read.hits["user_agent"].null_count
            counts += Counter(
                combined=agents, common=len(read.hits) - agents, blank=len(read.blank),
                rejected=len(read.rejects), too_long=len(block.too_long),
            )  # fmt: skip
            failures += read.rejects[: _SHOWN_FAILURES - len(failures)]
    layout = _name_layout(counts)
    print(f"{escape(str(file))}: {layout}")
    print(f"{raw.lines:,} lines: " + ", ".join(f"{n:,} {kind}" for kind, n in counts.items() if n))
    for number, line, why in failures:
        _show_failure(number, line, why)
    if raw.damage:
        raise DataError(f"{file}: {raw.damage}; the readable part has {raw.lines} lines")
    if layout.startswith("neither"):
        raise typer.Exit(1)


def _name_layout(counts: Counter[str]) -> str:
    hits = counts["combined"] + counts["common"]
    failed = counts["rejected"] + counts["too_long"]
    if hits == 0 or hits < failed:
        return "neither common nor combined" if failed else "empty"
    return "combined" if counts["combined"] >= counts["common"] else "common"


def _show_failure(number: int, line: str, why: combined.Rejected) -> None:
    """Show the line around the place where it fails, with a mark under it."""
    start = max(0, why.column - 1 - _SHOWN_WIDTH // 2)
    before = escape(line[start : why.column - 1])
    shown = before + escape(line[why.column - 1 : start + _SHOWN_WIDTH])
    print(f"\nline {number}, column {why.column}: {combined.EXPLAINED[why.reason]}")
    print(f"  {shown}\n  {' ' * len(before)}^")
