"""A plan's days made: small ones some together, each large one in buckets of its visitors.

What is to be run are tasks, which an engine maps. Where each round of tasks takes seconds to begin
(``Engine.is_elsewhere``) all large days go through their three together; on one machine one after
another, as each needs its hits a second time on the disk.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipeline.build.apart import File, Workplace
from pipeline.build.batch import BuildSettings, batches, build_batch, list_hits, near
from pipeline.build.buckets import Division, Merge, count_buckets
from pipeline.build.files_of_days import DayFiles
from pipeline.build.planned import Plan
from pipeline.engine import Engine, Lost
from pipeline.errors import LakeError, StorageError
from pipeline.lake.lake import Lake
from pipeline.lake.storage import storage_named


class Task(Protocol):
    """What an engine maps: a part of a build."""

    @property
    def work(self) -> Workplace:
        """Where it is done."""

    @property
    def day(self) -> date:
        """The day, or the first of some."""

    @property
    def name(self) -> str:
        """What people know it by, no other one of the plan."""

    def list_hits(self, lake: Lake) -> list[Path]:
        """The lake's partitions of hits that it reads."""

    def run(self) -> Any:
        """Do it; returns what it has left, by place."""


T = TypeVar("T", bound=Task)
Made = dict[str, File] | Lost
"""The partitions of some days by their place: none of a day that more memory is needed for."""
_MadeOf = tuple[list[date], Made]


def make(  # noqa: PLR0913 what is made, by whom and where
    plan: Plan,
    lake: Lake,
    engine: Engine,
    settings: BuildSettings,
    out: Path,
    leave: Collection[date] = (),
) -> Iterator[_MadeOf]:
    """Build the days of a plan in ``out``: some together, or one; and what was made of them.

    Large ones that are to be left out are not made; small ones may be.
    """
    days, at_once = plan.files, plan.hits_at_once
    settings = replace(settings, hits_at_once=at_once)
    large = [day for day in plan.days if count_buckets(day, days, at_once) > 1]
    small = [day for day in plan.days if day not in set(large)]
    work = Workplace.of(lake, engine, out)
    together = [
        Together(work, tuple(batch), {day: days[day] for day in near(batch, days)}, settings)
        for batch in batches(small, days, at_once, engine.parts)
    ]

    def divide(day: date) -> Division:
        places = out / str(day)
        return Division(lambda step: Workplace.of(lake, engine, places / step), settings, day, days)

    divisions = (divide(day) for day in large if day not in leave)
    with engine:
        if engine.is_elsewhere:
            yield from _make_round(engine, together, [*divisions])
        else:
            yield from _make_round(engine, together, [])
            for its in divisions:
                yield from _make_round(engine, [], [its])


def _make_round(
    engine: Engine, together: "Sequence[Together]", divisions: Sequence[Division]
) -> Iterator[_MadeOf]:
    """Build small days, and divide large ones, by one map; then build the latter."""
    left: dict[date, list[Any]] = defaultdict(list)
    alone: list[Together] = []
    first: list[Task] = [*together, *(one for its in divisions for one in its.slices)]
    for task, result in _run_all(engine, first):
        if not isinstance(task, Together):
            left[task.day].append(result)
        elif _is_damaged(result) and len(task.batch) > 1:  # some of its days may be whole
            alone += task.each()
        else:
            yield list(task.batch), result
    for its_task, result in _run_all(engine, alone):
        yield list(its_task.batch), result
    divided: list[Division] = []
    for its in divisions:
        if lost := _find_lost(left[its.day]):
            yield [its.day], lost
        else:
            divided.append(its)
    yield from _make_divided(engine, divided, left)


def _make_divided(
    engine: Engine, divisions: Sequence[Division], left: dict[date, list[Any]]
) -> Iterator[_MadeOf]:
    """Build the buckets of large days by a second map, and merge them by a third."""
    built: dict[date, list[Any]] = defaultdict(list)
    buckets = [one for its in divisions for one in its.buckets(left[its.day])]
    for task, result in _run_all(engine, buckets):
        built[task.day].append(result)
    merges: list[Merge] = []
    for its in divisions:
        if not engine.is_elsewhere:
            its.free_slices()
        if lost := _find_lost(built[its.day]):
            yield [its.day], lost
        elif None in built[its.day]:
            yield [its.day], {}
        else:
            merges.append(its.merging(built[its.day]))
    for merge, made in _run_all(engine, merges):
        yield [merge.day], made
    if not engine.is_elsewhere:
        for its in divisions:
            its.free_buckets()


def _run_all(engine: Engine, tasks: Sequence[T]) -> Iterator[tuple[T, Any]]:
    return zip(tasks, engine.map(run, tasks), strict=True)


def _find_lost(results: Sequence[object]) -> Lost | None:
    return next((result for result in results if isinstance(result, Lost)), None)


def _is_damaged(result: object) -> bool:
    return isinstance(result, Lost) and isinstance(result.why, LakeError)


def run(task: Task) -> object:
    """Do a task, in whatever process this is; ``Lost`` where hits are damaged or gone."""
    place = task.work.place
    try:
        with storage_named(place, "build again"):
            return task.run()
    except StorageError:
        hits = task.list_hits(Lake(place)) if isinstance(place, Path) else []
        gone = next((path for path in hits if not path.exists()), None)
        if not gone:
            raise
        return Lost(LakeError(f"{gone} is gone; `tidegauge verify` tells what else is"))
    except LakeError as error:
        return Lost(error)


@dataclass(frozen=True)
class Together:
    """Days to be built by some process, together as far as the memory is enough."""

    work: Workplace
    batch: tuple[date, ...]
    days: dict[date, DayFiles]
    """Theirs and their neighbours'."""
    settings: BuildSettings

    @property
    def day(self) -> date:
        """The first."""
        return self.batch[0]

    @property
    def name(self) -> str:
        """What it is called."""
        more = f" and {len(self.batch) - 1} more" if len(self.batch) > 1 else ""
        return f"{self.day}{more}"

    def list_hits(self, lake: Lake) -> list[Path]:
        """The partitions of hits that it reads."""
        return list_hits(lake, self.batch, self.days)

    def each(self) -> "list[Together]":
        """The same, a task a day."""
        return [
            replace(
                self, batch=(day,), days={one: self.days[one] for one in near([day], self.days)}
            )
            for day in self.batch
        ]

    def run(self) -> dict[str, File]:
        """Build them together, or each alone where the memory asks for it; their partitions."""
        with self.work.working() as work:

            def fits(batch: list[date]) -> bool:
                files = list_hits(work.lake, batch, self.days)
                return build_batch(files, work.folder, batch, self.days, self.settings)

            if not fits(list(self.batch)) and len(self.batch) > 1:
                for day in self.batch:
                    fits([day])
            return work.leave_partitions()
