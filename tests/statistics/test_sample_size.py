"""How many cases a narrower interval takes, beside studies of that many cases."""

from __future__ import annotations

import numpy as np
import pytest

from napari_segcam.statistics.interval import Interval, bootstrap_interval
from napari_segcam.statistics.sample_size import cases_for


def test_a_study_of_that_many_cases_has_about_that_interval() -> None:
    generator = np.random.default_rng(0)
    pilot = bootstrap_interval(generator.beta(8, 1.6, 40))
    count = cases_for(pilot, pilot.half_width / 2)
    assert count is not None
    assert 160 <= count <= 170
    half_widths = [bootstrap_interval(generator.beta(8, 1.6, count), resamples=300).half_width for _ in range(10)]
    assert np.mean(half_widths) == pytest.approx(pilot.half_width / 2, rel=0.35)


@pytest.mark.parametrize(("half_width", "count"), [(0.04, 40), (0.02, 160), (0.0399, 41), (0.013, 380), (1, 6)])
def test_counts_are_rounded_up_to_two_digits(half_width: float, count: int) -> None:
    assert cases_for(Interval(0.9, 0.86, 0.94, 40), half_width) == count


def test_nothing_is_said_of_too_few_cases_or_no_interval() -> None:
    assert cases_for(Interval(0.9, 0.86, 0.94, 5), 0.01) is None
    assert cases_for(Interval(0.9, None, None, 1), 0.01) is None
    assert cases_for(Interval(0.9, 0.9, 0.9, 50), 0.01) is None
    with pytest.raises(ValueError, match="above 0"):
        cases_for(Interval(0.9, 0.86, 0.94, 40), 0)
