"""The stack of docker-compose.yml as an operator runs it, from a copy of the checkout."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from airflow_rest import Airflow, wait_until
from docker_engine import BASE, GEOIPUPDATE, POSTGRES, REDIS, Engine
from remote_servers import free_port

CHECKOUT = Path(__file__).parents[2]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Stack:
    """A compose project, up or not. ``settings`` are what the shell adds to ``.env``."""

    engine: Engine
    folder: Path
    settings: dict[str, str]

    def compose(self, *args: str | Path, **more: str) -> str:
        """Run `docker compose`, which must succeed."""
        return self.engine.run(
            *self.engine.compose, *args, cwd=self.folder, **self.settings, **more
        )

    def attempt(self, *args: str | Path, **more: str) -> CompletedProcess[str]:
        """Run `docker compose`, which may fail."""
        return self.engine.attempt(
            *self.engine.compose, *args, cwd=self.folder, **self.settings, **more
        )

    def containers(self) -> list[dict[str, Any]]:
        """The project's containers, ended ones too, as `docker compose ps` tells them."""
        lines = self.compose("ps", "--all", "--format=json").splitlines()
        return [json.loads(line) for line in lines]

    @property
    def url(self) -> str:
        """Where its Airflow is."""
        return f"http://127.0.0.1:{self.settings['PORT']}"

    @property
    def password(self) -> str:
        """Its administrator's."""
        return read_env(self.folder / ".env")["ADMIN_PASSWORD"]

    def airflow(self) -> Airflow:
        """Log in to the stack's Airflow as its administrator."""
        return Airflow(self.url, self.password)

    def databases(self) -> list[str]:
        """The files of the volume of address databases."""
        return self.compose("exec", "-T", "scheduler", "ls", "/data/geo").split()

    def secrets(self) -> list[str]:
        """The values in `.env` that must stand nowhere else."""
        env = read_env(self.folder / ".env")
        return [env[name] for name in ("TIDEGAUGE_VISITOR_KEY", "S3_SECRET_KEY")]

    def memory_mib(self) -> float:
        """What all containers of the project take now."""
        ids = self.compose("ps", "--quiet").split()
        used = self.engine.run("docker", "stats", "--no-stream", "--format={{.MemUsage}}", *ids)
        units = {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}
        parts = re.findall(r"^([0-9.]+)([KMG]iB) /", used, re.MULTILINE)
        return sum(float(number) * units[unit] for number, unit in parts)

    def end(self) -> None:
        """Stop everything and remove the volumes, those of profiles that are off too."""
        self.compose("--profile=*", "down", "--volumes", "--timeout=5")

    def left(self) -> list[str]:
        """The containers, volumes and networks that bear the project's name."""
        mark = f"--filter=label=com.docker.compose.project={self.settings['COMPOSE_PROJECT_NAME']}"
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        found = [self.engine.run("docker", *kind, "--quiet", mark) for kind in kinds]
        return "".join(found).split()


def copy_checkout(folder: Path) -> None:
    """Copy what the image is built from, by the list in .dockerignore, and the compose file."""
    listed = (CHECKOUT / ".dockerignore").read_text().splitlines()
    names = [line[1:] for line in listed if line.startswith("!")]
    for name in [*names, ".dockerignore", "Dockerfile", "docker-compose.yml"]:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(
                CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(CHECKOUT / name, folder)


def read_env(path: Path) -> dict[str, str]:
    """The values of an env file, as they are written."""
    lines = [line for line in path.read_text().splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def new_stack(engine: Engine, folder: Path, name: str, **settings: str) -> Stack:
    """A project of its own name and port, with the images that can be had here."""
    images = {"BASE_IMAGE": BASE, "POSTGRES_IMAGE": POSTGRES, "REDIS_IMAGE": REDIS}
    images["GEOIPUPDATE_IMAGE"] = GEOIPUPDATE
    certificates = {"BUILD_CA": str(CERTIFICATES)} if CERTIFICATES.exists() else {}
    own = {
        "COMPOSE_PROJECT_NAME": f"tidegauge-e2e-{name}",
        "AIRFLOW_IMAGE": "tidegauge-e2e",
        "PORT": str(free_port()),
    }
    return Stack(engine, folder, images | certificates | own | settings)


@contextmanager
def running(stack: Stack, database: Path) -> Iterator[Stack]:
    """The stack, up and with a database of addresses; down again with its volumes."""
    try:
        stack.compose("up", "--wait")
        add_database(stack, database)
        yield stack
    finally:
        stack.end()


def add_database(stack: Stack, database: Path) -> None:
    """Switch the profile `geo` on, put the database where its updater does, wait for `archive`."""
    stack.compose("--profile=geo", "up", "--detach", "--no-deps", "geoipupdate", "archive")
    stack.compose("cp", database, "geoipupdate:/usr/share/GeoIP/GeoLite2-City.mmdb")
    wait_until(stack.databases, lambda: stack.compose("logs", "archive"))
