"""What a comparison comes to, as sentences for the person at the terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from pipeline.days import ONE_DAY
from pipeline.definitions import ALL
from pipeline.text import say, write_number_of


def tell_left_out(label: str, left_out: Mapping[date, str]) -> Iterator[str]:
    """Name the days that were not compared, by the reason."""
    reasons = sorted(left_out, key=lambda day: (left_out[day], day))
    for why, days in groupby(reasons, key=left_out.__getitem__):
        yield f"{label}: {name_spans(days)} left out: {why}"


def say_totals(label: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Sum one variant's ``rows`` by country, and say what becomes of its surges."""
    for country in dict.fromkeys(row[1] for row in rows):
        its = [row for row in rows if row[1] == country]
        now, then = sum(row[3] for row in its), sum(row[4] for row in its)
        change = f" ({100 * (then - now) / now:+.2f} %)" if now else ""
        days = write_number_of(len(its), "day")
        say(
            f"{label}, {'all countries' if country == ALL else country}:"
            f" {write_number_of(then, 'session')} instead of {now:,} on {days}{change}"
            f"{_say_surges(its)}"
        )


def _say_surges(rows: Sequence[tuple[Any, ...]]) -> str:
    if any(row[8] is None for row in rows):
        return ""
    now, then = ([row[0] for row in rows if row[at]] for at in (7, 8))
    if now == then:
        return f"; surge days as now, {name_spans(now)}" if now else "; no surge, as now"
    return f"; surge days {name_spans(then) or 'none'} instead of {name_spans(now) or 'none'}"


def name_spans(days: Iterable[date]) -> str:
    """Days in order as spans, such as ``2016-11-08 to 2016-11-16, 2016-11-19``."""
    spans: list[list[date]] = []
    for day in days:
        if spans and day - spans[-1][-1] == ONE_DAY:
            spans[-1].append(day)
        else:
            spans.append([day])
    return ", ".join(str(s[0]) if len(s) == 1 else f"{s[0]} to {s[-1]}" for s in spans)
