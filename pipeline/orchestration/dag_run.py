"""What the DAGs share: zone, owner, pool and tags, the day of a run, retries, a failure's alert.

With ``airflow_settings``, ``building``, the sensor, the deadline and the plugin the only module
that imports Airflow; light, for it is read whenever a DAG is parsed.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context

from pipeline.days import Run, find_day, read_as_of
from pipeline.errors import AlertError, SettingsError, TidegaugeError
from pipeline.lake.lake import Lake
from pipeline.lake.zone import schedule_zone, zone_name
from pipeline.orchestration.absolute_paths import refuse_relative
from pipeline.orchestration.airflow_settings import (
    MAXMIND,
    read_connection,
    read_settings,
    read_store_keys,
)
from pipeline.orchestration.figures_due import figures_due
from pipeline.setting_values import AirflowItem
from pipeline.settings import Settings, load_settings, use_store_keys

ZONE = schedule_zone()
FIRST_DAY = datetime(1995, 1, 1, tzinfo=ZoneInfo(ZONE))
"""Any day since can be backfilled."""
DAILY = Asset("tidegauge_daily")
"""Days of the daily table, counted and checked: an event a run, whose extra has its days."""
DAY = Asset("tidegauge_day")
"""The same as an event a day, each a partition whose key is its date: a DAG on it runs for each.

Two assets, as Airflow starts no DAG on a plain asset by an event that has partitions.
"""
INGESTING = 8
"""Raw files of one DAG read at once, a process and a core each, whatever many days are at work."""


def _load_for_parsing() -> Settings:
    """File and environment alone; what is wrong is said by the tasks, not by a DAG without any."""
    try:
        return load_settings()
    except SettingsError:
        return Settings.model_construct()


_SHOWN = _load_for_parsing()
TAGS = list(_SHOWN.airflow_tags)
DEADLINE = figures_due(_SHOWN.figures_due_by, ZONE)
BUILD_TASKS = _SHOWN.airflow_build_tasks
BUILDING: dict[str, Any] = {
    "pool": _SHOWN.airflow_build_pool or _SHOWN.airflow_pool,
    "max_active_tis_per_dag": 1,
}
"""Of tasks that build: one waits in Airflow's queue, where it holds no place, for the one at work.

Where no pool is set, for those of its DAG. Airflow has no way to make a pool from a DAG, and never
runs a task of one that is not there. The lake's lock holds whatever Airflow does.
"""


TidegaugeError.is_at_terminal = False


def load_absolute(**given: Any) -> Settings:
    """The site's settings, as the tab may use them, whose process is all of Airflow's.

    Raises:
        SettingsError: one is wrong, or is a path that is not absolute.
        StoreError: Airflow does not have what it is to have.
    """
    settings = read_settings(**given)
    refuse_relative(settings)
    return settings


def load_site(**given: Any) -> Settings:
    """The site's settings, as a task may use them; the process has the stores' keys from then on.

    Raises:
        SettingsError, StoreError: as ``load_absolute``; or days would be another zone's.
    """
    settings = load_absolute(**given)
    _use_keys(settings)
    if AirflowItem.settings in settings.airflow_reads:
        _refuse_another_zone(settings)
    return settings


def _use_keys(settings: Settings) -> None:
    if AirflowItem.s3 in settings.airflow_reads:
        use_store_keys(read_store_keys())


def _refuse_another_zone(settings: Settings) -> None:
    """Schedules and days are in the zone that DAGs were read with, without Airflow's variables."""
    zone = zone_name(settings.timezone, Lake(settings.lake))
    if zone != ZONE:
        raise SettingsError(
            "timezone", zone,
            f"the DAGs are read without Airflow's variables, in {ZONE}: set it in the environment"
            " (TIDEGAUGE_TIMEZONE) or in the settings file, too",
        )  # fmt: skip


def current_day() -> date:
    """The local day that the running task is about."""
    return _day_of(get_current_context())


def now() -> datetime:
    """The one place where the DAGs look at the clock."""
    return datetime.now(UTC)


def today() -> date:
    """The local date."""
    return now().astimezone(ZoneInfo(ZONE)).date()


