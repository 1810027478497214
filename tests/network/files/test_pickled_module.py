"""Whole pickled networks of known libraries are read as they were saved; others are refused, and no code runs."""

from __future__ import annotations

import functools
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
import torchvision
from made_files import entries_of, saved, zipped
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint


def _unet(encoder: str = "resnet18", **options: Any) -> nn.Module:
    return smp.Unet(encoder, encoder_weights=None, **options).eval()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "layers of torch": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Upsample(scale_factor=2), nn.ConvTranspose2d(4, 1, 2)
    ),
    "attention of torch": lambda: nn.Sequential(
        nn.Flatten(2), nn.TransformerEncoderLayer(1024, 2, 8, activation="gelu")
    ),
    "SMP": lambda: _unet(decoder_attention_type="scse", activation="sigmoid"),
    "SMP with named tuples": lambda: _unet("efficientnet-b0"),
    "SMP with timm": lambda: _unet("tu-mobilenetv3_small_050"),
    "timm with enumerations": lambda: _unet("tu-hrnet_w18_small"),
    "torchvision": lambda: torchvision.models.squeezenet1_1(weights=None),
    "torchvision with functools.partial": lambda: torchvision.models.convnext_tiny(weights=None, layer_scale=1.0),
    "a layer that occurs twice": lambda: nn.Sequential(*[nn.Conv2d(3, 3, 1)] * 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("zipped", [True, False])
def test_a_network_of_a_known_library_is_read_exactly(
    make: Callable[[], nn.Module], zipped: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = make().eval()
    torch.save(network, tmp_path / "whole.pth", _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(tmp_path / "whole.pth")
    image = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(checkpoint.module(image), network(image))
    assert checkpoint.form == "pickled"
    assert checkpoint.weights.keys() == network.state_dict().keys()
    assert not checkpoint.module.training
    assert len(list(checkpoint.module.modules())) == len(list(network.modules()))


@pytest.mark.parametrize("wrap", [lambda m: {"model": m, "epoch": 3}, nn.DataParallel], ids=["dict", "DataParallel"])
def test_a_network_is_found_in_a_training_checkpoint(wrap: Callable[[nn.Module], Any], tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 1, 3))
    torch.save(wrap(network), tmp_path / "last.pt")
    module = read_checkpoint(tmp_path / "last.pt").module
    assert torch.equal(module[0].weight, network[0].weight)


def test_the_average_is_used_instead_of_the_network_with_a_warning(tmp_path: Path) -> None:
    trained, average = nn.Conv2d(3, 1, 3), nn.Conv2d(3, 1, 3)
    torch.save({"model": trained, "ema": average}, tmp_path / "last.pt")
    checkpoint = read_checkpoint(tmp_path / "last.pt")
    assert torch.equal(checkpoint.module.weight, average.weight)
    assert "the average is used" in checkpoint.warnings[0]


class _UsersOwn(nn.Module):
    loaded = False

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1)

    def __setstate__(self, state: dict[str, Any]) -> None:
        type(self).loaded = True
        super().__setstate__(state)


def test_the_users_own_class_is_refused_by_name_and_not_loaded(tmp_path: Path) -> None:
    torch.save(_UsersOwn(), tmp_path / "mine.pth")
    with pytest.raises(SegcamError, match=r"would run code.*_UsersOwn"):
        read_checkpoint(tmp_path / "mine.pth")
    assert not _UsersOwn.loaded


def _saved_with(change: Callable[[nn.Module], None]) -> bytes:
    network = nn.Sequential(nn.Conv2d(1, 1, 1))
    change(network)
    return saved(network)


def _with_child(name: str) -> Callable[[nn.Module], None]:
    return lambda network: network._modules.update({name: nn.ReLU()})


def _containing_itself(network: nn.Module) -> None:
    network[0]._modules["again"] = network


def _doubled(depth: int) -> nn.Module:
    network: nn.Module = nn.ReLU()
    for _ in range(depth):
        # Two different layers that both hold the previous one: 2**depth names for 2 * depth layers.
        network = nn.Sequential(OrderedDict(a=nn.Sequential(network), b=nn.Sequential(network)))
    return network


ODD: dict[str, tuple[Callable[[], bytes], str]] = {
    "a hook": (lambda: _saved_with(lambda m: m._forward_hooks.update({0: nn.ReLU()})), "hooks of its own"),
    "its own forward": (lambda: _saved_with(lambda m: m.__dict__.update(forward=nn.ReLU())), "would replace forward"),
    "an attribute with underscores": (
        lambda: _saved_with(lambda m: m.__dict__.update(__call__=3)),
        "would replace __call__",
    ),
    "a layer that is a function": (
        lambda: _saved_with(lambda m: m._modules.update(a=nn.functional.relu)),
        "of the wrong kind",
    ),
    "a layer with a name that Python uses": (lambda: _saved_with(_with_child("__deepcopy__")), "named '__deepcopy__'"),
    "a layer with a dot in its name": (lambda: _saved_with(_with_child("norm.1")), "named 'norm.1'"),
    "layers that contain each other": (lambda: _saved_with(_containing_itself), "contain each other"),
    "more layers than memory": (lambda: saved(_doubled(60)), "repeats itself far too often"),
    "a layer of training code": (
        lambda: saved(torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)),
        "holds no weights",
    ),
}


