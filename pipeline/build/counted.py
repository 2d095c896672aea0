"""Which days' figures are not of the raw files that the lake has now.

Each day has a digest of its files and of those of the days beside it, kept in the sheets' footers
and in the line of the day that was built: most lakes are told to be counted without Arrow.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from pipeline.build.built import read_built
from pipeline.days import ONE_DAY
from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FILES_FOLDER, SUMS
from pipeline.lake.old_ledger import has_old
from pipeline.lake.query import State

_NAMED = 5


@dataclass(frozen=True)
class Uncounted:
    """Days that are not counted of the raw files that the lake has now, in order."""

    overtaken: list[date]
    """Counted from other files than there are now."""
    unbuilt: list[date]
    """Never counted."""


def digest_files(sheets: Iterable[Mapping[str, str]]) -> dict[date, str]:
    """Each day that raw files have hits of: a digest of them, and of those beside it.

    ``sheets``: what each has of which day (ISO), as a digest.
    """
    by_text = defaultdict(list)
    for days in sheets:
        for text, digest in days.items():
            by_text[text].append(digest)
    found = {date.fromisoformat(text): its for text, its in by_text.items()}
    return {
        day: hashlib.sha256(
            json.dumps([sorted(found.get(day + n * ONE_DAY, ())) for n in (-1, 0, 1)]).encode()
        ).hexdigest()[:32]
        for day in found
    }


def find_uncounted(state: State, timeout_minutes: int) -> Uncounted:
    """What ``list_uncounted`` finds, at once where there is nothing to find."""
    if _are_all_counted(state):
        return Uncounted([], [])
    from pipeline.build.stale import list_uncounted  # noqa: PLC0415 loads Arrow

    return list_uncounted(state.lake, timeout_minutes)


def list_lost(lake: Lake, days: Iterable[date]) -> list[date]:
    """Those of days that were counted whose figures are gone, as in a copy that is not whole."""
    return [day for day in days if list_lacking(lake, str(day))]


def list_lacking(lake: Lake, day: str) -> list[str]:
    """The tables whose part of a day that was counted is gone; its sessions may rightly be none."""
    return [name for name in ("daily", "hourly") if not lake.has_part(name, day)]


def refuse_lost(lake: Lake, days: Iterable[date]) -> None:
    """Refuse days of which figures are gone: what is left would say 0.

    Raises:
        LakeError: there are some.
    """
    if lost := list_lost(lake, days):
        named = ", ".join(map(str, lost[:_NAMED])) + (" ..." if len(lost) > _NAMED else "")
        raise LakeError(
            f"lake {lake.name}: it lacks the figures of {named}, as a copy does that is not whole:"
            " copy it again, or `tidegauge build` counts them anew"
        )


def _are_all_counted(state: State) -> bool:
    """Whether each day that is not sealed is surely of the files there are: footers tell."""
    lake = state.lake
    sheets = [str(path) for path in (lake.root / FILES_FOLDER).glob("*.parquet")]
    if not sheets or has_old(lake.ledger):
        return False
    _, rows = state.query("build/sums", sheets=sheets, name=SUMS)
    if len(rows) < len(sheets):  # some are of another version
        return False
    try:
        by_sheet = [json.loads(text)["days"] for (text,) in rows]
        files = digest_files({day: its[-1] for day, its in days.items()} for days in by_sheet)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):  # who reads them well says what is off
        return False
    sealed = lake.sealed()
    now = {str(day): digest for day, digest in files.items() if str(day) not in sealed}
    return now == {day: line.files for day, line in read_built(lake).items() if day not in sealed}
