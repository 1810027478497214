"""The figures against naive definitions, pixel by pixel, on regions and maps of all kinds."""

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
from napari_segcam.evidence.overlap import overlap
from napari_segcam.explanation.explanation import Explanation, Heatmap, Heatmaps, Segmentation
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.stages.stage import Stage

SHAPE = (5, 7)
regions = st.one_of(hnp.arrays(bool, SHAPE), st.sampled_from([np.zeros(SHAPE, bool), np.ones(SHAPE, bool)]))
# Sums in float64 of float32 heat: far enough from its limits that no sum of ours or of the naive kind loses digits.
heats = st.one_of(
    hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1000, width=32)),
    st.floats(0, 1000, width=32).map(lambda value: np.full(SHAPE, value, np.float32)),
)
places = list(np.ndindex(SHAPE))


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
    one = {place for place in places if first[place]}
    other = {place for place in places if second[place]}
    found = overlap(first, second)
    if not one and not other:
        assert (found.dice, found.iou) == (None, None)
        return
    assert found.dice == pytest.approx(2 * len(one & other) / (len(one) + len(other)))
    assert found.iou == pytest.approx(len(one & other) / len(one | other))
    assert overlap(second, first) == found
    assert found.dice is not None
    assert found.iou == pytest.approx(found.dice / (2 - found.dice))


@given(heats, regions, regions)
@settings(max_examples=200)
def test_attention_is_two_means_and_their_ratio(
    heat: NDArray[np.float32], region: NDArray[np.bool_], other: NDArray[np.bool_]
) -> None:
    explanation = explanation_of(heat, region)
    for wanted, found in ((region, attention(explanation)["deep"]), (other, attention(explanation, other)["deep"])):
        inside = mean([float(heat[place]) for place in places if wanted[place]])
        outside = mean([float(heat[place]) for place in places if not wanted[place]])
        everywhere = mean([float(heat[place]) for place in places])
        assert everywhere is not None
        variance = mean([(float(heat[place]) - everywhere) ** 2 for place in places])
        assert found.mean == pytest.approx(everywhere, rel=1e-9)
        assert found.std == pytest.approx(math.sqrt(variance or 0), rel=1e-6, abs=1e-9 * (1 + everywhere))
        assert found.inside == (None if inside is None else pytest.approx(inside, rel=1e-9))
        assert found.outside == (None if outside is None else pytest.approx(outside, rel=1e-9))
        if inside is None or not outside:
            assert found.ratio is None
            assert found.undefined
        else:
            assert found.ratio == pytest.approx(inside / outside, rel=1e-9)
            assert found.undefined is None


@given(st.floats(0.125, 1000, width=32), regions)
def test_a_constant_map_favours_no_place(value: float, region: NDArray[np.bool_]) -> None:
    found = attention(explanation_of(np.full(SHAPE, value, np.float32), region))["deep"]
    assert found.std == pytest.approx(0, abs=1e-6 * value)
    if region.any() and not region.all():
        assert found.ratio == pytest.approx(1)
    else:
        assert found.ratio is None


@given(regions, hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)))
def test_a_finding_is_counting(found: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> None:
    figures = finding(found, probabilities, (0.5, 0.25))
    counted = [float(probabilities[place]) for place in places if found[place]]
    assert figures.pixels == len(counted)
    assert figures.area_mm2 == len(counted) * 0.125
    assert figures.probability == (pytest.approx(mean(counted), rel=1e-9) if counted else None)
    assert finding(found, probabilities, None).area_mm2 is None


def test_evidence_against_has_no_ratio() -> None:
    region = np.zeros(SHAPE, bool)
    region[:2] = True
    against = attention(explanation_of(np.where(region, 2, -1).astype(np.float32), region, signed=True))["deep"]
    assert (against.inside, against.outside, against.ratio) == (2, -1, None)
    assert against.undefined is not None
    assert "negative" in against.undefined


def test_a_region_of_another_shape_is_refused() -> None:
    explanation = explanation_of(np.ones(SHAPE, np.float32), np.ones(SHAPE, bool))
    with pytest.raises(SegcamError, match=r"shape \(2, 2\), but the frame \(5, 7\)"):
        attention(explanation, np.ones((2, 2), bool))
