"""Every hour, for who has to know tonight: the hours of today beside those of earlier days.

Takes in what the servers have written so far and alerts once when a country surges. Its figures
are preliminary; `tidegauge_nightly` counts the day. `tidegauge watch` does the same without
Airflow.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, get_current_context, task

from pipeline.orchestration.building import add_build
from pipeline.orchestration.dag_run import (
    FIRST_DAY,
    INGESTING,
    TAGS,
    ZONE,
    announce_watch,
    as_of,
    is_over,
    load_site,
    param,
    task_arguments,
)


@dag(
    schedule=CronTriggerTimetable("10 * * * *", timezone=ZONE),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    # The next hour waits for this one.
    default_args=task_arguments(
        "PassingError", "StorageError", "StoreError", "AlertError", longest=timedelta(minutes=50)
    )
    | {"on_failure_callback": announce_watch},
    params={
        "as_of": Param(
            None,
            type=["null", "string"],
            description="Look at this moment, such as 2016-11-08T23:10, as if it were now.",
        ),
    },
    doc_md=__doc__,
    tags=TAGS,
)
def tidegauge_watch() -> None:
    @task.skip_if(is_over)
    @task
    def discover() -> list[list[dict[str, str | bool]]]:
        """Today's raw files that are new or have grown, as jobs."""
        from pipeline.orchestration.jobs import write_jobs
        from pipeline.orchestration.watch import find_so_far

        found = find_so_far(load_site(), as_of(), is_replay=param("as_of") is not None)
        return write_jobs(found) or [[]]  # skipped ones would have Airflow skip `build`, too

    @task(  # of a mapped task Airflow takes no docstring
        map_index_template="{{ file }}",
        max_active_tis_per_dag=INGESTING,
        doc_md="Each live file into the lake as it is; the next hour replaces what has grown.",
    )
    def ingest(job: list[dict[str, str | bool]]) -> dict[str, int | str]:
        from pipeline.orchestration.jobs import name_job
        from pipeline.orchestration.watch import take_job_in

        get_current_context()["file"] = name_job(job)  # type: ignore[typeddict-unknown-key]
        return take_job_in(load_site(), job)

    @task
    def compare() -> list[dict[str, Any]]:
        """Today's finished hours beside those of earlier days: which are surges."""
        from pipeline.orchestration.watch import find_alarms

        return find_alarms(load_site(), as_of())

    @task
    def alert(alarms: list[dict[str, Any]]) -> list[str]:
        """New surges, sent once to each service of `alert_urls`."""
        from pipeline.orchestration.watch import tell_alarms

        return tell_alarms(load_site(), alarms, as_of())

    found = discover()
    first, rebuilt = add_build(
        "all_done_min_one_success", "Today as far as it has come, and what else became stale."
    )
    compared = compare()
    found >> first
    ingest.expand(job=found) >> first
    rebuilt >> compared
    alert(compared)  # type: ignore[arg-type]  # Airflow gives what it will return


tidegauge_watch()
