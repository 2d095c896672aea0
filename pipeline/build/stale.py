"""Which days are stale, and why: built from other inputs than those of now.

A day's derived partitions are a pure function of its *parts*: what they were built from, by kind.
New and late files are taken by every build; what else would change a figure waits until somebody
asks for it, for a published figure is not restated by an upgrade.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.build.built import DROP_ROBOTLIKE, Built, Parts, PartsOfDays, fingerprint, read_built
from pipeline.days import EPOCH
from pipeline.definitions import DEFINITIONS_VERSION, NO_NETWORKS
from pipeline.lake.lake import Lake
from pipeline.lake.sql import read_model
from pipeline.lake.sums import READ_BY
from pipeline.settings import Settings
from pipeline.text import escape

DERIVED = {"sessions": "day, started_at, session_id", "daily": "day, country",
               "hourly": "day, hour, country", "minutes": "day, source, minute"}  # fmt: skip
"""The models with one partition a day, and the total order each is written in."""
_MODELS = (
    *DERIVED, "robotlike", "build/numbers", "build/referrer_hosts",
    *(f"build/sum_{model}" for model in ("daily", "hourly", "minutes")),
)  # fmt: skip
"""What a day's partitions are made by."""
_ONE_DAY = timedelta(days=1)
_SHOWN = 5
_NO_DAY = -(2**31)
_COLUMNS = ("file_key", "lies_in", "days", *READ_BY)
_NAMED_EACH = 50
"""Of more small files in one pack a day's parts have a digest: a CDN has thousands a day."""
_MANY = re.compile(r"(?P<stem>.+)#(?P<count>\d+)#[0-9a-f]+")


@dataclass(frozen=True)
class SessionRules:
    """The settings that sessions and the figures made of them depend on."""

    timeout_minutes: int
    drop_robotlike: bool
    """Whether robot-like visitors count in no sessions, visitors and pages."""


def session_rules(settings: Settings) -> SessionRules:
    """What sessions depend on."""
    return SessionRules(settings.session_timeout_minutes, settings.drop_robotlike)


@dataclass(frozen=True)
class Cause:
    """Why a day is stale: ``new``, ``missing``, ``files``, or one of ``ASKED``."""

    kind: str
    text: str
    waits: bool = False
    """Whether it is taken only when asked for."""
    is_beside: bool = False
    """Whether it is a change of the day before or after."""


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

    @property
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


def parts_of(
    lake: Lake, rules: SessionRules, days: Collection[date]
) -> tuple[dict[date, DayFiles], dict[str, Parts]]:
    """The files of some days and of those beside them; what each would be built from now."""
    files = days_of(lake, {day + n * _ONE_DAY for day in days for n in (-1, 0, 1)}) if days else {}
    by_rules = _rules_of(lake, rules)

    def name(day: date) -> Parts:
        near = {str(n): files[n] for n in (day - _ONE_DAY, day + _ONE_DAY) if n in files}
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


def _rules_of(lake: Lake, rules: SessionRules) -> Parts:
    """What every day would be built by now."""
    models = [read_model(model) for model in _MODELS]
    engines = [version("duckdb"), version("pyarrow")]
    code = hashlib.sha256(json.dumps([DEFINITIONS_VERSION, engines, models]).encode()).hexdigest()
    zone_and_key = sorted(lake.identity().items())
    settings = hashlib.sha256(json.dumps(zone_and_key).encode()).hexdigest()[:16]
    # The default adds nothing, so that a day built before there was a choice keeps it.
    choices = [DROP_ROBOTLIKE] if rules.drop_robotlike else []
    return {
        "definitions": code[:16],
        "settings": [rules.timeout_minutes, settings, *choices],
    }


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
    files, built = _digest_files(lake), read_built(lake)
    # Sealed days come before all others (see `retention`): no stale day has one beside it whose
    # hits it needs and that are gone.
    sealed = lake.sealed()
    unsealed = {day: str(day) for day in files if str(day) not in sealed}
    others = [
        day for day, text in unsealed.items() if text in built and built[text].files != files[day]
    ]
    _, wanted = parts_of(lake, rules, others)
    by_rules, known, names = _rules_of(lake, rules), PartsOfDays(lake), FileNames(lake)
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
                its.append(Cause("files", "what it was built from is lost"))
        if its:
            causes[day] = its
    return Stock(files, built, causes)


def _digest_files(lake: Lake) -> dict[date, str]:
    """Each day that raw files have hits of: a digest of them, and of those beside it."""
    by_text = defaultdict(list)
    for sums in lake.sums():
        for text, its in sums.days.items():
            by_text[text].append(its.digest)
    found = {date.fromisoformat(text): its for text, its in by_text.items()}
    return {
        day: hashlib.sha256(
            json.dumps([sorted(found.get(day + n * _ONE_DAY, ())) for n in (-1, 0, 1)]).encode()
        ).hexdigest()[:32]
        for day in found
    }


