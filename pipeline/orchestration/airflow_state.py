"""The facts that ``airflow_check`` judges, of the Airflow that is installed here.

Imports Airflow, which takes seconds, and asks its database.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.configuration import AIRFLOW_HOME, conf
from airflow.dag_processing.bundles.local import LocalDagBundle
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dag import DagModel
from airflow.models.pool import Pool
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from pipeline.installed import find_data
from pipeline.orchestration.airflow_check import AirflowState
from pipeline.orchestration.airflow_settings import MAXMIND


def read_state() -> AirflowState:
    """Ask the Airflow that is installed here."""
    # As the api-server: connections are in Airflow's own database, too.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    logging.disable()  # what Airflow would say of DAGs is in the answer
    bag = DagBag(find_data("dags"))
    unreadable = {name: error.strip().splitlines()[-1] for name, error in bag.import_errors.items()}
    database, has_maxmind = "", False
    pools: dict[str, int] = {}
    paused: dict[str, bool] = {}
    try:
        pools = {str(pool.pool): pool.slots for pool in Pool.get_pools()}
        with create_session() as session:
            ours = select(DagModel.dag_id, DagModel.is_paused).where(
                DagModel.dag_id.in_(list(bag.dags)), ~DagModel.is_stale
            )
            paused = {str(row.dag_id): bool(row.is_paused) for row in session.execute(ours)}
        with suppress(AirflowNotFoundException):
            has_maxmind = bool(BaseHook.get_connection(MAXMIND).password)
    except SQLAlchemyError as error:
        database = str(getattr(error, "orig", error)).splitlines()[0]
    manager: Any = DagBundlesManager  # not typed
    folders = []
    try:
        folders = [
            bundle.path
            for bundle in manager().get_all_dag_bundles()
            if isinstance(bundle, LocalDagBundle)
        ]
    except AirflowException as error:
        unreadable["dag_bundle_config_list"] = str(error)
    home = Path(AIRFLOW_HOME)
    return AirflowState(
        home=home,
        folders=folders,
        unreadable=unreadable,
        heartbeat_seconds=conf.getint("workers", "min_heartbeat_interval", fallback=5),
        has_local_settings=(home / "config" / "airflow_local_settings.py").exists(),
        database=database,
        pools=pools,
        paused=paused,
        has_maxmind=has_maxmind,
    )
