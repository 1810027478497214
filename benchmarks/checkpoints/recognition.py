"""Number of networks that are recognized from a checkpoint alone, with exactly the same output.

    python benchmarks/checkpoints/recognition.py [--full] [--architectures Unet,FPN] [--encoders mit_b0]

Every architecture of segmentation-models-pytorch (SMP) is built with encoders of many families and random weights, and
saved. Each pair uses one of the containers in turn, or with `--full` all of them. A network counts as recognized if the
output of the loaded network equals the original's bit for bit. Pairs that SMP itself does not build or run are counted
separately. The time is that of recognizing and building, without reading the file, which depends on its size; both the
wall clock's and the processor's time are given, as the latter is more reliable on a busy machine.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import safetensors.torch
import segmentation_models_pytorch as smp
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from napari_segcam.network.checkpoints.checkpoint import read_checkpoint
from napari_segcam.network.families.recognition import build, recognize

sys.path.append(str(Path(__file__).parents[1]))
from measuring import machine

ARCHITECTURES = (
    *("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "DeepLabV3", "DeepLabV3Plus", "PAN", "UPerNet"),
    *("Segformer", "DPT"),
)
ENCODERS = (
    *("resnet18", "se_resnet50", "timm-skresnet18", "timm-regnetx_002", "timm-gernet_s", "densenet121"),
    *("inceptionv4", "dpn68", "vgg11", "vgg13_bn"),
    *(
        "efficientnet-b0",
        "timm-efficientnet-b0",
        "timm-tf_efficientnet_lite0",
        "mobilenet_v2",
        "mobileone_s0",
        "mit_b0",
    ),
    *("tu-mobilenetv3_small_100", "tu-mobilenetv4_conv_small", "tu-convnext_atto", "tu-hrnet_w18_small"),
    *("tu-pvt_v2_b0", "tu-swin_tiny_patch4_window7_224", "tu-edgenext_xx_small", "tu-fastvit_t8"),
    *("tu-vit_tiny_patch16_224", "tu-deit_tiny_patch16_224"),
)
SIDES = (64, 128, 224)

State = dict[str, torch.Tensor]


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def save_safetensors(network: nn.Module, path: Path) -> None:
    safetensors.torch.save_model(network, str(path), metadata={"note": "random weights"})


def save_folder(network: nn.Module, path: Path) -> None:
    network.save_pretrained(path)  # type: ignore[operator]


def save_script(network: nn.Module, path: Path) -> None:
    torch.jit.save(torch.jit.trace(network, image_for(network), check_trace=False), str(path))


def save_program(network: nn.Module, path: Path) -> None:
    buffer = io.BytesIO()  # torch requires a file name that ends in .pt2
    torch.export.save(torch.export.export(network, (image_for(network),)), buffer)
    path.write_bytes(buffer.getvalue())


def torch_saved(wrap: Callable[[nn.Module], object], **options: object) -> Callable[[nn.Module, Path], None]:
    def save(network: nn.Module, path: Path) -> None:
        buffer = io.BytesIO()
        torch.save(wrap(network), buffer, **options)  # type: ignore[arg-type]
        path.write_bytes(buffer.getvalue())

    return save


CONTAINERS: dict[str, Callable[[nn.Module, Path], None]] = {
    "state dict": torch_saved(lambda n: n.state_dict()),
    "old format": torch_saved(lambda n: n.state_dict(), _use_new_zipfile_serialization=False),
    "model_state_dict": torch_saved(lambda n: {"model_state_dict": n.state_dict(), "epoch": 3, "optimizer": {}}),
    "Lightning": torch_saved(lambda n: {"state_dict": prefixed(n.state_dict(), "net.model."), "hyper_parameters": {}}),
    "average": torch_saved(lambda n: {"model": {}, "state_dict_ema": n.state_dict()}),
    "DataParallel": torch_saved(lambda n: {"net": prefixed(n.state_dict(), "module.")}),
    "compiled": torch_saved(lambda n: {"network": prefixed(n.state_dict(), "_orig_mod.")}),
    "float16": torch_saved(lambda n: {name: halved(tensor) for name, tensor in n.state_dict().items()}),
    "safetensors": save_safetensors,
    "SMP folder": save_folder,
    "whole network": torch_saved(lambda n: n),
    "TorchScript": save_script,
    "torch.export": save_program,
}


def halved(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


@dataclass
class Tally:
    """Results for the pairs of one architecture."""

    tried: int = 0
    recognized: int = 0
    not_of_smp: int = 0
    not_saved: int = 0
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def network_of(architecture: str, encoder: str) -> nn.Module | None:
    """Return a network with random weights in eval mode; None if SMP cannot build or run this pair."""
    for options in ({}, {"encoder_depth": 4}, {"encoder_depth": 4, "decoder_channels": (64, 32, 16, 8)}):
        try:
            torch.manual_seed(0)
            network: nn.Module = getattr(smp, architecture)(encoder, encoder_weights=None, classes=2, **options).eval()
            image_for(network)
        except Exception:  # SMP raises many errors for parts that do not match
            continue
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
        return network
    return None


def image_for(network: nn.Module) -> torch.Tensor:
    """Return an image of the smallest size on which the network runs."""
    for side in SIDES:
        image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        try:
            with torch.no_grad():
                network(image)
        except Exception:
            continue
        return image
    raise ValueError("the network runs on no size")


def comes_back(network: nn.Module, container: str, folder: Path) -> tuple[bool, float, float]:
    """Return whether the saved network is recognized with the same output, the seconds, and those of the processor."""
    path = folder / "checkpoint"
    CONTAINERS[container](network, path)
    image = image_for(network)
    if container == "float16":
        network.load_state_dict({name: halved(tensor).to(tensor) for name, tensor in network.state_dict().items()})
    checkpoint = read_checkpoint(path)
    start, processor_start = time.perf_counter(), time.process_time()
    module = checkpoint.module or build(recognize(checkpoint), checkpoint)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor_start
    with torch.no_grad():
        expected = network(image)
        if container == "TorchScript":  # TorchScript optimizes its program during its first runs
            expected = torch.jit.load(str(path))(image)
        return torch.equal(module(image), expected), seconds, processor


def pairs(architectures: list[str], encoders: list[str]) -> Iterator[tuple[str, str]]:
    yield from ((architecture, encoder) for architecture in architectures for encoder in encoders)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="save every pair in every container")
    parser.add_argument("--architectures", default=",".join(ARCHITECTURES))
    parser.add_argument("--encoders", default=",".join(ENCODERS))
    parser.add_argument("--containers", default=",".join(CONTAINERS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    console = Console()
    containers = options.containers.split(",")
    turns = cycle(containers)
    tallies: dict[str, Tally] = {}
    by_container: Counter[tuple[str, bool]] = Counter()
    for architecture, encoder in pairs(options.architectures.split(","), options.encoders.split(",")):
        tally = tallies.setdefault(architecture, Tally())
        network = network_of(architecture, encoder)
        if network is None:
            tally.not_of_smp += 1
            continue
        for container in containers if options.full else [next(turns)]:
            label = f"{architecture} with {encoder} as {container}"
            with tempfile.TemporaryDirectory() as folder:
                try:
                    same, seconds, processor = comes_back(network, container, Path(folder))
                except (torch.jit.TracingCheckError, torch._dynamo.exc.TorchDynamoException) as error:
                    tally.not_saved += 1
                    console.print(f"torch does not save {label}: {' '.join(str(error).split())[:120]}")
                    continue
                except Exception as error:
                    same, seconds, processor = False, 0.0, 0.0
                    console.print(f"[red]{label}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
                else:
                    console.print(
                        f"{'' if same else '[red]not the same: '}{label}, {seconds:.1f} s ({processor:.1f} s)"
                    )
            tally.tried += 1
            tally.recognized += same
            tally.seconds.append(seconds)
            tally.processor.append(processor)
            by_container[container, same] += 1
    report(console, tallies, by_container)


def report(console: Console, tallies: dict[str, Tally], by_container: Counter[tuple[str, bool]]) -> None:
    table = Table(
        "architecture",
        "recognized / tried",
        "not built by SMP",
        "not saved by torch",
        "longest (processor)",
        title=machine(),
    )
    for architecture, tally in tallies.items():
        table.add_row(
            architecture,
            f"{tally.recognized} / {tally.tried}",
            str(tally.not_of_smp),
            str(tally.not_saved),
            f"{max(tally.seconds, default=0):.1f} s ({max(tally.processor, default=0):.1f} s)",
        )
    console.print(table)
    by_container_table = Table("container", "recognized / tried")
    for container in {name: None for name, _ in by_container}:
        good, bad = by_container[container, True], by_container[container, False]
        by_container_table.add_row(container, f"{good} / {good + bad}")
    console.print(by_container_table)
    seconds = [duration for tally in tallies.values() for duration in tally.seconds]
    processor = [duration for tally in tallies.values() for duration in tally.processor]
    summary = {
        "recognized": sum(tally.recognized for tally in tallies.values()),
        "tried": sum(tally.tried for tally in tallies.values()),
        "longest_seconds": round(max(seconds, default=0), 2),
        "longest_processor_seconds": round(max(processor, default=0), 2),
        "median_seconds": round(sorted(seconds)[len(seconds) // 2], 2) if seconds else 0,
    }
    console.print(json.dumps(summary))


if __name__ == "__main__":
    main()