def as_of() -> datetime:
    """The instant that the running task takes for now: the parameter ``as_of``, else the clock."""
    given = param("as_of")
    return read_as_of(given, ZoneInfo(ZONE), now(), key="as_of") if given else now()


def is_backfill() -> bool:
    """Whether the run is one of a backfill, whose days have runs of their own."""
    return _kind(get_current_context()["dag_run"]) == "backfill"


def _kind(dag_run: Any) -> str:
    """``backfill``, ``scheduled``, ...: a worker has an enumeration whose text is another."""
    return str(getattr(dag_run.run_type, "value", dag_run.run_type))


def param(name: str) -> Any:
    """A parameter of the run."""
    return get_current_context()["params"][name]


def _day_of(context: Any) -> date:
    dag_run = context["dag_run"]
    run = Run(
        kind=_kind(dag_run),
        run_after=dag_run.run_after,
        logical_date=dag_run.logical_date,
        interval_start=dag_run.data_interval_start,
        day=context["params"].get("day"),
    )
    return find_day(run, ZoneInfo(ZONE))


def is_over(context: Any) -> bool:
    """Whether a scheduled run is about a day after the site's last one: there is nothing to do."""
    if _kind(context["dag_run"]) != "scheduled":
        return False
    last_day = read_settings().last_day
    return last_day is not None and _day_of(context) > last_day


def announce(context: Any) -> None:
    """Send that the day failed, when the last retry is over.

    Not when a service did not take its alerts: the day is counted, and the next run tries again.
    """
    _announce(context, _day_of, is_asked=context["params"].get("alert", False))


def announce_watch(context: Any) -> None:
    """Send that the watch over today failed, once a day, when the last retry is over."""
    _announce(context, lambda _: today(), is_watch=True)


def _announce(
    context: Any, day_of: Callable[[Any], date], *, is_watch: bool = False, is_asked: bool = False
) -> None:
    """Send it, unless a setting can't be read: then nobody knows where alerts go."""
    from pipeline.alerts.failures import Failure, announce_failure, say_failure  # noqa: PLC0415 light
    from pipeline.alerts.services import alert_settings  # noqa: PLC0415

    exception = context.get("exception")
    if isinstance(exception, AlertError):
        return
    try:
        settings, day = read_settings(), day_of(context)
        _use_keys(settings)
    except SettingsError:
        return
    why = str(exception or "its process died")
    if exception and not isinstance(exception, TidegaugeError):
        why = f"{type(exception).__name__}: {why}"  # of KeyError('day') the text is 'day'
    failure = Failure(day, context["task_instance"].task_id, why, is_watch=is_watch)
    how = alert_settings(settings)
    if settings.lake.is_absolute():
        announce_failure(how, failure, today(), is_asked=is_asked)
    elif is_asked or day >= today() - timedelta(days=settings.alert_days):
        say_failure(how, failure)  # that path may be what failed, and is no task's lake


def maxmind_settings() -> Settings:
    """The settings with the account of the connection ``maxmind``; Airflow masks it in logs.

    Raises:
        StoreError, SettingsError: there is no such connection, or one without a password.
    """
    account = read_connection(MAXMIND)
    return load_site(maxmind_account_id=account.login, maxmind_license_key=account.password)


def task_arguments(*passing: str, longest: timedelta) -> dict[str, Any]:
    """Owner, pool, and retries with back-off after errors that pass, named as in ``errors``.

    Every other one, expected or not, stays what it is until a person acts: such a task fails at
    once, and so does one that takes longer than ``longest``, as something hangs then. One whose
    process died is tried again.
    """
    passes: list[type[BaseException] | str] = [f"pipeline.errors.{name}" for name in passing]
    passes.append("airflow.sdk.exceptions.TaskDeferralTimeout")  # nobody runs triggers just now
    rules = [RetryRule(passes, RetryAction.DEFAULT)]
    return {
        **({"owner": _SHOWN.airflow_owner} if _SHOWN.airflow_owner else {}),
        "pool": _SHOWN.airflow_pool,
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
        "retry_policy": ExceptionRetryPolicy(rules, default=RetryAction.FAIL),
        "execution_timeout": longest,
    }
