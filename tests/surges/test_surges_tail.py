"""The negative binomial's tail against sums of its probabilities and SciPy's distribution."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from pipeline.surges.tail import deviate, upper_quantile, upper_tail


def exact_tail(count: int, mean: float, variance: float) -> float:
    """Add up the probabilities below ``count`` by their recurrence."""
    size = mean**2 / (variance - mean)
    success = mean / (mean + size)
    term, below = (1 - success) ** size, []
    for k in range(count):
        below.append(term)
        term *= success * (k + size) / (k + 1)
    return 1 - math.fsum(below)


@pytest.mark.parametrize("mean", [0.2, 3.0, 40.0])
@pytest.mark.parametrize("dispersion", [0.01, 0.1, 2.0])
def test_tail_is_the_exact_sum(mean, dispersion):
    """P(Y >= y) is one less the sum of the probabilities below y."""
    variance = mean + dispersion * mean**2
    for count in (0, 1, 2, 7, int(mean + 2 * math.sqrt(variance))):
        got = upper_tail(*(np.array([v], dtype=np.float64) for v in (count, mean, variance)))
        assert got[0] == pytest.approx(exact_tail(count, mean, variance), abs=1e-12)


def test_tail_agrees_with_scipy_far_out():
    """Down to probabilities of 1e-200 the tail is SciPy's survival function."""
    from scipy.stats import nbinom  # it takes a second, which no other process need spend

    rng = np.random.default_rng(0)
    mean = np.exp(rng.uniform(-2, 11, 500))
    variance = mean + rng.uniform(0.001, 0.5, 500) * mean**2
    counts = np.ceil(mean + rng.uniform(0, 12, 500) * np.sqrt(variance))
    size = mean**2 / (variance - mean)
    expected = nbinom.sf(counts - 1, size, size / (size + mean))
    np.testing.assert_allclose(upper_tail(counts, mean, variance), expected, rtol=1e-8, atol=1e-200)


def test_without_excess_variance_it_is_poisson():
    """A variance equal to the mean gives the Poisson's tail: P(Y >= 1) = 1 - exp(-mean)."""
    mean = np.array([0.1, 2.0, 5.0])
    np.testing.assert_allclose(upper_tail(np.ones(3), mean, mean), 1 - np.exp(-mean), rtol=1e-5)


def test_quantile_inverts_the_tail():
    """Above the floor the tail at the quantile is the probability; below it the floor stands."""
    rng = np.random.default_rng(1)
    mean = np.exp(rng.uniform(-3, 12, 1000))
    variance = mean + rng.uniform(1e-4, 0.4, 1000) * mean**2
    least = np.maximum(mean + 5, 8)
    quantile = upper_quantile(np.full(1000, 1e-4), mean, variance, least)
    above = quantile > least
    assert above.any()
    assert not above.all()
    tail = upper_tail(quantile, mean, variance)
    np.testing.assert_allclose(tail[above], 1e-4, rtol=1e-3)
    assert (tail[~above] <= 1e-4).all()


def test_deviate_is_the_normal_quantile():
    """A chance of 1e-4 is 3.72 standard deviations up; one half is none."""
    from scipy.stats import norm

    np.testing.assert_allclose(deviate(np.array([1e-4, 0.5])), [norm.isf(1e-4), 0], atol=1e-9)


def test_threads_that_ask_first_at_once_are_all_answered():
    """In a process of their own; the whole package can be imported there afterwards."""
    script = """
import sys, threading
import numpy as np
from pipeline.surges.tail import upper_tail
sys.setswitchinterval(1e-6)
begin, found = threading.Barrier(8), []
def ask():
    begin.wait()
    found.append(round(float(upper_tail(np.ones(1), np.ones(1), np.full(1, 2.0))[0]), 6))
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
import scipy.special
print(found == [0.5] * 8, scipy.special.betainc(1, 2, 0.5))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True 0.75\n", "")
