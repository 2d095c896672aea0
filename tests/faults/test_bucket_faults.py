"""A lake in a store: machines killed, at once, and with a bad network; the lake is that of none."""

import random
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from bucket_sites import (
    BUCKET,
    LEASE_SECONDS,
    Machine,
    hashes_in_store,
    plain_duckdb,
    read_log,
)
from lake_processes import Lakes, make_servers, own_disk
from troubled_network import troubled

from pipeline.lake import leases
from pipeline.lake.objects import open_objects

STEPS = [
    ("store: staged", 1), ("store: staged", 2), ("store: committed", 1), ("store: committed", 2),
    ("store: before a copy", 1), ("store: before a copy", 9), ("commit: written down", 2),
    ("commit: applied", 2),
]  # fmt: skip


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    """Two days are enough: each has objects of its own, and each object its requests."""
    return Lakes(tmp_path_factory.mktemp("lakes"), make_servers(30, 20, 10))


@pytest.fixture(autouse=True)
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "SECONDS", LEASE_SECONDS)


@pytest.mark.parametrize(("step", "number"), STEPS)
def test_killed_at_a_step_another_machine_goes_on(
    step: str, number: int, lakes: Lakes, tmp_path: Path, address: str
) -> None:
    url = f"s3://{BUCKET}/{step.replace(': ', '-').replace(' ', '-')}-{number}"
    killed, other = Machine(tmp_path / "killed", url), Machine(tmp_path / "other", url)
    process = killed.start("ingest", "--no-geo", *lakes.raw, step=step, number=number)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    other.ingest(*lakes.raw)
    other.run("build")
    assert other.hashes() == lakes.wanted
    assert "nothing is off" in killed.run("verify").err
    assert plain_duckdb(address).sql(f"FROM '{url}/hits/**/*.parquet'").fetchall()


@pytest.mark.parametrize("next_one", ["build", "ingest"])
def test_who_finds_nothing_to_do_puts_in_place_what_a_killed_build_left(
    next_one: str,
    lakes: Lakes,
    tmp_path: Path,
    address: str,  # noqa: ARG001 it runs
) -> None:
    url = f"s3://{BUCKET}/nothing-to-do-{next_one}"
    killed, other = Machine(tmp_path / "killed", url), Machine(tmp_path / "other", url)
    killed.ingest(*lakes.raw)
    process = killed.start("build", step="store: committed", number=1)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert open_objects(url).look("daily/day=2016-11-05/part.parquet") is None
    if next_one == "build":
        assert "nothing was stale" in other.run("build").out
    else:
        other.ingest(*lakes.raw)
    assert other.hashes() == lakes.wanted


class Reader(threading.Thread):
    """Somebody who reads the tables by path with a plain DuckDB, again and again."""

    def __init__(self, address: str, url: str) -> None:
        """Read from now until ``stop``."""
        super().__init__(daemon=True)
        self._connection, self._url = plain_duckdb(address), url
        self._ended = threading.Event()
        self.days: list[dict[str, int]] = []
        """Sessions of each day, as each reading had them."""
        self.hits: list[set[tuple[str, int, int]]] = []
        """Name of the file, rows, and different lines among them."""

    def run(self) -> None:
        """Ask for sessions, and for hits."""
        pause_s = 0.02
        while not self._ended.wait(pause_s):
            begin = time.monotonic()
            # An object that is replaced while it is read is an error, never other rows.
            with suppress(duckdb.Error, UnicodeDecodeError):
                self.days.append(dict(self._ask(
                    "SELECT day, sum(sessions)::BIGINT FROM read_parquet('{}/daily/**/*.parquet',"
                    " hive_partitioning = true, hive_types_autocast = false) GROUP BY day"
                )))  # fmt: skip
            with suppress(duckdb.Error, UnicodeDecodeError):
                self.hits.append(set(self._ask(
                    "SELECT filename, count(*), count(DISTINCT line_no) FROM"
                    " read_parquet('{}/hits/**/*.parquet', filename = true) GROUP BY filename"
                )))  # fmt: skip
            pause_s = max(0.02, 2 * (time.monotonic() - begin))  # the others do the work

    def _ask(self, text: str) -> list[tuple[str, int]]:
        return self._connection.execute(text.format(self._url)).fetchall()

    def stop(self) -> None:
        """End, after the reading that goes on."""
        self._ended.set()
        self.join(30)


