"""When a surge had begun: what each day before its alarm is to it."""

import pytest

from pipeline.surges.episodes import DayBefore, judge_day_before


@pytest.mark.parametrize(
    ("is_flagged", "is_counted", "is_high", "is_partial", "day"),
    [
        (True, True, True, False, DayBefore.QUIET),  # an earlier surge's
        (True, False, False, True, DayBefore.QUIET),
        (False, False, False, False, DayBefore.UNKNOWN),
        (False, False, False, True, DayBefore.UNKNOWN),
        (False, True, True, False, DayBefore.PART),
        (False, True, True, True, DayBefore.PART),
        (False, True, False, True, DayBefore.UNKNOWN),
        (False, True, False, False, DayBefore.QUIET),
    ],
)
def test_what_a_day_before_an_alarm_is_to_the_surge(
    is_flagged: bool, is_counted: bool, is_high: bool, is_partial: bool, day: DayBefore
) -> None:
    """The first row of ``judge_day_before`` that fits."""
    assert day is judge_day_before(
        is_flagged=is_flagged, is_counted=is_counted, is_high=is_high, is_partial=is_partial
    )
