"""The commands ``parse`` and ``formats``: what lines are, and which layouts are known."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import LayoutOption, RowOptions, SiteOptions
from pipeline.cli.output import until_closed
from pipeline.errors import DataError, StorageError

if TYPE_CHECKING:
    from pipeline.formats.fields import ReadBlock
    from pipeline.raw.blocks import Block


@contextmanager
def raw_file(file: Path) -> Iterator[Path]:
    """The file, or what standard input gives, kept on disk while it is read."""
    if str(file) != "-":
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="tidegauge-") as copy:
        try:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.flush()
        except OSError as error:
            raise StorageError(f"{copy.name}, a copy of the input: {error.strerror}") from error
        yield Path(copy.name)


def parse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A raw log, or - for stdin.")],
    log_format: LayoutOption = None,
    *,
    site: SiteOptions,
) -> None:
    """Print what each line is: one JSON object a line, in line order.

    For example:

    tidegauge parse access.log.gz | head -3

    zcat access.log.gz | tidegauge parse - --log-format '%h %l %u %t "%r" %>s %b %D'
    """
    from pipeline.formats.file_reader import FileReader
    from pipeline.ingest.maker import ingest_settings
    from pipeline.lake.database import connect_reader
    from pipeline.raw.blocks import read_blocks
    from pipeline.raw.content import read_whole
    from pipeline.settings import load_settings

    settings = load_settings(site.config, log_format=log_format)
    reader = FileReader(settings.log_format)
    connection = connect_reader()

    def print_lines(blocks: Iterable[Block]) -> None:
        for block, parts in reader.cut_all(connection, blocks):
            read = reader.read(connection, parts)
            carried = {"wrapper": reader.wrapper} if reader.wrapper else {}
            for _, row in sorted(_rows(block, read), key=lambda numbered: numbered[0]):
                print(json.dumps(row | carried if "ts" in row else row))

    with until_closed(), raw_file(file) as raw:
        _, whole = read_whole(read_blocks(raw, ingest_settings(settings).limits), print_lines)
        if damage := whole.content.damage:
            raise DataError(f"{file}: {damage}; the readable part was printed")


def _rows(block: Block, read: ReadBlock) -> Iterator[tuple[int, dict[str, Any]]]:
    for hit in read.hits.to_pylist():
        hit["ts"] = write_instant(hit["ts"])
        yield hit["line_no"], hit
    rejects = [(number, line, why.reason) for number, line, why in read.rejects]
    rejects += [(number, head, "too_long") for number, head in block.too_long]
    for number, line, reason in rejects:
        yield number, {"rejected": reason, "line_no": number, "line": line}
    for kind, numbers in (("blank", read.blank), ("directive", read.directives)):
        for number in numbers:
            yield number, {"skipped": kind}


def write_instant(moment: datetime) -> str:
    """An instant as ``parse`` prints it: RFC 3339 in UTC."""
    fraction = f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def formats(
    *,
    output: RowOptions,
    site: SiteOptions,  # noqa: ARG001 accepted by every command
) -> None:
    """The layouts that are found by themselves, each with a line of it.

    Any format string of Apache's LogFormat, nginx's log_format or GoAccess is read, too:
    --log-format.

    For example:

    tidegauge formats

    tidegauge formats --format json
    """
    from pipeline.formats.layouts import list_layouts

    rows = [(layout.name, layout.example) for layout in list_layouts()]
    output.print(["name", "example"], rows)
