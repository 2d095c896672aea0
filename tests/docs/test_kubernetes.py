"""The values for Airflow's Helm chart: what they name is there, and its schema takes them."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.settings import Settings

CHECKOUT = Path(__file__).parents[2]
SCHEMA = os.environ.get("AIRFLOW_CHART_SCHEMA")


@pytest.fixture
def values() -> Any:
    return yaml.safe_load((CHECKOUT / "docker/kubernetes.yaml").read_text())


def test_values_set_what_the_program_knows(values: Any) -> None:
    """Its settings, the keys of stores, the versions of the lock and of the image."""
    names = [one["name"] for one in values["env"]] + [one["envName"] for one in values["secret"]]
    ours = [name.removeprefix("TIDEGAUGE_").lower() for name in names if name[:4] != "AWS_"]
    assert {*ours} <= Settings.model_fields.keys()
    assert {"lake", "visitor_key", "timezone"} <= {*ours}
    lock = (CHECKOUT / "requirements-airflow.lock").read_text()
    assert f"\napache-airflow=={values['airflowVersion']} " in lock
    image = (CHECKOUT / "Dockerfile").read_text()
    assert f"--uid {values['uid']}" in image
    assert f"DAGS_FOLDER={values['dags']['mountPath']}\n" in image


@pytest.mark.skipif(
    not SCHEMA, reason="AIRFLOW_CHART_SCHEMA is no path of the chart's values.schema.json"
)
def test_the_charts_schema_takes_the_values(values: Any) -> None:
    """And knows each of them: at its root it takes any other key, too."""
    schema = json.loads(Path(str(SCHEMA)).read_text())
    jsonschema.validate(values, schema)
    assert values.keys() <= schema["properties"].keys()
