"""If the device's memory is too small, the computation continues in another way, and records it."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from one_pass import run
from torch import nn
from torch.nn import functional as F

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.passes.memory import MemoryFallback
from napari_segcam.explanation.passes.recomputation import recomputable_blocks, recomputing
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage

CARD = ModelCard(input_channels=1, normalization="unit")
FRAMES = np.random.default_rng(0).integers(0, 255, (6, 32, 32), dtype=np.uint8)
EVERYWHERE = Target(region="image")


class Narrow(nn.Module):
    """Network on a device with memory for a limited number of frames."""

    def __init__(self, holds: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.holds = holds
        self.body = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.holds and x.shape[-1] == 32 and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("simulated")
        return self.head(self.body(x))


def explainer(holds: int) -> Explainer:
    return Explainer(Network.from_module(Narrow(holds), CARD, device="cpu"), stages=["body"])


def test_batches_are_halved_until_they_fit_and_stay_small() -> None:
    narrow, wide = explainer(holds=2), explainer(holds=8)
    results = list(narrow.each(FRAMES, EVERYWHERE, batch=5))
    for ours, alone in zip(results, wide.each(FRAMES, EVERYWHERE, batch=1), strict=True):
        np.testing.assert_allclose(ours.heatmaps["body"].values, alone.heatmaps["body"].values, atol=1e-6)
    assert results[-1].provenance["memory"] == ["batches of at most 2, to save memory"]
    assert narrow._memory_fallback.largest_batch == 2


def test_a_batch_that_did_not_fit_is_not_tried_again() -> None:
    narrow = explainer(holds=2)
    for batch in (None, 6, 5):
        results = list(narrow.each(FRAMES, EVERYWHERE, batch=batch))
        assert len(results) == 6
    assert len(set(narrow._memory_fallback.measures)) == len(narrow._memory_fallback.measures) > 0
    assert (
        results[-1].provenance["memory"][-1]
        == f"batches of at most {narrow._memory_fallback.largest_batch}, to save memory"
    )


class Full(nn.Module):
    """A network on a device that is full: it does not run at all where it is."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 1)
        self.register_buffer("scale", torch.ones(1))
        self.is_full = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.is_full:
            raise torch.OutOfMemoryError("simulated")
        return self.head(self.body(x)) * self.scale


def test_a_device_with_no_memory_for_a_small_sample_leaves_the_cpu() -> None:
    network = Network.from_module(Full(), CARD, device="cpu")
    memory_fallback = MemoryFallback(
        network.module, [network.stage("body")], torch.device("cuda"), torch.zeros(1, 1, 32, 32), rewritten=False
    )
    network.module.is_full = True  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "to", lambda tensor, *_args, **_options: tensor)
        assert memory_fallback.fall_back()
    assert memory_fallback.device.type == "cpu"
    assert memory_fallback.measures == ["computed on the CPU, as the device has too little memory"]
    for ours, theirs in zip(memory_fallback.module.parameters(), network.module.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert not ours.requires_grad


class Leaking(nn.Module):
    """Runs out of memory after its body, whatever wraps the error."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 1)
        self.alive: list[weakref.ref[torch.Tensor]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.body(x)
        if len(x) > 1 and torch.is_grad_enabled():
            self.alive.append(weakref.ref(features))
            raise torch.OutOfMemoryError("simulated")
        assert all(reference() is None for reference in self.alive), "what did not fit is still in memory"
        return self.head(features)


def test_what_did_not_fit_is_freed_before_less_is_tried() -> None:
    network = Network.from_module(Leaking(), CARD, device="cpu", rewrite=False)
    network.module.alive.clear()  # type: ignore[operator, union-attr]
    assert len(list(Explainer(network, stages=["body"]).each(FRAMES, EVERYWHERE, batch=2))) == 6
    assert network.module.alive


def test_on_a_cpu_a_single_frame_that_does_not_fit_is_an_error_in_words() -> None:
    with pytest.raises(SegcamError, match=r"too little memory for 1 frames of 32×32 pixels with 1 stages"):
        explainer(holds=0)(FRAMES[0], EVERYWHERE)


class Blocks(nn.Module):
    """Twelve blocks in a row, one of which changes its input in place."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block() for _ in range(12)))
        self.changing = nn.Sequential(nn.SiLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1))
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.changing(self.blocks(x.expand(-1, 4, -1, -1))))


