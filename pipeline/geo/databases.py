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

from pipeline.errors import GeoError
from pipeline.geo.tree import damaged, first_networks

Kind = Literal["City", "Country", "flat"]

HOW_TO_GET_ONE = (
    "get one with `tidegauge geo fetch dbip-lite` (no account needed), point --geo at the folder"
    " that holds one, or run with --no-geo"
)

_PREFERENCE: dict[Kind, int] = {"City": 0, "Country": 1, "flat": 2}
_PROVIDERS = {"maxmind": r"geolite|geoip|maxmind", "dbip": r"db-?ip"}
_PROBED_NODES = 20_000
_PROBED_RECORDS = 1_000


@dataclass(frozen=True)
class GeoDatabase:
    """One address database file; ``built`` (aware, UTC) and the rest are as its metadata says.

    ``kind`` is ``City`` (country and subdivisions), ``Country``, or ``flat`` (``country_code`` at
    the record's top level). ``provider`` is ``maxmind``, ``dbip``, or the first word of the
    database's type in lower case.
    """

    path: Path
    built: datetime
    kind: Kind
    provider: str
    database_type: str
    ip_version: int
    node_count: int
    record_size: int

    @property
    def build_date(self) -> date:
        """The UTC date it was built on, which the lake keeps as ``geo_built``."""
        return self.built.date()


def list_databases(folder: Path) -> list[GeoDatabase]:
    """Return the databases of ``folder`` that know countries, sorted by build time, then name.

    Other files, and sound databases of other things (networks, domains), are left out. A missing
    folder holds none. Raises GeoError naming the file when a ``.mmdb`` file is damaged.
    """
    if folder.exists() and not folder.is_dir():
        raise GeoError(f"{folder} is not a folder of address databases: {HOW_TO_GET_ONE}")
    paths = sorted(folder.glob("*.mmdb")) if folder.exists() else []
    opened = [_read(path) for path in paths]
    known = [database for database in opened if database is not None]
    return sorted(known, key=lambda database: (database.built, database.path.name))


def read_database(path: Path) -> GeoDatabase:
    """Describe one database file; raises GeoError when it is damaged or knows no countries."""
    database = _read(path)
    if database is None:
        raise GeoError(
            f"address database {path} holds no countries (neither country.iso_code nor"
            " country_code): use a City or Country database"
        )
    return database


def in_force(
    databases: list[GeoDatabase], day_start: datetime, provider: str | None
) -> tuple[GeoDatabase, bool]:
    """Choose the database for the day that starts at ``day_start`` (aware); the flag: is it late.

    The newest one built before the day's start, City before Country before flat on equal build
    dates; when there is none, the oldest, and the flag is set. ``provider`` None takes any.
    Raises GeoError when there is no database, or none of ``provider``.
    """
    if not databases:
        raise GeoError(f"no address database: {HOW_TO_GET_ONE}")
    offered = [known for known in databases if provider in (None, known.provider)]
    if not offered:
        found = ", ".join(sorted({known.provider for known in databases}))
        raise GeoError(
            f"no address database by the provider in settings, geo_provider = {provider!r}"
            f" (there are: {found}): {HOW_TO_GET_ONE}"
        )
    earlier = [known for known in offered if known.built < day_start]
    if earlier:
        return max(earlier, key=_newest_first), False
    return min(offered, key=_oldest_first), True


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
        raise GeoError(f"no address database at {path}: {HOW_TO_GET_ONE}") from error
    except PermissionError as error:
        raise GeoError(f"address database {path} may not be read: check its permissions") from error
    except BaseException as error:
        raise damaged(path, f"reading it fails with {type(error).__name__}") from error


def _read(path: Path) -> GeoDatabase | None:
    with damage_named(path), maxminddb.open_database(path) as reader:
        metadata = reader.metadata()
        kind = _probe_kind(path, reader)
        if kind is None:
            return None
        return GeoDatabase(
            path=path,
            built=datetime.fromtimestamp(metadata.build_epoch, UTC),
            kind=kind,
            provider=_provider(path, metadata),
            database_type=metadata.database_type,
            ip_version=metadata.ip_version,
            node_count=metadata.node_count,
            record_size=metadata.record_size,
        )


def _probe_kind(path: Path, reader: maxminddb.Reader) -> Kind | None:
    # The content decides, not the type's name: converted databases keep the name and are flat.
    metadata = reader.metadata()
    said = re.search("City|Enterprise|Country", metadata.database_type)
    met_record = False
    for record in _first_records(path, reader):
        met_record = True
        if isinstance(record.get("country_code"), str):
            return "flat"
        if _has_country(record):
            is_city = "subdivisions" in record or (said and said[0] != "Country")
            return "City" if is_city else "Country"
    if said and not met_record:
        raise damaged(path, f"its type is {metadata.database_type}, but it holds no records")
    return None if said is None else "Country" if said[0] == "Country" else "City"


def _first_records(path: Path, reader: maxminddb.Reader) -> Iterator[dict[str, Any]]:
    metadata = reader.metadata()
    make_address = ipaddress.IPv4Address if metadata.ip_version == 4 else ipaddress.IPv6Address
    networks = first_networks(path, metadata, _PROBED_NODES)
    for first_address in itertools.islice(networks, _PROBED_RECORDS):
        record = reader.get(make_address(first_address))
        if isinstance(record, dict):
            yield record


def _has_country(record: dict[str, Any]) -> bool:
    country = record.get("country")
    return isinstance(country, dict) and isinstance(country.get("iso_code"), str)


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
