"""The demo: the storm of November 2016, end to end.

The raw logs are simulated, calibrated to the published totals. Only this module compares the
lake with the published figures; everything between is what any site's logs go through.
"""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from operator import attrgetter
from pathlib import Path

from pipeline.build.batch import BuildSettings
from pipeline.build.build import build, build_settings
from pipeline.build.restatements import publish
from pipeline.cli.history import history
from pipeline.cli.options import RowOptions, SiteOptions
from pipeline.cli.output import print_rows
from pipeline.days import ONE_DAY
from pipeline.definitions import DEMO_MARK
from pipeline.demo.storm.address_pool import link_databases
from pipeline.demo.storm.cells import check_scale
from pipeline.demo.storm.november import SERVERS, ZONE
from pipeline.demo.storm.published import Comparison, compare
from pipeline.demo.storm.simulate import simulate
from pipeline.errors import DataError, LakeError
from pipeline.ingest.discovery import has_arrived
from pipeline.ingest.ingest import ingest_files
from pipeline.ingest.maker import open_maker
from pipeline.lake.lake import Lake
from pipeline.lake.query import one_state
from pipeline.lake.zone import find_zone
from pipeline.language import ENGLISH
from pipeline.progress import show_bytes, show_steps
from pipeline.report.accounting import report_settings
from pipeline.report.facts import CountryDay, ExpectedDay, Published, SurgeEpisode
from pipeline.report.page import make_page
from pipeline.report.rendering import write_report
from pipeline.settings import Settings, load_settings

_EPISODE = (date(2016, 11, 8), date(2016, 11, 9), date(2016, 11, 16))
"""Start, peak and end of the U.S. storm."""
_NIGHTS = tuple(datetime(2016, 11, day, 6, tzinfo=ZONE) for day in (9, 11, 21))
"""When the logs that are there are counted: of 8 November those of two servers on the first night,
of all on the second, for the other three come two days late; on the last night all there is."""

_EVER = {"first_day": date.min, "last_day": date.max}
_SHOWN = [
    "start_day",
    "peak_day",
    "end_day",
    "days",
    "observed",
    "expected",
    "excess",
    "peak_ratio",
]


@dataclass
class _Clock:
    """How long each step took, all its parts together."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[step] = self.seconds.get(step, 0) + time.monotonic() - started


def count_storm(scale: float, out: Path, config: Path | None) -> None:
    """Make everything of the demo in ``out``, and print what it comes to.

    Raises:
        DataError: a figure is not the published one.
        LakeError: the folder is another's.
        SettingsError: the scale is none that can be simulated.
    """
    check_scale(scale)
    _clear(out)
    link_databases(out / "geo")
    settings = load_settings(
        config, lake=out / "lake", geo=out / "geo", timezone=ZONE.key,
        visitor_key_file=out / "visitor.key",
    )  # fmt: skip
    lake, clock = Lake(settings.lake), _Clock()
    with clock.time("simulate"):
        files = write_logs(out / "raw", scale)
    lines = 0
    for night in _NIGHTS:
        there = [path for path in files if has_arrived(path, night)]
        lines += _count(lake, settings, clock, there, night)
        if night == _NIGHTS[0]:
            _print_first_figure(lake, there)
    _print_restatement(out, config)
    comparisons = compare(_sessions(lake), scale)
    with clock.time("report"):
        html = make_page(
            lake, report_settings(settings, datetime.now(UTC)), comparisons=comparisons
        )
        write_report(html, out / "report.html")
    _print_result(lake, comparisons, scale)
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in clock.seconds.items())
    print(f"{lines:,} simulated lines: {steps}")
    _print_next(out)
    _check(lake, comparisons)


def _clear(out: Path) -> None:
    """Begin anew in a folder that an earlier demo made; never touch another's."""
    mark = out / DEMO_MARK
    if out.exists() and any(out.iterdir()) and not mark.exists():
        raise LakeError(f"{out} is not empty and no demo made it: give another --out")
    out.mkdir(parents=True, exist_ok=True)
    mark.touch()
    for made in ("raw", "lake"):
        shutil.rmtree(out / made, ignore_errors=True)


def write_logs(out: Path, scale: float) -> list[Path]:
    """Simulate the raw logs at ``scale`` into the folder ``out``; returns them."""
    with show_steps("simulating", None) as bar:
        return simulate(out, scale, on_sessions=bar.reach)


def _ingest(lake: Lake, settings: Settings, files: list[Path]) -> int:
    maker = open_maker(settings, find_zone(settings.timezone, lake), with_geo=True)
    total = sum(file.stat().st_size for file in files)
    with show_bytes("ingesting", total) as bar:
        result = ingest_files(lake, maker, files, on_read=bar.advance)
    if result.failed:
        raise DataError("; ".join(one.why for one in result.failed))
    return sum(record.lines for record in result.added)


