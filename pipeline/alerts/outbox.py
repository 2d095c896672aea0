"""Which alert is still due to which service; each takes each of them once.

What is said is written down here as one change with the note that it was said, before anything is
sent. A service that took its alerts is struck off; what it did not take is sent with the next
alerts, by whatever run comes next. Nothing waits longer than ``alert_days``.
"""

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.alerts.services import (
    Alert,
    AlertSettings,
    Service,
    ask_each,
    say_untaken,
)
from pipeline.errors import AlertError
from pipeline.lake.digests import render
from pipeline.lake.fault_points import reach
from pipeline.lake.journal import Move
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json
from pipeline.text import write_number_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Due:
    """An alert that services have not taken yet."""

    key: str
    alert: Alert
    since: date
    """The local date on which it was written down."""
    services: dict[str, str]
    """The names of those services, by fingerprint."""

    def without(self, fingerprint: str) -> "Due":
        """What is left when a service needs it no more."""
        left = {one: name for one, name in self.services.items() if one != fingerprint}
        return Due(self.key, self.alert, self.since, left)


@dataclass(frozen=True)
class GivenUp:
    """What a service never took, until it takes something again."""

    name: str
    alerts: int
    last: str
    """The local date (ISO) of the last of them."""


@dataclass(frozen=True)
class Outbox:
    """All that is due, oldest first, and what was given up, by fingerprint of the service."""

    due: tuple[Due, ...]
    given_up: Mapping[str, GivenUp]


def outbox_path(lake: Lake) -> Path:
    """Where it lies while there is something in it."""
    return lake.ledger / "alerts" / "outbox.json"


def read_outbox(lake: Lake) -> Outbox:
    """What is due now.

    Raises:
        LakeError: the ledger is damaged.
    """
    content = read_json(outbox_path(lake))
    due = tuple(
        Due(one["key"], Alert(**one["alert"]), date.fromisoformat(one["since"]), one["services"])
        for one in content.get("due", [])
    )
    given_up = content.get("given_up", {}).items()
    return Outbox(due, {fingerprint: GivenUp(**one) for fingerprint, one in given_up})


def _content_of(outbox: Outbox) -> dict[str, Any]:
    return {
        "due": [asdict(one) | {"since": str(one.since)} for one in outbox.due],
        "given_up": {fingerprint: asdict(one) for fingerprint, one in outbox.given_up.items()},
    }


def _marked(alert: Alert, how: AlertSettings) -> Alert:
    return replace(alert, title=f"{how.language.gettext('Simulated:')} {alert.title}")


def say_once(
    how: AlertSettings,
    about: str,
    today: date,
    find_news: Callable[[dict[str, Any]], tuple[list[Alert], dict[str, Any]]],
) -> list[Alert]:
    """Write down, as one change, that alerts are due to every service and that they were said.

    Args:
        how: whose lake and services.
        about: names the ledger's file that remembers what was said.
        today: the local date.
        find_news: what is new since what that file says, and what it is to say then; there may be
            nothing new although it changes.

    Returns:
        What is new.
    """
    lake = how.lake
    path = outbox_path(lake).with_name(f"{about}.json")
    with _holding(lake):
        said = read_json(path)
        news, then = find_news(said)
        alerts = [_marked(one, how) if lake.is_simulated() else one for one in news]
        if then == said:
            return alerts
        files = {path: then}
        if alerts:
            before = read_outbox(lake)
            names = {fingerprint: service.name for fingerprint, service in how.services.items()}
            due = [Due(secrets.token_hex(8), alert, today, names) for alert in alerts]
            whole = Outbox((*before.due, *due), before.given_up)
            files[outbox_path(lake)] = _content_of(whole)
        with lake.staging() as folder, lake.lock("commit"):
            moves = []
            for number, (target, content) in enumerate(files.items()):
                draft = folder / f"{number}.json"
                draft.write_text(render(content))
                moves.append(Move(draft, target))
            lake.commit(moves)
    reach("alert: written down")
    return alerts


@contextmanager
def _holding(lake: Lake) -> Iterator[None]:
    """Hold what was said and what is due; a change that was interrupted is finished first."""
    with lake.lock("alerts"):
        lake.recover()
        yield


