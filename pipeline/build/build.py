"""Hits become sessions, sessions become days: rebuilds every stale day, and what hangs on it.

A derived partition is a pure function of its inputs and settings; see ``stale``.
"""

import logging
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa

from pipeline.build.apart import File
from pipeline.build.batch import BuildSettings
from pipeline.build.built import Built, Parts, put_built, read_built
from pipeline.build.making import Made, make
from pipeline.build.planned import Plan
from pipeline.build.stale import DERIVED, Stock, take_stock
from pipeline.build.summary import add_summary
from pipeline.definitions import HITS_PER_MB
from pipeline.engine import HERE, Engine, Lost
from pipeline.enrich.visitors import load_key
from pipeline.errors import EngineError, OvertakenError, SettingsError, TidegaugeError
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
THEN = "what was built before stands, and the next run goes on from there"
"""What is said of a lake whose disk is full."""


def build(
    lake: Lake,
    settings: BuildSettings,
    on_days: Callable[[int, int], None] = lambda _done, _all: None,
    also: Collection[str] = (),
    engine: Engine = HERE,
) -> list[date]:
    """Rebuild the stale days' sessions, daily and hourly, and the tables over all days, as one.

    Days stale for causes that wait (``definitions.ASKED``) are rebuilt when ``also`` names them.
    Readers see the lake before or after; where it takes long, a few states between, each of whole
    days and of the tables that belong to them.

    Returns:
        The days rebuilt, in order. Nothing is written when nothing is stale.

    Raises:
        EngineError: names the days whose hits are damaged; every other one is built.
        SettingsError: names the days that need more memory than set; likewise.
        StorageError: the disk is full or can't be written; the next build goes on from there.
    """
    pa.default_memory_pool().release_unused()  # what this process read files in before
    with _building(lake) as staging:
        stock = take_stock(lake, settings)
        plan = Plan.of(lake, settings, stock, stock.stale_for(also), settings.hits_at_once)
        making = make(plan, lake, engine, settings, staging / "built")
        each = ((batch, made, plan) for batch, made in making)
        _put_all(Change(lake, staging), settings, stock, each, lambda n: on_days(n, len(plan.days)))
        return list(plan.days)


def plan_build(lake: Lake, settings: BuildSettings) -> Plan:
    """What a build would make now, for ``finish`` to put into the lake when it is made."""
    with lake.lock("build"):
        stock = take_stock(lake, settings)
        return Plan.of(lake, settings, stock, stock.stale, settings.hits_at_once)


def finish(
    lake: Lake, settings: BuildSettings, plan: Plan, out: Path, engines: tuple[Engine, Engine]
) -> list[date]:
    """Put the days of a plan into the lake, with the tables over all days, as ``build`` does.

    A day that somebody has built meanwhile stands. One whose files are others by now, and not only
    those beside it, is made anew.

    Args:
        lake: the lake.
        settings: as the plan's.
        plan: what was to be made.
        out: where it was.
        engines: one that has it (see ``making``), and one to make days anew.

    Returns:
        The plan's days that are built now, in order.

    Raises:
        EngineError: names the days that were lost; every other one is built.
        SettingsError, StorageError: as ``build``.
    """
    with _building(lake) as staging:
        stock = take_stock(lake, settings)
        stale = [day for day in plan.days if day in {*stock.stale}]
        now = Plan.of(lake, settings, stock, stale, settings.hits_at_once)
        _put_all(
            Change(lake, staging), settings, stock,
            _make_standing(lake, settings, plan, now, (out, staging / "built"), engines),
        )  # fmt: skip
        return [day for day in plan.days if day in stock.files]


