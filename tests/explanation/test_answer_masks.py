"""The mask that each answer to a question gives on one frame."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from napari_segcam.explanation.answer_masks import answer_masks
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.network.questions.answers import with_answer
from napari_segcam.network.questions.questions import NORMALIZATIONS, Option


class Linear(nn.Module):
    """Logits are weighted sums of the channels of the input, minus a bias."""

    def __init__(self, weights: list[list[float]], biases: list[float]) -> None:
        super().__init__()
        self.layer = nn.Conv2d(len(weights[0]), len(weights), 1)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor(weights)[..., None, None])
            self.layer.bias.copy_(-torch.tensor(biases))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_each_normalization_marks_what_it_says() -> None:
    network = Network.from_module(Linear([[1.0]], [0.9]), ModelCard(input_channels=1), device="cpu")
    options = tuple(Option(label, fields) for label, fields, _ in NORMALIZATIONS)
    found = dict(zip([option.label for option in options], answer_masks(network, options, RAMP, (0, 255)), strict=True))
    unit = RAMP / 255
    expected = {
        "ImageNet": (unit - 0.449) / 0.226 > 0.9,  # the average statistics, to three digits
        "0 to 1": unit > 0.9,
        "−1 to 1": (unit - 0.5) / 0.5 > 0.9,
        "Z-score": (unit - unit.mean()) / unit.std() > 0.9,
        "Darkest to brightest": unit > 0.9,
        "0 to 255": RAMP > 0.9,
    }
    for label, mask in expected.items():
        np.testing.assert_array_equal(found[label].mask, mask, err_msg=label)
        assert found[label].areas == (mask.sum(),)
    assert found["0 to 255"].words == "nearly all"
    assert found["0 to 1"].words == f"{25 / 256:.0%}"


def test_colors_are_swapped_for_a_network_trained_on_bgr() -> None:
    network = Network.from_module(
        Linear([[1.0, 0.0, 0.0]], [0.5]), ModelCard(normalization="unit", input_channels=3), device="cpu"
    )
    frame = np.zeros((16, 16, 3), np.uint8)
    frame[:4, ..., 0], frame[8:, ..., 2] = 255, 255
    rgb, bgr = answer_masks(
        network, (Option("", {"channel_order": "rgb"}), Option("", {"channel_order": "bgr"})), frame, (0, 255)
    )
    assert rgb.mask is not None
    assert bgr.mask is not None
    assert (rgb.mask[:4] == 1).all()
    assert rgb.areas == (64,)
    assert (bgr.mask[8:] == 1).all()
    assert bgr.areas == (128,)
    gray = np.repeat(RAMP[..., None], 3, 2)
    same = list(
        answer_masks(network, (Option("", {"channel_order": "rgb"}), Option("", {"channel_order": "bgr"})), gray)
    )
    assert same[0].is_like(same[1])
    assert not rgb.is_like(bgr)


def test_classes_that_overlap_have_masks_of_their_own() -> None:
    network = Network.from_module(
        Linear([[1.0], [1.0]], [0.25, 0.5]), ModelCard(normalization="unit", input_channels=1), device="cpu"
    )
    exclude, overlap = answer_masks(
        network,
        (Option("", {"classes_overlap": False}), Option("", {"classes_overlap": True})),
        RAMP,
        (0, 255),
    )
    assert exclude.words == "nothing found", "the first class is the likeliest everywhere, and is the background"
    assert overlap.mask is not None
    assert overlap.mask.shape == (2, 16, 16)
    assert overlap.areas == ((RAMP / 255 > 0.25).sum(), (RAMP / 255 > 0.5).sum())
    assert overlap.words == "75%"


def test_an_answer_that_does_not_run_says_why_and_the_next_is_tried() -> None:
    network = Network.from_module(
        Linear([[1.0], [1.0]], [0.25, 0.5]), ModelCard(normalization="unit", input_channels=1), device="cpu"
    )
    wrong, right = answer_masks(
        network, (Option("", {"class_names": ("a", "b", "c")}), Option("", {"class_names": ("a", "b")})), RAMP
    )
    assert "3 class names" in wrong.failure
    assert wrong.mask is None
    assert right.mask is not None
    assert right.words == "nothing found"


def test_a_network_without_masks_gives_its_likeliest_class() -> None:
    module = nn.Sequential(Linear([[1.0], [2.0]], [0.0, 0.0]), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network.from_module(module, ModelCard(normalization="unit", input_channels=1), device="cpu")
    (answer,) = answer_masks(network, (Option("", {"class_names": ("benign", "malignant")}),), RAMP, (0, 255))
    assert answer.mask is None
    assert answer.words == "malignant 62%"  # the softmax of 0.5 and 1


def test_no_answer_comes_after_a_cancel() -> None:
    network = Network.from_module(Linear([[1.0]], [0.9]), ModelCard(input_channels=1), device="cpu")
    option = Option("", {"normalization": "unit"})
    stopped = False
    answers = answer_masks(network, (option, option), RAMP, cancelled=lambda: stopped)
    assert next(answers).mask is not None
    stopped = True
    assert list(answers) == []


def test_the_answer_is_what_the_network_gives_with_that_card() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 3, 1))
    network = Network.from_module(module, device="cpu")
    from napari_segcam.explanation.explainer import Explainer

    fields = {"size": {"rule": "resize", "height": 32, "width": 48}}
    (answer,) = answer_masks(network, (Option("", fields),), RAMP, (0, 255))
    expected = Explainer(with_answer(network, fields), stages=())(RAMP, value_range=(0, 255)).mask
    np.testing.assert_array_equal(answer.mask, expected)
