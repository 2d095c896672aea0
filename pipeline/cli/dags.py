"""The command ``dags``."""

from pipeline.cli.options import SiteOptions
from pipeline.installed import find_data


def dags(
    *,
    site: SiteOptions,  # noqa: ARG001 accepted by every command
) -> None:
    """Where the installed DAGs lie, for Airflow's setting `dags_folder`.

    For example:

    AIRFLOW__CORE__DAGS_FOLDER=$(tidegauge dags) airflow dag-processor
    """
    print(find_data("dags"))
