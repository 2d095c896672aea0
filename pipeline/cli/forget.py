"""The command ``forget``: takes a raw file's hits out of the lake again."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.cli.options import SiteOptions

_SHOWN = 5


def forget(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Its path, its name, or its key in the lake.")
    ],
    *,
    site: SiteOptions,
) -> None:
    """Take a raw file's hits out of the lake again; `build` then counts its days anew.

    For example:

    tidegauge forget web03-20161108.log.gz && tidegauge build

    tidegauge ingest --again web03-20161108.log.gz
    """
    from pipeline.ingest.forget import forget_file
    from pipeline.ingest.maker import ingest_settings
    from pipeline.lake.records import list_replaced
    from pipeline.lake.views import write_views
    from pipeline.lake.zone import open_lake
    from pipeline.text import escape

    settings = site.settings()
    the_lake = open_lake(settings.lake)
    record = forget_file(the_lake, ingest_settings(settings).overlaps, file, datetime.now(UTC))
    write_views(the_lake)
    days = ", ".join(record.read_days)
    print(
        f"{record.file_key}: {record.hits:,} hits taken out; `tidegauge build` counts {days} anew"
    )
    if earlier := list_replaced(the_lake.ledger, record.file_key):
        shown = ", ".join(map(escape, earlier[:_SHOWN]))
        more = f" and {len(earlier) - _SHOWN:,} more" if len(earlier) > _SHOWN else ""
        print(
            f"it had replaced {shown}{more}: what was there before comes back only when that is"
            " taken in again, with `tidegauge ingest`"
        )
