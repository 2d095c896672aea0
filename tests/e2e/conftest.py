"""What the end-to-end tests share: a folder for what they leave to be seen, and measurements."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from lakes import make_raw

CHECKOUT = Path(__file__).parents[2]
_measured = pytest.StashKey[list[str]]()


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
def measure(request: pytest.FixtureRequest, artefacts: Path) -> Callable[[str, str], None]:
    """Keep a measurement; all are printed at the end and written to the artefacts."""
    lines = request.config.stash.setdefault(_measured, [f"{os.cpu_count()} cores"])

    def keep(what: str, value: str) -> None:
        lines.append(f"{what:<64} {value}")
        (artefacts / "measured.txt").write_text("\n".join(lines) + "\n")

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    for line in terminalreporter.config.stash.get(_measured, []):
        terminalreporter.write_line(line)
