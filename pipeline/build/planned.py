"""What one build is to make: its days, and the files and parts of each as they were then.

A plan is frozen, so that the processes of a build agree on it whatever becomes of the lake. As JSON
it holds no secret: who carries it out brings the settings, which must be those it was made with.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from pipeline.build.built import Built, Parts, fingerprint, line_of
from pipeline.build.files_of_days import DayFiles
from pipeline.build.stale import SessionRules, Stock, parts_of, rules_of
from pipeline.errors import EngineError
from pipeline.lake.lake import Lake


@dataclass(frozen=True)
class Plan:
    """The days of one build."""

    days: tuple[date, ...]
    files: dict[date, DayFiles]
    """Theirs and their neighbours'."""
    wanted: dict[str, Parts]
    """What each is built from, by ISO day."""
    digests: dict[str, str]
    """Of each day's files, as the ledger had them."""
    before: dict[str, str | None]
    """The fingerprint of what each was built from until then."""
    hits_at_once: int
    """By which large days are divided."""

    @classmethod
    def of(
        cls, lake: Lake, rules: SessionRules, stock: Stock, days: Collection[date], at_once: int
    ) -> "Plan":
        """Plan some days as the lake is."""
        files, wanted = parts_of(lake, rules, days)
        before = {day: line.parts for day, line in stock.built.items()}
        return cls(
            tuple(sorted(days)), files, wanted, {str(day): stock.files[day] for day in days},
            {str(day): before.get(str(day)) for day in days}, at_once,
        )  # fmt: skip

    def line(self, day: date) -> Built:
        """The ledger's line of a day that was built by the plan."""
        return line_of(self.wanted[str(day)], self.digests[str(day)])

    def stands(self, day: date, now: "Plan") -> bool:
        """Whether a day built by this plan may be put into a lake by which it is planned so now.

        It may when its own files and what reads them are the same. Those beside it may have
        changed since, as today's do every hour, unless somebody has built it with them.
        """
        own, its = self.wanted[str(day)], now.wanted[str(day)]
        is_same = own | {"near": None} == its | {"near": None}
        unbuilt = now.before[str(day)] == self.before[str(day)]
        return is_same and (unbuilt or fingerprint(own) == fingerprint(its))

    def refuse_others(self, lake: Lake, rules: SessionRules) -> None:
        """See that whoever carries it out has the settings and libraries that it was made with.

        Raises:
            EngineError: the days would be built from something else.
        """
        its = rules_of(lake, rules)
        if any(parts | its != parts for parts in self.wanted.values()):
            raise EngineError(
                "settings, definitions or libraries here are not those that the build was planned"
                " with: install the same everywhere, and begin again with the plan"
            )

    def to_json(self) -> str:
        """As text."""
        files = [asdict(its) | {"day": str(its.day)} for its in self.files.values()]
        days = [str(day) for day in self.days]
        return json.dumps(asdict(self) | {"days": days, "files": files})

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """The plan of a text."""
        its: dict[str, Any] = json.loads(text)
        files = map(_read_files, its["files"])
        days = tuple(map(date.fromisoformat, its["days"]))
        return cls(**its | {"days": days, "files": {one.day: one for one in files}})


def _read_files(its: dict[str, Any]) -> DayFiles:
    many = {name: tuple(value) for name, value in its.items() if isinstance(value, list)}
    return DayFiles(**its | many | {"day": date.fromisoformat(its["day"])})
