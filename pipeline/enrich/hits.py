"""Fields become hits: the day, where it came from, who it was, and what kind of hit it is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.days import EPOCH, day_start
from pipeline.definitions import NO_COUNTRY, NO_NETWORKS, ROBOT_PREFIX_CHARS
from pipeline.enrich.assets import find_assets
from pipeline.enrich.clients import PEER, canonical_clients, choose_clients
from pipeline.enrich.geo.databases import GeoDatabase, in_force, list_known, network_in_force
from pipeline.enrich.geo.lookup import Locator
from pipeline.enrich.privacy import kept_clients
from pipeline.enrich.robots import Robots
from pipeline.enrich.visitors import VisitorKey, Visitors
from pipeline.formats.client_texts import recoded
from pipeline.formats.numbers import Remembered
from pipeline.proxies import NO_PROXIES, TrustedProxies
from pipeline.setting_values import Addresses
from pipeline.tables import HITS

_OF_NETWORKS = ("asn", "as_org")


def local_days(seconds: npt.NDArray[np.int64], zone: ZoneInfo) -> npt.NDArray[np.int32]:
    """Days since 1970 of each instant's date in ``zone``. Zones change at whole minutes."""
    minutes = pa.array(seconds // 60).dictionary_encode()
    days = [
        ((datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=m)).astimezone(zone).date() - EPOCH)
        .days
        for m in minutes.dictionary.to_pylist()
    ]  # fmt: skip
    row: npt.NDArray[np.int32] = minutes.indices.to_numpy()
    return np.array(days, np.int32)[row]


@dataclass
class DatabasesInForce:
    """The databases, and which are in force on which day; shared by the reading threads."""

    databases: list[GeoDatabase]
    """Of countries."""
    provider: str | None
    zone: ZoneInfo
    networks: list[GeoDatabase] = field(default_factory=list)
    _locators: dict[GeoDatabase, Locator] = field(default_factory=dict)
    _chosen: dict[int, tuple[GeoDatabase, bool] | None] = field(default_factory=dict)
    _chosen_networks: dict[int, GeoDatabase | None] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, geo: Path | None, provider: str | None, zone: ZoneInfo) -> Self:
        """Those of a folder; raises as ``list_known``."""
        known = list_known(geo)
        databases = [one for one in known if one.knows_countries]
        return cls(databases, provider, zone, [one for one in known if not one.knows_countries])

    def in_force(self, day: int) -> tuple[GeoDatabase, bool] | None:
        """The database for a day (days since 1970) and whether it is late; None without any."""
        if not self.databases:
            return None
        if day not in self._chosen:
            start = day_start(EPOCH + timedelta(days=day), self.zone)
            self._chosen[day] = in_force(self.databases, start, self.provider)
        return self._chosen[day]

    def network_in_force(self, day: int) -> GeoDatabase | None:
        """The database of networks for a day."""
        if not self.networks:
            return None
        if day not in self._chosen_networks:
            start = day_start(EPOCH + timedelta(days=day), self.zone)
            self._chosen_networks[day] = network_in_force(self.networks, start, self.provider)
        return self._chosen_networks[day]

    def name_networks(self, days: Iterable[int]) -> str:
        """The dates of the databases of networks for some days, or ``NO_NETWORKS``."""
        chosen = {one.build_date for day in days if (one := self.network_in_force(day))}
        return ", ".join(map(str, sorted(chosen))) or NO_NETWORKS

    def opened(self) -> list[Locator]:
        """The databases that were asked."""
        return list(self._locators.values())

    def forget(self) -> None:
        """Remember nobody who was asked for."""
        for its in self._locators.values():
            its.forget()

    def locator(self, database: GeoDatabase) -> Locator:
        """The open database."""
        with self._lock:
            if database not in self._locators:
                # Years of logs ask one after the other: only the latest needs its memory.
                for other in self._locators.values():
                    if other.database.knows_countries == database.knows_countries:
                        other.forget()
                self._locators[database] = Locator(database)
            return self._locators[database]


