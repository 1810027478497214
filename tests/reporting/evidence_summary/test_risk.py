"""Risk and coverage, against counting every prefix of the ranking."""

from __future__ import annotations

import numpy as np
import pytest

from napari_segcam.reporting.evidence_summary.risk import risk_coverage


def naive(risks: list[float]) -> float:
    return float(np.mean([np.mean(risks[: count + 1]) for count in range(len(risks))]))


def test_the_area_is_the_mean_risk_over_all_coverages() -> None:
    doubts, risks = [0.1, 0.9, 0.5, 0.2], [0.0, 0.8, 0.1, 0.3]
    curve = risk_coverage(doubts, risks)
    assert curve is not None
    assert curve.area == pytest.approx(naive([0.0, 0.3, 0.1, 0.8]))
    assert curve.random == pytest.approx(np.mean(risks))
    assert curve.perfect == pytest.approx(naive(sorted(risks)))
    assert curve.ratio == pytest.approx(curve.area / curve.random)
    assert curve.frames == 4


def test_random_order_has_the_mean_risk_and_so_has_doubt_that_is_the_same_everywhere() -> None:
    rng = np.random.default_rng(0)
    risks = [0.0, 0.8, 0.1, 0.3]
    shuffled = [naive(list(rng.permutation(risks))) for _ in range(4000)]
    curve = risk_coverage([0.5] * 4, risks)
    assert curve is not None
    assert curve.area == pytest.approx(np.mean(risks))
    assert np.mean(shuffled) == pytest.approx(curve.random, rel=0.02)


def test_nothing_to_rank() -> None:
    assert risk_coverage([0.1], [0.5]) is None
    curve = risk_coverage([0.1, 0.2], [0.0, 0.0])
    assert curve is not None
    assert curve.ratio is None
