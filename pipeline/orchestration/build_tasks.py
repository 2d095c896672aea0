"""A build whose parts are a scheduler's tasks: planned, made part by part, put into the lake.

``Tasks`` is an engine as any other. It maps nothing itself: the program that makes a plan's days
(``build.making``) is begun again by each task, with what earlier tasks have left. The first map
that nobody has done yet tells which parts there are; a task does those that it is called to. So a
scheduler keeps names alone; plan and results lie aside, in the lake's folder or store. No secret
is in them: each task has the settings.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pipeline.build.apart import Workplace, find_named, name_file
from pipeline.build.batch import BuildSettings
from pipeline.build.build import THEN, build_settings, finish, plan_build
from pipeline.build.making import Task, make
from pipeline.build.planned import Plan
from pipeline.engine import Engine, Item, Lost, Result
from pipeline.errors import EngineError, LakeError, OvertakenError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.lake.storage import storage_named
from pipeline.orchestration.jobs import MOST_MAPPED, Job
from pipeline.orchestration.nightly import build_stale, take_in_lost
from pipeline.settings import Settings, engine_of

Part = dict[str, Any]
"""Of a plan, as a scheduler keeps it: ``names`` of tasks, and what names ``plan`` and ``known``."""
_ROUNDS = 2
"""Of maps that are tasks: days and slices of large ones, then buckets. The merge is the last's."""
_PARTS = 100
"""So many days are a task each, if they are alike."""
_OVERTAKEN = "overtaken"
_AT_ONCE = 8


