"""Which images run in tiles."""

from __future__ import annotations

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.tiles import rule
from napari_segcam.explanation.tiles.layout import TileLayout
from napari_segcam.explanation.tiles.rule import bytes_per_pixel, tiles_for
from napari_segcam.network.model_card import make_card
from napari_segcam.network.network import Network


def network_of(**size: object) -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))
    card = make_card({"input_channels": 1, "normalization": "unit", "size": size or {"rule": "pad"}})
    return Network.from_module(module, card, device="cpu")


def test_feature_maps_are_counted() -> None:
    # Two maps of 4 channels and one of 1 channel, in float32.
    assert bytes_per_pixel(network_of()) == 4 * (4 + 4 + 1)


def test_an_image_beyond_the_budget_runs_in_tiles_and_a_smaller_one_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "PASS_BYTES", 36 * 1500 * 1500)
    network = network_of()
    assert tiles_for(network, (1500, 1500)) is None
    layout = tiles_for(network, (1500, 1501))
    assert layout is not None
    assert layout.input_shape == (1500, 1501)
    assert max(layout.tile_shape) <= 1024
    assert 3 * 36 * layout.tile_shape[0] * layout.tile_shape[1] <= 36 * 1500 * 1500
    assert "GB" in layout.reason


def test_a_resized_image_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "PASS_BYTES", 1)
    assert tiles_for(network_of(rule="resize", height=256, width=256), (256, 256)) is None


def test_automatic_tiles_give_the_probabilities_of_the_whole_image(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of()
    frame = np.random.default_rng(0).integers(0, 256, (150, 210)).astype(np.uint8)
    whole = sc.Explainer(network, "layercam")(frame, sc.Target(0, "image"))
    monkeypatch.setattr(rule, "PASS_BYTES", 36 * 4 * 64**2)
    monkeypatch.setattr(rule, "_BY_MEMORY_SIDE", 64)
    parts = sc.Explainer(network, "layercam")(frame, sc.Target(0, "image"))
    assert parts.runs_in_tiles
    assert not whole.runs_in_tiles
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=0.01)
    for name, heatmap in whole.heatmaps.items():
        assert np.abs(parts.heatmaps[name].values - heatmap.values).max() <= 0.02 * heatmap.values.max()


def test_too_many_tiles_are_refused() -> None:
    with pytest.raises(SegcamError, match="more than 16,384"):
        TileLayout((8192, 4096), (16, 16), 0.5, "")


def test_a_classifier_cannot_run_in_tiles() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    card = make_card({"input_channels": 1, "size": {"rule": "tiles", "height": 64, "width": 64}})
    network = Network.from_module(module, card, device="cpu")
    with pytest.raises(SegcamError, match="one score for the whole image"):
        sc.Explainer(network)(np.zeros((100, 100), np.uint8))
    with pytest.raises(SegcamError, match="cannot run in tiles"):
        network.with_tiles(64)


def test_tiles_must_fit_the_stride() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1), nn.Upsample(scale_factor=4))
    network = Network.from_module(module, make_card({"input_channels": 1}), device="cpu")
    with pytest.raises(SegcamError, match="multiples of 4"):
        network.with_tiles(62)


class Gated(nn.Module):
    """A network with squeeze-and-excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Conv2d(4, 4, 1)
        self.last = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).relu()
        return self.last(x * self.gate(self.pool(x)).sigmoid())


def test_layers_that_look_at_all_of_the_image_are_a_caution() -> None:
    card = make_card(
        {"input_channels": 1, "normalization": "unit", "size": {"rule": "tiles", "height": 64, "width": 64}}
    )
    gated = Network.from_module(Gated(), card, device="cpu")
    frame = np.random.default_rng(0).integers(0, 256, (96, 128)).astype(np.uint8)
    result = sc.Explainer(gated)(frame)
    assert "can differ from those of the whole image" in result.provenance["tiles"]["caution"]
    plain = network_of(rule="tiles", height=64, width=64)
    assert sc.Explainer(plain)(frame).provenance["tiles"]["caution"] == ""


@pytest.mark.parametrize(("architecture", "expected"), [("Unet", False), ("PSPNet", True), ("Segformer", True)])
def test_known_networks_with_and_without_such_layers(architecture: str, expected: bool) -> None:
    encoder = "mit_b0" if architecture == "Segformer" else "resnet18"
    module = smp.create_model(architecture, encoder, encoder_weights=None, classes=1)
    assert rule.looks_at_all(Network.from_module(module, device="cpu")) is expected
