"""The surge detector on one country at a time: what it flags and what it lets pass."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.surges import Detection, detect, judge_days

STORM = (249950, 742915, 262418, 158307, 104651, 91884, 87530, 74916, 64760)
WEEK_BEFORE = (45310, 45880, 45020, 42950, 39470, 40260, 48249)
DAYS_AFTER = (47208, 44115, 40377, 41026)
WEEKDAYS = np.array([1.1, 1.15, 1.1, 1.05, 1.0, 0.8, 0.8])


def quiet(
    rng: np.random.Generator, days: int, mean: float, variation: float = 0.1, weekday: int = 0
) -> np.ndarray:
    """Draw negative-binomial days with a weekday rhythm around ``mean``."""
    means = mean * WEEKDAYS[(weekday + np.arange(days)) % 7]
    noise = rng.gamma(1 / variation**2, variation**2, days)
    return rng.poisson(means * noise).astype(np.float64)


def spans(found: Detection) -> list[tuple[int, int, int]]:
    return [(episode.start, episode.peak, episode.end) for episode in found.episodes]


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.05, 0.02, 0.01])
def test_storm_of_2016_is_one_episode_of_nine_days(scale):
    """8-16 November is raised with a week of history, its peak is the 9th, 17-20 is ordinary."""
    counts = np.round(np.array(WEEK_BEFORE + STORM + DAYS_AFTER) * scale)
    found = detect(counts, first_weekday=1)
    assert spans(found) == [(7, 8, 15)]
    assert found.is_surge[7:16].all()
    assert not found.episodes[0].is_open


@pytest.mark.parametrize("scale", [1.0, 0.01])
@pytest.mark.parametrize("weekday", range(7))
def test_storm_is_found_on_other_dates_with_other_noise(scale, weekday):
    """The same storm, begun on any weekday and drawn anew five times, is the same episode."""
    rng = np.random.default_rng(weekday)
    for _ in range(5):
        counts = rng.poisson(np.array(WEEK_BEFORE + STORM + DAYS_AFTER) * scale)
        assert spans(detect(counts.astype(np.float64), weekday)) == [(7, 8, 15)]


@pytest.mark.parametrize("history", [14, 30, 60, 170])
def test_storm_is_flagged_throughout_after_any_history(history):
    """However long the quiet before, the first day is raised and the tail is not hidden."""
    rng = np.random.default_rng(history)
    before = quiet(rng, history, 43_877, 0.06)
    counts = np.concatenate([before, rng.poisson(STORM), quiet(rng, 10, 43_877, 0.06, history + 9)])
    found = detect(counts)
    assert found.is_surge[history : history + 9].all()
    assert (history, history + 1, history + 8) in spans(found)


def test_storm_still_on_at_the_end_is_open():
    """An episode that holds the last day is open, and is raised on its first day."""
    for known in range(1, 9):
        found = detect(np.array(WEEK_BEFORE + STORM[:known], dtype=np.float64), 1)
        assert [(e.start, e.end, e.is_open) for e in found.episodes] == [(7, 6 + known, True)]


def test_one_day_spike_is_an_episode_of_one_day():
    """A single high day is start, peak and end; rarely the next day is taken for its tail."""
    alone = 0
    for seed in range(20):
        counts = quiet(np.random.default_rng(seed), 120, 500)
        counts[90] = 2500
        [episode] = detect(counts).episodes
        assert (episode.start, episode.peak) == (90, 90)
        assert episode.end <= 92
        alone += episode.end == 90
    assert alone >= 15


def test_spike_leaves_the_level_alone():
    """A week after a day of five times the sessions the expectation is what it was."""
    counts = quiet(np.random.default_rng(3), 120, 500)
    without = detect(counts).expected
    counts[90] = 2500
    np.testing.assert_allclose(detect(counts).expected[93:], without[93:], rtol=0.1)


def test_two_flagged_days_around_an_ordinary_one_are_one_episode():
    """One unflagged day may lie inside an episode; two may not."""
    counts = np.full(80, 1000.0)
    counts[[60, 62]] = 4000
    assert spans(detect(counts)) == [(60, 60, 62)]
    counts[[62, 63]] = [1000, 4000]
    assert spans(detect(counts)) == [(60, 60, 60), (63, 63, 63)]


@pytest.mark.parametrize(("history", "moves"), [(9, False), (41, False), (42, True), (90, True)])
def test_newest_two_days_move_what_is_expected_once_there_are_enough(history, moves):
    """Of fewer than 42 days they are left out, or a ramp's first days would hide the next."""
    counts = np.full(history + 1, 1000.0)
    counts[-3:-1] = 1050
    assert (detect(counts).expected[-1] > 1001) == moves


