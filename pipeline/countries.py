"""The English names of countries, by their codes of ISO 3166-1."""

import pytz

from pipeline.definitions import NO_COUNTRY

_OTHERWISE = {NO_COUNTRY: "unknown place", "XK": "Kosovo", "GB": "United Kingdom"}
"""What the tz database's list lacks or words differently."""


def list_countries() -> dict[str, str]:
    """All codes with their names; ``ZZ`` and Kosovo's are among them."""
    return {**pytz.country_names, **_OTHERWISE}


def name_country(code: str) -> str:
    """The name of a country; an unlisted code is its own."""
    return _OTHERWISE.get(code) or str(pytz.country_names.get(code, code))