class Block(nn.Module):
    runs = 0

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(4, 16, 3, padding=1)
        self.narrow = nn.Conv2d(16, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return x + self.narrow(F.silu(self.wide(x)))


def blocks() -> tuple[Network, list[Stage]]:
    torch.manual_seed(0)
    network = Network.from_module(Blocks(), CARD, device="cpu", rewrite=False)
    return network, [network.stage("blocks.1"), network.stage("blocks.5.wide")]


def test_blocks_without_taps_that_do_not_change_their_input_can_be_recomputed() -> None:
    network, stages = blocks()
    recomputable = recomputable_blocks(network.module, stages, torch.zeros(1, 1, 32, 32))
    names = [name for name, part in network.module.named_modules() if any(part is block for block in recomputable)]
    assert names == [f"blocks.{number}" for number in range(12) if number != 5]


def test_recomputed_gradients_are_identical_and_less_is_stored() -> None:
    network, stages = blocks()
    module, x = network.module, torch.rand(1, 1, 32, 32)
    stored: dict[bool, int] = {}
    passes = {}
    for repeats in (False, True):
        sizes: list[int] = []
        counting = torch.autograd.graph.saved_tensors_hooks(
            lambda value, sizes=sizes: (sizes.append(value.numel()), value)[1], lambda value: value
        )
        recomputable = recomputable_blocks(module, stages, x) if repeats else []
        runs = [block.runs for block in module.blocks]  # type: ignore[operator, union-attr]
        with recomputing(recomputable), counting:
            passes[repeats] = run(module, x, stages, torch.ones_like)
        stored[repeats] = sum(sizes)
        again = [block.runs - before for block, before in zip(module.blocks, runs, strict=True)]  # type: ignore[arg-type, call-overload]
        # The graph begins at the first tap: blocks before it have no backward pass.
        assert again == ([1, 1, 2, 2, 2, 1] + [2] * 6 if repeats else [1] * 12)
    assert stored[True] < stored[False] / 2
    assert not any("forward" in vars(part) for part in module.modules())
    for name, gradient in passes[False].gradients.items():
        assert gradient is not None
        assert gradient.any()
        assert torch.equal(gradient, passes[True].gradients[name])  # type: ignore[arg-type]


def test_maps_are_the_same_after_the_first_measure() -> None:
    network, stages = blocks()
    explainer = Explainer(network, stages=[stage.name for stage in stages])
    alone = explainer(FRAMES[0], EVERYWHERE)
    assert explainer._memory_fallback.fall_back()
    recomputed = explainer(FRAMES[0], EVERYWHERE)
    assert recomputed.provenance["memory"] == ["blocks computed again in the backward pass, to save memory"]
    for name, heatmap in alone.heatmaps.items():
        np.testing.assert_array_equal(recomputed.heatmaps[name].values, heatmap.values)


def test_single_frames_are_recomputed_and_then_go_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    network, stages = blocks()
    memory_fallback = MemoryFallback(
        network.module, stages, torch.device("cuda"), torch.zeros(1, 1, 32, 32), rewritten=False
    )
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *_args, **_options: tensor)  # there is no such device here
    assert memory_fallback.fall_back()
    assert memory_fallback.module is network.module
    assert memory_fallback.fall_back()
    assert memory_fallback.module is not network.module
    assert memory_fallback.device.type == "cpu"
    assert memory_fallback.fall_back()
    assert not memory_fallback.fall_back()
    assert memory_fallback.measures == [
        "blocks computed again in the backward pass, to save memory",
        "computed on the CPU, as the device has too little memory",
        "blocks computed again in the backward pass, to save memory",
    ]
