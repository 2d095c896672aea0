"""Hits become sessions, sessions become days: rebuilds every stale day, and what hangs on it.

A derived partition is a pure function of its inputs and settings; see ``stale``.
"""

import logging
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from pipeline.build.cut_sessions import cut_sessions
from pipeline.build.session_texts import read_sessions
from pipeline.build.sorted_runs import PART_ROWS
from pipeline.build.stale import DERIVED, DayFiles, Parts, SessionRules, fingerprint, take_stock
from pipeline.build.summary import add_summary
from pipeline.days import day_start
from pipeline.definitions import ASSET_PATH, ROBOTLIKE
from pipeline.engine import HERE, Engine
from pipeline.enrich.visitors import VisitorKey, load_key
from pipeline.errors import SettingsError
from pipeline.lake.change import Change
from pipeline.lake.database import connect
from pipeline.lake.day_files import show_hits
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json
from pipeline.lake.partitions import split_days, write_partitions
from pipeline.lake.sql import read_model
from pipeline.lake.stand_ins import StandIn, write_stand_in
from pipeline.lake.storage import storage_named
from pipeline.lake.zone import find_zone
from pipeline.settings import Settings, read_lake

log = logging.getLogger(__name__)

_BATCH_ROWS = 4_000_000
_PUT_EACH_S = 300.0
"""What was built so long ago is put into the lake, so that a kill does not lose it."""
_THEN = "what was built before stands, and the next run goes on from there"
_ONE_DAY = timedelta(days=1)
_EVER = datetime(1900, 1, 1, tzinfo=UTC)
_NEVER = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class BuildSettings(SessionRules):
    """The settings that derived partitions depend on, and the memory to build them in."""

    zone: ZoneInfo
    key: VisitorKey
    memory_mb: int
    sources: tuple[str, ...] = ()
    """The sources expected every day; learnt when empty."""
    part_rows: int = PART_ROWS
    """Of a day's sessions in one file."""


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
        batched = list(batches(stale, stock.days, engine.parts))
        out = staging / "built"
        tasks = [_task(lake, engine, settings, out, batch, stock.days) for batch in batched]
        for batch, made in zip(batched, engine.map(_build_apart, tasks), strict=True):
            done = [day for day in batch if day in made.days]
            _take_over(change, made)
            _replace_days(change, map(str, done))
            built |= {str(day): stock.wanted[str(day)] for day in done}
            too_large += [day for day in batch if day not in done]
            if time.monotonic() > put_at + _PUT_EACH_S:
                _put(change, built, settings)
                put_at = time.monotonic()
            on_days(len(batch), len(stale))
        for day in sorted(set(built) - set(stock.wanted) - lake.sealed()):
            _replace_days(change, [day])
            del built[day]
        _put(change, built, settings)
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


def build_tables(lake: Lake, settings: BuildSettings) -> None:
    """Rewrite the tables over all days and the views when they are not those of the days built.

    They are when a build has ended, until a setting or the program is another.
    """
    with lake.lock("build"), storage_named(lake.store.disk, _THEN):
        refresh_tables(lake, settings)


def refresh_tables(lake: Lake, settings: BuildSettings) -> None:
    """Do what ``build_tables`` does, for one who holds the lake's lock ``build``."""
    with lake.staging() as staging:
        _put(Change(lake, staging), read_json(lake.ledger / "built.json"), settings)


def _put(change: Change, built: dict[str, Parts], settings: BuildSettings) -> None:
    """Put what was built into the lake, with the tables over all days that it leads to."""
    lake = change.lake
    if built != read_json(lake.ledger / "built.json"):
        change.write_json(lake.ledger / "built.json", built)
    days = shown_days(lake, built, change)
    add_summary(change, days, settings.zone, settings.sources, settings.memory_mb)
    change.put()


def shown_days(lake: Lake, built: dict[str, Parts], change: Change | None = None) -> dict[str, str]:
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
        day: fingerprint(built[day]) if day in built else sessions[f"day={day}"]
        for day in days
        if is_there(lake.part_path("daily", day))
    }


