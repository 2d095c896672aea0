"""Simulated visitors' addresses, drawn from the address database of the time.

The addresses are random members of real networks; no list of them is stored anywhere.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import maxminddb_rust
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.demo.storm.assumed import FLOOD_COUNTRY, NETWORKS
from pipeline.demo.storm.plan import Country
from pipeline.demo.storm.texts import Texts, join_texts, make_texts, take_texts
from pipeline.errors import GeoError

Ints = npt.NDArray[np.int64]

UNKNOWN = "ZZ"
LOOKUPS_AT_ONCE = 200_000
FEWEST_ADDRESSES = 150
# Allocations of 2016 by their first 16 bits: every registry's, of which a part is in the database.
IPV6_TOPS = (
    0x2001, 0x2400, 0x2402, 0x2404, 0x2409, 0x2600, 0x2601, 0x2602, 0x2604, 0x2607,
    0x2620, 0x2800, 0x2803, 0x2804, 0x2806, 0x2A00, 0x2A01, 0x2A02, 0x2A03, 0x2C0F,
)  # fmt: skip
RESERVED = (
    ("10.0.0.0", 8), ("100.64.0.0", 10), ("127.0.0.0", 8), ("169.254.0.0", 16),
    ("172.16.0.0", 12), ("192.0.0.0", 24), ("192.0.2.0", 24), ("192.168.0.0", 16),
    ("198.18.0.0", 15), ("198.51.100.0", 24), ("203.0.113.0", 24),
)  # fmt: skip


@dataclass(frozen=True)
class AddressPool:
    """Addresses as text by country: those of country ``c`` are ``starts[c]:starts[c + 1]``.

    After all of them come those of the one network that the flood is from.
    """

    texts: Texts
    starts: Ints


def find_database() -> Path:
    """Find GeoLite2 City of 2016-11-03, which ``tidegauge[demo]`` installs, or raise GeoError."""
    spec = importlib.util.find_spec("_geoip_geolite2")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / "GeoLite2-City.mmdb" if folders else None
    if path is None or not path.is_file():
        raise GeoError(
            "the simulator draws its addresses from GeoLite2 City of 2016-11-03, which is not"
            " installed: install tidegauge[demo]"
        )
    return path


def link_databases(geo: Path) -> None:
    """Have in ``geo`` the databases of addresses and of networks that the storm goes with."""
    geo.mkdir(parents=True, exist_ok=True)
    for database in (find_database(), NETWORKS):
        link = geo / database.name
        link.unlink(missing_ok=True)  # to an environment that may be gone
        link.symlink_to(database)


def draw_pool(countries: Sequence[Country], peaks: Ints, seed: int) -> AddressPool:
    """Draw distinct addresses that the database places in each country, in random order.

    ``peaks`` are the countries' sessions on their busiest day: each gets at least 2 addresses for
    5 of them and at least 150; IPv6 comes on top, by the countries' shares.
    Raises GeoError when the database is absent or knows no address of a country.
    """
    rng = np.random.default_rng([seed, 3])
    locate = _Locator(find_database(), countries)
    candidates = int(np.clip(0.6 * peaks.sum(), 150_000, 1_200_000))
    parts = _draw_ipv4(locate, FEWEST_ADDRESSES + (0.4 * peaks).astype(np.int64), candidates, rng)
    wanted = [
        round(country.ipv6_share * len(part))
        for country, part in zip(countries, parts, strict=True)
    ]
    texts = []
    for numbers, others in zip(parts, _draw_ipv6(locate, wanted, rng), strict=True):
        both = pa.concat_arrays([_write_ipv4(numbers), make_texts(others)])
        texts.append(take_texts(both, rng.permutation(len(both))))
    starts = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    texts.append(_write_ipv4(_find_network(locate, parts[locate.names.index(FLOOD_COUNTRY)])))
    return AddressPool(pa.concat_arrays(texts), starts)


def _find_network(locate: "_Locator", known: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The addresses of the first network of 256 that lies in the flood's country as a whole."""
    country = locate.names.index(FLOOD_COUNTRY)
    for first in np.unique(known & ~np.uint32(255)):
        network: npt.NDArray[np.uint32] = first + np.arange(1, 255, dtype=np.uint32)
        if (_locate_numbers(locate, network) == country).all():
            return network
    raise GeoError(f"{locate.path} has no network of {FLOOD_COUNTRY}")


def _write_ipv4(numbers: npt.NDArray[np.uint32]) -> Texts:
    """Write 32-bit numbers as dotted quads."""
    octets = make_texts([str(number) for number in range(256)])
    quads = [take_texts(octets, (numbers >> shift) & 255) for shift in (24, 16, 8, 0)]
    return join_texts(quads, b".")


