"""Networks that another version of SMP saved whole: rebuilt as they were, from what stands beside their weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

import napari_segcam as sc

CARD = sc.ModelCard(normalization="unit")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def former(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """Modules of another version, importable while a network is saved."""
    modules: dict[str, ModuleType] = {}
    yield modules
    for name in modules:
        monkeypatch.delitem(sys.modules, name, raising=False)


def network(architecture: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    options = {"encoder_name": "resnet18", "encoder_weights": None, "classes": 1} | options
    module: nn.Module = getattr(smp, architecture)(**options)
    for name, buffer in module.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return module.eval()


def of_another_version(module: nn.Module, former: dict[str, ModuleType], place: str = "former") -> nn.Module:
    """The module with classes of the same names and no code, where the library keeps none today."""
    for part in module.modules():
        kind = type(part)
        if not kind.__module__.startswith(("segmentation_models_pytorch.", "timm.")):
            continue
        home = f"segmentation_models_pytorch.{place}.{kind.__module__.rpartition('.')[2]}"
        there = former.setdefault(home, ModuleType(home))
        sys.modules[home] = there
        if not hasattr(there, kind.__name__):
            setattr(there, kind.__name__, type(kind.__name__, (nn.Module,), {"__module__": home}))
        part.__class__ = getattr(there, kind.__name__)
    return module


def loaded(module: nn.Module, path: Path) -> sc.Network:
    torch.save(module, path)
    for name in [name for name in sys.modules if name.startswith("segmentation_models_pytorch.former")]:
        del sys.modules[name]
    return sc.load_network(path, "cpu", card=CARD)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("DeepLabV3Plus", {"encoder_output_stride": 8, "decoder_atrous_rates": (3, 6, 9)}),
        ("DeepLabV3Plus", {"decoder_atrous_rates": (2, 4, 6)}),
        ("DeepLabV3", {"encoder_output_stride": 16, "decoder_atrous_rates": (2, 5, 8)}),
        ("FPN", {"encoder_depth": 4, "upsampling": 2, "decoder_interpolation": "bilinear"}),
        ("FPN", {"upsampling": 8}),
        ("PSPNet", {"encoder_depth": 4, "upsampling": 16}),
        ("Unet", {"decoder_interpolation": "bilinear", "encoder_depth": 3, "decoder_channels": (32, 16, 8)}),
        ("PAN", {"encoder_output_stride": 32}),
        ("Linknet", {}),
    ],
)
def test_what_leaves_no_trace_in_the_weights_is_taken_from_the_pickle(
    architecture: str, options: dict[str, Any], tmp_path: Path, former: dict[str, ModuleType]
) -> None:
    module = network(architecture, **options)
    x = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = module(x)
    result = loaded(of_another_version(module, former), tmp_path / "whole.pth")
    with torch.no_grad():
        given = result.module(x)
    assert given.shape == expected.shape
    assert (given - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert any("rebuilt" in words for words in result.warnings)
    assert set(result.assumed) <= {"output"}


def test_the_activation_tells_that_classes_overlap(tmp_path: Path, former: dict[str, ModuleType]) -> None:
    for activation, overlap in (("sigmoid", True), ("softmax2d", False)):
        module = network("Unet", classes=3, activation=activation)
        result = loaded(of_another_version(module, former), tmp_path / f"{activation}.pth")
        assert result.card.classes_overlap is overlap
        assert "classes_overlap" not in result.assumed


def test_a_class_that_lacks_what_it_needs_today_is_built_anew(tmp_path: Path) -> None:
    module = network("Unet")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = module(x)
    for part in module.modules():
        part.__dict__.pop("interpolation_mode", None)
    result = loaded(module, tmp_path / "whole.pth")
    assert any("rebuilt" in words for words in result.warnings)
    with torch.no_grad():
        torch.testing.assert_close(result.module(x), expected, rtol=1e-4, atol=1e-4)


def test_other_libraries_classes_within_an_encoder_are_no_obstacle(
    tmp_path: Path, former: dict[str, ModuleType]
) -> None:
    module = network("Unet", encoder_name="efficientnet-b0")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = module(x)
    for name in ("efficientnet_pytorch", "efficientnet_pytorch.utils"):
        sys.modules[name] = former.setdefault(name, ModuleType(name))
    home = former["efficientnet_pytorch.utils"]
    for part in of_another_version(module, former).modules():
        name = type(part).__name__
        if name == "MBConvBlock":
            if not hasattr(home, name):
                home.MBConvBlock = type(name, (nn.Module,), {"__module__": home.__name__})
            part.__class__ = home.MBConvBlock
    result = loaded(module, tmp_path / "whole.pth")
    assert result.encoder == "efficientnet-b0"
    with torch.no_grad():
        torch.testing.assert_close(result.module(x), expected, rtol=1e-4, atol=1e-4)


def test_an_upernet_whose_decoder_is_no_more_is_named_and_not_taken_for_another(
    tmp_path: Path, former: dict[str, ModuleType]
) -> None:
    weights = network("PSPNet").state_dict() | {"decoder.fpn_bottleneck.0.weight": torch.zeros(64, 256, 3, 3)}
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(sc.SegcamError, match=r"is a UPerNet of SMP 0\.4"):
        sc.load_network(tmp_path / "weights.pth", "cpu")
    module = network("PSPNet")
    module.decoder.fpn_bottleneck = nn.Conv2d(4, 4, 3)  # type: ignore[operator, union-attr]
    with pytest.raises(sc.SegcamError, match=r"is a UPerNet of SMP 0\.4"):
        loaded(of_another_version(module, former), tmp_path / "whole.pth")


def test_numbers_that_no_network_has_are_not_taken_over(tmp_path: Path, former: dict[str, ModuleType]) -> None:
    module = network("DeepLabV3Plus")
    names = [name for name, part in module.named_modules() if isinstance(part, nn.Conv2d)]
    for name in names:
        layer = module.get_submodule(name)
        layer.padding, layer.dilation = (100, 100), (10**9, 1)  # type: ignore[assignment]
    module.decoder.up.scale_factor = 1e6  # type: ignore[operator, union-attr]
    module.segmentation_head[1].scale_factor = 1e6  # type: ignore[index]
    result = loaded(of_another_version(module, former), tmp_path / "whole.pth")
    with torch.no_grad():
        assert result.module(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)


def test_classes_of_ones_own_are_refused_as_before(tmp_path: Path, former: dict[str, ModuleType]) -> None:
    home = former.setdefault("own_networks", ModuleType("own_networks"))
    sys.modules["own_networks"] = home
    home.Own = type("Own", (nn.Module,), {"__module__": "own_networks"})  # type: ignore[attr-defined]
    module = network("Unet")
    module.__class__ = home.Own
    with pytest.raises(sc.SegcamError, match=r"own_networks\.Own"):
        loaded(module, tmp_path / "whole.pth")
