"""Intervals resample cases, and their frames with them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_segcam.review.agreement.bootstrap import Bootstrap, by_cluster
from napari_segcam.review.agreement.proportion import clustered_mean, clustered_share, wilson


def test_the_interval_equals_that_of_a_loop_over_resampled_cases() -> None:
    generator = np.random.default_rng(5)
    cases = generator.integers(12, size=200)
    values = generator.random(200) < 0.2 + 0.05 * cases
    share = clustered_share(values.tolist(), cases.tolist(), Bootstrap(resamples=4000))
    shares = []
    for _ in range(4000):
        drawn = generator.choice(12, size=12)
        frames = np.concatenate([values[cases == case] for case in drawn])
        shares.append(frames.mean())
    assert (share.lower, share.upper) == pytest.approx(np.quantile(shares, (0.025, 0.975)), abs=0.02)
    assert (share.n, share.cases) == (200, 12)


def test_frames_of_one_case_do_not_make_it_surer() -> None:
    values, cases = [True, False] * 6, list(range(12))
    many = clustered_share([value for value in values for _ in range(50)], np.repeat(cases, 50).tolist(), Bootstrap())
    few = wilson(6, 12)
    assert many.lower is not None
    assert few.lower is not None
    assert many.upper is not None
    assert many.upper - many.lower > 0.4
    assert many.n == 600


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(1).random(60).tolist()
    cases = np.repeat(np.arange(30), 2).tolist()
    first, again = (clustered_mean(values, cases, Bootstrap(seed=3)) for _ in range(2))
    other = clustered_mean(values, cases, Bootstrap(seed=4))
    assert first == again
    assert (first.lower, first.upper) != (other.lower, other.upper)
    assert first.value == pytest.approx(np.mean(values))


def test_every_case_weighs_the_same_in_a_mean_over_cases() -> None:
    mean = clustered_mean([0.1, 0.9, 0.4, 0.7, 0.2], ["a", "a", "b", "c", "d"], Bootstrap())
    assert mean.value == pytest.approx(np.mean([0.5, 0.4, 0.7, 0.2]))
    assert (mean.n, mean.cases) == (5, 4)


def test_batches_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    values, cases = [True, True, False, True, False, False], ["a", "a", "b", "c", "d", "e"]
    at_once = clustered_share(values, cases, Bootstrap(resamples=100))
    monkeypatch.setattr("napari_segcam.review.agreement.bootstrap._BATCH", 35)
    assert clustered_share(values, cases, Bootstrap(resamples=100)) == at_once


def test_equal_values_give_an_interval_without_width() -> None:
    mean = clustered_mean([1.0] * 7, list("aabbccd"), Bootstrap())
    assert (mean.value, mean.lower, mean.upper) == (1, 1, 1)


def test_sums_keep_the_order_of_first_appearance() -> None:
    rows = np.array([[1, 2], [10, 20], [100, 200]])
    assert by_cluster(rows, ["b", "a", "b"]).tolist() == [[101, 202], [10, 20]]
