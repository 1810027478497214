"""The interval over cases, beside SciPy's BCa and where nothing can be drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap, kstest
from scipy.stats import norm as normal
from scipy.stats import t as student

from napari_segcam.statistics.interval import (
    BCA,
    EQUAL,
    STATISTICS,
    Interval,
    StatisticName,
    _drawn_medians,
    bootstrap_interval,
)


def width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


NAMED = {"mean": np.mean, "median": np.median}


def widened(count: int) -> float:
    """Return the confidence of a plain interval that is as wide as ours (Hesterberg 2015)."""
    score = np.sqrt(count / (count - 1)) * student.ppf(0.975, count - 1)
    return 2 * normal.cdf(score) - 1


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("count", [8, 41])
@pytest.mark.parametrize("name", ["mean", "median"])
def test_it_is_scipys_bca_interval_widened(name: StatisticName, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).gamma(1.5, 0.1, count) - 0.1  # skewed
    ours = bootstrap_interval(list(values), name, seed=seed, resamples=20_000)
    theirs = bootstrap(
        (values,),
        NAMED[name],
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(99),
        confidence_level=widened(count),
    ).confidence_interval
    assert ours.method == BCA
    assert ours.value == pytest.approx(NAMED[name](values))
    close = 0.04 * (theirs.high - theirs.low)
    assert ours.low == pytest.approx(theirs.low, abs=close)
    assert ours.high == pytest.approx(theirs.high, abs=close)


def test_a_share_is_scipys_interval_of_a_ratio_of_sums() -> None:
    generator = np.random.default_rng(3)
    of = generator.integers(1, 6, 30)
    found = generator.binomial(of, generator.beta(6, 2, 30))
    ours = bootstrap_interval(np.stack([found, of], axis=1), "share", resamples=20_000)
    theirs = bootstrap(
        (found, of),
        lambda x, y, axis: x.sum(axis) / y.sum(axis),
        paired=True,
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(99),
        confidence_level=widened(30),
    ).confidence_interval
    assert ours.value == found.sum() / of.sum()
    assert ours.low == pytest.approx(theirs.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.high, abs=0.01)


def test_a_share_leaves_out_cases_without_any() -> None:
    some = [(1, 2), (3, 3), (0, 1), (2, 2)]
    assert bootstrap_interval([*some, (0, 0), (0, 0)], "share") == bootstrap_interval(some, "share")
    assert bootstrap_interval([(0, 0)], "share").undefined == "no case has this figure"


def dice_of_cases(generator: np.random.Generator, cases: int) -> np.ndarray:
    """Return the mean over the frames of each case, which resemble each other: a few bad cases, many good ones."""
    of_cases, frames = generator.beta(8, 1.6, cases), generator.integers(1, 40, cases)
    return np.clip(generator.normal(of_cases, 0.05 / np.sqrt(frames)), 0, 1)


def found_of_cases(generator: np.random.Generator, cases: int) -> np.ndarray:
    findings = generator.integers(1, 6, cases)
    return np.stack([generator.binomial(findings, generator.beta(6, 1.5, cases)), findings], axis=1)


@pytest.mark.parametrize(("name", "cases"), [("mean", 12), ("median", 12), ("share", 12), ("mean", 40)])
def test_about_95_of_100_intervals_hold_the_truth(name: StatisticName, cases: int) -> None:
    generator = np.random.default_rng(1)
    study = found_of_cases if name == "share" else dice_of_cases
    truth = STATISTICS[name](study(generator, 400_000)[None].astype(float))[0]
    studies = 1500  # the standard error of the coverage is 0.6 %
    hits = 0
    for _ in range(studies):
        interval = bootstrap_interval(study(generator, cases), name, resamples=300)
        assert interval.low is not None
        hits += interval.low <= truth <= interval.high
    assert 0.93 <= hits / studies <= 0.975


def test_it_is_wider_than_that_over_frames_which_are_not_independent() -> None:
    cases = np.random.default_rng(0).normal(0, 0.1, 12)
    frames = np.repeat(cases, 50)
    of_cases, of_frames = bootstrap_interval(list(cases)), bootstrap_interval(list(frames))
    assert width(of_cases) > 4 * width(of_frames)


def test_the_seed_decides() -> None:
    values = [0.1, -0.2, 0.4, 0.0, 0.3, 0.25, -0.1]
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_equal_cases_have_an_interval_of_one_value() -> None:
    zero = bootstrap_interval([0.0] * 5)
    assert (zero.value, zero.low, zero.high, zero.method) == (0, 0, 0, EQUAL)
    assert not zero.excludes_zero


def test_one_case_and_none_have_no_interval_and_a_reason() -> None:
    one, none = bootstrap_interval([0.3]), bootstrap_interval([])
    assert (one.value, one.low, one.undefined) == (0.3, None, "one case has no spread")
    assert (none.value, none.high, none.undefined) == (None, None, "no case has this figure")


def test_two_cases_do_not_fail() -> None:
    interval = bootstrap_interval([0.0, 1.0])
    assert interval.value == 0.5
    assert 0 < width(interval) <= 1


@pytest.mark.parametrize("count", [2, 5, 8, 31])
def test_medians_of_draws_have_the_distribution_of_drawing_all_cases(count: int) -> None:
    values = np.random.default_rng(1).gamma(2, 1, count)
    drawn = _drawn_medians(values, 0, 40_000)
    plain = np.median(values[np.random.default_rng(5).integers(0, count, (40_000, count))], axis=1)
    assert kstest(drawn, plain).statistic < 0.015  # the same distribution is above 0.0136 once in 1000 seeds
    assert set(drawn.round(12)) <= {round((a + b) / 2, 12) for a in values for b in values}
