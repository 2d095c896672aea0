"""`figure` and `why` in French: every sentence, and no English one beside it."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from french_texts import find_english
from restated_lakes import COMPLETE, NINTH, PRELIMINARY, Publisher

from pipeline.lake.zone import open_lake
from pipeline.language import Language, LanguageCode
from pipeline.report.accounting import report_settings
from pipeline.report.facts import HistoryBefore
from pipeline.report.figure import find_figure
from pipeline.report.paragraph import write_paragraph
from pipeline.report.short import write_short

FRENCH = Language(LanguageCode.fr)
NIGHT = Path(__file__).with_name("restated_night.fr.txt")


def say(site: Publisher, *args: str) -> str:
    return site.site.run("figure", "--lang", "fr", *args).out


def test_the_restated_night_in_french(night: Publisher) -> None:
    """Every word of it, but for the versions."""
    said = say(night, "--day", "2016-11-08", "--country", "US")
    plain = re.sub(r"(crawlerdetect|agents|Tidegauge) [0-9]+(\.[0-9]+)*", r"\1 V", said.rstrip())
    plain = re.sub(r"version [0-9]+ des", "version V des", plain)
    assert plain.split() == NIGHT.read_text(encoding="utf-8").split()
    assert find_english(said) == []


ASKED = [
    ("--day", "2016-11-08", "--country", "all"), ("--day", "2016-11-08", "--country", "FR"),
    ("--day", "2016-11-08", "--country", "ZZ"), ("--day", "2016-11-05", "--country", "CA"),
    ("--from", "2016-11-01", "--to", "2016-11-10", "--country", "US"),
    ("--from", "2016-11-01", "--to", "2016-11-10", "--country", "all"),
]  # fmt: skip


@pytest.mark.rest_large
@pytest.mark.parametrize("args", ASKED, ids=" ".join)
def test_no_figure_has_an_english_sentence(args: tuple[str, ...], night: Publisher) -> None:
    assert find_english(say(night, *args)) == []
    assert find_english(say(night, *args, "--short")) == []


def test_a_setting_does_what_the_option_does_and_json_keeps_its_fields(
    night: Publisher,
) -> None:
    args = ("figure", "--day", "2016-11-08", "--country", "États-Unis", "--format", "json")
    (one,) = json.loads(night.site.run(*args, env={"TIDEGAUGE_LANGUAGE": "fr"}).out)
    assert one["text"] + "\n" == say(night, "--day", "2016-11-08", "--country", "US")
    assert one["published"][1]["reason"].startswith("late files: web03.log")
    wrong = night.site.run(*args, env={"TIDEGAUGE_LANGUAGE": "de"}, code=2)
    assert "'en' or 'fr'" in wrong.err


def test_every_caveat_of_a_day_is_french(tmp_path: Path) -> None:
    site = Publisher(tmp_path)
    for day in (7, 8):
        site.deliver(f"web01-{day}.log", day=day, US=200)
    reasons = ["web01: nothing of this day but 00:00 to 00:02", "web02: nothing of this day"]
    doubt = (
        "web01: 40 lines of abc are also in def, which has another source's name: all count, twice"
        " if the two are one server's log"
    )
    site.build(
        d7=COMPLETE, d8=PRELIMINARY | {"is_censored": True, "reasons": reasons, "doubts": [doubt]}
    )
    site.publish(NINTH)
    lake, how = open_lake(site.settings.lake), report_settings(site.settings, datetime.now(UTC))
    figure = find_figure(lake, replace(how, language=FRENCH), date(2016, 11, 8), "US")
    assert figure.expectation is not None
    before = replace(figure.expectation, before=HistoryBefore(9, 0, 3, 1))
    for one in (figure, replace(figure, expectation=before, doubts=["web: x: may be either"])):
        said = write_paragraph(one, FRENCH)
        assert (
            "web01\u00a0: rien de cette journée, sauf de 00:00 à 00:02; web02\u00a0: rien" in said
        )
        assert "web01\u00a0: 40 lignes de abc se trouvent aussi dans def" in said
        assert find_english(said) == []
        assert find_english(write_short(one, FRENCH)) == []
    span = ("--from", "2016-11-07", "--to", "2016-11-08", "--country", "US")
    assert find_english(say(site, *span)) == []
    assert find_english(say(site, *span, "--short")) == []


def test_why_is_french_and_its_table_too(night: Publisher) -> None:
    said = night.site.run("why", "--country", "US", "--lang", "fr").out
    assert "adresses situées aux États-Unis, le 8 novembre 2016" in said
    sentences, table = said.split("\n ", 1)
    assert find_english(sentences) == []
    assert "objet " in table
    assert "type d\N{RIGHT SINGLE QUOTATION MARK}agent" in table
    rows = night.site.run("why", "--country", "US", "--lang", "fr", "--format", "csv").out
    assert rows.startswith("country,start_day,about,what,observed")
