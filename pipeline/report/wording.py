"""How the report writes numbers, dates and countries."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from pipeline import text
from pipeline.countries import list_countries, name_country
from pipeline.definitions import NO_COUNTRY
from pipeline.text import write_number_of

_WITH_ARTICLE = (
    "AE", "AX", "BS", "CC", "CD", "CF", "CG", "CK", "DO", "FK", "FO", "GB", "GM", "IM", "IO", "KM",
    "KY", "MH", "MP", "MV", "NL", "PH", "SB", "SC", "TC", "UM", "US", "VG", "VI",
)  # fmt: skip
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LEAST_FOR_RATIO = 1.0


def write_count(value: float) -> str:
    """A number of things, with thousands separators."""
    return f"{value:,.0f}"


def write_share(value: float | None) -> str:
    """A share as ``output`` writes it, in one piece on a line."""
    return "none" if value is None else text.write_share(value).replace(" ", "\N{NO-BREAK SPACE}")


def write_ratio(value: float) -> str:
    """How many times: one decimal below 100."""
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def write_figure(value: float) -> str:
    """A figure to compare: whole when it is, otherwise with its two decimals."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def write_difference(value: int) -> str:
    """A signed number, with a true minus sign."""
    return f"{value:+,}".replace("-", "\N{MINUS SIGN}")


def find_code(given: str) -> str | None:
    """The code of a country by its name, with its article or without, in any case of letters."""
    wanted = given.casefold().strip()
    countries = list_countries()
    names = {name.casefold(): code for code, name in countries.items()}
    names |= {name_in_sentence(code).casefold(): code for code in countries}
    return names.get(wanted)


def name_in_sentence(code: str) -> str:
    """The country's name as it stands after ``from`` or ``in``: with its article."""
    if code == NO_COUNTRY:
        return "an unknown place"
    return ("the " if code in _WITH_ARTICLE else "") + name_country(code)


def compare_with_expected(observed: int, expected: float | None) -> str | None:
    """``17.0 times what was expected``; None when nothing was expected to compare with."""
    if expected is None or expected < _LEAST_FOR_RATIO:
        return None
    return f"{write_ratio(observed / expected)} times what was expected"


def write_hour(hour: datetime, zone: ZoneInfo) -> str:
    """An hour's start in the site's zone with its offset: ISO 8601, a space for the ``T``."""
    return hour.astimezone(zone).isoformat(sep=" ", timespec="minutes")


def write_day(day: date) -> str:
    """``8 November 2016``."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def write_span(first: date, last: date) -> str:
    """``on 9 November 2016``, or from one day to another with what they share said once."""
    if first == last:
        return f"on {write_day(first)}"
    month = f" {_MONTHS[first.month - 1]}" if first.month != last.month else ""
    year = f" {first.year}" if first.year != last.year else ""
    if year:
        month = f" {_MONTHS[first.month - 1]}"
    return f"from {first.day}{month}{year} to {write_day(last)}"


def write_moment(moment: datetime, zone: ZoneInfo) -> str:
    """``9 November 2016 at 06:00``, in the site's zone."""
    local = moment.astimezone(zone)
    return f"{write_day(local.date())} at {local:%H:%M}"


def write_local_time(moment: datetime, zone: ZoneInfo) -> str:
    """``2016-11-09 06:00``, in the site's zone, which is said beside it."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def write_change(before: int, after: int) -> str:
    """``150.0 % more``; the plain number of sessions when there was nothing to compare with."""
    more = "more" if after > before else "less"
    if not before:
        return f"{write_count(abs(after - before))} {more}"
    return f"{write_share(abs(after - before) / before)} {more}"


def write_sources(sources: int | None, expected: int | None) -> str:
    """``2 of 5 sources``; the number alone where nobody knows how many there should be."""
    if sources is None:
        return "an unknown number of sources"
    if expected is None:
        return write_number_of(sources, "source")
    return f"{write_count(sources)} of {write_number_of(expected, 'source')}"


def name_addresses(country: str) -> str:
    """Whose sessions a figure counts: what stands after ``sessions``."""
    if country == "all":
        return "from all countries together"
    if country == NO_COUNTRY:
        return "from addresses that the database places in no country"
    return f"from addresses located in {name_in_sentence(country)}"
