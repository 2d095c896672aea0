"""What is said of a surge, and what of hostile names."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from pipeline.language import ENGLISH
from pipeline.why import signal_names as names
from pipeline.why.explain import Driver, explain, tell_lacking
from pipeline.why.people import Signal, tell_people

START = date(2016, 11, 9)
USUAL = {
    names.SESSIONS_A_VISITOR: 1.1,
    names.BUSIEST_VISITOR: 0.01,
    names.COMMONEST_NETWORK: 0.2,
    names.COMMONEST_AGENT: 0.05,
    names.NEW_AGENTS: 0.02,
    names.AGENTS_SPREAD: 80.0,
    names.ASSETS: 2.0,
    names.PAGES: 2.2,
    names.ONE_HIT: 0.6,
    names.ROBOTLIKE: 0.0,
    names.NIGHT: 0.1,
    names.ERRORS: 0.01,
}


def driver(
    element: str | None, rank: int | None, dimension: str = "entry page", excess: float = 100.0
) -> Driver:
    return Driver("US", START, dimension, element, False, 110, 10.0, excess, 0.5, 0.4, rank, 9, 28)


def told(excess: float = 1000, drivers: Sequence[Driver] = (), **changes: float | None) -> str:
    """The answer where the excess has these figures, and else the usual ones."""
    changed = {getattr(names, name): value for name, value in changes.items()}
    return tell_people(
        [Signal("US", START, name, None, usual, changed.get(name, usual))
         for name, usual in USUAL.items()],
        [*drivers, driver("12", None, "hour", excess)],
        ENGLISH,
    )  # fmt: skip


def test_drivers_are_named_by_dimension_with_their_share_and_the_usual_one() -> None:
    rows = [driver("/a", 1), driver("/b", 2), driver("CA", 3, "subdivision")]
    assert explain(rows, ENGLISH) == (
        "Of the sessions beyond the expected, more than usual came by entry page \u201c/a\u201d"
        " (50.0 %, usually 50.0 %) and \u201c/b\u201d (50.0 %, usually 50.0 %); by subdivision"
        " \u201cUS-CA\u201d (50.0 %, usually 100.0 %)."
    )
    assert "by referring site none (50.0 %" in explain([driver(None, 1, "referring site")], ENGLISH)


def test_alike_and_too_little_are_answers() -> None:
    assert explain([driver("/a", None)], ENGLISH).startswith("Everything rose alike")
    late = explain([driver("/a", None), driver("23", 1, "hour")], ENGLISH)
    assert late.startswith("Everything rose alike")
    assert "; but more than usual came by hour \u201c23\u201d (50.0 %" in late
    unknown = Driver("US", START, "hour", "01", False, 9, None, None, None, None, None, 0, 3)
    assert explain([], ENGLISH) == "Too few days lie before it to say what drove it."
    assert explain([unknown], ENGLISH) == (
        "Too few days lie before it to say what drove it: 3 that lack nothing and belong to no"
        " surge, of 7 at least."
    )
    quiet = replace(unknown, days_before=9, sessions_before=12)
    assert explain([quiet], ENGLISH) == (
        "Too few sessions lie before it to say what drove it: 12 on 9 days."
    )


def test_networks_are_named_or_what_would_bring_them() -> None:
    rows = [driver("AS64500 One", None, "network")]
    assert "no page, referring site, subdivision, network or kind of agent" in explain(
        rows, ENGLISH
    )
    assert tell_lacking(rows, ENGLISH) is None
    assert tell_lacking([], ENGLISH) is None
    said = tell_lacking([driver("/a", None)], ENGLISH)
    assert said is not None
    assert "`tidegauge geo fetch dbip-lite --kind asn`" in said
    assert "`tidegauge build --also geo`" in said


def test_a_hostile_name_is_safe_and_short() -> None:
    said = explain([driver("/\x1b[31m\u202e" + "x" * 5000, 1)], ENGLISH)
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said) < 250


def test_people_and_what_they_do_not_do() -> None:
    assert told().startswith("It looks like people")
    assert told(ERRORS=0.4, ASSETS=0.1).startswith("It looks like people")
    assert told(excess=12).startswith("Whether it was people cannot be told: it is too few")


@pytest.mark.parametrize(
    "changes",
    [
        {"COMMONEST_AGENT": 0.9}, {"BUSIEST_VISITOR": 0.4}, {"SESSIONS_A_VISITOR": 9.0},
        {"ROBOTLIKE": 0.8}, {"NEW_AGENTS": 0.97, "ASSETS": 0.0}, {"ASSETS": 0.0, "ONE_HIT": 1.0},
        {"AGENTS_SPREAD": 900.0, "ONE_HIT": 1.0}, {"COMMONEST_NETWORK": 0.9, "ASSETS": 0.0},
    ],
)  # fmt: skip
def test_machines_are_called_so(changes: dict[str, float]) -> None:
    assert told(**changes).startswith("It looks like machines")


def test_all_of_it_from_one_place_and_no_site_is_odd() -> None:
    """Not by itself: a letter to one state's people is read so, too."""
    rows = [driver("ON", 1, "subdivision"), driver(None, 2, "referring site")]
    rows = [replace(row, share=0.95) for row in rows]
    assert told(drivers=rows).startswith("Whether it was people cannot be told")
    assert told(drivers=rows, NEW_AGENTS=0.9).startswith("It looks like machines")
    assert told(drivers=rows[:1], NEW_AGENTS=0.9).startswith("Whether it was people cannot be told")


@pytest.mark.parametrize(
    "changes",
    [{"ASSETS": 0.0}, {"ONE_HIT": 0.98}, {"NEW_AGENTS": 0.6}, {"COMMONEST_NETWORK": 0.9}],
)
def test_one_odd_figure_alone_cannot_tell(changes: dict[str, float]) -> None:
    assert told(**changes).startswith("Whether it was people cannot be told")


def test_without_days_before_nothing_can_be_told() -> None:
    rows = [Signal("US", START, name, 1.0, None, None) for name in USUAL]
    assert "too few days lie before it" in tell_people(rows, [], ENGLISH)
