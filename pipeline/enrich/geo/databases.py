"""The dated address databases of a folder, and which is in force on a day. Locates nothing."""

import contextlib
import ipaddress
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import maxminddb
import maxminddb.reader

from pipeline.enrich.geo.tree import damaged, first_networks
from pipeline.errors import GeoError

Kind = Literal["City", "Country", "flat", "text", "ASN"]

READ_SAFELY = maxminddb.MODE_MMAP
"""Read by Python alone: over some damaged records the reader in C ends the process."""
_REMEDY = (
    "get one with `tidegauge geo fetch dbip-lite` (no account needed), set geo to the folder that"
    ' holds one, or to "none" to locate nobody'
)
_OPTIONS = " (also as options: --geo, --no-geo)"

_PREFERENCE: dict[Kind, int] = {"City": 0, "Country": 1, "flat": 2, "text": 3, "ASN": 4}
_PROVIDERS = {"maxmind": r"geolite|geoip|maxmind", "dbip": r"db-?ip"}
_PROBED_NODES = 20_000
_PROBED_RECORDS = 1_000
_SHOWN_KEYS = 5
_GEOGRAPHY = {"continent", "country", "registered_country", "city", "location"}
"""Of a City or Country database a record may lack the country, but not all of these."""


@dataclass(frozen=True)
class GeoDatabase:
    """One address database file; ``built`` (aware, UTC) and the rest are as its metadata says.

    ``kind`` is ``City`` (country and subdivisions), ``Country``, ``flat`` (``country_code`` at the
    record's top level), ``text`` (``country``, which is the code itself), or ``ASN``: of networks,
    autonomous systems with their numbers and names, and of no countries. ``provider`` is
    ``maxmind``, ``dbip``, or the first word of the database's type in lower case.
    """

    path: Path
    built: datetime
    kind: Kind
    provider: str
    database_type: str
    ip_version: int

    @property
    def build_date(self) -> date:
        """The UTC date it was built on, which the lake keeps as ``geo_built``."""
        return self.built.date()

    @property
    def knows_countries(self) -> bool:
        """Whether it can tell where an address is; else it tells whose network it is of."""
        return self.kind != "ASN"


@dataclass(frozen=True)
class OtherDatabase:
    """A sound database that knows no countries and no networks, and what it is taken to hold."""

    path: Path
    built: datetime
    provider: str
    database_type: str
    ip_version: int
    why: str


def no_database(what: str) -> GeoError:
    """The error that says what is wrong, and how to come by a database."""
    return GeoError(f"{what}: {_REMEDY}", options=_OPTIONS)


def list_known(folder: Path | None) -> list[GeoDatabase]:
    """Return the databases of ``folder``, sorted by build time, then name.

    None has none: nobody is to be located. Other files, and sound databases of other things
    (domains), are left out. A missing folder holds none. Raises GeoError naming the file when a
    ``.mmdb`` file is damaged.
    """
    known = [one for one in look_into(folder) if isinstance(one, GeoDatabase)]
    return sorted(known, key=lambda database: (database.built, database.path.name))


def list_databases(folder: Path | None) -> list[GeoDatabase]:
    """Return those of ``list_known`` that know countries."""
    return [one for one in list_known(folder) if one.knows_countries]


def list_networks(folder: Path | None) -> list[GeoDatabase]:
    """Return those of networks."""
    return [one for one in list_known(folder) if not one.knows_countries]


def list_left_out(folder: Path | None) -> list[OtherDatabase]:
    """Return the databases of ``folder`` of other things, by name; raises as above."""
    return [one for one in look_into(folder) if isinstance(one, OtherDatabase)]


def look_into(folder: Path | None) -> list[GeoDatabase | OtherDatabase]:
    """Return all databases of ``folder``, by name; raises as ``list_known``."""
    if folder is None:
        return []
    if folder.exists() and not folder.is_dir():
        raise no_database(f"{folder} is not a folder of address databases")
    return [look_at(path) for path in sorted(folder.glob("*.mmdb"))] if folder.exists() else []


def none_in(folder: Path | None) -> GeoError:
    """That a folder has no database of countries, why those it has are none, and the remedy."""
    others = [
        f"{one.path.name} is left out: it {_say_no_countries(one)}" for one in look_into(folder)
    ]
    return no_database("; ".join([f"no address database in {folder or 'none'}", *others]))


def read_database(path: Path) -> GeoDatabase:
    """Describe one database file; raises GeoError when it is damaged or knows no countries."""
    database = look_at(path)
    if isinstance(database, OtherDatabase) or not database.knows_countries:
        why = _say_no_countries(database)
        raise GeoError(f"address database {path} {why}: use a City or Country database")
    return database


def _say_no_countries(database: GeoDatabase | OtherDatabase) -> str:
    return database.why if isinstance(database, OtherDatabase) else "holds networks, no countries"


