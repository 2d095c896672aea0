"""`figure` and `history`: what the press office reads of one number, and of those before it."""

import csv
import dataclasses
import io
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lake_fixtures import make_line
from restated_lakes import COMPLETE, ELEVENTH, LATE, NINTH, PRELIMINARY, Publisher

from pipeline.language import ENGLISH
from pipeline.report import wording
from pipeline.report.facts import Published
from pipeline.report.figure import Database, Expectation, Figure
from pipeline.report.figure_basis import Completeness
from pipeline.report.paragraph import write_paragraph
from pipeline.report.short import write_short


@pytest.fixture
def site(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)


def say(site: Publisher, country: str, day: str = "2016-11-08") -> str:
    done = site.site.run("figure", "--day", day, "--country", country)
    assert done.out.count("\n") == 1, "one paragraph"
    assert done.err == ""
    return done.out


RESTATED_NIGHT = """\
On 8 November 2016 the site counted 250 sessions from addresses located in the United States, of 311
from all countries. A session is one visitor's requests with no gap of more than 30 minutes between
them, and belongs to the day of its first request; a visitor is one address with one browser, not
one person; images, style sheets and the like are not counted. An address is not a nationality: a
U.S. address is not an American. Addresses were located by the database GeoLite2-City built on 3
November 2016. This product includes GeoLite2 data created by MaxMind, available from maxmind.com.
The day is the local day of America/Toronto: 24 hours from 05:00 UTC on 8 November 2016. The logs of
all 5 sources are in and cover the whole day. It was first published on 9 November 2016 at 06:00 as
100 (preliminary, 2 of 5 sources). On 11 November 2016 at 06:00 it was restated to 250, 150.0 %
more (late files: web03.log, web04.log, web05.log). That is 12.5 times
what was expected from the country's own history (20). The day is part of a surge on 8 November
2016, not yet known to have ended, as no whole day after it is there: 250 sessions where 20 were
expected. Everything rose alike: no page, referring site, subdivision or kind of agent stands out;
but more than usual came by source server “web04” (21.7 %, usually 0.04 %), “web05” (21.7 %, usually
0.04 %) and “web03” (21.7 %, usually 0.05 %). Declared robots are left
out: 0 requests without a user agent or with one that the lists
crawlerdetect V and crawler-user-agents V know. Robots that pose as browsers are counted as
visitors; none of these sessions is of one whose day looks like a robot's. Counted by Tidegauge V,
definitions version V."""


def test_the_restated_night_of_one_country(night: Publisher) -> None:
    """Every word of it, but for the versions."""
    versions = r"(crawlerdetect|agents|Tidegauge|version) [0-9]+(\.[0-9]+)*"
    assert re.sub(versions, r"\1 V", say(night, "us").rstrip()) == RESTATED_NIGHT.replace("\n", " ")


def test_the_total_has_no_country(night: Publisher) -> None:
    said = say(night, "ALL")
    assert "counted 311 sessions from all countries together. A session" in said
    assert "first published on 9 November 2016 at 06:00 as 130" in said
    for word in ("nationality", "located", "surge"):
        assert word not in said


def test_a_country_that_was_not_there_at_first_was_published_as_0(
    night: Publisher,
) -> None:
    said = say(night, "FR")
    assert "counted 1 session from addresses located in France, of 311 from" in said
    assert "first published on 9 November 2016 at 06:00 as 0 (preliminary, 2 of 5" in said
    assert "restated to 1, 1 more (late files" in said


def test_a_country_without_a_hit_is_0(night: Publisher) -> None:
    """Of a code that means something; and nobody's figure is not an error either."""
    said = say(night, "DE")
    assert "counted 0 sessions from addresses located in Germany, of 311 from" in said
    assert "It was published on 9 November 2016 at 06:00" in said
    assert "counted 0 sessions from addresses that the database places in no country" in say(
        night, "ZZ"
    )


def test_a_day_that_was_not_judged_and_belongs_to_no_surge(night: Publisher) -> None:
    said = say(night, "CA", "2016-11-05")
    assert "from 04:00 UTC on 5 November 2016" in said
    assert "counted from the logs of 1 source; how complete they are was not judged." in said
    assert "published on 9 November 2016 at 06:00 and the number has not changed since." in said
    assert "surge" not in said, "with fewer than 7 days of history nothing is expected"


def test_sessions_that_nobody_could_locate_are_said_beside_a_countrys(site: Publisher) -> None:
    """Any of them may be from there: 0 of 4 is not 0 where nobody knows of three."""
    site.deliver("web01.log", CA=1)
    site.deliver("web02.log", ZZ=3)
    site.build()
    three = "3 sessions of all (75.0 %) came from addresses that it gives no country, and count in"
    assert three in say(site, "US")
    assert three not in say(site, "ZZ") + say(site, "ALL")
    args = ("figure", "--day", "2016-11-08", "--country", "US", "--format", "json")
    assert json.loads(site.site.run(*args).out)[0]["unlocated_sessions"] == 3


