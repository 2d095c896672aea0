"""The services that alerts go to, by apprise: their names without secrets, and one sending.

Knows nothing of what is due, and remembers nothing. The only module that imports apprise.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Thread
from typing import Any

from pydantic import SecretStr

from pipeline.errors import AlertError, SettingsError, TidegaugeError
from pipeline.lake.lake import Lake
from pipeline.language import ENGLISH, Language
from pipeline.settings import Settings

log = logging.getLogger(__name__)

_PATIENCE_S = 2.0
"""A service that answers within it is done before the next one is asked."""
_LONGEST_S = 20.0
"""Nobody waits longer for services that take their time; apprise gives a silent one up after 4."""
_LONGEST_TITLE = 200
_PASSWORD = re.compile(r"(://[^/?#@:]*):[^/?#]*@")
_HOSTED = {"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"}
"""Schemes whose host is a host: elsewhere a token or a secret topic stands in its place."""


@dataclass(frozen=True)
class Alert:
    """One piece of news."""

    title: str
    body: str
    is_failure: bool = False


@dataclass(frozen=True)
class Service:
    """One of ``alert_urls``; its URL may hold a password, and is never shown."""

    number: int
    """Its place in the setting, from 1."""
    url: SecretStr
    language: Language = ENGLISH

    @property
    def fingerprint(self) -> str:
        """What stands for it in the ledger; another password leaves it the same service."""
        bare = _PASSWORD.sub(r"\1@", self.url.get_secret_value())
        return hashlib.sha256(bare.encode(errors="surrogateescape")).hexdigest()[:8]

    @property
    def name(self) -> str:
        """How people know it: scheme, host where there is one, fingerprint."""
        schemes = _load_apprise().manager_plugins.NotificationManager().schemas()
        return f"{_place_of(self.url.get_secret_value(), schemes)} ({self.fingerprint})"

    def send(self, alerts: Sequence[Alert]) -> bool:
        """Send alerts as one message; whether the service took it.

        Raises:
            SettingsError: no service has such a URL.
        """
        apprise = _load_apprise()
        service = apprise.Apprise()
        if not service.add(self.url.get_secret_value()):
            remedy = "no service of apprise has such a URL"
            raise SettingsError("alert_urls", f"(number {self.number})", remedy)
        for plugin in service:
            plugin.overflow_mode = apprise.OverflowMode.SPLIT  # it refuses what is too long for it
        is_failure = any(alert.is_failure for alert in alerts)
        title, body = write_message(alerts, self.language)
        return bool(
            service.notify(
                title=title,
                body=body,
                notify_type=apprise.NotifyType.FAILURE if is_failure else apprise.NotifyType.INFO,
                body_format=apprise.NotifyFormat.TEXT,
            )
        )


@dataclass(frozen=True)
class AlertSettings:
    """Whose news is told, to whom, and how far back."""

    lake: Lake
    services: Mapping[str, Service]
    """By fingerprint: one named twice is one."""
    days: int
    """Alerts are silent about days further back."""
    language: Language
    restated_share: float
    """A published figure that changes by more is news."""

    def speaks_of(self, day: date, today: date, *, is_asked: bool) -> bool:
        """Whether the run of a day is to say anything; of one too far back when it is asked to."""
        is_near = day >= today - timedelta(days=self.days)
        return bool(self.services) and (is_near or is_asked)


def name_country(code: str, language: Language) -> str:
    """A country in an alert, where little room is: English has its code."""
    return code if language == ENGLISH else language.country(code)


def alert_settings(settings: Settings) -> AlertSettings:
    """What alerts depend on."""
    language = Language(settings.language)
    services = [Service(number, url, language) for number, url in enumerate(settings.alert_urls, 1)]
    return AlertSettings(
        Lake(settings.lake),
        {service.fingerprint: service for service in reversed(services)},
        settings.alert_days,
        language,
        settings.restatement_alert_share,
    )


def write_message(alerts: Sequence[Alert], language: Language) -> tuple[str, str]:
    """Title and body of one message of alerts: of one its own, of several all of them in turn."""
    if len(alerts) == 1:
        return f"tidegauge: {alerts[0].title}", alerts[0].body
    titles = [alert.title for alert in alerts]
    shown = titles[:1]
    while len(shown) < len(titles) and len("; ".join(titles[: len(shown) + 1])) <= _LONGEST_TITLE:
        shown = titles[: len(shown) + 1]
    left = len(titles) - len(shown)
    more = [language.ngettext("and {count} more", "and {count} more", left)] if left else []
    body = "\n\n".join(f"{alert.title}\n{alert.body}" for alert in alerts)
    return f"tidegauge: {'; '.join(shown + more)}", body


def ask_each(
    services: Iterable[Service], ask: Callable[[Service], bool]
) -> tuple[list[Service], list[TidegaugeError]]:
    """Ask services one after the other, but wait for none that hangs.

    Args:
        services: in the order of asking.
        ask: whether a service took what it was sent; raises errors of ours alone.

    Returns:
        Those that did not take it, or have not answered by now, and what was raised.
    """
    asked = [(service, _Asking(service, ask)) for service in services]
    for _, asking in asked:
        asking.start()
        asking.join(_PATIENCE_S)
    latest = time.monotonic() + _LONGEST_S
    for _, asking in asked:
        asking.join(max(0, latest - time.monotonic()))
    untaken = [service for service, asking in asked if not asking.is_taken]
    return untaken, [asking.error for _, asking in asked if asking.error]


def send_unremembered(services: Iterable[Service], alert: Alert) -> None:
    """Send an alert to every service, where nothing can be kept of who took it.

    Raises:
        SettingsError: an alert URL that no service has; the others got it.
        AlertError: a service did not take it.
    """
    untaken, errors = ask_each(services, lambda one: one.send([alert]))
    if errors:
        raise errors[0]
    if untaken:
        raise AlertError(say_untaken(untaken))


def say_untaken(services: Iterable[Service]) -> str:
    """The sentence about services that did not take their alerts."""
    names = ", ".join(service.name for service in services)
    return f"alerts were not taken by {names}: the next run tries again; see alert_urls"


class _Asking(Thread):
    """One service being asked; what hangs ends with the process."""

    def __init__(self, service: Service, ask: Callable[[Service], bool]) -> None:
        super().__init__(daemon=True, name=f"alerts {service.fingerprint}")
        self._service, self._ask = service, ask
        self.is_taken = False
        self.error: TidegaugeError | None = None

    def run(self) -> None:
        try:
            self.is_taken = self._ask(self._service)
        except TidegaugeError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 a service's own code; its text may hold the URL
            log.warning("alert service %s: %s", self._service.fingerprint, type(error).__name__)


def _place_of(url: str, schemes: Iterable[str]) -> str:
    """Scheme and host of an alert URL, as far as they are certainly no secret."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in schemes:
        return "a service"
    found = re.fullmatch(r"(?:[^/?#]*@)?([A-Za-z0-9.-]{1,253})(:\d{1,5})?(?:[/?#][^@]*)?", rest)
    if found is None or scheme.lower() not in _HOSTED:
        return f"{scheme.lower()}://"
    return f"{scheme.lower()}://{found[1]}{found[2] or ''}"


def _load_apprise() -> Any:
    """Import apprise, which loads a hundred services, and keep it from logging URLs."""
    import apprise  # noqa: PLC0415
    import apprise.manager_plugins  # noqa: PLC0415

    logging.getLogger("apprise").disabled = True  # quotes URLs that it can't read
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # quotes paths, which may be tokens
    return apprise
