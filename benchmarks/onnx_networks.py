"""Heatmaps of networks exported to ONNX, compared with those of the networks in torch.

    python benchmarks/onnx_networks.py [--networks Unet,FPN] [--exporters torchscript,dynamo]

Each network gets random weights whose batch norms have seen images, is exported by both of torch's exporters, and is
loaded from its file. A network counts if all main stages of the original are there under their names and each of
their Grad-CAM heatmaps correlates with the original's at 0.9999 or more (Pearson; maps that are empty in
both, or nothing but rounding, are left out). The mask must be the same too.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torchvision.models.segmentation as tv
from rich.console import Console
from rich.table import Table
from torch import nn

import napari_segcam as sc

SIDE = 128
LEAST_CORRELATION = 0.9999
# Share of the largest heatmap. A map right before a group norm has gradients whose mean is 0: only rounding is left.
ROUNDING = 1e-4
EXPORTERS = ("torchscript", "dynamo")


def _smp(architecture: str, encoder: str = "resnet18", **options: object) -> Callable[[], nn.Module]:
    return lambda: smp.create_model(architecture, encoder, encoder_weights=None, classes=2, **options)


def _torchvision(name: str) -> Callable[[], nn.Module]:
    return lambda: getattr(tv, name)(weights=None, weights_backbone=None, num_classes=3)


def _monai(name: str, **options: object) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        networks = __import__("monai.networks.nets", fromlist=[name])
        return getattr(networks, name)(spatial_dims=2, in_channels=1, out_channels=2, **options)

    return make


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "Unet": _smp("Unet"),
    "UnetPlusPlus": _smp("UnetPlusPlus", "efficientnet-b0"),
    "MAnet": _smp("MAnet"),
    "Linknet": _smp("Linknet", "mobilenet_v2"),
    "FPN": _smp("FPN", "resnet34"),
    "PSPNet": _smp("PSPNet"),
    "DeepLabV3": _smp("DeepLabV3"),
    "DeepLabV3Plus": _smp("DeepLabV3Plus"),
    "PAN": _smp("PAN"),
    "UPerNet": _smp("UPerNet"),
    "Segformer": _smp("Segformer", "mit_b0"),
    "fcn_resnet50": _torchvision("fcn_resnet50"),
    "deeplabv3_mobilenet_v3_large": _torchvision("deeplabv3_mobilenet_v3_large"),
    "lraspp_mobilenet_v3_large": _torchvision("lraspp_mobilenet_v3_large"),
    "MONAI UNet": _monai("UNet", channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=2),
    "MONAI AttentionUnet": _monai("AttentionUnet", channels=(16, 32, 64), strides=(2, 2)),
    "MONAI SegResNet": _monai("SegResNet"),
}


@dataclass(frozen=True)
class Comparison:
    """How heatmaps from a file compare with those of the original.

    Attributes:
        missing: names of the main stages that the file's network lacks.
        lowest: correlation of the stage that differs most.
        worst: that stage.
        same_mask: whether the masks are equal.
        seconds: that loading took.
        stages: number of main stages.
        note: why hooks are not possible, if they are not.
    """

    missing: tuple[str, ...]
    lowest: float
    worst: str
    same_mask: bool
    seconds: float
    stages: int
    note: str = ""

    @property
    def passes(self) -> bool:
        return not self.missing and self.lowest >= LEAST_CORRELATION and self.same_mask and not self.note


def trained_like(module: nn.Module, channels: int) -> nn.Module:
    """Return a network whose batch norms have statistics of images, as after training."""
    torch.manual_seed(0)
    module.train()
    with torch.no_grad():
        for _ in range(20):
            images = torch.rand(4, channels, SIDE, SIDE) * torch.linspace(0.2, 1, SIDE)
            module(images)
    return module.eval()


def export(module: nn.Module, channels: int, path: Path, exporter: str) -> None:
    """Export a network with open sides where the exporter manages it."""
    image = torch.rand(1, channels, SIDE, SIDE)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            torch.onnx.export(module, (image,), str(path), dynamo=True, verbose=False)
        else:
            torch.onnx.export(module, (image,), str(path), dynamo=False, opset_version=17)


class _FirstOutput(nn.Module):
    """Torchvision's networks return a dict, which has no place in a file."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        output = self.module(image)
        return output["out"] if isinstance(output, dict) else output


