"""Countries and subdivisions of many clients at once. One client's details are in ``single``."""

from collections.abc import Sequence
from threading import RLock
from typing import Any, Self, TypeAlias

import maxminddb
import maxminddb_rust
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.enrich.geo.addresses import are_ipv6, split_versions
from pipeline.enrich.geo.databases import READ_SAFELY, GeoDatabase, damage_named
from pipeline.formats.numbers import are_full, first_rows, new_numbers

Column: TypeAlias = Any
"""An Arrow array; its stubs lag behind the library."""

NOWHERE = "ZZ"
"""The country of a client that is no address, or that the database has no country for."""

_COUNTRY_PATH = {
    "City": ("country", "iso_code"),
    "Country": ("country", "iso_code"),
    "flat": ("country_code",),
    "text": ("country",),
}
_CODE = "^[A-Z]{2}$"
_NO_PLACES = (pa.array([], pa.string()), pa.array([], pa.string()))
_SUBDIVISION_PATH = ("subdivisions", 0, "iso_code")
_WHOLE = (32, 128)
"""How many bits of an address led nowhere, where none was left."""


class Locator:
    """One open database that answers in bulk; may be used by several threads at once.

    Raises GeoError naming the file when what it needs of it is damaged.
    """

    def __init__(self, database: GeoDatabase) -> None:
        """Open the file."""
        self.database = database
        with damage_named(database.path):
            self._reader = maxminddb_rust.open_database(database.path)
            self._strict = maxminddb.open_database(database.path, READ_SAFELY)
        self._lock = RLock()
        self.forget()

    def forget(self) -> None:
        """Remember nobody who was asked for."""
        with self._lock:
            self._clients = new_numbers()
            self._places: Sequence[Column] = _NO_PLACES

    def locate(
        self, addresses: Sequence[str] | pa.StringArray
    ) -> tuple[pa.StringArray, pa.StringArray]:
        """Return country and subdivision of each canonical client, in the order given.

        The country is the ISO 3166-1 code that the database has, in capitals, ``ZZ`` for no answer,
        one that is no two letters, and for what is no address (a host name, null); the subdivision
        is the largest one's code or null. Raises GeoError when a record needed is damaged.
        """
        clients: Column = pa.array(addresses, pa.string()).fill_null("")
        with self._lock:
            # They differ after an error.
            if are_full(self._clients) or len(self._clients) != len(self._places[0]):
                self.forget()
            known = len(self._clients)
            numbers = self._clients.number(clients)
            rows = pa.array(first_rows(numbers, known, len(self._clients)))
            found = self._look_up(clients.take(rows))
            self._places = [
                pa.concat_arrays(pair) for pair in zip(self._places, found, strict=True)
            ]
            countries, subdivisions = (column.take(pa.array(numbers)) for column in self._places)
        return countries, subdivisions

    def _look_up(self, clients: Column) -> tuple[Column, Column]:
        is_asked = self._find_addresses(clients)
        # Without zone ids, which the readers do not take.
        asked = [one.partition("%")[0] for one in clients.filter(pa.array(is_asked)).to_pylist()]
        rows = pa.array(np.cumsum(is_asked) - 1, mask=~is_asked)
        with damage_named(self.database.path):
            countries = self._reader.get_many_path(asked, _COUNTRY_PATH[self.database.kind])
            for client, country in zip(asked, countries, strict=True):
                # None is the Rust reader's word for a tree that does not end, too.
                if country is None and self._reader.get_with_prefix_len(client)[1] in _WHOLE:
                    self._strict.get(client)
            subdivisions = [None] * len(asked)
            if self.database.kind == "City":
                subdivisions = self._reader.get_many_path(asked, _SUBDIVISION_PATH)
        return as_codes(_texts(countries).take(rows)), _texts(subdivisions).take(rows)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._strict.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close the file."""
        self.close()

    def _find_addresses(self, clients: Column) -> npt.NDArray[np.bool_]:
        """Which clients are addresses that the database can have."""
        is_found = np.zeros(len(clients), np.bool_)
        ipv4_at, colon_at = split_versions(clients)
        is_found[ipv4_at] = True
        if self.database.ip_version == 6:
            is_found[colon_at] = are_ipv6(clients.take(pa.array(colon_at)).to_pylist())
        return is_found


def _texts(answers: Sequence[object]) -> Column:
    return pa.array([one if isinstance(one, str) else None for one in answers], pa.string())


def as_codes(answers: Column) -> Column:
    """What a database says of countries as codes: two letters, in capitals; else ``ZZ``."""
    capitals = pc.ascii_upper(answers)
    is_code = pc.match_substring_regex(capitals, _CODE).fill_null(False)
    return pc.if_else(is_code, capitals, NOWHERE)
