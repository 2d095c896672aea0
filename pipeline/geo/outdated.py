"""Days that were located by another database than the one now in force for them."""

from datetime import date

from pipeline.hits import EPOCH, Places
from pipeline.lake import DayShare, FileRecord


def is_outdated(share: DayShare, day: date, places: Places) -> bool:
    """Whether another database is in force for ``day`` than the one that located the share.

    Hits that were taken in without any database are left as they are.
    """
    chosen = places.in_force((day - EPOCH).days)
    return bool(chosen and share.geo_built and share.geo_built != str(chosen[0].build_date))


def find_outdated(records: list[FileRecord], places: Places, sealed: set[str]) -> list[date]:
    """The days to locate anew, in order; sealed ones can't be."""
    shares = ((day, share) for record in records for day, share in record.days.items())
    unsealed = ((date.fromisoformat(day), share) for day, share in shares if day not in sealed)
    return sorted({day for day, share in unsealed if is_outdated(share, day, places)})
