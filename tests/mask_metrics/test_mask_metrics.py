"""Every metric is what its definition says, on random masks and on the masks where a definition ends."""

from __future__ import annotations

import math
from typing import Any

import naive_metrics as naive
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.mask_metrics import surfaces
from napari_segcam.mask_metrics.columns import METRIC_COLUMNS, REASON_OF_METRIC
from napari_segcam.mask_metrics.detection import detection
from napari_segcam.mask_metrics.metrics import mask_metrics, undefined_metrics

Mask = NDArray[np.bool_]
SPACINGS = (None, (1.0, 1.0), (0.2, 0.37), (0.8, 0.25))
EMPTY, FULL = np.zeros((9, 13), bool), np.ones((9, 13), bool)


def blobs(random: np.random.Generator, shape: tuple[int, int], share: float) -> Mask:
    smooth = ndimage.gaussian_filter(random.standard_normal(shape), random.uniform(1.2, 4))
    return np.asarray(smooth > np.quantile(smooth, 1 - share))


def random_case(seed: int) -> tuple[Mask, Mask, NDArray[np.float32], tuple[float, float] | None, float]:
    """Return a prediction, a truth that is like it, probabilities, a spacing and a tolerance."""
    random = np.random.default_rng(seed)
    shape = (int(random.integers(24, 33)), int(random.integers(24, 33)))
    truth = blobs(random, shape, random.uniform(0.03, 0.3))
    prediction = np.roll(truth, random.integers(-3, 4, 2), (0, 1)) ^ blobs(random, shape, random.uniform(0, 0.06))
    noise = random.random(shape) * 0.6
    probabilities = np.where(prediction, 0.4 + noise, noise).round(int(random.integers(1, 5))).astype(np.float32)
    return prediction, truth, probabilities, SPACINGS[seed % 4], float(random.choice([0.3, 1.0, 2.0]))


def measured(case: tuple[Any, ...], threshold: float | None = 0.5) -> dict[str, Any]:
    return dict(mask_metrics(*case, threshold).row)


def numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in REASON_OF_METRIC}


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_every_metric_equals_its_definition(first: int) -> None:
    pytest.importorskip("monai")
    for seed in range(first, first + 20):
        case = random_case(seed)
        expected = naive.row(*case)
        found = numbers(measured(case))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name] == (value if value is None else pytest.approx(value, rel=2e-6, abs=1e-9)), (seed, name)


@pytest.mark.parametrize("seed", range(6))
def test_the_curves_equal_their_definitions(seed: int) -> None:
    prediction, truth, probabilities, spacing_mm, tolerance = random_case(seed)
    curves = mask_metrics(prediction, truth, probabilities, spacing_mm, tolerance, 0.5).curves
    reliability, _ = naive.reliability(probabilities, truth)
    assert curves["reliability"]["count"] == reliability["count"]
    assert sum(reliability["count"]) == truth.size
    for name in ("probability", "truth"):
        assert curves["reliability"][name] == [
            None if value is None else pytest.approx(value) for value in reliability[name]
        ]
    sweep = curves["thresholds"]
    assert sweep["threshold"] == pytest.approx([0.05 * step for step in range(1, 20)])
    for index, threshold in enumerate(sweep["threshold"]):
        expected = naive.figures(probabilities > threshold, truth)
        assert {name: sweep[name][index] for name in ("dice", "sensitivity", "precision")} == {
            name: expected[name] for name in ("dice", "sensitivity", "precision")
        }
    own = naive.figures(prediction, truth)
    assert sweep["operating_point"] == {
        "threshold": 0.5,
        **{name: own[name] for name in ("dice", "sensitivity", "precision")},
    }


def test_the_sweep_at_a_masks_own_threshold_is_its_operating_point() -> None:
    _, truth, probabilities, spacing_mm, tolerance = random_case(3)
    sweep = mask_metrics(probabilities > 0.35, truth, probabilities, spacing_mm, tolerance, 0.35).curves["thresholds"]
    at = sweep["threshold"].index(0.35)
    own = sweep["operating_point"]
    assert own == {name: sweep[name][at] for name in ("threshold", "dice", "sensitivity", "precision")}
    assert 0 < own["dice"] < 1


