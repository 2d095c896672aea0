"""Each service gets each alert once, whatever the others do, and whenever a process is killed.

The services are web servers on loopback that take, refuse, hang or answer by drops.
"""

import json
import logging
import socket
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from alert_services import Services
from lake_fixtures import Site, make_line
from pydantic import SecretStr

from pipeline.alerts.failures import Failure, announce_failure
from pipeline.alerts.outbox import deliver, list_untaken, outbox_path, say_once
from pipeline.alerts.services import Alert, Service, alert_settings, write_message
from pipeline.errors import AlertError, LakeError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.language import ENGLISH
from pipeline.settings import Settings, load_settings

DAY = date(2016, 11, 8)


@pytest.fixture
def services() -> Iterator[Services]:
    listening = Services()
    yield listening
    listening.close()


def settings_of(tmp_path: Path, *urls: str, alert_days: int = 7) -> Settings:
    return load_settings(lake=tmp_path / "lake", alert_urls=" ".join(urls), alert_days=alert_days)


def note(settings: Settings, *titles: str, today: date = DAY) -> None:
    """Write down alerts as due to every service that is set."""
    alerts = [Alert(title, f"About {title}.") for title in titles]
    say_once(
        alert_settings(settings),
        "x",
        today,
        lambda said: (alerts, {"said": [*said.get("said", ()), titles]}),
    )


def is_refused(settings: Settings, today: date = DAY) -> bool:
    try:
        deliver(alert_settings(settings), today)
    except AlertError:
        return True
    return False


def test_a_service_that_refuses_keeps_nothing_from_the_others_and_gets_its_own_later(
    tmp_path: Path, services: Services
) -> None:
    """In either order, over tries and days; in the end each has had each alert once."""
    services.moods["bad"] = "refuses"
    urls = [services.url(name) for name in ("bad", "good", "better")]
    settings = settings_of(tmp_path, *urls)
    note(settings, "A", "B")
    assert [is_refused(settings) for _ in range(3)] == [True] * 3
    note(settings, "C", today=DAY + timedelta(1))
    assert is_refused(settings, DAY + timedelta(1))
    assert services.titles("good") == services.titles("better") == ["A; B", "C"]
    services.moods["bad"] = "takes"
    for _ in range(2):
        deliver(alert_settings(settings), DAY + timedelta(1))
    assert services.titles("bad") == ["A; B; C"]
    assert services.titles("good") == services.titles("better") == ["A; B", "C"]
    assert not outbox_path(Lake(settings.lake)).exists()


