"""A network comes from a module or a checkpoint, has classes and stages, and runs on a device."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.network.device import TooLittleMemory, choose_device
from napari_segcam.network.loading import load_network, save_card
from napari_segcam.network.model_card import ModelCard, SizeRule, card_path, write_card
from napari_segcam.network.network import Network


class Tiny(nn.Module):
    def __init__(self, classes: int = 1, channels: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.head = nn.Conv2d(4, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def tiny(classes: int = 1, card: ModelCard | None = None) -> Network:
    return Network.from_module(Tiny(classes), card, device="cpu")


# ── from a module ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_callers_module_is_not_changed() -> None:
    module = Tiny().train()
    statistics = module.get_buffer("body.1.running_mean").clone()
    network = Network.from_module(module, device="cpu")
    assert network.module is not module
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert torch.equal(module.get_buffer("body.1.running_mean"), statistics)
    assert not any(layer._forward_hooks for layer in module.modules())


def test_the_networks_module_is_frozen_and_in_eval_mode() -> None:
    network = tiny()
    assert not any(layer.training for layer in network.module.modules())
    assert not any(parameter.requires_grad for parameter in network.module.parameters())
    assert network.device == torch.device("cpu")
    assert network.dtype == torch.float32


def test_a_module_without_weights_is_a_network_too() -> None:
    class Threshold(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - 0.5

    network = Network.from_module(Threshold(), ModelCard(input_channels=1, normalization="unit"), device="cpu")
    frame = np.eye(32, dtype=np.float32)
    assert np.array_equal(Explainer(network)(frame).mask, frame)


def test_the_stride_is_that_of_the_encoder() -> None:
    shallow = smp.Unet("resnet18", encoder_weights=None, encoder_depth=3, decoder_channels=(16, 8, 8))
    assert Network.from_module(shallow, device="cpu").stride == 8


def test_the_stages_of_another_architecture_are_found() -> None:
    network = tiny()
    assert [(stage.name, stage.layer) for stage in network.stages] == [("encoder_1", "body"), ("seg_head", "head")]
    assert network.stride == 1
    assert network.stage("body.0").kind == "layer"


def test_a_classifier_has_no_background() -> None:
    class Classifier(Tiny):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).mean((2, 3))

    network = Network.from_module(Classifier(3), device="cpu")
    assert (network.segments, network.has_background) == (False, False)
    assert network.class_names == ("class 0", "class 1", "class 2")
    assert network.assumed["classes_overlap"] == "no (the 3 classes exclude each other)"
    assert tiny(3).segments


# ── classes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_class_names_come_from_the_card_or_the_number_of_classes() -> None:
    assert tiny(1).class_names == ("foreground",)
    assert tiny(3).class_names == ("background", "class 1", "class 2")
    assert tiny(2, ModelCard(class_names=("tissue", "fibroid"))).class_names == ("tissue", "fibroid")


def test_a_class_is_found_by_number_name_or_default() -> None:
    single, several = tiny(1), tiny(3, ModelCard(class_names=("none", "uterus", "fibroid")))
    assert (single.class_index(None), single.class_index("foreground"), single.class_index(0)) == (0, 0, 0)
    assert (several.class_index(None), several.class_index("fibroid"), several.class_index(0)) == (1, 2, 0)
    for unknown in (3, -1, "ovary"):
        with pytest.raises(SegcamError, match=rf"no class {unknown}.*0 \(none\), 1 \(uterus\), 2 \(fibroid\)"):
            several.class_index(unknown)


@pytest.mark.parametrize("names", [("fibroid",), ("a", "b", "c")])
def test_a_card_with_another_number_of_classes_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(SegcamError, match=f"names {len(names)} classes, but Tiny has 2"):
        tiny(2, ModelCard(class_names=names))


# ── stages by name ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def unet() -> Network:
    return Network.from_module(smp.Unet("resnet18", encoder_weights=None), device="cpu")


def names(network: Network, selection: str | list[str]) -> list[str]:
    return [stage.name for stage in network.select(selection)]


def test_a_word_selects_a_group_of_stages(unet: Network) -> None:
    assert names(unet, "encoder") == [f"encoder_{index}" for index in range(1, 6)]
    assert names(unet, "decoder") == [f"decoder_{index}" for index in range(5)]
    assert names(unet, "main") == names(unet, "encoder") + names(unet, "decoder")
    assert names(unet, "all") == [*names(unet, "main"), "seg_head"]


def test_names_and_aliases_select_each_stage_once(unet: Network) -> None:
    assert names(unet, ["decoder_last", "encoder_last", "encoder_5"]) == ["decoder_4", "encoder_5"]
    assert names(unet, "encoder_last") == ["encoder_5"]
    assert names(unet, ["encoder.layer4.0", "encoder_1"]) == ["encoder.layer4.0", "encoder_1"]
    assert names(unet, []) == []


def test_another_image_size_changes_only_the_card(unet: Network) -> None:
    resized = unet.with_image_size(96)
    assert resized.card.size == SizeRule(rule="resize", height=96, width=96)
    assert unet.card.size == SizeRule()
    assert resized.module is unet.module
    assert resized.lock is unet.lock, "both run the same module"
    assert Explainer(resized, stages=())(np.zeros((50, 70), np.uint8)).provenance["input_shape"] == [96, 96]


# ── devices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Full(nn.Conv2d):
    """A network on a device that is full: it moves there, but does not run."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.moved:
            raise torch.OutOfMemoryError("simulated")
        return super().forward(x)

    moved = False

    def to(self, *_args: object, **_options: object) -> Full:  # type: ignore[override]
        self.moved = True
        return self


