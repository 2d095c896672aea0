"""A site's lake and its time zone: the one set, the lake's, or what is assumed."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.errors import MissingLakeError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.lake.place import BucketUrl
from pipeline.settings import load_settings, machine_timezone


@dataclass(frozen=True)
class Zone:
    """The site's time zone and where it comes from: the settings, the lake, or an assumption."""

    info: ZoneInfo
    is_new: bool
    is_assumed: bool
    reason: str = "as set"
    """Why it is this one, where ``is_new``."""

    def explain(self, lake: Path | BucketUrl) -> str:
        """Say what a new lake's days are."""
        return f"New lake in {lake}. Days are counted in {self.info.key}, {self.reason}."


def find_zone(set_to: str | None, lake: Lake) -> Zone:
    """The zone in force: the one set, else the lake's, else what is assumed.

    Before the first raw file is taken in, ``choose_zone`` looks at its lines.
    """
    is_new = not lake.identity()
    return Zone(
        ZoneInfo(zone_name(set_to, lake)),
        is_new=is_new,
        is_assumed=is_new and not set_to,
    )


def open_lake(place: Path | BucketUrl) -> Lake:
    """The lake of a place, which must exist.

    Raises:
        MissingLakeError: there is none.
    """
    lake = Lake(place)
    if not lake.identity():
        raise MissingLakeError(f"no lake at {place}: `tidegauge ingest` makes one")
    lake.recover()
    return lake


def schedule_zone() -> str:
    """The zone that schedules are written in: see ``zone_name``.

    A wrong setting is reported by the tasks, not by a DAG that cannot be read.
    """
    try:
        settings = load_settings()
    except SettingsError:
        return assumed_zone()
    return zone_name(settings.timezone, Lake(settings.lake))


def zone_name(set_to: str | None, lake: Lake) -> str:
    """The IANA name of the site's zone: the one set, else the lake's, else what is assumed."""
    return set_to or lake.identity().get("timezone") or assumed_zone()


def assumed_zone() -> str:
    """The machine's zone, or UTC, until the lines of a first raw file say more."""
    return machine_timezone() or "UTC"
