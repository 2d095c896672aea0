"""What an Airflow of one's own lacks for the DAGs, each with the shell line that mends it.

Asked where it runs, as whoever runs it: another machine or user may lack something else. Changes
nothing. The facts are ``airflow_state``'s; here is what they mean.
"""

import io
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.errors import SettingsError
from pipeline.installed import find_data
from pipeline.orchestration.names import BUILD_POOL, NIGHTLY, REFRESH_GEO
from pipeline.orchestration.site_check import Checked, Health, check_site, make_connection
from pipeline.settings import Settings, load_settings

_MADE_FOR = "3.3."
_FAST_S = 1
_INSTALL = "pip install 'tidegauge[airflow]'"


@dataclass(frozen=True)
class AirflowState:
    """An Airflow as this machine's environment and files describe it."""

    home: Path
    folders: list[Path]
    """Of DAGs on this machine, its bundles', there or not."""
    unreadable: dict[str, str]
    """Files of our DAGs, or a setting of Airflow's, that it can't read; the error's last line."""
    heartbeat_seconds: int
    has_local_settings: bool
    """Whether there is such a module, ours or the site's own."""
    database: str
    """What is wrong with its database; empty when it answers."""
    pools: dict[str, int]
    """Slots by name; empty without a database."""
    paused: dict[str, bool]
    """Which of our DAGs are off, of those that Airflow has read."""
    has_maxmind: bool
    """Whether there is a connection with MaxMind's account."""


def check_airflow(given: Mapping[str, Any]) -> Iterator[Checked]:
    """Look at everything, in the order in which it is mended; ``given`` as ``load_settings``'."""
    try:
        found = version("apache-airflow")
    except PackageNotFoundError:
        found = "not installed where tidegauge is"
    if not found.startswith(_MADE_FOR):
        said = f"{found}: the DAGs are made for {_MADE_FOR}x, and were not looked at"
        yield Checked("Airflow", Health.wrong, said, _INSTALL)
        yield from check_site(load_settings, given)
        return
    yield Checked("Airflow", Health.ok, found)
    with redirect_stdout(io.StringIO()):  # where Airflow logs to
        from pipeline.orchestration.airflow_settings import read_settings  # noqa: PLC0415 see above
        from pipeline.orchestration.airflow_state import read_state  # noqa: PLC0415 likewise

        state = read_state()
    yield from judge(state, load_settings if state.database else read_settings, given)


def judge(
    state: AirflowState, load: Callable[..., Settings], given: Mapping[str, Any]
) -> Iterator[Checked]:
    """What Airflow's state means, with the settings that ``load`` reads."""
    yield from _check_database(state)
    yield from _check_dags(state)
    yield from check_site(load, given)
    if not state.database:
        yield from _check_pools(state, given)
        yield from _check_switch(state)
    yield from _check_speed(state)


def _check_database(state: AirflowState) -> Iterator[Checked]:
    if state.database:
        is_old = "no such" in state.database or "does not exist" in state.database
        write = "airflow db migrate" if is_old else "airflow db check"
        yield Checked("Airflow's database", Health.wrong, state.database, write)
    else:
        yield Checked("Airflow's database", Health.ok, "answers")


def _check_dags(state: AirflowState) -> Iterator[Checked]:
    ours = find_data("dags").resolve()
    for file, error in state.unreadable.items():
        yield Checked("DAGs", Health.wrong, f"{file}: {error}", _INSTALL)
    if any(_has(folder, ours) for folder in state.folders):
        yield Checked("DAGs", Health.ok, f"{ours} is in Airflow's folder of DAGs")
        return
    if NIGHTLY in state.paused:
        yield Checked("DAGs", Health.ok, "Airflow reads them from a bundle")
        return
    folder = state.folders[0] if state.folders else state.home / "dags"
    link = shlex.quote(str(folder / "tidegauge"))
    yield Checked(
        "DAGs", Health.wrong,
        f"{folder} does not lead to {ours}",
        f"mkdir -p {shlex.quote(str(folder))} && ln -sfn {shlex.quote(str(ours))} {link}",
    )  # fmt: skip


def _has(folder: Path, ours: Path) -> bool:
    """Whether Airflow comes upon our folder from there: it follows links."""
    whole = folder.resolve()
    if ours == whole or whole in ours.parents:
        return True
    return any(Path(at).resolve() == ours for at, _, _ in os.walk(folder, followlinks=True))


def _check_pools(state: AirflowState, given: Mapping[str, Any]) -> Iterator[Checked]:
    try:
        settings = load_settings(**given)
    except SettingsError:
        return
    for pool, slots, tasks in (
        (settings.airflow_pool, 4, "tasks"), (settings.airflow_build_pool, 1, "builds"),
    ):  # fmt: skip
        write = f"airflow pools set {shlex.quote(str(pool))} {slots} '{tasks} of tidegauge'"
        if pool is None:
            said = "builds that wait for another DAG's hold the place of a task"
            write = (
                f"airflow pools set {BUILD_POOL} 1 'builds of tidegauge' &&"
                f" export TIDEGAUGE_AIRFLOW_BUILD_POOL={BUILD_POOL}"
            )
            yield Checked("pool", Health.advice, said, write)
        elif state.pools.get(pool, 0) == 0:
            said = f"{pool} has no slot: {tasks} would wait for ever"
            yield Checked("pool", Health.wrong, said, write)
        elif tasks == "builds" and state.pools[pool] != slots:
            said = f"{pool} has {state.pools[pool]} slots: builds take turns at one"
            yield Checked("pool", Health.advice, said, write)
        else:
            yield Checked("pool", Health.ok, f"{pool}, slots: {state.pools[pool]}")


def _check_switch(state: AirflowState) -> Iterator[Checked]:
    is_off = state.paused.get(NIGHTLY)
    if is_off is None:
        said = "Airflow has not read it yet: its dag-processor does, or at once"
        yield Checked(NIGHTLY, Health.advice, said, "airflow dags reserialize")
    elif is_off:
        write = f"airflow dags unpause {NIGHTLY}"
        yield Checked(NIGHTLY, Health.advice, "is off: no night is counted", write)
    else:
        yield Checked(NIGHTLY, Health.ok, "is on")
    if state.paused.get(REFRESH_GEO) is False and not state.has_maxmind:
        said = "is on, and there is no connection maxmind with the account"
        yield Checked(REFRESH_GEO, Health.wrong, said, make_connection("maxmind"))


def _check_speed(state: AirflowState) -> Iterator[Checked]:
    what = "backfills"
    if state.heartbeat_seconds > _FAST_S:
        said = "Airflow may see only at a heartbeat that a task has ended"
        write = (
            f"export AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL={_FAST_S}"
            " AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS=15"
        )
        yield Checked(what, Health.advice, said, write)
    if not state.has_local_settings:
        link = state.home / "config" / "airflow_local_settings.py"
        source = Path(__file__).with_name("airflow_preload.py")
        write = (
            f"mkdir -p {shlex.quote(str(link.parent))} &&"
            f" ln -s {shlex.quote(str(source))} {shlex.quote(str(link))}"
        )
        yield Checked(what, Health.advice, "each task loads the libraries by itself", write)
