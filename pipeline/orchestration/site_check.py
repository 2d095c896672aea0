"""What a site lacks for the tasks of an Airflow: settings and what they name, seen from here."""

import getpass
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipeline.enrich.geo.databases import list_databases
from pipeline.enrich.visitors import load_key
from pipeline.errors import SettingsError, TidegaugeError
from pipeline.lake.lake import Lake
from pipeline.lake.place import BucketUrl
from pipeline.lake.storage import STORAGE_ERRORS, cause_of
from pipeline.lake.zone import assumed_zone
from pipeline.orchestration.absolute_paths import list_relative
from pipeline.settings import Settings, find_config

_SITE = Path("/srv/tidegauge")


class Health(StrEnum):
    """How it is."""

    ok = "ok"
    wrong = "wrong"
    advice = "advice"
    """The DAGs run all the same."""


@dataclass(frozen=True)
class Checked:
    """What was looked at, and how it is."""

    what: str
    state: Health
    said: str
    write: str = ""
    """A line for a shell that mends it, its words in capitals to be replaced; ok has none."""


def check_site(load: Callable[..., Settings], given: Mapping[str, Any]) -> Iterator[Checked]:
    """Settings and what they name."""
    key, config = find_config(given.get("config"))
    try:
        settings = load(**given)
    except SettingsError as error:
        yield Checked("settings", Health.wrong, str(error), _say_how(error.key))
        return
    named = f"the file {config}, and the environment" if config.is_file() else "the environment"
    relative = list_relative(settings)
    if not relative:
        yield Checked("settings", Health.ok, f"of {named}; every path is absolute")
    for name, place in relative.items():
        said = f"{name} = '{place}' begins at the working directory: a task has another one"
        written = {key: config.absolute()}.get(name, _SITE / Path(place).name)
        variable = name if name == key else f"TIDEGAUGE_{name.upper()}"
        write = f"export {variable}={shlex.quote(str(written))}" if "[" not in name else ""
        yield Checked("settings", Health.wrong, said, write)
    yield from _check_places(settings, relative)
    yield from _check_databases(settings.geo, relative)
    yield from _check_key(settings)
    if not relative and not settings.timezone:
        yield from _check_zone(settings.lake)
    if not settings.alert_urls:
        said = "go nowhere: nobody is told of a surge or of a night that failed"
        write = "export TIDEGAUGE_ALERT_URLS='mailtos://USER:PASSWORD@HOST'"
        yield Checked("alerts", Health.advice, said, write)


def _check_zone(lake: Path | BucketUrl) -> Iterator[Checked]:
    if isinstance(lake, Path) and not Lake(lake).identity():
        said = f"not set: schedules are in {assumed_zone()}, this machine's, until there is a lake"
        yield Checked("zone", Health.advice, said, "export TIDEGAUGE_TIMEZONE=REGION/CITY")


def _say_how(key: str) -> str:
    """The command that makes what Airflow is to have."""
    kind, _, name = key.rpartition(" of the ")[2].partition(" ")
    if kind == "variable":
        return f'airflow variables set {name} \'{{"raw": "{_SITE / "raw"}"}}\''
    return make_connection(name) if kind == "connection" else ""


def make_connection(connection: str) -> str:
    """The command that makes a connection by a file: what one is called with is seen by all."""
    kind, login = ("aws" if connection.endswith("_s3") else "generic", '"login": "ID", ')
    if connection in {"tidegauge_visitor_key", "tidegauge_alert_urls"}:
        login = ""
    content = f'{{"{connection}": {{"conn_type": "{kind}", {login}"password": "SECRET"}}}}'
    return (
        f"(umask 077; printf '%s' '{content}' > {connection}.json;"
        f" airflow connections import {connection}.json; rm {connection}.json)"
    )


def _check_places(settings: Settings, relative: Mapping[str, Any]) -> Iterator[Checked]:
    folders = {"raw": settings.raw, "report": settings.report.parent}
    if settings.source:
        del folders["raw"]
    if isinstance(settings.lake, Path):
        folders["lake"] = settings.lake
    else:
        yield _try_bucket(settings.lake)
    for name in sorted(folders.keys() - relative.keys()):
        folder = folders[name].expanduser()
        path = shlex.quote(str(folder))
        if not folder.is_dir():
            yield Checked(name, Health.wrong, f"there is no folder {folder}", f"mkdir -p {path}")
        elif not os.access(folder, os.R_OK | os.X_OK | (0 if name == "raw" else os.W_OK)):
            user = getpass.getuser()
            may = "read" if name == "raw" else "write in"
            write = f"sudo chown -R {shlex.quote(user)} {path}"
            yield Checked(name, Health.wrong, f"{user} may not {may} {folder}", write)
        else:
            yield Checked(name, Health.ok, str(folder))


def _try_bucket(url: BucketUrl) -> Checked:
    try:
        Lake(url).identity()
    except TidegaugeError as error:
        return Checked("lake", Health.wrong, str(error))
    except STORAGE_ERRORS as error:
        return Checked("lake", Health.wrong, cause_of(error))
    return Checked("lake", Health.ok, str(url))


def _check_databases(geo: Path | None, relative: Mapping[str, Any]) -> Iterator[Checked]:
    if geo is None:
        yield Checked("addresses", Health.ok, "nobody is located, as set")
    elif "geo" not in relative:
        write = f"tidegauge geo fetch dbip-lite --geo {shlex.quote(str(geo))}"
        try:
            newest = max((one.built for one in list_databases(geo)), default=None)
        except TidegaugeError as error:
            yield Checked("addresses", Health.wrong, str(error), write)
            return
        if newest is None:
            said = f"no database of addresses in {geo}"
            yield Checked("addresses", Health.wrong, said, write)
        else:
            yield Checked("addresses", Health.ok, f"{geo}, the newest of {newest:%Y-%m-%d}")


def _check_key(settings: Settings) -> Iterator[Checked]:
    file = settings.visitor_key_file.expanduser()
    path = shlex.quote(str(file))
    if not settings.visitor_key and not file.exists():
        said = f"there is none in {file}: each user and machine would make one, for another lake"
        write = (
            f"(umask 077; mkdir -p {shlex.quote(str(file.parent))}; python3 -c"
            f" 'import secrets; print(secrets.token_hex(32))' > {path})"
        )
        yield Checked("visitor key", Health.wrong, said, write)
        return
    try:
        load_key(settings)
    except SettingsError as error:
        yield Checked("visitor key", Health.wrong, str(error), f"chmod 600 {path}")
    except OSError as error:
        said = f"{getpass.getuser()} can't read {file}: {cause_of(error)}"
        write = f"sudo chown {shlex.quote(getpass.getuser())} {path}"
        yield Checked("visitor key", Health.wrong, said, write)
    else:
        yield Checked("visitor key", Health.ok, "as set" if settings.visitor_key else str(file))
