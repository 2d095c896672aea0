"""What a waiting night does meanwhile: the trigger, as Airflow's triggerer runs it."""

import asyncio
import time
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pipeline.errors import TidegaugeError

pytestmark = pytest.mark.clock


@pytest.fixture
def sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the module, of which a file is whole at once."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setattr(TidegaugeError, "is_at_terminal", True)  # as it is to be afterwards
    module = import_module("pipeline.orchestration.files_sensor")
    monkeypatch.setattr(module, "_LOOK_S", 0.05)
    monkeypatch.setattr(module, "_SETTLED_S", 0)
    return module


async def first_event(trigger: Any) -> float:
    """Return how many seconds it takes to fire."""
    began = time.monotonic()
    async for _ in trigger.run():
        break
    return time.monotonic() - began


def kept(trigger: Any) -> Any:
    """Return it as it is after a restart of the triggerer."""
    path, kwargs = trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**kwargs)


def test_a_trigger_fires_when_a_file_has_come_also_after_a_restart(
    sensor: Any, tmp_path: Path
) -> None:
    """Not for one that was there, nor before its time is over."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "web01.log").touch()
    since = (raw / "web01.log").stat().st_ctime  # by the disk's clock: a test's may be shifted
    trigger = sensor.FilesTrigger([str(raw)], since, time.time() + 600)

    async def come() -> float:
        firing = asyncio.create_task(first_event(kept(trigger)))
        done, _ = await asyncio.wait([firing], timeout=0.5)
        assert not done
        (tmp_path / "web02.log").touch()
        (tmp_path / "web02.log").rename(raw / "web02.log")
        return await asyncio.wait_for(firing, 60)

    asyncio.run(come())


def test_a_trigger_whose_folder_hangs_fires_when_files_are_due_and_holds_nobody_up(
    sensor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, ticks = Event(), []
    monkeypatch.setattr("pipeline.ingest.sources.is_settled_since", lambda *_: release.wait())
    trigger = sensor.FilesTrigger(["/gone"], time.time(), time.time() + 1)

    async def tick() -> None:
        while True:
            ticks.append(1)
            await asyncio.sleep(0.01)

    async def hang() -> None:
        ticking = asyncio.create_task(tick())
        await asyncio.wait_for(first_event(trigger), 60)
        ticking.cancel()
        release.set()

    asyncio.run(hang())
    assert len(ticks) > 10
