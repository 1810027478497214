"""What is undefined says why, and is never 0 or 1."""

from __future__ import annotations

import pytest

from napari_segcam.review.agreement.bootstrap import Bootstrap
from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.agreement.kappa import cohen_kappa
from napari_segcam.review.agreement.many_raters import fleiss_kappa, krippendorff_alpha
from napari_segcam.review.agreement.proportion import clustered_mean, clustered_share, wilson

VALUES = ["accept", "correct", "reject"]


def is_undefined(estimate: Estimate, reason: str) -> bool:
    return (estimate.value, estimate.lower, estimate.upper) == (None, None, None) and reason in estimate.reason


def test_kappa_of_one_category_is_undefined_though_all_agree() -> None:
    agreement = cohen_kappa(["accept"] * 4, ["accept"] * 4, range(4), VALUES)
    assert is_undefined(agreement.kappa, "“accept”")
    assert agreement.kappa.n == 4
    assert agreement.observed.value == 1


def test_kappa_without_overlap_is_undefined() -> None:
    agreement = cohen_kappa(["accept", None], [None, "reject"], range(2), VALUES)
    assert is_undefined(agreement.kappa, "no unit was rated by both")
    assert is_undefined(agreement.observed, "no unit was rated by both")
    assert agreement.missing == 2


def test_kappa_of_two_constant_raters_who_differ_is_zero() -> None:
    agreement = cohen_kappa(["accept"] * 4, ["reject"] * 4, range(4), VALUES)
    assert agreement.kappa.value == 0
    assert agreement.observed.value == 0


def test_kappa_of_full_agreement_is_one_and_says_what_the_interval_is_worth() -> None:
    agreement = cohen_kappa(VALUES * 9, VALUES * 9, range(27), VALUES)
    assert agreement.kappa.value == agreement.kappa.lower == agreement.kappa.upper == 1
    assert "says little about other cases" in agreement.kappa.interval


def test_many_raters_of_one_category() -> None:
    ratings = [["accept"] * 3] * 5
    assert is_undefined(fleiss_kappa(ratings, range(5), VALUES), "“accept”")
    assert is_undefined(krippendorff_alpha(ratings, range(5), VALUES), "“accept”")


def test_fleiss_kappa_needs_complete_units_and_alpha_does_not() -> None:
    ratings = [["accept", "accept", None], ["reject", None, "reject"], [None, "accept", "reject"]]
    assert is_undefined(fleiss_kappa(ratings, range(3), VALUES), "no unit was rated by all 3")
    assert krippendorff_alpha(ratings, range(3), VALUES).n == 3
    assert is_undefined(fleiss_kappa([["accept"]], range(1), VALUES), "two raters")
    assert is_undefined(krippendorff_alpha([["accept", None]], range(1), VALUES), "two raters")


def test_nothing_to_count() -> None:
    assert is_undefined(wilson(0, 0), "nothing to count")
    assert is_undefined(clustered_share([], [], Bootstrap()), "nothing to count")
    assert is_undefined(clustered_mean([], [], Bootstrap()), "no value")


def test_one_case_has_no_interval_however_many_frames_it_has() -> None:
    share = clustered_share([True] * 30 + [False] * 10, ["cine"] * 40, Bootstrap())
    assert (share.value, share.lower, share.n, share.cases) == (0.75, None, 40, 1)
    assert "two cases" in share.interval


@pytest.mark.parametrize("cases", [2, 3])
def test_resamples_without_a_value_are_not_hidden(cases: int) -> None:
    first, second = ["accept"] * (cases - 1) + ["reject"], ["accept"] * (cases - 1) + ["reject"]
    kappa = cohen_kappa(first, second, range(cases), VALUES).kappa
    assert kappa.value == 1
    assert kappa.lower is None
    assert "undefined in" in kappa.interval
