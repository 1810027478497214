from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from scipy.ndimage import gaussian_filter

from napari_segcam.viewer.drawing.label_outline import outline
from napari_segcam.viewer.napari_internals.label_outline import outline_quickly


def blobs(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return three labels that touch each other and the edges."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), min(3, shape[0] / 4))
    return np.digitize(noise / (noise.std() or 1), (0.2, 0.8, 1.5)).astype(np.uint8)


def drawn(labels: Labels) -> np.ndarray:
    return labels._slice.image.view


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (40, 33)])
@pytest.mark.parametrize("thickness", [1, 2, 5])
def test_it_is_the_outline_that_napari_draws(shape: tuple[int, int], thickness: int) -> None:
    pixels = blobs(shape)
    theirs = Labels(pixels)
    theirs.contour = thickness
    np.testing.assert_array_equal(outline(pixels, thickness), drawn(theirs))


def test_it_is_inside_the_label() -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[1:8, 1:8] = 3
    border = outline(labels, 2)
    assert not border[3:6, 3:6].any()
    assert border.sum() == 3 * (49 - 9)
    assert not border[0].any()


def test_a_layer_draws_it_and_follows_strokes_and_thickness() -> None:
    pixels = blobs((40, 33))
    theirs, ours = Labels(pixels.copy()), Labels(pixels.copy())
    outline_quickly(ours)
    for thickness in (2, 0, 3):
        for layer in (theirs, ours):
            layer.contour = thickness
            layer.selected_label = 3
            layer.brush_size = 5
            layer.paint((12 + thickness, 14), 3)
            layer.fill((39, 0), 2)
        np.testing.assert_array_equal(drawn(ours), drawn(theirs))
    assert (drawn(ours) == 0).any()


def test_a_frame_of_a_cine_and_three_dimensions() -> None:
    viewer = ViewerModel()
    cine = np.stack([blobs((20, 30), seed) for seed in range(3)])
    layer = Labels(cine)
    outline_quickly(layer)
    layer.contour = 1
    viewer.add_layer(layer)
    viewer.dims.set_current_step(0, 2)
    np.testing.assert_array_equal(drawn(layer), outline(cine[2], 1))
    with pytest.warns(UserWarning, match="3D"):
        viewer.dims.ndisplay = 3
    np.testing.assert_array_equal(drawn(layer), cine)
