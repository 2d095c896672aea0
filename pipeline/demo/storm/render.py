"""Columns of numbers to lines of text, in the combined format, compressed."""

import os
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from isal import isal_zlib

from pipeline.demo.storm.damage import KINDS, break_line
from pipeline.demo.storm.log_lines import NO_BYTES, STATUSES, Ints, LogLines
from pipeline.demo.storm.november import HOUR, OFFSETS, STANDARD_TIME, write_hours
from pipeline.demo.storm.texts import (
    Texts,
    join_texts,
    make_texts,
    take_texts,
    view_bytes,
    write_numbers,
)
from pipeline.demo.storm.world import World

LINES_AT_ONCE: Final = 65_536
GZIP: Final = 31  # window bits that make zlib write a gzip header, without name or time
LEVEL: Final = 1


def write_lines(  # noqa: PLR0913 what is written, and when
    path: Path,
    world: World,
    lines: LogLines,
    order: Ints,
    rng: np.random.Generator,
    changed_at: int,
) -> None:
    """Write lines in ``order``, a few broken ones between, as gz; the file appears whole.

    Its time of change is the Unix second ``changed_at``.
    """
    compressor = isal_zlib.compressobj(LEVEL, wbits=GZIP)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        for text in _render(world, lines, order, rng):
            file.write(compressor.compress(text))
        file.write(compressor.flush())
    os.utime(part, (changed_at, changed_at))
    part.replace(path)


def _render(
    world: World, lines: LogLines, order: Ints, rng: np.random.Generator
) -> Iterator[memoryview | bytes]:
    """Yield the text, and after each of some random lines a broken copy of it."""
    if len(order) == 0:
        return
    count = 2 + int(rng.poisson(len(order) * 1e-5))
    broken = set(rng.integers(1, len(order) + 1, count).tolist())
    cuts = sorted({*range(0, len(order), LINES_AT_ONCE), len(order), *broken})
    for begin, end in pairwise(cuts):
        text = _write_text(world, lines.select(order[begin:end]))
        yield text
        if end in broken:
            tail = bytes(text[-4096:])
            line = tail[tail.rfind(b"\n", 0, -1) + 1 : -1]
            yield break_line(line, int(rng.integers(KINDS)), rng) + b"\n"


def _write_text(world: World, lines: LogLines) -> memoryview:
    """Join the columns of some lines; each line ends in a newline, so their bytes are the text."""
    columns = [
        take_texts(world.pool.texts, lines.client),
        *_write_times(lines.at),
        take_texts(world.request_texts, lines.request),
        take_texts(make_texts([f'" {status} ' for status in STATUSES]), lines.status),
        write_numbers(lines.bytes_sent, missing=NO_BYTES),
        take_texts(world.referrer_texts, lines.referrer),
        take_texts(world.line_ends, lines.agent),
    ]
    return view_bytes(join_texts(columns))


def _write_times(at: Ints) -> tuple[Texts, Texts]:
    """What stands between client and request, in two columns: to the hour, and from there on."""
    hour = at // HOUR
    first = int(hour.min())
    hours = make_texts([f" - - [{text}" for text in write_hours(first, int(hour.max()))])
    is_standard = at >= STANDARD_TIME
    return take_texts(hours, hour - first), take_texts(_seconds(), at % HOUR + HOUR * is_standard)


@cache
def _seconds() -> Texts:
    """Every second of an hour with the offset, first of daylight saving time, then of standard."""
    return make_texts(
        [
            f':{second // 60:02}:{second % 60:02} {offset}] "'
            for offset in OFFSETS
            for second in range(HOUR)
        ]
    )
