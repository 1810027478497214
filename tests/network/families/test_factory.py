"""A function that the user names makes a network, and the weights of a checkpoint are loaded into it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.families.factory import call_factory
from napari_segcam.network.loading import load_network
from napari_segcam.network.model_card import ModelCard

SOURCE = """
import torch
from torch import nn

from user_parts import WIDTH

class Net(nn.Module):
    def __init__(self, channels=1):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, WIDTH, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.up = nn.ConvTranspose2d(WIDTH, 2, 2, 2)

    def forward(self, x):
        return self.up(self.body(x))

def make_net():
    return Net()

def make_list():
    return [Net()]

def make_trouble():
    raise ValueError("no such width")

number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a module of the user, and another that it imports."""
    (tmp_path / "user_net.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "user_parts.py").write_text("WIDTH = 4", encoding="utf-8")
    (tmp_path / "broken_net.py").write_text("import no_such_library", encoding="utf-8")
    (tmp_path / "wrong_net.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("user_net", "user_parts", "broken_net", "wrong_net"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_function_in_the_working_folder_makes_the_network() -> None:
    searched = list(sys.path)
    network = load_network(factory="user_net:make_net", device="cpu")
    assert sys.path == searched
    assert (network.name, network.architecture, network.sha256) == ("user_net:make_net", "Net", "")
    assert (network.card.input_channels, network.classes) == (1, 2)
    assert [stage.name for stage in network.stages] == ["encoder_1", "encoder_2", "seg_head"]


@pytest.mark.parametrize("prefix", ["", "module.", "net.model."])
def test_the_weights_of_the_checkpoint_are_loaded_into_it(prefix: str, folder: Path) -> None:
    torch.manual_seed(3)
    module = call_factory("user_net:make_net")
    weights = {prefix + name: tensor for name, tensor in module.state_dict().items()}
    if prefix == "net.model.":
        weights["loss.weight"] = torch.ones(2)
    torch.save({"state_dict": weights, "epoch": 3}, folder / "best.ckpt")
    network = load_network(folder / "best.ckpt", "cpu", factory="user_net:make_net")
    assert network.name == "best.ckpt"
    for name, tensor in network.module.state_dict().items():
        assert torch.equal(tensor, module.state_dict()[name])
    assert any("not used: loss.weight" in warning for warning in network.warnings) == (prefix == "net.model.")


def test_weights_that_do_not_fit_are_refused_with_the_counts(folder: Path) -> None:
    weights = call_factory("user_net:make_net").state_dict()
    weights["up.scale"] = weights.pop("up.bias")
    weights["body.0.bias"] = torch.zeros(9)
    torch.save(weights, folder / "other.pth")
    with pytest.raises(SegcamError) as refused:
        load_network(folder / "other.pth", "cpu", factory="user_net:make_net")
    assert (
        "the weights do not fit the network from user_net:make_net: 1 missing (up.bias), 1 unexpected (up.scale), "
        in str(refused.value)
    )
    assert "1 of another shape (body.0.bias)" in str(refused.value)


@pytest.mark.usefixtures("folder")
def test_the_channels_of_the_card_are_used_instead_of_a_guess() -> None:
    with pytest.raises(SegcamError, match="does not run on images with 2 channels"):
        load_network(factory="user_net:make_net", device="cpu", card=ModelCard(input_channels=2))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("user_net.make_net", r"'user_net\.make_net' is not understood: write package\.module:function"),
        (":make_net", "not understood"),
        ("user_nett:make_net", r"no Python module user_nett: none of this name is installed or in the folder .*\."),
        ("user_net.inner:make_net", r"no Python module user_net\.inner"),
        ("user_net:make_ned", r"user_net has no function named 'make_ned'\. Closest: make_net"),
        ("user_net:number", "has no function named 'number'"),
        ("broken_net:make", "broken_net needs the module no_such_library, which is not installed"),
        ("wrong_net:make", "wrong_net cannot be imported: ZeroDivisionError: division by zero"),
        ("user_net:make_trouble", "user_net:make_trouble failed with ValueError: no such width"),
        ("user_net:make_list", r"returned a list, but it must return a torch\.nn\.Module"),
    ],
)
def test_a_factory_that_cannot_be_used_is_refused_with_the_reason(factory: str, reason: str) -> None:
    with pytest.raises(SegcamError, match=reason):
        call_factory(factory)


def test_a_function_of_an_installed_package_makes_the_network() -> None:
    assert isinstance(call_factory("torchvision.models:resnet18"), nn.Module)


def test_loading_without_a_file_or_a_factory_is_refused() -> None:
    with pytest.raises(SegcamError, match="nothing to load"):
        load_network()


@pytest.mark.usefixtures("folder")
def test_a_sigmoid_at_the_end_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ending(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Conv2d(3, 1, 3, padding=1).half(), nn.Sigmoid())

    monkeypatch.setattr(sys.modules[__name__], "Ending", Ending, raising=False)
    network = load_network(factory=f"{__name__}:Ending", device="cpu")
    assert network.dtype == torch.float32
    assert any("ends in a sigmoid, which is left out" in warning for warning in network.warnings)


def test_a_working_folder_that_is_searched_anyway_keeps_its_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    searched = list(sys.path)
    load_network(factory="user_net:make_net", device="cpu")
    assert sys.path == searched
