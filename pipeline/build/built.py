"""What each day was built from, and published from: a line a day, and the parts in a file a day.

``ledger/built.json`` has the lines: a build with nothing stale reads no more. The parts lie in
``ledger/parts/day=D.json`` by their fingerprints: those of the build and, where they are others, of
the last publication. Versions up to 0.5 wrote the parts themselves into ``built.json`` and
``published.json``; the next build or publication writes them as here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json

if TYPE_CHECKING:
    from pipeline.lake.change import Change  # loads Arrow

Parts = dict[str, Any]
DROP_ROBOTLIKE = "drop_robotlike"


@dataclass(frozen=True)
class Built:
    """One day's line."""

    parts: str
    """The fingerprint of what it was built from."""
    definitions: str | None = None
    """Of what the parts say, the models and the versions of the engines."""
    settings: tuple[Any, ...] = ()
    """And the settings."""
    files: str | None = None
    """The digest of its raw files and of those of the days beside it, as the ledger had them."""

    @property
    def drops_robotlike(self) -> bool:
        """Whether robot-like visitors were left out."""
        return DROP_ROBOTLIKE in self.settings


def fingerprint(parts: Parts) -> str:
    """Name what a day was built from."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def line_of(parts: Parts, files: str | None = None) -> Built:
    """The line of a day that is built from some parts."""
    settings = tuple(parts.get("settings", ()))
    return Built(fingerprint(parts), parts.get("definitions"), settings, files)


def session_timeout(built: Built | None, otherwise: int) -> int:
    """Minutes without a hit that ended a session when the day was counted; else ``otherwise``."""
    return int(built.settings[0]) if built and built.settings else otherwise


def read_built(lake: Lake) -> dict[str, Built]:
    """Each day's line, by ISO day."""
    known = read_json(_built_path(lake))
    return {
        day: line_of(its) if _is_old(its) else Built(**its | {"settings": tuple(its["settings"])})
        for day, its in known.items()
    }


def name_published(mark: Mapping[str, Any]) -> str | None:
    """The fingerprint of the parts that a mark in ``published.json`` is of."""
    parts = mark["parts"]
    return fingerprint(parts) if isinstance(parts, dict) else parts


class PartsOfDays:
    """The parts that days were built and published from."""

    def __init__(self, lake: Lake) -> None:
        """Read them when they are asked for."""
        self._lake = lake

    def find(self, day: str, name: str | None) -> Parts | None:
        """The parts of a fingerprint; None when the ledger has lost them."""
        if name is None:
            return None
        found: Parts | None = read_json(parts_path(self._lake, day)).get(name)
        return found or next((p for p in self._old.get(day, ()) if fingerprint(p) == name), None)

    @cached_property
    def _old(self) -> dict[str, list[Parts]]:
        """As versions up to 0.5 wrote them."""
        found: dict[str, list[Parts]] = {}
        for day, its in read_json(_built_path(self._lake)).items():
            if _is_old(its):
                found.setdefault(day, []).append(its)
        for day, mark in read_json(published_path(self._lake)).items():
            if isinstance(mark["parts"], dict):
                found.setdefault(day, []).append(mark["parts"])
        return found


def put_built(change: Change, built: Mapping[str, Built], made: Mapping[str, Parts]) -> None:
    """Let a change bring each day's line, with the parts that days are ``made`` of."""
    known = read_json(_built_path(change.lake))
    lines = {day: asdict(one) for day, one in built.items()}
    changed = [
        day
        for day in known.keys() | lines.keys()
        if known.get(day, {}).get("parts") != lines.get(day, {}).get("parts")
    ]
    change.write_json(_built_path(change.lake), lines)
    _keep_parts(change, changed, made)


def put_published(change: Change, marks: Mapping[str, Mapping[str, Any]]) -> None:
    """Let a change bring what each day was published from: fingerprints, and what else is said."""
    known = read_json(published_path(change.lake))
    changed = [
        day for day, mark in marks.items() if known.get(day, {}).get("parts") != mark["parts"]
    ]
    change.write_json(published_path(change.lake), marks)
    _keep_parts(change, changed, {})


def _keep_parts(change: Change, days: Iterable[str], made: Mapping[str, Parts]) -> None:
    """Have the files of some days hold what their line and their mark name, and nothing else."""
    lines, marks = (change.read_json(path(change.lake)) for path in (_built_path, published_path))
    known = PartsOfDays(change.lake)
    for day in days:
        names = [its.get(day, {}).get("parts") for its in (lines, marks)]
        new = {fingerprint(made[day]): made[day]} if day in made else {}
        content = {
            name: new.get(name) or known.find(day, name) for name in names if isinstance(name, str)
        }
        target = parts_path(change.lake, day)
        if any(content.values()):
            change.write_json(target, {name: its for name, its in content.items() if its})
        elif target.exists():
            change.replace(target, None)


def _is_old(line: Mapping[str, Any]) -> bool:
    return "parts" not in line


def _built_path(lake: Lake) -> Path:
    return lake.ledger / "built.json"


def published_path(lake: Lake) -> Path:
    """Where it lies what each day was published from."""
    return lake.ledger / "published.json"


def parts_path(lake: Lake, day: str) -> Path:
    """Where a day's parts lie."""
    return lake.ledger / "parts" / f"day={day}.json"
