"""Alerts: a surge opened, a surge closed, a day failed; each said once, by any service of apprise.

What was said is kept in the lake's ledger, so that retries, backfills and other processes know.
Days further back than ``alert_days`` are silent unless asked for.
"""

import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow.parquet as pq

from pipeline.errors import AlertError, LakeError, SettingsError
from pipeline.lake import Lake, read_json, write_json
from pipeline.output import escape
from pipeline.settings import Settings
from pipeline.surges.episodes import LONGEST_STEP_DAYS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """One message."""

    title: str
    body: str


@dataclass(frozen=True)
class Said:
    """What was said of one surge: where it lay when last looked at, and whether its end was said.

    A rebuilt episode may begin or end on other days; it is the same while the spans touch.
    """

    country: str
    start_day: str
    end_day: str
    is_closed: bool


@dataclass(frozen=True)
class Failure:
    """A day whose run failed: in which step, and the sentence that says why."""

    day: date
    step: str
    why: str
    is_watch: bool = False
    """Whether the watch over the day failed, not the count of it: that is another alert."""


def find_news(
    surges: list[dict[str, Any]], last_day: date, said: list[Said], since: date
) -> tuple[list[Alert], list[Said]]:
    """What is new about the surges since what was said, and what will then have been said.

    Args:
        surges: rows of the table ``surges``, with ``expected`` of the span.
        last_day: the last day that has hits: a surge is over when so many days have passed that
            it can't go on any more.
        said: from an earlier call.
        since: surges that ended before are old news: nothing is said, and nothing remembered.
    """
    alerts: list[Alert] = []
    kept = list(said)
    for row in surges:
        known = next((one for one in kept if _is_same(one, row)), None)
        is_over = last_day - row["end_day"] >= timedelta(days=LONGEST_STEP_DAYS)
        if known is None and row["end_day"] < since:
            continue
        if known is None:
            alerts.append(_opened(row))
        if is_over and not (known and known.is_closed):
            alerts.append(_closed(row))
        is_over = is_over or bool(known and known.is_closed)
        kept = [one for one in kept if one is not known]
        days = (str(row["start_day"]), str(row["end_day"]))
        kept.append(Said(row["country"], *days, is_closed=is_over))
    return alerts, kept


def _is_same(said: Said, row: dict[str, Any]) -> bool:
    return said.country == row["country"] and _touch(
        date.fromisoformat(said.start_day), date.fromisoformat(said.end_day),
        row["start_day"], row["end_day"],
    )  # fmt: skip


def _touch(start: date, end: date, other_start: date, other_end: date) -> bool:
    step = timedelta(days=LONGEST_STEP_DAYS)
    return start - step <= other_end and other_start - step <= end


def _opened(row: dict[str, Any]) -> Alert:
    least = "at least " if row["is_at_least"] else ""
    body = (
        f"{least}{row['peak_sessions']:,} sessions from {row['country']} on {row['peak_day']},"
        f" {least}{row['peak_ratio']:.1f} times what its own history expects;"
        f" {least}{row['observed']:,} from {row['start_day']} to {row['end_day']},"
        f" {least}{row['excess']:,.0f} above the expected.{_explain(row)}"
    )
    return Alert(
        f"Surge from {row['country']} since {row['start_day']}", body[0].upper() + body[1:]
    )


def _closed(row: dict[str, Any]) -> Alert:
    least = "at least " if row["is_at_least"] else ""
    return Alert(
        f"Surge from {row['country']} is over",
        f"It lasted {row['days']} days, {row['start_day']} to {row['end_day']}, with its peak on"
        f" {row['peak_day']} ({least}{row['peak_sessions']:,} sessions); {least}"
        f"{row['observed']:,} sessions in all, {least}{row['excess']:,.0f} above the expected."
        f"{_explain(row)}",
    )


def _explain(row: dict[str, Any]) -> str:
    return " The logs of its days are not complete." if row["is_at_least"] else ""


def announce_surges(settings: Settings, day: date, today: date, *, is_asked: bool) -> list[Alert]:
    """Send what is new about the lake's surges; returns what was sent.

    A part of today that the watch counted already can neither open a surge here nor end one.

    Args:
        settings: whose lake, and where alerts go.
        day: the local day that was just counted.
        today: the local date now: the run of a day too far back is silent,
        is_asked: unless it was asked to speak; what is old is then told from ``day``.

    Raises:
        SettingsError: an alert URL that no service has.
        AlertError: a service did not take the alert; it is sent again by the next attempt.
    """
    reach = timedelta(days=settings.alert_days)
    if not settings.alert_urls or (day < today - reach and not is_asked):
        return []
    lake = Lake(settings.lake)
    surges = pq.ParquetFile(lake.part_path("surges")).read().to_pylist()
    surges = [surge for surge in surges if surge["start_day"] < today]
    days = pq.ParquetFile(lake.part_path("days")).read(["day"])["day"].to_pylist()
    last_day = max((one for one in days if one < today), default=day)
    path = lake.ledger / "alerts" / "surges.json"
    with lake.lock("alerts"):
        said = [Said(**one) for one in read_json(path).get("said", [])]
        since = (day if is_asked else today) - reach
        alerts, then = find_news(surges, last_day, said, since)
        for alert in alerts:
            send(settings, alert)
        if then != said:
            write_json(path, {"said": [asdict(one) for one in then]})
    return alerts


def announce_failure(settings: Settings, failure: Failure, today: date, *, is_asked: bool) -> bool:
    """Send that a day failed, once a day whatever fails after; returns whether it was sent now.

    Raises:
        SettingsError: an alert URL that no service has.
        AlertError: a service did not take the alert.
    """
    too_old = failure.day < today - timedelta(days=settings.alert_days)
    if not settings.alert_urls or (too_old and not is_asked):
        return False
    lake = Lake(settings.lake)
    name, what = ("failed-watch", "watch of ") if failure.is_watch else ("failed", "")
    path = lake.ledger / "alerts" / f"{name}-{failure.day}.json"
    alert = Alert(f"{what}{failure.day} failed in {escape(failure.step)}", escape(failure.why))
    try:
        with lake.lock("alerts"):
            if path.exists():
                return False
            send(settings, alert)
            with suppress(OSError):  # a full disk may be what failed
                write_json(path, {"step": failure.step, "why": failure.why})
    except LakeError:  # nothing can be remembered there: better said twice than never
        send(settings, alert)
    return True


def send(settings: Settings, alert: Alert) -> None:
    """Send one alert to every URL.

    Raises:
        SettingsError: an alert URL that no service has; the URL, which may hold a password, is
            not quoted.
        AlertError: a service did not take it.
    """
    import apprise  # noqa: PLC0415 loads a hundred services

    services = apprise.Apprise()
    for number, url in enumerate(settings.alert_urls, 1):
        if not services.add(url.get_secret_value()):
            remedy = "no service of apprise has such a URL"
            raise SettingsError("alert_urls", f"(number {number})", remedy)
    if not services.notify(title=f"tidegauge: {alert.title}", body=alert.body):
        raise AlertError(f"an alert was not taken by its service ({alert.title}): see alert_urls")
    log.info("alert sent: %s", alert.title)
