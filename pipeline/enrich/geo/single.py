"""One address, answered in full by MaxMind's own reader. Not for bulk: that is ``lookup``."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import geoip2.database
import geoip2.models
import maxminddb
import pyarrow as pa
from geoip2.errors import AddressNotFoundError

from pipeline.definitions import NO_COUNTRY
from pipeline.enrich.geo.databases import (
    READ_SAFELY,
    GeoDatabase,
    Kind,
    damage_named,
    in_force,
    network_in_force,
)
from pipeline.enrich.geo.lookup import Locator, as_codes
from pipeline.errors import GeoError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_FLAT: dict[Kind, str] = {"flat": "country_code", "text": "country"}
"""Where the country stands in a record without maps."""


@dataclass(frozen=True)
class Answer:
    """What one database says of one address; ``country`` is ``ZZ`` when it says nothing."""

    address: str
    country: str
    subdivision: str | None
    city: str | None
    database: GeoDatabase
    is_late: bool


def lookup(
    address: str, databases: list[GeoDatabase], day_start: datetime, provider: str | None
) -> Answer:
    """Locate ``address`` by the database in force on the day that starts at ``day_start``.

    Raises GeoError when it is no IP address, there is no database, or the one in force is damaged.
    """
    canonical = parse_address(address)
    database, is_late = in_force(databases, day_start, provider)
    country, subdivision, city = locate_one(canonical, database)
    return Answer(str(canonical), country, subdivision, city, database, is_late)


def lookup_network(
    address: str, networks: list[GeoDatabase], day_start: datetime, provider: str | None
) -> tuple[int | None, str | None, GeoDatabase | None]:
    """Number and name of the network of ``address``, by the database in force on a day.

    All is None without a database of networks. Raises GeoError as ``lookup``.
    """
    canonical = parse_address(address)
    database = network_in_force(networks, day_start, provider)
    if database is None:
        return None, None, None
    with Locator(database) as locator:
        number, name = locator.locate([str(canonical)])
    return number[0].as_py(), name[0].as_py(), database


def parse_address(address: str) -> Address:
    """Read an address in its one spelling; raises GeoError when it is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise GeoError(f"{address!r} is not an IP address") from None
    if isinstance(parsed, ipaddress.IPv6Address):
        return parsed.ipv4_mapped or parsed
    return parsed


def locate_one(address: Address, database: GeoDatabase) -> tuple[str, str | None, str | None]:
    """Return country, subdivision and city (its English name) of ``address``."""
    if address.version > database.ip_version or getattr(address, "scope_id", None):
        return NO_COUNTRY, None, None
    with damage_named(database.path):
        if database.kind in _FLAT:
            return _ask_maxminddb(address, database), None, None
        return _ask_geoip2(address, database)


def _ask_maxminddb(address: Address, database: GeoDatabase) -> str:
    with maxminddb.open_database(database.path, READ_SAFELY) as reader:
        record: Any = reader.get(address)
        return _as_code((record or {}).get(_FLAT[database.kind]))


def _as_code(answer: object) -> str:
    code: str = as_codes(pa.array([answer if isinstance(answer, str) else None], pa.string()))[
        0
    ].as_py()
    return code


def _ask_geoip2(address: Address, database: GeoDatabase) -> tuple[str, str | None, str | None]:
    with geoip2.database.Reader(database.path, mode=READ_SAFELY) as reader:
        ask = _method(reader, database)
        try:
            found = ask(address)
        except AddressNotFoundError:
            return NO_COUNTRY, None, None
    country = _as_code(found.country.iso_code)
    if not isinstance(found, geoip2.models.City):
        return country, None, None
    largest = found.subdivisions[0].iso_code if found.subdivisions else None
    return country, largest, found.city.name


def _method(
    reader: geoip2.database.Reader, database: GeoDatabase
) -> Callable[[Address], geoip2.models.Country]:
    # geoip2 refuses a database whose type does not contain the method's own word.
    if "Enterprise" in database.database_type:
        return reader.enterprise
    return reader.city if database.kind == "City" else reader.country
