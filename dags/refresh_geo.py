"""MaxMind's newest database of addresses, on its days of release: Tuesday and Friday.

And that of networks, where one of them is there: `tidegauge geo fetch maxmind --kind asn`.

The account is in the connection `maxmind` (login: account id, password: licence key). Days that
the new database would locate otherwise are offered for a backfill of `tidegauge_nightly`, never
rebuilt unasked. `tidegauge geo fetch maxmind` does the same without Airflow.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from pipeline.orchestration.dag_run import TAGS, load_site, maxmind_settings, now, task_arguments


@dag(
    schedule=CronTriggerTimetable("0 22 * * 2,5", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=task_arguments("DownloadError", "StorageError", longest=timedelta(hours=1)),
    doc_md=__doc__,
    tags=TAGS,
)
def tidegauge_refresh_geo() -> None:
    @task
    def fetch() -> str:
        """The newest database, fetched and tried, beside those that are there."""
        from pipeline.orchestration.refresh_geo import refresh

        return refresh(maxmind_settings(), now())

    @task
    def offer() -> list[str]:
        """The days that it would locate otherwise, in the log."""
        from pipeline.orchestration.refresh_geo import offer_days

        return offer_days(load_site())

    fetch() >> offer()


tidegauge_refresh_geo()
