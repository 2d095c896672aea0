"""An example of your own DAG: it runs whenever days of the daily table were counted and checked.

Every event of the asset says which days were counted, restated ones too; several events can come
in one run.
"""

from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task

from pipeline.orchestration.dag_run import DAILY


@dag(
    schedule=[DAILY],
    doc_md=__doc__,
    tags=["tidegauge", "example"],
)
def tidegauge_example_downstream() -> None:
    @task
    def days(*, triggering_asset_events: Any) -> list[dict[str, str]]:
        """The days that were counted."""
        events = triggering_asset_events[DAILY]
        return [{"DAY": day} for day in sorted({d for one in events for d in one.extra["days"]})]

    BashOperator.partial(
        task_id="figures",
        bash_command='tidegauge daily --from "$DAY" --to "$DAY" --format csv',
        append_env=True,
        doc_md="The figures of a day, in the log.",
    ).expand(env=days())


tidegauge_example_downstream()
