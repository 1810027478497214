"""Pictures of a batch: heat is drawn at a tile's size at once, and looks as the same heat shrunk would."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import napari_segcam as sc
from napari_segcam.batch.pictures import _heated, _small_heat, sheet_jpeg
from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.imaging.geometry import Geometry, lay_out
from napari_segcam.network.model_card import SizeRule
from napari_segcam.network.stages.stage import Stage
from napari_segcam.reporting.figures import with_heat

FRAME = (192, 256)
TILE = (128, 96)
LETTERBOX = SizeRule(rule="letterbox", height=256, width=256)
CROP = (slice(30, 150), slice(60, 220))


def heatmap(geometry: Geometry, side: int, *, signed: bool = False) -> Heatmap:
    """A smooth hill, off the middle; of a signed one a part is below 0."""
    y, x = (np.arange(side) + 0.5) / side, (np.arange(side) + 0.5) / side
    values = np.exp(-8 * ((y[:, None] - 0.4) ** 2 + (x - 0.6) ** 2)).astype(np.float32)
    stage = Stage("deep", "layer", 1, 1, "deep")
    return Heatmap(stage, values - np.float32(0.3 if signed else 0), geometry, signed=signed)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("side", [8, 64, 256])
@pytest.mark.parametrize(
    "geometry",
    [
        lay_out(FRAME, LETTERBOX, 32),
        lay_out(FRAME, LETTERBOX, 32, CROP),
        lay_out(FRAME, SizeRule(rule="resize", height=256, width=256), 32),
    ],
    ids=["letterbox", "crop", "resize"],
)
def test_heat_of_a_tile_is_that_of_the_frame(geometry: Geometry, side: int, signed: bool) -> None:
    hill = heatmap(geometry, side, signed=signed)
    small = _small_heat(hill, TILE)
    shrunk = np.asarray(Image.fromarray(hill.on_frame()).resize(TILE, Image.Resampling.BILINEAR))
    assert small.shape == shrunk.shape
    assert small.max() <= 1
    inner = (slice(18, 72), slice(34, 106))  # the edge of a crop falls between pixels
    assert np.abs(small - shrunk)[inner].max() < 0.03
    assert np.abs(np.roll(small, 4, axis=1) - shrunk)[inner].max() > 0.05  # a shift would be seen


def test_an_outlier_does_not_dim_the_rest() -> None:
    hill = heatmap(lay_out(FRAME, LETTERBOX, 32), 64)
    hill.values[32, 40] = 1000
    assert np.median(_small_heat(hill, TILE)) < 0.001
    assert np.median(_small_heat(replace(hill, has_outliers=True), TILE)) > 0.1


@pytest.mark.parametrize("signed", [False, True])
def test_the_colors_are_those_of_the_other_pictures(signed: bool) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    heat = np.linspace(-1 if signed else 0, 1, 96 * 128, dtype=np.float32).reshape(96, 128)
    drawn = np.asarray(_heated(Image.fromarray(picture), heat, signed=signed)).astype(int)
    assert np.abs(drawn - with_heat(picture, heat, signed=signed)).max() <= 3


def test_a_sheet_is_small_whatever_the_frame_holds(network: sc.Network) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256), dtype=np.uint8)
    sizes = {}
    for name, frame in (("plain", np.full_like(noise, 90)), ("noise", noise)):
        data = sheet_jpeg(frame, (0, 255), [sc.Explainer(network)(frame)])
        assert len(data) <= 45_000
        sizes[name] = Image.open(io.BytesIO(data)).width
    assert sizes["plain"] > sizes["noise"], "what is plain need not be shrunk"
