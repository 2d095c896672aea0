"""Sessions, days and hours, counted one hit after the other."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from .visits import Visit

GAP_S = 30 * 60
HOUR_S = 3600


@dataclass(slots=True)
class Session:
    """One visitor's hits without a longer gap; `hits` are those that its attributes count."""

    start: Visit
    hits: list[Visit]

    @property
    def last_day(self) -> date:
        """The last day whose hits still count in the session's attributes."""
        return self.start.day + timedelta(days=1)


@dataclass(slots=True)
class Measures:
    """One row of daily or hourly, without its key and its database."""

    sessions: int = 0
    visitors: set[str] = field(default_factory=set)
    pages: int = 0
    hits: int = 0
    bytes_sent: int = 0
    errors: int = 0
    robot_hits: int = 0


def order_of(visit: Visit) -> tuple[object, ...]:
    """Return the sort key: ts, path, query, method, status, bytes_sent, referrer, source."""
    hit = visit.hit
    texts = (hit.path, hit.query, hit.method)
    return (
        hit.ts,
        *((text is not None, text or "") for text in texts),
        hit.status,
        (hit.bytes_sent is not None, hit.bytes_sent or 0),
        (hit.referrer is not None, hit.referrer or ""),
        visit.source,
    )


def sessions_of(visits: Iterable[Visit], gap_s: int = GAP_S) -> list[Session]:
    """Return all sessions; a gap of exactly `gap_s` seconds continues, a longer one starts."""
    by_visitor: dict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        if visit.is_in_session:
            by_visitor[visit.visitor].append(visit)
    sessions: list[Session] = []
    for own in by_visitor.values():
        sessions += sessions_of_visitor(sorted(own, key=order_of), gap_s)
    return sessions


def sessions_of_visitor(ordered: list[Visit], gap_s: int) -> list[Session]:
    """Return one visitor's sessions from the hits in order."""
    sessions: list[Session] = []
    before: int | None = None
    for visit in ordered:
        if before is None or visit.hit.ts - before > gap_s:
            sessions.append(Session(visit, []))
        if visit.day <= sessions[-1].last_day:
            sessions[-1].hits.append(visit)
        before = visit.hit.ts
    return sessions


def daily_of(visits: list[Visit], sessions: list[Session]) -> dict[tuple[date, str], Measures]:
    """Return the measures by local day and country."""
    rows: dict[tuple[date, str], Measures] = defaultdict(Measures)
    for visit in visits:
        count_hit(rows[visit.day, visit.country], visit)
    for session in sessions:
        rows[session.start.day, session.start.country].sessions += 1
    return dict(rows)


def hourly_of(
    visits: list[Visit], sessions: list[Session]
) -> dict[tuple[date, int, str], Measures]:
    """Return the measures by local day, UTC hour (its first second since 1970) and country."""
    rows: dict[tuple[date, int, str], Measures] = defaultdict(Measures)
    for visit in visits:
        count_hit(rows[visit.day, hour_of(visit), visit.country], visit)
    for session in sessions:
        start = session.start
        rows[start.day, hour_of(start), start.country].sessions += 1
    return dict(rows)


def hour_of(visit: Visit) -> int:
    """Return the start of the hit's UTC hour in seconds since 1970."""
    return visit.hit.ts // HOUR_S * HOUR_S


def count_hit(row: Measures, visit: Visit) -> None:
    """Add one hit to its row: a robot's only to robot_hits, an asset to no visitor."""
    if visit.is_robot:
        row.robot_hits += 1
        return
    if not visit.is_asset:
        row.visitors.add(visit.visitor)
    row.pages += visit.is_page
    row.hits += 1
    row.bytes_sent += visit.hit.bytes_sent or 0
    row.errors += 500 <= visit.hit.status <= 599
