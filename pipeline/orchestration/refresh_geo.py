"""New databases of addresses from MaxMind, and the days that they would locate otherwise."""

import logging
from datetime import datetime

from pipeline.enrich.geo.databases import list_networks
from pipeline.enrich.geo.fetch import Options, fetch
from pipeline.enrich.geo.providers import FetchedKind, folder_of, services_of
from pipeline.enrich.hits import DatabasesInForce
from pipeline.ingest.outdated import find_outdated
from pipeline.lake.lake import Lake
from pipeline.lake.zone import find_zone
from pipeline.settings import Settings
from pipeline.text import write_number_of

log = logging.getLogger(__name__)


def refresh(settings: Settings, now: datetime) -> str:
    """Fetch MaxMind's newest database; returns its file's name, new or there before.

    Where there is one of its networks, the newest of these, too.

    Raises:
        SettingsError: the account is missing.
        GeoError: it could not be fetched, or did not pass the checks.
    """
    folder = folder_of(settings.geo)
    kinds: list[FetchedKind] = ["city"]
    if any(known.provider == "maxmind" for known in list_networks(folder)):
        kinds.append("asn")
    names = []
    for kind in kinds:
        options = Options(kind=kind, services=services_of(settings))
        fetched = fetch("maxmind", folder, now, options)
        names.append(fetched.database.path.name)
        log.info("%s: %s", names[-1], "added" if fetched.is_new else "no change")
    return ", ".join(names)


def offer_days(settings: Settings) -> list[str]:
    """The days whose database in force has changed since they were located; rebuilds nothing."""
    lake = Lake(settings.lake)
    zone = find_zone(settings.timezone, lake).info
    places = DatabasesInForce.of(settings.geo, settings.geo_provider, zone)
    days = [str(day) for day in find_outdated(lake.sums(), places, lake.sealed())]
    if days:
        log.warning(
            "%s located by another database than the one now in force: to count again, backfill"
            " tidegauge_nightly from %s to %s, reprocessing all runs",
            write_number_of(len(days), "day was", "days were"), days[0], days[-1],
        )  # fmt: skip
    return days