@pytest.mark.parametrize("seed", [1])
def test_machines_at_once_killed_at_random_make_one_lake(
    seed: int, lakes: Lakes, tmp_path: Path, address: str
) -> None:
    """Nothing lost, doubled or half; who reads beside them sees days whole."""
    chance = random.Random(seed)
    url = f"s3://{BUCKET}/random-{seed}"
    machines = [Machine(tmp_path / name, url) for name in ("one", "two")]
    reader = Reader(address, url)
    reader.start()
    kills = 0
    for turn in range(10):
        processes = []
        for machine in machines:
            raw = chance.sample(lakes.raw, 2)
            args = ("build",) if turn % 3 == 2 else ("ingest", "--no-geo", *raw)
            step = chance.choice(["", "store: staged", "store: committed", "store: before a copy"])
            number = chance.randrange(1, 9)
            processes.append(machine.start(*args, step=step, number=number))
        end = time.monotonic() + chance.uniform(0.2, 2.0)
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.01, end - time.monotonic()))
            process.send_signal(signal.SIGKILL)
            _, said = process.communicate()
            kills += process.returncode == -signal.SIGKILL
            # There is nothing to build yet, or the other was first.
            assert process.returncode in {0, 1, 2, -signal.SIGKILL}, said.decode()
            assert b"Traceback" not in said
            assert b"damaged" not in said
    assert kills > 2
    machines[0].ingest(*lakes.raw)
    machines[1].run("build")
    reader.stop()
    assert machines[0].hashes() == lakes.wanted
    for machine in machines:
        assert "nothing is off" in machine.run("verify").err
    assert reader.hits
    rows = {name: count for state in reader.hits for name, count, _ in state}
    last = {name: count for name, count, _ in reader.hits[-1]}
    assert all(count == distinct for state in reader.hits for _, count, distinct in state)
    assert rows.keys() == last.keys()


@pytest.mark.parametrize("seed", [3])
def test_a_bad_network_changes_nothing(
    seed: int, lakes: Lakes, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages lost, late and repeated, and a store that is busy: the lake is the same."""
    url = f"s3://{BUCKET}/network-{seed}"
    with troubled(address, seed, 0.06) as network:
        machine = Machine(tmp_path / "troubled", url)
        monkeypatch.setenv("AWS_ENDPOINT_URL", network.address)
        for args in (("ingest", "--no-geo", *lakes.raw), ("build",), ("build",)):
            for _ in range(4):  # a network may be so bad that a run gives up, with a sentence
                process = machine.start(*args)
                _, said = process.communicate()
                assert b"Traceback" not in said, said.decode()
                if process.returncode == 0:
                    break
            assert process.returncode == 0, said.decode()
        assert len(network.met) > 3
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    other = Machine(tmp_path / "other", url)
    assert other.hashes() == lakes.wanted
    assert "nothing is off" in other.run("verify").err
    attempts = [its.object for its in read_log(url).values()]
    assert len(set(attempts)) > 1


def test_a_machine_that_stood_still_is_overtaken_and_says_so(
    lakes: Lakes,
    tmp_path: Path,
    address: str,  # noqa: ARG001 it runs
) -> None:
    """Its lease has run out, another machine has built: what it would change is not changed."""
    url = f"s3://{BUCKET}/overtaken"
    slow, other = Machine(tmp_path / "slow", url), Machine(tmp_path / "other", url)
    other.ingest(*lakes.raw)
    process = slow.start("build", step="put: staged", number=1, sent=signal.SIGSTOP)
    process.wait_until_stopped()
    other.run("build")
    before = hashes_in_store(url)
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate()
    assert process.returncode == 1, said.decode()
    assert b"another machine took over while this run stood still" in said
    assert hashes_in_store(url) == before
    assert other.hashes() == lakes.wanted


def test_a_full_disk_under_the_copy_is_one_sentence_and_changes_nothing(
    lakes: Lakes,
    tmp_path: Path,
    address: str,  # noqa: ARG001 it runs
) -> None:
    """Whatever the step was, the next run with room does it."""
    url = f"s3://{BUCKET}/full"
    one, two = Machine(tmp_path / "one", url), Machine(tmp_path / "two", url)
    one.ingest(*lakes.raw[:2])
    one.run("build")
    asked = ("sql", "SELECT count(*) AS n FROM hits")
    two.lake.parent.mkdir(parents=True)
    steps = (asked, ("ingest", "--no-geo", lakes.raw[2]), ("build", "--also", "definitions"))
    refused = []
    for size in (50_000, 400_000, 800_000):  # for no file, for no commit, for no views
        with own_disk(two.lake, size):
            for step in steps:
                done = two.run(*step, code=None)
                if done.code == 0:  # it had room
                    continue
                assert done.code == 2, done
                (said,) = done.err.strip().splitlines()[-1:]
                assert "No space left on device" in said
                assert f"this machine's copy of it, {two.lake}" in said, said
                assert "Traceback" not in done.err
                refused.append(size)
    assert {*refused} == {50_000, 400_000, 800_000}
    two.ingest(*lakes.raw)
    two.run("build")
    assert two.hashes() == lakes.wanted
    assert two.run(*asked).out == lakes.reference.run(*asked).out
    for machine in (one, two):
        assert "nothing is off" in machine.run("verify").err
