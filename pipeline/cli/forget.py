"""The command ``forget``: takes a raw file's hits out of the lake again."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.cli.options import SiteOptions


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
    from pipeline.lake.views import write_views
    from pipeline.lake.zone import open_lake

    settings = site.settings()
    the_lake = open_lake(settings.lake)
    record = forget_file(the_lake, ingest_settings(settings).overlaps, file, datetime.now(UTC))
    write_views(the_lake)
    days = ", ".join(record.read_days)
    print(
        f"{record.file_key}: {record.hits:,} hits taken out; `tidegauge build` counts {days} anew"
    )
