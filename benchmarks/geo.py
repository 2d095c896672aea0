"""Addresses per second: tidegauge's bulk path, maxminddb (C) and geoip2, in turn, in one run.

    .venv/bin/python benchmarks/geo.py [FILE.mmdb] [--addresses N]

The addresses are distinct and random over the IPv4 space, seeded. Each reader is asked for country
and subdivision; the slow two get a sample. Best of five. "first" is a Locator that has met no
record yet, "later" one that has met them all, "2 threads" two calls on one Locator at once.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import geoip2.database
import maxminddb
import maxminddb_rust
import numpy as np
import pyarrow as pa
from geoip2.errors import AddressNotFoundError

from pipeline.enrich.geo.databases import read_database
from pipeline.enrich.geo.lookup import Locator

ROUNDS = 5
SAMPLE = 50_000


def demo_database() -> Path:
    """Return GeoLite2-City of 2016-11-03 from the package of the extra `demo`."""
    spec = importlib.util.find_spec("_geoip_geolite2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("name an .mmdb file, or install the extra `demo`")
    return Path(spec.submodule_search_locations[0]) / "GeoLite2-City.mmdb"


def random_addresses(count: int) -> list[str]:
    """Return `count` distinct dotted quads, seeded."""
    drawn = np.random.default_rng(2016).integers(1 << 24, 224 << 24, count + count // 50)
    numbers = np.unique(drawn)
    np.random.default_rng(11).shuffle(numbers)
    return [f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in numbers[:count].tolist()]


def locate_first(path: Path, addresses: pa.StringArray) -> Callable[[], None]:
    """Return a task: open, and locate all."""

    def task() -> None:
        with Locator(read_database(path)) as locator:
            locator.locate(addresses)

    return task


def ask_rust(path: Path, addresses: list[str]) -> Callable[[], None]:
    """Return a task: the library under the bulk path, one call per field."""
    reader = maxminddb_rust.open_database(path)

    def task() -> None:
        reader.get_many_path(addresses, ("country", "iso_code"))
        reader.get_many_path(addresses, ("subdivisions", 0, "iso_code"))

    return task


def ask_c(path: Path, addresses: list[str]) -> Callable[[], None]:
    """Return a task: maxminddb's C extension, whole records."""
    reader = maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT)

    def task() -> None:
        for address in addresses:
            record: Any = reader.get(address) or {}
            record.get("country", {}).get("iso_code")

    return task


def ask_geoip2(path: Path, addresses: list[str]) -> Callable[[], None]:
    """Return a task: geoip2's models."""
    reader = geoip2.database.Reader(path)

    def task() -> None:
        for address in addresses:
            try:
                reader.city(address)
            except AddressNotFoundError:
                continue

    return task


def main() -> None:
    """Time the readers in turn and print the best rate of each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--addresses", type=int, default=1_000_000)
    options = parser.parse_args()
    path = options.path or demo_database()
    addresses = random_addresses(options.addresses)
    column = pa.array(addresses)
    sample = addresses[:SAMPLE]
    locator = Locator(read_database(path))
    locator.locate(column)
    threads = ThreadPoolExecutor(2)
    tasks = {
        "bulk, first (opening included)": (locate_first(path, column), len(addresses)),
        "bulk, later": (lambda: locator.locate(column), len(addresses)),
        "bulk, later, 2 threads": (
            lambda: list(threads.map(locator.locate, [column] * 2)),
            2 * len(addresses),
        ),
        "maxminddb-rust get_many_path x 2": (ask_rust(path, addresses), len(addresses)),
        "maxminddb (C)": (ask_c(path, sample), len(sample)),
        "geoip2": (ask_geoip2(path, sample), len(sample)),
    }
    best = dict.fromkeys(tasks, float("inf"))
    for _ in range(ROUNDS):
        for name, (task, _count) in tasks.items():
            started = time.perf_counter()
            task()
            best[name] = min(best[name], time.perf_counter() - started)
    for name, (_task, count) in tasks.items():
        print(f"{name:34}{count / best[name]:12,.0f} addresses/s")


if __name__ == "__main__":
    main()
