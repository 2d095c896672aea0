"""What is written in two languages: every message has its French, and each its own numbers."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po
from restated_lakes import Publisher

import pipeline
from pipeline.build.restatements import read_restatements
from pipeline.countries import find_code, list_countries, suggest_countries
from pipeline.lake.table_files import read_table
from pipeline.language import ENGLISH, Language, LanguageCode
from pipeline.text import keep

FRENCH = Language(LanguageCode.fr)
PACKAGE = Path(pipeline.__file__).parent
METHODS = [("**.py", "python"), ("**.j2", "jinja2")]
CATALOGUES = {
    "fr.po": DEFAULT_KEYWORDS,
    "kept.fr.po": {"keep": None, "keep_clause": None},  # what the lake keeps in English
}
TORONTO = ZoneInfo("America/Toronto")
NARROW, WIDE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"


def read_catalogue(name: str) -> Catalog:
    with (PACKAGE / "languages" / name).open("rb") as file:
        return read_po(file, locale="fr")


def list_messages() -> list[Message]:
    return [message for name in CATALOGUES for message in read_catalogue(name) if message.id]


def texts_of(message: Message) -> tuple[list[str], list[str]]:
    """A message's texts in English and in French."""
    own = message.id if isinstance(message.id, tuple) else (message.id,)
    french = message.string if isinstance(message.string, tuple) else (message.string,)
    return [str(text) for text in own], [str(text) for text in french]


@pytest.mark.parametrize("name", CATALOGUES)
def test_every_message_of_the_code_has_its_french_and_no_other_is_kept(name: str) -> None:
    """A new sentence without one, or a French one whose sentence is gone: see `make messages`."""
    found = extract_from_dir(PACKAGE, METHODS, keywords=CATALOGUES[name])
    asked = {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in found}
    known = {texts_of(message)[0][0]: message for message in read_catalogue(name) if message.id}
    assert asked == known.keys()
    assert len(asked) > 40
    for message in known.values():
        assert not message.fuzzy
        assert all(texts_of(message)[1]), message.id


def test_french_has_the_same_parameters() -> None:
    """One of a number may say it in words: not all forms need the count."""
    for message in list_messages():
        own, french = texts_of(message)
        for text in french:
            named = set(re.findall(r"{(\w+)}", own[-1]))
            missing = named - set(re.findall(r"{(\w+)}", text))
            assert missing <= ({"count"} if len(french) > 1 else set()), text
            assert not set(re.findall(r"{(\w+)}", text)) - named, text


def test_french_is_set_as_in_canada() -> None:
    """No straight quotation mark, a space that does not break before a colon, none before ;?!."""
    for message in list_messages():
        for text in texts_of(message)[1]:
            bare = re.sub(r"`[^`]*`|<[^>]*>", "", text)
            assert not re.search("""['"“”]""", bare), text
            assert not re.search(r"(?<!\u00a0):(?!/)", bare), text
            assert not re.search(r"\s[;?!]|«(?!\u00a0)|(?<!\u00a0)»| %", bare), text


@pytest.mark.parametrize("message", [one for one in read_catalogue("kept.fr.po") if one.id])
def test_a_kept_sentence_is_told_by_its_own_french(message: Message) -> None:
    """Not by that of another one that its words could be, too."""
    (own,), (french,) = texts_of(message)
    values = {name: f"<{name}>" for name in re.findall(r"{(\w+)}", own)}
    assert FRENCH.retell(keep(own, **values)) == french.format_map(values)


@pytest.mark.large
def test_what_a_restated_night_s_lake_keeps_is_told_in_french(night: Publisher) -> None:
    """What was written without `keep` would be quoted in English."""
    lake = night.lake
    days, published = read_table(lake.part_path("days")), read_restatements(lake)
    again = published["reason"].filter(published["previous_sessions"].is_valid())
    columns = [days["reasons"].combine_chunks().flatten(), again]
    kept = {text for column in columns for text in column.to_pylist()}
    assert kept
    assert [one for one in kept if FRENCH.retell(one) == FRENCH.quote(one)] == []


