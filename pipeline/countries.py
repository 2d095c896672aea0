"""The English and French names of countries, by their codes of ISO 3166-1."""

import unicodedata
from difflib import get_close_matches
from functools import cache

import pytz

from pipeline.definitions import NO_COUNTRY

_OTHERWISE = {NO_COUNTRY: "unknown place", "XK": "Kosovo", "GB": "United Kingdom"}
"""What the tz database's list lacks or words differently."""
_ALSO_SAID = {
    "USA": "US", "United States of America": "US", "UK": "GB", "Great Britain": "GB",
    "Ivory Coast": "CI",
}  # fmt: skip
_LEAST_OF_A_NAME = 4
"""Characters: fewer are in the names of half the world."""
_WITH_ARTICLE = (
    "AE", "AX", "BS", "CC", "CD", "CF", "CG", "CK", "DO", "FK", "FO", "GB", "GM", "IM", "IO", "KM",
    "KY", "MH", "MP", "MV", "NL", "PH", "SB", "SC", "TC", "UM", "US", "VG", "VI",
)  # fmt: skip
_FRENCH_OTHERWISE = {NO_COUNTRY: "lieu inconnu", "HK": "Hong Kong", "MO": "Macao"}
_FRENCH_IN = {
    "aux ": "AE AS AX BM BQ BS CC CK FJ FK FO HM KM KY MH MP MV NL PH PN PW SB SC TC TO UM US VG"
    " VI",
    "au ": "BD BF BI BJ BN BR BT BW BY BZ CA CD CG CL CM CR CV EH GA GB GH GL GT GY HN JP KE KG KH"
    " KW KZ LA LB LI LK LR LS LU MA ME ML MM MW MX MZ NE NG NI NP PA PE PK PT PY QA RW SD SJ SN SR"
    " SS SV TD TG TJ TL TM VE VN VU WS XK YE ZW",
    "à ": "AG AI AW BH BL CU CW CY DJ GG GI GU HK JE KI KN LC MC MF MG MO MS MT MU NR NU OM PM PR"
    " RE SG SH SM ST SX TK TV TW VC WF YT",
    "à la ": "BB DM GD TT",
    "à l\N{RIGHT SINGLE QUOTATION MARK}": "BV CX IM NF",
    "dans la ": "VA",
    "dans l\N{RIGHT SINGLE QUOTATION MARK}": "EU",
    "dans le ": "IO",
    "dans les ": "PS TF",
    "dans un ": NO_COUNTRY,
}
"""How one says where; all others have ``en``."""
_IN = {code: words for words, codes in _FRENCH_IN.items() for code in codes.split()}


def list_countries() -> dict[str, str]:
    """All codes with their names; ``ZZ`` and Kosovo's are among them."""
    return {**pytz.country_names, **_OTHERWISE}


def name_country(code: str) -> str:
    """The name of a country; an unlisted code is its own."""
    return _OTHERWISE.get(code) or str(pytz.country_names.get(code, code))


def name_with_article(code: str) -> str:
    """The country's name as it stands after ``from`` or ``in``."""
    if code == NO_COUNTRY:
        return "an unknown place"
    return ("the " if code in _WITH_ARTICLE else "") + name_country(code)


def find_code(given: str) -> str | None:
    """The code of a country by a name of it in either language, with its article or without.

    Case, accents, spaces, apostrophes and the like do not matter.
    """
    return _list_names().get(_fold(given))


def suggest_countries(given: str) -> list[str]:
    """Names that one may have meant, with their codes, such as ``Korea (South), KR``; at most 3."""
    wanted, names = _fold(given), _list_names()
    near = [name for name in names if len(wanted) >= _LEAST_OF_A_NAME and wanted in name]
    near += get_close_matches(wanted, names, 3, 0.8)
    codes = dict.fromkeys(names[name] for name in near)
    return [f"{name_country(code)}, {code}" for code in codes][:3]


def _fold(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(one for one in plain if one.isalnum())


@cache
def _list_names() -> dict[str, str]:
    """Codes by folded names: the tz database's, CLDR's of both languages, and what people say."""
    from babel import Locale  # noqa: PLC0415 who gives a code does not wait for it

    english = Locale("en").territories
    writers = (name_country, name_with_article, lambda code: english.get(code, code),
               name_in_french)  # fmt: skip
    names = {_fold(write(code)): code for write in writers for code in list_countries()}
    return names | {_fold(name): code for name, code in _ALSO_SAID.items()}


def name_in_french(code: str) -> str:
    """Its French name as the first word of a heading or a cell; an unlisted code is its own."""
    name = _list_french().get(code, code)
    return name[:1].upper() + name[1:]


def locate_in_french(code: str) -> str:
    """Where an address is: ``aux États-Unis``, ``en France``, ``au Canada``."""
    name = _list_french().get(code)
    return f"dans le pays {code}" if name is None else _IN.get(code, "en ") + name


@cache
def _list_french() -> dict[str, str]:
    """CLDR's names, as one writes in Canada."""
    from babel import Locale  # noqa: PLC0415 English does not wait for it

    return {**Locale("fr", "CA").territories, **_FRENCH_OTHERWISE}