class TooLarge(nn.Conv2d):
    """A network whose weights do not fit the device."""

    def to(self, *_args: object, **_options: object) -> TooLarge:  # type: ignore[override]
        raise torch.OutOfMemoryError("simulated")


@pytest.mark.parametrize("kind", [Full, TooLarge])
def test_a_network_that_does_not_fit_the_device_is_refused_in_words(kind: type[nn.Conv2d]) -> None:
    with pytest.raises(TooLittleMemory, match="too little memory for this network") as refused:
        Network.from_module(kind(3, 1, 1), device="cpu")
    assert refused.value.action == "use_cpu"


@pytest.mark.parametrize("device", ["tpu", "cpu:0", "", "cuda:x", "mps:1"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(SegcamError, match=r"no device .* on this machine\. Choose from: auto, .*cpu"):
        choose_device(device)


def test_a_device_that_this_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for device in ("cuda", "cuda:0", "mps"):
        with pytest.raises(SegcamError, match=rf"no device '{device}' on this machine\. Choose from: auto, cpu\."):
            choose_device(device)
    assert choose_device("auto") == torch.device("cpu")


def test_auto_chooses_the_fastest_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(SegcamError, match="no device 'cuda:2': this machine has 2 CUDA devices"):
        choose_device("cuda:2")


# ── from a checkpoint ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module]:
    """File with the weights of a small Unet with one channel and two classes, and the Unet."""
    torch.manual_seed(0)
    module = smp.Unet(
        "mobilenet_v2", encoder_weights=None, in_channels=1, classes=2, decoder_channels=(16, 16, 8, 8, 8)
    ).eval()
    path = tmp_path_factory.mktemp("checkpoints") / "unet.pth"
    torch.save(module.state_dict(), path)
    return path, module


@pytest.fixture
def card_beside(saved: tuple[Path, nn.Module], request: pytest.FixtureRequest) -> Iterator[ModelCard]:
    path = card_path(saved[0])
    write_card(request.param, path)
    yield request.param
    path.unlink()


def test_a_checkpoint_gives_the_network_it_was_saved_from(saved: tuple[Path, nn.Module]) -> None:
    path, module = saved
    network = load_network(path, device="cpu")
    assert (network.architecture, network.encoder, network.name) == ("Unet", "mobilenet_v2", "unet.pth")
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert network.card == ModelCard(input_channels=1)
    assert network.assumed == {
        "decoder_interpolation": "nearest",
        "normalization": "imagenet",
        "classes_overlap": "no (the 2 classes exclude each other, the first is the background)",
    }
    assert network.classes == 2
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network.module(image), module(image))


@pytest.mark.parametrize(
    "card_beside",
    [ModelCard(input_channels=1, class_names=("none", "fibroid"), normalization="unit", notes="from the file")],
    indirect=True,
)
def test_the_card_beside_a_checkpoint_is_read_unless_the_caller_gives_one(
    saved: tuple[Path, nn.Module], card_beside: ModelCard
) -> None:
    assert load_network(saved[0], device="cpu").card == card_beside
    callers_card = ModelCard(input_channels=1, notes="from the caller")
    assert load_network(str(saved[0]), device="cpu", card=callers_card).card == callers_card


def test_a_card_that_contradicts_the_weights_is_refused(saved: tuple[Path, nn.Module]) -> None:
    with pytest.raises(SegcamError, match=r"unet\.pth says 3 input channels, but the weights take 1"):
        load_network(saved[0], device="cpu", card=ModelCard(input_channels=3))
    with pytest.raises(SegcamError, match=r"names 3 classes, but unet\.pth has 2"):
        load_network(saved[0], device="cpu", card=ModelCard(input_channels=1, class_names=("a", "b", "c")))


def test_fields_missing_from_a_card_come_from_the_weights(saved: tuple[Path, nn.Module]) -> None:
    network = load_network(saved[0], device="cpu", card=ModelCard(threshold=0.3, normalization="unit"))
    assert network.card == ModelCard(input_channels=1, threshold=0.3, normalization="unit")
    assert "normalization" not in network.assumed


def test_options_come_from_the_caller_or_the_card(saved: tuple[Path, nn.Module]) -> None:
    card = ModelCard(options={"decoder_interpolation": "bilinear"})
    for network in (
        load_network(saved[0], device="cpu", card=card),
        load_network(saved[0], device="cpu", options={"decoder_interpolation": "bilinear"}),
    ):
        assert network.module.get_submodule("decoder.blocks.0").interpolation_mode == "bilinear"
        assert "decoder_interpolation" not in network.assumed


def test_a_card_for_other_weights_gives_a_warning(saved: tuple[Path, nn.Module]) -> None:
    sha256 = hashlib.sha256(saved[0].read_bytes()).hexdigest()
    right_card, wrong_card = (ModelCard(sha256=value, classes_overlap=False) for value in (sha256, "0" * 64))
    assert load_network(saved[0], device="cpu", card=right_card).warnings == ()
    (warning,) = load_network(saved[0], device="cpu", card=wrong_card).warnings
    assert warning.startswith("The model card was written for other weights than those in unet.pth")


def test_a_saved_card_is_read_back(saved: tuple[Path, nn.Module], tmp_path: Path) -> None:
    path = tmp_path / "unet.pth"
    path.write_bytes(saved[0].read_bytes())
    card = ModelCard(class_names=("none", "fibroid"), class_colors=("#000000", "#ff00aa"))
    network = load_network(path, device="cpu", card=card)
    assert save_card(network, path) == tmp_path / "unet.segcam.yaml"
    reloaded = load_network(path, device="cpu")
    assert reloaded.card == network.card.model_copy(update={"sha256": network.sha256})
    assert "normalization" in reloaded.assumed, "an assumption stays an assumption"
    with pytest.raises(SegcamError, match=r"a model card already: .*unet\.segcam\.yaml"):
        save_card(network, path)
    save_card(network, path, force=True)


def test_an_unknown_device_is_refused_before_the_file_is_read() -> None:
    with pytest.raises(SegcamError, match="no device 'tpu'"):
        load_network("missing.pth", device="tpu")