def _count(lake: Lake, settings: Settings, clock: _Clock, files: list[Path], now: datetime) -> int:
    """Take raw logs in, build what they make stale, publish as of ``now``; returns their lines."""
    with clock.time("ingest"):
        lines = _ingest(lake, settings, files)
    with clock.time("build"):
        made_with = build_settings(settings, lake)
        _build(lake, made_with)
        publish(lake, now, made_with, [now.date() - ONE_DAY])
    return lines


def _print_first_figure(lake: Lake, files: list[Path]) -> None:
    """Print the figure of 8 November as it was when three servers' logs had not come yet."""
    day = _EPISODE[0]
    with one_state(lake) as state:
        (first,) = state.ask(
            Published, "queries/history", country="US", first_day=day, last_day=day,
            only_changes=False,
        )  # fmt: skip
    there = sum(f"{day:%Y%m%d}" in path.name for path in files)
    print(
        f"As of {_NIGHTS[0]:%Y-%m-%d %H:%M} the logs of {there} of {len(SERVERS)} servers for"
        f" {day} were there.\nFirst figure{', preliminary' if first.is_preliminary else ''}:"
        f" {first.sessions:,} sessions from the United States.",
        flush=True,
    )


def _print_restatement(out: Path, config: Path | None) -> None:
    """Print every published figure of 8 November, as ``tidegauge history`` does."""
    day = _EPISODE[0]
    print(f"Published figures of {day}, United States", flush=True)
    midnight = datetime.combine(day, datetime.min.time())
    history(
        midnight, "US",
        output=RowOptions(), site=SiteOptions(lake=str(out / "lake"), config=config),
    )  # fmt: skip


def _build(lake: Lake, made_with: BuildSettings) -> None:
    with show_steps("building", None) as bar:
        build(lake, made_with, bar.advance)


def _sessions(lake: Lake) -> dict[tuple[date, str], int]:
    """Sessions by day and ``US`` or ``all``."""
    with one_state(lake) as state:
        rows = state.ask(CountryDay, "queries/daily", country=None, **_EVER)
    found: dict[tuple[date, str], int] = {}
    for row in rows:
        found[row.day, "all"] = found.get((row.day, "all"), 0) + row.sessions
        found[row.day, row.country] = row.sessions
    return found


def _us_surges(lake: Lake) -> list[SurgeEpisode]:
    with one_state(lake) as state:
        return state.ask(SurgeEpisode, "queries/surges", country="US", **_EVER)


def _print_result(lake: Lake, comparisons: list[Comparison], scale: float) -> None:
    with one_state(lake) as state:
        days = state.ask(ExpectedDay, "queries/expected", country="US", **_EVER)
    print("Sessions from the United States per local day (simulated, calibrated to published"
          " totals)")  # fmt: skip
    print_rows(
        ["day", "sessions", "expected", "surge"],
        [(d.day, d.observed, d.expected and round(d.expected), d.is_surge) for d in days],
    )
    print("Surges of the United States")
    print_rows(_SHOWN, [attrgetter(*_SHOWN)(surge) for surge in _us_surges(lake)])
    basis = "published" if scale == 1 else "simulated cells"
    if scale != 1:
        print(f"At scale {scale:g} each figure is compared with the simulator's own rounded cells.")
    print_rows(
        ["figure", basis, "measured", "equal"],
        [
            (c.name(ENGLISH), c.expected, c.measured, "yes" if c.is_equal else "NO")
            for c in comparisons
        ],
    )


def _print_next(out: Path) -> None:
    command = sys.argv[0] if "/" in sys.argv[0] else "tidegauge"
    lake = out / "lake"
    print(f"lake:   {lake}\nreport: {out / 'report.html'}\ntry next:")
    print(f"  {command} hourly --lake {lake} --country US --from 2016-11-08 --to 2016-11-08")
    print(f"  {command} surges --lake {lake}")
    print(f"  {command} sql --lake {lake} -f country_share.sql")


def _check(lake: Lake, comparisons: list[Comparison]) -> None:
    """Exit 1 unless every figure is equal and the U.S. episode is the one that happened."""
    different = [c.name(ENGLISH) for c in comparisons if not c.is_equal]
    if different:
        raise DataError(f"not equal: {', '.join(different)}")
    found = [(one.start_day, one.peak_day, one.end_day) for one in _us_surges(lake)]
    if found != [_EPISODE]:
        raise DataError(f"the U.S. episode should be {_EPISODE}, found {found}")
