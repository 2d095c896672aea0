"""The command ``verify``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from pipeline.cli.options import FromOption, RowOptions, SiteOptions, ToOption, day_of
from pipeline.text import escape, write_number_of

if TYPE_CHECKING:
    from pipeline.build.batch import BuildSettings
    from pipeline.lake.lake import Lake
    from pipeline.settings import Settings
    from pipeline.verify.proof import Proof


def verify(
    start: FromOption = None,
    end: ToOption = None,
    processes: Annotated[
        int, typer.Option(min=1, max=16, help="At most so many at once, on a large lake.")
    ] = 2,
    *,
    output: RowOptions,
    site: SiteOptions,
) -> None:
    """Prove the lake: every file as it was written, every figure counted anew from the hits.

    Prints what is off, and which days are stale or sealed; exit code 1 when anything is off.

    For example:

    tidegauge verify

    tidegauge verify --from 2016-11-08 --to 2016-11-09 --format json
    """
    from pipeline.lake.lake import Lake
    from pipeline.progress import show_steps
    from pipeline.verify.findings import COLUMNS
    from pipeline.verify.proof import AskedDays, prove_lake

    settings = site.settings()
    the_lake = Lake(settings.lake)
    with show_steps("verifying", None) as bar:
        proof = prove_lake(
            the_lake,
            _rules_of(settings, the_lake),
            AskedDays(day_of(start), day_of(end)),
            processes,
            bar.advance,
        )
    output.print(COLUMNS, [finding.row for finding in proof.findings])
    print(escape(conclude(proof)), file=sys.stderr)
    if proof.off:
        raise typer.Exit(1)


def _rules_of(settings: Settings, lake: Lake) -> BuildSettings:
    """What the figures depend on; by the settings alone when the lake's own word is damaged.

    Raises:
        LakeError: there is no lake, or it is another zone's or key's.
    """
    from pipeline.build.batch import BuildSettings
    from pipeline.build.build import build_settings
    from pipeline.enrich.visitors import load_key
    from pipeline.lake.digests import is_intact
    from pipeline.lake.zone import assumed_zone, open_lake

    path = lake.ledger / "lake.json"
    is_damaged = not (path.exists() and is_intact(path.read_bytes().decode(errors="replace")))
    if not is_damaged or not (lake.ledger / "files").is_dir():
        return build_settings(settings, open_lake(settings.lake))
    zone = ZoneInfo(settings.timezone or assumed_zone())
    return BuildSettings(
        settings.session_timeout_minutes, settings.drop_robotlike,
        zone=zone, key=load_key(settings), memory_mb=settings.memory_limit_mb,
    )  # fmt: skip


def conclude(proof: Proof) -> str:
    """What the proof comes to, and what was only compared by its bytes, as a sentence."""
    counts = (proof.days, "day"), (proof.hits, "hit"), (proof.files, "file")
    days, hits, files = (write_number_of(*count) for count in counts)
    what = f"{days}, {hits} of {files} counted anew"
    if proof.sealed:
        what += f"; {write_number_of(proof.sealed, 'sealed day')} by bytes alone"
    if proof.uncounted:
        what += f"; {write_number_of(proof.uncounted, 'other day')} not counted"
    if not proof.off:
        return f"{what}: nothing is off"
    return f"{what}: {write_number_of(len(proof.off), 'finding')} of something that is off"
