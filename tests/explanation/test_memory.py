"""Where the device's memory is too small the work goes on in another way, and says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.memory import Thrift
from napari_segcam.explanation.target import Target
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network

CARD = ModelCard(input_channels=1, normalisation="unit")
FRAMES = np.random.default_rng(0).integers(0, 255, (6, 32, 32), dtype=np.uint8)
EVERYWHERE = Target(region="image")


class Narrow(nn.Module):
    """A network on a device that holds only so many frames."""

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


def test_batches_are_halved_until_they_fit_and_stay_so() -> None:
    narrow, wide = explainer(holds=2), explainer(holds=8)
    results = list(narrow.each(FRAMES, EVERYWHERE, batch=5))
    for ours, alone in zip(results, wide.each(FRAMES, EVERYWHERE, batch=1), strict=True):
        np.testing.assert_allclose(ours.heatmaps["body"].values, alone.heatmaps["body"].values, atol=1e-6)
    assert results[-1].provenance["memory"] == ["batches of at most 2, for want of memory"]
    assert narrow._thrift.largest_batch == 2


def test_on_a_cpu_a_single_frame_that_does_not_fit_is_an_error_in_words() -> None:
    with pytest.raises(SegcamError, match=r"too little memory for 1 frames of 32×32 pixels with 1 stages"):
        explainer(holds=0)(FRAMES[0], EVERYWHERE)


def test_single_frames_go_to_main_memory_and_then_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    module = Narrow(8)
    thrift = Thrift(module, torch.device("cuda"), rewritten=False)
    kept: list[Any] = []
    monkeypatch.setattr(torch.autograd.graph, "save_on_cpu", lambda pin_memory: kept.append(pin_memory))
    assert thrift.relieve()
    thrift.context()
    assert kept == [True]
    assert thrift.relieve()
    assert thrift.module is not module
    assert thrift.device.type == "cpu"
    assert not thrift.relieve()
    assert thrift.measures == [
        "activations kept in main memory, for want of memory on the device",
        "computed on the CPU, for want of memory on the device",
    ]
