"""A held frame gives the explainer's results bit for bit, from one forward pass."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.held_frame import release_held_frames
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.targets.region import At, Box, Polygon
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.loading import load_network
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network

CARD = ModelCard(input_channels=1, normalization="unit")
NOISE = np.random.default_rng(3).integers(0, 255, (24, 32), dtype=np.uint8)
TARGETS = (Target(), Target(region=At(7, 9, 2)), Target(region=Box(2, 3, 20, 11)), Target(region="image"))


class Small(nn.Module):
    """Network of two stages; it takes too much memory for a graph while ``is_short``, except in its first passes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.body = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.SiLU(), nn.Conv2d(6, 6, 3, padding=1))
        self.deep = nn.Conv2d(6, 6, 5, padding=2)
        self.head = nn.Conv2d(6, 1, 1)
        self.passes = 0
        self.is_short_after: int | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        if self.is_short_after is not None and self.passes > self.is_short_after:
            self.is_short_after = None
            raise torch.OutOfMemoryError("simulated")
        return self.head(self.deep(self.body(x)).tanh())


def small(method: str = "gradcam", control: ProgressControl | None = None) -> tuple[Small, Explainer]:
    network = Network.from_module(Small(), CARD, device="cpu", rewrite=False)
    explainer = Explainer(network, method, ["body", "deep"], control=control)
    module = network.module  # a copy
    assert isinstance(module, Small)
    module.passes = 0
    return module, explainer


def assert_same(ours: Explanation, theirs: Explanation) -> None:
    np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)
    np.testing.assert_array_equal(ours.mask, theirs.mask)
    np.testing.assert_array_equal(ours.region, theirs.region)
    assert ours.provenance == theirs.provenance
    assert list(ours.heatmaps) == list(theirs.heatmaps)
    for name, heatmap in ours.heatmaps.items():
        np.testing.assert_array_equal(heatmap.values, theirs.heatmaps[name].values)
        assert heatmap.reason == theirs.heatmaps[name].reason


def test_any_number_of_targets_share_one_forward_pass_bit_for_bit() -> None:
    module, explainer = small()
    held = explainer.hold(NOISE)
    explanations = [held.explain(target) for target in (*TARGETS, *TARGETS)]
    assert module.passes == 1
    for target, explanation in zip((*TARGETS, *TARGETS), explanations, strict=True):
        assert_same(explanation, explainer(NOISE, target))
    maps = [explanation.heatmaps["deep"].values for explanation in explanations[:4]]
    assert not any(np.array_equal(maps[0], other) for other in maps[1:]), "each target has a map of its own"


@pytest.mark.parametrize("method", ["gradcam++", "eigencam", "occlusion", "scorecam", "smoothgrad"])
def test_methods_of_every_family_give_the_same_as_the_explainer(method: str) -> None:
    if method == "smoothgrad" and find_spec("captum") is None:
        pytest.skip("captum is not installed")
    _, explainer = small(method)
    held = explainer.hold(NOISE)
    for target in TARGETS[:2]:
        assert_same(held.explain(target), explainer(NOISE, target))


def test_crop_value_range_and_pixel_aspect_are_those_of_the_frame() -> None:
    _, explainer = small()
    arguments = ((10.0, 200.0), (slice(4, 20), slice(0, 24)), 1.5)
    held = explainer.hold(NOISE, *arguments)
    assert_same(held.explain(TARGETS[2]), explainer(NOISE, TARGETS[2], *arguments))


@pytest.mark.slow
def test_a_real_network_with_its_rewritten_form() -> None:
    network = load_network(demo_checkpoint(), device="cpu")
    frame = open_cine(sample_cine())[FRAME]
    explainer = Explainer(network, stages="main")
    held = explainer.hold(frame)
    mask = held.explain()
    row, column = (int(value) for value in np.argwhere(mask.mask)[len(np.argwhere(mask.mask)) // 2])
    corners = ((20, 20), (20, 60), (70, 40))
    for region in (At(row, column), At(3, 3), Polygon(corners)):
        assert_same(held.explain(Target(region=region)), explainer(frame, Target(region=region)))
    assert_same(mask, explainer(frame))


@contextmanager
def graphs_of(held: object) -> Iterator[list[weakref.ref[torch.Tensor]]]:
    prediction = held._prediction  # type: ignore[attr-defined]
    yield [weakref.ref(tap) for tap in prediction.forward_pass._taps.values()]


def test_release_frees_the_graph_and_the_next_target_runs_the_network_again() -> None:
    module, explainer = small()
    held = explainer.hold(NOISE)
    assert not held.is_held
    first = held.explain(TARGETS[1])
    with graphs_of(held) as taps:
        assert held.is_held
        assert all(tap() is not None for tap in taps)
    held.release()
    gc.collect()
    assert not held.is_held
    assert all(tap() is None for tap in taps)
    assert_same(held.explain(TARGETS[1]), first)
    assert module.passes == 2


def test_a_frame_that_does_not_fit_first_takes_the_memory_of_held_frames() -> None:
    module, explainer = small()
    held = explainer.hold(NOISE)
    held.explain()
    module.is_short_after = module.passes
    explanation = explainer(NOISE, TARGETS[1])
    assert not held.is_held
    assert explanation.provenance["memory"] == [], "no other measure was needed"
    assert not release_held_frames()


def test_a_held_frame_that_does_not_fit_is_explained_in_another_way() -> None:
    module, explainer = small()
    expected = explainer(NOISE, TARGETS[2])
    held = explainer.hold(NOISE)
    module.is_short_after = module.passes
    assert_same(held.explain(TARGETS[2]), expected)
    assert not held.is_held


def test_after_a_measure_the_network_runs_again_in_the_new_way() -> None:
    module, explainer = small()
    held = explainer.hold(NOISE)
    first = held.explain(TARGETS[1])
    explainer._memory_fallback.measures.append("a measure taken meanwhile")
    again = held.explain(TARGETS[1])
    assert module.passes == 2
    assert again.provenance["memory"] == ["a measure taken meanwhile"]
    np.testing.assert_array_equal(again.heatmaps["deep"].values, first.heatmaps["deep"].values)


def test_errors_and_cancellation_leave_a_usable_held_frame() -> None:
    stop = [False]
    module, explainer = small(control=ProgressControl(cancelled=lambda: stop[0]))
    held = explainer.hold(NOISE)
    with pytest.raises(SegcamError, match="outside the frame of 24×32"):
        held.explain(Target(region=At(24, 0)))
    stop[0] = True
    with pytest.raises(Cancelled):
        held.explain()
    stop[0] = False
    assert_same(held.explain(), explainer(NOISE))
    assert module.passes == 2, "one pass for all of these, and one for the explainer"
