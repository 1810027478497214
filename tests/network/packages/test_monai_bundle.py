"""MONAI bundles open as data: the network that they define, prepared as MONAI's own transforms do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.preprocessing import prepare

nets = pytest.importorskip("monai.networks.nets")

UNET = {"_target_": "UNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 2}
UNET |= {"channels": [4, 8, 16], "strides": [2, 2], "num_res_units": 1, "norm": ["batch", {}]}
BASIC = {"_target_": "monai.networks.nets.BasicUNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 2}
BASIC |= {"features": [4, 4, 8, 8, 16, 4]}
FLEXIBLE = {"_target_": "FlexibleUNet", "in_channels": 3, "out_channels": 2, "backbone": "efficientnet-b0"}
FLEXIBLE |= {"spatial_dims": 2, "pretrained": True, "is_pad": False}
SWIN = {"_target_": "SwinUNETR", "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "feature_size": 12}

SCALE = {"_target_": "ScaleIntensityd", "keys": "@image_key"}
LOAD: list[dict[str, Any]] = [{"_target_": "EnsureChannelFirstd", "keys": ["image"]}]


def network(definition: dict[str, Any]) -> nn.Module:
    torch.manual_seed(2)
    arguments = {key: value for key, value in definition.items() if key not in ("_target_", "pretrained")}
    if definition["_target_"] == "FlexibleUNet":
        arguments["pretrained"] = False
    module: nn.Module = getattr(nets, definition["_target_"].rpartition(".")[2])(**arguments)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.running_mean, -0.2, 0.2)
    return module.eval()


def bundle(
    folder: Path,
    definition: dict[str, Any] = UNET,
    transforms: list[Any] | None = None,
    form: str = "json",
    **parts: Any,
) -> nn.Module:
    """Write a bundle, and return its network."""
    module = network(definition) if isinstance(definition.get("in_channels"), int) else network(UNET)
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    torch.save(module.state_dict(), folder / "models" / "model.pt")
    image = {
        "type": "image",
        "format": "magnitude",
        "num_channels": 1,
        "spatial_shape": ["*", "*"],
        "value_range": [0, 1],
    }
    result = {"type": "image", "num_channels": 2, "channel_def": {"0": "background", "1": "lesion"}}
    metadata = {"version": "0.1.0", "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": result}}}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    config = {
        "imports": ["$import os", "$import glob"],
        "bundle_root": ".",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "image_key": "image",
        "datalist": "$list(sorted(glob.glob(@bundle_root + '/*.png')))",
        "network_def": definition,
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [*LOAD, *([SCALE] if transforms is None else transforms)],
        },
    }
    text = json.dumps(config | parts) if form == "json" else yaml.safe_dump(config | parts)
    (folder / "configs" / f"inference.{form}").write_text(text, encoding="utf-8")
    return module


def noise(channels: int = 1, size: tuple[int, int] = (64, 96)) -> torch.Tensor:
    return torch.randn(1, channels, *size, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize(
    "definition", [UNET, BASIC, FLEXIBLE, SWIN], ids=["UNet", "BasicUNet", "FlexibleUNet", "SwinUNETR"]
)
def test_the_defined_network_gives_the_original_output(definition: dict[str, Any], tmp_path: Path) -> None:
    original = bundle(tmp_path, definition)
    found = sc.load_network(tmp_path, "cpu")
    x = noise(definition["in_channels"], (64, 64))
    with torch.no_grad():
        torch.testing.assert_close(found.module(x), original(x), atol=1e-4, rtol=1e-4)
    assert found.class_names == ("background", "lesion")
    assert found.stages


@pytest.mark.parametrize("form", ["json", "yaml", "zip", "model file"])
def test_the_other_forms_of_a_bundle(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    original = bundle(folder, form="yaml" if form == "yaml" else "json")
    path: Path = folder
    if form == "zip":
        path = Path(shutil.make_archive(str(tmp_path / "bundle"), "zip", tmp_path, "bundle"))
    elif form == "model file":
        path = folder / "models" / "model.pt"
    found = sc.load_network(path, "cpu")
    with torch.no_grad():
        torch.testing.assert_close(found.module(noise()), original(noise()), atol=1e-5, rtol=1e-4)
    assert found.card.normalization == "percentile"


def test_references_and_plain_expressions_are_resolved(tmp_path: Path) -> None:
    definition = UNET | {"in_channels": 1, "channels": "@widths", "strides": "$[@step, @step]", "norm": "%shared#norm"}
    module = network(UNET)
    bundle(tmp_path, UNET, widths=[4, 8, 16], step=2, shared={"norm": ["batch", {}]}, network_def=definition)
    found = sc.load_network(tmp_path, "cpu")
    with torch.no_grad():
        torch.testing.assert_close(found.module(noise()), module(noise()), atol=1e-5, rtol=1e-4)


def values(**arguments: Any) -> dict[str, Any]:
    return {"keys": "image", **arguments}


TRANSFORMS: dict[str, list[dict[str, Any]]] = {
    "minimum and maximum": [values(_target_="ScaleIntensityd", minv=-1.0, maxv=1.0)],
    "range": [values(_target_="ScaleIntensityRanged", a_min=0, a_max=255, b_min=0.0, b_max=1.0, clip=True)],
    "part of the range": [
        values(_target_="ScaleIntensityRanged", a_min=30, a_max=200, b_min=-1.0, b_max=1.0, clip=True)
    ],
    "percentiles": [
        values(_target_="ScaleIntensityRangePercentilesd", lower=5, upper=95, b_min=0.0, b_max=1.0, clip=True)
    ],
    "z-score": [values(_target_="ScaleIntensityd"), values(_target_="NormalizeIntensityd")],
    "fixed": [
        values(_target_="ScaleIntensityRanged", a_min=0, a_max=255, b_min=0.0, b_max=1.0),
        values(_target_="NormalizeIntensityd", subtrahend=0.4, divisor=0.2),
    ],
}


@pytest.mark.parametrize("case", TRANSFORMS)
def test_a_frame_is_prepared_as_monai_does(case: str, tmp_path: Path) -> None:
    transforms = pytest.importorskip("monai.transforms")
    bundle(tmp_path, transforms=TRANSFORMS[case])
    card = sc.load_network(tmp_path, "cpu").card
    frame = np.random.default_rng(1).integers(10, 250, (64, 96), dtype=np.uint8)
    data: Any = {"image": frame[None].astype(np.float32)}
    for transform in TRANSFORMS[case]:
        arguments = {key: value for key, value in transform.items() if key != "_target_"}
        data = getattr(transforms, transform["_target_"])(**arguments)(data)
    x, _ = prepare(frame, card, 4, value_range=(0, 255))
    np.testing.assert_allclose(x[0].numpy(), np.asarray(data["image"]), atol=1e-4)


def test_a_network_that_saw_columns_first_takes_frames_as_they_are_shown(tmp_path: Path) -> None:
    transforms = pytest.importorskip("monai.transforms")
    folder = tmp_path / "bundle"
    resized = values(_target_="Resized", spatial_size=[96, 64])
    scaled = values(_target_="ScaleIntensityd")
    loaded = values(_target_="LoadImaged")
    original = bundle(folder, transforms=[loaded, scaled, resized])
    found = sc.load_network(folder, "cpu")
    assert found.card.size.fixed == (64, 96)  # height and width
    assert any("columns first" in warning for warning in found.warnings)
    frame: NDArray[np.uint8] = np.random.default_rng(1).integers(0, 256, (64, 96), dtype=np.uint8)
    frame[5:30, 10:80] //= 3
    Image.fromarray(frame).save(tmp_path / "frame.png")
    chain = [
        transforms.LoadImage(image_only=True),
        transforms.EnsureChannelFirst(),
        transforms.ScaleIntensity(),
        transforms.Resize([96, 64]),
    ]
    image: Any = str(tmp_path / "frame.png")
    for step in chain:
        image = step(image)
    with torch.no_grad():
        expected = original(torch.as_tensor(np.asarray(image))[None]).softmax(1)[0].mT
    result = sc.Explainer(found, stages=())(frame)
    np.testing.assert_allclose(result.probabilities, expected.numpy(), atol=1e-4)


def test_a_sliding_window_becomes_tiles(tmp_path: Path) -> None:
    window = {"_target_": "SlidingWindowInferer", "roi_size": [64, 48], "overlap": 0.25, "sw_batch_size": 4}
    bundle(tmp_path, inferer=window)
    size = sc.load_network(tmp_path, "cpu").card.size
    assert (size.rule, size.fixed, size.overlap) == ("tiles", (64, 48), 0.25)
    bundle(tmp_path, inferer=window | {"roi_size": "$@whatever()"})
    assert sc.load_network(tmp_path, "cpu").card.size.rule == "pad"


def test_what_is_not_done_is_named(tmp_path: Path) -> None:
    steps: list[Any] = [
        values(_target_="Lambdad", func="$lambda x: x ** 2"),
        values(_target_="Spacingd", pixdim=[0.5, 0.5]),
        values(_target_="NormalizeIntensityd", nonzero=True),
        "$import os",
    ]
    bundle(tmp_path, transforms=steps)
    (warning,) = sc.load_network(tmp_path, "cpu").warnings
    for name in ("Lambdad", "Spacingd", "not 0 alone", r"$import os"):
        assert name in warning


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (UNET | {"_target_": "os.system"}, "names the network os.system, which is not built"),
        (UNET | {"_target_": "evil.UNet"}, "names the network evil.UNet"),
        (
            UNET | {"out_channels": "$__import__('os').system('touch ran')"},
            r"an expression that is not run: \$__import__",
        ),
        (UNET | {"out_channels": "$len(@labels)"}, r"not run: \$len\(@labels\)"),
        (UNET | {"channels": "@a"}, "in a circle"),
        (UNET | {"channels": "@gone"}, "refers to gone, which is not there"),
        (UNET | {"spatial_dims": 3}, r"for volumes \(3-D\)"),
        (UNET | {"channels": [10**9, 1, 1]}, "larger than"),
        (UNET | {"channels": [4096, 4096, 4096]}, "do not fit"),
        (UNET | {"channels": [4, 8, 8]}, "of another shape"),
        (UNET | {"nonsense": 1}, "cannot be built"),
    ],
)
def test_definitions_that_do_not_fit_are_refused(
    definition: dict[str, Any], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle(tmp_path, UNET, network_def=definition, labels=[1, 2], a="@b", b="@a")
    with pytest.raises(SegcamError, match=reason):
        sc.load_network(tmp_path, "cpu")
    assert not (tmp_path / "ran").exists()


def test_bundles_for_volumes_or_without_weights_are_refused(tmp_path: Path) -> None:
    bundle(tmp_path)
    metadata = tmp_path / "configs" / "metadata.json"
    content = json.loads(metadata.read_text())
    content["network_data_format"]["inputs"]["image"]["spatial_shape"] = [96, 96, 96]
    metadata.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SegcamError, match=r"for volumes \(3-D\)"):
        sc.load_network(tmp_path, "cpu")
    content["network_data_format"]["inputs"]["image"]["spatial_shape"] = [96, 96]
    metadata.write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "models" / "model.pt").unlink()
    with pytest.raises(SegcamError, match="without weights"):
        sc.load_network(tmp_path, "cpu")
