"""The tasks of a DAG that build: one, or as many as there are days and buckets of large ones.

With ``airflow_build_tasks`` the latter: ``plan`` -> ``count``, a task a day or a slice of a large
one -> ``divide`` -> ``count_buckets``, a task a bucket -> ``build``, which puts all of it into the
lake, whether all of them counted or not. Those that count take no turns with builds.
"""

from typing import Any, cast

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import get_current_context, task

from pipeline.orchestration.dag_run import BUILD_TASKS, BUILDING, load_site

_COUNT, _COUNT_BUCKETS = "count", "count_buckets"
_COUNTING: dict[str, Any] = {
    "map_index_template": "{{ name }}",
    "max_active_tis_per_dag": BUILD_TASKS,
}


def add_build(trigger_rule: str, about: str, jobs: Any = ()) -> tuple[Any, Any]:
    """Add the tasks to a DAG; returns the first, and the last, whose result are the days rebuilt.

    Args:
        trigger_rule: when the first runs.
        about: what is built, for Airflow's UI.
        jobs: files that were to be taken in before.
    """
    if BUILD_TASKS == 1:
        built = task(task_id="build", trigger_rule=trigger_rule, doc_md=about, **BUILDING)(_build)
        only = built(jobs)
        return only, only
    plan = task(task_id="plan", trigger_rule=trigger_rule, **BUILDING)(_plan)
    its = "Each stale day, or a slice of a large one, laid aside: nobody sees it yet."
    count = task(task_id=_COUNT, doc_md=its, **_COUNTING)(_count)
    divide = task(task_id="divide", trigger_rule="all_done_min_one_success")(_divide)
    its = "Each bucket of a large day's visitors, likewise."
    count_buckets = task(task_id=_COUNT_BUCKETS, doc_md=its, **_COUNTING)(_count)
    its = "All that count are over, whether they have counted or not; no process runs."
    counted_all = EmptyOperator(task_id="counted_all", trigger_rule="all_done", doc_md=its)
    build = task(task_id="build", doc_md=about, **BUILDING)(_finish)
    planned: Any = plan(jobs)
    counted: Any = count.expand(part=planned)
    divided: Any = divide(counted)
    in_buckets: Any = count_buckets.expand(part=divided)
    finished: Any = build(planned)
    [counted, in_buckets] >> counted_all >> finished
    return planned, finished


def _build(jobs: list[Any]) -> list[str]:
    from pipeline.orchestration.nightly import build_stale  # noqa: PLC0415 light for parsing

    return build_stale(load_site(), jobs)


def _plan(jobs: list[Any]) -> list[dict[str, Any]]:
    """What is stale, as parts that tasks count; none when nothing is."""
    from pipeline.orchestration.build_tasks import plan_tasks  # noqa: PLC0415 as above

    return plan_tasks(load_site(), jobs)


def _count(part: dict[str, Any]) -> dict[str, Any]:
    from pipeline.orchestration.build_tasks import do_part, name_part  # noqa: PLC0415 as above

    cast("dict[str, Any]", get_current_context())["name"] = name_part(part)
    return do_part(load_site(), part)


def _divide(counted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The buckets of large days' visitors, as parts; none when no day is so large."""
    from pipeline.orchestration.build_tasks import list_buckets  # noqa: PLC0415 as above

    return list_buckets(load_site(), counted)


def _finish(planned: list[dict[str, Any]]) -> list[str]:
    from pipeline.orchestration.build_tasks import finish_tasks  # noqa: PLC0415 as above

    # Not as arguments: what is one waits for tasks before it to succeed.
    done = get_current_context()["ti"].xcom_pull(task_ids=[_COUNT, _COUNT_BUCKETS])
    return finish_tasks(load_site(), planned, [part for part in done if part])