def deliver(how: AlertSettings, today: date) -> None:
    """Send each service what is due to it, as one message; a service that fails delays nobody.

    Raises:
        SettingsError: an alert URL that no service has; the others got theirs.
        AlertError: a service did not take what was written down today: sooner than by tomorrow's
            run it gets it when this is tried again.
        LakeError: the ledger is damaged or can't be written.
    """
    lake = how.lake
    if not outbox_path(lake).exists():
        return
    due = _give_up(lake, today, how.days + 1).due
    waiting = {fingerprint for one in due for fingerprint in one.services}
    services = [one for key, one in how.services.items() if key in waiting]
    untaken, errors = ask_each(services, lambda service: _send_due(lake, service))
    left = _give_up(lake, today, how.days).due if untaken else ()
    if errors:
        raise errors[0]
    of_today = {key for one in left if one.since == today for key in one.services}
    if fresh := [service for service in untaken if service.fingerprint in of_today]:
        raise AlertError(say_untaken(fresh))
    if untaken:
        log.warning("%s", say_untaken(untaken))


def _send_due(lake: Lake, service: Service) -> bool:
    """Send a service what is due to it, while nobody else does."""
    with lake.lock(f"alerts-{service.fingerprint}"):
        with _holding(lake):
            due = read_outbox(lake).due
        if mine := [one for one in due if service.fingerprint in one.services]:
            if not service.send([one.alert for one in mine]):
                return False
            reach("alert: sent")
            _strike_off(lake, service, {one.key for one in mine})
            reach("alert: taken")
            log.info("%s took %s", service.name, "; ".join(one.alert.title for one in mine))
    return True


def _strike_off(lake: Lake, service: Service, taken: set[str]) -> None:
    with _holding(lake):
        now = read_outbox(lake)
        due = [one.without(service.fingerprint) if one.key in taken else one for one in now.due]
        given_up = {key: one for key, one in now.given_up.items() if key != service.fingerprint}
        _write(lake, due, given_up)


def _give_up(lake: Lake, today: date, days: int) -> Outbox:
    """Take out what was written down ``days`` ago or before; returns what is left."""
    with _holding(lake):
        now = read_outbox(lake)
        old = [one for one in now.due if (today - one.since).days >= days]
        given_up = dict(now.given_up)
        for fingerprint, (name, its) in _by_service(old).items():
            titles = "; ".join(one.alert.title for one in its)
            log.warning("%s took nothing since %s, given up: %s", name, its[0].since, titles)
            before = given_up[fingerprint].alerts if fingerprint in given_up else 0
            given_up[fingerprint] = GivenUp(name, before + len(its), str(its[-1].since))
        left = [one for one in now.due if one not in old]
        return _write(lake, left, given_up) if old else now


def _by_service(due: Sequence[Due]) -> dict[str, tuple[str, list[Due]]]:
    """Name and alerts of each service, by fingerprint."""
    found: dict[str, tuple[str, list[Due]]] = {}
    for one in due:
        for fingerprint, name in one.services.items():
            found.setdefault(fingerprint, (name, []))[1].append(one)
    return found


def _write(lake: Lake, due: Sequence[Due], given_up: Mapping[str, GivenUp]) -> Outbox:
    """Write what is left, as long as anything is; the caller holds it."""
    left = Outbox(tuple(one for one in due if one.services), given_up)
    with lake.lock("commit"):
        lake.put_json(outbox_path(lake), _content_of(left) if left.due or left.given_up else None)
    return left


def list_untaken(how: AlertSettings) -> tuple[list[str], list[str]]:
    """What services have not taken, and what was given up: a phrase each, without secrets."""
    now = read_outbox(how.lake)
    waiting = [
        f"{name}: {write_number_of(len(its), 'alert')} since {its[0].since}"
        + ("" if fingerprint in how.services else ", not in alert_urls here")
        for fingerprint, (name, its) in sorted(_by_service(now.due).items())
    ]
    given_up = [
        f"{one.name}: {write_number_of(one.alerts, 'alert')}, the last of {one.last}"
        for _, one in sorted(now.given_up.items())
    ]
    return waiting, given_up
