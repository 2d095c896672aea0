"""The index: all countries of a lake as small charts, and a page of each that it links to."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from pipeline.days import ALL_DAYS, Span
from pipeline.lake.lake import Lake
from pipeline.lake.query import State, one_state
from pipeline.report.accounting import ReportSettings
from pipeline.report.charts import draw_spark
from pipeline.report.facts import HistoryDay
from pipeline.report.gather import find_highest, read_history
from pipeline.report.page import EveryPage, Link, read_country, read_site, render, render_country


@dataclass(frozen=True)
class Card:
    """One country in the index."""

    country: str
    drawing: Markup
    sessions: int
    highest: HistoryDay
    surges: int
    excess: float
    """Of all its surges."""
    is_at_least: bool


def make_index(lake: Lake, how: ReportSettings, link: Link, span: Span = ALL_DAYS) -> str:
    """The page of all countries with a session in the span, which leads to the page of each.

    Raises:
        LakeError: the lake is damaged.
        SettingsError: it has no day of ``span``.
    """
    with one_state(lake) as state:
        site = read_site(state, how, span)
        cards = _read_cards(state, site, span)
    return _render_index(site, cards, link)


def make_pages(lake: Lake, how: ReportSettings, span: Span = ALL_DAYS) -> Iterator[tuple[str, str]]:
    """Each page with its file's name, all of one state of the lake; the last one is the index.

    Raises:
        LakeError, SettingsError: as ``make_index``.
    """
    with one_state(lake) as state:
        site = read_site(state, how, span)
        cards = _read_cards(state, site, span)
        told = [read_country(state, site.facts, card.country, span) for card in cards]
    for card, one in zip(cards, told, strict=True):
        yield name_file(card.country), render_country(site, one, name_file)
    yield name_file(""), _render_index(site, cards, name_file)


def name_file(country: str) -> str:
    """The file of a country's page, or of the index."""
    return f"{country or 'index'}.html"


def _render_index(site: EveryPage, cards: list[Card], link: Link) -> str:
    return render("index.html.j2", site, link, cards=cards, focus=None)


def _read_cards(state: State, site: EveryPage, span: Span) -> list[Card]:
    """The countries, that with the largest excess first."""
    days = read_history(state, site.facts, None, span)
    of_country = groupby(days, key=lambda day: day.country)
    cards = [_make_card(site, country, list(its)) for country, its in of_country]
    visited = [card for card in cards if card.sessions]
    return sorted(visited, key=lambda card: (-card.excess, -card.sessions, card.country))


def _make_card(site: EveryPage, country: str, history: list[HistoryDay]) -> Card:
    own = [one for one in site.facts.episodes if one.country == country]
    return Card(
        country=country,
        drawing=draw_spark(history, own, site.language),
        sessions=sum(day.observed for day in history),
        highest=find_highest(history),
        surges=len(own),
        excess=sum(one.excess for one in own),
        is_at_least=any(one.is_at_least for one in own),
    )
