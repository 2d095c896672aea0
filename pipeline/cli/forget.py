"""The command ``forget``: takes a raw file's hits out of the lake again."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.cli.options import ConfigOption, GeoOption, LakeOption
from pipeline.errors import DataError, LakeError
from pipeline.ingest.deduplication import Source, overlap_rules
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.views import write_views
from pipeline.lake.zone import open_lake
from pipeline.settings import Settings, load_settings
from pipeline.text import escape


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("forget")(forget)


def forget_file(settings: Settings, lake: Lake, name: str, now: datetime) -> FileRecord:
    """Take the hits and rejects of one raw file out; its record stays, marked as forgotten.

    Lines that other files share with it, and that were dropped as its duplicates, come back. A run
    that finds the raw file again leaves it alone.

    Raises:
        LakeError: the lake has no such file, or several.
        DataError: a day of it is sealed.
    """
    with lake.staging() as staging, lake.lock():
        record = _find(lake, name)
        sealed = sorted(lake.sealed() & record.read_days.keys())
        if sealed:
            raise DataError(
                f"{escape(record.name)} has hits of {sealed[0]}, which is sealed: its figures stand"
            )
        source = Source(lake, record.source, overlap_rules(settings), staging)
        settled = source.forget(record.file_key, now)
        lake.commit(settled.moves)
    return settled.records[0]


def _find(lake: Lake, name: str) -> FileRecord:
    """The file with this key, or this path or name when only one has it."""
    records = lake.files()
    seen = lake.find_seen(lake.root.cwd() / name)
    keys = {name, seen.file_key if seen else None}
    found = [record for record in records if record.file_key in keys]
    found = found or [record for record in records if record.name == os.path.basename(name)]  # noqa: PTH119 a name may be no path
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(record.file_key for record in found)
        raise LakeError(f"several files are called {name}; name one by its key: {listed}")
    raise LakeError(
        f"lake {lake.root} has no file {name}: name one as `tidegauge sql` shows it in the names of"
        " the hits' files, or by the path it was read from"
    )


def forget(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Its path, its name, or its key in the lake.")
    ],
    lake: LakeOption = None,
    geo: GeoOption = None,
    config: ConfigOption = None,
) -> None:
    """Take a raw file's hits out of the lake again; `build` then counts its days anew.

    For example:

    tidegauge forget web03-20161108.log.gz && tidegauge build

    tidegauge ingest --again web03-20161108.log.gz
    """
    settings = load_settings(config, lake=lake, geo=geo)
    the_lake = open_lake(settings)
    record = forget_file(settings, the_lake, file, datetime.now(UTC))
    write_views(the_lake)
    days = ", ".join(record.read_days)
    print(
        f"{record.file_key}: {record.hits:,} hits taken out; `tidegauge build` counts {days} anew"
    )
