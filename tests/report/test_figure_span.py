"""`figure` of some days together, in three sentences, and where nothing can be expected."""

import json
from datetime import date
from pathlib import Path

import pytest
from lake_fixtures import make_line
from restated_lakes import COMPLETE, ELEVENTH, NINTH, PRELIMINARY, Publisher

from pipeline.language import ENGLISH
from pipeline.report.facts import HistoryBefore
from pipeline.report.figure_sentences import say_unexpected

TWELFTH = "2016-11-12T11:00:00+00:00"


def say(site: Publisher, *args: str) -> str:
    done = site.site.run("figure", *args)
    assert done.out.count("\n") == 1, "one paragraph"
    assert done.err == ""
    return done.out


def say_span(site: Publisher, first: str, last: str, country: str = "US", *more: str) -> str:
    return say(site, "--from", first, "--to", last, "--country", country, *more)


def test_days_are_summed_and_visitors_are_not(night: Publisher) -> None:
    said = say_span(night, "2016-11-01", "2016-11-08")
    assert said.startswith(
        "From 1 to 8 November 2016 the site counted 390 sessions from addresses located in the"
        " United States, of 661 from all countries. That is the sum of 8 local days of"
        " America/Toronto: each session belongs to one day. Visitors are told apart day by day and"
        " not summed: who came on two days would count twice. The highest day was 8 November 2016"
        " with 250 sessions. A session is one visitor's requests"
    )
    assert "How complete the logs of 7 of the days are was not judged." in said
    assert (
        "The figures of 8 November 2016 were restated: the days that are published were first"
        " published as 240 sessions together, now as 390."
    ) in said
    assert "For 7 of the days (1 to 7 November 2016) no number can be expected:" in said


def test_a_day_without_hits_is_missing_and_not_zero(night: Publisher) -> None:
    said = say_span(night, "2016-11-07", "2016-11-10", "all")
    assert said.startswith("From 7 to 10 November 2016 the site counted at least 361 sessions from")
    assert (
        "The lake has no hit of 2 of the days (9 to 10 November 2016): they are missing, not zero,"
        " and add nothing to the sum."
    ) in said
    assert "from all countries together. That is the sum of 4 local days" in said
    assert "No number is expected of all countries together" in said


@pytest.mark.large
def test_what_is_expected_of_some_days_is_held_against_no_more_days(tmp_path: Path) -> None:
    """Four days' sessions are none of twice as many days', and a lower bound is rounded down."""
    site = Publisher(tmp_path)
    for day in range(1, 13):
        site.deliver(f"web01-{day:02}.log", day=day, US=20 if day < 12 else 27)
    built = {f"d{day}": COMPLETE for day in range(1, 13)}
    site.build(**built | {"d12": COMPLETE | {"is_censored": True}})
    ends = ("--country", "US", "--short", "--from", "2016-11-09")
    whole = say(site, *ends, "--to", "2016-11-12")
    assert "That is at least 1.0 times what was expected from the country's own" in whole
    beyond = say(site, *ends, "--to", "2016-11-16")
    assert beyond.startswith("At least 87 sessions")
    assert "No number can be expected for some of the days." in beyond
    said = say_span(site, "2016-11-09", "2016-11-16")
    assert "For 4 of the days (13 to 16 November 2016) no number can be expected" in said


def test_the_worst_day_speaks_for_the_span(tmp_path: Path) -> None:
    site = Publisher(tmp_path)
    for day in (7, 8):
        site.deliver(f"web01-{day}.log", day=day, US=200)
    site.build(d7=COMPLETE, d8=PRELIMINARY | {"is_censored": True})
    site.publish(NINTH)
    said = say_span(site, "2016-11-07", "2016-11-08")
    assert "the site counted at least 400 sessions from" in said
    assert "The logs of 1 of the days (8 November 2016) are incomplete. Most is missing of" in said
    assert "of which the logs of 2 of 5 sources are whole, 40.0 % of what was expected: " in said
    assert "On 1 of the days 5 % or more of the requests (robots left out) ended in a" in said
    short = say_span(site, "2016-11-07", "2016-11-08", "US", "--short")
    assert short.startswith(
        "At least 400 sessions from addresses located in the United States were"
    )
    assert "the figure is preliminary, as logs are missing, most of 8 November 2016;" in short
    assert "visitors were turned away (8 November 2016);" in short


