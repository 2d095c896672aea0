"""The command ``build``."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import MasterOption, RowOptions, SiteOptions, WorkersOption
from pipeline.definitions import ASKED
from pipeline.text import write_days

if TYPE_CHECKING:
    from pipeline.lake.lake import Lake
    from pipeline.settings import Settings

Also = StrEnum("Also", {kind: kind for kind in ASKED})  # type: ignore[misc]  # known at run time
"""The kinds of causes that a build takes only when asked to."""


def build_command(  # noqa: PLR0913 one parameter an option
    also: Annotated[
        list[Also] | None,
        typer.Option("--also", help="Take this kind of cause, too; can be given several times."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Only say which days are stale, and why.")
    ] = False,
    workers: WorkersOption = None,
    master: MasterOption = None,
    *,
    site: SiteOptions,
    output: RowOptions,
) -> None:
    """Rebuild sessions, daily, hourly, days and surges of days with new or late files; publish.

    With --also, what else would change figures: raw files are read again where they must be, by
    another database (geo) or robot lists (robots); days are built anew by other definitions or
    settings. A day whose raw file is gone is named and kept.

    For example:

    tidegauge build --explain

    tidegauge build --also geo --also robots
    """
    from pipeline.build.build import build, build_settings
    from pipeline.build.restatements import publish
    from pipeline.cli.status import explain_stale
    from pipeline.lake.zone import open_lake
    from pipeline.progress import show_steps
    from pipeline.settings import engine_of

    settings = site.settings(workers=workers, spark_master=master)
    the_lake = open_lake(settings.lake)
    if explain:
        rows = explain_stale(settings, the_lake)
        output.print(["day", "kind", "cause", "taken by"], rows)
        return
    kinds = [kind.value for kind in also or []]
    kept = _read_again(settings, the_lake, kinds) if kinds else {}
    made_with = build_settings(settings, the_lake)
    with show_steps("building", None) as bar:
        days = build(the_lake, made_with, bar.advance, kinds, engine_of(settings))
    publish(the_lake, datetime.now(UTC), made_with)
    print(f"built {write_days([*map(str, days)], ': ')}{'' if days else ', nothing was stale'}")
    for day, names in kept.items():
        why = "its raw files are gone, or a person was erased from their hits"
        print(f"kept {day} as it is: {why} ({', '.join(names)})")


def _read_again(settings: Settings, lake: Lake, kinds: list[str]) -> dict[str, list[str]]:
    from pipeline.ingest.maker import current_maker, ingest_settings, open_maker
    from pipeline.ingest.reprocess import plan_reread, reread
    from pipeline.lake.views import write_views
    from pipeline.lake.zone import find_zone
    from pipeline.progress import show_bytes

    how, maker = ingest_settings(settings), current_maker(settings, lake)
    zone = find_zone(settings.timezone, lake)
    total = plan_reread(lake, how.sources, maker, kinds).raw_bytes
    with show_bytes("reading again", total) as bar:
        plan = reread(
            lake, how, maker, lambda with_geo: open_maker(settings, zone, with_geo=with_geo), kinds,
            bar.advance,
        )  # fmt: skip
    write_views(lake)
    return plan.kept
