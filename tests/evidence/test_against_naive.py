"""Figures against naive definitions, pixel by pixel, on all kinds of regions and maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.evidence.attention import attention
from napari_segcam.evidence.finding import finding
from napari_segcam.explanation.explanation import Explanation, Heatmap, Heatmaps, Segmentation
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.mask_metrics.overlap import overlap
from napari_segcam.network.stages.stage import Stage

SHAPE = (5, 7)
regions = st.one_of(hnp.arrays(bool, SHAPE), st.sampled_from([np.zeros(SHAPE, bool), np.ones(SHAPE, bool)]))
# Sums of float32 heat in float64: values far enough from its limits that no sum loses digits.
heats = st.one_of(
    hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1000, width=32)),
    st.floats(0, 1000, width=32).map(lambda value: np.full(SHAPE, value, np.float32)),
)
pixels = list(np.ndindex(SHAPE))


def explanation_of(heat: NDArray[np.float32], region: NDArray[np.bool_], *, signed: bool = False) -> Explanation:
    """An explanation with the one stage "deep"."""
    geometry = Geometry(SHAPE, SHAPE, SHAPE)
    probabilities = region[None].astype(np.float32)
    return Explanation(
        segmentation=Segmentation(probabilities, geometry),
        probabilities=probabilities,
        mask=region.astype(np.uint8),
        region=region,
        heatmaps=Heatmaps({"deep": Heatmap(Stage("deep", "layer", 1, 1, "deep"), heat, geometry, signed=signed)}, {}),
        method="gradcam",
        target=Target(0),
        class_names=("foreground",),
        threshold=0.5,
        provenance={},
    )


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


@given(regions, regions)
def test_overlap_is_counting(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> None:
    a = {pixel for pixel in pixels if first[pixel]}
    b = {pixel for pixel in pixels if second[pixel]}
    measured = overlap(first, second)
    if not a and not b:
        assert (measured.dice, measured.iou) == (None, None)
        return
    assert measured.dice == pytest.approx(2 * len(a & b) / (len(a) + len(b)))
    assert measured.iou == pytest.approx(len(a & b) / len(a | b))
    assert overlap(second, first) == measured
    assert measured.dice is not None
    assert measured.iou == pytest.approx(measured.dice / (2 - measured.dice))


@given(heats, regions, regions)
@settings(max_examples=200)
def test_attention_is_two_means_and_their_ratio(
    heat: NDArray[np.float32], region: NDArray[np.bool_], other: NDArray[np.bool_]
) -> None:
    explanation = explanation_of(heat, region)
    cases = (region, attention(explanation)["deep"]), (other, attention(explanation, other)["deep"])
    for attended, figures in cases:
        inside = mean([float(heat[pixel]) for pixel in pixels if attended[pixel]])
        outside = mean([float(heat[pixel]) for pixel in pixels if not attended[pixel]])
        everywhere = mean([float(heat[pixel]) for pixel in pixels])
        assert everywhere is not None
        variance = mean([(float(heat[pixel]) - everywhere) ** 2 for pixel in pixels])
        assert figures.mean == pytest.approx(everywhere, rel=1e-9)
        assert figures.std == pytest.approx(math.sqrt(variance or 0), rel=1e-6, abs=1e-9 * (1 + everywhere))
        assert figures.inside == (None if inside is None else pytest.approx(inside, rel=1e-9))
        assert figures.outside == (None if outside is None else pytest.approx(outside, rel=1e-9))
        if inside is None or not outside:
            assert figures.ratio is None
            assert figures.undefined
        else:
            assert figures.ratio == pytest.approx(inside / outside, rel=1e-9)
            assert figures.undefined is None


@given(st.floats(0.125, 1000, width=32), regions)
def test_a_constant_map_favors_no_place(value: float, region: NDArray[np.bool_]) -> None:
    figures = attention(explanation_of(np.full(SHAPE, value, np.float32), region))["deep"]
    assert figures.std == pytest.approx(0, abs=1e-6 * value)
    if region.any() and not region.all():
        assert figures.ratio == pytest.approx(1)
    else:
        assert figures.ratio is None


@given(regions, hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)))
def test_a_finding_is_counting(mask: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> None:
    figures = finding(mask, probabilities, (0.5, 0.25))
    in_mask = [float(probabilities[pixel]) for pixel in pixels if mask[pixel]]
    assert figures.pixels == len(in_mask)
    assert figures.area_mm2 == len(in_mask) * 0.125
    assert figures.probability == (pytest.approx(mean(in_mask), rel=1e-9) if in_mask else None)
    assert finding(mask, probabilities, None).area_mm2 is None


def test_evidence_against_has_no_ratio() -> None:
    region = np.zeros(SHAPE, bool)
    region[:2] = True
    against = attention(explanation_of(np.where(region, 2, -1).astype(np.float32), region, signed=True))["deep"]
    assert (against.inside, against.outside, against.ratio) == (2, -1, None)
    assert against.undefined is not None
    assert "negative" in against.undefined


def test_a_region_of_another_shape_is_refused() -> None:
    explanation = explanation_of(np.ones(SHAPE, np.float32), np.ones(SHAPE, bool))
    with pytest.raises(SegcamError, match=r"shape \(2, 2\), but the frame has \(5, 7\)"):
        attention(explanation, np.ones((2, 2), bool))