WRONG = [
    (["figure", "--day", "2016-12-08", "--country", "US"],
     "not even 0: the lake has no hits of that day; its days are 2016-11-01 to 2016-11-08"),
    (["figure", "--day", "2016-11-08", "--country", "QQ"], "write a code such as US"),
    (["figure", "--day", "2016-11-08", "--country", "\x1b[31m"], r"\x1b[31m"),
    (["figure", "--day", "8 November", "--country", "US"], "--day"),
    (["figure", "--day", "2016-11-08"], "--country"),
    (["history", "--day", "2016-12-08", "--country", "US"], "no hits of that day; its days are"),
    (["history", "--day", "2016-11-08", "--country", "DE"], "no hit from there, so it is 0"),
    (["history", "--day", "2016-11-08", "--from", "2016-11-01"], "either --day, or --from"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "why"), WRONG, ids=lambda value: str(value)[-40:])
def test_what_cannot_be_answered_is_said(args: list[str], why: str, night: Publisher) -> None:
    """Exit 2, nothing on stdout, a sentence on stderr that is safe to show."""
    done = night.site.run(*args, code=2, env={"COLUMNS": "400"})
    assert done.out == ""
    assert why in done.err
    assert "\x1b[31m" not in done.err
    assert "Traceback" not in done.err


def test_an_empty_lake_says_that_it_is_empty(site: Publisher) -> None:
    site.site.run("ingest", site.site.write("web01.log", b""))
    site.site.run("build")
    done = site.site.run("figure", "--day", "2016-11-08", "--country", "US", code=2)
    assert "the lake has no days yet" in done.err


def test_a_figure_that_is_newer_than_what_was_published_says_so(site: Publisher) -> None:
    site.deliver("web01.log", US=1200)
    site.build(d8=PRELIMINARY)
    said = say(site, "US")
    assert "It has not been published yet." in said
    assert "1,200 sessions from addresses located in the United States, of 1,200 from" in said
    done = site.site.run("history", "--day", "2016-11-08", "--country", "US", code=2)
    assert "`tidegauge build` publishes the figures of days that have ended" in done.err
    site.publish(NINTH)
    site.deliver("web02.log", US=1)
    site.build(d8=PRELIMINARY)
    said = say(site, "US")
    assert "as 1,200 (preliminary, 2 of 5 sources). The number above is newer" in said
    assert (
        "preliminary: the logs of 2 of 5 sources are whole, 40.0 % of what was expected: no" in said
    )


@pytest.mark.large
def test_a_day_of_which_nothing_is_left_says_what_was_published(site: Publisher) -> None:
    """Its logs were all forgotten: in the sentence as in JSON; a country that had none was 0."""
    site.deliver("web01.log", day=7, US=1)
    site.deliver("web02.log", day=8, US=3, CA=2)
    site.build()
    site.publish(NINTH)
    site.site.run("forget", "web02.log")
    site.build()
    said = say(site, "US")
    assert said.startswith(
        "The lake has nothing of 8 November 2016 any more, so the figure of sessions from addresses"
        " located in the United States can't be counted again. It was first published on 9 November"
        " 2016 at 06:00 as 3."
    )
    site.publish(ELEVENTH)
    assert (
        "On 11 November 2016 at 06:00 it was restated to 0, 100.0 % less (all raw files of the day"
        " were taken out of the lake)."
    ) in say(site, "US")
    assert "as 5. On 11 November" in say(site, "all")
    assert "as 0" in say(site, "FR")
    asked = ("figure", "--day", "2016-11-08", "--country", "US", "--format", "json")
    (figure,) = json.loads(site.site.run(*asked).out)
    assert figure["sessions"] is None
    assert figure["completeness"]["reasons"] == ["the lake has nothing of the day any more"]
    assert [one["sessions"] for one in figure["published"]] == [3, 0]
    site.site.run("figure", "--day", "2016-11-08", "--country", "QQ", code=2)
    site.site.run("figure", "--day", "2016-11-09", "--country", "US", code=2)


def test_a_crash_and_robots_and_a_demo_are_said(site: Publisher) -> None:
    """5xx on a fifth of people's requests: a lower bound; the demo's lake is simulated."""
    at = "08/Nov/2016:12:00:00 -0500"
    lines = [
        make_line(at, client=f"203.0.113.{n}", status=503 if n < 2 else 200) for n in range(10)
    ]
    robot = make_line(at, client="203.0.113.1", agent="Googlebot/2.1")
    site.site.run("ingest", site.site.write("web01.log", b"".join([*lines, robot])))
    site.build(d8=COMPLETE | {"is_censored": True})
    (site.site.folder / ".tidegauge-demo").touch()
    said = say(site, "US")
    assert said.startswith("Simulated data: no real visitor is in this figure. On 8 November")
    assert "2016 the site counted at least 10 sessions from addresses located" in said
    assert "20.0 % of that day's requests (robots left out) ended in a failure of the" in said
    assert "refused a connection are in no log, so the figure is a lower bound." in said
    assert "left out: 1 request without a user agent" in said


