"""What was published of a figure, and why nothing was."""

from datetime import date
from typing import Any

from pipeline.lake.query import State
from pipeline.lake.sql import read_model

NOBODY_LOCATED = (
    "no database located an address of that day, so there is no figure of a country, not even 0;"
    " `--country all` counts everybody"
)


def query_history(
    state: State, country: str | None, span: tuple[date, date], *, only_changes: bool
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of ``sql/queries/history.sql``, the newest publication first."""
    bound = {
        "country": country,
        "first_day": span[0],
        "last_day": span[1],
        "only_changes": only_changes,
    }
    return state.query(read_model("queries/history"), bound)


def explain_unpublished(state: State, day: date) -> str:
    """Why there may be no published figure of a day, in half a sentence."""
    _, rows = state.query("SELECT min(day), max(day), count(*) FROM days")
    first, last, count = rows[0]
    _, known = state.query("SELECT count(*) FROM restatements WHERE day = $day", {"day": day})
    _, built = state.query(
        "SELECT is_preliminary, geo_built FROM days WHERE day = $day", {"day": day}
    )
    if known[0][0] and built and built[0][1] is None:
        return NOBODY_LOCATED
    if known[0][0]:
        return "the day's logs have no hit from there, so it is 0"
    if not count:
        return "the lake has no days yet"
    if built:
        how = "`tidegauge build` publishes the figures of days that have ended"
        run = f"`tidegauge run --from {day} --to {day}` what is there of this one"
        return f"{how} and whose logs are all there; {run}" if built[0][0] else how
    return f"the lake has no hits of that day; its days are {first} to {last}"
