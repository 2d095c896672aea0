"""What the end-to-end tests share: a folder for what they leave to be seen, and measurements."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lakes import make_raw

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """The folder for screenshots, logs and measurements, kept after the tests."""
    folder = CHECKOUT / "e2e-artefacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated logs of 1-20 November of two data centres; to be copied, not changed."""
    return make_raw(tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="session")
def measure(artefacts: Path) -> Callable[[str, str], None]:
    """Add a measurement to those among the artefacts."""

    def keep(what: str, value: str) -> None:
        with (artefacts / "measured.txt").open("a") as lines:
            lines.write(f"{what:<67} {value}\n")

    return keep
