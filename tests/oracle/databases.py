"""Dated address databases: which one is in force on a day, and what it answers for a client."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import maxminddb

NOWHERE = ("ZZ", None)
NO_NETWORK = (0, None)
NOT_ASKED = (None, None)


def canonical_client(client: str) -> str:
    """Return the address in its canonical form, anything that is no address as written."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


@dataclass(frozen=True, slots=True)
class InForce:
    """The database of one day: `late` when it was built after the day's start."""

    path: Path
    built: date
    late: bool


class Databases:
    """The databases of one provider in one folder; answers are remembered."""

    def __init__(self, folder: Path, zone: ZoneInfo) -> None:
        """Open every `.mmdb` of the folder; raises ValueError when it holds none."""
        self._zone = zone
        readers = {path: maxminddb.open_database(path) for path in folder.glob("*.mmdb")}
        of_networks = [p for p, one in readers.items() if "ASN" in one.metadata().database_type]
        self._networks = {path: readers.pop(path) for path in of_networks}
        self._readers = readers
        self._answers: dict[tuple[Path, str], tuple[str, str | None]] = {}
        self._in_force: dict[date, InForce] = {}
        if not self._readers:
            raise ValueError(f"no address database in {folder}")

    def close(self) -> None:
        """Close all readers."""
        for reader in (*self._readers.values(), *self._networks.values()):
            reader.close()

    def in_force(self, day: date) -> InForce:
        """Return the newest database built before the local day's start, else the oldest, late."""
        if day not in self._in_force:
            self._in_force[day] = self._find_in_force(day)
        return self._in_force[day]

    def _find_in_force(self, day: date) -> InForce:
        start = datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()
        by_age = sorted(self._readers, key=self._age)
        in_time = [path for path in by_age if self._build_epoch(path) < start]
        path = in_time[-1] if in_time else by_age[0]
        built = datetime.fromtimestamp(self._build_epoch(path), UTC).date()
        return InForce(path, built, late=not in_time)

    def _build_epoch(self, path: Path) -> int:
        return self._readers[path].metadata().build_epoch

    def _age(self, path: Path) -> tuple[int, bool]:
        is_city = "City" in self._readers[path].metadata().database_type
        return self._build_epoch(path), is_city

    def locate(self, canonical: str, day: date) -> tuple[str, str | None]:
        """Return `(country, subdivision)` of a canonical client on a day; `ZZ` when unknown."""
        path = self.in_force(day).path
        key = (path, canonical)
        if key not in self._answers:
            self._answers[key] = answer(self._readers[path], canonical)
        return self._answers[key]

    def network(self, canonical: str, day: date) -> tuple[int | None, str | None]:
        """Return number and name of a client's network on a day; nulls without any database."""
        start = datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()
        by_age = sorted(self._networks.values(), key=lambda one: one.metadata().build_epoch)
        in_time = [one for one in by_age if one.metadata().build_epoch < start]
        chosen = in_time[-1:] or by_age[:1]
        return network_answer(chosen[0], canonical) if chosen else NOT_ASKED


def network_answer(reader: maxminddb.Reader, canonical: str) -> tuple[int | None, str | None]:
    """Return what one database of networks says of one client."""
    try:
        record: Any = reader.get(ipaddress.ip_address(canonical))
    except ValueError:
        return NO_NETWORK
    if not isinstance(record, dict):
        return NO_NETWORK
    return record["autonomous_system_number"], record.get("autonomous_system_organization")


def answer(reader: maxminddb.Reader, canonical: str) -> tuple[str, str | None]:
    """Return what one database says of one client: country and largest subdivision."""
    try:
        record: Any = reader.get(ipaddress.ip_address(canonical))
    except ValueError:  # a host name, or an IPv6 address in an IPv4-only database
        return NOWHERE
    if not isinstance(record, dict):
        return NOWHERE
    country = record.get("country")
    answers = [country.get("iso_code")] if isinstance(country, dict) else [country]
    codes = [code for code in map(code_of, (*answers, record.get("country_code"))) if code]
    subdivisions = record.get("subdivisions") or [{}]
    return codes[0] if codes else "ZZ", subdivisions[0].get("iso_code")


def code_of(answer: object) -> str | None:
    """Return an answer that is two letters of A-Z, in capitals; None when it is none."""
    is_code = isinstance(answer, str) and answer.isascii() and answer.isalpha() and len(answer) == 2
    return str(answer).upper() if is_code else None
