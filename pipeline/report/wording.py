"""How the report writes numbers, dates and countries."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytz

from pipeline.definitions import NO_COUNTRY

_NAMES = {NO_COUNTRY: "unknown place", "XK": "Kosovo", "GB": "United Kingdom"}
"""What the tz database's list of ISO 3166-1 lacks or words differently."""
_WITH_ARTICLE = (
    "AE", "AX", "BS", "CC", "CD", "CF", "CG", "CK", "DO", "FK", "FO", "GB", "GM", "IM", "IO", "KM",
    "KY", "MH", "MP", "MV", "NL", "PH", "SB", "SC", "TC", "UM", "US", "VG", "VI",
)  # fmt: skip
_LEAST_FOR_RATIO = 1.0


def write_count(value: float) -> str:
    """A number of things, with thousands separators."""
    return f"{value:,.0f}"


def write_share(value: float | None) -> str:
    """A share of 0 to 1 as a percentage: one decimal, two below 0.1 %."""
    if value is None:
        return "none"
    digits = 2 if 0 < value < 0.001 else 1
    return f"{value:.{digits}%}".replace("%", "\N{NO-BREAK SPACE}%")


def write_part(share: float) -> str:
    """A share of what was expected as a percentage: never 100 % when it is less."""
    tenths = math.floor(share * 1000)
    return f"{tenths / 10:g}\N{NO-BREAK SPACE}%"


def write_ratio(value: float) -> str:
    """How many times: one decimal below 100."""
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def write_figure(value: float) -> str:
    """A figure to compare: whole when it is, otherwise with its two decimals."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def write_difference(value: int) -> str:
    """A signed number, with a true minus sign."""
    return f"{value:+,}".replace("-", "\N{MINUS SIGN}")


def name_country(code: str) -> str:
    """The English name of an ISO 3166-1 code; an unlisted code is its own name."""
    return _NAMES.get(code) or str(pytz.country_names.get(code, code))


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
