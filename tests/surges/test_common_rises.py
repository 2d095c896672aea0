"""Rises that countries share are told apart from surges of a country's own."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline.surges import find_surges

FIRST = date(2016, 9, 5)
DAYS, AT = 100, slice(80, 83)


def draw(countries: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts and means, countries x days: 20 to 20,000 a day, of 10 % noise beyond chance."""
    rng = np.random.default_rng(seed)
    rhythm = np.where(np.arange(DAYS) % 7 < 5, 1.1, 0.75)
    means = np.geomspace(20_000, 20, countries)[:, None] * rhythm
    return rng.poisson(means * rng.gamma(100, 0.01, means.shape)), means


def find(counts: np.ndarray) -> dict[str, float | None]:
    """By each country with a surge in the days ``AT`` its ``others_ratio``."""
    days = [FIRST + timedelta(n) for n in range(DAYS)]
    names = [f"C{n:02}" for n in range(len(counts))]
    table = {
        "day": pa.array(days * len(names), pa.date32()),
        "country": np.repeat(names, DAYS),
        "sessions": counts.ravel(),
    }
    _, surges = find_surges(pa.table(table))
    return {
        row["country"]: row["others_ratio"]
        for row in surges.to_pylist()
        if row["start_day"] <= days[AT.stop - 1] and row["end_day"] >= days[AT.start]
    }


@pytest.mark.parametrize("seed", range(5))
def test_a_campaign_is_no_country_s_own(seed: int) -> None:
    """Of 20 countries at three times the usual, all but a chance one are said to rise alike."""
    counts, _ = draw(20, seed)
    counts[:, AT] *= 3
    found = find(counts)
    assert len(found) >= 18
    alike = [ratio for ratio in found.values() if ratio is not None]
    assert len(alike) >= len(found) - 1
    assert alike == pytest.approx([3.0] * len(alike), rel=0.1)


@pytest.mark.parametrize("row", [0, 10])
@pytest.mark.parametrize("seed", range(3))
def test_a_country_that_stands_out_of_a_campaign_has_its_own_surge(seed: int, row: int) -> None:
    """The largest country too, which has as many sessions as all others together."""
    counts, _ = draw(20, seed)
    counts[:, AT] *= 2
    counts[row, AT] *= 3
    found = find(counts)
    assert found[f"C{row:02}"] is None
    assert sum(ratio is not None for ratio in found.values()) >= 12


@pytest.mark.parametrize("surging", [1, 6, 9])
def test_surges_of_a_minority_are_their_own(surging: int) -> None:
    """Whoever surges together, the others did not."""
    counts, _ = draw(20, 7)
    counts[:surging, AT] *= 3
    assert list(find(counts).values()) == [None] * surging


def test_a_few_countries_cannot_tell() -> None:
    """Of nine, each has eight others; of eight, none has."""
    counts, _ = draw(9, 4)
    counts[:, AT] *= 3
    assert {ratio is None for ratio in find(counts[:8]).values()} == {True}
    assert None not in find(counts).values()


def test_what_the_others_rose_by_explains_no_surge_far_beyond_it() -> None:
    """All a third above the expected, one of them nine times."""
    counts, _ = draw(20, 2)
    counts[:, AT] = counts[:, AT] * 4 // 3
    counts[3, AT] *= 9
    assert find(counts)["C03"] is None


@pytest.mark.parametrize("seed", range(5))
def test_an_outage_of_all_is_no_surge_and_brings_none(seed: int) -> None:
    """A day and a half with a twentieth of the sessions, then the usual, with the days known."""
    counts, _ = draw(20, seed)
    counts[:, 79] //= 20
    counts[:, 80] //= 2
    assert find(counts) == {}