def test_sessions_that_nobody_could_locate_are_said(tmp_path: Path) -> None:
    site = Publisher(tmp_path)
    site.deliver("web01.log", CA=1)
    site.deliver("web02.log", ZZ=3)
    site.build()
    span = ("2016-11-08", "2016-11-08", "CA")
    assert "3 sessions of all (75.0 %) came from addresses that it gives no" in say_span(
        site, *span
    )
    assert "75.0 % of all sessions could not be located;" in say_span(site, *span, "--short")
    day = ("--day", "2016-11-08", "--country", "CA", "--short")
    assert "75.0 % of all sessions could not be located;" in say(site, *day)


def test_json_of_a_span_has_its_days(night: Publisher) -> None:
    (one,) = json.loads(say_json(night))
    assert (one["first_day"], one["last_day"], one["sessions"]) == ("2016-11-07", "2016-11-08", 270)
    assert [(day["day"], day["sessions"], day["published"]) for day in one["days"]] == [
        ("2016-11-07", 20, [20]), ("2016-11-08", 250, [100, 250]),
    ]  # fmt: skip
    assert one["text"] + "\n" == say_span(night, "2016-11-07", "2016-11-08")


def say_json(site: Publisher) -> str:
    span = ("--from", "2016-11-07", "--to", "2016-11-08", "--country", "US")
    return site.site.run("figure", *span, "--format", "json").out


WRONG = [
    (["--from", "2016-11-01", "--country", "US"], "give --day, or both --from and --to"),
    (["--country", "US"], "give --day, or both --from and --to"),
    (["--day", "2016-11-08", "--from", "2016-11-01", "--country", "US"], "give either --day, or"),
    (["--from", "2016-11-08", "--to", "2016-11-07", "--country", "US"], "that is after --to"),
    (["--from", "2017-11-08", "--to", "2017-11-09", "--country", "US"], "no hits of these days"),
    (["--from", "1970-01-01", "--to", "2017-11-09", "--country", "US"], "ten years"),
    (["--from", "2016-11-07", "--to", "2016-11-08", "--country", "QQ"], "a code such as US"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "why"), WRONG, ids=lambda value: str(value)[-40:])
def test_a_wrong_span_is_refused(args: list[str], why: str, night: Publisher) -> None:
    done = night.site.run("figure", *args, code=2, env={"COLUMNS": "400"})
    assert done.out == ""
    assert why in done.err


def test_three_sentences_begin_with_the_number_and_lose_no_caveat(
    night: Publisher,
) -> None:
    said = say(night, "--day", "2016-11-08", "--country", "US", "--short")
    assert said == (
        "250 sessions from addresses located in the United States were counted on 8 November 2016."
        " That is 12.5 times what was expected from the country's own history (20). To be said with"
        " it: it was first published as 100; a session is not a person, an address is not a"
        " nationality, and declared robots are left out.\n"
    )
    said = say(night, "--day", "2016-11-05", "--country", "US", "--short")
    assert "No number can be expected yet: it takes 7 earlier days, and the lake has 4" in said
    assert "how complete the logs are was not judged; " in said
    assert say(night, "--day", "2016-11-08", "--country", "FR", "--short").startswith("1 session ")


def test_why_nothing_is_expected_is_said(night: Publisher) -> None:
    """Too few days, too many that can't serve, or nobody from there."""
    said = say(night, "--day", "2016-11-05", "--country", "CA")
    assert "it takes 7 earlier days, and the lake has 4 of the 56 before this one." in said
    assert "no hit of any day that was judged is from there." in say(
        night, "--day", "2016-11-08", "--country", "DE"
    )
    assert say_unexpected(HistoryBefore(9, 0, 3, 1), ENGLISH) == (
        "No number can be expected yet: it takes 7 earlier days, and of the 9 that the lake has of"
        " the 56 before this one 3 are incomplete and 1 lies in a surge of the country."
    )


