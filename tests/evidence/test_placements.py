"""Placements of a region: sums over them, and the null that they give, against adding up pixel by pixel."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import napari_segcam as sc
from napari_segcam.evidence.in_out import in_out
from napari_segcam.evidence.placements import PlacementSums, draw_placements
from napari_segcam.explanation.explanation import Explanation, Heatmap, Heatmaps, Segmentation
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.stages.stage import Stage

SHAPE = (11, 17)
SCAN = slice(1, 10), slice(2, 16)


def a_region() -> np.ndarray:
    """Two parts in a row, a hole, and no symmetry."""
    region = np.zeros(SHAPE, bool)
    region[2:6, 3:9] = True
    region[3, 5:7] = False
    region[5, 11] = True
    return region


def explanation_of(heat: np.ndarray, region: np.ndarray, crop: tuple[int, int, int, int] | None = None) -> Explanation:
    window = (crop[1] - crop[0], crop[3] - crop[2]) if crop else SHAPE
    geometry = Geometry(SHAPE, window, window, crop=crop)
    stage = Stage("deep", "encoder", 1, 1, "deep")
    return Explanation(
        segmentation=Segmentation(region[None].astype(np.float32), geometry),
        probabilities=region[None].astype(np.float32),
        mask=region.astype(np.uint8),
        region=region,
        heatmaps=Heatmaps({"deep": Heatmap(stage, heat, geometry)}, {}),
        method="gradcam",
        target=Target(0),
        class_names=("finding",),
        threshold=0.5,
        provenance={},
    )


def test_sums_are_those_of_the_pixels() -> None:
    values = np.random.default_rng(0).random(SHAPE)
    placements = draw_placements(a_region(), SCAN, 60, seed=1)
    expected = [values[placement.on_frame(SHAPE)].sum() for placement in placements]
    assert PlacementSums(placements, SHAPE).of(values) == pytest.approx(expected)


def test_many_placements_are_summed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(SHAPE)
    placements = draw_placements(a_region(), SCAN, 30, seed=1)
    whole = PlacementSums(placements, SHAPE).of(values)
    monkeypatch.setattr("napari_segcam.evidence.placements._MOST_VALUES", 20)
    assert (PlacementSums(placements, SHAPE).of(values) == whole).all()


@pytest.mark.parametrize("crop", [None, (1, 11, 2, 17)])
def test_the_null_is_the_figure_of_the_moved_region(crop: tuple[int, int, int, int] | None) -> None:
    seen = (slice(crop[0], crop[1]), slice(crop[2], crop[3])) if crop else (slice(0, 11), slice(0, 17))
    heat = np.zeros(SHAPE, np.float32)
    heat[seen] = np.random.default_rng(2).random(SHAPE)[seen]
    explanation = explanation_of(heat[seen], a_region(), crop)
    measured = in_out(explanation, scan=SCAN, draws=25, seed=3)["deep"]
    placements = draw_placements(a_region(), SCAN, 25, seed=3)
    for number, placement in enumerate(placements):
        placed = placement.on_frame(SHAPE)
        moved = sc.attention(replace(explanation, region=placed))["deep"]
        assert measured.ratio.null[number] == pytest.approx(moved.ratio)
        assert measured.share.null[number] == pytest.approx(heat[placed].sum() / heat.sum())


def test_a_place_with_all_the_heat_counts_as_larger_than_any() -> None:
    region = np.zeros(SHAPE, bool)
    region[4:7, 4:7] = True
    heat = np.zeros(SHAPE, np.float32)
    heat[4, 4] = 1  # inside, also at some of the other places
    heat[0, 0] = 1e-3
    null = in_out(explanation_of(heat, region), scan=(slice(1, 11), slice(1, 17)), draws=99)["deep"].ratio.null
    assert all(value >= 0 for value in null)
    heat[0, 0] = 0
    measured = in_out(explanation_of(heat, region), draws=99)["deep"]
    assert measured.ratio.value is None
    assert measured.ratio.undefined == "there is no heat outside the region"
    region[4, 4] = False
    region[3, 3] = True
    nowhere = in_out(explanation_of(heat, region), draws=199)["deep"].ratio
    assert nowhere.value == 0
    assert math.inf in nowhere.null
    assert nowhere.p == 1.0
