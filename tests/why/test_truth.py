"""Simulated surges whose drivers are known: what is said of them (other seeds than those tuned by).

`make bench-surges` has more of them, and other ways to rank beside.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

SURGES = 105
SEED = 404


@pytest.mark.large
def test_planted_drivers_come_first_floods_are_told_and_people_are_not_called_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from why import measure
    from why_simulation import MACHINES, PEOPLE, simulate

    got = measure(simulate(np.random.default_rng(SEED), SURGES))
    found = [own["tidegauge"] for own in got.values() if "tidegauge" in own]
    assert np.mean(found) >= 95
    assert min(found) >= 90
    assert got["uniform"]["said alike"] >= 90
    assert np.mean([got[kind]["called machines"] for kind in MACHINES]) >= 95
    assert np.mean([got[kind]["called machines"] for kind in PEOPLE]) <= 1
    assert np.mean([got[kind]["called people"] for kind in PEOPLE]) >= 80
    for other in ("largest absolute change", "largest relative change", "plain Adtributor"):
        assert got["uniform"][other] < 50, "every one of them names a driver where there is none"


def test_servers_are_told_apart_only_where_every_session_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Days built by an earlier version have none: a surge would seem to come from one server."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from why import take_apart
    from why_simulation import simulate

    batch = simulate(np.random.default_rng(1), 2)
    names = pc.if_else(pc.equal(batch.sessions["country"], "C0001"), None, batch.sessions["source"])
    at = batch.sessions.column_names.index("source")
    older = replace(batch, sessions=batch.sessions.set_column(at, "source", names))
    found = [{row.dimension for row in rows} for rows, _ in take_apart(older)]
    assert ["source server" in own for own in found] == [True, False]
