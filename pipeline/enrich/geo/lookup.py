"""Countries and subdivisions of many clients at once. One client's details are in ``single``."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import maxminddb_rust
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.enrich.geo.addresses import ipv4_words, ipv6_words, split_versions
from pipeline.enrich.geo.databases import GeoDatabase, damage_named
from pipeline.enrich.geo.tree import Records, find_ipv4, find_ipv6, read_tree

Column: TypeAlias = Any
"""An Arrow array; its stubs lag behind the library."""

NOWHERE = "ZZ"
"""The country of a client that is no address, or that the database has no country for."""

Mask: TypeAlias = npt.NDArray[np.bool_]

_COUNTRY_PATH = {
    "City": ("country", "iso_code"),
    "Country": ("country", "iso_code"),
    "flat": ("country_code",),
    "text": ("country",),
}
_CODE = "^[A-Z]{2}$"
_SUBDIVISION_PATH = ("subdivisions", 0, "iso_code")


@dataclass(frozen=True)
class _Places:
    """What the data records met so far say; replaced as a whole, so that readers need no lock."""

    pointers: Column
    countries: Column
    subdivisions: Column


class Locator:
    """One open database that answers in bulk; may be used by several threads at once.

    Keeps 8 bytes per node of the search tree in memory (28 MB for GeoLite2-City of 2016) and the
    country of every data record it has met. Raises GeoError naming the file when it is damaged.
    """

    def __init__(self, database: GeoDatabase) -> None:
        """Read and check the search tree of ``database``; a third of a second for a City one."""
        self.database = database
        self._lock = threading.Lock()
        with damage_named(database.path):
            self._tree = read_tree(database.path, database)
            self._reader = maxminddb_rust.open_database(database.path)
        self._places = _Places(
            pa.array([self._tree.node_count], pa.uint32()),
            pa.array([NOWHERE], pa.string()),
            pa.array([None], pa.string()),
        )

    def locate(
        self, addresses: Sequence[str] | pa.StringArray
    ) -> tuple[pa.StringArray, pa.StringArray]:
        """Return country and subdivision of each canonical client, in the order given.

        The country is the ISO 3166-1 code that the database has, in capitals, ``ZZ`` for no answer,
        one that is no two letters, and for what is no address (a host name, null); the subdivision
        is the largest one's code or null. Raises GeoError when a record needed is damaged.
        """
        clients: Column = pa.array(addresses, pa.string())
        leaves = pa.array(self._find_leaves(clients)).dictionary_encode()
        places = self._places_of(clients, leaves)
        rows = pc.index_in(leaves.dictionary, places.pointers).take(leaves.indices)
        return places.countries.take(rows), places.subdivisions.take(rows)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close the file."""
        self.close()

    def _find_leaves(self, clients: Column) -> Records:
        leaves = np.full(len(clients), self._tree.node_count, dtype=np.uint32)
        ipv4_at, colon_at = split_versions(clients)
        leaves[ipv4_at] = find_ipv4(self._tree, ipv4_words(clients.take(pa.array(ipv4_at))))
        words, are_ipv6 = ipv6_words(clients.take(pa.array(colon_at)).to_pylist())
        ipv6_at = colon_at[np.array(are_ipv6, dtype=bool)]
        leaves[ipv6_at] = find_ipv6(self._tree, words)
        return leaves

    def _places_of(self, clients: Column, leaves: Column) -> _Places:
        """Return places that cover every leaf, asking the reader for those not met before."""
        if (unmet := _missing(leaves.dictionary, self._places.pointers)).any():
            with self._lock:  # another thread may have met them meanwhile
                unmet = _missing(leaves.dictionary, self._places.pointers)
                if unmet.any():
                    self._places = self._extended(clients, leaves, unmet)
        return self._places

    def _extended(self, clients: Column, leaves: Column, unmet: Mask) -> _Places:
        one_client_at = np.zeros(len(leaves.dictionary), dtype=np.int64)
        one_client_at[leaves.indices.to_numpy()] = np.arange(len(clients))
        asked = [  # without zone ids, which the Rust reader does not take
            client and client.partition("%")[0]
            for client in clients.take(pa.array(one_client_at[unmet])).to_pylist()
        ]
        known = self._places
        countries = as_codes(self._ask(asked, _COUNTRY_PATH[self.database.kind]))
        subdivisions: Column = pa.nulls(len(asked), pa.string())
        if self.database.kind == "City":
            subdivisions = self._ask(asked, _SUBDIVISION_PATH)
        return _Places(
            _joined(known.pointers, leaves.dictionary.filter(pa.array(unmet))),
            _joined(known.countries, countries),
            _joined(known.subdivisions, subdivisions),
        )

    def _ask(self, clients: list[str], path: tuple[str | int, ...]) -> Column:
        with damage_named(self.database.path):
            found = self._reader.get_many_path(clients, path)
        return pa.array([one if isinstance(one, str) else None for one in found], pa.string())


def as_codes(answers: Column) -> Column:
    """What a database says of countries as codes: two letters, in capitals; else ``ZZ``."""
    capitals = pc.ascii_upper(answers)
    is_code = pc.match_substring_regex(capitals, _CODE).fill_null(False)
    return pc.if_else(is_code, capitals, NOWHERE)


def _missing(wanted: Column, known: Column) -> Mask:
    is_known: Column = pc.is_in(wanted, known)
    return ~np.asarray(is_known.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _joined(known: Column, added: Column) -> Column:
    return pa.concat_arrays([known, added])