def test_days_in_a_row_are_written_as_one() -> None:
    days = [date(2016, 11, day) for day in (1, 2, 3, 7, 30)] + [date(2016, 12, 1)]
    assert ENGLISH.days(days) == (
        "1 to 3 November 2016, 7 November 2016 and 30 November to 1 December 2016"
    )
    assert ENGLISH.days(days, most=1) == "1 to 3 November 2016 and 3 more days"


@pytest.mark.large
def test_raw_files_that_came_or_went_since_the_day_was_counted_are_said(tmp_path: Path) -> None:
    """Beside the figure, in three sentences, in JSON and on the page, until a build counts them."""
    site = Publisher(tmp_path)
    for day in range(5, 10):
        site.deliver(f"web01-2016110{day}.log", day=day, US=20)
    site.build(**{f"d{day}": COMPLETE for day in range(5, 10)})
    us = ("--country", "US")
    of_day = ("--country", "US", "--day", "2016-11-08")
    of_span = ("--country", "US", "--from", "2016-11-05", "--to", "2016-11-09")

    def assert_said(*, of_the_day: bool, of_the_span: str) -> None:
        assert ("Raw files of 8 November 2016, or of a day" in say(site, *of_day)) is of_the_day
        short = "raw files came or went since it was counted"
        assert (short in say(site, *of_day, "--short")) is of_the_day
        (facts,) = json.loads(site.site.run("figure", *of_day, "--format", "json").out)
        assert facts["completeness"]["is_overtaken"] is of_the_day
        assert (f"Raw files of {of_the_span}, or of" in say(site, *of_span)) is bool(of_the_span)
        assert (short in say(site, *of_span, "--short")) is bool(of_the_span)
        site.site.run("report", "--out", "page.html")
        page = (site.site.folder / "page.html").read_text()
        caveat = f"since they were counted:</strong> {of_the_span}. Run"
        assert (caveat in page) is bool(of_the_span)
        for command in ("daily", "hourly", "expected", "surges", "why"):
            beside = site.site.run(command, "--country", "US").err
            assert (f"Raw files of {of_the_span}, or of" in beside) is bool(of_the_span)
        for command in ("daily", "hourly", "expected", "history"):
            rows = json.loads(site.site.run(command, *us, "--format", "json").out)
            told = {row["day"]: row["caveats"] for row in rows}
            lacking = "No country has enough history yet: the lake has "
            for day, caveats in told.items():
                of_files = [one for one in caveats if not one.startswith(lacking)]
                is_of_it = bool(of_the_span) and "2016-11-07" <= day <= "2016-11-09"
                assert len(of_files) == is_of_it
                assert all("Raw files of " in one and "it was counted" in one for one in of_files)
                assert (len(caveats) > len(of_files)) is (command == "expected")
        before = site.site.run("daily", "--to", "2016-11-06", "--format", "json").err
        assert "Raw files" not in before

    assert_said(of_the_day=False, of_the_span="")
    site.deliver("web02-20161108.log", day=8, US=5)
    assert_said(of_the_day=True, of_the_span="7 to 9 November 2016")
    site.build()
    assert_said(of_the_day=False, of_the_span="")
    for server in ("web01", "web02"):
        site.site.run("forget", f"{server}-20161108.log")
    assert_said(of_the_day=True, of_the_span="7 to 9 November 2016")
    site.deliver("web01-20161112.log", day=12, US=5)
    for command in ("daily", "surges"):
        uncounted = "Hits of 12 November 2016 were not counted yet: `tidegauge build` counts them."
        done = site.site.run(command, "--format", "json")
        assert uncounted in done.err
        assert all(uncounted in row["caveats"] for row in json.loads(done.out))
    for command in ("figure", "history"):
        day = ("--day", "2016-11-12", "--country", "US")
        refused = site.site.run(command, *day, code=2).err
        assert "hits of that day were not counted yet: `tidegauge build` counts them" in refused
    for command in (("report",), ("report", "--all"), ("figure", "--country", "US")):
        days = ("--from", "2016-11-11", "--to", "2016-11-30")
        assert uncounted.rstrip(".") in site.site.run(*command, *days, code=2).err


