"""The command ``dags``."""

import typer

from pipeline.cli.options import ConfigOption, GeoOption, LakeOption
from pipeline.installed import find_data


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("dags")(dags)


def dags(
    lake: LakeOption = None,  # noqa: ARG001 accepted by every command
    geo: GeoOption = None,  # noqa: ARG001 likewise
    config: ConfigOption = None,  # noqa: ARG001 likewise
) -> None:
    """Where the installed DAGs lie, for Airflow's setting `dags_folder`.

    For example:

    AIRFLOW__CORE__DAGS_FOLDER=$(tidegauge dags) airflow dag-processor
    """
    print(find_data("dags"))
