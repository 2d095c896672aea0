"""Which time zone this machine is set to, as an IANA name."""

from functools import cache
from pathlib import Path
from zoneinfo import available_timezones

_LOCALTIME, _NAME = Path("/etc/localtime"), Path("/etc/timezone")
_FOLDER = "zoneinfo/"
_UTC = frozenset(("Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"))


@cache
def time_zones() -> frozenset[str]:
    """The names of all IANA time zones that Python knows here: a walk through some 600 files."""
    return frozenset(available_timezones())


def find_timezone(
    variable: str | None, localtime: Path = _LOCALTIME, name: Path = _NAME
) -> str | None:
    """The zone that the C library takes, by its name; None when that can't be told.

    Args:
        variable: ``TZ``, which wins where it is set; empty, it is UTC.
        localtime: the system's zone, mostly a link into the database of zones.
        name: the zone's name, where a system keeps it in a file of its own.
    """
    if variable is not None:
        text = variable.removeprefix(":")
        return _known(text.rpartition(_FOLDER)[2]) if text else "UTC"
    if localtime.is_symlink() and (found := _known(_linked(localtime))):
        return found
    try:
        return _known(name.read_text().strip())
    except (OSError, ValueError):
        return None if localtime.exists() else "UTC"


def _linked(path: Path) -> str:
    """The name that a link into a database of zones leads to; links there are other names."""
    for _ in range(8):
        if _FOLDER in str(path) or not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return str(path).rpartition(_FOLDER)[2]


def _known(name: str) -> str | None:
    name = name.removeprefix("posix/")
    if name in _UTC:
        return "UTC"
    return name if name in time_zones() else None
