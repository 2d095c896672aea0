"""The index: all countries of a lake as small charts, and a page of each that it links to."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from pipeline.days import ALL_DAYS, Span
from pipeline.lake.lake import Lake
from pipeline.lake.query import one_state
from pipeline.report.accounting import ReportSettings
from pipeline.report.charts import draw_spark
from pipeline.report.facts import Facts, Focus
from pipeline.report.page import read_country, read_site, render, render_country


@dataclass(frozen=True)
class Card:
    """One country in the index."""

    country: str
    drawing: Markup
    sessions: int
    highest: int
    highest_day: date
    surges: int
    excess: float
    """Of all its surges."""
    is_at_least: bool


def make_pages(lake: Lake, how: ReportSettings, span: Span = ALL_DAYS) -> Iterator[tuple[str, str]]:
    """Each page with its file's name, all of one state of the lake; the last one is the index.

    Countries are those with a session in the span.

    Raises:
        LakeError: the lake is damaged.
        SettingsError: it has no day of ``span``.
    """
    with one_state(lake) as state:
        site = read_site(state, how, span)
        visited = [one.country for one in site.facts.countries if one.sessions]
        read = [read_country(state, site.facts, code, span) for code in visited]
    told = [one for one in read if one]
    for one in told:
        yield name_file(one.focus.country), render_country(site, one, name_file)
    cards = [_make_card(site.facts, one.focus) for one in told]
    cards.sort(key=lambda card: (-card.excess, -card.sessions, card.country))
    yield name_file(""), render("index.html.j2", site, name_file, cards=cards, focus=None)


def name_file(country: str) -> str:
    """The file of a country's page, or of the index."""
    return f"{country or 'index'}.html"


def _make_card(facts: Facts, focus: Focus) -> Card:
    own = [one for one in facts.episodes if one.country == focus.country]
    highest = max(focus.history, key=lambda day: day.observed)
    return Card(
        country=focus.country,
        drawing=draw_spark(focus.history, own),
        sessions=sum(day.observed for day in focus.history),
        highest=highest.observed,
        highest_day=highest.day,
        surges=len(own),
        excess=sum(one.excess for one in own),
        is_at_least=any(one.is_at_least for one in own),
    )
