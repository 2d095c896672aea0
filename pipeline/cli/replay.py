"""The command ``replay``: rejected lines are read again from their raw files by today's reader."""

from typing import Annotated

import typer

from pipeline.cli.options import RowOptions, SiteOptions

COLUMNS = ["file", "file_key", "rejected", "now hits", "what was done"]


def replay(
    files: Annotated[
        list[str] | None, typer.Argument(help="Names or keys of files; all when not given.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of the lines.")
    ] = False,
    *,
    output: RowOptions,
    site: SiteOptions,
) -> None:
    """Read rejected lines again from their raw files, after the reader got better.

    A file with lines that are hits now is read anew; `build` then counts its days. Exit 1 when a
    raw file is gone.

    For example:

    tidegauge replay --dry-run

    tidegauge replay && tidegauge build
    """
    from pipeline.ingest.fetching import raw_again
    from pipeline.ingest.maker import ingest_settings, open_maker
    from pipeline.ingest.replay import list_rejected, take_replays, try_again
    from pipeline.lake.views import write_views
    from pipeline.lake.zone import find_zone, open_lake
    from pipeline.progress import show_bytes

    settings = site.settings()
    the_lake = open_lake(settings.lake)
    records = list_rejected(the_lake, files or [])
    total = sum(record.raw_bytes for record in records)
    how = ingest_settings(settings)
    with raw_again(the_lake, how.sources, records, the_lake.fetched) as raws:
        with show_bytes("reading rejected lines", total) as bar:
            found = [
                try_again(the_lake, how.sources, record, raws.get(record.file_key), bar.advance)
                for record in records
            ]
        if not dry_run:
            zone = find_zone(settings.timezone, the_lake)
            opened = lambda with_geo: open_maker(settings, zone, with_geo=with_geo)  # noqa: E731
            take_replays(the_lake, how, opened, found)
            write_views(the_lake)
    output.print(COLUMNS, [one.row for one in found])
    if any(one.raw is None for one in found):
        raise typer.Exit(1)
