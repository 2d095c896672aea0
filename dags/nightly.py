"""Every night at 06:00 of the site: the local day that has just ended, from raw logs to alerts.

Also what a backfill of earlier days runs. `tidegauge run` does the same without Airflow.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, get_current_context, task

from pipeline.orchestration.building import add_build
from pipeline.orchestration.dag_run import (
    DAILY,
    DAY,
    DEADLINE,
    FIRST_DAY,
    INGESTING,
    TAGS,
    ZONE,
    announce,
    current_day,
    is_backfill,
    load_site,
    now,
    param,
    task_arguments,
    today,
)
from pipeline.orchestration.files_sensor import FilesSensor


# Not Airflow's timetable of partitions: its backfill form offers days that have not ended, and a
# day that is counted again gets a second run beside the first. The asset of days has partitions
# all the same: `check` gives them to it.
@dag(
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone=ZONE),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=4,
    deadline=DEADLINE,
    default_args=task_arguments(
        "PassingError", "StorageError", "StoreError", "AlertError", longest=timedelta(hours=6)
    )
    | {"on_failure_callback": announce},
    params={
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            description="Count this local day, whatever the run's own dates are.",
        ),
        "alert": Param(
            False, type="boolean", description="Send alerts even when the day is long past."
        ),
    },
    doc_md=__doc__,
    tags=TAGS,
)
def tidegauge_nightly() -> None:
    @task(  # of a mapped task Airflow takes no docstring
        map_index_template="{{ file }}",
        max_active_tis_per_dag=INGESTING,
        doc_md="Each raw file into the lake, all or nothing; many small ones are one task.",
    )
    def ingest(job: list[dict[str, str | bool]]) -> dict[str, int | str]:
        from pipeline.orchestration.jobs import name_job
        from pipeline.orchestration.nightly import ingest_job

        get_current_context()["file"] = name_job(job)  # type: ignore[typeddict-unknown-key]
        return ingest_job(load_site(), job)

    @task(outlets=[DAILY, DAY])
    def check(rebuilt: list[str], *, outlet_events: Any) -> dict[str, Any]:
        """No two figures contradict each other; then others may work with these days."""
        from pipeline.orchestration.nightly import check_built

        checked = check_built(load_site(), current_day(), rebuilt)
        outlet_events[DAILY].extra = outlet_events[DAY].extra = checked
        outlet_events[DAY].add_partitions(checked["days"])
        return checked

    @task
    def report() -> dict[str, Any]:
        """The figures published, the page written, what is new sent to each service once."""
        from pipeline.orchestration.nightly import tell, write_page

        settings, day = load_site(), current_day()
        page = write_page(settings, now(), [day], alone=is_backfill())
        return {"page": page, "alerts": tell(settings, day, today(), is_asked=param("alert"))}

    discover = FilesSensor(
        task_id="discover",
        doc_md="The raw files of the day that the lake lacks, and late ones of earlier days, as"
        " jobs; missing ones are waited for until `files_due_by`.",
    )
    found = discover.output
    first, rebuilt = add_build(
        "none_failed_min_one_success",
        "Every stale day, and the tables over all days, built anew; runs take turns.",
        found,
    )
    ingest.expand(job=found) >> first
    check(rebuilt) >> report()  # type: ignore[call-arg]  # Airflow gives the events


tidegauge_nightly()
