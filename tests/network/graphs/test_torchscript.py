"""TorchScript files give the same masks as the network; hooks are not possible, and messages say why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made_files import entries_of, scripted, small_network, traced, zipped
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")  # deprecated, but its files are still in use


@pytest.fixture(params=[traced, scripted])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "model.pth"  # the content decides the format, not the name
    path.write_bytes(request.param(small_network()))
    return path


def test_the_results_are_exactly_those_of_the_network(path: Path) -> None:
    checkpoint = read_checkpoint(path)
    image = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(checkpoint.module(image), small_network()(image))
    assert checkpoint.form == "torchscript"
    assert checkpoint.weights.keys() == {f"script.{name}" for name in small_network().state_dict()}


def test_a_script_gives_masks(path: Path) -> None:
    network = sc.load_network(path)
    assert network.classes == 2
    assert network.card.input_channels == 3
    assert network.stages == ()
    assert any("no Grad-CAM" in warning for warning in network.warnings)
    frame = np.random.default_rng(0).integers(0, 255, (40, 56)).astype(np.uint8)
    result = sc.Explainer(network, stages=[])(frame)
    assert result.mask.shape == (40, 56)
    assert result.heatmaps == {}


@pytest.mark.parametrize("stages", ["all", "main", ["encoder_last"], ["script.head"]])
def test_grad_cam_is_refused_in_one_sentence(stages: str | list[str], path: Path) -> None:
    with pytest.raises(SegcamError, match="TorchScript networks take no hooks") as refusal:
        sc.Explainer(sc.load_network(path), stages=stages)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("activation", [nn.Sigmoid(), nn.Softmax(1)])
def test_a_final_activation_is_undone_with_a_warning(activation: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(traced(nn.Sequential(small_network(), activation)))
    network = sc.load_network(tmp_path / "a.pt", "cpu")
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        probabilities = activation(network.module(image))
        assert torch.allclose(probabilities, activation(small_network()(image)), atol=1e-5)
    assert any("undone by its inverse" in warning for warning in network.warnings)


def test_other_entries_of_the_archive_are_ignored(tmp_path: Path) -> None:
    entries = entries_of(scripted(small_network()))
    folder = next(iter(entries)).partition("/")[0]
    # For some networks, torch writes the version to another path.
    entries[f"{folder}/.data/version"] = entries.pop(f"{folder}/version")
    extra = {f"{folder}/extra/readme.txt": b"hello", f"{folder}/code/a.py.debug_pkl": b"no pickle"}
    (tmp_path / "a.pt").write_bytes(zipped({**entries, **extra}))
    assert read_checkpoint(tmp_path / "a.pt").form == "torchscript"
