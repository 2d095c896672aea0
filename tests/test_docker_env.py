"""`make secrets`: what it writes, what it keeps, and what the stack's first step refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENV = Path(__file__).parents[1] / "docker" / "env.py"
NAMES = {
    "POSTGRES_PASSWORD", "ADMIN_PASSWORD", "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "TIDEGAUGE_VISITOR_KEY",
    "S3_SECRET_KEY",
}  # fmt: skip


def run(folder: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"]} | environment
    command = [sys.executable, ENV, *args]
    return subprocess.run(
        command, cwd=folder, env=clean, capture_output=True, text=True, check=False
    )


def write_secrets(folder: Path) -> dict[str, str]:
    assert run(folder).returncode == 0
    lines = (folder / ".env").read_text().splitlines()
    written = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    return {name: written[name] for name in NAMES}


def test_every_secret_is_new_each_time_and_for_its_owner_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    values = [*write_secrets(first).values(), *write_secrets(second).values()]
    assert len(set(values)) == 2 * len(NAMES)
    assert (first / ".env").stat().st_mode & 0o777 == 0o600


def test_an_existing_env_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("mine")
    refused = run(tmp_path)
    assert refused.returncode == 1
    assert "is kept" in refused.stderr
    assert (tmp_path / ".env").read_text() == "mine"


def test_the_secrets_it_writes_pass_its_own_check(tmp_path: Path) -> None:
    checked = run(tmp_path, "check", **write_secrets(tmp_path))
    assert not [name for name in NAMES if name in checked.stderr], checked.stderr


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("ADMIN_PASSWORD", "", "shorter than 16"),
        ("AIRFLOW__API__SECRET_KEY", "changeme", "shorter than 16"),
        ("AIRFLOW__API_AUTH__JWT_SECRET", "airflow_jwt_secret", "placeholder"),
        ("TIDEGAUGE_VISITOR_KEY", "ChangeMe-ChangeMe-ChangeMe", "placeholder"),
        ("AIRFLOW__CORE__FERNET_KEY", "0123456789abcdef0123456789", "not a Fernet key"),
        ("POSTGRES_PASSWORD", "p@ss/w:rd?0123456789", "more than letters"),
    ],
)
def test_a_weak_secret_is_refused_by_name_and_not_shown(
    tmp_path: Path, name: str, value: str, why: str
) -> None:
    refused = run(tmp_path, "check", **(write_secrets(tmp_path) | {name: value}))
    assert refused.returncode == 1
    (sentence,) = [line for line in refused.stderr.splitlines() if line.startswith(name)]
    assert why in sentence
    assert not value or value not in sentence


def test_a_folder_that_tasks_may_not_use_is_named(tmp_path: Path) -> None:
    refused = run(tmp_path, "check", **write_secrets(tmp_path))
    assert "/data/lake: uid" in refused.stderr
