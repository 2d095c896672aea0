"""A site's lake and its time zone: the one set, the lake's, or what is assumed."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.errors import LakeError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.settings import Settings, load_settings, machine_timezone


@dataclass(frozen=True)
class Zone:
    """The site's time zone and where it comes from: the settings, the lake, or an assumption."""

    info: ZoneInfo
    is_new: bool
    is_assumed: bool
    reason: str = "as set"
    """Why it is this one, where ``is_new``."""

    def explain(self, lake: Path) -> str:
        """Say what a new lake's days are."""
        return f"new lake {lake}: its days are those of {self.info.key}, {self.reason}"


def find_zone(settings: Settings, lake: Lake) -> Zone:
    """The zone in force: the one set, else the lake's, else what is assumed.

    Before the first raw file is taken in, ``choose_zone`` looks at its lines.
    """
    is_new = not lake.identity()
    return Zone(
        ZoneInfo(zone_name(settings, lake)),
        is_new=is_new,
        is_assumed=is_new and not settings.timezone,
    )


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


def schedule_zone() -> str:
    """The zone that schedules are written in: see ``zone_name``.

    A wrong setting is reported by the tasks, not by a DAG that cannot be read.
    """
    try:
        settings = load_settings()
    except SettingsError:
        return assumed_zone()
    return zone_name(settings, Lake(settings.lake))


def zone_name(settings: Settings, lake: Lake) -> str:
    """The IANA name of the site's zone: the one set, else the lake's, else what is assumed."""
    return settings.timezone or lake.identity().get("timezone") or assumed_zone()


def assumed_zone() -> str:
    """The machine's zone, or UTC, until the lines of a first raw file say more."""
    return machine_timezone() or "UTC"