@pytest.mark.parametrize(
    ("prediction", "truth", "undefined"),
    [
        (EMPTY, EMPTY, {"sensitivity", "precision", "area_difference", "boundary_probability"}),
        (EMPTY, FULL, {"precision", "specificity", "boundary_probability"}),
        (FULL, EMPTY, {"sensitivity", "area_difference", "boundary_probability"}),
        (FULL, FULL, {"specificity", "boundary_probability"}),
    ],
)
def test_what_has_no_value_has_a_reason_and_is_not_zero(prediction: Mask, truth: Mask, undefined: set[str]) -> None:
    pytest.importorskip("monai")
    case = (prediction, truth, np.full(truth.shape, 0.3, np.float32), (0.5, 0.25), 1.0)
    row = measured(case)
    assert list(row) == list(METRIC_COLUMNS)
    expected = naive.row(*case)
    assert numbers(row) == {name: value and pytest.approx(value, rel=1e-6) for name, value in expected.items()}
    without = {name for name, value in numbers(row).items() if value is None}
    of_surfaces = {name for name, column in REASON_OF_METRIC.items() if column == "surface_undefined"}
    assert without - of_surfaces == undefined
    for name in without - of_surfaces:
        assert f"{name}: the true mask is" in row[REASON_OF_METRIC[name]] or (
            f"{name}: the predicted mask is empty" in row[REASON_OF_METRIC[name]]
        )
    both = prediction.any() and truth.any()
    assert (row["surface_undefined"] == "") == (not without & of_surfaces) == both


@pytest.mark.parametrize(
    ("prediction", "truth", "reason"),
    [
        (EMPTY, EMPTY, "the predicted mask and the true mask are empty"),
        (EMPTY, FULL, "the predicted mask is empty"),
        (FULL, EMPTY, "the true mask is empty"),
    ],
)
def test_a_distance_from_nothing_is_undefined(prediction: Mask, truth: Mask, reason: str) -> None:
    found = surfaces.surface_metrics(prediction, truth, (1, 1), 1)
    assert (found.surface_dice, found.hd95, found.mean_surface_distance) == (None, None, None)
    assert found.undefined == reason


def test_one_pixel_each_at_the_corners_of_the_frame() -> None:
    pytest.importorskip("monai")
    prediction, truth = EMPTY.copy(), EMPTY.copy()
    prediction[0, 0], truth[-1, -1] = True, True
    row = measured((prediction, truth, prediction.astype(np.float32), (0.5, 0.25), 1.0))
    distance = math.hypot(8 * 0.5, 12 * 0.25)
    assert (row["hd95"], row["mean_surface_distance"]) == (pytest.approx(distance), pytest.approx(distance))
    assert (row["surface_dice"], row["surface_unit"], row["sensitivity"]) == (0, "mm", 0)
    assert (row["findings_true"], row["findings_missed"], row["findings_false"]) == (1, 1, 1)
    assert (row["area_difference_mm2"], row["boundary_probability"]) == (0, 0)
    within = measured((prediction, truth, prediction.astype(np.float32), (0.5, 0.25), distance))
    assert within["surface_dice"] == 1, "the tolerance itself is within it"


def test_the_edge_of_the_frame_is_a_boundary_of_distances_alone() -> None:
    pytest.importorskip("monai")
    truth = EMPTY.copy()
    truth[:, :6] = True
    prediction = EMPTY.copy()
    prediction[:, :9] = True
    probabilities = np.linspace(0, 1, truth.size, dtype=np.float32).reshape(truth.shape)
    row = measured((prediction, truth, probabilities, None, 1.0))
    assert row["surface_unit"] == "px"
    assert row["surface_dice"] == pytest.approx(naive.surfaces(prediction, truth, (1, 1), 1)["surface_dice"])
    assert 0 < row["surface_dice"] < 1, "along the edge of the frame they are the same, elsewhere 3 pixels apart"
    assert row["boundary_probability"] == pytest.approx(probabilities[:, 5:7].mean())


def test_without_calibration_an_area_has_no_mm2_and_says_why() -> None:
    row = measured(random_case(0))
    assert (row["area_difference_mm2"], row["metrics_undefined"]) == (
        None,
        "area_difference_mm2: the image is not calibrated",
    )
    assert row["area_difference"] is not None


def test_findings_are_paired_for_the_largest_total_and_not_greedily() -> None:
    """The best single pair, the long ones, would leave both others without a partner."""
    truth, prediction = np.zeros((2, 3, 16), bool)
    truth[:, 0:10] = truth[:, 11:15] = True
    prediction[:, 0:3] = prediction[:, 4:14] = True
    found = detection(prediction, truth)
    assert (found.true, found.found, found.missed, found.false) == (2, 2, 0, 0)


