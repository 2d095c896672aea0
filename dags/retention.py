"""Every morning at 07:00 of the site: hits and rejects older than `hits_kept_days` are deleted.

The first task lists them, the second deletes; figures stay, and the days are sealed. Nothing
happens while the setting is not set. `tidegauge retention --delete` does the same without Airflow.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from pipeline.orchestration.dag_run import TAGS, ZONE, load_site, now, task_arguments


@dag(
    schedule=CronTriggerTimetable("0 7 * * *", timezone=ZONE),
    catchup=False,
    max_active_runs=1,
    default_args=task_arguments("StorageError", longest=timedelta(hours=1)),
    doc_md=__doc__,
    tags=TAGS,
)
def tidegauge_retention() -> None:
    @task(task_id="list")
    def list_old() -> list[str]:
        """The days whose hits and rejects are to go, in the log."""
        from pipeline.orchestration.old_days import list_old_days

        return list_old_days(load_site(), now())

    @task
    def delete() -> list[str]:
        """Delete them; the days are sealed."""
        from pipeline.orchestration.old_days import delete_old_days

        return delete_old_days(load_site(), now())

    list_old() >> delete()


tidegauge_retention()
