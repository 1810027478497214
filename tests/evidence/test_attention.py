"""Attention figures: their definition, and the reason given where a ratio is undefined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_segcam.evidence.attention import Attention, attention
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Explanation, Heatmap, Heatmaps, Segmentation
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.preprocessing import Geometry
from napari_segcam.network.stages.stage import Stage

FRAME = (6, 8)
UNCHANGED = Geometry(FRAME, FRAME, FRAME)


def figures(
    values: NDArray[np.float32],
    region: NDArray[np.bool_],
    reason: Reason | None = None,
    geometry: Geometry = UNCHANGED,
) -> Attention:
    """The figures of one stage called "deep", whose map has these raw values."""
    heatmap = Heatmap(Stage("deep", "layer", 1, 1, "deep"), values, geometry, reason)
    probabilities = region[None].astype(np.float32)
    explanation = Explanation(
        segmentation=Segmentation(probabilities, geometry),
        probabilities=probabilities,
        mask=region.astype(np.uint8),
        region=region,
        heatmaps=Heatmaps({"deep": heatmap}, {"encoder_last": "deep"}),
        method="gradcam",
        target=Target(0),
        class_names=("foreground",),
        threshold=0.5,
        provenance={},
    )
    assert list(attention(explanation)) == ["deep"]
    return attention(explanation)["deep"]


@pytest.fixture
def values() -> NDArray[np.float32]:
    return np.random.default_rng(0).random(FRAME, dtype=np.float32) + 0.5


@pytest.fixture
def region() -> NDArray[np.bool_]:
    region = np.zeros(FRAME, dtype=bool)
    region[1:4, 2:7] = True
    return region


def test_the_figures_are_their_definition(values: NDArray[np.float32], region: NDArray[np.bool_]) -> None:
    inside: list[float] = []
    outside: list[float] = []
    for row, column in np.ndindex(FRAME):
        (inside if region[row, column] else outside).append(float(values[row, column]))
    attended = figures(values, region)
    heat = inside + outside
    mean = sum(heat) / len(heat)
    assert attended.mean == pytest.approx(mean)
    assert attended.std == pytest.approx((sum((value - mean) ** 2 for value in heat) / len(heat)) ** 0.5)
    assert attended.inside == pytest.approx(sum(inside) / 15)
    assert attended.outside == pytest.approx(sum(outside) / 33)
    assert attended.ratio == pytest.approx((sum(inside) / 15) / (sum(outside) / 33))
    assert attended.undefined is None


def test_raw_values_count_and_not_the_scaled_ones(values: NDArray[np.float32], region: NDArray[np.bool_]) -> None:
    once, tenfold = figures(values, region), figures(10 * values, region)
    assert tenfold.mean == pytest.approx(10 * once.mean)
    assert tenfold.std == pytest.approx(10 * once.std)
    assert tenfold.ratio == pytest.approx(once.ratio)


def test_a_small_map_is_interpolated_to_the_frame(region: NDArray[np.bool_]) -> None:
    small = np.array([[1, 2, 3, 8], [0, 5, 1, 1], [4, 0, 0, 2]], dtype=np.float32)
    heat = F.interpolate(torch.from_numpy(small)[None, None], FRAME, mode="bilinear", align_corners=False)[0, 0].numpy()
    attended = figures(small, region)
    assert attended.mean == pytest.approx(heat.mean(), rel=1e-5)
    assert attended.ratio == pytest.approx(heat[region].mean() / heat[~region].mean(), rel=1e-5)


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(FRAME, (12, 12), (9, 12), (1, 0)),  # enlarged, between bars
        Geometry(FRAME, (4, 4), (3, 4), (1, 0)),  # reduced
        Geometry(FRAME, (8, 8), FRAME),  # padded
        Geometry(FRAME, (8, 8), (8, 8), crop=(1, 5, 2, 8)),
    ],
)
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_figures_are_those_of_the_map_on_the_frame(
    region: NDArray[np.bool_], geometry: Geometry, stride: int
) -> None:
    shape = geometry.input_shape[0] // stride, geometry.input_shape[1] // stride
    values = np.random.default_rng(stride).random(shape, dtype=np.float32)
    heat = geometry.to_window(torch.from_numpy(values).double()).numpy()
    inside_window = region[geometry.window]
    attended = figures(values, region, geometry=geometry)
    assert attended.mean == pytest.approx(heat.mean(), rel=1e-9)
    assert attended.std == pytest.approx(heat.std(), rel=1e-9)
    assert attended.inside == pytest.approx(heat[inside_window].mean(), rel=1e-9)
    assert attended.outside == pytest.approx(heat[~inside_window].mean(), rel=1e-9)


def test_heat_that_reaches_no_pixel_outside_is_zero_there() -> None:
    small = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
    heat = F.interpolate(torch.from_numpy(small)[None, None], FRAME, mode="bilinear", align_corners=False)[0, 0].numpy()
    attended = figures(small, heat > 0)
    assert attended.outside == 0
    assert attended.undefined == "there is no heat outside the region"
    assert figures(small, heat == 0).ratio == 0


def test_heat_only_outside_is_a_ratio_of_zero_and_not_undefined(region: NDArray[np.bool_]) -> None:
    attended = figures((~region).astype(np.float32), region)
    assert attended.ratio == 0
    assert attended.undefined is None


def test_an_empty_region_has_no_ratio(values: NDArray[np.float32]) -> None:
    attended = figures(values, np.zeros(FRAME, dtype=bool))
    assert (attended.inside, attended.ratio, attended.undefined) == (None, None, "the region is empty")
    assert attended.outside == pytest.approx(values.mean())


def test_a_region_without_a_rest_has_no_ratio(values: NDArray[np.float32]) -> None:
    attended = figures(values, np.ones(FRAME, dtype=bool))
    assert (attended.outside, attended.ratio, attended.undefined) == (None, None, "the region is the whole frame")
    assert attended.inside == pytest.approx(values.mean())


def test_no_heat_outside_has_no_ratio(region: NDArray[np.bool_]) -> None:
    attended = figures(region.astype(np.float32), region)
    assert (attended.inside, attended.outside, attended.ratio) == (1, 0, None)
    assert attended.undefined == "there is no heat outside the region"


@pytest.mark.parametrize("reason", list(Reason))
def test_an_empty_map_has_no_ratio_and_its_own_reason(region: NDArray[np.bool_], reason: Reason) -> None:
    attended = figures(np.zeros((1, 1), np.float32), region, reason)
    assert (attended.mean, attended.std, attended.ratio) == (0, 0, None)
    assert attended.undefined == reason.value