class _Locator:
    """Country index of addresses by the database; -1 for countries that are not simulated."""

    def __init__(self, path: Path, countries: Sequence[Country]) -> None:
        self.path = path
        self.reader = maxminddb_rust.open_database(str(path))
        self.codes: dict[str | None, int] = {
            None if country.code == UNKNOWN else country.code: index
            for index, country in enumerate(countries)
        }
        self.names = [country.code for country in countries]

    def __call__(self, texts: list[str]) -> Ints:
        found = pa.array(self.reader.get_many_path(texts, ("country", "iso_code")), pa.string())
        coded = found.dictionary_encode("encode")
        codes = [self.codes.get(code, -1) for code in coded.dictionary.to_pylist()]
        located: Ints = np.array(codes, np.int64)[coded.indices.to_numpy()]
        return located


def _draw_ipv4(
    locate: _Locator, fewest: Ints, candidates: int, rng: np.random.Generator
) -> list[npt.NDArray[np.uint32]]:
    """Distinct IPv4 numbers for each country: random ones, and neighbours where these are few."""
    drawn = _distinct(_draw_public(candidates, rng))
    located = _locate_numbers(locate, drawn)
    for _ in range(20):
        if len(np.unique(located[located >= 0])) == len(fewest):
            break
        more = _without(_draw_public(LOOKUPS_AT_ONCE, rng), drawn)
        drawn = np.concatenate([drawn, more])
        located = np.concatenate([located, _locate_numbers(locate, more)])
    return [
        _add_neighbours(locate, country, drawn[located == country], int(wanted), rng)
        for country, wanted in enumerate(fewest)
    ]


def _add_neighbours(
    locate: _Locator,
    country: int,
    known: npt.NDArray[np.uint32],
    fewest: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.uint32]:
    if len(known) == 0:
        raise GeoError(f"{locate.path} has no address of {locate.names[country]}")
    while len(known) < fewest:
        tries = min(2 * (fewest - len(known)) + 100, LOOKUPS_AT_ONCE)
        seeds = known[rng.integers(0, len(known), tries)]
        near = (seeds & ~np.uint32(255)) | rng.integers(1, 255, tries, dtype=np.uint32)
        near = _without(near, known)
        near = near[_locate_numbers(locate, near) == country]
        known = _distinct(np.concatenate([known, near]))
    return known


def _distinct(numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The different numbers, rising: ``np.unique`` hashes them, a tenth of the speed of sorting."""
    rising = np.sort(numbers)
    is_first = np.ones(len(rising), np.bool_)
    is_first[1:] = rising[1:] != rising[:-1]
    return rising[is_first]


def _without(
    numbers: npt.NDArray[np.uint32], known: npt.NDArray[np.uint32]
) -> npt.NDArray[np.uint32]:
    """Those of some numbers, rising, that are not among others, which are all different."""
    return np.setdiff1d(_distinct(numbers), known, assume_unique=True)


def _locate_numbers(locate: _Locator, numbers: npt.NDArray[np.uint32]) -> Ints:
    found = []
    for first in range(0, len(numbers), LOOKUPS_AT_ONCE):
        texts = _write_ipv4(numbers[first : first + LOOKUPS_AT_ONCE])
        found.append(locate(texts.cast(pa.string()).to_pylist()))
    return np.concatenate([np.empty(0, np.int64), *found])


def _draw_public(count: int, rng: np.random.Generator) -> npt.NDArray[np.uint32]:
    numbers = rng.integers(1 << 24, 224 << 24, count, dtype=np.uint32)
    public = np.ones(count, dtype=bool)
    for network, length in RESERVED:
        first = np.uint32(int.from_bytes(bytes(map(int, network.split("."))), "big"))
        public &= (numbers >> (32 - length)) != (first >> (32 - length))
    return numbers[public]


def _draw_ipv6(locate: _Locator, wanted: list[int], rng: np.random.Generator) -> list[list[str]]:
    """Distinct IPv6 texts for each country, in the /32 networks that the database knows."""
    tops = rng.choice(np.array(IPV6_TOPS), 60_000)
    prefixes = np.unique((tops.astype(np.int64) << 16) | rng.integers(0, 1 << 16, len(tops)))
    located = locate([f"{prefix >> 16:x}:{prefix & 0xFFFF:x}::1" for prefix in prefixes.tolist()])
    return [
        _fill_networks(locate, country, prefixes[located == country], count, rng)
        for country, count in enumerate(wanted)
    ]


def _fill_networks(
    locate: _Locator, country: int, prefixes: Ints, count: int, rng: np.random.Generator
) -> list[str]:
    if len(prefixes) == 0 or count == 0:
        return []
    words = rng.integers(1, 1 << 16, (count, 6)).tolist()
    networks = prefixes[rng.integers(0, len(prefixes), count)].tolist()
    texts = [
        f"{network >> 16:x}:{network & 0xFFFF:x}:{a:x}:{b:x}:"
        + (f":{f:x}" if f % 4 == 0 else f"{c:x}:{d:x}:{e:x}:{f:x}")
        for network, (a, b, c, d, e, f) in zip(networks, words, strict=True)
    ]
    found = locate(texts).tolist()
    return sorted({text for text, place in zip(texts, found, strict=True) if place == country})
