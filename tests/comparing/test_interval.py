"""The interval over cases, beside SciPy's BCa and where nothing can be drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from napari_segcam.comparing.interval import BCA, EQUAL, Interval, bootstrap_interval


def width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [8, 40])
def test_it_is_scipys_bca_interval(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).gamma(1.5, 0.1, count) - 0.1  # skewed
    ours = bootstrap_interval(list(values), seed=seed, resamples=40_000)
    theirs = bootstrap((values,), np.mean, n_resamples=40_000, method="BCa", rng=np.random.default_rng(99))
    assert ours.method == BCA
    assert ours.mean == pytest.approx(values.mean())
    close = 0.02 * (theirs.confidence_interval.high - theirs.confidence_interval.low)
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=close)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=close)


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
    assert (zero.mean, zero.low, zero.high, zero.method) == (0, 0, 0, EQUAL)
    assert not zero.excludes_zero


def test_one_case_and_none_have_no_interval_and_a_reason() -> None:
    one, none = bootstrap_interval([0.3]), bootstrap_interval([])
    assert (one.mean, one.low, one.undefined) == (0.3, None, "one case has no spread")
    assert (none.mean, none.high, none.undefined) == (None, None, "no case has this figure")


def test_two_cases_do_not_fail() -> None:
    interval = bootstrap_interval([0.0, 1.0])
    assert interval.mean == 0.5
    assert 0 < width(interval) <= 1
