"""Who looks like a robot on a local day, one visitor after the other."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from .visits import ASCII_LOWER, Visit

Days = set[tuple[date, str]]
"""Days with their robot-like visitors."""


def robotlike_days(visits: Iterable[Visit]) -> Days:
    """Return the days and visitors that the rule is true of."""
    by_day: dict[tuple[date, str], list[Visit]] = defaultdict(list)
    for visit in visits:
        by_day[visit.day, visit.visitor].append(visit)
    return {key for key, own in by_day.items() if is_robotlike(own)}


def is_robotlike(own: list[Visit]) -> bool:
    """Whether one visitor's hits of one day look like a robot's."""
    pages = [visit.hit for visit in own if visit.is_page]
    if len(pages) < 10:
        return False
    if len(pages) > 800:
        return True
    times = [page.ts for page in pages]
    seconds = max(max(times) - min(times), 60)
    if Fraction(len(pages) * 60) / Fraction(seconds) >= 30:
        return True
    agent = pages[0].user_agent
    if agent is not None and (len(agent) < 25 or len(agent) > 400):
        return True
    distinct = Fraction(len({page.path for page in pages}), len(pages))
    return len(pages) > 100 and distinct < Fraction(1, 5) and not any(map(is_decoration, own))


def is_decoration(visit: Visit) -> bool:
    """Whether a browser takes it of its own accord to show a page: an asset but /robots.txt."""
    path = (visit.hit.path or "").translate(ASCII_LOWER)
    return visit.is_asset and path != "/robots.txt"
