"""Every method and every number on an imitated GPU of Apple, which has no float64, equals the CPU's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from gpu_methods import METHODS
from imitated_mps import GPU, ImitatedTensor, imitated_mps
from torch import nn

import napari_segcam as sc
from napari_segcam.network.network import Network


@pytest.fixture
def mps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with imitated_mps(monkeypatch):
        yield


@pytest.mark.usefixtures("mps")
def test_the_imitation_refuses_what_metal_lacks() -> None:
    tensor = torch.ones(3).to(GPU)
    assert isinstance(tensor, ImitatedTensor)
    assert tensor.device == GPU
    assert torch.zeros(2, device=GPU).device == GPU
    assert (tensor + 1).cpu().tolist() == [2, 2, 2]
    with pytest.raises(TypeError, match="float64"):
        tensor.double()
    with pytest.raises(RuntimeError, match="same device"):
        tensor + torch.ones(3)
    with pytest.raises(NotImplementedError, match="eigh"):
        torch.linalg.eigh(torch.eye(2).to(GPU))


def networks() -> tuple[Network, Network]:
    """Return the same network on the CPU and on the imitated GPU."""

    def module() -> nn.Module:
        torch.manual_seed(3)
        return smp.Unet("resnet18", encoder_weights=None, encoder_depth=3, decoder_channels=(16, 8, 8)).eval()

    cpu = Network.from_module(module(), device="cpu")
    return cpu, Network.of(module(), cpu.card, GPU, rewrite=True, name="Unet")


@pytest.fixture
def frame() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 255, (32, 32), dtype=np.uint8)


@pytest.mark.slow
@pytest.mark.usefixtures("mps")
def test_maps_are_those_of_the_cpu(frame: np.ndarray) -> None:
    cpu, gpu = networks()
    assert gpu.device == GPU
    for method in METHODS:
        stages = "all" if method not in ("scorecam", "ablationcam") else ["encoder_1"]
        expected, found = (
            sc.Explainer(network, method=method, stages=stages)(frame, target=sc.Target(region="image"))
            for network in (cpu, gpu)
        )
        assert found.heatmaps
        for name, heatmap in expected.heatmaps.items():
            assert np.array_equal(found.heatmaps[name].values, heatmap.values), (method, name)
            assert np.any(heatmap.values), (method, name)


@pytest.mark.slow
@pytest.mark.usefixtures("mps")
def test_evidence_is_that_of_the_cpu(frame: np.ndarray) -> None:
    evidence = []
    for network in networks():
        explainer = sc.Explainer(network, method="eigencam", stages=["encoder_3"])
        result = explainer(frame, target=sc.Target(region="image"))
        evidence.append(sc.measure_evidence(result, explainer, frame, draws=3))
    assert evidence[1].stages["encoder_3"].faithfulness is not None
    assert evidence[0] == evidence[1]
