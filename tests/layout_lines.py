"""Lines of some layouts, and how they are read."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.formats.fields import ReadBlock
from pipeline.formats.file_reader import FileReader
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.pattern import Pattern
from pipeline.lake.database import connect_reader
from pipeline.raw.blocks import read_blocks

TIME = "[10/Oct/2024:13:55:36 +0200]"
LINE = f'203.0.113.%d - - {TIME} "GET /%d HTTP/1.1" 200 45 "-" "Mozilla/5.0"'
VHOST = f"www.example.com:443 {LINE}"
IIS = "2024-10-10 11:55:%02d 192.0.2.1 GET /%d - 443 - 203.0.113.7 Mozilla/5.0 - 200 0 0 46"
IIS_HEADER = (
    "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method"
    " cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status"
    " sc-substatus sc-win32-status time-taken"
)


def find(path: Path) -> tuple[FileReader, list[dict]]:
    """A file's reader and its hits."""
    reader, hits = FileReader(), []
    with connect_reader() as connection:
        for block in read_blocks(path):
            parts = reader.cut(connection, block.line_no, block.lines)
            hits += reader.read(connection, parts).hits.to_pylist()
    return reader, hits


def read(layout: Pattern | JsonLayout, *lines: str) -> ReadBlock:
    """Read lines with a layout; line numbers count from 1."""
    with connect_reader() as connection:
        return layout.read_block(connection, np.arange(1, len(lines) + 1), pa.array(lines))
