"""Thumbnails: small heat looks as the heat of the frame does when it is shrunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_explanations import heatmap
from PIL import Image

from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.reporting.thumbnails import small_heat

FRAME = (192, 256)
SMALL = (96, 128)
INSIDE = (slice(18, 72), slice(34, 106))  # of the crop below; at its edge, pixels of heat and of none are merged


def hill(side: int, geometry: Geometry, *, signed: bool = False) -> Heatmap:
    """A smooth hill, off the center; of a signed map, a part is negative."""
    y, x = ((np.arange(side) + 0.5) / side for _ in range(2))
    values = np.exp(-8 * ((y[:, None] - 0.4) ** 2 + (x - 0.6) ** 2)) - (0.3 if signed else 0)
    return replace(heatmap(values, signed=signed, shape=FRAME), geometry=geometry)


def shrunk(drawn: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(drawn).resize(SMALL[::-1], Image.Resampling.BILINEAR))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("side", [8, 64, 256])
@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(FRAME, (256, 256), (192, 256), offset=(32, 0)),
        Geometry(FRAME, (256, 256), (192, 256), offset=(32, 0), crop=(30, 150, 60, 220)),
        Geometry(FRAME, (256, 256), (256, 256)),
    ],
    ids=["letterbox", "crop", "resize"],
)
def test_small_heat_is_the_heat_of_the_frame_shrunk(geometry: Geometry, side: int, signed: bool) -> None:
    whole = hill(side, geometry, signed=signed)
    small, expected = small_heat(whole, SMALL), shrunk(whole.on_frame())
    assert small.shape == SMALL
    assert np.abs(small - expected)[INSIDE].max() < 0.01
    assert np.abs(np.roll(small, 2, axis=1) - expected)[INSIDE].max() > 0.03, "a shift by two pixels would be seen"
    if geometry.crop is not None:
        assert not small[:15].any()
        assert not small[:, 110:].any()


def test_fine_heat_is_merged_and_not_sampled() -> None:
    """Samples would miss every hot column."""
    stripes = np.zeros((192, 256), np.float32)
    stripes[:, ::4] = 1
    small = small_heat(heatmap(stripes, shape=FRAME), (48, 64))
    np.testing.assert_allclose(small, 0.25, atol=0.01)


def test_outliers_do_not_dim_the_rest() -> None:
    one = hill(64, Geometry(FRAME, FRAME, FRAME))
    one.values[32, 40] = 1000
    assert np.median(small_heat(one, SMALL)) < 0.001
    assert np.median(small_heat(replace(one, has_outliers=True), SMALL)) > 0.1


@pytest.mark.parametrize("crop", [(0, 1, 0, 1), (191, 192, 255, 256), (100, 101, 3, 250)])
def test_a_crop_of_a_pixel_stays_a_pixel(crop: tuple[int, int, int, int]) -> None:
    one = heatmap(np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2]]), shape=FRAME)
    thin = replace(one, geometry=Geometry(FRAME, (32, 32), (32, 32), crop=crop))
    assert small_heat(thin, (7, 9)).shape == (7, 9)
