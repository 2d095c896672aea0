"""Columns of numbers to lines of text, in the combined format, compressed."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from isal import isal_zlib

from pipeline.storm.clock import HOUR, stamps
from pipeline.storm.damage import KINDS, break_line
from pipeline.storm.lines import NO_BYTES, STATUSES, Lines
from pipeline.storm.world import World

LINES_AT_ONCE: Final = 65_536
GZIP: Final = 31  # window bits that make zlib write a gzip header, without name or time
LEVEL: Final = 1


def write_lines(path: Path, world: World, lines: Lines, rng: np.random.Generator) -> None:
    """Write lines in the order they were written in, a few broken ones between, as gz; whole or not."""
    ordered = lines.select(np.argsort(lines.written_at, kind="stable"))
    compressor = isal_zlib.compressobj(LEVEL, wbits=GZIP)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        for text in _render(world, ordered, rng):
            file.write(compressor.compress(text))
        file.write(compressor.flush())
    part.replace(path)


def _render(world: World, lines: Lines, rng: np.random.Generator) -> Iterator[pa.Buffer | bytes]:
    """Yield the text, and after each of some random lines a broken copy of it."""
    if len(lines) == 0:
        return
    first = int(lines.at.min())
    times = pa.array([f' - - [{stamp}] "' for stamp in stamps(first, int(lines.at.max()))])
    times = times.cast(pa.binary())
    count = 2 + int(rng.poisson(len(lines) * 1e-5))
    broken = set(rng.integers(1, len(lines) + 1, count).tolist())
    cuts = sorted({*range(0, len(lines), LINES_AT_ONCE), len(lines), *broken})
    for begin, end in pairwise(cuts):
        text = _write_text(world, lines.select(np.arange(begin, end)), times, first // HOUR * HOUR)
        yield text
        if end in broken:
            tail = bytes(text[-min(4096, len(text)) :])
            line = tail[tail.rfind(b"\n", 0, -1) + 1 : -1]
            yield break_line(line, int(rng.integers(KINDS)), rng) + b"\n"


def _write_text(world: World, lines: Lines, times: pa.BinaryArray, since: int) -> pa.Buffer:
    """Join the columns of some lines; every line ends in a newline, so the values are the text."""
    statuses = pa.array([f'" {status} '.encode() for status in STATUSES])
    sizes = pa.array(lines.bytes_sent, mask=lines.bytes_sent == NO_BYTES)
    columns = [
        world.pool.texts.take(pa.array(lines.client)),
        times.take(pa.array(lines.at - since)),
        world.request_texts.take(pa.array(lines.request)),
        statuses.take(pa.array(lines.status)),
        sizes.cast(pa.string()).fill_null("-").cast(pa.binary()),
        world.referrer_texts.take(pa.array(lines.referrer)),
        world.line_ends.take(pa.array(lines.agent)),
    ]
    text = pc.binary_join_element_wise(*columns, b"")
    offsets = np.frombuffer(text.buffers()[1], np.int32)
    return text.buffers()[2].slice(0, int(offsets[len(lines)]))