def test_more_pairs_do_not_make_up_for_worse_ones() -> None:
    truth, prediction = np.zeros((2, 3, 30), bool)
    truth[:, 0:20] = truth[:, 21:24] = True
    prediction[:, 0:2] = prediction[:, 3:24] = True
    found = detection(prediction, truth)
    assert (found.true, found.found, found.missed, found.false) == (2, 1, 1, 1)


def test_a_finding_in_two_parts_is_split_and_two_in_one_part_are_merged() -> None:
    whole, parts = np.zeros((2, 3, 40), bool)
    whole[:, 0:20] = parts[:, 0:9] = parts[:, 11:20] = True
    found, swapped = detection(parts, whole), detection(whole, parts)
    assert (found.split, found.merged) == (1, 0)
    assert (swapped.split, swapped.merged) == (0, 1)


def test_a_speck_beside_a_finding_does_not_split_it() -> None:
    truth, prediction = np.zeros((2, 3, 40), bool)
    truth[:, 0:20] = prediction[:, 0:18] = prediction[1, 19] = True
    found = detection(prediction, truth)
    assert (found.found, found.false, found.split, found.merged) == (1, 1, 0, 0)


def test_many_specks_are_paired_in_reasonable_memory() -> None:
    random = np.random.default_rng(0)
    truth, prediction = random.random((2, 300, 300)) > 0.93
    found = measured((prediction, truth, prediction.astype(np.float32), None, 1.0))
    assert found["findings_true"] == ndimage.label(truth, np.ones((3, 3)))[1] > 1000
    assert 0 < found["findings_found"] < found["findings_true"]
    assert found["findings_found"] + found["findings_missed"] == found["findings_true"]


def test_probabilities_that_are_not_finite_leave_the_other_metrics() -> None:
    prediction, truth, probabilities, spacing_mm, tolerance = random_case(2)
    probabilities[1, 1] = np.nan
    metrics = mask_metrics(prediction, truth, probabilities, spacing_mm, tolerance, 0.5)
    assert (metrics.row["calibration_error"], metrics.row["boundary_probability"], metrics.curves) == (None, None, {})
    assert "calibration_error: some probabilities are not finite numbers" in metrics.row["metrics_undefined"]
    assert metrics.row["sensitivity"] == naive.figures(prediction, truth)["sensitivity"]


def test_the_surface_metrics_are_those_that_monai_gives() -> None:
    torch = pytest.importorskip("torch")
    monai = pytest.importorskip("monai.metrics")
    for seed in range(12):
        prediction, truth, _, spacing_mm, tolerance = random_case(seed)
        spacing = spacing_mm or (1.0, 1.0)
        found = surfaces.surface_metrics(prediction, truth, spacing, tolerance)
        masks = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, truth)]
        given = {"include_background": True, "spacing": list(spacing)}
        assert found.hd95 == pytest.approx(
            monai.compute_hausdorff_distance(*masks, percentile=95, **given).item(), rel=1e-5
        )
        average = monai.compute_average_surface_distance(*masks, symmetric=True, **given).item()
        assert found.mean_surface_distance == pytest.approx(average, rel=1e-5)
        dice = monai.compute_surface_dice(*masks, class_thresholds=[tolerance], **given).item()
        assert found.surface_dice == pytest.approx(dice, rel=1e-5)


def test_without_monai_the_reason_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surfaces, "find_spec", lambda _name: None)
    surfaces._monai.cache_clear()
    row = measured(random_case(1))
    surfaces._monai.cache_clear()
    assert (row["hd95"], row["surface_dice"], row["mean_surface_distance"]) == (None, None, None)
    assert 'pip install "napari-segcam[monai]"' in row["surface_undefined"]
    assert surfaces.surface_implementation() is None
    assert row["sensitivity"] is not None


def test_a_row_without_a_true_mask_has_the_reason_in_every_column_of_reasons() -> None:
    row = undefined_metrics("there is no true mask")
    assert list(row) == list(METRIC_COLUMNS)
    assert {row[column] for column in REASON_OF_METRIC.values()} == {"there is no true mask"}
    assert {row[column] for column in REASON_OF_METRIC} == {None}
    assert row["surface_unit"] == ""