class FileNames:
    """How files are called in sentences: by their names, which only stale days need."""

    def __init__(self, lake: Lake) -> None:
        """Names from a lake's ledger."""
        self._lake = lake

    @cached_property
    def _known(self) -> dict[str, str]:
        return {record.file_key: escape(record.name) for record in self._lake.all_files()}

    def list_files(self, file_keys: Collection[str], hits: dict[str, int]) -> str:
        """The files with most hits first."""
        keys = sorted(file_keys, key=lambda key: (-hits.get(key, 0), key))
        names = [_say_many(key) or self._known.get(key, key) for key in keys]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more


def _say_many(key: str) -> str | None:
    many = _MANY.fullmatch(key)
    return many and f"{int(many['count']):,} small files of {many['stem']}"


def _find_causes(lake: Lake, day: str, built: Built | None, by_rules: Parts) -> Iterator[Cause]:
    """The causes that no raw file is."""
    if built is None:
        yield Cause("new", "was never built")
        return
    # `daily` stands for all models: sessions may rightly have no rows on a day with hits.
    if not lake.part_path("daily", day).exists():
        yield Cause("missing", "its figures are missing from the lake")
    yield from _compare_rules(built.definitions, list(built.settings), by_rules)


def compare_parts(known: Parts, wanted: Parts, names: FileNames) -> Iterator[Cause]:
    """Why a day that was built from ``known`` is another when built from ``wanted``."""
    yield from _compare_files(known["files"], wanted["files"], names, "")
    for beside in sorted({*known["near"], *wanted["near"]}):
        before, after = (parts["near"].get(beside, {}) for parts in (known, wanted))
        yield from _compare_files(before, after, names, f"the day beside it, {beside}, has ")
    if known["geo"] != wanted["geo"] and known["files"] == wanted["files"]:
        dates = [", ".join(sorted({str(d) for d in parts["geo"][0]})) for parts in (known, wanted)]
        yield Cause("geo", f"located by the database of {dates[1]}, built with that of {dates[0]}")
    if known["read_by"] != wanted["read_by"] and known["files"].keys() == wanted["files"].keys():
        yield Cause("definitions", "its raw files were read anew by other lists or definitions")
    yield from _compare_rules(known["definitions"], known["settings"], wanted)


def _compare_rules(definitions: str | None, settings: list[Any], now: Parts) -> Iterator[Cause]:
    if definitions != now["definitions"]:
        text = "definitions, SQL or the versions of DuckDB and Arrow have changed"
        yield Cause("definitions", text, waits=True)
    if settings != now["settings"]:
        yield Cause("settings", _compare_settings(settings, now["settings"]), waits=True)


def _compare_settings(known: list[Any], wanted: list[Any]) -> str:
    minutes = [its[0] if its else None for its in (known, wanted)]
    drops = [str(DROP_ROBOTLIKE in its).lower() for its in (known, wanted)]
    named: dict[str, list[Any]] = {"session_timeout_minutes": minutes, "drop_robotlike": drops}
    changed = {name: values for name, values in named.items() if values[0] != values[1]}
    return "; ".join(
        f"{name} is {now}, it was built with {before}"
        for name, (before, now) in (changed or {"session_timeout_minutes": minutes}).items()
    )


def _compare_files(
    before: dict[str, int], after: dict[str, int], names: FileNames, where: str
) -> Iterator[Cause]:
    late, gone = after.keys() - before.keys(), before.keys() - after.keys()
    for stem, its in _pair_many(late, gone).items():
        late, gone = late - its, gone - its
        counts = [f"{_count(its & keys.keys()):,}" for keys in (after, before)]
        text = f"{where}small files of {stem}: {counts[0]}, before {counts[1]}"
        yield Cause("files", text, is_beside=bool(where))
    changed = {key for key in after.keys() & before.keys() if after[key] != before[key]}
    beside = bool(where)
    if late:
        yield Cause(
            "files", f"{where}late files: {names.list_files(late, after)}", is_beside=beside
        )
    if gone:
        text = f"{where}files replaced or taken out: {names.list_files(gone, before)}"
        yield Cause("files", text, is_beside=beside)
    if changed:
        what = "other hits of the same files after duplicates were dropped or lines read anew"
        yield Cause("files", f"{where}{what}: {names.list_files(changed, after)}", is_beside=beside)


def _pair_many(late: AbstractSet[str], gone: AbstractSet[str]) -> dict[str, set[str]]:
    """By pack what stands for its files then and now, of those that had or have many files."""
    found: dict[str, set[str]] = {}
    for key in sorted(late | gone):
        if many := _MANY.fullmatch(key):
            found.setdefault(many["stem"], set()).add(key)
    for stem, its in found.items():
        for one, other in ((late, gone), (gone, late)):
            if its & one and not its & other:  # it had, or has, a few files
                source = stem.rpartition("-")[0]
                its |= {key for key in other if key.rpartition("-")[0] == source}
    return {stem: its for stem, its in found.items() if its & late and its & gone}


def _count(keys: Iterable[str]) -> int:
    found = (_MANY.fullmatch(key) for key in keys)
    return sum(int(many["count"]) if many else 1 for many in found)
