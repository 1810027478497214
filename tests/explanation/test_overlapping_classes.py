"""Overlapping classes with a sigmoid each, such as an organ and its lesion, from probabilities to heatmaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import napari_segcam as sc
from napari_segcam.explanation.targets.classes import class_mask, label_mask
from napari_segcam.network.model_card import ModelCard

CARD = ModelCard(input_channels=1, normalization="unit", classes_overlap=True, class_names=("organ", "lesion", "wall"))
FRAME = np.random.default_rng(5).random((32, 64), dtype=np.float32)
SLOPES, BIASES = (10.0, 10.0, -10.0), (-3.0, -6.0, 2.0)  # above 0.3, above 0.6 and below 0.2


class Nested(nn.Module):
    """Network with an organ where the frame is above 0.3, its lesion above 0.6, and a wall below 0.2."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Tanh())
        self.head = nn.Conv2d(2, 3, 1)
        for layer, weight, bias in (
            (self.stem[0], [[1e-3], [-1e-3]], [0.0, 1e-3]),
            (self.head, [[1e3 * slope, 0.0] for slope in SLOPES], BIASES),
        ):
            layer.weight = nn.Parameter(torch.tensor(weight).reshape(layer.weight.shape))
            layer.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stem(x))


@pytest.fixture(scope="module")
def network() -> sc.Network:
    return replace(sc.Network.from_module(Nested(), CARD, "cpu"), stride=32)


def sigmoids(frame: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute the probabilities by their formula: ``(3, Y, X)``."""
    logits = [slope * frame.astype(np.float64) + bias for slope, bias in zip(SLOPES, BIASES, strict=True)]
    return 1 / (1 + np.exp(-np.stack(logits)))


def test_each_class_has_its_own_probability_and_mask(network: sc.Network) -> None:
    assert (network.classes_overlap, network.has_background) == (True, False)
    result = sc.Explainer(network, stages=())(FRAME)
    np.testing.assert_allclose(result.probabilities, sigmoids(FRAME), atol=1e-4)
    expected = np.stack([FRAME > 0.3, FRAME > 0.6, FRAME < 0.2])
    np.testing.assert_array_equal(result.masks, expected)
    assert (expected[0] & expected[1]).any(), "they overlap"
    assert result.target.class_index == 0, "there is no background to leave out"
    np.testing.assert_array_equal(result.target_mask, FRAME > 0.3)
    np.testing.assert_array_equal(result.region, FRAME > 0.3)


def test_one_label_for_each_pixel_is_the_likeliest_above_the_threshold(network: sc.Network) -> None:
    mask = sc.Explainer(network, stages=())(FRAME).mask
    np.testing.assert_array_equal(mask, np.select([FRAME > 0.3, FRAME < 0.2], [1, 3], 0))
    rng = np.random.default_rng(0)
    probabilities = rng.random((4, 5, 6), dtype=np.float32)
    labels = label_mask(probabilities, 0.7, overlap=True)
    for y, x in np.ndindex(5, 6):
        values = probabilities[:, y, x]
        assert labels[y, x] == (values.argmax() + 1 if values.max() > 0.7 else 0)


@pytest.mark.parametrize("threshold", [0.1, 0.9])
def test_every_class_is_cut_at_the_threshold(network: sc.Network, threshold: float) -> None:
    result = sc.Explainer(network, stages=(), threshold=threshold)(FRAME, sc.Target(1))
    usual = sc.Explainer(network, stages=())(FRAME).segmentation
    for index, class_mask_ in enumerate(sigmoids(FRAME) > threshold):
        np.testing.assert_array_equal(result.masks[index], class_mask_)
        np.testing.assert_array_equal(usual.class_mask(index, threshold), class_mask_)
    np.testing.assert_array_equal(result.region, sigmoids(FRAME)[1] > threshold)


def test_outside_the_crop_no_class_is_found(network: sc.Network) -> None:
    dark = np.zeros((32, 64), np.float32)
    result = sc.Explainer(network, stages=())(dark, value_range=(0, 1), crop=(slice(0, 32), slice(8, 40)))
    inside = np.zeros((32, 64), bool)
    inside[:, 8:40] = True
    np.testing.assert_array_equal(result.masks[2], inside)
    assert not result.probabilities[:, ~inside].any()


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_the_score_of_a_class_is_its_own(network: sc.Network, index: int, score: str) -> None:
    """Grad-CAM by hand, in double precision, without the other classes."""
    result = sc.Explainer(network, stages=["stem"])(FRAME, sc.Target(index, score=score), (0, 1))  # type: ignore[arg-type]
    brightness = np.tanh(1e-3 * FRAME.astype(np.float64))
    activations = np.stack([brightness, np.tanh(1e-3 - 1e-3 * FRAME.astype(np.float64))])
    p = sigmoids(FRAME)[index]
    region = p > 0.5
    slope = p * (1 - p) if score == "probability" else np.ones_like(p)
    gradients = np.stack([1e3 * SLOPES[index] * slope * region, 0 * slope])
    expected = np.maximum((gradients.mean((1, 2))[:, None, None] * activations).sum(0), 0)
    heat = result.heatmaps["stem"].values
    assert heat.any() == bool(expected.any())
    np.testing.assert_allclose(heat, expected, atol=1e-4 * max(expected.max(), 1e-9))


def test_a_classifier_may_find_several_classes() -> None:
    class Findings(Nested):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).mean((2, 3))

    network = sc.Network.from_module(Findings(), CARD, "cpu")
    result = sc.Explainer(network, stages=())(FRAME)
    mean = FRAME.astype(np.float64).mean()
    for name, slope, bias in zip(CARD.class_names, SLOPES, BIASES, strict=True):
        assert result.class_probabilities[name] == pytest.approx(1 / (1 + np.exp(-slope * mean - bias)), abs=1e-4)
    assert not result.target_mask.any()
    assert result.target.class_index == 0, "the likeliest"


def test_nan_is_not_a_class() -> None:
    probabilities = np.array([[np.nan, 0.9], [0.8, np.nan]], np.float32)[:, None]
    np.testing.assert_array_equal(label_mask(probabilities, 0.5, overlap=True), [[2, 1]])
    np.testing.assert_array_equal(class_mask(probabilities, 0, 0.5, overlap=True), [[False, True]])