def in_force(
    databases: list[GeoDatabase], day_start: datetime, provider: str | None
) -> tuple[GeoDatabase, bool]:
    """Choose the database for the day that starts at ``day_start`` (aware); the flag: is it late.

    The newest one built before the day's start, City before Country before flat on equal build
    dates; when there is none, the oldest, and the flag is set. ``provider`` None takes any.
    Raises GeoError when there is no database, or none of ``provider``.
    """
    if not databases:
        raise no_database("no address database")
    offered = [known for known in databases if provider in (None, known.provider)]
    if not offered:
        found = ", ".join(sorted({known.provider for known in databases}))
        raise no_database(
            f"no address database by the provider in settings, geo_provider = {provider!r}"
            f" (there are: {found})"
        )
    earlier = [known for known in offered if known.built < day_start]
    if earlier:
        return max(earlier, key=_newest_first), False
    return min(offered, key=_oldest_first), True


def network_in_force(
    networks: list[GeoDatabase], day_start: datetime, provider: str | None
) -> GeoDatabase | None:
    """Choose a database of networks in the same way; None when there is none of ``provider``."""
    offered = [known for known in networks if provider in (None, known.provider)]
    return in_force(offered, day_start, None)[0] if offered else None


@contextlib.contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises over a damaged file into a GeoError that names the file.

    The readers raise their own errors, UnicodeDecodeError, OverflowError and, from Rust, a panic
    that derives from BaseException alone. The reader's text is left out: it may quote an address.
    """
    try:
        yield
    except (GeoError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except FileNotFoundError as error:
        raise no_database(f"no address database at {path}") from error
    except PermissionError as error:
        raise GeoError(f"address database {path} may not be read: check its permissions") from error
    except BaseException as error:
        raise damaged(path, f"reading it fails with {type(error).__name__}") from error


def look_at(path: Path) -> GeoDatabase | OtherDatabase:
    """Describe one database file, whatever it holds; raises GeoError when it is damaged."""
    with damage_named(path), maxminddb.open_database(path, READ_SAFELY) as reader:
        metadata = reader.metadata()
        built = datetime.fromtimestamp(metadata.build_epoch, UTC)
        provider, of_type = _provider(path, metadata), metadata.database_type
        kind, met = _probe_kind(path, reader)
        if kind is None:
            why = _say_met(met)
            return OtherDatabase(path, built, provider, of_type, metadata.ip_version, why)
        return GeoDatabase(
            path=path,
            built=built,
            kind=kind,
            provider=provider,
            database_type=of_type,
            ip_version=metadata.ip_version,
        )


def _probe_kind(path: Path, reader: maxminddb.Reader) -> tuple[Kind | None, set[str]]:
    """A database's kind and, where it is none of those, the keys of its first records."""
    # The content decides, not the type's name: converted databases keep the name and are flat, and
    # one of networks may bear any.
    metadata = reader.metadata()
    said = re.search("City|Enterprise|Country", metadata.database_type)
    met = set[str]()
    for record in _first_records(path, reader):
        if kind := _kind_of(record, said[0] if said else None):
            return kind, set()
        met.update(record)
    if said and not met:
        raise damaged(path, f"its type is {metadata.database_type}, but it holds no records")
    if said is None or _GEOGRAPHY.isdisjoint(met):
        return None, met
    return "Country" if said[0] == "Country" else "City", set()


def _kind_of(record: dict[str, Any], said: str | None) -> Kind | None:
    """What a record shows its database to be; None when it has no country and no network."""
    country = record.get("country")
    if isinstance(record.get("country_code"), str):
        return "flat"
    if isinstance(country, dict) and isinstance(country.get("iso_code"), str):
        is_city = "subdivisions" in record or said not in (None, "Country")
        return "City" if is_city else "Country"
    if isinstance(country, str) and re.fullmatch("[A-Za-z]{2}", country):
        return "text"
    if isinstance(record.get("autonomous_system_number"), int):
        return "ASN"
    return None


def _say_met(keys: set[str]) -> str:
    shown = ", ".join(sorted(keys)[:_SHOWN_KEYS])
    return f"holds no countries and no networks, only {shown or 'records that are no maps'}"


def _first_records(path: Path, reader: maxminddb.Reader) -> Iterator[dict[str, Any]]:
    metadata = reader.metadata()
    make_address = ipaddress.IPv4Address if metadata.ip_version == 4 else ipaddress.IPv6Address
    networks = first_networks(path, metadata, _PROBED_NODES)
    for first_address in itertools.islice(networks, _PROBED_RECORDS):
        record = reader.get(make_address(first_address))
        if isinstance(record, dict):
            yield record


def _provider(path: Path, metadata: maxminddb.reader.Metadata) -> str:
    said = " ".join([metadata.database_type, *map(str, metadata.description.values()), path.name])
    for provider, words in _PROVIDERS.items():
        if re.search(words, said, re.IGNORECASE):
            return provider
    first_word = re.match("[A-Za-z0-9]+", metadata.database_type)
    return first_word[0].lower() if first_word else "other"


def _newest_first(database: GeoDatabase) -> tuple[date, int, datetime, str]:
    return (
        database.build_date,
        -_PREFERENCE[database.kind],
        database.built,
        database.path.name,
    )


def _oldest_first(database: GeoDatabase) -> tuple[date, int, datetime, str]:
    return (
        database.build_date,
        _PREFERENCE[database.kind],
        database.built,
        database.path.name,
    )
