"""Files that one request can't write or copy: whole or not there, whatever happens between parts.

Limits are lowered to what S3's least part allows; the server is a real one.
"""

import random
import signal
from base64 import b85encode
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from bucket_sites import BUCKET, LEASE_SECONDS, Machine, client, hashes_in_store, read_log
from lake_fixtures import Site, make_line
from troubled_network import troubled

from pipeline.lake import garbage, leases, objects, parts

LIMIT, PART = 6 * 1024**2, 5 * 1024**2
LINE = 10_000
"""Bytes of chance in a line."""
LOWERED = f"""
from pipeline.lake import parts
parts.ONE_REQUEST, parts.PART = {LIMIT}, {PART}
"""
CARELESS = """
from pipeline.lake.objects import Objects
call = Objects._call
def forget_conditions(self, operation, **arguments):
    if operation == "complete_multipart_upload":
        arguments = {n: v for n, v in arguments.items() if n not in ("IfMatch", "IfNoneMatch")}
    return call(self, operation, **arguments)
def go_on():
    Objects._call = forget_conditions
"""
"""From then on the store keeps no conditions of what it makes of parts."""
# The store is tried out first, by two objects of one part.
STEPS = [
    ("store: before a part", 4), ("store: whole", 1), ("store: before a part", 6),
    ("store: before a whole", 4), ("store: whole", 2),
]  # fmt: skip
HITS = "hits/day=2016-11-08/"


def make_large(count: int) -> bytes:
    """Write lines that hardly compress, a few long ones: less than what compiled loops read."""
    chance = random.Random(5)
    return b"".join(
        make_line(
            f"08/Nov/2016:{10 + number // 60 % 12}:{number % 60:02d}:00 -0500",
            client=f"192.0.2.{number % 50}",
            request=f"GET /{b85encode(chance.randbytes(LINE)).decode()} HTTP/1.1",
        )
        for number in range(count)
    )


def raw_of(folder: Site) -> Path:
    return folder.folder / "raw/web01.log"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site whose lake, of a large raw file, is a folder."""
    site = Site(tmp_path_factory.mktemp("folder"))
    site.ingest(site.write("web01.log", make_large(650)))
    site.run("build")
    (hits,) = (site.lake / HITS).iterdir()
    assert LIMIT < hits.stat().st_size < 2 * PART
    return site


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ONE_REQUEST", LIMIT)
    monkeypatch.setattr(parts, "PART", PART)
    monkeypatch.setattr(leases, "SECONDS", LEASE_SECONDS)


@pytest.fixture
def url(address: str, tmp_path: Path) -> str:  # noqa: ARG001 it runs
    """Return the URL of a lake that is not there yet."""
    return f"s3://{BUCKET}/{tmp_path.name.replace('[', '-').replace(']', '').replace(' ', '')}"


def list_uploads(address: str, url: str) -> list[str]:
    prefix = f"{url.removeprefix(f's3://{BUCKET}/')}/"
    answer = client(address).list_multipart_uploads(Bucket=BUCKET, Prefix=prefix)
    return [one["Key"].removeprefix(prefix) for one in answer.get("Uploads", [])]


def assert_same(machine: Machine, folder: Site) -> None:
    assert machine.hashes() == folder.hashes()
    assert "nothing is off" in machine.run("verify").err


def test_a_file_above_the_limit_is_written_and_copied_by_parts(
    url: str, folder: Site, tmp_path: Path, address: str
) -> None:
    """The same bytes as in a folder, read anew by another machine; nothing is left over."""
    machine = Machine(tmp_path / "one", url)
    machine.ingest(raw_of(folder))
    machine.run("build")
    (place,) = (place for place in read_log(url) if place.startswith(HITS))
    key = f"{url.removeprefix(f's3://{BUCKET}/')}/{place}"
    its = client(address).head_object(Bucket=BUCKET, Key=key)
    assert its["ETag"].endswith('-2"')
    assert its["Metadata"] == {"tg-commit": str(read_log(url)[place].commit)}
    assert_same(machine, folder)
    other = Machine(tmp_path / "other", url)
    count = ("sql", "SELECT count(*) AS n, sum(line_no) AS sum FROM hits")
    assert other.run(*count).out == folder.run(*count).out
    assert not list_uploads(address, url)
    assert not list(objects.open_objects(url).list("ledger/locks/probe"))


@pytest.mark.parametrize(("step", "number"), STEPS)
def test_killed_between_parts_another_machine_goes_on(
    step: str, number: int, url: str, folder: Site, tmp_path: Path, address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Nothing half, nothing twice; parts that are left over are listed, then collected."""
    killed, other = Machine(tmp_path / "killed", url), Machine(tmp_path / "other", url)
    process = killed.start(
        "ingest", "--no-geo", raw_of(folder), step=step, number=number, also=LOWERED
    )
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    left = list_uploads(address, url)
    assert len(left) == (step != "store: whole")
    other.ingest(raw_of(folder))
    other.run("build")
    assert_same(killed, folder)
    assert list_uploads(address, url) == left
    assert "no commit needs" not in other.run("retention", "--delete").err  # all is young
    monkeypatch.setattr(garbage, "KEPT_SECONDS", -1.0)
    listed = {one.place: one.size for one in objects.open_objects(url).list_uploads("")}
    assert [*listed] == left
    assert all(size in {0, PART} or size > LIMIT for size in listed.values())
    assert "would go, too" in other.run("retention").err
    assert list_uploads(address, url) == left
    assert "no commit needs any more: deleted" in other.run("retention", "--delete").err
    assert not list_uploads(address, url)
    assert_same(other, folder)