def batches(stale: list[date], days: dict[date, DayFiles], parts: int = 1) -> Iterator[list[date]]:
    """Runs of days that fit into memory together: many small ones, or one large one.

    They are about so many ``parts`` at least, where there are as many days.
    """
    most = min(_BATCH_ROWS, sum(days[day].rows for day in stale) // parts)
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

    place: Path | str
    """The lake's."""
    batch: tuple[date, ...]
    days: dict[date, DayFiles]
    """Theirs and their neighbours'."""
    settings: BuildSettings
    out: Path | None
    """Where to leave partitions; None: in the lake's store, from where any machine takes them."""


@dataclass(frozen=True)
class _Made:
    """Days that were built, and their partitions, by place in the lake."""

    days: frozenset[date]
    files: dict[str, Path | StandIn]


def _task(  # noqa: PLR0913 what a process must know that shares nothing with this one
    lake: Lake,
    engine: Engine,
    settings: BuildSettings,
    out: Path,
    batch: list[date],
    days: dict[date, DayFiles],
) -> _Task:
    near = {day: days[day] for day in _near(batch, days)}
    if isinstance(lake.place, Path):
        return _Task(lake.place.absolute(), tuple(batch), near, settings, out.absolute())
    is_here = engine.master is None
    return _Task(str(lake.place), tuple(batch), near, settings, out if is_here else None)


def _build_apart(task: _Task) -> _Made:
    """Build some days in whatever process this is."""
    from pipeline.lake.bucket import Bucket  # noqa: PLC0415 few lakes are in a store

    lake = Lake(task.place if isinstance(task.place, Path) else read_lake(task.place))
    with ExitStack() as ending:
        if task.out is None:
            lake.recover()
            folder = ending.enter_context(lake.staging())
        else:  # one that was begun before, and broke off, had another
            folder = task.out / secrets.token_hex(8)
            folder.mkdir(parents=True)  # DuckDB makes no folder in one that is not there
        done = _build_what_fits(lake, folder, list(task.batch), task.days, task.settings)
        made = folder.glob("*/day=*/part*.parquet")
        here = {path.relative_to(folder).as_posix(): path for path in made}
        if task.out is not None:
            return _Made(frozenset(done), dict(here))
        assert isinstance(lake.store, Bucket)  # a folder is on one machine
        aside = {place: lake.store.put_aside(path, place) for place, path in here.items()}
        return _Made(frozenset(done), dict(aside))


def _take_over(change: Change, made: _Made) -> None:
    """Have what was built where the change looks for it."""
    for place, file in made.files.items():
        target = change.staging / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, StandIn):
            write_stand_in(target, file)
        else:
            file.replace(target)


def _build_what_fits(
    lake: Lake,
    folder: Path,
    batch: list[date],
    days: dict[date, DayFiles],
    settings: BuildSettings,
) -> list[date]:
    """Build some days together, or each alone where the memory asks for it; returns those built."""
    try:
        _build_batch(lake, folder, batch, days, settings)
    except duckdb.OutOfMemoryException as error:
        for model in DERIVED:
            for day in batch:
                shutil.rmtree(folder / model / f"day={day}", ignore_errors=True)
        if len(batch) > 1:
            alone = (_build_what_fits(lake, folder, [day], days, settings) for day in batch)
            return [day for built in alone for day in built]
        log.warning("%s is not built: %s", batch[0], str(error).splitlines()[0])
        return []
    return batch


