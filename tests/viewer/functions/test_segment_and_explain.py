"""``segment`` and ``explain``: the workspace's numbers, in every form that an image can have."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer

import napari_segcam as sc
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.network.network import Network
from napari_segcam.viewer.review.session import ReviewSession

HEADLESS = """
import sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6"):
            raise ImportError(name)

sys.meta_path.insert(0, NoQt())
import napari_segcam as sc
assert "napari" not in sys.modules
import numpy as np
frames = np.arange(2 * 64 * 64, dtype=np.uint16).reshape(2, 64, 64)
import torch
network = sc.Network.from_module(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, 1, 1)))
assert sc.segment(frames, network).shape == (2, 64, 64)
assert [data.shape for data, _, _ in sc.explain(frames[0], network, stages="0")] == [(64, 64)]
"""


def layer_of(made: Any) -> Layer:
    return Layer.create(*made)


def test_numbers_equal_those_of_the_workspace(reviewed: ReviewSession, network: Network) -> None:
    image, layers = reviewed.image, reviewed.layers()
    assert layers is not None
    ((data, attributes, kind),) = sc.explain(image, network, stages=["encoder_5"])
    theirs = layers.heatmaps["encoder_5"]
    assert kind == "image"
    np.testing.assert_array_equal(data, np.asarray(theirs.data))
    assert theirs.mode == layer_of((data, attributes, kind)).mode
    for name in ("scale", "translate", "rotate", "units", "axis_labels", "opacity", "blending", "interpolation2d"):
        np.testing.assert_array_equal(getattr(layer_of((data, attributes, kind)), name), getattr(theirs, name))
    assert attributes["colormap"] == theirs.colormap
    assert layers.mask is not None
    np.testing.assert_array_equal(sc.segment(image, network), layers.mask.data)


@pytest.mark.slow
def test_shapes_follow_the_image(network: Network, frames: np.ndarray) -> None:
    color = np.stack([frames] * 4, axis=-1)
    for image, shape in ((frames[0], (96, 64)), (frames[:1], (1, 96, 64)), (color[0], (96, 64)), (color, (4, 96, 64))):
        labels = sc.segment(image, network)
        assert (labels.shape, labels.dtype) == (shape, np.uint8)
        ((data, _, _),) = sc.explain(image, network, stages="encoder_last")
        assert data.shape == (*shape[:-2], 3, 2)
    np.testing.assert_array_equal(sc.segment(color, network), sc.segment(frames, network))


def test_heat_is_placed_where_its_pixels_are(network: Network, frames: np.ndarray) -> None:
    image = Image(frames, scale=(2, 0.4, 0.2), translate=(5, -7, 11), rotate=30, units=("s", "mm", "mm"))
    heat = layer_of(sc.explain(image, network, stages="encoder_3")[0])
    assert heat.data.shape == (4, 24, 8)  # the network sees the frame in its true shape, 192 by 64
    for frame, row, column in ((0, 0, 0), (3, 2, 5)):
        center = (frame, (row + 0.5) * 4 - 0.5, (column + 0.5) * 8 - 0.5)
        np.testing.assert_allclose(heat.data_to_world((frame, row, column)), image.data_to_world(center), atol=1e-9)
    assert heat.units == image.units


def test_a_cine_with_known_spacing_is_placed_as_its_reader_shows_it(network: Network, frames: np.ndarray) -> None:
    from napari_segcam.imaging.cine import ArrayCine
    from napari_segcam.viewer.layers.cine_layer_data import layer_data

    cine = ArrayCine(frames, spacing_mm=(0.4, 0.4))
    heat = layer_of(sc.explain(cine, network, stages="encoder_last")[0])
    image = layer_of(layer_data(cine))
    assert (heat.units, heat.axis_labels) == (image.units, image.axis_labels)
    np.testing.assert_allclose(heat.data_to_world((1, 0, 0)), image.data_to_world((1, 15.5, 15.5)))


def test_each_class_has_its_number(three_classes: Network, frames: np.ndarray) -> None:
    labels = sc.segment(frames, three_classes)
    assert set(np.unique(labels)) == {0, 1, 2}
    only = sc.segment(frames, three_classes, class_name=2)
    np.testing.assert_array_equal(only, np.where(labels == 2, 2, 0))
    np.testing.assert_array_equal(sc.segment(frames, three_classes, class_name="2"), only)
    with pytest.raises(sc.SegcamError, match="This network has no class cyst"):
        sc.segment(frames, three_classes, class_name="cyst")


def test_overlapping_classes_are_asked_for_one_at_a_time(overlapping: Network, frames: np.ndarray) -> None:
    with pytest.raises(sc.SegcamError, match=r"overlap.*choose a class \(cyst, wall\)"):
        sc.segment(frames, overlapping)
    masks = [sc.segment(frames, overlapping, class_name=name).astype(bool) for name in ("cyst", "wall")]
    result = sc.Explainer(overlapping, stages=())(frames[1])
    np.testing.assert_array_equal([mask[1] for mask in masks], result.masks)
    assert (masks[0] & masks[1]).any()


@pytest.mark.slow
def test_threshold_and_region_are_used(network: Network, frames: np.ndarray) -> None:
    usual, strict = sc.segment(frames, network), sc.segment(frames, network, threshold=0.6)
    assert 0 < strict.sum() < usual.sum()
    drawn = np.zeros(frames.shape, np.uint8)
    drawn[:, 10:20, 20:30] = 1
    by_array, by_layer, one = (
        sc.explain(frames, network, stages="encoder_3", region=region)[0][0]
        for region in (drawn.astype(bool), Labels(drawn), drawn[0].astype(bool))
    )
    np.testing.assert_array_equal(by_array, by_layer)
    np.testing.assert_array_equal(by_array, one)
    whole = sc.explain(frames, network, stages="encoder_3", region="image")[0][0]
    assert not np.array_equal(by_array, whole)
    with pytest.raises(sc.SegcamError, match=r"pixels of the shape \(96, 64\)"):
        sc.explain(frames, network, region=np.ones((5, 5), bool))


def test_the_scan_alone_can_be_seen(network: Network) -> None:
    screen = np.zeros((2, 128, 128), np.uint8)
    screen[:, 30:110, 20:100] = np.random.default_rng(0).integers(40, 200, (2, 80, 80))
    everything, scan = (sc.segment(screen, network, input_region=region) for region in ("all", "scan"))
    assert not np.array_equal(everything, scan)
    assert not scan[:, :20].any()
    with pytest.raises(sc.SegcamError, match="choose 'all' or 'scan'"):
        sc.segment(screen, network, input_region="half")


def test_empty_maps_say_why(network: Network, frames: np.ndarray) -> None:
    with pytest.warns(UserWarning, match=f"There is no heat at encoder_4, encoder_5: {Reason.EMPTY_REGION.value}"):
        made = sc.explain(frames, network, stages="encoder_4, encoder_5", threshold=0.99)
    for data, attributes, _ in made:
        assert not data.any()
        assert attributes["contrast_limits"] == (0, 1)
        assert attributes["metadata"]["segcam"]["reasons"] == dict.fromkeys(range(4), Reason.EMPTY_REGION.value)


def test_the_deepest_encoder_stage_is_shown_first(network: Network, frames: np.ndarray) -> None:
    made = sc.explain(frames[0], network)
    assert [a["metadata"]["segcam"]["explained"] for _, a, _ in made] == [s.name for s in network.select("main")]
    assert [a["metadata"]["segcam"]["explained"] for _, a, _ in made if a["visible"]] == ["encoder_5"]
    signed = sc.explain(frames[0], network, stages="encoder_5", method="gradcam_signed")[0][1]
    assert signed["contrast_limits"][0] == -signed["contrast_limits"][1]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"stages": "encoder_9"}, "encoder_9"),
        ({"method": "heatwave"}, "heatwave"),
        ({"threshold": 1.5}, "between 0 and 1"),
        ({"region": "tumor"}, "There is no region 'tumor'"),
        ({"class_name": "tumor"}, "has no class tumor"),
    ],
)
def test_wrong_choices_are_refused_in_words(network: Network, choice: dict[str, Any], words: str) -> None:
    with pytest.raises(sc.SegcamError, match=words):
        sc.explain(np.zeros((64, 64), np.uint8), network, **choice)


@pytest.mark.slow
def test_no_window_is_needed() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", HEADLESS], check=True, timeout=120)
