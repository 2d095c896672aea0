"""What is done with a file's hits of one day, in every case."""

import pytest

from pipeline.ingest.placing import Placing, decide


@pytest.mark.parametrize(
    ("is_new", "is_there", "was_cut", "is_cut", "is_same", "placing"),
    [
        (False, False, False, False, False, Placing.LEAVE),  # deleted by retention
        (False, False, True, True, False, Placing.LEAVE),
        (True, False, False, False, False, Placing.PUT),
        (True, True, False, False, True, Placing.PUT),  # read again
        (True, False, False, True, False, Placing.CUT_NEW),
        (True, True, True, True, True, Placing.CUT_NEW),
        (False, True, False, False, False, Placing.LEAVE),
        (False, True, False, True, False, Placing.CUT),
        (False, True, True, False, False, Placing.RESTORE),
        (False, True, True, True, True, Placing.LEAVE),
        (False, True, True, True, False, Placing.CUT_ANEW),
    ],
)
def test_what_is_done_with_the_hits_of_a_day(
    is_new: bool, is_there: bool, was_cut: bool, is_cut: bool, is_same: bool, placing: Placing
) -> None:
    """The first row of ``decide`` that fits."""
    assert placing is decide(
        is_new=is_new, is_there=is_there, was_cut=was_cut, is_cut=is_cut, is_same=is_same
    )
