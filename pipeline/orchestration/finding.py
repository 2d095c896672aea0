"""What a run takes in of a local day: the raw files that are there, or which it waits for.

``discover`` says which; here is what it is told of the site, and until when a night waits.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from pipeline.build.build import build_settings
from pipeline.build.completeness import list_expected
from pipeline.days import check_day, morning_after
from pipeline.enrich.geo.databases import none_in
from pipeline.enrich.hits import DatabasesInForce
from pipeline.enrich.visitors import load_key
from pipeline.errors import PassingError, StoreError
from pipeline.ingest.discovery import Found, discover
from pipeline.ingest.maker import choose_zone, ingest_settings
from pipeline.ingest.sources import days_around, find_raw_files, list_places
from pipeline.lake.lake import Lake
from pipeline.lake.zone import Zone, find_zone
from pipeline.orchestration.jobs import name_file
from pipeline.settings import Settings
from pipeline.text import escape

log = logging.getLogger(__name__)
_ASK_STORES = timedelta(minutes=5)


def find_files(  # noqa: PLR0913 what is looked for, and when
    settings: Settings,
    day: date,
    now: datetime,
    *,
    with_late: bool,
    arrived_by: datetime | None = None,
    awaited: Collection[str] = (),
) -> Found:
    """Find what to take in for a local day, and ``with_late`` of earlier days, too.

    With ``arrived_by`` only what was there at that instant. ``awaited``: see ``discover``.

    Raises:
        SettingsError: the day has not ended; the raw folder or the zone is wrong.
        LakeError: the lake is another zone's or key's.
        PassingError: nothing of the day is there.
        DataError: the folder can't be read.
        StoreError: nothing of the day is there, and a store is out of reach.
        GeoError: there is no database of addresses, or a damaged one.
    """
    check_day(day, now, find_own_zone(settings).info)
    found = search_files(settings, day, with_late=with_late, arrived_by=arrived_by, awaited=awaited)
    check_day(day, now, find_own_zone(settings).info)  # a new lake's is known only now
    return found


@dataclass(frozen=True)
class Awaited:
    """What a night waits for: a raw file that comes to one of the places, until an instant."""

    places: list[str]
    until: datetime


def find_all_files(settings: Settings, day: date, now: datetime) -> Found | Awaited:
    """Find what to take in, late files too, when all that is expected of the day is there.

    Or when it is ``files_due_by``: then the others make the day preliminary, and so does a store
    out of reach. Only this machine's folders can be watched; stores are asked now and then.

    Raises:
        As ``find_files``; that something is not there yet only when it is due.
    """
    zone = find_own_zone(settings).info
    due = now if settings.files_due_by is None else morning_after(day, settings.files_due_by, zone)
    if now >= due:
        found = find_files(settings, day, now, with_late=True)
        if settings.files_due_by is None:
            return found
        for error in found.unreached:
            log.warning("%s", error)
        return replace(found, unreached=())
    every = Lake(settings.lake).sums()
    there = {sums.source for sums in every if str(day) in sums.days}
    awaited = [name for name in list_expected(every, settings.sources, day) if name not in there]
    try:
        found = find_files(settings, day, now, with_late=True, awaited=awaited)
    except (PassingError, StoreError) as error:
        why = str(error)
    else:
        if not found.missing and not found.unreached:
            return found
        why = "; ".join([*map(str, found.unreached), *(f"no file of {n}" for n in found.missing)])
    log.warning("%s: %s; waiting until %s", day, escape(why), f"{due.astimezone(zone):%H:%M}")
    sources = ingest_settings(settings).sources
    is_remote = any(table.url for table in sources.tables)
    return Awaited(
        list_places(sources, days_around(day, with_late=False)),
        min(due, now + _ASK_STORES) if is_remote else due,
    )


def find_own_zone(settings: Settings) -> Zone:
    """The site's zone; another zone's or key's lake is refused before any work.

    Raises:
        LakeError: the lake is another zone's or key's.
    """
    lake = Lake(settings.lake)
    if lake.identity():
        build_settings(settings, lake)
    return find_zone(settings.timezone, lake)


def search_files(  # noqa: PLR0913 likewise
    settings: Settings,
    day: date,
    *,
    with_late: bool,
    arrived_by: datetime | None = None,
    may_be_empty: bool = False,
    awaited: Collection[str] = (),
) -> Found:
    """Find what to take in for a local day, whether it has ended or not; see ``find_files``.

    ``may_be_empty``: that there is nothing of the day yet is no error.
    """
    lake, zone = Lake(settings.lake), find_own_zone(settings)
    how = ingest_settings(settings)
    raw_files = find_raw_files(lake, how.sources, days_around(day, with_late=with_late))
    zone = choose_zone(zone, raw_files.files)
    places = DatabasesInForce.of(settings.geo, settings.geo_provider, zone.info)
    found = discover(
        lake, raw_files, places, day,
        where=str(how.sources), with_late=with_late, arrived_by=arrived_by,
        limits=how.limits, may_be_empty=may_be_empty, awaited=awaited,
    )  # fmt: skip
    if found.files and settings.geo and not places.databases:
        raise none_in(settings.geo)
    if zone.is_new and found.files:  # for the tasks that follow
        lake.claim(zone.info.key, load_key(settings).fingerprint)
        log.warning("%s", zone.explain(settings.lake))
    for path, why in found.unread:
        log.warning("%s: %s", name_file(path), why)
    for path in found.refused:
        log.warning("%s: of a sealed day, not taken in: its figures stand", name_file(path))
    log.info("%s: %d files, %d to locate anew", day, len(found.files), len(found.again))
    return found