def test_a_published_day_of_which_nothing_is_left_has_changed(tmp_path: Path) -> None:
    site = Publisher(tmp_path)
    for day in (7, 8):
        site.deliver(f"web01-2016110{day}.log", day=day, US=200)
    site.build(d7=COMPLETE, d8=COMPLETE)
    site.publish(NINTH)
    said = say_span(site, "2016-11-07", "2016-11-08")
    assert "No figure that was published has changed since." in said
    site.site.run("forget", "web01-20161108.log")
    site.build(d7=COMPLETE)
    said = say_span(site, "2016-11-07", "2016-11-08")
    assert "A figure of 8 November 2016 was published; all raw files of that day were taken" in said
    assert "No figure that was published has changed" not in said
    said = say_span(site, "2016-11-07", "2016-11-08", "US", "--short")
    assert "figures of it were restated" in said


@pytest.mark.large
def test_a_figure_that_changed_and_changed_back_was_restated(tmp_path: Path) -> None:
    site = Publisher(tmp_path)
    site.deliver("web01-20161108.log", day=8, US=200)
    for now, command in ((NINTH, None), (ELEVENTH, "deliver"), (TWELFTH, "forget")):
        if command == "deliver":
            site.deliver("web02-20161108.log", day=8, US=5)
        elif command == "forget":
            site.site.run("forget", "web02-20161108.log")
        site.build(d8=COMPLETE)
        site.publish(now)
    said = say_span(site, "2016-11-08", "2016-11-08")
    assert "The figures of 8 November 2016 were restated" in said
    assert "No figure that was published has changed" not in said
    short = say(site, "--day", "2016-11-08", "--country", "US", "--short")
    assert "it was restated, and is again what was first published" in short


def test_a_day_with_hits_that_were_not_counted_is_not_called_missing(tmp_path: Path) -> None:
    """Nor is one without hits called uncounted; the page says the same of both."""
    site = Publisher(tmp_path)
    for day in (5, 9):
        site.deliver(f"web01-2016110{day}.log", day=day, US=200)
    site.build(d5=COMPLETE, d9=COMPLETE)
    site.deliver("web01-20161107.log", day=7, US=3)
    said = say_span(site, "2016-11-05", "2016-11-09")
    assert "at least 400 sessions" in said
    assert "no hit of 2 of the days (6 November 2016 and 8 November 2016): they are" in said
    assert "Hits of 1 of the days (7 November 2016) were not counted yet and add nothing" in said
    short = say_span(site, "2016-11-05", "2016-11-09", "US", "--short")
    assert "there is no log of 6 November 2016 and 8 November 2016; hits of 7 November" in short
    site.site.run("report", "--out", "page.html")
    page = (site.site.folder / "page.html").read_text()
    assert "Days without any hit:</strong> 6 November 2016 and 8 November 2016." in page
    assert "not counted yet:</strong> 7 November 2016." in page


@pytest.mark.large
def test_a_file_that_a_sealed_day_refused_is_said_on_the_page_as_in_the_figure(
    tmp_path: Path,
) -> None:
    """No build judges such a day again, so its row in `days` stays as it was."""
    site = Publisher(tmp_path)
    for day in (7, 8, 9):
        site.deliver(f"web01-2016110{day}.log", day=day, US=20)
    site.build(**{f"d{day}": COMPLETE for day in (7, 8, 9)})
    with site.lake.lock():
        site.lake.seal(["2016-11-07", "2016-11-08"], NINTH)
    late = site.site.write("web02.log", make_line())
    assert "sealed" in site.site.run("ingest", late, code=1).err
    why = "web02: web02.log has lines of a sealed day, so none of it was taken in"
    assert why in say(site, "--day", "2016-11-08", "--country", "US")
    assert why in say_span(site, "2016-11-07", "2016-11-09")
    site.site.run("report", "--out", "page.html")
    page = (site.site.folder / "page.html").read_text()
    assert "Days of which logs are missing:</strong> 8 November 2016." in page
    assert why in page
