"""Hypothesis' hostile lines: the oracle and the command say the same of every one of them."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import Tidegauge, build_default_databases
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle.agreement import differences
from oracle.hostile import HOSTILE_LINES
from oracle.lake import read_lake
from oracle.printed import first_difference, outcomes_by_oracle
from oracle.tables import count_files

FILES = 50
LINES = 60


@pytest.fixture(scope="module")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some thousand generated lines in one file, the same in every run.

    One start of the command costs more than reading all of them, so Hypothesis only draws here,
    and the tests compare all its examples at once.
    """
    drawn: list[str] = []

    @settings(
        max_examples=FILES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(HOSTILE_LINES, min_size=LINES, max_size=LINES))
    def draw(lines: list[str]) -> None:
        drawn.extend(lines)

    draw()
    path = tmp_path_factory.mktemp("hostile") / "access.log"
    path.write_bytes(b"\n".join(line.encode("utf-8", "surrogateescape") for line in drawn))
    return path


@pytest.mark.large
def test_every_hostile_line_has_the_same_outcome(
    hostile_file: Path, warm_tidegauge: Tidegauge
) -> None:
    """`parse` gives each line the oracle's outcome and fields; the first that differs is shown."""
    assert first_difference(hostile_file, warm_tidegauge) == ""
    assert_all_kinds_occur(outcomes_by_oracle(hostile_file))


def assert_all_kinds_occur(outcomes: list[dict[str, Any]]) -> None:
    """The generated lines exercise every outcome; neither hits nor rejects are a rarity."""
    rejected = sum("rejected" in outcome for outcome in outcomes)
    blank = sum("skipped" in outcome for outcome in outcomes)
    assert min(rejected, len(outcomes) - rejected - blank) > len(outcomes) / 10
    assert blank > 20


@pytest.mark.large
def test_hostile_lines_count_the_same(
    hostile_file: Path, warm_tidegauge: Tidegauge, tmp_path: Path
) -> None:
    """`ingest` and `build` of the same lines give the oracle's hits, sessions, days and hours."""
    geo, lake = build_default_databases(tmp_path / "geo"), tmp_path / "lake"
    where = ("--lake", lake, "--geo", geo)
    warm_tidegauge("ingest", hostile_file, "--log-format", "combined", *where)
    warm_tidegauge("build", *where)
    by_oracle = count_files([hostile_file], ZoneInfo("America/Toronto"), geo)
    found = differences(
        by_oracle, read_lake(lake)
    )  # apart, so that a failure prints nothing but this
    assert not found
