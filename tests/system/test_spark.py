"""Spark takes raw files in and builds days on a lake in a real S3 server; an executor is killed."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from bucket_sites import BUCKET, Machine, serving
from conftest import COMMAND, SHORT_LIVED_JAVA
from lake_fixtures import Site
from lake_processes import SERVERS

ENGINES = Path(sys.prefix, "engines")
APPLICATIONS = ENGINES / "pyspark" / "work"
"""Where the cluster's workers leave what executors say, a folder for each application."""
MASTER = "local-cluster[2,1,1024]"
DIVIDED = {"TIDEGAUGE_HITS_AT_ONCE": "1550"}
"""One of the days has more, and is divided by visitors."""

pytestmark = [
    pytest.mark.xdist_group("bucket"),
    pytest.mark.skipif(
        not ENGINES.exists(), reason="Spark is in .venv/engines: `make e2e` installs it"
    ),
    pytest.mark.skipif(not shutil.which("java"), reason="Spark needs Java 17, which is not here"),
]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    (tmp_path / "s3").mkdir()
    with serving(tmp_path / "s3"):
        yield Machine(tmp_path / "driver", f"s3://{BUCKET}/spark")


def start(machine: Machine, *args: str | Path) -> subprocess.Popen[bytes]:
    spark = {"PYTHONPATH": str(ENGINES), "SPARK_LOCAL_IP": "127.0.0.1", **SHORT_LIVED_JAVA}
    return subprocess.Popen(
        [COMMAND, *args, "--master", MASTER], cwd=machine.folder,
        env=machine.environment() | spark | DIVIDED, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def kill_an_executor(driver: subprocess.Popen[bytes]) -> bool:
    """Kill one soon after it has a process of Python; to look takes the kernel as long as 20 ms."""
    while driver.poll() is None:
        for child in psutil.Process(driver.pid).children(recursive=True):
            with suppress(psutil.Error):
                executor = child.parent()
                if executor and executor.name() == "java" and "pyspark.daemon" in child.cmdline():
                    executor.kill()
                    return True
        time.sleep(0.3)
    return False


def finish(driver: subprocess.Popen[bytes]) -> str:
    out, err = driver.communicate()
    assert driver.returncode == 0, err.decode()[-3000:]
    return out.decode() + err.decode()


def test_an_executor_killed_in_each_stage_changes_no_byte(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    folder = Site(tmp_path / "folder")
    raw = [folder.write(name, content) for name, content in SERVERS.items()]
    folder.ingest(*raw)
    folder.run("build")
    begun = {*APPLICATIONS.glob("app-*")}
    for args in (("ingest", "--no-geo", *raw), ("build",)):
        driver = start(machine, *args)
        assert kill_an_executor(driver)
        said = finish(driver)
        assert machine.environment()["AWS_SECRET_ACCESS_KEY"] not in said
        assert machine.environment()["TIDEGAUGE_VISITOR_KEY"] not in said
    assert len({*APPLICATIONS.glob("app-*")} - begun) == 2, "one for all rounds of a build"
    assert machine.hashes() == folder.hashes()
    assert "nothing is off" in machine.run("verify").err
