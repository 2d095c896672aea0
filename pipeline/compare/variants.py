"""The changes that can be asked for: each value is one variant, all else as in the lake."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.build.stale import SessionRules
from pipeline.compare.basis import Basis, Outcome, has_hits, without_hits
from pipeline.compare.counting import Change, count_days
from pipeline.compare.other_days import count_other_days
from pipeline.compare.other_places import (
    change_places,
    check_room,
    choose_database,
    count_other_places,
    keep_addresses,
    plan_rereading,
)
from pipeline.compare.robot_rules import read_rules
from pipeline.enrich.geo.databases import GeoDatabase
from pipeline.errors import SettingsError
from pipeline.ingest.maker import IngestSettings
from pipeline.machine import time_zones
from pipeline.progress import show_bytes, show_steps
from pipeline.proxies import TrustedProxies
from pipeline.text import say


@dataclass(frozen=True)
class Variant:
    """One changed setting, and how to count under it."""

    label: str
    count: Callable[[Basis], Outcome]


@dataclass(frozen=True)
class Asked:
    """The values of the options that change something."""

    timeouts: Sequence[int] = ()
    zones: Sequence[str] = ()
    robots: Sequence[str] = ()
    drop_robotlike: Sequence[bool] = ()
    databases: Sequence[Path] = ()
    databases_built: Sequence[date] = ()


def make_variants(
    asked: Asked, geo: Path | None, how: IngestSettings, proxies: TrustedProxies
) -> list[Variant]:
    """Each value asked as a variant, in the options' order.

    Databases are those of the folder ``geo``; raw files are read again as ``how`` and ``proxies``
    say, where that is needed.

    Raises:
        SettingsError, GeoError: a value is wrong, or none was given.
    """
    found = [_timeout(minutes) for minutes in asked.timeouts]
    found += [_zone(name) for name in asked.zones]
    found += [_robots(given) for given in asked.robots]
    found += [_robotlike(what) for what in asked.drop_robotlike]
    chosen = [choose_database(geo, file, None) for file in asked.databases]
    chosen += [choose_database(geo, None, built) for built in asked.databases_built]
    found += [_places(database, how, proxies) for database in chosen]
    if not found:
        raise SettingsError(
            "compare", None,
            "nothing to change was given: give --timeout MINUTES, --timezone ZONE, --robots LIST,"
            " --robotlike keep or drop, --geo-database FILE or --geo-built DAY, each as often as"
            " you like",
        )  # fmt: skip
    return list({variant.label: variant for variant in found}.values())


def _timeout(minutes: int) -> Variant:
    label = f"timeout {minutes}"
    return Variant(
        label,
        lambda basis: _count_hits(basis, label, replace(basis.rules, timeout_minutes=minutes)),
    )


def _robots(given: str) -> Variant:
    rules = read_rules(given)
    return Variant(
        rules.label,
        lambda basis: _count_hits(basis, rules.label, basis.rules, rules.change),
    )


def _robotlike(drop: bool) -> Variant:
    label = f"robotlike {'drop' if drop else 'keep'}"
    return Variant(
        label, lambda basis: _count_hits(basis, label, replace(basis.rules, drop_robotlike=drop))
    )


def _count_hits(
    basis: Basis, label: str, rules: SessionRules, change: Change | None = None
) -> Outcome:
    """Count the lake's own hits, changed or under other rules."""
    left_out = without_hits(basis)
    days = [day for day in basis.wanted if day not in left_out]
    files = {day: files for day, files in basis.files.items() if has_hits(basis, day)}
    with show_steps(label, len(days)) as bar:
        figures = count_days(
            basis, days, lake=basis.lake, files=files,
            rules=rules, change=change, on_days=bar.advance,
        )  # fmt: skip
    return Outcome(label, figures, left_out)


def _zone(name: str) -> Variant:
    if name not in time_zones():
        raise SettingsError(
            "--timezone", name, "not an IANA time zone; write one such as UTC or America/Vancouver"
        )
    label = f"timezone {name}"

    def count(basis: Basis) -> Outcome:
        with show_steps(label, len(basis.wanted)) as bar:
            return count_other_days(basis, ZoneInfo(name), label, bar.advance)

    return Variant(label, count)


def _places(database: GeoDatabase, how: IngestSettings, proxies: TrustedProxies) -> Variant:
    label = f"geo {database.provider} {database.build_date}"

    def count(basis: Basis) -> Outcome:
        if keep_addresses(basis):
            return _count_hits(basis, label, basis.rules, change_places(database))
        with plan_rereading(how.sources, basis) as rereading:
            free = check_room(rereading, basis.workspace)
            say(
                f"{label}: {len(rereading.found)} raw files ({_megabytes(rereading.raw_bytes)}) are"
                " read again into a temporary lake of about"
                f" {_megabytes(rereading.needed_bytes)} in {basis.workspace}"
                f" ({_megabytes(free)} free)"
            )
            with show_bytes(label, rereading.raw_bytes) as bar:
                return count_other_places(
                    basis, database, rereading, label, how, proxies, on_read=bar.advance
                )  # fmt: skip

    return Variant(label, count)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
