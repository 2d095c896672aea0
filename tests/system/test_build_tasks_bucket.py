"""A build's tasks on two machines that share a lake in a real S3 server, and nothing else."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from bucket_sites import BUCKET, KEYS, Machine, serving
from lake_fixtures import Site
from lake_processes import SERVERS

from pipeline.orchestration.build_tasks import (
    Part,
    do_part,
    finish_tasks,
    list_buckets,
    plan_tasks,
)
from pipeline.settings import Settings, load_settings

pytestmark = pytest.mark.xdist_group("bucket")


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    (tmp_path / "s3").mkdir()
    with serving(tmp_path / "s3"), mock.patch.dict(os.environ, KEYS):
        one, two = (Machine(tmp_path / name, f"s3://{BUCKET}/tasks") for name in ("one", "two"))
        yield one, two


def settings_of(machine: Machine) -> Settings:
    with mock.patch.dict(os.environ, machine.environment(), clear=True):
        return load_settings(geo="none", hits_at_once=1550)


def do(machines: tuple[Machine, Machine], parts: list[Part]) -> list[Part]:
    """Do parts, each on another machine than the one before."""
    return [
        json.loads(json.dumps(do_part(settings_of(machines[number % 2]), part)))
        for number, part in enumerate(parts)
    ]


def test_two_machines_build_the_bytes_of_a_folder(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    folder, (one, two) = Site(tmp_path / "folder"), machines
    raw = [folder.write(name, content) for name, content in SERVERS.items()]
    folder.ingest(*raw)
    folder.run("build")
    one.ingest(*raw)
    planned = json.loads(json.dumps(plan_tasks(settings_of(one))))
    done = do(machines, planned)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in json.dumps([planned, done])
    done += do(machines, list_buckets(settings_of(two), done))
    assert not [place for place in one.hashes() if place.startswith("daily")]
    assert len(finish_tasks(settings_of(two), planned, done)) == 5
    assert one.hashes() == folder.hashes()
    assert "nothing was stale" in one.run("build").out
    assert "nothing is off" in one.run("verify").err
