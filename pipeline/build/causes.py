"""Why a day that was built from some parts is another when built from others."""

from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from pipeline.build.built import DROP_ROBOTLIKE, Parts
from pipeline.build.files_of_days import MANY
from pipeline.lake.lake import Lake
from pipeline.text import Kept, escape, keep

_SHOWN = 5


@dataclass(frozen=True)
class Cause:
    """Why a day is stale: ``new``, ``missing``, ``files``, or one of ``ASKED``."""

    kind: str
    text: Kept
    waits: bool = False
    """Whether it is taken only when asked for."""
    is_beside: bool = False
    """Whether it is a change of the day before or after."""


class FileNames:
    """How files are called in sentences: by their names, which only stale days need."""

    def __init__(self, lake: Lake) -> None:
        """Names from a lake's ledger."""
        self._lake = lake

    def list_files(self, file_keys: Collection[str], hits: dict[str, int]) -> str:
        """The files with most hits first."""
        keys = sorted(file_keys, key=lambda key: (-hits.get(key, 0), key))
        known = self._lake.find_all(keys[:_SHOWN])
        names = [
            _say_many(key) or (escape(known[key].name) if key in known else key)
            for key in keys[:_SHOWN]
        ]
        shown = ", ".join(names)
        if len(keys) <= _SHOWN:
            return shown
        return keep("{files} and {count} more", files=shown, count=len(keys) - _SHOWN)


def _say_many(key: str) -> str | None:
    many = MANY.fullmatch(key)
    return many and keep(
        "{count} small files of {stem}", count=int(many["count"]), stem=many["stem"]
    )


def compare_parts(known: Parts, wanted: Parts, names: FileNames) -> Iterator[Cause]:
    """Why a day that was built from ``known`` is another when built from ``wanted``."""
    yield from _compare_files(known["files"], wanted["files"], names)
    for beside in sorted({*known["near"], *wanted["near"]}):
        before, after = (parts["near"].get(beside, {}) for parts in (known, wanted))
        for cause in _compare_files(before, after, names):
            text = keep("the day beside it, {day}, has {clause}", day=beside, clause=cause.text)
            yield replace(cause, text=text, is_beside=True)
    if known["geo"] != wanted["geo"] and known["files"] == wanted["files"]:
        dates = [", ".join(sorted({str(d) for d in parts["geo"][0]})) for parts in (known, wanted)]
        text = keep(
            "located by the database of {now}, built with that of {before}",
            now=dates[1], before=dates[0],
        )  # fmt: skip
        yield Cause("geo", text)
    if known["read_by"] != wanted["read_by"] and known["files"].keys() == wanted["files"].keys():
        text = keep("its raw files were read anew by other lists or definitions")
        yield Cause("definitions", text)
    yield from compare_rules(known["definitions"], known["settings"], wanted)


def compare_rules(definitions: str | None, settings: list[Any], now: Parts) -> Iterator[Cause]:
    """Why a day that was built by some definitions and settings is another by those of now."""
    if definitions != now["definitions"]:
        text = keep("definitions, SQL or the versions of DuckDB and Arrow have changed")
        yield Cause("definitions", text, waits=True)
    if settings != now["settings"]:
        yield Cause("settings", _compare_settings(settings, now["settings"]), waits=True)


def _compare_settings(known: list[Any], wanted: list[Any]) -> Kept:
    minutes = [its[0] if its else None for its in (known, wanted)]
    drops = [str(DROP_ROBOTLIKE in its).lower() for its in (known, wanted)]
    named: dict[str, list[Any]] = {"session_timeout_minutes": minutes, "drop_robotlike": drops}
    changed = {name: values for name, values in named.items() if values[0] != values[1]}
    said = (
        keep(
            "{name} is {now}, it was built with {before}",
            name=name,
            now=str(now),
            before=str(before),
        )
        for name, (before, now) in (changed or {"session_timeout_minutes": minutes}).items()
    )
    return Kept("; ".join(said))


def _compare_files(
    before: dict[str, int], after: dict[str, int], names: FileNames
) -> Iterator[Cause]:
    late, gone = after.keys() - before.keys(), before.keys() - after.keys()
    for stem, its in _pair_many(late, gone).items():
        late, gone = late - its, gone - its
        counts = [_count(its & keys.keys()) for keys in (after, before)]
        text = keep(
            "small files of {stem}: {count}, before {before}",
            stem=stem, count=counts[0], before=counts[1],
        )  # fmt: skip
        yield Cause("files", text)
    changed = {key for key in after.keys() & before.keys() if after[key] != before[key]}
    if late:
        yield Cause("files", keep("late files: {files}", files=names.list_files(late, after)))
    if gone:
        files = names.list_files(gone, before)
        yield Cause("files", keep("files replaced or taken out: {files}", files=files))
    if changed:
        text = keep(
            "other hits of the same files after duplicates were dropped or lines read anew:"
            " {files}",
            files=names.list_files(changed, after),
        )
        yield Cause("files", text)


def _pair_many(late: AbstractSet[str], gone: AbstractSet[str]) -> dict[str, set[str]]:
    """By pack what stands for its files then and now, of those that had or have many files."""
    found: dict[str, set[str]] = {}
    for key in sorted(late | gone):
        if many := MANY.fullmatch(key):
            found.setdefault(many["stem"], set()).add(key)
    for stem, its in found.items():
        for one, other in ((late, gone), (gone, late)):
            if its & one and not its & other:  # it had, or has, a few files
                source = stem.rpartition("-")[0]
                its |= {key for key in other if key.rpartition("-")[0] == source}
    return {stem: its for stem, its in found.items() if its & late and its & gone}


def _count(keys: Iterable[str]) -> int:
    found = (MANY.fullmatch(key) for key in keys)
    return sum(int(many["count"]) if many else 1 for many in found)
