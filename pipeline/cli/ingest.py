"""The command ``ingest``: takes raw logs into a lake."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import (
    LayoutOption,
    MasterOption,
    NoGeoOption,
    RowOptions,
    SiteOptions,
    WorkersOption,
)
from pipeline.errors import SettingsError
from pipeline.text import say, shown, write_number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.ingest.ingested import Ingested
    from pipeline.ingest.source_names import Sources
    from pipeline.ingest.unchanged import Unchanged
    from pipeline.lake.lake import Lake
    from pipeline.lake.ledger import FileRecord
    from pipeline.lake.zone import Zone
    from pipeline.raw.files import Origin, RawFiles
    from pipeline.settings import Settings

log = logging.getLogger(__name__)

_NAMED = 100
"""Files of which the same is said; of more only their number."""


def ingest(  # noqa: PLR0913 one parameter an option
    paths: Annotated[
        list[Path],
        typer.Argument(help="Raw logs, folders of them, sources in settings, or - for stdin."),
    ],
    log_format: LayoutOption = None,
    source: Annotated[
        str | None,
        typer.Option(help="Name of the server; else the table's, or from each file's name."),
    ] = None,
    no_geo: NoGeoOption = False,
    again: Annotated[
        bool, typer.Option("--again", help="Read anew also what is known or was forgotten.")
    ] = False,
    workers: WorkersOption = None,
    master: MasterOption = None,
    *,
    site: SiteOptions,
    output: RowOptions,
) -> None:
    """Take raw logs (plain, gz, bz2, xz, zst) into the lake; prints its status.

    A source whose names bear a day gives its files of the last 31 days.

    For example:

    tidegauge ingest /var/log/nginx/access.log*

    tidegauge ingest ./raw --source web01 --no-geo

    zcat access.log.gz | tidegauge ingest - --source web01 --no-geo
    """
    from pipeline.cli.status import list_status
    from pipeline.ingest.fetching import standard_input
    from pipeline.ingest.maker import ingest_settings, open_maker
    from pipeline.ingest.sources import name_by_tables
    from pipeline.ingest.unchanged import Unchanged, part_unchanged
    from pipeline.lake.lake import Lake
    from pipeline.lake.views import write_views
    from pipeline.lake.zone import find_zone
    from pipeline.raw.naming import check_source

    if source is not None:
        check_source(source)
    settings = site.settings(log_format=log_format, workers=workers, spark_master=master)
    the_lake = Lake(settings.lake)
    zone = find_zone(settings.timezone, the_lake)
    with ExitStack() as ending:
        if Path("-") in paths:
            if source is None:
                raise SettingsError("--source", None, "standard input has no name: write --source")
            copy = ending.enter_context(standard_input(the_lake, settings.max_fetch_mb))
            paths = [copy if path == Path("-") else path for path in paths]
        sources = ingest_settings(settings).sources
        found = _find(the_lake, sources, paths, zone)
        for path, why in found.tell_hidden():
            say(f"{shown(path)}: {why}")
        if source is None:
            named = name_by_tables(sources, found.files)
            found = replace(found, origins={**named, **found.origins})
        known = Unchanged(0, [])
        if not again:
            found, known = part_unchanged(the_lake, found, source, _NAMED)
        origins = _name_sources(the_lake, sources, found, source, log_format)
        if known.count:
            open_maker(settings, zone, with_geo=not no_geo)  # refused as if they were read
        result = _ingest(settings, found, origins, zone, with_geo=not no_geo, again=again)
    write_views(the_lake)
    _say_unchanged(known)
    is_sound = _report_ingest(result)
    _say_doubts(the_lake, result)
    output.print(["what", "value"], list_status(settings, the_lake))
    if found.unreached:
        raise found.unreached[0]
    if not is_sound:
        raise typer.Exit(1)


def _find(lake: Lake, sources: Sources, paths: list[Path], zone: Zone) -> RawFiles:
    """The files of paths, and of names of sources that are no paths."""
    from pipeline.ingest.sources import days_around, find_raw_files
    from pipeline.raw.files import find_files

    known = {table.name for table in sources.tables}
    names = {str(path) for path in paths if str(path) in known and not path.exists()}
    given = [path for path in paths if str(path) not in names]
    found = find_files(given, follow_links=sources.follow_links)
    if not names:
        return found
    days = days_around(datetime.now(zone.info).date(), with_late=True)
    its = find_raw_files(lake, sources, days, names)
    _say_unmatched(sources, its, names)
    return found + its


def _say_unmatched(sources: Sources, its: RawFiles, names: set[str]) -> None:
    """Say which local sources have no file; a store out of reach says so itself."""
    matched = {origin.source for origin in its.origins.values()}
    for table in sources.tables:
        if table.files and table.name in names - matched:
            what = f"no file matches {table.files}, or each is an earlier table's"
            say(f"source {table.name}: {what}")


def _name_sources(
    lake: Lake, sources: Sources, found: RawFiles, source: str | None, log_format: str | None
) -> dict[Path, Origin]:
    """What is said of each file; what the command says comes first."""
    from pipeline.ingest.source_names import Namer

    tables = {table.name: table for table in reversed(sources.tables)}
    names = Namer(lake)
    origins = {}
    for path in found.files:
        table = tables.get(source or names.of(path))
        by_name = sources.origin_of_table(table) if table else names.origin(path)
        origin = found.origins.get(os.fspath(path), by_name)
        origins[path] = replace(
            origin,
            source=source or origin.source,
            layout=log_format or origin.layout or sources.layout,
        )
    return origins


def _ingest(  # noqa: PLR0913 what is read, and how
    settings: Settings,
    found: RawFiles,
    origins: Mapping[Path, Origin],
    zone: Zone,
    *,
    with_geo: bool,
    again: bool,
) -> Ingested:
    from pipeline.ingest.ingested import Failed
    from pipeline.ingest.maker import choose_zone
    from pipeline.orchestration.read_files import read_files
    from pipeline.progress import show_bytes
    from pipeline.raw.files import total_bytes

    zone, files = choose_zone(zone, found.files), tuple(found.files)
    with show_bytes("ingesting", total_bytes(files)) as bar:
        result = read_files(
            settings, zone, files,
            origins=origins, again=files if again else (), with_geo=with_geo,
            only_whole=False, on_read=bar.advance,
        )  # fmt: skip
    refused = tuple(Failed(path, why) for path, why in found.refused)
    return replace(result, failed=(*result.failed, *refused))


def _say_unchanged(known: Unchanged) -> None:
    """Say which files were not read, as the lake has them; of very many only how many."""
    if known.count > _NAMED:
        say(f"{known.count:,} files are already in the lake, as they were when read: skipped")
        return
    for path, key in known.named:
        say(f"{shown(path)}: already in the lake as {key}, skipped")


def _say_each(sentences: Iterable[str]) -> None:
    """Say sentences of one kind; of very many the first ones, and how many more there are."""
    its = list(sentences)
    most = len(its) if log.isEnabledFor(logging.INFO) else _NAMED
    for sentence in its[:most]:
        say(sentence)
    if more := len(its[most:]):
        say(
            f"{more:,} more likewise: `tidegauge --verbose ingest` names all, with --again also of"
            " files that are in the lake by now"
        )


def _report_ingest(result: Ingested) -> bool:
    """Say on stderr what was known, damaged, unread or failed; False for damaged and failed."""
    from pipeline.ingest.ingested import explain_overlap
    from pipeline.ingest.unheeded import explain_unheeded
    from pipeline.raw.holes import say_hole

    damaged = [record for record in result.records if record.damage]
    _say_each(f"{shown(path)}: {_say_known(record)}" for path, record in result.known)
    _say_each(f"{record.name}: {explain_overlap(record)}" for record in result.overlapping)
    _say_each(f"{shown(path)}: {doubt}" for path, doubt in result.ambiguous)
    _say_each(
        f"{one.name}: {one.damage}; kept the readable part, {write_number_of(one.lines, 'line')}"
        for one in damaged
    )
    holed = (record for record in result.added if record.nul_bytes)
    _say_each(f"{record.name}: {say_hole(record.nul_bytes)}" for record in holed)
    _say_each(explain_unheeded(result.added))
    _say_each(f"{shown(path)}: {why}" for path, why in result.unread)
    for one in result.failed:
        is_named = shown(one.path) in one.why or str(one.path) in one.why
        say(one.why if is_named else f"{shown(one.path)}: {one.why}")
    return not damaged and not result.failed  # lines are data, whatever became of them


def _say_doubts(lake: Lake, result: Ingested) -> None:
    """Say how the names of new files were read that can be read otherwise."""
    from pipeline.ingest.source_names import list_doubts

    new = {record.source for record in result.added}
    for source, doubt in list_doubts(lake, new).items():
        say(f"{doubt}: its source is {source}; if that is wrong, give --source or a [[source]]")


def _say_known(record: FileRecord) -> str:
    if record.replaced_by:
        return f"all of it is the beginning of {record.replaced_by}, skipped"
    if record.forgotten_at:
        return f"forgotten on {record.forgotten_at}, skipped; --again takes it in"
    return f"already in the lake as {record.file_key}, skipped"
