from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.network.network import Network
from napari_segcam.viewer.layers import OURS, ExplanationLayers, fading_colormap

STAGES = ("encoder_3", "encoder_5", "decoder_3")


def explained(network: Network, frame: np.ndarray, stages: tuple[str, ...] = STAGES) -> Explanation:
    return Explainer(network, stages=stages)(frame)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def shown(viewer: ViewerModel, network: Network, image: Image, frame: int | None) -> ExplanationLayers:
    layers = ExplanationLayers(viewer, image)
    data = image.data if frame is None else image.data[frame]
    layers.begin(STAGES, "settings")
    layers.show(explained(network, np.asarray(data)), frame)
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


def test_frames_not_yet_computed_are_not_a_number(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 1)
    data = layers.heatmaps["encoder_5"].data
    assert np.isfinite(data[1]).all()
    assert np.isnan(data[[0, 2, 3]]).all()


@pytest.mark.parametrize(
    "placed",
    [
        {},
        {"scale": (1, 0.3, 0.2), "translate": (0, -7, 11), "units": ("pixel", "mm", "mm")},
        {"scale": (1, 0.3, 0.2), "translate": (0, 5, 5), "rotate": 30.0},
        {"affine": np.array([[1, 0, 0, 0], [0, 0.5, 0.1, 3], [0, 0, 2, 4], [0, 0, 0, 1.0]])},
    ],
)
def test_maps_and_mask_lie_on_the_frame(
    viewer: ViewerModel, network: Network, frames: np.ndarray, placed: dict[str, Any]
) -> None:
    image = viewer.add_image(frames, axis_labels=("t", "y", "x"), **placed)
    layers = shown(viewer, network, image, 0)
    assert layers.mask is not None
    for layer, stride in ((layers.mask, 1), (layers.heatmaps["encoder_3"], 8), (layers.heatmaps["encoder_5"], 32)):
        # The map's pixel (i, j) covers stride × stride frame pixels: their common centre must be its own.
        centre = np.array([2, 1 * stride + (stride - 1) / 2, 1 * stride + (stride - 1) / 2])
        np.testing.assert_allclose(layer.data_to_world((2, 1, 1)), image.data_to_world(centre), atol=1e-9)
        assert layer.units == image.units
        assert layer.axis_labels == image.axis_labels


def test_the_deepest_encoder_stage_is_shown_first_and_a_users_choice_is_kept(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    assert [name for name, layer in layers.heatmaps.items() if layer.visible] == ["encoder_5"]
    layers.heatmaps["encoder_5"].visible = False
    layers.heatmaps["decoder_3"].visible = True
    layers.show(explained(network, frames[1]), 1)
    assert [name for name, layer in layers.heatmaps.items() if layer.visible] == ["decoder_3"]


def test_the_outline_lies_on_top_and_the_selection_is_the_users(
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
    layers.begin(STAGES, "settings")
    layers.show(explained(network, frames[1]), 1)
    assert list(viewer.layers) == before
    assert np.isfinite(layers.heatmaps["encoder_5"].data[0]).all()


def test_other_settings_clear_what_was_shown(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    layers.begin(("encoder_5",), "other settings")
    assert list(layers.heatmaps) == ["encoder_5"]
    assert np.isnan(layers.heatmaps["encoder_5"].data).all()
    assert layers.mask is not None
    assert not layers.mask.data.any()


def test_layers_that_the_user_deleted_come_back_with_the_next_run(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    for layer in (layers.mask, layers.heatmaps["encoder_5"]):
        viewer.layers.remove(layer)
    layers.show(explained(network, frames[1]), 1)
    assert layers.mask is not None
    assert "encoder_5" in layers.heatmaps


def test_renamed_layers_are_still_ours(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    layers.heatmaps["encoder_5"].name = "where it looked"
    count = len(viewer.layers)
    layers.show(explained(network, frames[0]), 0)
    assert len(viewer.layers) == count


def test_two_images_have_layers_of_their_own(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    first = shown(viewer, network, viewer.add_image(frames), 0)
    second = shown(viewer, network, viewer.add_image(frames[:, ::-1]), 0)
    assert first.mask is not second.mask
    assert not set(first.heatmaps.values()) & set(second.heatmaps.values())


def test_opacity_and_colormap_act_on_all_stages_and_on_those_to_come(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    layers.set_opacity(0.25)
    layers.set_colormap("viridis")
    viewer.layers.remove(layers.heatmaps["encoder_3"])
    layers.show(explained(network, frames[0]), 0)
    assert {layer.opacity for layer in layers.heatmaps.values()} == {0.25}
    assert {layer.colormap.name for layer in layers.heatmaps.values()} == {"segcam viridis"}


def test_contrast_limits_run_from_zero_to_the_peak_of_the_clip(
    viewer: ViewerModel, network: Network, frames: np.ndarray
) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    layers.show(explained(network, frames[1]), 1)
    for layer in layers.heatmaps.values():
        layer.visible = True
        peak = np.nanmax(layer.data)
        assert peak > 0
        assert layer.contrast_limits == pytest.approx([0, peak])


def test_one_class_alone_can_be_shown(viewer: ViewerModel, three_classes: Network, frames: np.ndarray) -> None:
    image = viewer.add_image(frames)
    layers = ExplanationLayers(viewer, image)
    explanation = explained(three_classes, frames[0], ())
    assert set(np.unique(explanation.mask)) >= {1, 2}
    layers.only_label = 2
    layers.begin(None, "settings")
    layers.show(explanation, 0)
    assert layers.mask is not None
    np.testing.assert_array_equal(layers.mask.data[0], np.where(explanation.mask == 2, 2, 0))


def test_where_there_is_no_heat_nothing_veils_the_image() -> None:
    alpha = fading_colormap("turbo").map(np.linspace(0, 1, 11))[:, 3]
    assert alpha[0] == 0
    assert alpha[-1] == 1
    assert (np.diff(alpha) >= 0).all()


def test_our_layers_are_known_by_metadata(viewer: ViewerModel, network: Network, frames: np.ndarray) -> None:
    layers = shown(viewer, network, viewer.add_image(frames), 0)
    assert all(OURS in layer.metadata for layer in (layers.mask, *layers.heatmaps.values()))
