"""Whole networks saved by another version of SMP are rebuilt from their weights and the settings in the pickle."""

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
    """Python modules of another version of a library, which can be imported while a network is saved."""
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


def of_another_version(module: nn.Module, former: dict[str, ModuleType]) -> nn.Module:
    """Return the module with empty classes of the same names in Python modules that the library does not have."""
    for layer in module.modules():
        kind = type(layer)
        if not kind.__module__.startswith(("segmentation_models_pytorch.", "timm.")):
            continue
        python_name = f"segmentation_models_pytorch.former.{kind.__module__.rpartition('.')[2]}"
        python_module = former.setdefault(python_name, ModuleType(python_name))
        sys.modules[python_name] = python_module
        if not hasattr(python_module, kind.__name__):
            setattr(python_module, kind.__name__, type(kind.__name__, (nn.Module,), {"__module__": python_name}))
        layer.__class__ = getattr(python_module, kind.__name__)
    return module


def save_and_load(module: nn.Module, path: Path) -> sc.Network:
    torch.save(module, path)
    for name in [name for name in sys.modules if name.startswith("segmentation_models_pytorch.former")]:
        del sys.modules[name]
    return sc.load_network(path, "cpu", card=CARD)


@pytest.mark.slow
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
def test_settings_that_the_weights_do_not_show_come_from_the_pickle(
    architecture: str, options: dict[str, Any], tmp_path: Path, former: dict[str, ModuleType]
) -> None:
    module = network(architecture, **options)
    x = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = module(x)
    result = save_and_load(of_another_version(module, former), tmp_path / "whole.pth")
    with torch.no_grad():
        output = result.module(x)
    assert output.shape == expected.shape
    assert (output - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert any("rebuilt" in warning for warning in result.warnings)
    assert set(result.assumed) <= {"output"}


@pytest.mark.slow
def test_the_activation_decides_whether_classes_overlap(tmp_path: Path, former: dict[str, ModuleType]) -> None:
    for activation, overlap in (("sigmoid", True), ("softmax2d", False)):
        module = network("Unet", classes=3, activation=activation)
        result = save_and_load(of_another_version(module, former), tmp_path / f"{activation}.pth")
        assert result.card.classes_overlap is overlap
        assert "classes_overlap" not in result.assumed


@pytest.mark.slow
def test_a_network_without_an_attribute_of_todays_class_is_rebuilt(tmp_path: Path) -> None:
    module = network("Unet")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = module(x)
    for layer in module.modules():
        layer.__dict__.pop("interpolation_mode", None)
    result = save_and_load(module, tmp_path / "whole.pth")
    assert any("rebuilt" in warning for warning in result.warnings)
    with torch.no_grad():
        torch.testing.assert_close(result.module(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_an_encoder_may_have_classes_of_another_library(tmp_path: Path, former: dict[str, ModuleType]) -> None:
    module = network("Unet", encoder_name="efficientnet-b0")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = module(x)
    for name in ("efficientnet_pytorch", "efficientnet_pytorch.utils"):
        sys.modules[name] = former.setdefault(name, ModuleType(name))
    python_module = former["efficientnet_pytorch.utils"]
    for layer in of_another_version(module, former).modules():
        name = type(layer).__name__
        if name == "MBConvBlock":
            if not hasattr(python_module, name):
                python_module.MBConvBlock = type(name, (nn.Module,), {"__module__": python_module.__name__})
            layer.__class__ = python_module.MBConvBlock
    result = save_and_load(module, tmp_path / "whole.pth")
    assert result.encoder == "efficientnet-b0"
    with torch.no_grad():
        torch.testing.assert_close(result.module(x), expected, rtol=1e-4, atol=1e-4)


def test_an_upernet_with_the_decoder_of_smp_0_4_is_refused_by_name(
    tmp_path: Path, former: dict[str, ModuleType]
) -> None:
    weights = network("PSPNet").state_dict() | {"decoder.fpn_bottleneck.0.weight": torch.zeros(64, 256, 3, 3)}
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(sc.SegcamError, match=r"is a UPerNet of SMP 0\.4"):
        sc.load_network(tmp_path / "weights.pth", "cpu")
    module = network("PSPNet")
    module.decoder.fpn_bottleneck = nn.Conv2d(4, 4, 3)  # type: ignore[operator, union-attr]
    with pytest.raises(sc.SegcamError, match=r"is a UPerNet of SMP 0\.4"):
        save_and_load(of_another_version(module, former), tmp_path / "whole.pth")


def test_impossible_settings_are_ignored(tmp_path: Path, former: dict[str, ModuleType]) -> None:
    module = network("DeepLabV3Plus")
    names = [name for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d)]
    for name in names:
        layer = module.get_submodule(name)
        layer.padding, layer.dilation = (100, 100), (10**9, 1)  # type: ignore[assignment]
    module.decoder.up.scale_factor = 1e6  # type: ignore[operator, union-attr]
    module.segmentation_head[1].scale_factor = 1e6  # type: ignore[index]
    result = save_and_load(of_another_version(module, former), tmp_path / "whole.pth")
    with torch.no_grad():
        assert result.module(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)


def test_the_users_own_classes_are_refused(tmp_path: Path, former: dict[str, ModuleType]) -> None:
    python_module = former.setdefault("own_networks", ModuleType("own_networks"))
    sys.modules["own_networks"] = python_module
    python_module.Own = type("Own", (nn.Module,), {"__module__": "own_networks"})  # type: ignore[attr-defined]
    module = network("Unet")
    module.__class__ = python_module.Own
    with pytest.raises(sc.SegcamError, match=r"own_networks\.Own"):
        save_and_load(module, tmp_path / "whole.pth")
