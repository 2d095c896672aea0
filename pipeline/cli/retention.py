"""The command ``retention``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import RowOptions, SiteOptions
from pipeline.errors import TidegaugeError
from pipeline.text import escape, write_number_of

if TYPE_CHECKING:
    from pipeline.build.retention import OldDay, RetentionSettings
    from pipeline.lake.lake import Lake

COLUMNS = ["day", "hits_files", "rejects_files", "bytes", "is_sealed"]


def retention(
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete what is listed; without it, only list.")
    ] = False,
    max_days: Annotated[
        int | None,
        typer.Option(
            "--max-days",
            min=1,
            help="Allow so many days at once, this time.",
            show_default="retention_max_days",
        ),
    ] = None,
    *,
    output: RowOptions,
    site: SiteOptions,
) -> None:
    """List hits and rejects older than hits_kept_days; with --delete, delete them. Figures stay.

    For example:

    tidegauge retention

    tidegauge retention --delete --max-days 30
    """
    from pipeline.build.retention import (
        apply_retention,
        local_today,
        plan_retention,
        retention_settings,
    )
    from pipeline.lake.zone import open_lake

    settings = site.settings(retention_max_days=max_days)
    the_lake = open_lake(settings.lake)
    how = retention_settings(settings)
    today = local_today(how.timezone, the_lake, datetime.now(UTC))
    act = apply_retention if delete else plan_retention
    plan = act(the_lake, how, today)
    output.print(COLUMNS, [old.row for old in plan])
    said = _conclude(the_lake, how, today, plan, is_done=delete)
    with the_lake.lock() if delete else the_lake.hold():
        garbage = the_lake.store.list_garbage(delete=delete)
    if garbage:
        size = write_number_of(sum(one.size for one in garbage), "byte")
        what = f"{write_number_of(len(garbage), 'object')} of {size} that no commit needs any more"
        said += f"; {what}: {'deleted' if delete else 'would go, too'}"
    print(escape(said), file=sys.stderr)


def _conclude(
    lake: Lake, how: RetentionSettings, today: date, plan: Sequence[OldDay], *, is_done: bool
) -> str:
    """What was done, or what to do next, as a sentence."""
    from pipeline.build.retention import check_plan

    if how.kept_days is None:
        return (
            "hits_kept_days is not set: hits and rejects are kept for good; set it in"
            " tidegauge.toml or TIDEGAUGE_HITS_KEPT_DAYS to the days that they are kept"
        )
    if not plan:
        cutoff = how.cutoff(today)
        return f"nothing to delete: there are no hits or rejects of days before {cutoff}"
    size = sum(old.size_bytes for old in plan)
    what = f"{write_number_of(size, 'byte')} of {write_number_of(len(plan), 'day')}"
    if is_done:
        return f"deleted {what}; their figures stand"
    try:
        check_plan(lake, how, plan)
    except TidegaugeError as error:
        return f"nothing was deleted, and --delete would be refused: {error}"
    return f"nothing was deleted; `tidegauge retention --delete` deletes {what} for good"
