"""Regions painted in a Labels layer: explained where napari draws them, however the two layers lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.layers.resampling import labels_on_frame
from napari_segcam.viewer.review.session import ReviewSession

Finish = Callable[[ReviewSession], None]
LAID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the same": ({}, {}),
    "scaled image": ({"scale": (1, 0.5, 0.25)}, {}),
    "scaled labels": ({}, {"scale": (1, 2, 3)}),
    "moved": ({"translate": (0, 7, -3)}, {"translate": (0, 11, 2)}),
    "rotated": ({}, {"rotate": 30}),
    "sheared": ({"scale": (1, 2, 1)}, {"shear": (0, 0, 0.4)}),
    "affine": ({"affine": np.array([[1, 0, 0, 0], [0, 0, 1, 4], [0, -1, 0, 50], [0, 0, 0, 1]])}, {}),
    "later": ({}, {"translate": (2, 0, 0)}),
    "slower": ({}, {"scale": (2, 1, 1)}),
    "units": ({"units": ("pixel", "mm", "mm")}, {"units": ("pixel", "cm", "cm"), "scale": (1, 0.1, 0.1)}),
    "units dropped": ({"units": ("pixel", "mm", "mm"), "scale": (1, 0.2, 0.2)}, {"scale": (1, 0.3, 0.3)}),
}


@pytest.fixture
def painted() -> np.ndarray:
    """Labels of four frames, each its own and without symmetry."""
    return np.random.default_rng(3).integers(0, 3, (4, 60, 64), dtype=np.uint8)


@pytest.mark.parametrize("laid", LAID)
def test_each_pixel_has_the_label_that_napari_shows_there(laid: str, painted: np.ndarray) -> None:
    viewer = ViewerModel()
    of_image, of_labels = LAID[laid]
    image = viewer.add_image(np.zeros((4, 50, 40), np.uint8), **of_image)
    labels = viewer.add_labels(painted, **of_labels)
    must_agree(viewer, image, labels)


def test_labels_without_time_lie_on_every_frame(painted: np.ndarray) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 50, 40), np.uint8), scale=(1, 0.5, 0.5))
    must_agree(viewer, image, viewer.add_labels(painted[0], translate=(3, 2)))


def test_labels_of_a_color_still_and_at_several_scales(painted: np.ndarray) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((50, 40, 3), np.uint8), scale=(0.5, 0.5), rgb=True)
    must_agree(viewer, image, viewer.add_labels(painted[0], scale=(0.4, 0.6)))
    several = viewer.add_labels([painted[1], painted[1][::2, ::2]], multiscale=True)
    found = labels_on_frame(viewer, several, image, 0)
    np.testing.assert_array_equal(
        found,
        painted[1][np.floor(np.arange(50) / 2 + 0.5).astype(int)][:, np.floor(np.arange(40) / 2 + 0.5).astype(int)],
    )


def must_agree(viewer: ViewerModel, image: Image, labels: Labels) -> None:
    """Look labels up one pixel after the other, as napari's status bar does."""
    random = np.random.default_rng(0)
    hits = 0
    for frame in range(4 if image.ndim == 3 else 1):
        found = labels_on_frame(viewer, labels, image, frame)
        if image.ndim == 3:
            viewer.dims.set_point(0, float(image.data_to_world((frame, 0, 0))[0]))
        for row, column in random.integers(0, (50, 40), (60, 2)):
            place = (frame, row, column) if image.ndim == 3 else (row, column)
            ratio = np.ones(image.ndim)
            if viewer.dims.units is not None:  # napari's own look-up of a value does not convert
                ratio = (
                    np.array(
                        [float((1 * own).to(of).magnitude) for own, of in zip(image.units, labels.units, strict=True)]
                    )
                    if labels.ndim == image.ndim
                    else ratio
                )
            world = np.asarray(image.data_to_world(place)) * ratio
            inside = np.asarray(labels.world_to_data(world[-labels.ndim :]))
            if np.abs(inside - np.floor(inside) - 0.5).min() < 1e-6:
                continue  # on the border between two
            index = tuple(np.round(inside).astype(int))
            expected = (
                labels.data[index] if all(0 <= i < n for i, n in zip(index, labels.data.shape, strict=True)) else 0
            )
            assert found[row, column] == expected
            hits += bool(expected)
    assert hits > 5


def test_the_region_is_explained_where_it_is_drawn(
    session: ReviewSession, network: Network, frames: np.ndarray, finish: Finish
) -> None:
    image = session.viewer.add_image(frames, name="sweep", scale=(1, 0.5, 0.5))
    session.viewer.dims.set_current_step(0, 1)
    session.use(network)
    labels = session.viewer.add_labels(np.zeros((4, 96, 64), np.uint8), name="mine")
    labels.data[1, 10:20, 5:15] = 1  # in the world's pixels, which are two of the image's
    session.run(RunRequest(stages=("encoder_5",), region=labels), "current")
    finish(session)
    region = np.zeros((96, 64), bool)
    region[19:39, 9:29] = True
    expected = Explainer(network, stages=("encoder_5",))(frames[1], Target(region=region))
    layers = session.layers()
    assert layers is not None
    np.testing.assert_array_equal(layers.heatmaps["encoder_5"].data[1], expected.heatmaps["encoder_5"].values)
    assert "heat explains what is painted in mine" in session.view.of_frame
    labels.translate = (0, 1, 0)  # explained again
    finish(session)
    expected = Explainer(network, stages=("encoder_5",))(frames[1], Target(region=np.roll(region, 2, axis=0)))
    np.testing.assert_array_equal(layers.heatmaps["encoder_5"].data[1], expected.heatmaps["encoder_5"].values)
    assert image in session.choices.images()


def test_labels_with_more_axes_than_the_image_are_refused_in_words(
    session: ReviewSession, network: Network, frames: np.ndarray, messages: list[str]
) -> None:
    session.viewer.add_image(frames[0], name="still")
    session.use(network)
    labels = session.viewer.add_labels(np.zeros((4, 96, 64), np.uint8), name="volume")
    session.run(RunRequest(stages=("encoder_5",), region=labels), "current")
    assert "volume has 3 axes" in messages[-1]
    assert not session.is_busy
