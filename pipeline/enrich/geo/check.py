"""Whether a fetched file may join the folder. Changes nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.enrich.geo.databases import GeoDatabase, OtherDatabase, look_at
from pipeline.enrich.geo.lookup import Locator
from pipeline.errors import GeoError

KNOWN_COUNTRIES = {
    "8.8.8.8": "US",  # Google's resolver
    "208.67.222.222": "US",  # OpenDNS
    "128.32.206.9": "US",  # University of California, Berkeley
    "128.100.100.128": "CA",  # University of Toronto
    "131.111.8.42": "GB",  # University of Cambridge
    "129.132.98.12": "CH",  # ETH Zurich
    "77.88.8.8": "RU",  # Yandex' resolver
    "114.114.114.114": "CN",  # 114DNS
    "168.126.63.1": "KR",  # Korea Telecom's resolver
    "133.11.0.1": "JP",  # University of Tokyo
    "200.160.0.8": "BR",  # NIC.br
    "146.231.129.86": "ZA",  # Rhodes University
}
"""Addresses of public services on five continents, with their owners for decades.

Most of them, not all, must be located: networks are sold, and a provider may err. A table that is
shifted, empty or of something else gets next to none right.
"""
KNOWN_NETWORKS = {
    "8.8.8.8": 15169,  # Google
    "208.67.222.222": 36692,  # OpenDNS
    "128.32.206.9": 25,  # University of California, Berkeley
    "128.100.100.128": 239,  # University of Toronto
    "131.111.8.42": 786,  # Jisc, of which the University of Cambridge is
    "129.132.98.12": 559,  # SWITCH, of which ETH Zurich is
    "77.88.8.8": 13238,  # Yandex
    "193.0.6.139": 3333,  # RIPE NCC
    "168.126.63.1": 4766,  # Korea Telecom
    "133.11.0.1": 2501,  # University of Tokyo
    "200.160.0.8": 22548,  # NIC.br
    "146.231.129.86": 2018,  # TENET, of which Rhodes University is
}
"""The same with the numbers of the systems that announce them."""

MIN_KNOWN = 9
MIN_SIZE_RATIO, MAX_SIZE_RATIO = 0.5, 2.0
FIRST_BUILD = datetime(2012, 1, 1, tzinfo=UTC)
"""No database is older: the file format is of that time."""

_CLOCK_SKEW = timedelta(days=1)


@dataclass(frozen=True)
class Waivers:
    """The checks that the user switches off."""

    allow_older: bool = False
    allow_size: bool = False


def check_content(path: Path, shown: str, now: datetime, *, of_networks: bool) -> GeoDatabase:
    """Return the description of the database at ``path``; ``shown`` is its name in messages.

    ``of_networks``: it has to know networks, else countries.

    Raises GeoError when it does not open, is damaged where it is looked into, is of other things,
    its build date is impossible, or fewer than 9 of the 12 known addresses are where they are.
    """
    what = "networks" if of_networks else "countries"
    known: Mapping[str, str | int] = KNOWN_NETWORKS if of_networks else KNOWN_COUNTRIES
    with _damage_said(shown):
        database = look_at(path)
    if isinstance(database, OtherDatabase):
        raise GeoError(f"{shown} is no usable address database: it {database.why}")
    if database.knows_countries == of_networks:
        held = "countries" if of_networks else "networks"
        advice = "leave out --kind asn" if of_networks else "say --kind asn to add it as such"
        raise GeoError(f"{shown} holds {held}, no {what}: {advice}")
    with _damage_said(shown), Locator(database) as locator:
        answers = locator.locate(list(known))[0].to_pylist()
    if not FIRST_BUILD <= database.built <= now + _CLOCK_SKEW:
        raise GeoError(f"{shown} says it was built on {database.build_date}: not used")
    wrong = [
        f"{address} in {found}, not {expected}"
        for (address, expected), found in zip(known.items(), answers, strict=True)
        if found != expected
    ]
    if len(known) - len(wrong) < MIN_KNOWN:
        raise GeoError(f"{shown} misplaces {len(wrong)} of 12 known addresses ({wrong[0]})")
    return database


@contextmanager
def _damage_said(shown: str) -> Iterator[None]:
    """As of the file that was fetched: the one that is read has a name that says nothing."""
    try:
        yield
    except GeoError as error:
        raise GeoError(f"{shown} is no usable address database: it is damaged") from error


def check_beside(
    database: GeoDatabase, shown: str, existing: list[GeoDatabase], waivers: Waivers
) -> None:
    """Compare with the newest database of the same type in the folder, if there is one.

    Raises GeoError when the new one is older, or its file under half or over double the size.
    """
    same_type = [known for known in existing if known.database_type == database.database_type]
    if not same_type:
        return
    newest = max(same_type, key=lambda known: known.built)
    if database.built < newest.built and not waivers.allow_older:
        raise GeoError(
            f"{shown} was built on {database.build_date}, before {newest.path.name}: not used",
            options="; for an earlier period's database say --allow-older",
        )
    ratio = database.path.stat().st_size / newest.path.stat().st_size
    if not MIN_SIZE_RATIO <= ratio <= MAX_SIZE_RATIO and not waivers.allow_size:
        raise GeoError(
            f"{shown} has {ratio:.0%} of the size of {newest.path.name}: not used",
            options="; if that is right say --allow-size",
        )
