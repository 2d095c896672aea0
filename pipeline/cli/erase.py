"""The command ``erase``: deletes what is kept of one person."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import RowOptions, SiteOptions
from pipeline.errors import SettingsError
from pipeline.text import escape

if TYPE_CHECKING:
    from pipeline.ingest.erasure import Trace
    from pipeline.lake.lake import Lake

COLUMNS = ["day", "table", "rows", "file"]


def erase_person(
    client: Annotated[str, typer.Option("--client", help="The address, or the host's name.")],
    agent: Annotated[
        list[str] | None,
        typer.Option("--agent", help="Only with this user agent, as written; may be repeated."),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Erase what is listed; without it, only list.")
    ] = False,
    *,
    output: RowOptions,
    site: SiteOptions,
) -> None:
    """List what the lake keeps of one person; with --delete, erase it. Figures stand.

    For example:

    tidegauge erase --client 203.0.113.9

    tidegauge erase --client 203.0.113.9 --agent "Mozilla/5.0 (X11)" --delete
    """
    from pipeline.build.build import build, build_settings
    from pipeline.ingest.erasure import Person, count_files, erase
    from pipeline.lake.zone import open_lake
    from pipeline.progress import show_steps

    settings = site.settings()
    the_lake = open_lake(settings.lake)
    person = Person(_read_client(client), tuple(agent or ()))
    rules = build_settings(settings, the_lake)  # by another key than the lake's nobody is found
    with show_steps("looking", count_files(the_lake)) as bar:
        traces = erase(the_lake, rules.key, person, is_asked=delete, on_file=bar.advance)
    if traces and delete:
        build(the_lake, rules)
    rows = [(t.day, t.table, t.rows, t.names) for t in traces]
    output.print(COLUMNS, rows)
    print(escape(_conclude(the_lake, traces, is_done=delete)), file=sys.stderr)


def _read_client(given: str) -> str:
    """The client as hits have it: of one written otherwise nothing would be found."""
    from pipeline.formats.client_texts import read_client
    from pipeline.proxies import NO_PEER, SOCKET

    client = read_client(given.strip())
    if client is None or client == NO_PEER or SOCKET.fullmatch(client):
        raise SettingsError(
            "--client", given, "no client; write an address or a host's name: 203.0.113.9,"
            " 2001:db8::9, host.example.net"
        )  # fmt: skip
    return client


def _conclude(lake: Lake, traces: list[Trace], *, is_done: bool) -> str:
    if not traces:
        return "the lake keeps nothing of this person"
    if not is_done:
        return "with --delete, these rows become nobody's; the figures stand"
    records = {key: record for trace in traces for key, record in trace.records.items()}
    there = lake.raw_paths({seen.path for record in records.values() for seen in record.seen})
    named = {record.name for key, record in records.items() if key in there}
    done = "erased: these rows are nobody's now, and the figures stand"
    if not named:
        return done
    return (
        f"{done}. Raw files still have the person's lines, which a file that grows brings back:"
        f" delete them there, too ({', '.join(sorted(named))})"
    )