def test_slow_ramp_is_flagged_from_its_lower_days():
    """A rise whose days are unremarkable one by one is raised and dated back."""
    counts = quiet(np.random.default_rng(8), 220, 1000)
    counts[200:212] += np.linspace(40, 480, 12).round()
    [episode] = detect(counts).episodes
    assert 200 <= episode.start <= 207
    assert episode.end in {211, 212}


@pytest.mark.large
def test_fading_surge_is_followed_into_the_noise():
    """Its last days, of half an sd to two, are held against what it would have as it fades.

    Against a quiet day alone, one in ten of these ends is found.
    """
    added = 1500 * 0.7 ** np.arange(10)
    found = 0
    for seed in range(40):
        counts = quiet(np.random.default_rng(seed), 130, 1000)
        counts[100:110] += added.round()
        ends = [end for start, _, end in spans(detect(counts)) if start <= 110 and end >= 100]
        found += abs(ends[-1] - 109) <= 1
    assert found >= 12


def test_day_after_a_plateau_is_quiet_unless_it_is_high():
    """After days of 30 sd a day of one and a half above the usual is the surge's end."""
    counts = quiet(np.random.default_rng(3), 130, 1000)
    counts[100:104] += [3500, 3300, 3200, 3300]
    usual = detect(counts).expected[104]
    for more, last in ((0.15, 103), (0.4, 104)):
        counts[104:107] = usual * np.array([1 + more, 0.9, 0.9])
        assert spans(detect(counts.round())) == [(100, 100, last)]


@pytest.mark.rest_large
@pytest.mark.parametrize("seed", range(10))
def test_tiny_counts_raise_nothing(seed):
    """A country of 0-3 sessions a day has no surge at 7, one below the floor."""
    counts = np.random.default_rng(seed).integers(0, 4, 300).astype(np.float64)
    counts[200] = 7
    assert not detect(counts).is_surge.any()


def test_tiny_country_has_its_surge():
    """40 sessions where there were 0-3 a day is a surge."""
    counts = np.random.default_rng(1).integers(0, 4, 100).astype(np.float64)
    counts[70] = 40
    assert spans(detect(counts)) == [(70, 70, 70)]


def test_first_session_ever_of_a_silent_country_is_no_surge():
    """After nothing but zeros 7 sessions pass, 30 do not."""
    counts = np.zeros(60)
    counts[[30, 50]] = [7, 30]
    assert spans(detect(counts)) == [(50, 50, 50)]


@pytest.mark.rest_large
@pytest.mark.parametrize("gap", [1, 2, 3, 7, 30, 41, 55, 60, 400])
def test_gap_never_opens_a_surge(gap):
    """Days without logs, few or many, raise nothing when the logs come back."""
    rng = np.random.default_rng(gap)
    counts = np.concatenate([quiet(rng, 70, 800), np.full(gap, np.nan)])
    counts = np.concatenate([counts, quiet(rng, 70, 800, weekday=len(counts) % 7)])
    assert not detect(counts).is_surge.any()


def test_scattered_missing_days_change_little():
    """With every tenth day missing the surge keeps its dates and expectations stay close."""
    counts = quiet(np.random.default_rng(5), 200, 1500)
    counts[150:155] += 6000
    thinned = counts.copy()
    thinned[np.arange(3, 200, 10)] = np.nan
    whole, holed = detect(counts), detect(thinned)
    assert spans(whole)[0][0] == 150
    assert [s[0] for s in spans(holed)] == [150]
    seen = np.arange(60, 200)[~np.isnan(thinned[60:])]
    assert np.median(np.abs(holed.expected[seen] / whole.expected[seen] - 1)) < 0.03
    assert np.isnan(holed.score[np.isnan(thinned)]).all()