class Tasks(Engine):
    """Parts are done by tasks of a scheduler, before or after this process; it maps for one build.

    Args:
        known: what those that were done have left, by name.
        rounds: so many maps are over; what is not known of them was lost.
        is_last: whether further parts are done here, or asked for.
    """

    def __init__(
        self, known: Mapping[str, Any] | None = None, rounds: int = 0, *, is_last: bool = False
    ) -> None:
        """Begin with no map."""
        super().__init__()
        self._known, self._rounds, self._is_last = known or {}, rounds, is_last
        self._begun = 0

    @property
    def is_elsewhere(self) -> bool:
        """They may be on any machine."""
        return True

    @property
    def parts(self) -> int:
        """Into how many parts work is best divided."""
        return _PARTS

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The results of all items, in their order; ``Lost`` where one is not known."""
        if not items:
            return
        self._begun += 1
        if self._begun > self._rounds and not self._is_last:
            raise _AskedError(items)
        if self._begun > self._rounds:
            yield from map(function, items)
            return
        for item in items:
            yield self._find(cast("Task", item).name)

    def _find(self, name: str) -> Any:
        if name not in self._known:
            return Lost(EngineError(f"the task of {name} failed, as its log says"))
        left = self._known[name]
        if left == _OVERTAKEN:
            return Lost(OvertakenError(f"{name}: its files are others by now"))
        return left and {key: find_named(file) for key, file in left}


class _AskedError(Exception):
    """Parts that somebody has to do before it can go on."""

    def __init__(self, tasks: Sequence[Any]) -> None:
        super().__init__()
        self.tasks: Sequence[Task] = tasks


def plan_tasks(settings: Settings, jobs: Iterable[Job] = ()) -> list[Part]:
    """Find out what is stale; returns the parts of the first map, none when nothing is.

    Files of ``jobs`` that nobody took in are taken in first; see ``nightly.take_in_lost``.

    Raises:
        SettingsError: builds are Spark's.
    """
    if settings.spark_master:
        why = "Spark divides builds (spark_master): set one of the two"
        raise SettingsError("airflow_build_tasks", settings.airflow_build_tasks, why)
    take_in_lost(settings, jobs)
    lake = Lake(settings.lake)
    made_with = build_settings(settings, lake)
    plan = plan_build(lake, made_with)
    if not plan.days:
        return []
    out = lake.store.lay_aside() if isinstance(lake.place, Path) else Path()
    place = Workplace.of(lake, Tasks(), out)
    laid = _Laid(place, plan, _leave(place, "plan.json", plan.to_json()))
    return laid.name_parts(lake, made_with, Tasks())


def do_part(settings: Settings, part: Part) -> Part:
    """Make a part of a plan; returns what names the results that it has left.

    Raises:
        LakeError, EngineError: the part is lost, which ``finish_tasks`` will say.
    """
    lake, made_with, laid = _open(settings, part)
    known = _read(laid.place, {"known": part["known"]})["known"] if part["known"] else {}
    asked = laid.ask(lake, made_with, Tasks(known=known, rounds=1 if part["known"] else 0))
    tasks = {task.name: task for task in asked}
    if unknown := [name for name in part["names"] if name not in tasks]:
        raise EngineError(f"no part of the plan is {unknown[0]}: begin again with the plan")
    left = {}
    for name in part["names"]:
        result = json.dumps(_do(lake, tasks[name]))
        left[name] = _leave(laid.place, "result.json", result)
    return {"plan": part["plan"], "left": left}


def _do(lake: Lake, task: Task) -> Any:
    """Do a task, unless its hits are others by now; what it has left, as JSON."""

    def is_overtaken() -> bool:
        lake.recover()
        return not all(path.exists() for path in task.list_hits(lake))

    if is_overtaken():
        return _OVERTAKEN
    try:
        with storage_named(lake.store.disk, THEN):
            left = task.run()
    except LakeError:
        if is_overtaken():
            return _OVERTAKEN
        raise
    return None if left is None else [[key, name_file(file)] for key, file in left.items()]


def list_buckets(settings: Settings, done: Iterable[Part]) -> list[Part]:
    """The parts of the second map: buckets of large days, which slices have been divided among."""
    done = list(done)
    lake, made_with, laid = _open(settings, done[0])
    known = _read_all(laid.place, laid.name, done)
    engine = Tasks(known=known, rounds=1)
    if not laid.ask(lake, made_with, engine):
        return []
    its = _leave(laid.place, "known.json", json.dumps(known))
    return laid.name_parts(lake, made_with, Tasks(known=known, rounds=1), its)


def finish_tasks(settings: Settings, planned: Sequence[Part], done: Iterable[Part]) -> list[str]:
    """Put what all parts made into the lake; returns the days that are built now.

    Raises:
        EngineError: names the days of which a part was lost; all others are there. When those
            parts are done, too, this can be called again.
        SettingsError: names those that need more memory; likewise.
    """
    if not planned:
        return build_stale(settings)
    lake, made_with, laid = _open(settings, planned[0])
    known = _read_all(laid.place, laid.name, done)
    engines = Tasks(known=known, rounds=_ROUNDS, is_last=True), engine_of(settings)
    days = finish(lake, made_with, laid.plan, laid.out, engines)
    if laid.place.out:
        lake.store.remove_aside(laid.place.out)
    return [str(day) for day in days]


@dataclass(frozen=True)
class _Laid:
    """A plan that lies aside."""

    place: Workplace
    plan: Plan
    name: Any
    """What names it."""

    @property
    def out(self) -> Path:
        """Where its days are made, if the lake is a folder."""
        return self.place.out or Path()

    def ask(self, lake: Lake, settings: BuildSettings, engine: Engine) -> Sequence[Task]:
        """The parts that an engine has to do next; none when it needs no others."""
        try:
            for _ in make(self.plan, lake, engine, settings, self.out):
                pass
        except _AskedError as asked:
            return asked.tasks
        return []

    def name_parts(
        self, lake: Lake, settings: BuildSettings, engine: Engine, known: Any = None
    ) -> list[Part]:
        """The same as a scheduler keeps them."""
        names = [task.name for task in self.ask(lake, settings, engine)]
        size = -(-len(names) // MOST_MAPPED)
        groups = [names[at : at + size] for at in range(0, len(names), size or 1)]
        return [{"plan": self.name, "known": known, "names": group} for group in groups]


def name_part(part: Part) -> str:
    """What people know it by."""
    first, *others = part["names"]
    return f"{first}, and {len(others)} more" if others else str(first)


def _open(settings: Settings, part: Part) -> tuple[Lake, BuildSettings, _Laid]:
    """The plan that a part is of.

    Raises:
        EngineError: it is there no longer, or was made with other settings or versions.
    """
    lake = Lake(settings.lake)
    lake.recover()  # to what other machines did
    made_with = build_settings(settings, lake)
    file = find_named(part["plan"])
    out = file.parents[1] if isinstance(file, Path) else Path()
    place = Workplace.of(lake, Tasks(), out)
    plan = Plan.from_json(json.dumps(_read(place, {"plan": part["plan"]})["plan"]))
    plan.refuse_others(lake, made_with)
    return lake, made_with, _Laid(place, plan, part["plan"])


def _leave(place: Workplace, name: str, text: str) -> Any:
    """Lay a file aside; what names it."""
    with place.working() as work:
        path = work.folder / name
        path.write_text(text)
        return name_file(work.leave(path))


def _read(place: Workplace, names: Mapping[str, Any]) -> dict[str, Any]:
    """Read JSON that lies aside."""
    with place.working() as work, ThreadPoolExecutor(_AT_ONCE) as pool:

        def read(one: tuple[int, Any]) -> Any:
            number, name = one
            return json.loads(work.find(find_named(name), f"{number}.json").read_text())

        return dict(zip(names, pool.map(read, enumerate(names.values())), strict=True))


def _read_all(place: Workplace, plan: Any, done: Iterable[Part]) -> dict[str, Any]:
    """What parts of a plan have left, by the names of their tasks."""
    its = (one["left"] for one in done if one["plan"] == plan)
    return _read(place, {name: file for left in its for name, file in left.items()})
