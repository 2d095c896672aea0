"""Why nothing was published of a figure."""

from dataclasses import dataclass
from datetime import date

from pipeline.build.counted import find_uncounted
from pipeline.days import Span
from pipeline.lake.query import State
from pipeline.language import ENGLISH
from pipeline.report.wording import say_unbuilt

NOBODY_LOCATED = (
    "no database located an address of that day, so there is no figure of a country, not even 0;"
    " `--country all` counts everybody"
)


@dataclass(frozen=True)
class KnownDay:
    """What the lake knows of a day, and between which days it lies."""

    first_day: date | None
    last_day: date | None
    """Of those that the lake has."""
    has_hits: bool
    is_preliminary: bool
    is_located: bool
    is_published: bool


def explain_unpublished(state: State, known: KnownDay, day: date, timeout_minutes: int) -> str:
    """Why there may be no published figure of a day, in half a sentence.

    ``timeout_minutes``: the setting.
    """
    if known.is_published and known.has_hits and not known.is_located:
        return NOBODY_LOCATED
    if known.is_published:
        return "the day's logs have no hit from there, so it is 0"
    if not known.has_hits and day in find_uncounted(state, timeout_minutes).unbuilt:
        return "hits of that day were not counted yet: `tidegauge build` counts them"
    if not known.first_day:
        return "the lake has no days yet"
    if known.has_hits:
        how = "`tidegauge build` publishes the figures of days that have ended"
        run = f"`tidegauge run --from {day} --to {day}` what is there of this one"
        return f"{how} and whose logs are all there; {run}" if known.is_preliminary else how
    return f"the lake has no hits of that day; its days are {known.first_day} to {known.last_day}"


def explain_no_days(state: State, span: Span, timeout_minutes: int) -> str:
    """Why no day of a span has figures, as a sentence's end.

    ``timeout_minutes``: the setting.
    """
    unbuilt = [day for day in find_uncounted(state, timeout_minutes).unbuilt if day in span]
    if unbuilt:
        return say_unbuilt(unbuilt, ENGLISH).rstrip(".")
    (known,) = state.ask(KnownDay, "report/known_day", day=span.first)
    if not known.first_day:
        return "the lake has no days yet"
    return f"no hits of these days; the lake has {known.first_day} to {known.last_day}"
