"""Raw logs as servers have written them at a moment: rotated ones as gz, live ones cut off."""

import gzip
import os
import re
from bisect import bisect_left
from collections import defaultdict
from datetime import datetime
from functools import cache, cached_property
from itertools import accumulate, pairwise
from pathlib import Path

from pipeline.raw.naming import source_of


class LiveServers:
    """Simulated servers, from whole logs: `write_until` makes a folder what it was at a moment."""

    def __init__(self, whole: Path) -> None:
        """Read the servers' rotated logs, `web01-20161108.log.gz` and others."""
        self._files: dict[str, list[_File]] = defaultdict(list)
        for path in sorted(whole.glob("*.log.gz")):
            self._files[source_of(path)].append(_File(path))

    def write_until(self, moment: datetime, folder: Path) -> None:
        """Write what there was at `moment`; the last line may be cut in its middle."""
        folder.mkdir(exist_ok=True)
        for files in self._files.values():
            for file, following in pairwise([*files, None]):
                assert file is not None
                is_rotated = following is not None and following.begins_before(moment)
                if file.begins_before(moment):
                    file.write(moment, folder, is_rotated=is_rotated)


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        with gzip.open(path) as file:
            self._begins_at = _time_of(next(file))

    @cached_property
    def _content(self) -> bytes:
        return gzip.decompress(self._path.read_bytes())

    @cached_property
    def _times(self) -> list[int]:
        """When each line was written at the latest: a few are older than those before them."""
        return list(accumulate(map(_time_of, self._lines()), max))

    @cached_property
    def _ends(self) -> list[int]:
        return [0, *accumulate(map(len, self._lines()))]

    def _lines(self) -> list[bytes]:
        return re.findall(rb"[^\n]*\n|[^\n]+$", self._content)

    def begins_before(self, moment: datetime) -> bool:
        return self._begins_at < moment.timestamp()

    def write(self, moment: datetime, folder: Path, *, is_rotated: bool) -> None:
        live = folder / self._path.name.removesuffix(".gz")
        target = folder / self._path.name if is_rotated else live
        if is_rotated:
            live.unlink(missing_ok=True)
        if is_rotated and not target.exists():
            target.write_bytes(self._path.read_bytes())
        elif not is_rotated:
            end = self._ends[bisect_left(self._times, moment.timestamp())]
            target.write_bytes(self._content[: end + 40])
        os.utime(target, (self._begins_at, self._begins_at))


def _time_of(line: bytes) -> int:
    found = re.search(rb"\[(\d\d/[A-Z][a-z]{2}/\d{4}(?::\d\d){3} [+-]\d{4})\]", line)
    return _read_time(found[1]) if found else 0


@cache
def _read_time(text: bytes) -> int:
    return round(datetime.strptime(text.decode(), "%d/%b/%Y:%H:%M:%S %z").timestamp())
