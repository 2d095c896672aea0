"""That a day failed: said once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipeline.alerts.outbox import deliver, say_once
from pipeline.alerts.services import Alert, AlertSettings, send_unremembered
from pipeline.alerts.surges import log
from pipeline.build.restatements import read_restatements
from pipeline.errors import AlertError, LakeError, SettingsError, TidegaugeError
from pipeline.language import Language
from pipeline.text import escape


@dataclass(frozen=True)
class Failure:
    """A day whose run failed: in which step, and the sentence that says why."""

    day: date
    step: str
    why: str
    is_watch: bool = False
    """Whether the watch over the day failed, not the count of it: that is another alert."""


def announce_failure(how: AlertSettings, failure: Failure, today: date, *, is_asked: bool) -> bool:
    """Send what is due, and that a day failed, once a day whatever fails after.

    Returns:
        Whether the failure is news; one of a day too far back is none unless ``is_asked``.

    Raises:
        SettingsError, AlertError: as ``deliver``.
    """
    is_news = False
    if how.speaks_of(failure.day, today, is_asked=is_asked):
        try:
            is_news = _note_failure(how, failure, today)
        except (LakeError, OSError):  # a full disk may be what failed: said twice, not never
            say_failure(how, failure)
            return True
    deliver(how, today)
    return is_news


def announce_late(how: AlertSettings, day: date, by: str, today: date) -> None:
    """Send what is due, and once that a day has no figures although they were due, if it has none.

    ``by``: the time of day.

    Raises:
        SettingsError, AlertError: as ``deliver``.
    """
    published = set(read_restatements(how.lake)["day"].to_pylist())
    if day not in published and how.speaks_of(day, today, is_asked=False):
        title = how.language.gettext("{date} has no figures yet", date=str(day))
        body = how.language.gettext("They were due by {time}.", time=by)
        late = Alert(title, body, is_failure=True)
        say_once(how, f"late-{day}", today, lambda said: ([] if said else [late], {"by": by}))
    deliver(how, today)


def say_failure(how: AlertSettings, failure: Failure) -> None:
    """Send that a day failed without a lake that could remember it.

    Raises:
        SettingsError, AlertError: as ``deliver``.
    """
    send_unremembered(how.services.values(), _failed(failure, how.language))


def _note_failure(how: AlertSettings, failure: Failure, today: date) -> bool:
    kind = "failed-watch" if failure.is_watch else "failed"

    def find_news(said: dict[str, Any]) -> tuple[list[Alert], dict[str, Any]]:
        now = {"step": failure.step, "why": failure.why}
        return ([], said) if said else ([_failed(failure, how.language)], now)

    return bool(say_once(how, f"{kind}-{failure.day}", today, find_news))


def _failed(failure: Failure, language: Language) -> Alert:
    said = {"date": str(failure.day), "step": escape(failure.step)}
    if failure.is_watch:
        title = language.gettext("watch of {date} failed in {step}", **said)
    else:
        title = language.gettext("{date} failed in {step}", **said)
    return Alert(title, escape(failure.why), is_failure=True)


@contextmanager
def failure_announced(
    how: AlertSettings, failed: Callable[[str], Failure], today: date
) -> Iterator[None]:
    """Announce what ends the block before it is raised, whatever becomes of the announcement.

    ``failed`` makes the failure of the sentence that says why.
    """
    try:
        yield
    except TidegaugeError as error:
        try:
            announce_failure(how, failed(str(error)), today, is_asked=False)
        except (AlertError, SettingsError) as other:
            log.warning("%s", other)
        raise
