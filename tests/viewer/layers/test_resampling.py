"""Regions painted in a Labels layer are explained where napari draws them, for any transform of the two layers."""

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
TRANSFORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
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
    """Return labels of four frames, different in each and without symmetry."""
    return np.random.default_rng(3).integers(0, 3, (4, 60, 64), dtype=np.uint8)


@pytest.mark.parametrize("transforms", TRANSFORMS)
def test_each_pixel_has_the_label_that_napari_shows_there(transforms: str, painted: np.ndarray) -> None:
    viewer = ViewerModel()
    image_transform, labels_transform = TRANSFORMS[transforms]
    image = viewer.add_image(np.zeros((4, 50, 40), np.uint8), **image_transform)
    labels = viewer.add_labels(painted, **labels_transform)
    check_labels(viewer, image, labels)


def test_labels_without_time_apply_to_every_frame(painted: np.ndarray) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 50, 40), np.uint8), scale=(1, 0.5, 0.5))
    check_labels(viewer, image, viewer.add_labels(painted[0], translate=(3, 2)))


def test_labels_of_a_color_still_and_at_several_scales(painted: np.ndarray) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((50, 40, 3), np.uint8), scale=(0.5, 0.5), rgb=True)
    check_labels(viewer, image, viewer.add_labels(painted[0], scale=(0.4, 0.6)))
    multiscale = viewer.add_labels([painted[1], painted[1][::2, ::2]], multiscale=True)
    resampled = labels_on_frame(viewer, multiscale, image, 0)
    np.testing.assert_array_equal(
        resampled,
        painted[1][np.floor(np.arange(50) / 2 + 0.5).astype(int)][:, np.floor(np.arange(40) / 2 + 0.5).astype(int)],
    )


def check_labels(viewer: ViewerModel, image: Image, labels: Labels) -> None:
    """Check labels pixel by pixel, as napari's status bar looks them up."""
    random = np.random.default_rng(0)
    hits = 0
    for frame in range(4 if image.ndim == 3 else 1):
        resampled = labels_on_frame(viewer, labels, image, frame)
        if image.ndim == 3:
            viewer.dims.set_point(0, float(image.data_to_world((frame, 0, 0))[0]))
        for row, column in random.integers(0, (50, 40), (60, 2)):
            index = (frame, row, column) if image.ndim == 3 else (row, column)
            ratio = np.ones(image.ndim)
            if viewer.dims.units is not None:  # napari's own look-up of a value does not convert
                ratio = (
                    np.array(
                        [
                            float((1 * unit).to(target).magnitude)
                            for unit, target in zip(image.units, labels.units, strict=True)
                        ]
                    )
                    if labels.ndim == image.ndim
                    else ratio
                )
            world = np.asarray(image.data_to_world(index)) * ratio
            point = np.asarray(labels.world_to_data(world[-labels.ndim :]))
            if np.abs(point - np.floor(point) - 0.5).min() < 1e-6:
                continue  # on the border between two pixels
            label_index = tuple(np.round(point).astype(int))
            expected = (
                labels.data[label_index]
                if all(0 <= i < n for i, n in zip(label_index, labels.data.shape, strict=True))
                else 0
            )
            assert resampled[row, column] == expected
            hits += bool(expected)
    assert hits > 5


@pytest.mark.slow
def test_the_region_is_explained_where_it_is_drawn(
    session: ReviewSession, network: Network, frames: np.ndarray, finish: Finish
) -> None:
    image = session.viewer.add_image(frames, name="sweep", scale=(1, 0.5, 0.5))
    session.viewer.dims.set_current_step(0, 1)
    session.use(network)
    labels = session.viewer.add_labels(np.zeros((4, 96, 64), np.uint8), name="mine")
    labels.data[1, 10:20, 5:15] = 1  # in world pixels; each is two pixels of the image
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


def test_labels_with_more_axes_than_the_image_are_refused_with_a_message(
    session: ReviewSession, network: Network, frames: np.ndarray, messages: list[str]
) -> None:
    session.viewer.add_image(frames[0], name="still")
    session.use(network)
    labels = session.viewer.add_labels(np.zeros((4, 96, 64), np.uint8), name="volume")
    session.run(RunRequest(stages=("encoder_5",), region=labels), "current")
    assert "volume has 3 axes" in messages[-1]
    assert not session.is_busy
