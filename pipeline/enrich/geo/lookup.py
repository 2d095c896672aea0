"""What a database says of many clients at once. One client's details are in ``single``."""

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import maxminddb
import maxminddb_rust
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.definitions import NO_COUNTRY
from pipeline.enrich.geo.addresses import are_ipv6, split_versions
from pipeline.enrich.geo.databases import READ_SAFELY, GeoDatabase, Kind, damage_named
from pipeline.formats.numbers import Remembered

Column: TypeAlias = Any
"""An Arrow array; its stubs lag behind the library."""

NO_NETWORK = 0
"""The number of a client that no network is known of: that of no system, by RFC 7607."""

_PATHS: dict[Kind, tuple[tuple[str | int, ...], ...]] = {
    "City": (("country", "iso_code"), ("subdivisions", 0, "iso_code")),
    "Country": (("country", "iso_code"),),
    "flat": (("country_code",),),
    "text": (("country",),),
    "ASN": (("autonomous_system_number",), ("autonomous_system_organization",)),
}
"""Where the two answers of a client stand in its record."""
_NAME = ("subdivisions", 0, "names", "en")
_CODE = "^[A-Z]{2}$"
_LARGEST_ASN = 2**32 - 1
LONGEST_NAME = 500
"""Characters of a network's name, or a subdivision's."""
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
        self.names: dict[tuple[str, str], str] = {}
        """What the database calls the subdivisions that it answered with, by their codes."""
        self._answers = Remembered(self._look_up)

    def forget(self) -> None:
        """Remember nobody who was asked for."""
        self._answers.forget()

    def locate(self, addresses: Sequence[str] | pa.StringArray) -> tuple[Column, Column]:
        """Return country and subdivision of each canonical client, as given; texts coded.

        The country is the ISO 3166-1 code that the database has, in capitals, ``ZZ`` for no answer,
        one that is no two letters, and for what is no address (a host name, null); the subdivision
        is the largest one's code or null. A database of networks answers with the number of the
        client's (BIGINT), ``NO_NETWORK`` where there is none, and with its name as written, or
        null. Raises GeoError when a record needed is damaged.
        """
        clients: Column = pa.array(addresses, pa.string()).fill_null("")
        first, second = self._answers.answer(clients)
        return first, second

    def _look_up(self, clients: Column) -> tuple[Column, Column]:
        is_asked = self._find_addresses(clients)
        # Without zone ids, which the readers do not take.
        asked = [one.partition("%")[0] for one in clients.filter(pa.array(is_asked)).to_pylist()]
        rows = pa.array(np.cumsum(is_asked) - 1, mask=~is_asked)
        of_whom, *of_what = _PATHS[self.database.kind]
        with damage_named(self.database.path):
            firsts = self._reader.get_many_path(asked, of_whom)
            for client, first in zip(asked, firsts, strict=True):
                # None is the Rust reader's word for a tree that does not end, too.
                if first is None and self._reader.get_with_prefix_len(client)[1] in _WHOLE:
                    self._strict.get(client)
            seconds = [self._reader.get_many_path(asked, path) for path in of_what]
        answers = self._read_answers(rows, firsts, *(seconds or [[None] * len(asked)]))
        if self.database.kind == "City":
            self._note_names(answers, rows, asked)
        return _coded(answers[0]), _coded(answers[1])

    def _note_names(self, codes: tuple[Column, Column], rows: Column, asked: list[str]) -> None:
        """Ask for the names of those subdivisions that are met for the first time."""
        table = pa.table([*codes, rows], ["country", "subdivision", "row"])
        met = table.filter(pc.is_valid(codes[1])).group_by(["country", "subdivision"])
        rows_of = met.aggregate([("row", "min")]).to_pydict()
        pairs = zip(rows_of["country"], rows_of["subdivision"], strict=True)
        new = {
            pair: asked[row]
            for pair, row in zip(pairs, rows_of["row_min"], strict=True)
            if pair not in self.names
        }
        with damage_named(self.database.path):
            names = as_names(self._reader.get_many_path([*new.values()], _NAME)).to_pylist()
        self.names |= {pair: name for pair, name in zip(new, names, strict=True) if name}

    def _read_answers(
        self, rows: Column, firsts: Sequence[object], seconds: Sequence[object]
    ) -> tuple[Column, Column]:
        """What records say, of which nothing is taken for granted; ``rows``: each client's."""
        if self.database.knows_countries:
            return as_codes(_texts(firsts).take(rows)), _texts(seconds).take(rows)
        numbers = as_numbers(firsts).take(rows)
        return numbers.fill_null(NO_NETWORK), as_names(seconds).take(rows)

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


def _coded(column: Column) -> Column:
    """Texts as a dictionary, anything else as it is."""
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def _texts(answers: Sequence[object]) -> Column:
    return pa.array([one if isinstance(one, str) else None for one in answers], pa.string())


def as_numbers(answers: Sequence[object]) -> Column:
    """What a database says of systems as their numbers; else ``NO_NETWORK``."""
    are_numbers = (type(one) is int and 0 < one <= _LARGEST_ASN for one in answers)
    pairs = zip(answers, are_numbers, strict=True)
    return pa.array([one if is_number else NO_NETWORK for one, is_number in pairs], pa.int64())


def as_names(answers: Sequence[object]) -> Column:
    """What a database says of names, as written; of one that is endless the beginning."""
    return pc.utf8_slice_codeunits(_texts(answers), 0, LONGEST_NAME)


def as_codes(answers: Column) -> Column:
    """What a database says of countries as codes: two letters, in capitals; else ``ZZ``."""
    capitals = pc.ascii_upper(answers)
    is_code = pc.match_substring_regex(capitals, _CODE).fill_null(False)
    return pc.if_else(is_code, capitals, NO_COUNTRY)
