"""What the DAGs share: the zone of the schedule, the day of a run, retries, the alert of a failure.

The only module that imports Airflow; light, for it is read whenever a DAG is parsed.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context

from pipeline.days import Run, find_day, schedule_zone
from pipeline.settings import load_settings

ZONE = schedule_zone()
FIRST_DAY = datetime(1995, 1, 1, tzinfo=ZoneInfo(ZONE))
"""Any day since can be backfilled."""


def current_day() -> date:
    """The local day that the running task is about."""
    return _day_of(get_current_context())


def now() -> datetime:
    """The one place where the DAGs look at the clock."""
    return datetime.now(UTC)


def today() -> date:
    """The local date."""
    return now().astimezone(ZoneInfo(ZONE)).date()


def is_backfill() -> bool:
    """Whether the run is one of a backfill, whose days have runs of their own."""
    return str(get_current_context()["dag_run"].run_type) == "backfill"


def param(name: str) -> Any:
    """A parameter of the run."""
    return get_current_context()["params"][name]


def _day_of(context: Any) -> date:
    dag_run = context["dag_run"]
    run = Run(
        kind=str(dag_run.run_type),
        run_after=dag_run.run_after,
        logical_date=dag_run.logical_date,
        interval_start=dag_run.data_interval_start,
        day=context["params"].get("day"),
    )
    return find_day(run, ZoneInfo(ZONE))


def announce(context: Any) -> None:
    """Send that the day failed, when the last retry is over."""
    from pipeline.alerts import Failure, announce_failure  # noqa: PLC0415 light to parse

    task, why = context["task_instance"].task_id, str(context.get("exception"))
    failure = Failure(_day_of(context), task, why)
    announce_failure(load_settings(), failure, today(), is_asked=context["params"]["alert"])


RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=30),
    # Late files, a full disk and a busy service pass; a wrong setting stays wrong.
    "retry_policy": ExceptionRetryPolicy(
        [
            RetryRule(
                ["pipeline.errors.DataError", "pipeline.errors.StorageError",
                 "pipeline.errors.AlertError"], RetryAction.DEFAULT,
            ),
            RetryRule("pipeline.errors.TidegaugeError", RetryAction.FAIL, reason="no retry helps"),
        ]
    ),
    "on_failure_callback": announce,
}  # fmt: skip