@dataclass(frozen=True)
class HitMaker:
    """Everything outside a line that its hit depends on."""

    zone: ZoneInfo
    places: DatabasesInForce
    robots: Robots
    key: VisitorKey
    addresses: Addresses = Addresses.none
    proxies: TrustedProxies = NO_PROXIES

    @cached_property
    def _visitors(self) -> Visitors:
        return Visitors(self.key)

    @cached_property
    def _known_robots(self) -> Remembered:
        classify = self.robots.classify  # a reference to the maker would keep both for ever
        return Remembered(lambda agents: (pa.array(classify(agents)),))

    def make_hits(
        self, fields: pa.Table, source: str, forwarded_kind: str | None = None
    ) -> tuple[pa.Table, npt.NDArray[np.int32]]:
        """Complete a block's ``fields`` (see ``formats``) to hits, with each hit's day.

        Args:
            fields: of one layout; with a header's text in ``forwarded`` or without that column.
            source: the server's name.
            forwarded_kind: which header ``forwarded`` is, of ``clients.HEADERS``.

        Returns:
            The hits in line order and their local days, shape ``(n,)``, since 1970.
        """
        if not len(fields):
            return HITS.empty_table(), np.zeros(0, np.int32)
        column = {name: fields[name].combine_chunks() for name in fields.column_names}
        days = local_days(column["ts"].cast(pa.int64()).to_numpy() // 1_000_000, self.zone)
        clients, column["client_from"] = self._choose(column, forwarded_kind)
        column |= self._ask_in_force(clients, days, self._country_database, self._locate)
        column |= self._ask_in_force(
            clients, days, self.places.network_in_force, self._find_network
        )
        column |= self._classify(column)
        column["visitor_id"] = pa.array(self._visitors.identify(clients, column["user_agent"]))
        column["source"] = _repeated(source, len(days))
        column["client"] = kept_clients(clients, self.addresses)
        # Known only when all of the file was read; see ``lake.packs``.
        column["file_key"] = pa.nulls(len(days), HITS.field("file_key").type)
        return pa.table({name: column[name] for name in HITS.names}, HITS), days

    def _choose(
        self, column: dict[str, pa.Array], kind: str | None
    ) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
        """Each hit's canonical client, and why it is that one."""
        if kind is None:
            peers = column["client"]
            chosen = recoded(peers, canonical_clients(peers.dictionary))
            return chosen, _repeated(PEER, len(chosen))
        return choose_clients(column["client"], column["forwarded"], kind, self.proxies)

    def _country_database(self, day: int) -> GeoDatabase | None:
        chosen = self.places.in_force(day)
        return chosen[0] if chosen else None

    def _ask_in_force(
        self,
        clients: pa.DictionaryArray,
        days: npt.NDArray[np.int32],
        choose: Callable[[int], GeoDatabase | None],
        ask: Callable[[GeoDatabase | None, pa.DictionaryArray], dict[str, pa.Array]],
    ) -> dict[str, pa.Array]:
        """The columns that the database in force on each hit's day answers with."""
        days_of = _by_database(days, choose)
        if len(days_of) == 1:
            return ask(next(iter(days_of)), clients)
        rows = [np.flatnonzero(np.isin(days, its)) for its in days_of.values()]
        asked = zip(days_of, rows, strict=True)
        located = [ask(database, clients.take(pa.array(its))) for database, its in asked]
        order = np.argsort(np.concatenate(rows), kind="stable")
        return {
            name: pa.chunked_array([part[name] for part in located], HITS.field(name).type)
            .combine_chunks().take(pa.array(order))
            for name in located[0]
        }  # fmt: skip

    def _locate(
        self, database: GeoDatabase | None, clients: pa.DictionaryArray
    ) -> dict[str, pa.Array]:
        if database is None:
            country = _repeated(NO_COUNTRY, len(clients))
            subdivision, built = pa.nulls(len(clients), country.type), None
        else:
            answers = self.places.locator(database).locate(clients.dictionary)
            country, subdivision = (answer.take(clients.indices) for answer in answers)
            built = database.build_date
        return {
            "country": country,
            "subdivision": subdivision,
            "geo_built": pa.repeat(pa.scalar(built, pa.date32()), len(clients)),
        }

    def _find_network(
        self, database: GeoDatabase | None, clients: pa.DictionaryArray
    ) -> dict[str, pa.Array]:
        if database is None:
            return {name: pa.nulls(len(clients), HITS.field(name).type) for name in _OF_NETWORKS}
        answers = self.places.locator(database).locate(clients.dictionary)
        return {
            name: answer.take(clients.indices)
            for name, answer in zip(_OF_NETWORKS, answers, strict=True)
        }

    def _classify(self, column: dict[str, pa.Array]) -> dict[str, pa.Array]:
        agents, paths = column["user_agent"], column["path"]
        # Long ones fill the memory, and nothing behind this is looked at.
        beginnings = pc.utf8_slice_codeunits(agents.dictionary, 0, ROBOT_PREFIX_CHARS)
        (are_robots,) = self._known_robots.answer(beginnings)
        is_robot = _of_each(agents, are_robots.to_numpy(zero_copy_only=False))
        is_asset = _of_each(paths, find_assets(paths.dictionary))
        status = column["status"].fill_null(0).to_numpy()
        is_get = pc.equal(column["method"], "GET").fill_null(False).to_numpy(zero_copy_only=False)
        succeeded = ((status >= 200) & (status < 300)) | (status == 304)
        is_page = ~is_robot & ~is_asset & is_get & succeeded
        return {
            "is_robot": pa.array(is_robot),
            "is_asset": pa.array(is_asset),
            "is_page": pa.array(is_page),
        }


def _by_database(
    days: npt.NDArray[np.int32], choose: Callable[[int], GeoDatabase | None]
) -> dict[GeoDatabase | None, list[int]]:
    """Each database that is in force, and its days of those."""
    found: dict[GeoDatabase | None, list[int]] = {}
    # Neighbours first: sorted are then a few days, not all.
    runs = days[np.flatnonzero(np.diff(days, prepend=days[0] - 1))]
    for day in np.unique(runs).tolist():
        found.setdefault(choose(day), []).append(day)
    return found


def _repeated(value: str, rows: int) -> pa.DictionaryArray:
    codes = pa.array(np.zeros(rows, np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array([value]))


def _of_each(coded: pa.DictionaryArray, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The flag of each text, where ``flags`` are those of the different ones; False of null."""
    index = coded.indices.fill_null(len(flags)).to_numpy(zero_copy_only=False)
    of_each: npt.NDArray[np.bool_] = np.append(flags, False)[index]
    return of_each
