"""What is said beside rows is what is to be known of their days."""

from datetime import date

from pipeline.cli.caveats import Caveats
from pipeline.days import Span
from pipeline.report.wording import say_future, say_unbuilt

FIRST, SECOND = date(2016, 11, 8), date(2016, 11, 9)


def test_of_the_days_asked_about_and_of_those_that_no_row_has() -> None:
    caveats = Caveats([(say_future, [FIRST, SECOND]), (say_unbuilt, [SECOND])], ["All rows'."])
    asked = [*caveats.say(about=[Span(FIRST, FIRST)])]
    assert asked == [
        *Caveats([(say_future, [FIRST]), (say_unbuilt, [SECOND])], ["All rows'."]).say()
    ]
    columns, rows = caveats.add_to(["day"], [[FIRST]])
    assert columns == ["day", "caveats"]
    assert rows == [(FIRST, asked)]
    assert len([*caveats.say()]) == 3