def _make_standing(  # noqa: PLR0913 as finish
    lake: Lake,
    settings: BuildSettings,
    plan: Plan,
    now: Plan,
    places: tuple[Path, Path],
    engines: tuple[Engine, Engine],
) -> Iterator["_MadeBy"]:
    """What was made of a plan and still stands; then the other days, made as they are planned now.

    Days that are not in ``now`` were built by somebody else, or have no hits any more.
    """
    standing = [day for day in now.days if plan.stands(day, now)]
    overtaken = {*now.days} - {*standing}
    rest = {*plan.days} - {*standing}
    for batch, made in make(plan, lake, engines[0], settings, places[0], rest):
        if isinstance(made, Lost) and isinstance(made.why, OvertakenError):
            overtaken |= {*batch} & {*now.days}
        elif its := [day for day in batch if day in standing]:
            yield its, made, plan
    if overtaken:
        log.info("%d days have other files by now, and are made anew", len(overtaken))
    anew = replace(now, days=tuple(sorted(overtaken)))
    for batch, made in make(anew, lake, engines[1], settings, places[1]):
        yield batch, made, anew


_MadeBy = tuple[list[date], Made, Plan]
"""Some days, what was made of them, and by which plan."""


@contextmanager
def _building(lake: Lake) -> Iterator[Path]:
    """Hold the lake's lock ``build``, with a folder to stage in."""
    with lake.lock("build"), storage_named(lake.store.disk, THEN), lake.staging() as staging:
        yield staging


def _put_all(
    change: Change,
    settings: BuildSettings,
    stock: Stock,
    making: Iterable[_MadeBy],
    on_days: Callable[[int], None] = lambda _: None,
) -> None:
    """Put into the lake what is made, and the tables over all days.

    Raises:
        EngineError, SettingsError: some days were not made; every other one is there.
    """
    started = put_at = time.monotonic()
    lake, built = change.lake, dict(stock.built)
    wanted: dict[str, Parts] = {}
    too_large: list[date] = []
    lost: dict[date, TidegaugeError] = {}
    count = 0
    for batch, made, plan in making:
        if isinstance(made, Lost):
            lost |= dict.fromkeys(batch, made.why)
            continue
        # `daily` stands for all: each day has hits, so each that was built has a row.
        done = [day for day in batch if f"daily/day={day}/part.parquet" in made]
        _take_over(change, made, done)
        _replace_days(change, map(str, done))
        wanted |= {str(day): plan.wanted[str(day)] for day in done}
        built |= {str(day): plan.line(day) for day in done}
        too_large += [day for day in batch if day not in done]
        count += len(done)
        if time.monotonic() > put_at + _PUT_EACH_S:
            _put(change, built, settings, wanted)
            put_at = time.monotonic()
        on_days(len(batch))
    for day in sorted(set(built) - set(map(str, stock.files)) - lake.sealed()):
        _replace_days(change, [day])
        del built[day]
    _put(change, built, settings, wanted)
    log.info("built %d days in %d ms", count, round((time.monotonic() - started) * 1000))
    if lost:
        why = "; ".join(dict.fromkeys(str(lost[day]) for day in sorted(lost)))
        raise EngineError(
            f"not built: {', '.join(map(str, sorted(lost)))} ({why}); every other day is built"
        )
    if too_large:
        raise SettingsError(
            "memory_limit_mb",
            settings.memory_mb,
            f"too little to build {', '.join(map(str, too_large))}: set more and build again;"
            " every other day is built",
        )


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
    is_there = (change or lake).has_part
    sessions: dict[str, str] = defaultdict(str)
    if sealed:
        for place, digest in sorted(read_json(lake.digests_path("built")).items()):
            model, _, name = place.partition("/")
            sessions[name.partition("/")[0]] += digest if model == "sessions" else ""
    return {
        day: built[day].parts if day in built else sessions[f"day={day}"]
        for day in days
        if is_there("daily", day)
    }


def _take_over(change: Change, made: dict[str, File], days: Collection[date]) -> None:
    """Have what was built of some days where the change looks for it."""
    folders = {f"day={day}" for day in days}
    for place, file in made.items():
        target = change.staging / place
        if folders.isdisjoint(place.split("/")):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, StandIn):
            write_stand_in(target, file)
        elif file.is_relative_to(change.staging):
            file.replace(target)
        else:  # whoever dies now finds it there again
            _link(file, target)


def _link(file: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(file)
    except OSError:  # the disk knows no links
        shutil.copyfile(file, target)


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
