"""A site put together from its settings: its lake, time zone, key, databases and robot lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.blocks import RawFile
from pipeline.build import BuildSettings
from pipeline.days import zone_name
from pipeline.errors import DataError, GeoError, LakeError, SettingsError
from pipeline.formats.clock import Offset, read_offsets
from pipeline.formats.layouts import find_layout
from pipeline.geo.databases import HOW_TO_GET_ONE, list_databases
from pipeline.hits import HitMaker, Places
from pipeline.lake import Lake
from pipeline.raw_files import ReadLimits
from pipeline.robots import Robots
from pipeline.settings import DEFAULT_TIMEZONE, Settings
from pipeline.settling import Rules
from pipeline.visitors import load_key


@dataclass(frozen=True)
class Zone:
    """The site's time zone and where it comes from: the settings, the lake, or an assumption."""

    info: ZoneInfo
    is_new: bool
    is_assumed: bool


def find_zone(settings: Settings, lake: Lake) -> Zone:
    """The zone in force: the one set, else the lake's, else the default."""
    is_new = not lake.identity()
    return Zone(
        ZoneInfo(zone_name(settings, lake)),
        is_new=is_new,
        is_assumed=is_new and not settings.timezone,
    )


def check_zone(zone: Zone, files: Sequence[Path]) -> None:
    """Refuse an assumed zone that most of the first lines' own offsets contradict.

    Raises:
        SettingsError: names the setting and the offset that the lines have.
    """
    offsets = _first_offsets(files) if zone.is_assumed else []
    wrong = [offset for offset in offsets if not offset.agrees_with(zone.info)]
    if len(wrong) * 2 > len(offsets):
        raise SettingsError(
            "timezone",
            None,
            f"not set, and the lines' own offset ({wrong[0].text}) is not that of the default"
            f" {DEFAULT_TIMEZONE}; set timezone in tidegauge.toml or TIDEGAUGE_TIMEZONE to the"
            " zone whose days you want counted (such as Europe/Berlin, or UTC)",
        )


def _first_offsets(files: Sequence[Path]) -> list[Offset]:
    for path in files:
        try:
            block = next(RawFile(path).blocks(), None)
        except DataError:
            continue  # reported when its turn comes
        if block is not None and (offsets := read_offsets(block.lines[:1000])):
            return offsets
    return []


def open_maker(settings: Settings, zone: Zone, *, with_geo: bool) -> HitMaker:
    """What hits depend on besides their lines; claims the lake for this zone and key.

    Raises:
        GeoError: no database of addresses, though one is wanted.
        LakeError: the lake is another zone's or key's.
        SettingsError: there is no such layout.
    """
    databases = list_databases(settings.geo) if with_geo else []
    if with_geo and not databases:
        raise GeoError(f"no address database in {settings.geo}: {HOW_TO_GET_ONE}")
    if settings.log_format:
        find_layout(settings.log_format)
    key = load_key(settings)
    Lake(settings.lake).claim(zone.info.key, key.fingerprint)
    places = Places(databases, settings.geo_provider, zone.info)
    robots = Robots(settings.lake)
    return HitMaker(zone.info, places, robots, key, settings.addresses, settings.proxies)


def open_lake(settings: Settings) -> Lake:
    """The lake, which must exist.

    Raises:
        LakeError: there is none.
    """
    lake = Lake(settings.lake)
    if not lake.identity():
        raise LakeError(f"no lake at {settings.lake}: `tidegauge ingest` makes one")
    lake.recover()
    return lake


def build_settings(settings: Settings, lake: Lake) -> BuildSettings:
    """What derived partitions depend on; the key must be the lake's.

    Raises:
        LakeError: the lake is another zone's or key's.
    """
    key = load_key(settings)
    zone = find_zone(settings, lake)
    lake.claim(zone.info.key, key.fingerprint)
    return BuildSettings(
        zone.info,
        settings.session_timeout_minutes,
        key,
        settings.memory_limit_mb,
        tuple(settings.sources),
        settings.drop_robotlike,
    )


def overlap_rules(settings: Settings) -> Rules:
    """What is done with lines that were sent twice."""
    return Rules(settings.overlap_least_lines, settings.drop_overlaps)


def read_limits(settings: Settings) -> ReadLimits:
    """How much one raw file may hold."""
    return ReadLimits(settings.max_content_ratio, settings.max_lines)