@pytest.mark.parametrize(("make", "reason"), ODD.values(), ids=ODD.keys())
def test_a_network_that_torch_would_not_save_is_refused(make: Callable[[], bytes], reason: str, tmp_path: Path) -> None:
    (tmp_path / "odd.pth").write_bytes(make())
    with pytest.raises(SegcamError, match=reason):
        read_checkpoint(tmp_path / "odd.pth")


def test_unknown_attributes_stay_and_do_nothing(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1))
    network.norm = functools.partial(nn.BatchNorm2d, eps=1e-3)
    network.kind = nn.BatchNorm2d
    torch.save(network, tmp_path / "whole.pth")
    module = read_checkpoint(tmp_path / "whole.pth").module
    assert not callable(module.norm)
    assert not callable(module.kind)
    assert torch.equal(module(torch.ones(1, 1, 2, 2)), network(torch.ones(1, 1, 2, 2)))


def test_the_constructor_is_not_called(tmp_path: Path) -> None:
    # Only a forged file has an instruction to call the class. With these sizes it would fill the memory.
    forged = b"\x80\x02ctorch.nn.modules.linear\nLinear\nJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86R."
    assert isinstance(pickle.loads(forged.replace(b"\xff\xff\xff\x7f", b"\x01\0\0\0")), nn.Linear)
    (tmp_path / "a.pth").write_bytes(zipped({**entries_of(saved(None)), "archive/data.pkl": forged}))
    with pytest.raises(SegcamError):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("activation", ["sigmoid", "softmax2d"])
def test_a_final_activation_is_left_out_with_a_warning(activation: str, tmp_path: Path) -> None:
    network = _unet(classes=2, activation=activation)
    torch.save(network, tmp_path / "whole.pth")
    loaded = sc.load_network(tmp_path / "whole.pth", "cpu")
    assert (loaded.architecture, loaded.encoder) == ("Unet", "resnet18")
    assert any("which is left out" in warning for warning in loaded.warnings)
    network.segmentation_head[2] = nn.Identity()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(loaded.module(image), network(image), atol=1e-4)


@pytest.mark.slow
def test_a_network_of_another_version_of_smp_is_rebuilt(tmp_path: Path) -> None:
    network = _unet()
    torch.save(network, tmp_path / "whole.pth")
    entries = entries_of((tmp_path / "whole.pth").read_bytes())
    new_name, old_name = (
        b"csegmentation_models_pytorch." + module + b"\nUnet\n" for module in (b"decoders.unet.model", b"unet.model")
    )
    former = {name: content.replace(new_name, old_name) for name, content in entries.items()}
    assert former != entries
    (tmp_path / "former.pth").write_bytes(zipped(former))
    checkpoint = read_checkpoint(tmp_path / "former.pth")
    assert checkpoint.form == "pickled"
    assert checkpoint.module is None
    assert "rebuilt" in sc.load_network(tmp_path / "former.pth", "cpu").warnings[0]
    assert checkpoint.weights.keys() == network.state_dict().keys()


def test_a_network_that_does_not_run_is_refused_with_the_reason(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 1, 1))
    network[0].padding_mode = None
    network[0].stride = "wide"
    torch.save(network, tmp_path / "whole.pth")
    with pytest.raises(SegcamError, match="does not run"):
        sc.load_network(tmp_path / "whole.pth")
