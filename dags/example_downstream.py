"""An example of your own DAG: it runs for each day of the daily table that was counted and checked.

For restated days, too: a day is a partition of the asset, and each run has its date as its key.
"""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import PartitionedAssetTimetable, dag

from pipeline.orchestration.dag_run import DAY


@dag(
    schedule=PartitionedAssetTimetable(assets=DAY),
    doc_md=__doc__,
    tags=["tidegauge", "example"],
)
def tidegauge_example_downstream() -> None:
    BashOperator(
        task_id="figures",
        # Started by hand it is of no day: 99 is Airflow's code of a task that is skipped.
        bash_command="""[ "$DAY" ] || exit 99
tidegauge daily --from "$DAY" --to "$DAY" --format csv""",
        env={"DAY": "{{ dag_run.partition_key or '' }}"},
        append_env=True,
        doc_md="The figures of the day, in the log.",
    )


tidegauge_example_downstream()
