"""Hits become sessions, sessions become days: rebuilds every stale day, and what hangs on it.

A derived partition is a pure function of its inputs and settings; see ``stale``.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline.build.apart import File, Workplace
from pipeline.build.batch import BuildSettings, build_batch, list_hits, near
from pipeline.build.buckets import build_divided, count_buckets
from pipeline.build.built import Built, Parts, line_of, put_built, read_built
from pipeline.build.files_of_days import DayFiles
from pipeline.build.stale import DERIVED, parts_of, take_stock
from pipeline.build.summary import add_summary
from pipeline.definitions import HITS_PER_MB
from pipeline.engine import HERE, Engine
from pipeline.enrich.visitors import load_key
from pipeline.errors import SettingsError
from pipeline.lake.change import Change
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json
from pipeline.lake.stand_ins import StandIn, write_stand_in
from pipeline.lake.storage import storage_named
from pipeline.lake.zone import find_zone
from pipeline.settings import Settings

log = logging.getLogger(__name__)

_PUT_EACH_S = 300.0
"""What was built so long ago is put into the lake, so that a kill does not lose it."""
_THEN = "what was built before stands, and the next run goes on from there"


def build(
    lake: Lake,
    settings: BuildSettings,
    on_days: Callable[[int, int], None] = lambda _done, _all: None,
    also: Collection[str] = (),
    engine: Engine = HERE,
) -> list[date]:
    """Rebuild the stale days' sessions, daily and hourly, and the tables over all days, as one.

    Days that are stale for causes that wait (``stale.ASKED``) are rebuilt when ``also`` names them.
    Readers see the lake before or after; where it takes long, a few states between, each of whole
    days and of the tables that belong to them.

    Returns:
        The days rebuilt, in order. Nothing is written when nothing is stale.

    Raises:
        SettingsError: names the days that need more memory than set; every other one is built.
        StorageError: the disk is full or can't be written; the next build goes on from there.
    """
    started = time.monotonic()
    too_large: list[date] = []
    with lake.lock("build"), storage_named(lake.store.disk, _THEN), lake.staging() as staging:
        stock = take_stock(lake, settings)
        built, stale = dict(stock.built), stock.stale_for(also)
        change, put_at = Change(lake, staging), started
        files, wanted = parts_of(lake, settings, stale)
        making = _make(lake, engine, settings, staging / "built", stale, files)
        for batch, made in making:
            # `daily` stands for all: each day has hits, so each that was built has a row.
            done = [day for day in batch if f"daily/day={day}/part.parquet" in made]
            _take_over(change, made)
            _replace_days(change, map(str, done))
            built |= {str(day): line_of(wanted[str(day)], stock.files[day]) for day in done}
            too_large += [day for day in batch if day not in done]
            if time.monotonic() > put_at + _PUT_EACH_S:
                _put(change, built, settings, wanted)
                put_at = time.monotonic()
            on_days(len(batch), len(stale))
        for day in sorted(set(built) - set(map(str, stock.files)) - lake.sealed()):
            _replace_days(change, [day])
            del built[day]
        _put(change, built, settings, wanted)
    took = round((time.monotonic() - started) * 1000)
    log.info("built %d days in %d ms", len(stale) - len(too_large), took)
    if too_large:
        raise SettingsError(
            "memory_limit_mb",
            settings.memory_mb,
            f"too little to build {', '.join(map(str, too_large))}: set more and build again;"
            " every other day is built",
        )
    return stale


def refresh_tables(lake: Lake, settings: BuildSettings) -> None:
    """Rewrite the tables over all days and the views when they are not those of the days built.

    They are when a build has ended, until a setting or the program is another. The caller holds
    the lake's lock ``build``.
    """
    with lake.staging() as staging:
        _put(Change(lake, staging), read_built(lake), settings, {})


def _put(
    change: Change, built: dict[str, Built], settings: BuildSettings, made: Mapping[str, Parts]
) -> None:
    """Put what was built into the lake, with the tables over all days that it leads to."""
    lake = change.lake
    if built != read_built(lake):
        put_built(change, built, made)
    days = shown_days(lake, built, change)
    add_summary(change, days, settings.zone, settings.sources, settings.memory_mb)
    change.put()


def shown_days(lake: Lake, built: dict[str, Built], change: Change | None = None) -> dict[str, str]:
    """The days that have figures, by what they were built from; a sealed one lost stays lost.

    A sealed one may lose a person's sessions: its digest tells.
    """
    sealed = lake.sealed() - built.keys()
    days = sorted(built.keys() | sealed)
    is_there = change.find if change else Path.exists
    sessions: dict[str, str] = defaultdict(str)
    if sealed:
        for place, digest in sorted(read_json(lake.digests_path("built")).items()):
            model, _, name = place.partition("/")
            sessions[name.partition("/")[0]] += digest if model == "sessions" else ""
    return {
        day: built[day].parts if day in built else sessions[f"day={day}"]
        for day in days
        if is_there(lake.part_path("daily", day))
    }


def _make(  # noqa: PLR0913 what is built, by whom and where
    lake: Lake,
    engine: Engine,
    settings: BuildSettings,
    out: Path,
    stale: list[date],
    days: dict[date, DayFiles],
) -> Iterator[tuple[list[date], dict[str, File]]]:
    """Build days, some together, large ones in buckets; gives their partitions, by place."""
    at_once = settings.hits_at_once
    large = [day for day in stale if count_buckets(day, days, at_once) > 1]
    small = [day for day in stale if day not in set(large)]
    batched = list(batches(small, days, at_once, engine.parts))
    work = Workplace.of(lake, engine, out)
    tasks = [
        _Task(work, tuple(batch), {day: days[day] for day in near(batch, days)}, settings)
        for batch in batched
    ]
    yield from zip(batched, engine.map(_build_apart, tasks), strict=True)
    for day in large:
        yield [day], build_divided(lake, engine, settings, out / str(day), day, days)


def batches(
    stale: list[date], days: dict[date, DayFiles], hits_at_once: int, parts: int = 1
) -> Iterator[list[date]]:
    """Runs of days that fit into memory together: many small ones, or one large one.

    They are about so many ``parts`` at least, where there are as many days.
    """
    most = min(hits_at_once, sum(days[day].rows for day in stale) // parts)
    batch: list[date] = []
    rows = 0
    for day in stale:
        if batch and rows + days[day].rows > most:
            yield batch
            batch, rows = [], 0
        batch.append(day)
        rows += days[day].rows
    if batch:
        yield batch


@dataclass(frozen=True)
class _Task:
    """Days to be built by some process."""

    work: Workplace
    batch: tuple[date, ...]
    days: dict[date, DayFiles]
    """Theirs and their neighbours'."""
    settings: BuildSettings