@pytest.mark.parametrize("lost", [1, 100])
def test_a_lost_answer_of_the_last_request_makes_nothing_twice_or_half(
    lost: int, url: str, folder: Site, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again the store says that it is there; with no answer ever, the run says so."""
    seen: Counter[str] = Counter()

    def loses(method: str, path: str) -> bool:
        is_last = method == "POST" and "uploadId=" in path and "/probe-" not in path
        seen.update([path] if is_last else [])
        return is_last and seen[path] <= lost

    with troubled(address, 0, 0.0) as network:
        network.loses = loses
        machine = Machine(tmp_path / "one", url)
        monkeypatch.setenv("AWS_ENDPOINT_URL", network.address)
        process = machine.start("ingest", "--no-geo", raw_of(folder), also=LOWERED)
        _, said = process.communicate()
        assert b"Traceback" not in said
        assert process.returncode == (2 if lost == 100 else 0), said.decode()
        assert (b"can't be reached" in said) == (lost == 100)
        assert network.met["lost answer"] >= min(lost, 5)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    other = Machine(tmp_path / "other", url)
    if lost == 100:
        assert not [place for place in hashes_in_store(url) if place.startswith("hits/")]
        other.ingest(raw_of(folder))
    other.run("build")
    assert_same(other, folder)
    assert not list_uploads(address, url)


@pytest.mark.parametrize("seed", [5])
def test_a_bad_network_changes_no_part(
    seed: int, url: str, folder: Site, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with troubled(address, seed, 0.1) as network:
        machine = Machine(tmp_path / "one", url)
        monkeypatch.setenv("AWS_ENDPOINT_URL", network.address)
        for _ in range(4):  # a network may be so bad that a run gives up, with a sentence
            process = machine.start("ingest", "--no-geo", raw_of(folder), also=LOWERED)
            _, said = process.communicate()
            assert b"Traceback" not in said, said.decode()
            if process.returncode == 0:
                break
        assert process.returncode == 0, said.decode()
        assert len(network.met) > 2
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    machine.run("build")
    assert_same(machine, folder)


@pytest.mark.parametrize("is_careless", [False, True])
def test_a_machine_that_stood_still_before_the_last_request_takes_nothing_back(
    is_careless: bool, url: str, folder: Site, tmp_path: Path, address: str
) -> None:
    """The file was put in place and forgotten meanwhile; also where the store looks too early.

    SeaweedFS does, when several make one object whole in the same moment: all may find nothing
    there. Who comes late reads on in the log, and puts in place what that says.
    """
    slow, other = Machine(tmp_path / "slow", url), Machine(tmp_path / "other", url)
    process = slow.start(
        "ingest", "--no-geo", raw_of(folder), step="store: before a whole", number=4,
        sent=signal.SIGSTOP, also=LOWERED + CARELESS if is_careless else LOWERED,
    )  # fmt: skip
    process.wait_until_stopped()
    other.run("status")
    other.ingest(other.write("web02.log", make_line()))
    other.run("forget", "web01.log")
    other.run("build")
    before = hashes_in_store(url)
    assert sum(place.startswith(HITS) for place in before) == 1
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate()
    assert b"Traceback" not in said, said.decode()
    assert hashes_in_store(url) == before
    rows = other.run("sql", "SELECT count(*) AS n FROM hits", "--format", "csv").out.split()
    assert rows == ["n", "1"]
    files = [one for one in objects.open_objects(url).list(HITS) if one.size > LIMIT]
    assert not files
    assert "nothing is off" in other.run("verify").err
    assert not list_uploads(address, url)


def test_a_store_that_keeps_no_conditions_of_parts_is_refused_for_such_files_alone(
    url: str, folder: Site, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = objects.Objects._call

    def without_conditions(self: objects.Objects, operation: str, **arguments: Any) -> Any:
        if operation == "complete_multipart_upload":
            arguments = {n: v for n, v in arguments.items() if n not in {"IfMatch", "IfNoneMatch"}}
        return call(self, operation, **arguments)

    machine = Machine(tmp_path / "one", url)
    machine.ingest(machine.write("web02.log", make_line()))
    with monkeypatch.context() as patch:
        patch.setattr(objects.Objects, "_call", without_conditions)
        done = machine.run("ingest", "--no-geo", raw_of(folder), code=1)
        machine.ingest(machine.write("web03.log", make_line()))
    assert f"of what has over {LIMIT:,} the store does not keep conditions" in done.err
    assert "use another store, or split the raw file" in done.err
    assert len([place for place in hashes_in_store(url) if place.startswith(HITS)]) == 2
    assert not list_uploads(address, url)
    machine.ingest(raw_of(folder))