def _build_batch(
    lake: Lake,
    folder: Path,
    batch: list[date],
    days: dict[date, DayFiles],
    settings: BuildSettings,
) -> None:
    connection = open_batch(lake, batch, days, settings, folder / "spill")
    make_numbers(connection, settings)
    cut_sessions(connection, session_parameters(settings), DERIVED["sessions"])
    with ThreadPoolExecutor(1) as beside:
        files = _list_hits(lake, batch, days)
        part_rows = settings.part_rows
        pieces = read_sessions(connection.cursor(), files, folder / "runs", part_rows)
        writing = beside.submit(write_partitions, pieces, folder / "sessions", part_rows)
        for model in ("daily", "hourly", "minutes"):
            rows = connection.execute(_ordered(model)).to_arrow_table()
            write_partitions(split_days(rows), folder / model)
        writing.result()
    connection.close()
    shutil.rmtree(folder / "runs", ignore_errors=True)


def _list_hits(lake: Lake, batch: list[date], days: dict[date, DayFiles]) -> list[Path]:
    """The partitions of hits of some days and their neighbours."""
    return [
        lake.hits_path(str(day), stem) for day in _near(batch, days) for stem in days[day].stems
    ]


def _near(batch: list[date], days: dict[date, DayFiles]) -> list[date]:
    return sorted({day + n * _ONE_DAY for day in batch for n in (-1, 0, 1)} & days.keys())


def open_batch(
    lake: Lake,
    batch: list[date],
    days: dict[date, DayFiles],
    settings: BuildSettings,
    spill: Path,
) -> duckdb.DuckDBPyConnection:
    """A database with the hits of some days and their neighbours, and what is to know of these."""
    # A quarter is for the sessions' texts beside it.
    connection = connect(memory_mb=settings.memory_mb * 3 // 4, spill=spill)
    # Joins are as the models write them, the small side second: how many rows of hits there are,
    # DuckDB takes from the first file.
    connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    connection.execute("SET enable_external_file_cache = false")
    show_hits(connection, _list_hits(lake, batch, days))
    connection.register("days", _day_table(batch, _near(batch, days), days, settings))
    return connection


def make_numbers(connection: duckdb.DuckDBPyConnection, settings: BuildSettings) -> None:
    """Read the hits once: ``numbers`` and ``robotlike``, which the models read, and ``left_out``.

    Those left out do not count. Tables of DuckDB's own: its scan of Arrow refuses a filter by ids
    that no int64 can hold.
    """
    connection.execute(f"CREATE TABLE numbers AS {read_model('build/numbers')}")
    bound = {**ROBOTLIKE, "asset_path": ASSET_PATH}
    connection.execute(f"CREATE TABLE robotlike AS {read_model('robotlike')}", bound)
    connection.table("robotlike").filter(str(settings.drop_robotlike)).create_view("left_out")


def session_parameters(settings: BuildSettings) -> dict[str, int | bytes]:
    """What the sessions model is bound to, besides its parts."""
    return {
        "timeout_seconds": settings.timeout_minutes * 60,
        "session_key": settings.key.session_key,
    }


def _ordered(model: str) -> str:
    return f"FROM ({read_model(model)}) ORDER BY {DERIVED[model]}"


def _day_table(
    batch: list[date], near: list[date], days: dict[date, DayFiles], settings: BuildSettings
) -> pa.Table:
    """What the models must know of each day at hand; see the header of ``sql/sessions.sql``."""
    timeout = timedelta(minutes=settings.timeout_minutes)
    built = set(batch)

    def keep_from(day: date) -> datetime:
        if day in built:
            return _EVER
        following = day + _ONE_DAY
        return day_start(following, settings.zone) - timeout if following in built else _NEVER

    rows = [
        {
            "day": day,
            "is_built": day in built,
            "starts_at": day_start(day, settings.zone),
            "ends_at": day_start(day + _ONE_DAY, settings.zone),
            "keep_from": keep_from(day),
            "geo_is_late": days[day].geo_is_late,
        }
        for day in near
    ]
    instant = pa.timestamp("us", "UTC")
    return pa.Table.from_pylist(
        rows,
        pa.schema(
            [("day", pa.date32()), ("is_built", pa.bool_()), ("starts_at", instant),
             ("ends_at", instant), ("keep_from", instant), ("geo_is_late", pa.bool_())]
        ),
    )  # fmt: skip


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
        sources=tuple(settings.sources),
    )