def test_missing_day_inside_a_storm_does_not_split_it():
    """One missing day between flagged ones is inside the episode and is not flagged."""
    counts = np.array(WEEK_BEFORE + STORM + DAYS_AFTER, dtype=np.float64)
    counts[10] = np.nan
    found = detect(counts, 1)
    assert spans(found) == [(7, 8, 15)]
    assert not found.is_surge[10]


@pytest.mark.parametrize("seed", range(5))
def test_level_shift_becomes_the_new_normal(seed):
    """A level that stays doubled is a surge for three weeks, then what is expected."""
    rng = np.random.default_rng(seed)
    counts = np.concatenate([quiet(rng, 105, 2000), quiet(rng, 105, 4000)])
    found = detect(counts)
    [(start, _, end)] = spans(found)
    assert 103 <= start <= 105
    assert 119 <= end <= 126
    assert np.median(found.expected[130:] / 4000) == pytest.approx(1, abs=0.15)


def test_surge_is_kept_out_of_the_baseline():
    """During and after two weeks of tenfold sessions the expectation stays where it was."""
    counts = quiet(np.random.default_rng(4), 160, 300)
    ordinary = detect(counts).expected
    counts[100:114] *= 10
    found = detect(counts)
    assert found.is_surge[100:114].all()
    assert np.abs(found.expected[100:130] / ordinary[100:130] - 1).max() < 0.35


def test_wrong_weekday_factor_mends_itself():
    """When the quiet weekday moves, expectations follow within half a year, surges or not."""
    rng = np.random.default_rng(2)
    sunday, wednesday = np.ones(7), np.ones(7)
    sunday[6] = wednesday[2] = 0.3
    counts = rng.poisson(1000 * np.concatenate([np.tile(sunday, 26), np.tile(wednesday, 26)]))
    expected = detect(counts.astype(np.float64)).expected
    before, after = expected[175:182], expected[357:364]
    assert before[6] < 400
    assert before[2] > 900
    assert after[2] < 450
    assert after[6] > 650


def test_countries_lend_one_another_their_weekdays_until_each_has_its_own():
    """In the fourth week one of ten expects their quiet Sunday, of seven none does."""
    rng = np.random.default_rng(5)
    rhythm = np.where(np.arange(28) % 7 == 6, 0.4, 1.0)
    counts = rng.poisson(np.geomspace(30, 3000, 10)[:, None] * rhythm).astype(np.float64)
    days = np.arange(28) + 4  # 1970-01-05 is a Monday
    ratio = judge_days(days, counts).expected[:, 27] / np.geomspace(30, 3000, 10)
    assert (np.abs(ratio - 0.4) < 0.12).all()
    assert (judge_days(days, counts[:7]).expected[:, 27] > 2 * counts[:7, 27]).all()


def test_weekday_rhythm_raises_nothing():
    """Weekends at a third of the week's sessions are no reason to flag any Monday."""
    rng = np.random.default_rng(6)
    means = 600 * np.where(np.arange(364) % 7 >= 5, 0.33, 1.0)
    counts = rng.poisson(means).astype(np.float64)
    assert not detect(counts).is_surge.any()
    assert not detect(counts[4:], 4).is_surge.any()


def test_quiet_countries_raise_almost_nothing_from_the_first_week():
    """1,000 quiet countries of 2 to 40,000 sessions, 20 days each: at most two false episodes."""
    rng = np.random.default_rng(11)
    means = np.exp(rng.uniform(np.log(2), np.log(40_000), 1000))
    counts = np.stack([quiet(rng, 20, mean, 0.03, 1) for mean in means])
    judged = judge_days(np.arange(20, dtype=np.int64) + 17_106, counts)
    assert judged.is_surge.any(axis=1).sum() <= 2


def test_upper_is_where_a_day_alone_raises_an_alarm():
    """One session below ``upper`` does not open a surge, ``upper`` rounded up does."""
    counts = quiet(np.random.default_rng(9), 101, 400)
    upper = detect(counts).upper[100]
    counts[100] = np.floor(upper)
    assert not detect(counts).is_surge[100]
    counts[100] = np.ceil(upper) + 1
    assert detect(counts).is_surge[100]
    assert detect(counts).score[100] >= 4
