"""An NVIDIA GPU: frames per second while they are stepped through, in batches, and when memory is short.

    python benchmarks/gpu.py [--sides 256,640] [--frames 30] [--limits 0,4,2,1] [--encoder efficientnet-b5]

The network is U-Net++ with fitted random weights, the target the sum of its logits over the frame. Every frame comes
from main memory, and its mask and heatmaps return to it, as in the window; what napari does with them is not counted.
TF32 is what torch would do by default, and the program does not. A limit of memory is what this process may take of the
card, in GB; 0 is all of it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest import mock

import torch
from measuring import machine, reference_network, speckle, wait_for_gpu
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rivals.contest import correlation
from torch import nn

import napari_segcam as sc
from napari_segcam.explanation import runner
from napari_segcam.network.running import full_precision

_WHOLE_FRAME = sc.Target(region="image")
_FORMS = ("float32", "TF32", "autocast")


@contextmanager
def form(name: str) -> Iterator[None]:
    """Let the network multiply in this form, whatever it does to the masks."""
    if name == "TF32":
        with mock.patch.object(full_precision, "_multiplying_exactly", nullcontext):
            yield
    elif name == "autocast":  # an option of the explainer, refused where it changes a mask
        with mock.patch.object(runner, "refuse_changed_masks", return_value=True):
            yield
    else:
        yield


def explainer_of(network: sc.Network, stages: str, name: str) -> sc.Explainer:
    return sc.Explainer(network, stages=stages, autocast=name == "autocast")


def frames_per_second(network: sc.Network, side: int, frames: int) -> Table:
    """Step through a cine frame by frame, and explain it in batches."""
    columns = ("stages", "", "stepping, frames/s", "slowest frame, ms", "batches, frames/s")
    table, cine = Table(*columns, title=f"Speed, {side} px"), speckle(side, frames)
    for stages in ("main", "all"):
        for name in _FORMS:
            with form(name):
                explainer = explainer_of(network, stages, name)
                explainer(cine[0], _WHOLE_FRAME)
                seconds = [_seconds_of(explainer, frame) for frame in cine]
                in_batches = frames / _batch_seconds(explainer, cine)
            speed = 1 / statistics.median(seconds)
            slowest = f"{max(seconds) * 1000:.0f}"
            table.add_row(str(len(explainer.stages)), name, f"{speed:.1f}", slowest, f"{in_batches:.1f}")
    return table


def _seconds_of(explainer: sc.Explainer, frame: NDArray) -> float:
    start = time.perf_counter()
    explainer(frame, _WHOLE_FRAME)
    return time.perf_counter() - start


def _batch_seconds(explainer: sc.Explainer, cine: NDArray) -> float:
    list(explainer.each(cine, _WHOLE_FRAME))
    start = time.perf_counter()
    list(explainer.each(cine, _WHOLE_FRAME))
    return time.perf_counter() - start


def similarity(network: sc.Network, plain: nn.Module, side: int, frames: int) -> Table:
    """Compare the maps of ten stages with those of the CPU."""
    title = f"Maps of ten stages and masks against the CPU's, {side} px, {frames} frames"
    table = Table("", "lowest correlation", "… of the median frame", "most mask pixels that differ", title=title)
    on_cpu = sc.Explainer(sc.Network.from_module(plain, device="cpu"), stages="main")
    cine = speckle(side, frames)
    expected = [on_cpu(frame, _WHOLE_FRAME) for frame in cine]
    for name in _FORMS:
        lowest, pixels = [], []
        with form(name):
            explainer = explainer_of(network, "main", name)
            for frame, truth in zip(cine, expected, strict=True):
                found = explainer(frame, _WHOLE_FRAME)
                lowest.append(min(_alike(found, truth, stage) for stage in truth.heatmaps))
                pixels.append(int((found.mask != truth.mask).sum()))
        table.add_row(name, f"{min(lowest):.6f}", f"{statistics.median(lowest):.6f}", f"{max(pixels)} of {side**2}")
    return table


def _alike(one: sc.Explanation, other: sc.Explanation, stage: str) -> float:
    return correlation(*(torch.from_numpy(result.heatmaps[stage].values).double() for result in (one, other)))


def memory_ladder(side: int, limits: list[str], encoder: str) -> Table:
    """Explain 16 frames with less and less memory, each time in a new process: another's rests would take memory."""
    title = f"16 frames of {side} px with ten stages, when memory is limited"
    table = Table("limit, GB", "frames/s", "peak, GB", "measures", title=title)
    for limit in limits:
        command = [sys.executable, __file__, "--limit", limit, "--sides", str(side), "--encoder", encoder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        table.add_row(limit if float(limit) else "none", *done.stdout.splitlines()[-1].split("|"))
    return table


def with_limit(network: sc.Network, side: int, limit: float) -> str:
    """Return the row of one limit, in GB; 0 for none."""
    cine = speckle(side, 16)
    if limit:
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(limit * 1e9 / whole)
    explainer = explainer_of(network, "main", "float32")
    speed = len(cine) / _batch_seconds(explainer, cine)
    wait_for_gpu()
    peak = torch.cuda.max_memory_reserved() / 1e9
    measures = explainer(cine[0], _WHOLE_FRAME).provenance["memory"]
    return f"{speed:.1f}|{peak:.2f}|{'; '.join(measures) or 'none'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", default="256,640", help="of the square frames, pixels")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--limits", default="0,4,2,1", help="GB")
    parser.add_argument("--encoder", default="efficientnet-b5")
    parser.add_argument("--limit", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sides = [int(side) for side in options.sides.split(",")]
    if not torch.cuda.is_available():
        raise SystemExit("There is no NVIDIA GPU on this machine.")
    plain = reference_network(options.encoder)
    network = sc.Network.from_module(plain, device="cuda")
    if options.limit is not None:
        print(with_limit(network, sides[-1], options.limit))
        return
    console = Console(width=140)
    console.print(f"U-Net++ / {options.encoder}, {machine('cuda')}")
    console.print(memory_ladder(sides[-1], options.limits.split(","), options.encoder))
    for side in sides:
        console.print(frames_per_second(network, side, options.frames))
    console.print(similarity(network, plain, sides[0], 5))


if __name__ == "__main__":
    main()
