"""What a site keeps in Airflow, and so in its secrets backends: settings, secrets, stores' keys.

Read by tasks and the tab, never where DAGs are parsed: each time would be a question to Airflow's
database. Only what the setting ``airflow_reads`` names is asked for, and it must be there: Airflow
takes a backend that does not answer for one that has nothing.
"""

import json
from typing import Any

from airflow.sdk import BaseHook, Variable
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from pipeline.errors import HIDDEN, SettingsError, StoreError
from pipeline.raw.stores import without_secrets
from pipeline.setting_errors import is_secret
from pipeline.setting_values import AirflowItem, SourceTable
from pipeline.settings import Settings, load_settings

VARIABLE = "tidegauge"
MAXMIND = "maxmind"
PASSWORDS = {
    MAXMIND: "type Generic; the login is MaxMind's account id, the password a licence key",
    "tidegauge_visitor_key": "type Generic; the password is the secret of the visitor hash",
    "tidegauge_alert_urls": "type Generic; the password is apprise URLs with spaces between them",
    "tidegauge_s3": "type Amazon Web Services; the login is the access key's id, the password its"
    " secret; extra has endpoint_url, region_name, aws_session_token where they are needed",
}
"""The connections, each with what it holds."""
_S3_EXTRA = {
    "endpoint_url": "AWS_ENDPOINT_URL",
    "region_name": "AWS_DEFAULT_REGION",
    "aws_session_token": "AWS_SESSION_TOKEN",
}


def read_settings(**given: Any) -> Settings:
    """The settings: ``given``, then Airflow's, then the environment's, then the file's.

    Raises:
        SettingsError: one is wrong, or Airflow has it where it does not belong.
        StoreError: Airflow does not have what it is to have.
    """
    settings = load_settings(**given)
    reads = settings.airflow_reads
    where: dict[str, str] = {}
    values: dict[str, Any] = {}
    if AirflowItem.settings in reads:
        values = _read_variable()
        where = dict.fromkeys(values, f"variable {VARIABLE}")
    for item in {AirflowItem.visitor_key, AirflowItem.alert_urls}.intersection(reads):
        where[item] = f"connection tidegauge_{item}"
        values[item] = read_connection(f"tidegauge_{item}").password
    for url in str(values.get(AirflowItem.alert_urls, "")).split():
        mask_secret(url)  # Airflow itself masks the whole password
    if not values:
        return settings
    try:
        settings = load_settings(**values | given)
    except SettingsError as error:
        root = error.key.removeprefix("[[").split(".")[0].partition("]]")[0]
        if root not in where or root in given:
            raise
        key = f"{error.key} of the {where[root]}"
        raise SettingsError(key, error.value, error.remedy) from None
    if any(_has_password(table) for table in settings.source if "source" in values):
        why = "whoever sees variables reads its password: write the tables in the settings file"
        raise SettingsError(f"source of the variable {VARIABLE}", HIDDEN, why)
    return settings


def _has_password(table: SourceTable) -> bool:
    url = table.url.get_secret_value() if table.url else ""
    return without_secrets(url) != url


def read_connection(name: str) -> Any:
    """One of ``PASSWORDS``; Airflow masks its password in logs.

    Raises:
        StoreError: there is none.
        SettingsError: it has no password.
    """
    what = f"(Admin, Connections; {PASSWORDS[name]})"
    try:
        connection = BaseHook.get_connection(name)
    except AirflowNotFoundException as error:
        raise StoreError(f"connection {name}", None, f"make one in Airflow {what}") from error
    if not connection.password:
        raise SettingsError(f"connection {name}", None, f"give it a password {what}")
    return connection


def read_store_keys() -> dict[str, str]:
    """The keys to S3 stores, by the variables of the environment that they stand in elsewhere.

    Raises:
        StoreError, SettingsError: as ``read_connection``.
    """
    connection = read_connection("tidegauge_s3")
    extra = connection.extra_dejson
    return {
        "AWS_ACCESS_KEY_ID": connection.login or "",
        "AWS_SECRET_ACCESS_KEY": connection.password,
        **{name: str(extra[key]) for key, name in _S3_EXTRA.items() if extra.get(key)},
    }


def _read_variable() -> dict[str, Any]:
    """The settings of the variable, none of which is a secret: Airflow shows variables."""
    key = f"variable {VARIABLE}"
    text = Variable.get(VARIABLE, default=None)
    example = 'a JSON object of settings, such as {"raw": "/srv/tidegauge/raw"}'
    if text is None:
        raise StoreError(key, None, f"make it in Airflow (Admin, Variables): {example}")
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise SettingsError(key, HIDDEN, f"write {example}")
    for name in values:
        field = Settings.model_fields.get(name)
        if name.startswith("airflow_") or name == "figures_due_by":
            why = "DAGs are read before variables are: set it in the environment or settings file"
            raise SettingsError(f"{name} of the {key}", HIDDEN, why)
        if field and is_secret(field.annotation):
            place = MAXMIND if name.startswith(MAXMIND) else f"tidegauge_{name}"
            why = f"whoever sees variables reads it: make the connection {place}, its password this"
            raise SettingsError(f"{name} of the {key}", HIDDEN, why)
    return values