def test_numbers_and_dates_are_written_as_in_french() -> None:
    assert FRENCH.count(249_950) == f"249{NARROW}950"
    assert FRENCH.ratio(17) == "17,0"
    assert FRENCH.share(0.1234) == f"12,3{WIDE}%"
    assert FRENCH.difference(-4083) == f"\N{MINUS SIGN}4{NARROW}083"
    assert FRENCH.day(date(2016, 11, 8)) == "8 novembre 2016"
    assert FRENCH.day(date(2016, 8, 1)) == "1er août 2016"
    assert FRENCH.span(date(2016, 11, 1), date(2016, 11, 16)) == "du 1er au 16 novembre 2016"
    assert FRENCH.span(date(2016, 11, 8), date(2016, 11, 8)) == "le 8 novembre 2016"
    assert FRENCH.span(date(2016, 12, 30), date(2017, 1, 2)) == (
        "du 30 décembre 2016 au 2 janvier 2017"
    )
    moment = datetime(2016, 11, 9, 11, tzinfo=UTC)
    assert FRENCH.moment(moment, TORONTO) == f"9 novembre 2016 à 6{WIDE}h"
    assert FRENCH.clock(datetime(2016, 11, 9, 6, 5, tzinfo=UTC)) == f"6{WIDE}h{WIDE}05"
    assert FRENCH.quote("a") == f"«{WIDE}a{WIDE}»"
    assert FRENCH.weekday(0) == "Lundi"


def test_nought_and_one_are_singular_in_french_and_nought_is_plural_in_english() -> None:
    both = ("{count} session", "{count} sessions")
    assert [FRENCH.ngettext(*both, n) for n in (0, 1, 2)] == [
        "0 session",
        "1 session",
        "2 sessions",
    ]
    assert [ENGLISH.ngettext(*both, n) for n in (0, 1)] == ["0 sessions", "1 session"]


WHERE = {
    "US": "aux États-Unis", "CA": "au Canada", "FR": "en France", "DE": "en Allemagne",
    "MX": "au Mexique", "PH": "aux Philippines", "CU": "à Cuba", "IR": "en Iran",
    "GB": "au Royaume-Uni", "HK": "à Hong Kong", "IM": "à l", "VA": "dans la Cité",
    "RU": "en Russie", "KH": "au Cambodge", "IL": "en Israël", "ZZ": "dans un lieu inconnu",
    "AP": "dans le pays AP", "NL": "aux Pays-Bas", "KY": "aux Îles Caïmans", "RE": "à la Réunion",
}  # fmt: skip


@pytest.mark.parametrize("code", WHERE)
def test_where_an_address_is_has_its_preposition(code: str) -> None:
    assert FRENCH.in_country(code).startswith(WHERE[code])


def test_every_country_has_a_french_name_with_a_preposition() -> None:
    """Islands are plural or one; ``au`` stands before no vowel."""
    for code in list_countries():
        said, name = FRENCH.in_country(code), FRENCH.country(code)
        assert not said.startswith("dans le pays"), code
        assert name[0].isupper()
        assert said.startswith("aux ") or not name.startswith("Îles "), said
        assert said.startswith("à l\N{RIGHT SINGLE QUOTATION MARK}") or not name.startswith("Île ")
        assert not re.match("au [AEIOUÉÎÂaeiouéîâ]", said), said


def test_a_country_is_found_by_its_name_in_either_language() -> None:
    for name in ("United States", "the United States", "états-unis", "États-Unis"):
        assert find_code(name) == "US"
    assert find_code("Allemagne") == "DE"
    said = {"Türkiye": "TR", "Cote d'Ivoire": "CI", "South Korea": "KR", "USA": "US", "UK": "GB",
            "Etats-Unis": "US", "Namibia": "NA", "Niger": "NE", "Czechia": "CZ"}  # fmt: skip
    assert {name: find_code(name) for name in said} == said
    assert find_code("Atlantis") is None
    assert suggest_countries("Korea") == ["Korea (North), KP", "Korea (South), KR"]
    assert suggest_countries("Germny") == ["Germany, DE"]
    assert suggest_countries("Atlantis") == []
