"""Which days are stale, and why: built from other inputs than those of now.

A day's derived partitions are a pure function of its *parts*: what they were built from, by kind.
New and late files are taken by every build; what else would change a figure waits until somebody
asks for it, for a published figure is not restated by an upgrade.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, cached_property
from importlib.metadata import version

from pipeline.build.built import DROP_ROBOTLIKE, Built, Parts, PartsOfDays, fingerprint, read_built
from pipeline.build.causes import Cause, FileNames, compare_parts, compare_rules
from pipeline.build.counted import Uncounted, digest_files, list_lacking
from pipeline.build.files_of_days import DayFiles, days_of
from pipeline.days import ONE_DAY
from pipeline.definitions import DEFINITIONS_VERSION
from pipeline.lake.lake import Lake
from pipeline.lake.sql import read_model
from pipeline.settings import Settings
from pipeline.text import keep

DERIVED = {"sessions": "day, started_at, session_id", "daily": "day, country",
               "hourly": "day, hour, country", "minutes": "day, source, minute"}  # fmt: skip
"""The models with one partition a day, and the total order each is written in."""
_MODELS = (
    *DERIVED, "robotlike", "build/referrer_hosts",
    *(f"build/{model}" for model in ("visits", "hours")),
    *(f"build/sum_{model}" for model in ("daily", "hourly", "minutes")),
)  # fmt: skip
"""What a day's partitions are made by."""


@dataclass(frozen=True)
class SessionRules:
    """The settings that sessions and the figures made of them depend on."""

    timeout_minutes: int
    drop_robotlike: bool
    """Whether robot-like visitors count in no sessions, visitors and pages."""


def session_rules(settings: Settings) -> SessionRules:
    """What sessions depend on."""
    return SessionRules(settings.session_timeout_minutes, settings.drop_robotlike)


def parts_of(
    lake: Lake, rules: SessionRules, days: Collection[date]
) -> tuple[dict[date, DayFiles], dict[str, Parts]]:
    """The files of some days and of those beside them; what each would be built from now."""
    files = days_of(lake, {day + n * ONE_DAY for day in days for n in (-1, 0, 1)}) if days else {}
    by_rules = rules_of(lake, rules)

    def name(day: date) -> Parts:
        near = {str(n): files[n] for n in (day - ONE_DAY, day + ONE_DAY) if n in files}
        own = files[day]
        return {
            "files": own.named,
            "near": {beside: its.named for beside, its in near.items()},
            "geo": [own.databases, own.geo_is_late],
            "read_by": [own.read_by, *(near[beside].read_by for beside in sorted(near))],
            **by_rules,
        }

    named = {str(day): name(day) for day in days if day in files}
    parts: dict[str, Parts] = json.loads(json.dumps(named))  # as JSON has them: lists, not tuples
    return files, parts


def rules_of(lake: Lake, rules: SessionRules) -> Parts:
    """What every day would be built by now."""
    models = [read_model(model) for model in _MODELS]
    by = [DEFINITIONS_VERSION, _engines(), models]
    code = hashlib.sha256(json.dumps(by).encode()).hexdigest()
    zone_and_key = sorted(lake.identity().items())
    settings = hashlib.sha256(json.dumps(zone_and_key).encode()).hexdigest()[:16]
    # The default adds nothing, so that a day built before there was a choice keeps it.
    choices = [DROP_ROBOTLIKE] if rules.drop_robotlike else []
    return {
        "definitions": code[:16],
        "settings": [rules.timeout_minutes, settings, *choices],
    }


@cache
def _engines() -> list[str]:
    return [version("duckdb"), version("pyarrow")]  # a millisecond each


@dataclass(frozen=True)
class Stock:
    """A lake's days as the ledger has them at one moment."""

    files: dict[date, str]
    """Each day that raw files have hits of: a digest of them, and of those beside it."""
    built: dict[str, Built]
    """What each day was built from."""
    causes: dict[date, list[Cause]]
    """Why each stale day is; a sealed one is never among them."""

    @cached_property
    def stale(self) -> list[date]:
        """The days that every build rebuilds, in order."""
        return self.stale_for(())

    def stale_for(self, also: Collection[str]) -> list[date]:
        """The days that a build rebuilds which is asked for kinds of causes, in order."""
        return [
            day
            for day, causes in sorted(self.causes.items())
            if any(not cause.waits or cause.kind in also for cause in causes)
        ]


def take_stock(lake: Lake, rules: SessionRules) -> Stock:
    """Find the stale days: the records are read of those alone whose files have changed.

    A day without hits that was built before is not among them: its partitions are removed.
    """
    by_sheet = ({day: its.digest for day, its in sums.days.items()} for sums in lake.sums())
    files, built = digest_files(by_sheet), read_built(lake)
    # Sealed days come before all others (see `retention`): no stale day has one beside it whose
    # hits it needs and that are gone.
    sealed = lake.sealed()
    unsealed = {day: str(day) for day in files if str(day) not in sealed}
    others = [
        day for day, text in unsealed.items() if text in built and built[text].files != files[day]
    ]
    _, wanted = parts_of(lake, rules, others)
    by_rules, known, names = rules_of(lake, rules), PartsOfDays(lake), FileNames(lake)
    causes = {}
    for day, text in unsealed.items():
        line = built.get(text)
        its = list(_find_causes(lake, text, line, by_rules))
        if line and text in wanted:
            now = wanted[text]
            before = now if fingerprint(now) == line.parts else known.find(text, line.parts)
            if before and before | by_rules == now:
                built[text] = replace(line, files=files[day])
            elif before:
                its = [one for one in its if one.kind == "missing"]
                its += compare_parts(before, now, names)
            else:
                its.append(Cause("files", keep("what it was built from is lost")))
        if its:
            causes[day] = its
    return Stock(files, built, causes)


def list_uncounted(lake: Lake, timeout_minutes: int) -> Uncounted:
    """Days whose figures are not of the raw files that the lake has now: a build counts them.

    Also those that have lost all of theirs. No setting can put a day among them.
    """
    stock = take_stock(lake, SessionRules(timeout_minutes, drop_robotlike=False))
    sealed = {date.fromisoformat(day) for day in lake.sealed()}
    built = {date.fromisoformat(day) for day in stock.built} - sealed
    overtaken = (built - stock.files.keys()) | (built & {*stock.stale})
    return Uncounted(sorted(overtaken), sorted(stock.files.keys() - built - sealed))


def _find_causes(lake: Lake, day: str, built: Built | None, by_rules: Parts) -> Iterator[Cause]:
    """The causes that no raw file is."""
    if built is None:
        yield Cause("new", keep("was never built"))
        return
    if list_lacking(lake, day):
        yield Cause("missing", keep("its figures are missing from the lake"))
    yield from compare_rules(built.definitions, list(built.settings), by_rules)
