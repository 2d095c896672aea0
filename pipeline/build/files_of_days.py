"""Which raw files a local day's hits are of, and how a day's parts name them."""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa

from pipeline.days import EPOCH
from pipeline.definitions import NO_NETWORKS
from pipeline.lake.lake import Lake
from pipeline.lake.sums import READ_BY

_NO_DAY = -(2**31)
_COLUMNS = ("file_key", "lies_in", "days", *READ_BY)
_NAMED_EACH = 50
"""Of more small files in one pack a day's parts have a digest: a CDN has thousands a day."""
MANY = re.compile(r"(?P<stem>.+)#(?P<count>\d+)#[0-9a-f]+")
"""What stands for them: the pack's name, how many they are, and their digest."""


@dataclass(frozen=True)
class DayFiles:
    """One local day's raw files in the lake."""

    day: date
    file_keys: tuple[str, ...]
    lie_in: tuple[str, ...]
    """The name of the Parquet that has each file's hits."""
    geo_built: tuple[str | None, ...]
    """Which database located each file's hits."""
    hits: tuple[int, ...]
    """The hits that each file has of the day, duplicates dropped."""
    read_by: tuple[str, ...]
    """By which definitions, robot lists, privacy, proxies and layout the files were read."""
    geo_is_late: bool

    @property
    def rows(self) -> int:
        """The day's hits."""
        return sum(self.hits)

    @property
    def stems(self) -> list[str]:
        """The names of the Parquet files that have their hits, each once."""
        return sorted(set(self.lie_in))

    @cached_property
    def named(self) -> dict[str, int]:
        """Each file's hits by its key; those of a pack of many together, by ``_name_many``."""
        found: dict[str, int] = {}
        by_stem: dict[str, list[tuple[str, int]]] = {}
        for key, stem, hits in zip(self.file_keys, self.lie_in, self.hits, strict=True):
            by_stem.setdefault(stem, []).append((key, hits))
        for stem, its in sorted(by_stem.items()):
            if len(its) > _NAMED_EACH:
                found[_name_many(stem, its)] = sum(hits for _, hits in its)
            else:
                found |= its
        return found

    @property
    def databases(self) -> list[str | None]:
        """Which database located each file's hits; of many files each different one once."""
        built = list(self.geo_built)
        return built if len(built) <= _NAMED_EACH else sorted(set(built), key=str)


def _name_many(stem: str, files: list[tuple[str, int]]) -> str:
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]
    return f"{stem}#{len(files)}#{digest}"


def days_of(lake: Lake, days: Collection[date] | None = None) -> dict[date, DayFiles]:
    """Each day's files (of some days only), ordered by key."""
    asked = None if days is None else set(map(str, days))
    table = lake.records(
        _COLUMNS, are_asked=lambda sums: asked is None or not asked.isdisjoint(sums.days)
    ).sort_by("file_key")
    keys, lie_in = (table[name].to_pylist() for name in ("file_key", "lies_in"))
    read_by = list(map(_read_by, *(table[name].to_pylist() for name in READ_BY)))
    shares = table["days"].combine_chunks()
    owner = np.repeat(np.arange(len(keys)), np.diff(shares.offsets.to_numpy()))
    values = shares.flatten()
    numbers = values.field("day").cast(pa.int32()).to_numpy()
    order = np.argsort(numbers, kind="stable")
    fields = values.take(pa.array(order))
    hits, is_late, built = (
        fields.field(name).to_pylist() for name in ("hits", "geo_is_late", "geo_built")
    )
    owner, starts = owner[order], np.flatnonzero(np.diff(numbers[order], prepend=_NO_DAY))
    found = {}
    for start, end in pairwise([*starts.tolist(), len(order)]):
        day = EPOCH + timedelta(days=int(numbers[order[start]]))
        if days is not None and day not in days:
            continue
        its = owner[start:end].tolist()
        found[day] = DayFiles(
            day,
            tuple(keys[one] for one in its),
            tuple(lie_in[one] or keys[one] for one in its),
            tuple(one and str(one) for one in built[start:end]),
            tuple(hits[start:end]),
            tuple(sorted({read_by[one] for one in its})),
            any(is_late[start:end]),
        )
    return found


@cache  # a lake has as many as ways of reading
def _read_by(  # noqa: PLR0913 what a file was read by, as ``READ_BY``
    robots: str,
    definitions: int,
    addresses: str,
    proxies: str | None,
    layout: str,
    timezone: str | None,
    erasures: int,
    networks: str | None,
) -> str:
    # The commonest layout and no database of networks add nothing, so that a day built before there
    # was a choice keeps it.
    others = {
        "proxies": proxies,
        "layout": layout if layout != "combined" else None,
        "times in": timezone,
        "erasures": erasures,
        "networks": networks if networks != NO_NETWORKS else None,
    }
    said = [f"{name} {value}" for name, value in others.items() if value]
    return ", ".join([robots, str(definitions), addresses, *said])