def figure(**changes: Any) -> Figure:
    """Make a figure of election night as a test wants it."""
    known = Figure(
        day=date(2016, 11, 8), country="US", sessions=249_950, all_sessions=600_000,
        unlocated_sessions=0, robot_hits=1_234, robotlike=None, timezone="America/Toronto",
        session_timeout_minutes=30, is_simulated=False,
        completeness=Completeness(0.992, 5, 6, None, False, 0.01, [], []),
        published=[published(9, 99_980), published(11, 249_950, 99_980)],
        database=Database(date(2016, 11, 3), False, None, None),
        expectation=None, robot_lists="a 1 and b 2", definitions=[1], program="Tidegauge 1.0",
    )  # fmt: skip
    return dataclasses.replace(known, **changes)


def write(about: Figure) -> str:
    return write_paragraph(about, ENGLISH)


def published(day: int, sessions: int, before: int | None = None, **changes: Any) -> Published:
    at = datetime(2016, 11, day, 11, tzinfo=UTC)
    known = Published(at, sessions, before, 1.0, 5, 5, is_preliminary=False, reason="robot lists.")
    return dataclasses.replace(known, **changes)


def test_a_surge_under_way_on_an_incomplete_day_is_at_least() -> None:
    about = Completeness(0.4, 2, 5, is_preliminary=True, is_censored=False, error_share=0.0,
                         reasons=["web03 is missing", "web04 is missing"], doubts=[])  # fmt: skip
    surge = Expectation(43_877.4, date(2016, 11, 8), date(2016, 12, 1), 1_837_331, 394_893.2,
                        is_open=False, is_at_least=True)  # fmt: skip
    said = write(figure(completeness=about, expectation=surge))
    assert said.startswith("On 8 November 2016 the site counted at least 249,950 sessions from")
    assert "expected: web03 is missing; web04 is missing. It was first" in said
    assert "That is at least 5.6 times what was expected from the country's own history" in said
    assert "a surge from 8 November to 1 December 2016: at least 1,837,331 sessions where" in said
    assert "394,893 were expected." in said


def test_a_preliminary_figure_with_hits_that_may_count_twice_is_not_at_least() -> None:
    """It may be too large as well: preliminary, and nothing more."""
    reasons = ["web01: a damaged file was read in part (a)", "web02: nothing of this day"]
    about = Completeness(1.0, 0, 1, is_preliminary=True, is_censored=True, error_share=0.1,
                         reasons=reasons, doubts=["web01: 40 lines"])  # fmt: skip
    said = write(figure(completeness=about, published=[]))
    assert said.startswith("On 8 November 2016 the site counted a preliminary 249,950 sessions")
    assert "at least" not in said
    assert "so the figure is a lower bound" not in said


def test_a_day_of_which_a_file_alone_was_left_out_says_why_in_short() -> None:
    """All its sources are whole: that is no reason. Of all countries no database is a caveat."""
    about = Completeness(None, 5, 5, is_preliminary=True, is_censored=False, error_share=0.0,
                         reasons=["web03: late.log is of a sealed day"], doubts=[])  # fmt: skip
    late = Database(date(2016, 11, 30), True, None, None)
    said = write_short(figure(completeness=about, database=late), ENGLISH)
    assert "the figure is preliminary: web03: late.log is of a sealed day; " in said
    assert "the address database is younger than the day" in said
    assert "younger" not in write_short(figure(country="all", database=late), ENGLISH)


def test_restatements_down_and_up_and_of_completeness_alone() -> None:
    """A row with the same number is no restatement; every other is a sentence."""
    values = [
        published(9, 100), published(10, 80, 100), published(11, 80, 80), published(12, 90, 80)
    ]  # fmt: skip
    said = write(figure(sessions=90, published=values))
    assert said.count("restated to") == 2
    assert "restated to 80, 20.0 % less (robot lists). On 12 November" in said
    assert "restated to 90, 12.5 % more" in said


def test_singular_plural_and_what_is_not_known() -> None:
    said = write(
        figure(sessions=1, session_timeout_minutes=1, robot_hits=1, definitions=[1, 2],
               published=[published(9, 1)], database=None)
    )  # fmt: skip
    assert "counted 1 session from" in said
    assert "more than 1 minute between" in said
    assert "No address database was used, so nobody was located." in said
    assert "5 of 6 sources; how complete" in said
    assert "definitions versions 1, 2." in said
    one = Completeness(1.0, 1, 1, is_preliminary=False, is_censored=False, error_share=0.0,
                       reasons=[], doubts=[])  # fmt: skip
    late = Database(date(2026, 1, 2), True, "X", None)
    said = write(figure(completeness=one, database=late))
    assert "The logs of its only expected source are in and cover the whole day." in said
    assert "the database X built on 2 January 2026, which is younger than the day" in said


