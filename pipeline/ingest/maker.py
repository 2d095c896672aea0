"""What raw files are read with: the zone of a new lake, the maker of hits, what settings say."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.enrich.geo.databases import list_databases, none_in
from pipeline.enrich.hits import DatabasesInForce, HitMaker
from pipeline.enrich.robots import Robots
from pipeline.enrich.visitors import VisitorKey, load_key
from pipeline.errors import DataError, GeoError, SettingsError
from pipeline.formats.clock import Offset, read_offsets
from pipeline.formats.layouts import find_layout
from pipeline.ingest.deduplication import OverlapRules
from pipeline.ingest.source_names import Sources
from pipeline.lake.lake import Lake
from pipeline.lake.zone import Zone, find_zone
from pipeline.machine import time_zones
from pipeline.raw.blocks import read_blocks
from pipeline.raw.opening import ReadLimits
from pipeline.settings import Settings, machine_timezone

_LOOKED_AT = 5
"""So many raw files are looked at for the offsets of their lines."""
_WELL_KNOWN = (
    *("America/Toronto", "America/Chicago", "America/Denver", "America/Los_Angeles"),
    *("America/Sao_Paulo", "Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Moscow"),
    *("Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland"),
)


@dataclass(frozen=True)
class IngestSettings:
    """How raw files are found and taken in."""

    sources: Sources
    overlaps: OverlapRules
    limits: ReadLimits


def choose_zone(zone: Zone, files: Sequence[Path]) -> Zone:
    """The zone of a new lake, by the offsets of the first lines where it is not set.

    The machine's, when most of them fit it or there are none; else UTC, when most are its.

    Raises:
        SettingsError: they fit neither; names the setting, their offset and a zone that fits.
    """
    if not zone.is_assumed:
        return zone
    offsets = _first_offsets(files)
    others = [offset for offset in offsets if not offset.agrees_with(zone.info)]
    if len(others) * 2 <= len(offsets):
        whose = "this machine's zone" if machine_timezone() else "as this machine's zone is unknown"
        return replace(zone, reason=f"{whose}; set timezone to change it")
    if sum(offset.is_utc for offset in offsets) * 2 > len(offsets):
        return replace(
            zone, info=ZoneInfo("UTC"), reason="the offset of its lines; set timezone to change it"
        )
    raise SettingsError(
        "timezone",
        None,
        f"not set, and the lines' own offset ({others[0].text}) is neither that of this machine"
        f" ({zone.info.key}) nor UTC's; set timezone in tidegauge.toml or TIDEGAUGE_TIMEZONE to the"
        f" zone whose days you want counted, such as {_fitting_zone(others)}",
    )


def _first_offsets(files: Sequence[Path]) -> list[Offset]:
    """The offsets of the first lines of a few files, from the first to the last."""
    offsets: list[Offset] = []
    for path in files[:: max(1, len(files) // _LOOKED_AT)]:
        try:
            block = next(read_blocks(path), None)
        except DataError:
            continue  # reported when its turn comes
        if block is not None:
            offsets += read_offsets(block.lines[:1000])
    return offsets


def _fitting_zone(offsets: Sequence[Offset]) -> str:
    """The zone that most of some offsets fit, a well-known one where there is one."""
    counts = Counter((offset.seconds // 86_400, offset.text) for offset in offsets)
    days = [(Offset(day * 86_400, text), count) for (day, text), count in counts.items()]
    others = (name for name in time_zones() if "/" in name and name[:4] != "Etc/")
    zones = map(ZoneInfo, (*_WELL_KNOWN, *sorted(others)))
    return max(zones, key=lambda zone: sum(n for one, n in days if one.agrees_with(zone))).key


def open_maker(settings: Settings, zone: Zone, *, with_geo: bool) -> HitMaker:
    """What hits depend on besides their lines; claims the lake for this zone and key.

    Raises:
        GeoError: no database of addresses, though one is wanted.
        LakeError: the lake is another zone's or key's.
        SettingsError: there is no such layout.
    """
    geo = settings.geo if with_geo else None
    if geo and not list_databases(geo):
        raise none_in(geo)
    if settings.log_format:
        find_layout(settings.log_format)
    key, lake = load_key(settings), Lake(settings.lake)
    if zone.is_assumed:  # another process may have made the lake meanwhile
        zone = replace(zone, info=ZoneInfo(lake.identity().get("timezone", zone.info.key)))
    lake.claim(zone.info.key, key.fingerprint)
    return _make(settings, zone.info, geo, key)


def ingest_settings(settings: Settings) -> IngestSettings:
    """How raw files are found and taken in."""
    return IngestSettings(
        Sources(
            settings.source,
            settings.sources,
            settings.raw,
            not settings.source or "raw" in settings.model_fields_set,
            settings.log_format,
            settings.follow_links,
            settings.max_fetch_mb * 1_000_000,
        ),
        OverlapRules(settings.overlap_least_lines, settings.drop_overlaps),
        ReadLimits(settings.max_content_ratio, settings.max_lines, settings.memory_limit_mb),
    )


def current_maker(settings: Settings, lake: Lake) -> HitMaker:
    """What hits would be made by now, also where there is no database of addresses."""
    zone, key = find_zone(settings.timezone, lake).info, load_key(settings)
    try:
        return _make(settings, zone, settings.geo, key)
    except GeoError:
        return _make(settings, zone, None, key)


def _make(settings: Settings, zone: ZoneInfo, geo: Path | None, key: VisitorKey) -> HitMaker:
    places = DatabasesInForce.of(geo, settings.geo_provider, zone)
    robots = Robots(Lake(settings.lake).root)
    return HitMaker(zone, places, robots, key, settings.addresses, settings.proxies)
