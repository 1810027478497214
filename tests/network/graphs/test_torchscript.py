"""TorchScript files give masks as the network did; their layers are closed, and the reason is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_files import entries_of, scripted, small_network, traced, zipped
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")  # deprecated; files of it are still about


@pytest.fixture(params=[traced, scripted])
def path(request, tmp_path):
    path = tmp_path / "model.pth"  # its content tells what it is, and not its name
    path.write_bytes(request.param(small_network()))
    return path


def test_it_gives_what_the_network_gave_bit_by_bit(path):
    checkpoint = read_checkpoint(path)
    image = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(checkpoint.module(image), small_network()(image))
    assert checkpoint.form == "torchscript"
    assert checkpoint.weights.keys() == {f"script.{name}" for name in small_network().state_dict()}


def test_a_network_of_it_segments(path):
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
def test_grad_cam_says_why_not_in_one_sentence(stages, path):
    with pytest.raises(SegcamError, match="TorchScript networks take no hooks") as refusal:
        sc.Explainer(sc.load_network(path), stages=stages)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("activation", [nn.Sigmoid(), nn.Softmax(1)])
def test_a_final_activation_is_undone_and_said(activation, tmp_path):
    (tmp_path / "a.pt").write_bytes(traced(nn.Sequential(small_network(), activation)))
    network = sc.load_network(tmp_path / "a.pt", "cpu")
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        again = activation(network.module(image))
        assert torch.allclose(again, activation(small_network()(image)), atol=1e-5)
    assert any("undone by its inverse" in warning for warning in network.warnings)


def test_only_what_is_needed_is_read(tmp_path):
    entries = entries_of(scripted(small_network()))
    folder = next(iter(entries)).partition("/")[0]
    # Of some networks torch writes the version elsewhere.
    entries[f"{folder}/.data/version"] = entries.pop(f"{folder}/version")
    more = {f"{folder}/extra/readme.txt": b"hello", f"{folder}/code/a.py.debug_pkl": b"no pickle"}
    (tmp_path / "a.pt").write_bytes(zipped({**entries, **more}))
    assert read_checkpoint(tmp_path / "a.pt").form == "torchscript"