def _build_apart(task: _Task) -> dict[str, File]:
    """Build some days together, or each alone where the memory asks for it; their partitions."""
    with task.work.working() as work:

        def fits(batch: list[date]) -> bool:
            files = list_hits(work.lake, batch, task.days)
            return build_batch(files, work.folder, batch, task.days, task.settings)

        if not fits(list(task.batch)) and len(task.batch) > 1:
            for day in task.batch:
                fits([day])
        return work.leave_partitions()


def _take_over(change: Change, made: dict[str, File]) -> None:
    """Have what was built where the change looks for it."""
    for place, file in made.items():
        target = change.staging / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, StandIn):
            write_stand_in(target, file)
        else:
            file.replace(target)


def _replace_days(change: Change, days: Iterable[str]) -> None:
    """Let a change bring the days' partitions as staged; where none was, there is none."""
    lake = change.lake
    folders = [Path(model, f"day={day}") for day in days for model in DERIVED]
    known: dict[Path, list[Path]] = defaultdict(list)
    for place in map(Path, change.read_json(lake.digests_path("built"))):
        known[place.parent].append(place)
    targets: list[Path] = []
    for folder in folders:
        staged = {path.name: path for path in (change.staging / folder).glob("*.parquet")}
        there = {path.name for path in (lake.root / folder).glob("part*.parquet")}
        for name in sorted(staged.keys() | there):
            change.replace(lake.root / folder / name, staged.get(name))
        names = {place.name for place in known[folder]} | staged.keys() | there
        targets += [lake.root / folder / name for name in sorted(names)]
    change.note_digests("built", targets)


def build_settings(settings: Settings, lake: Lake) -> BuildSettings:
    """What derived partitions depend on; the key must be the lake's.

    Raises:
        LakeError: the lake is another zone's or key's.
    """
    key = load_key(settings)
    zone = find_zone(settings.timezone, lake)
    lake.claim(zone.info.key, key.fingerprint)
    return BuildSettings(
        settings.session_timeout_minutes,
        settings.drop_robotlike,
        zone=zone.info,
        key=key,
        memory_mb=settings.memory_limit_mb,
        hits_at_once=settings.hits_at_once or HITS_PER_MB * settings.memory_limit_mb,
        sources=tuple(settings.sources),
    )
