"""Local days against the hours of UTC: which hours a local day has, which UTC days are whole."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from pipeline.days import ONE_DAY, ONE_HOUR, day_start
from pipeline.report.facts import BothDays, Hour


def fill_hours(hours: Sequence[Hour], peak_day: date, zone: ZoneInfo) -> list[Hour]:
    """Every hour (UTC) of the peak day and, where it has hits, the day before; quiet ones as 0.

    A local day has 23 to 25 hours; where the zone is not whole hours from UTC, its first and last
    hour are shared with the neighbouring days.
    """
    known = {hour.hour: hour for hour in hours}
    peak_start = _start(peak_day, zone)
    has_eve = any(start < peak_start for start in known)
    start = _start(peak_day - ONE_DAY, zone) if has_eve else peak_start
    end = day_start(peak_day + ONE_DAY, zone)
    filled = []
    while start < end:
        filled.append(known.get(start) or Hour(start, 0, 0, 0))
        start += ONE_HOUR
    return filled


def _start(day: date, zone: ZoneInfo) -> datetime:
    """The hour (UTC) in which a local day begins."""
    return day_start(day, zone).replace(minute=0, second=0)


def mark_whole_days(
    days: Sequence[BothDays], built: Collection[date], zone: ZoneInfo
) -> list[tuple[BothDays, bool]]:
    """Tell of each day whether all local days that its UTC day takes hours from are in the lake."""
    marked = []
    for day in days:
        start = datetime.combine(day.day, time(), UTC)
        touched = {(start + n * ONE_HOUR).astimezone(zone).date() for n in (0, 23)}
        marked.append((day, touched <= set(built)))
    return marked
