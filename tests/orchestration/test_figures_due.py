"""When the figures of a run's day are due, as Airflow's scheduler asks it."""

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.clock


def due(kind: str, start: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the deadline of a run, by a reference as Airflow has kept it."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    reference = import_module("pipeline.orchestration.figures_due").FiguresDue
    kept = reference("07:00", "America/Toronto").serialize_reference()
    answer = SimpleNamespace(one=lambda: (kind, start))
    session = SimpleNamespace(execute=lambda _: answer)
    return reference.deserialize_reference(kept)._evaluate_with(
        session=session, dag_id="tidegauge_nightly", run_id="any"
    )


@pytest.mark.parametrize(
    ("start", "instant"),
    [
        (datetime(2016, 11, 4, 10, tzinfo=UTC), datetime(2016, 11, 5, 11, tzinfo=UTC)),
        (datetime(2016, 11, 5, 10, tzinfo=UTC), datetime(2016, 11, 6, 12, tzinfo=UTC)),
    ],
    ids=["summer", "the night in which clocks go back"],
)
def test_figures_are_due_at_a_time_on_the_wall_of_the_morning_after(
    start: datetime, instant: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert due("scheduled", start, tmp_path, monkeypatch) == instant
    assert due("backfill", start, tmp_path, monkeypatch) is None
    assert due("manual", start, tmp_path, monkeypatch) is None
