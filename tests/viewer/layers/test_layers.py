"""The layers of an explanation: masks, heatmaps and corrections on an image layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.network.network import Network
from napari_segcam.viewer.drawing.colormaps import heat_colormap, signed_colormap
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.explanation_layers import ExplanationLayers
from napari_segcam.viewer.layers.placement import OURS

STAGES = ("encoder_3", "encoder_5", "decoder_3")


def explained(network: Network, frame: np.ndarray, stages: tuple[str, ...] = STAGES) -> Explanation:
    return Explainer(network, stages=stages)(frame)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


class FilledLayers(ExplanationLayers):
    """Layers that the test fills with explanations, as a review does with its results."""

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        super().__init__(viewer, image)
        self.explanations: dict[int, Explanation] = {}

    def start(self, stages: tuple[str, ...] = STAGES) -> None:
        self.begin(
            stages,
            lambda stage, frame: self.explanations[frame].heatmaps[stage] if frame in self.explanations else None,
        )

    def show(self, explanation: Explanation, frame: int | None) -> None:
        self.explanations[frame or 0] = explanation
        masks, classes = [SparseMask.from_labels(explanation.mask)], len(explanation.class_names)
        self.enter(frame or 0, masks, explanation.frame_shape, classes, dict(explanation.heatmaps))
        self.refresh()


def shown(viewer: ViewerModel, network: Network, image: Image, frame: int | None) -> FilledLayers:
    layers = FilledLayers(viewer, image)
    layers.start()
    layers.show(explained(network, np.asarray(image.data if frame is None else image.data[frame])), frame)
    return layers


@pytest.mark.parametrize(
    ("shape", "frame", "lead"),
    [
        ((96, 64), None, ()),
        ((96, 64, 3), None, ()),
        ((96, 64, 4), None, ()),
        ((4, 96, 64), 2, (4,)),
        ((4, 96, 64, 3), 2, (4,)),
    ],
)
def test_every_kind_of_image_gets_a_uint8_mask_and_a_map_per_stage(
    viewer: ViewerModel, network: Network, shape: tuple[int, ...], frame: int | None, lead: tuple[int, ...]
) -> None:
    image = viewer.add_image(np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8))
    layers = shown(viewer, network, image, frame)
    assert layers.mask is not None
    assert layers.mask.data.dtype == np.uint8
    assert layers.mask.data.shape == (*lead, 96, 64)
    assert list(layers.heatmaps) == list(STAGES)
    assert layers.heatmaps["encoder_5"].data.shape == (*lead, 3, 2)
    assert layers.heatmaps["decoder_3"].data.shape == (*lead, 48, 32)


def test_frames_that_are_not_computed_are_nan(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 1)
    data = np.asarray(layers.heatmaps["encoder_5"].data)
    assert np.isfinite(data[1]).all()
    assert np.isnan(data[[0, 2, 3]]).all()


@pytest.mark.parametrize(
    "transform",
    [
        {},
        {"scale": (1, 0.3, 0.2), "translate": (0, -7, 11), "units": ("pixel", "mm", "mm")},
        {"scale": (1, 0.3, 0.2), "translate": (0, 5, 5), "rotate": 30.0},
        {"affine": np.array([[1, 0, 0, 0], [0, 0.5, 0.1, 3], [0, 0, 2, 4], [0, 0, 0, 1.0]])},
    ],
)
def test_maps_and_mask_are_aligned_with_the_frame(
    viewer: ViewerModel, network: Network, frames: np.ndarray, transform: dict[str, Any]
) -> None:
    image = viewer.add_image(frames, axis_labels=("t", "y", "x"), **transform)
    layers = shown(viewer, network, image, 0)
    assert layers.mask is not None
    for layer, stride in ((layers.mask, 1), (layers.heatmaps["encoder_3"], 8), (layers.heatmaps["encoder_5"], 32)):
        # A pixel of the map covers stride × stride pixels of the frame and has the same center.
        center = np.array([2, 1 * stride + (stride - 1) / 2, 1 * stride + (stride - 1) / 2])
        np.testing.assert_allclose(layer.data_to_world((2, 1, 1)), image.data_to_world(center), atol=1e-9)
        assert layer.units == image.units
        assert layer.axis_labels == image.axis_labels


def test_the_deepest_encoder_stage_is_shown_first_and_the_users_choice_is_kept(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    assert [name for name, layer in layers.heatmaps.items() if layer.visible] == ["encoder_5"]
    layers.heatmaps["encoder_5"].visible = False
    layers.heatmaps["decoder_3"].visible = True
    layers.show(explained(network, frames[1]), 1)
    assert [name for name, layer in layers.heatmaps.items() if layer.visible] == ["decoder_3"]


def test_the_outline_is_on_top_and_the_selection_does_not_change(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    image = viewer.add_image(frames)
    viewer.layers.selection = {image}
    layers = shown(viewer, network, image, 0)
    assert viewer.layers[-1] is layers.mask
    assert set(viewer.layers.selection) == {image}


def test_running_again_uses_the_same_layers(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    before = list(viewer.layers)
    layers.start()
    layers.show(explained(network, frames[1]), 1)
    assert list(viewer.layers) == before
    assert np.isfinite(layers.heatmaps["encoder_5"].data[0]).all()


def test_other_settings_show_other_results_or_none(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    layers.explanations.clear()
    layers.start(("encoder_5",))
    assert list(layers.heatmaps) == ["encoder_5"]
    assert np.isnan(np.asarray(layers.heatmaps["encoder_5"].data)).all()


def test_corrections_are_in_a_layer_of_their_own_and_outlast_the_mask(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    layers = shown(viewer, network, viewer.add_image(frames, name="sweep"), 0)
    layers.show(explained(network, frames[1]), 1)
    mask, predicted = layers.mask, explained(network, frames[1]).mask
    assert mask is not None
    assert layers.corrections.layer is None
    mask.data_setitem((np.array([1]), np.array([5]), np.array([7])), 3)
    expected = predicted.copy()
    expected[5, 7] = 3
    correction = layers.corrections.layer
    assert correction is not None
    assert correction.name == "sweep correction"
    assert layers.corrections.frames == {1}
    np.testing.assert_array_equal(mask.data[1], predicted)
    np.testing.assert_array_equal(correction.data[1], expected)
    layers.masks.erase(0)
    layers.masks.erase(1)
    assert not mask.data.any()
    layers.show(explained(network, frames[2]), 1)
    np.testing.assert_array_equal(mask.data[1], explained(network, frames[2]).mask)
    np.testing.assert_array_equal(correction.data[1], expected)
    layers.corrections.discard(1)
    assert not correction.data.any()
    assert layers.corrections.frames == set()


@pytest.mark.slow
def test_layers_follow_an_image_that_is_moved(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    image = viewer.add_image(frames)
    layers = shown(viewer, network, image, 0)
    image.scale, image.translate, image.rotate = (1, 0.3, 0.2), (0, 7, -4), 20.0
    assert layers.mask is not None
    np.testing.assert_allclose(layers.mask.data_to_world((2, 3, 4)), image.data_to_world((2, 3, 4)), atol=1e-9)
    center = image.data_to_world((2, 1 * 32 + 15.5, 1 * 32 + 15.5))
    np.testing.assert_allclose(layers.heatmaps["encoder_5"].data_to_world((2, 1, 1)), center, atol=1e-9)


@pytest.mark.slow
def test_layers_that_the_user_deleted_come_back_with_the_next_run(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    for layer in (layers.mask, layers.heatmaps["encoder_5"]):
        viewer.layers.remove(layer)
    layers.show(explained(network, frames[1]), 1)
    assert layers.mask is None
    assert "encoder_5" not in layers.heatmaps
    layers.start()
    layers.show(explained(network, frames[1]), 1)
    assert layers.mask is not None
    assert "encoder_5" in layers.heatmaps


def test_renamed_layers_are_still_ours(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    layers.heatmaps["encoder_5"].name = "where it looked"
    count = len(viewer.layers)
    layers.show(explained(network, frames[0]), 0)
    assert len(viewer.layers) == count


@pytest.mark.slow
def test_two_images_have_layers_of_their_own(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    first = shown(viewer, network, viewer.add_image(frames), 0)
    second = shown(viewer, network, viewer.add_image(frames[:, ::-1]), 0)
    assert first.mask is not second.mask
    assert not set(first.heatmaps.values()) & set(second.heatmaps.values())


@pytest.mark.slow
def test_opacity_and_colormap_act_on_all_stages_and_on_later_ones(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    layers.style("viridis", 0.25, 0)
    viewer.layers.remove(layers.heatmaps["encoder_3"])
    layers.start()
    layers.show(explained(network, frames[0]), 0)
    assert {layer.opacity for layer in layers.heatmaps.values()} == {0.25}
    assert len(layers.heatmaps) == len(STAGES)
    assert {layer.colormap.name for layer in layers.heatmaps.values()} == {"segcam viridis 0"}


def test_colors_are_scaled_to_all_frames_or_to_each_frame(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    layers.show(explained(network, frames[1] // 4), 1)
    peaks = {name: [np.max(layers.heatmaps[name].data[frame]) for frame in (0, 1)] for name in STAGES}
    for name, layer in layers.heatmaps.items():
        layer.visible = True
        assert min(peaks[name]) > 0
        assert layer.contrast_limits == pytest.approx([0, max(peaks[name])])
    layers.set_scale("frame")
    for frame in (1, 0):
        layers.heat.look_at(frame)
        for name, layer in layers.heatmaps.items():
            assert layer.contrast_limits == pytest.approx([0, peaks[name][frame]])


def test_one_class_alone_can_be_shown(viewer: ViewerModel, three_classes: Network, frames: np.ndarray) -> None:
    image = viewer.add_image(frames)
    layers = FilledLayers(viewer, image)
    explanation = explained(three_classes, frames[0], ())
    assert set(np.unique(explanation.mask)) >= {1, 2}
    layers.masks.show_only(2)
    layers.start(())
    layers.show(explanation, 0)
    assert layers.mask is not None
    np.testing.assert_array_equal(layers.mask.data[0], np.where(explanation.mask == 2, 2, 0))
    layers.masks.show_only(None)
    np.testing.assert_array_equal(layers.mask.data[0], explanation.mask)


def test_no_heat_is_transparent() -> None:
    alpha = heat_colormap("turbo", 0).map(np.linspace(0, 1, 11))[:, 3]
    assert alpha[0] == 0
    assert alpha[-1] == 1
    assert (np.diff(alpha) >= 0).all()


def test_heat_below_the_heat_threshold_is_not_drawn() -> None:
    heat = np.linspace(0, 1, 11)
    np.testing.assert_array_equal(heat_colormap("turbo", 0.35).map(heat)[:, 3] > 0, heat > 0.35)
    signed = np.linspace(-1, 1, 21)
    np.testing.assert_array_equal(signed_colormap(0.35).map((signed + 1) / 2)[:, 3] > 0, np.abs(signed) > 0.35)


def test_our_layers_are_marked_in_their_metadata(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    assert all(OURS in layer.metadata for layer in (layers.mask, *layers.heatmaps.values()))
