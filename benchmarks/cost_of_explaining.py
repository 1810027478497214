"""Cost of mask and heatmaps of one frame, against a bare forward pass and against `grad-cam` called per stage.

    python benchmarks/cost_of_explaining.py [--side 256] [--rounds 5] [--reference 1] [--encoder efficientnet-b5]

The network is U-Net++ with fitted random weights. The target is the sum of the logits over a fixed rectangle.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time

import awake  # noqa: F401
import numpy as np
import torch
from measuring import interleaved, machine, median_ratio, reference_network, speckle
from pytorch_grad_cam import GradCAM
from rich.console import Console
from rich.table import Table

import napari_segcam as sc
from napari_segcam.imaging.preprocessing import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=256, help="of the square frame, pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--encoder", default="efficientnet-b5")
    parser.add_argument("--reference", type=int, default=1, help="rounds of the slow reference; 0 for none")
    options = parser.parse_args()

    plain = reference_network(options.encoder)
    frozen = copy.deepcopy(plain).requires_grad_(False)
    network = sc.Network.from_module(plain, device="cpu")
    frame = speckle(options.side)
    region = np.zeros(frame.shape, dtype=bool)
    region[options.side * 3 // 8 : options.side * 5 // 8, options.side // 4 : options.side // 2] = True
    target = sc.Target(region=region)
    weights = torch.from_numpy(region).float()
    x, _ = prepare(frame, network.card, network.stride)
    main_stages = network.select("main")
    layers = [plain.get_submodule(stage.layer) for stage in main_stages]

    def region_sum(output: torch.Tensor) -> torch.Tensor:
        return (output[0] * weights).sum()

    def bare_forward() -> None:
        with torch.inference_mode():
            frozen(x)

    def own_forward() -> None:
        with torch.inference_mode():
            network.module(x.contiguous(memory_format=torch.channels_last))

    def grad_cam_per_stage() -> None:
        for layer in layers:
            with GradCAM(plain, [layer]) as cam:
                cam(x, [region_sum])

    deepest = sc.Explainer(network, stages=["encoder_last"])
    ten = sc.Explainer(network, stages="main")
    everything = sc.Explainer(network, stages="all")
    seconds = interleaved(
        {
            "bare forward (plain network)": bare_forward,
            "bare forward (channels-last)": own_forward,
            "mask + 1 stage": lambda: deepest(frame, target),
            f"mask + {len(ten.stages)} main stages": lambda: ten(frame, target),
            f"mask + all {len(everything.stages)} stages": lambda: everything(frame, target),
        },
        options.rounds,
    )
    base = next(iter(seconds.values()))
    peer = []
    for _ in range(options.reference):
        start = time.perf_counter()
        grad_cam_per_stage()
        peer.append(time.perf_counter() - start)
    seconds |= {f"grad-cam per stage, {len(layers)} stages": peer} if peer else {}
    table = Table(
        "",
        "median ms",
        "× bare forward",
        "grad-cam's time / this",
        title=f"U-Net++ / {options.encoder}, {options.side} px",
    )
    for name, times in seconds.items():
        milliseconds = f"{statistics.median(times) * 1000:.0f}"
        against_peer = f"{statistics.median(peer) / statistics.median(times):.1f}" if peer else "–"
        ratio = statistics.median(times) / statistics.median(base) if times is peer else median_ratio(times, base)
        table.add_row(name, milliseconds, f"{ratio:.2f}", against_peer)
    console = Console(width=120)
    console.print(table)
    console.print(machine())


if __name__ == "__main__":
    main()
