"""Work in several processes: in order, errors said, and the lake that one process makes."""

import os
from pathlib import Path

import pytest
from lake_fixtures import Site
from lake_processes import SERVERS
from remote_servers import free_port

from pipeline.engine import HERE, Engine, _Part, _versions
from pipeline.errors import DataError, EngineError
from pipeline.orchestration.jobs import divide


def square(number: int) -> int:
    if number == 13:
        raise DataError("thirteen brings bad luck")
    return number * number


def end_at_once(_: int) -> int:
    os._exit(9)


@pytest.mark.rest_large
@pytest.mark.parametrize("engine", [HERE, Engine(2)])
def test_results_come_in_order_and_an_error_is_the_one_that_was_raised(engine: Engine) -> None:
    assert list(engine.map(square, range(12))) == [number * number for number in range(12)]
    with pytest.raises(DataError, match="bad luck"):
        list(engine.map(square, range(20)))
    assert list(engine.map(square, [])) == []


@pytest.mark.large
def test_a_process_that_was_ended_is_one_sentence() -> None:
    with pytest.raises(EngineError, match="fewer workers or a smaller memory_limit_mb"):
        list(Engine(2).map(end_at_once, range(3)))


def test_a_master_out_of_reach_is_said_at_once() -> None:
    engine = Engine(master=f"spark://127.0.0.1:{free_port()}")
    with pytest.raises(EngineError, match="can't be reached"):
        list(engine.map(square, [1]))


def test_a_master_out_of_reach_is_one_sentence_and_changes_nothing(tmp_path: Path) -> None:
    """Neither a lake that is not there yet, nor one that is."""
    site, away = Site(tmp_path), f"spark://127.0.0.1:{free_port()}"
    raw = [site.write(name, content) for name, content in SERVERS.items()]
    for place in ("new", "lake"):
        if place == "lake":
            site.ingest(raw[0])
        before = site.hashes()
        for args in (("ingest", "--no-geo", *raw), ("build",))[: 1 + (place == "lake")]:
            done = site.run(*args, "--lake", place, "--master", away, code=2)
            (said,) = done.err.splitlines()
            assert f"Spark's master {away} can't be reached" in said
        assert site.hashes() == before
    assert not (tmp_path / "new").exists()


def test_executors_of_other_versions_are_named() -> None:
    part = _Part(square, {}, _versions() | {"duckdb": "0.1"})
    error = part(2)
    assert isinstance(error, EngineError)
    assert "here is duckdb 0.1: install the same there" in str(error)
    assert _Part(square, {}, _versions())(3) == 9


def test_keys_are_shown_nowhere() -> None:
    engine = Engine(master="local[2]", environment={"AWS_SECRET_ACCESS_KEY": "s3cr3t"})
    assert "s3cr3t" not in repr(engine)
    assert "s3cr3t" not in repr(_Part(square, engine.environment, {}))


def test_files_are_divided_in_their_order_by_their_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(b"x" * (1 if number else 1000))
    parts = divide([*paths, tmp_path / "not fetched yet"], 4)
    assert [path for part in parts for path in part] == [*paths, tmp_path / "not fetched yet"]
    assert parts[0] == paths[:1]
    assert divide([], 3) == []


@pytest.mark.large
def test_several_processes_make_the_lake_that_one_makes(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = Site(tmp_path / "one"), Site(tmp_path / "two")
    raw = [one.write(name, content) for name, content in SERVERS.items()]
    one.ingest(*raw)
    one.run("build")
    (two.folder / "raw").symlink_to(one.folder / "raw")
    names = [path.relative_to(one.folder) for path in raw]  # below the working directory
    said = two.run("ingest", "--no-geo", "--workers", "2", *names)
    assert "New lake in lake." in said.err
    assert "built 5 days" in two.run("build", "--workers", "2").out
    assert two.hashes() == one.hashes()
    assert "nothing is off" in two.run("verify").err
    assert "nothing was stale" in two.run("build", env={"TIDEGAUGE_WORKERS": "3"}).out