def test_only_what_was_written_down_today_is_worth_another_try(
    tmp_path: Path, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    """A scheduler tries a failed task again; a service that is dead for days fails none."""
    services.moods["bad"] = "refuses"
    settings = settings_of(tmp_path, services.url("bad"))
    note(settings, "A")
    assert is_refused(settings)
    assert not is_refused(settings, DAY + timedelta(1))
    assert "not taken by json://127.0.0.1" in caplog.text


@pytest.mark.parametrize("mood", ["hangs", "drips"])
def test_a_service_that_hangs_holds_up_neither_the_others_nor_the_run_for_long(
    tmp_path: Path, services: Services, mood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent or by drops; the others have theirs after a moment, and the run goes on."""
    monkeypatch.setattr("pipeline.alerts.services._PATIENCE_S", 0.3)
    monkeypatch.setattr("pipeline.alerts.services._LONGEST_S", 3)
    services.moods["bad"] = mood
    settings = settings_of(tmp_path, services.url("bad"), services.url("good"))
    note(settings, "A")
    started = time.monotonic()
    assert is_refused(settings)
    assert time.monotonic() - started < 60  # a service that hangs does so for ever
    assert services.titles("good") == ["A"]
    assert list_untaken(alert_settings(settings))[0][0].endswith("1 alert since 2016-11-08")


def test_nobody_at_a_port_is_a_service_that_does_not_take_it(
    tmp_path: Path, services: Services
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = settings_of(tmp_path, f"json://127.0.0.1:{port}/", services.url("good"))
    note(settings, "A")
    assert is_refused(settings)
    assert services.titles("good") == ["A"]


def test_what_is_not_taken_for_alert_days_is_given_up_with_a_word(
    tmp_path: Path, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    """Tried on each day till then; what came later is not given up with it."""
    services.moods["bad"] = "refuses"
    settings = settings_of(tmp_path, services.url("bad"), alert_days=3)
    note(settings, "A")
    for after in range(3):
        is_refused(settings, DAY + timedelta(after))
    note(settings, "B", today=DAY + timedelta(2))
    assert list_untaken(alert_settings(settings))[1] == []
    deliver(alert_settings(settings), DAY + timedelta(3))
    assert "given up: A" in caplog.text
    (given_up,) = list_untaken(alert_settings(settings))[1]
    assert given_up.endswith(": 1 alert, the last of 2016-11-08")
    services.moods["bad"] = "takes"
    deliver(alert_settings(settings), DAY + timedelta(3))
    assert services.titles("bad") == ["B"]
    assert list_untaken(alert_settings(settings)) == ([], [])


def test_what_grew_old_while_nothing_ran_is_not_sent(tmp_path: Path, services: Services) -> None:
    services.moods["bad"] = "refuses"
    settings = settings_of(tmp_path, services.url("bad"), alert_days=3)
    note(settings, "A")
    is_refused(settings)
    services.moods["bad"] = "takes"
    deliver(alert_settings(settings), DAY + timedelta(4))
    assert services.titles("bad") == []


def test_a_new_service_gets_no_old_alerts_and_one_taken_out_keeps_nobody_waiting(
    tmp_path: Path, services: Services
) -> None:
    """A command run where its URL is not set does not lose what it has not taken."""
    services.moods["bad"] = "refuses"
    settings = settings_of(tmp_path, services.url("bad"))
    note(settings, "A")
    assert is_refused(settings)
    other = settings_of(tmp_path, services.url("new"))
    deliver(alert_settings(other), DAY)
    note(other, "B")
    deliver(alert_settings(other), DAY)
    assert services.titles("new") == ["B"]
    waiting, _ = list_untaken(alert_settings(other))
    assert [one.endswith("1 alert since 2016-11-08, not in alert_urls here") for one in waiting]
    services.moods["bad"] = "takes"
    deliver(alert_settings(settings), DAY)
    assert services.titles("bad") == ["A"]


def test_a_service_whose_password_was_changed_is_the_same(
    tmp_path: Path, services: Services
) -> None:
    """A wrong password may be why it took nothing; another user or path is another service."""
    services.moods["hook"] = "refuses"
    settings = settings_of(tmp_path, services.url("hook", "me:wr0ng@"))
    note(settings, "A")
    assert is_refused(settings)
    services.moods["hook"] = "takes"
    deliver(alert_settings(settings_of(tmp_path, services.url("hook", "you:r1ght@"))), DAY)
    assert services.titles("hook") == []
    deliver(alert_settings(settings_of(tmp_path, services.url("hook", "me:r1ght@"))), DAY)
    assert services.titles("hook") == ["A"]


def test_a_url_named_twice_is_one_service(tmp_path: Path, services: Services) -> None:
    settings = settings_of(tmp_path, services.url("good"), services.url("good"))
    note(settings, "A")
    deliver(alert_settings(settings), DAY)
    assert services.titles("good") == ["A"]


def test_a_url_that_no_service_has_keeps_nothing_from_the_others(
    tmp_path: Path, services: Services
) -> None:
    settings = settings_of(tmp_path, "nosuch://me:s3cr3t@x", services.url("good"))
    note(settings, "A")
    for _ in range(2):
        with pytest.raises(SettingsError, match="number 1") as refused:
            deliver(alert_settings(settings), DAY)
        assert "s3cr3t" not in str(refused.value)
    assert services.titles("good") == ["A"]


def test_a_failure_is_sent_as_one_and_a_digest_with_a_failure_too(
    tmp_path: Path, services: Services
) -> None:
    settings = settings_of(tmp_path, services.url("good"))
    note(settings, "A")
    deliver(alert_settings(settings), DAY)
    announce_failure(alert_settings(settings), Failure(DAY, "build", "why"), DAY, is_asked=False)
    note(settings, "B")
    watch = Failure(DAY, "discover", "why", is_watch=True)
    announce_failure(alert_settings(settings), watch, DAY, is_asked=False)
    assert [one["type"] for one in services.got["good"]] == ["info", "failure", "failure"]
    assert services.titles("good")[-1] == "B; watch of 2016-11-08 failed in discover"


def test_a_failure_of_old_is_silent_but_what_is_due_is_sent(
    tmp_path: Path, services: Services
) -> None:
    settings = settings_of(tmp_path, services.url("good"))
    note(settings, "A")
    old = Failure(DAY - timedelta(30), "build", "why")
    assert not announce_failure(alert_settings(settings), old, DAY, is_asked=False)
    assert services.titles("good") == ["A"]


def test_many_titles_are_shortened_and_the_text_has_them_all() -> None:
    alerts = [Alert(f"Surge from {n} since 2016-11-08", f"About {n}.") for n in range(40)]
    title, body = write_message(alerts, ENGLISH)
    assert title.endswith("; and 34 more")
    assert len(title) < 250
    assert all(f"{one.title}\n{one.body}" in body for one in alerts)
    assert write_message(alerts[:1], ENGLISH) == (f"tidegauge: {alerts[0].title}", "About 0.")


NAMES = {
    "json://127.0.0.1:80/s3cr3t": "json://127.0.0.1:80",
    "jsons://me:s3cr3t@hooks.example.org/a": "jsons://hooks.example.org",
    "json://me:s3cr3t/x@hooks.example.org/a": "json://",
    "json://me:s3c?r3t@hooks.example.org/a": "json://",
    "json://me:s3c#r3t@hooks.example.org/a": "json://",
    "json://me:s3cr3t": "json://",
    "json://[s3cr3t": "json://",
    "mailto://me:s3cr3t@example.org": "mailto://example.org",
    "slack://s3cr3t/s3cr3t/s3cr3t": "slack://",
    "tgram://123456789:s3cr3t/1": "tgram://",
    "ntfy://s3cr3t": "ntfy://",
    "s3cr3t://x": "a service",
    "s3cr3t": "a service",
}


@pytest.mark.parametrize("url", NAMES)
def test_a_service_is_named_without_its_secrets(url: str) -> None:
    service = Service(1, SecretStr(url))
    assert service.name == f"{NAMES[url]} ({service.fingerprint})"
    assert "s3cr3t" not in repr(service)


@pytest.mark.parametrize("url", [url for url in NAMES if "hooks.example" not in url])
def test_nothing_that_is_logged_quotes_a_url(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither apprise's own logger does, nor the network's, at whatever level."""
    if url.startswith(("mailto", "slack", "tgram", "ntfy")):
        url = url.replace("://", "://\x00", 1)  # read as no service's, so that nobody is asked
    caplog.set_level(logging.DEBUG)
    settings = settings_of(tmp_path, url)
    with pytest.raises((SettingsError, AlertError)) as refused:
        announce_failure(
            alert_settings(settings), Failure(DAY, "build", "why"), DAY, is_asked=False
        )
    said = caplog.text + str(refused.value) + "".join(capfd.readouterr())
    ledger = "".join(path.read_text() for path in (tmp_path / "lake").rglob("*.json"))
    assert "s3cr3t" not in said + ledger


def test_a_damaged_outbox_is_a_sentence_and_a_failure_is_still_told(
    tmp_path: Path, services: Services
) -> None:
    settings = settings_of(tmp_path, services.url("good"))
    path = outbox_path(Lake(settings.lake))
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(LakeError, match="is damaged"):
        deliver(alert_settings(settings), DAY)
    announce_failure(alert_settings(settings), Failure(DAY, "build", "why"), DAY, is_asked=False)
    assert services.titles("good") == ["2016-11-08 failed in build"]


def test_a_night_prints_its_figures_and_status_names_the_dead_service(
    tmp_path: Path, services: Services
) -> None:
    """The night's failure is what the command says, whatever the services do."""
    site = Site(tmp_path)
    site.ingest(site.write("web01.log", make_line()))
    site.run("build")
    services.moods["bad"] = "refuses"
    bad = services.url("bad", "me:s3cr3t@")
    urls = f"{bad} {services.url('good')}"
    env: dict[str, str | None] = {"TIDEGAUGE_ALERT_URLS": urls}
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        done = site.run(
            "run", "--raw", "empty", "--as-of", "2016-11-10T06:00", "--geo", "empty",
            env=env, code=1,
        )  # fmt: skip
        assert "no raw file of 2016-11-09" in done.err.splitlines()[-1]
    assert services.titles("good") == ["2016-11-09 failed in tidegauge run"]
    assert services.asked["bad"] == 2
    rows = json.loads(site.run("status", "--format", "json", env=env).out)
    told = {row["what"]: row["value"] for row in rows}
    fingerprint = next(iter(alert_settings(settings_of(tmp_path, bad)).services))
    assert told["alerts not taken"] == (
        f"json://127.0.0.1:{services.server.server_port} ({fingerprint}): 1 alert since 2016-11-10"
    )
    assert told["alerts given up"] == "none"
    assert "s3cr3t" not in str(told) + done.err
