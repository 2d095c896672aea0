"""Raw files taken in, by this process or by several: each has some of them, and the lake all."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pipeline.ingest.fetching import take_files
from pipeline.ingest.ingested import Ingested
from pipeline.ingest.maker import ingest_settings, open_maker
from pipeline.lake.lake import Lake
from pipeline.lake.zone import Zone, find_zone
from pipeline.orchestration.jobs import divide
from pipeline.raw.files import Origin, total_bytes
from pipeline.settings import Settings, as_elsewhere, engine_of, read_lake
from pipeline.text import say


def read_files(  # noqa: PLR0913 what is read, and how strictly
    settings: Settings,
    zone: Zone,
    paths: Sequence[Path],
    *,
    again: Sequence[Path] = (),
    origins: Mapping[Path, Origin] = MappingProxyType({}),
    with_geo: bool = True,
    only_whole: bool = True,
    on_read: Callable[[int], None] = lambda _: None,
) -> Ingested:
    """Take raw files in as ``take_files`` does, where the settings say."""
    if not paths:
        return Ingested()
    lake, engine = Lake(settings.lake), engine_of(settings)
    engine.reach()  # before anything is changed
    maker = open_maker(settings, zone, with_geo=with_geo)  # which makes the lake
    if zone.is_new:
        say(zone.explain(settings.lake))
    if not engine.is_apart or len(paths) == 1:
        return take_files(
            lake, ingest_settings(settings), maker, paths,
            origins=origins, only_whole=only_whole, again=again, on_read=on_read,
        )  # fmt: skip
    parts = [
        _Part(
            as_elsewhere(settings), Path.cwd(), its, [path for path in its if path in again],
            {path: origins[path] for path in its if path in origins}, with_geo, only_whole,
        )
        for its in divide(paths, engine.parts)
    ]  # fmt: skip
    results = []
    with engine:
        for part, result in zip(parts, engine.map(_read_part, parts), strict=True):
            on_read(total_bytes(part.paths))
            results.append(result)
    return Ingested.join(results)


@dataclass(frozen=True)
class _Part:
    """Raw files that some process takes in."""

    settings: Settings
    folder: Path
    """What the paths begin at that are not from the root on."""
    paths: Sequence[Path]
    again: Sequence[Path]
    origins: Mapping[Path, Origin]
    with_geo: bool
    only_whole: bool


def _read_part(part: _Part) -> Ingested:
    """Take raw files in, in whatever process this is."""
    os.chdir(part.folder)
    settings = part.settings.model_copy(update={"lake": read_lake(str(part.settings.lake))})
    zone = find_zone(settings.timezone, Lake(settings.lake))
    return read_files(
        settings, zone, part.paths, again=part.again, origins=part.origins,
        with_geo=part.with_geo, only_whole=part.only_whole,
    )  # fmt: skip
