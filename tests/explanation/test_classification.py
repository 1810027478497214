"""Networks that classify the whole frame: a class's score is explained, and the reason for no mask is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.evidence.attention import attention
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.targets.region import Pixel
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.reporting.exports import write_explanation

FRAME = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
CLASSES = ("normal", "fibroid", "polyp")


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=3).double()
    for name, buffer in network.named_buffers():  # untrained statistics would let the activations grow
        if name.endswith("running_var"):
            buffer.uniform_(1.0, 3.0)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network(module: nn.Module) -> Network:
    return Network.from_module(module, ModelCard(normalization="unit", class_names=CLASSES), device="cpu")


@pytest.mark.parametrize("layer", ["layer2.1.conv2", "layer4", "relu"])
@pytest.mark.parametrize(("method", "reference"), [("gradcam", GradCAM), ("gradcam++", GradCAMPlusPlus)])
def test_maps_of_a_class_score_are_those_of_grad_cam(
    method: str, reference: Any, layer: str, module: nn.Module, network: Network
) -> None:
    explanation = Explainer(network, method, [layer])(FRAME, Target(class_index=2))
    x = torch.from_numpy(FRAME).permute(2, 0, 1)[None].float().div(255).double()  # frames are float32 at first
    cam = reference(model=module.requires_grad_(True), target_layers=[module.get_submodule(layer)])
    expected = cam(input_tensor=x, targets=[ClassifierOutputTarget(2)])[0]
    cam.activations_and_grads.release()
    module.requires_grad_(False)
    assert expected.max() > 0.99
    np.testing.assert_allclose(explanation.heatmaps[layer].on_frame(), expected, atol=2e-5)


def test_there_is_no_mask_and_a_reason(network: Network) -> None:
    explanation = Explainer(network, stages=[])(FRAME)
    assert explanation.no_mask == "the network classifies the whole frame: it gives no mask"
    assert explanation.mask.shape == (64, 96)
    assert not explanation.mask.any()
    assert list(explanation.class_probabilities) == list(CLASSES)
    assert sum(explanation.class_probabilities.values()) == pytest.approx(1)


def test_the_likeliest_class_is_explained_by_default(network: Network) -> None:
    explainer = Explainer(network, stages=["encoder_last"])
    explanation = explainer(FRAME)
    probabilities = explanation.class_probabilities
    likeliest = max(probabilities, key=probabilities.__getitem__)
    assert CLASSES[explanation.target.class_index or 0] == likeliest
    named = explainer(FRAME, Target(CLASSES.index(likeliest), region="image"))
    assert np.array_equal(explanation.heatmaps["encoder_5"].values, named.heatmaps["encoder_5"].values)


def test_figures_that_need_a_region_are_undefined(network: Network) -> None:
    figures = attention(Explainer(network, stages=["encoder_last"])(FRAME))["encoder_5"]
    assert figures.ratio is None
    assert figures.undefined == "the region is the whole frame"


@pytest.mark.slow
def test_several_frames_and_slow_methods_work_as_for_masks(network: Network) -> None:
    frames = [FRAME, FRAME[::-1].copy()]
    together = list(Explainer(network, stages=["encoder_2"]).each(frames, Target(1), batch=2))
    for frame, explanation in zip(frames, together, strict=True):
        alone = Explainer(network, stages=["encoder_2"])(frame, Target(1))
        np.testing.assert_allclose(
            explanation.heatmaps["encoder_2"].values, alone.heatmaps["encoder_2"].values, rtol=1e-4, atol=1e-9
        )
    assert Explainer(network, "ablationcam", ["encoder_1"])(FRAME, Target(1)).heatmaps["encoder_1"].values.shape == (
        32,
        48,
    )


def test_a_region_is_refused_for_a_single_score(network: Network) -> None:
    explainer = Explainer(network, stages=[])
    for region in (Pixel(1, 1), np.ones((64, 96), bool)):
        with pytest.raises(SegcamError, match="one score for the whole frame: there is no region"):
            explainer(FRAME, Target(1, region))


def test_an_export_has_the_probability_of_each_class(network: Network, tmp_path: Path) -> None:
    write_explanation(tmp_path, FRAME, Explainer(network, stages=["encoder_last"])(FRAME))
    record = json.loads((tmp_path / "explanation.json").read_text(encoding="utf-8"))
    assert list(record["class_probabilities"]) == list(CLASSES)
    assert "mask_pixels" not in record