def compare(module: nn.Module, channels: int, exporter: str, folder: Path) -> Comparison:
    """Export a network, load it, and compare mask and heatmaps of one frame with the original's."""
    path = folder / f"{type(module).__name__}_{exporter}.onnx"
    card = sc.ModelCard(
        input_channels=channels, normalization="unit", size={"rule": "resize", "height": SIDE, "width": SIDE}
    )
    original = sc.Network.from_module(module, card, "cpu")
    wrapped = _FirstOutput(module) if type(module).__module__.startswith("torchvision") else module
    export(wrapped.eval(), channels, path, exporter)
    start = time.perf_counter()
    loaded = sc.load_network(path, "cpu", card=card)
    seconds = time.perf_counter() - start
    names = [stage.name for stage in original.select("main")]
    if loaded.no_hooks_reason:
        return Comparison(tuple(names), 0.0, "", False, seconds, len(names), loaded.no_hooks_reason)
    frame = (np.random.default_rng(1).random((SIDE, SIDE)) ** 2 * 255).astype(np.uint8)
    frame[30:90, 40:100] //= 3
    available = {stage.name for stage in loaded.stages}
    present = [name for name in names if name in available]
    # Not the whole image: the sum of a normalized map is a constant, whose gradient is nothing but rounding.
    region = np.zeros((SIDE, SIDE), bool)
    region[35:80, 50:90] = True
    target = sc.Target(class_index=1, region=region)
    results = [sc.Explainer(network, method="gradcam", stages=present)(frame, target) for network in (original, loaded)]
    largest = max(result.heatmaps[name].values.max() for result in results for name in present)
    lowest, worst = 1.0, ""
    for name in present:
        maps = [result.heatmaps[name].values for result in results]
        if max(values.max() for values in maps) < ROUNDING * largest:
            continue
        correlation = _correlation(*maps)
        if not correlation >= lowest:
            lowest, worst = correlation, name
    same = bool((results[0].mask == results[1].mask).mean() > 0.9999)
    missing = tuple(name for name in names if name not in available)
    return Comparison(missing, lowest, worst, same, seconds, len(names))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.shape != second.shape:
        return -1.0
    if not first.any() and not second.any():
        return 1.0
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float(np.allclose(first, second, rtol=1e-3))
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def comparisons(networks: list[str], exporters: list[str]) -> Iterator[tuple[str, str, Comparison | str]]:
    """Yield each network's name, the exporter, and the comparison, or what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        for name in networks:
            channels = 1 if name.startswith("MONAI") else 3
            torch.manual_seed(0)
            module = trained_like(NETWORKS[name](), channels)
            for exporter in exporters:
                try:
                    yield name, exporter, compare(module, channels, exporter, Path(folder))
                except Exception as error:
                    yield name, exporter, f"{type(error).__name__}: {error}"[:200]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--exporters", default=",".join(EXPORTERS))
    arguments = parser.parse_args()
    table = Table("network", "exporter", "main stages", "missing", "lowest correlation", "mask", "load, s", "")
    passed = total = 0
    for name, exporter, result in comparisons(arguments.networks.split(","), arguments.exporters.split(",")):
        total += 1
        if isinstance(result, str):
            row = (name, exporter, "", "", "", "", "", result)
        else:
            passed += result.passes
            row = (
                name,
                exporter,
                str(result.stages),
                ", ".join(result.missing),
                f"{result.lowest:.6f} {result.worst}",
                "same" if result.same_mask else "differs",
                f"{result.seconds:.1f}",
                result.note,
            )
        table.add_row(*row)
        print(*row, sep=" | ", flush=True)
    Console().print(table)
    print(f"{passed} of {total} have all main stages and the same heatmaps.")


if __name__ == "__main__":
    main()
