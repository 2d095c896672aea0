"""The commands ``tidegauge geo list | lookup | fetch``: options in, rows and sentences out."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import (
    ConfigOption,
    Form,
    FormOption,
    GeoOption,
    LakeOption,
    RawCellsOption,
)
from pipeline.cli.output import print_rows
from pipeline.text import escape

if TYPE_CHECKING:
    from pipeline.enrich.geo.databases import GeoDatabase, OtherDatabase
    from pipeline.enrich.geo.fetch import Fetched

geo_app = typer.Typer(
    no_args_is_help=True,
    help="The dated address databases: what is there, what one says, how to get one.",
)


class KindChoice(StrEnum):
    """Which of a source's databases."""

    country = "country"
    city = "city"
    asn = "asn"


DayOption = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], help="Local day.", show_default="today"),
]

_DATABASE_COLUMNS = ["built", "kind", "provider", "type", "ip_version", "file"]
_ANSWER_COLUMNS = [
    "address",
    "country",
    "subdivision",
    "city",
    "database",
    "geo_built",
    "geo_is_late",
    "asn",
    "as_org",
    "asn_built",
]


@geo_app.command("list")
def list_command(
    geo: GeoOption = None,
    lake: LakeOption = None,  # noqa: ARG001 accepted by every command
    config: ConfigOption = None,
    form: FormOption = Form.table,
    raw_cells: RawCellsOption = False,
) -> None:
    """List the databases in the folder: of countries, of networks, those left out, and why.

    For example:

    tidegauge geo list --geo ./geo --format csv
    """
    from pipeline.enrich.geo.databases import list_databases, list_left_out, list_networks
    from pipeline.settings import load_settings

    settings = load_settings(config, geo=geo)
    known = [*list_databases(settings.geo), *list_networks(settings.geo)]
    rows = [_database_row(one, one.kind) for one in known]
    rows += [_database_row(one, f"left out: {one.why}") for one in list_left_out(settings.geo)]
    print_rows(_DATABASE_COLUMNS, rows, form.value, raw_cells=raw_cells)


@geo_app.command("lookup")
def lookup_command(  # noqa: PLR0913 - one parameter an option
    address: Annotated[str, typer.Argument(metavar="IP", help="An IPv4 or IPv6 address.")],
    on: DayOption = None,
    geo: GeoOption = None,
    lake: LakeOption = None,
    config: ConfigOption = None,
    form: FormOption = Form.table,
    raw_cells: RawCellsOption = False,
) -> None:
    """Say where an address was on a day, and whose network it was of, by which databases.

    For example:

    tidegauge geo lookup 8.8.8.8 --on 2016-11-08
    """
    from pipeline.enrich.geo.databases import list_databases, list_networks, none_in
    from pipeline.enrich.geo.single import lookup, lookup_network
    from pipeline.lake.lake import Lake
    from pipeline.lake.zone import find_zone
    from pipeline.settings import load_settings

    settings = load_settings(config, geo=geo, lake=lake)
    zone = find_zone(settings.timezone, Lake(settings.lake)).info
    day = on.date() if on else datetime.now(zone).date()
    day_start = datetime.combine(day, time(), zone)
    databases = list_databases(settings.geo)
    if not databases:
        raise none_in(settings.geo)
    answer = lookup(address, databases, day_start, settings.geo_provider)
    networks = list_networks(settings.geo)
    asn, as_org, by = lookup_network(address, networks, day_start, settings.geo_provider)
    row = (
        answer.address,
        answer.country,
        answer.subdivision,
        answer.city,
        answer.database.path.name,
        answer.database.build_date,
        answer.is_late,
        asn,
        as_org,
        by and by.build_date,
    )
    print_rows(_ANSWER_COLUMNS, [row], form.value, raw_cells=raw_cells)


@geo_app.command("fetch")
def fetch_command(  # noqa: PLR0913 - one parameter an option
    source: Annotated[
        str, typer.Argument(help="dbip-lite, maxmind, a URL, or the path of a file.")
    ],
    kind: Annotated[
        KindChoice | None,
        typer.Option(
            "--kind",
            "--edition",
            help="Of dbip-lite or maxmind; asn: whose network an address is of, also of a file.",
            show_default="dbip-lite country, maxmind city",
        ),
    ] = None,
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Accept one older than the newest.")
    ] = False,
    allow_size: Annotated[
        bool, typer.Option("--allow-size", help="Accept under half or over double the size.")
    ] = False,
    geo: GeoOption = None,
    lake: LakeOption = None,  # noqa: ARG001 accepted by every command
    config: ConfigOption = None,
) -> None:
    """Get a database, check it, and put it beside the older ones under its build date.

    dbip-lite (DB-IP, monthly, CC BY 4.0) needs no account.

    maxmind (GeoLite2) needs maxmind_account_id and maxmind_license_key in settings.

    A URL or path may be an .mmdb, a .gz or a .tar.gz.

    For example:

    tidegauge geo fetch dbip-lite --kind city

    tidegauge geo fetch dbip-lite --kind asn

    tidegauge geo fetch ./GeoLite2-City_20161103.tar.gz --allow-older
    """
    from pipeline.enrich.geo.check import Waivers
    from pipeline.enrich.geo.fetch import Effects, Options, fetch
    from pipeline.enrich.geo.providers import folder_of, services_of
    from pipeline.progress import show_bytes
    from pipeline.settings import load_settings

    settings = load_settings(config, geo=geo)
    options = Options(
        kind=kind.value if kind else None,
        services=services_of(settings),
        waivers=Waivers(allow_older=allow_older, allow_size=allow_size),
    )
    with show_bytes("fetching", None) as bar:
        effects = Effects(on_progress=bar.reach)
        fetched = fetch(source, folder_of(settings.geo), datetime.now(UTC), options, effects)
    typer.echo(_told(fetched))


def _database_row(
    known: GeoDatabase | OtherDatabase, kind: str
) -> tuple[date | datetime | str | int, ...]:
    return (
        known.built,
        kind,
        known.provider,
        known.database_type,
        known.ip_version,
        known.path.name,
    )


def _told(fetched: Fetched) -> str:
    from pipeline.enrich.geo.providers import NOTICES

    database = fetched.database
    path = escape(str(database.path))
    built = f"built {database.built:%Y-%m-%d %H:%M} UTC"
    if not fetched.is_new:
        return f"no change: {path} is this build already ({built})"
    notice = NOTICES.get(database.provider)
    return f"added {path} ({built})" + (f"\n{notice}" if notice else "")
