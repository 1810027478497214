"""Intervals over cases hold the truth in about 95 of 100 simulated studies whose frames resemble each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_segcam.validating.figures import Frame, figures_of
from napari_segcam.validating.metrics import BY_NAME
from napari_segcam.validating.summaries import summary_of

DICE = BY_NAME["dice"]
STUDIES, CASES = 400, 15  # the standard error of the coverage is 1.1 %


def frames(generator: np.random.Generator, cases: int) -> list[Frame]:
    """Frames of cases with few bad ones: those of a case differ far less than the cases do."""
    made = []
    for case, (middle, count) in enumerate(
        zip(generator.beta(6, 2, cases), generator.integers(1, 16, cases), strict=True)
    ):
        values = np.clip(middle + generator.normal(0, 0.02, count), 0, 1)
        made += [Frame("", str(case), "fibroid", {"dice": float(value)}) for value in values]
    return made


def test_the_interval_of_a_median_over_cases_holds_the_truth() -> None:
    generator = np.random.default_rng(3)
    truth = float(np.median(generator.beta(6, 2, 400_000)))
    hits = hits_over_frames = 0
    for number in range(STUDIES):
        study = frames(generator, CASES)
        hits += holds(study, truth)
        if number % 4 == 0:
            hits_over_frames += holds([replace(each, case=str(place)) for place, each in enumerate(study)], truth)
    assert 0.93 <= hits / STUDIES <= 0.97
    assert hits_over_frames / (STUDIES / 4) < 0.8, "with frames as cases the interval is far too narrow"


def holds(study: list[Frame], truth: float) -> bool:
    """Return whether the interval over the cases of a study holds the truth."""
    interval = summary_of(DICE, "fibroid", figures_of(DICE, study), resamples=300).interval
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high
