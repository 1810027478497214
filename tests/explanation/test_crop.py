"""A frame explained with a crop gives the cropped frame's results at the crop's place, and nothing around it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.targets.region import Box
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.model_card import ModelCard, SizeRule
from napari_segcam.network.network import Network

CROP = (slice(11, 61), slice(5, 75))
RULES = {
    "pad": SizeRule(rule="pad"),
    "nearest": SizeRule(rule="resize"),
    "fixed": SizeRule(rule="resize", height=64, width=32),
    "letterbox": SizeRule(rule="letterbox", height=64, width=96),
}


class Small(nn.Module):
    """Two convolutions down, one up."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        torch.manual_seed(classes)
        self.down = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU())
        self.up = nn.Sequential(nn.Upsample(scale_factor=4, mode="bilinear"), nn.Conv2d(8, classes, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.up(self.down(x))
        return 20 * (y - y.mean((2, 3), keepdim=True))  # so that some pixels are of each class


def explainer_of(rule: SizeRule, classes: int, method: str = "gradcam") -> Explainer:
    card = ModelCard(input_channels=1, normalization="zscore", size=rule)
    return Explainer(Network.from_module(Small(classes), card, device="cpu"), method, ["down"])


def frame_of(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (80, 90), dtype=np.uint8)


def paste(part: NDArray[np.generic], outside: float = 0) -> NDArray[np.generic]:
    full = np.full((*part.shape[:-2], 80, 90), outside, dtype=part.dtype)
    full[(..., *CROP)] = part
    return full


def assert_pasted(result: Explanation, of_crop: Explanation) -> None:
    """Bit for bit."""
    assert 0 < of_crop.mask.mean() < of_crop.mask.max()
    assert np.array_equal(result.mask, paste(of_crop.mask))
    for channel, (full, part) in enumerate(zip(result.probabilities, of_crop.probabilities, strict=True)):
        background = len(result.probabilities) > 1 and channel == 0
        assert np.array_equal(full, paste(part, outside=float(background)))
    assert np.array_equal(result.region, paste(of_crop.region))
    for name, heatmap in of_crop.heatmaps.items():
        assert heatmap.values.any()
        assert np.array_equal(result.heatmaps[name].values, heatmap.values)
        assert np.array_equal(result.heatmaps[name].raw_on_frame(), paste(heatmap.raw_on_frame()))
        assert np.array_equal(result.heatmaps[name].on_frame(), paste(heatmap.on_frame()))


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_crop_gives_the_results_of_the_cropped_frame_at_its_place(rule: SizeRule, classes: int) -> None:
    explainer, frame = explainer_of(rule, classes), frame_of()
    assert_pasted(explainer(frame, crop=CROP), explainer(frame[CROP]))


@pytest.mark.parametrize("region", ["mask", "image"])
def test_signed_maps_are_placed_the_same_way(region: str) -> None:
    explainer, frame = explainer_of(RULES["letterbox"], 1, "gradcam_signed"), frame_of()
    assert_pasted(explainer(frame, Target(region=region), crop=CROP), explainer(frame[CROP], Target(region=region)))


def test_pixels_around_the_crop_have_no_effect() -> None:
    explainer, frame = explainer_of(RULES["pad"], 1), frame_of()
    other = np.full_like(frame, 255)
    other[CROP] = frame[CROP]
    first, second = explainer(frame, crop=CROP), explainer(other, crop=CROP)
    assert np.array_equal(first.probabilities, second.probabilities)
    assert np.array_equal(first.heatmaps["down"].values, second.heatmaps["down"].values)


def test_softmax_probabilities_add_up_to_one_everywhere() -> None:
    result = explainer_of(RULES["fixed"], 3)(frame_of(), crop=CROP)
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-6)


def test_frames_of_a_cine_and_several_targets_are_cropped_the_same_way() -> None:
    explainer, frames = explainer_of(RULES["pad"], 3), [frame_of(seed) for seed in range(3)]
    cropped = explainer.each([frame[CROP] for frame in frames], batch=2)
    for result, of_crop in zip(explainer.each(frames, batch=2, crop=CROP), cropped, strict=True):
        assert_pasted(result, of_crop)
    targets = [Target(1), Target(2)]
    for target, result in zip(targets, explainer.compare(frames[0], targets, crop=CROP), strict=True):
        assert_pasted(result, explainer(frames[0][CROP], target))


def test_a_drawn_region_counts_only_inside_the_crop() -> None:
    explainer, frame = explainer_of(RULES["pad"], 1), frame_of()
    result = explainer(frame, Target(region=Box(0, 0, 30, 40)), crop=CROP)
    assert result.region.sum() == (30 - 11) * (40 - 5)
    assert_pasted(result, explainer(frame[CROP], Target(region=Box(0, 0, 19, 35))))


def test_a_region_drawn_outside_the_crop_counts_as_empty() -> None:
    result = explainer_of(RULES["pad"], 1)(frame_of(), Target(region=Box(0, 0, 11, 90)), crop=CROP)
    assert not result.region.any()
    assert result.heatmaps["down"].reason is Reason.NOTHING_DRAWN


def test_the_provenance_has_the_crop() -> None:
    explainer, frame = explainer_of(RULES["pad"], 1), frame_of()
    assert explainer(frame, crop=CROP).provenance["crop"] == [11, 61, 5, 75]
    assert explainer(frame, crop=CROP).provenance["frame_shape"] == [80, 90]
    assert explainer(frame).provenance["crop"] is None
    assert explainer(frame, crop=(slice(0, 80), slice(0, 90))).provenance["crop"] is None


def test_a_crop_larger_than_the_frame_is_refused_in_words() -> None:
    with pytest.raises(SegcamError, match=r"rows 11 to 61, columns 5 to 75\) extends beyond the frame of 60×80 pixels"):
        explainer_of(RULES["pad"], 1)(frame_of()[:60, :80], crop=CROP)