def test_days_of_23_and_25_hours() -> None:
    assert "25 hours from 04:00 UTC on 6" in write(figure(day=date(2016, 11, 6)))
    assert "23 hours from 05:00 UTC on 12" in write(figure(day=date(2017, 3, 12)))


def test_a_reason_of_any_length_is_cut() -> None:
    long = published(11, 5, 4, reason="late file " * 1000)
    assert len(write(figure(published=[published(9, 4), long]))) < 4000


def test_the_wording_of_days_and_numbers() -> None:
    first, last = date(2016, 11, 8), date(2016, 11, 16)
    assert ENGLISH.span(first, last) == "from 8 to 16 November 2016"
    assert ENGLISH.span(first, first) == "on 8 November 2016"
    assert ENGLISH.span(date(2016, 12, 30), date(2017, 1, 2)) == (
        "from 30 December 2016 to 2 January 2017"
    )
    assert wording.write_sources(1, 1, ENGLISH) == "1 of 1 source"


def test_json_has_the_same_facts(night: Publisher) -> None:
    """A list of one object, with the paragraph; CSV has the same columns."""
    args = ("figure", "--day", "2016-11-08", "--country", "US", "--format")
    (one,) = json.loads(night.site.run(*args, "json").out)
    assert one["text"] + "\n" == say(night, "US")
    assert (one["day"], one["country"], one["sessions"]) == ("2016-11-08", "US", 250)
    assert one["completeness"]["sources_expected"] == 5
    assert one["is_lower_bound"] is False
    assert [value["sessions"] for value in one["published"]] == [100, 250]
    assert one["published"][1]["reason"] == LATE
    assert one["database"]["built"] == "2016-11-03"
    assert one["expectation"]["start_day"] == "2016-11-08"
    header, row = csv.reader(io.StringIO(night.site.run(*args, "csv").out))
    assert header == list(one)
    assert row[header.index("sessions")] == "250"


def test_history_of_one_figure_as_a_person_reads_it(night: Publisher) -> None:
    """The site's time, signed by its offset, and the sources there were of those expected."""
    done = night.site.run("history", "--day", "2016-11-08", "--country", "us")
    first, last = [line.split() for line in done.out.splitlines() if line.startswith(" 2016")]
    assert first[:8] == ["2016-11-08", "US", "2016-11-09", "06:00-05:00", "100", "0.40", "2", "of"]
    assert last[3:10] == ["06:00-05:00", "250", "100", "150", "150.0", "1.00", "5"]
    assert "late files: web03.log" in done.out


def test_history_as_json_has_the_table_s_columns_and_caveats(night: Publisher) -> None:
    args = ("history", "--day", "2016-11-08", "--country", "US", "--format", "json")
    _, last = json.loads(night.site.run(*args).out)
    assert last == {
        "day": "2016-11-08", "country": "US", "published_at": "2016-11-11T11:00:00+00:00",
        "sessions": 250, "previous_sessions": 100, "change": 150, "percent": 150.0, "share": 1.0,
        "sources": 5, "sources_expected": 5, "is_preliminary": False, "reason": LATE,
        "caveats": [],
    }  # fmt: skip


def test_history_without_a_figure_lists_what_was_restated(night: Publisher) -> None:
    """The newest first, no first values; chosen by country and by days."""

    def ask(*args: str) -> list[tuple[str, str]]:
        rows = json.loads(night.site.run("history", *args, "--format", "json").out)
        return [(row["day"], row["country"]) for row in rows]

    everything = [("2016-11-08", country) for country in ("CA", "FR", "US", "all")]
    assert ask() == ask("--day", "2016-11-08") == ask("--from", "2016-11-08") == everything
    assert ask("--country", "all") == [("2016-11-08", "all")]
    assert ask("--to", "2016-11-07") == []


@pytest.mark.large
def test_a_hostile_reason_steers_no_terminal(site: Publisher) -> None:
    """Also one that got into the table unescaped, from elsewhere."""
    site.deliver("web01.log", US=3)
    site.build()
    site.publish(NINTH)
    site.deliver("web\x1b[31m\u202ered.log", US=1)
    site.build()
    site.publish(ELEVENTH)
    for args in (["figure"], ["history"]):
        for form in ("table", "csv", "json"):
            done = site.site.run(*args, "--day", "2016-11-08", "--country", "US", "--format", form)
            assert "late files" in done.out
            assert not re.search("[\x1b\u202e]", done.out)
