"""The inference form against the plain network and two other libraries, all measured in this run.

    python benchmarks/engine.py [--rounds 3] [--quick] [--encoder efficientnet-b5] [--device cpu]
        [--tables cost,peers,scorecam]

The network is U-Net++ with fitted random weights. The target is the sum of the logits over a fixed rectangle, a
sixteenth of the image. `--quick` does one round at smaller sizes: a first look, not a measurement. Memory is that of a
first run in a separate process, and is measured on Linux only; on an NVIDIA GPU it is what the tensors take there.
Score-CAM is timed on a sample of the channels, its preview as a whole. The plain network and the other libraries are
timed in a separate process, in turns with this one, as they would also profit from the explainer's C library settings
(to keep freed memory). On a GPU all multiply float32 as it is, without TF32.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from unittest import mock

import awake  # noqa: F401
import torch
from measuring import interleaved, machine, median_ratio, multiply_exactly, peak_extra_gpu_memory, peak_extra_memory
from rich.console import Console
from rich.table import Table
from rivals.apart import PAUSE, apart
from rivals.contest import Contest, cams, correlation
from rivals.score_cam import scorecam
from torch import nn

from napari_segcam.explanation.passes.recomputation import recomputing
from napari_segcam.network.inference import inference_form, mbconv

# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def time_against_forward(contest: Contest, rounds: int) -> Table:
    ten = contest.stages
    with apart(contest) as others:
        seconds = interleaved(
            {
                "plain network, bare forward": lambda: others.run("forward"),
                "inference form, bare forward": contest.own_forward,
                "inference form, mask + 1 stage": lambda: contest.maps(contest.deepest),
                f"inference form, mask + {len(ten)} stages": lambda: contest.maps(ten),
                f"the same, whole image as region, mask + {len(ten)} stages": lambda: contest.maps(
                    ten, torch.ones_like
                ),
            },
            rounds,
            PAUSE,
        )
    plain, own, *_ = seconds.values()
    table = Table("", "median ms", "× plain forward", "× own forward", title=f"Cost, {contest.side} px")
    for name, times in seconds.items():
        table.add_row(name, _median(times), f"{median_ratio(times, plain):.2f}", f"{median_ratio(times, own):.2f}")
    table.caption = "bars: 10 stages ≤ 1.3 × the plain forward, ≤ 2.0 × the own forward (384 px)"
    return table


def time_against_peers(contest: Contest, rounds: int) -> Table:
    one, ten = contest.deepest, contest.stages
    with apart(contest) as others:
        seconds = interleaved(
            {
                "1 stage": lambda: contest.maps(one),
                "grad-cam, 1 stage": lambda: others.run("grad_cam", one),
                f"{len(ten)} stages": lambda: contest.maps(ten),
                f"torch-cam, {len(ten)} stages in one pass": lambda: others.run("torch_cam", ten),
                f"grad-cam, {len(ten)} stages one by one": lambda: others.run("grad_cam", ten),
            },
            rounds,
            PAUSE,
        )
    ours_one, _, ours_ten, *_ = seconds.values()
    bars = ("", "≥ 7", "", "≥ 1.8", "≥ 25")
    table = Table("", "median ms", "own is faster by", "bar", title=f"Against other libraries, {contest.side} px")
    for (name, times), own, bar in zip(
        seconds.items(), (ours_one, ours_one, ours_ten, ours_ten, ours_ten), bars, strict=True
    ):
        table.add_row(name, _median(times), f"{median_ratio(times, own):.2f}" if bar else "", bar)
    return table


def _median(seconds: list[float]) -> str:
    milliseconds = statistics.median(seconds) * 1000
    return f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"


# ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def keeping_everything(contest: Contest) -> None:
    """Explain ten stages with every wide map of the encoder stored for the backward pass."""
    with mock.patch.object(mbconv, "_LARGEST_KEPT", 2**40):
        contest.maps(contest.stages)


def recomputed(contest: Contest) -> None:
    """Explain ten stages with the blocks computed again in the backward pass, as if memory were short."""
    with recomputing(contest.recomputable):
        contest.maps(contest.stages)


MEMORY: dict[str, Callable[[Contest], object]] = {
    "plain network, bare forward": Contest.forward,
    "inference form, bare forward": Contest.own_forward,
    "inference form, mask + 1 stage": lambda contest: contest.maps(contest.deepest),
    "inference form, mask + 10 stages": lambda contest: contest.maps(contest.stages),
    "inference form, mask + 10 stages, keeping everything": keeping_everything,
    "inference form, mask + 10 stages, blocks computed again": recomputed,
    "torch-cam, 10 stages in one pass": lambda contest: contest.torch_cam(contest.stages),
    "grad-cam, 1 stage": lambda contest: contest.grad_cam(contest.deepest),
}


def memory(contest: Contest) -> Table:
    table = Table("", "MB", title=f"Peak extra memory, {contest.side} px", caption="bar: 10 stages ≤ 1000 MB")
    for name in MEMORY:
        if contest.device != "cpu":  # the peak is exact there, whatever ran before
            table.add_row(name, f"{memory_of(name, contest):.0f}")
            continue
        command = [sys.executable, __file__, "--memory-of", name, "--side", str(contest.side)]
        done = subprocess.run([*command, "--encoder", contest.encoder], capture_output=True, text=True, check=True)
        table.add_row(name, f"{float(done.stdout.split()[-1]):.0f}")
    return table


def time_of_saving(contest: Contest, rounds: int) -> Table:
    seconds = interleaved(
        {name: partial(MEMORY[name], contest) for name in MEMORY if "10 stages" in name and "form" in name}, rounds
    )
    _, everything, _ = seconds.values()
    table = Table("", "median ms", "× keeping everything", title=f"Cost of saving memory, {contest.side} px")
    for name, times in seconds.items():
        table.add_row(name, _median(times), f"{median_ratio(times, everything):.2f}")
    table.caption = "bar: the first ≤ 1.10"
    return table


def memory_of(name: str, contest: Contest) -> float:
    # Created before the measurement; modules that the contestant does not use are not created.
    _ = contest.stages, contest.x, contest.channels_last
    _ = (contest.own, contest.recomputable) if name.startswith("inference") else contest.trainable
    import pytorch_grad_cam  # noqa: F401
    import torchcam.methods  # noqa: F401

    peak = peak_extra_memory if contest.device == "cpu" else peak_extra_gpu_memory
    return peak(lambda: MEMORY[name](contest))


# ── exactness ───────────────────────────────────────────────────────────────────────────────────────────────────────


def exactness(contest: Contest, frames: int = 8) -> Table:
    """Differences of each stage's map of several frames, as shares of its largest value.

    One frame is not enough: where one ReLU flips, the maps change by a percent, in any float32 network.
    """
    exact = copy.deepcopy(contest.plain).double()
    forms: dict[str, tuple[nn.Module, torch.dtype]] = {
        "inference form, float64": (inference_form(exact).module, torch.float64),
        "plain network, float32": (contest.plain, torch.float32),
        "inference form, float32": (contest.own, torch.float32),
    }
    differences: dict[str, list[float]] = {name: [] for name in forms}
    correlations: dict[str, list[float]] = {name: [] for name in forms}
    for seed in range(frames):
        x = contest.input_of(seed)
        truth = cams(exact, x.double(), contest.stages, contest.region)
        for name, (module, dtype) in forms.items():
            maps = cams(module, x.to(dtype), contest.stages, contest.region)
            differences[name] += [float((maps[key] - truth[key]).abs().max() / truth[key].abs().max()) for key in truth]
            correlations[name].append(min(correlation(maps[key].double(), truth[key]) for key in truth))
    title = f"Grad-CAM of {len(contest.stages)} stages, {frames} frames, against the plain network in float64"
    table = Table(
        "", "median difference", "largest", "lowest correlation", "… of the median frame", title=f"{title}, 128 px"
    )
    for name in forms:
        table.add_row(
            name,
            f"{statistics.median(differences[name]):.1e}",
            f"{max(differences[name]):.1e}",
            f"{min(correlations[name]):.7f}",
            f"{statistics.median(correlations[name]):.7f}",
        )
    table.caption = "bars: float64 ≤ 1e-10; float32 correlation ≥ 0.9999, difference ≤ 2 × the plain network's"
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round at 192 and 256 px")
    parser.add_argument("--encoder", default="efficientnet-b5")
    parser.add_argument(
        "--tables", default="exactness,cost,memory,saving,peers,scorecam", help="names, separated by commas"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--memory-of", choices=MEMORY, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, default=640, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print(memory_of(options.memory_of, Contest(options.encoder, options.side)))
        return
    multiply_exactly()
    rounds = 1 if options.quick else options.rounds
    smallest, small, middle, large = (
        Contest(options.encoder, side, options.device)
        for side in ((128, 128, 192, 256) if options.quick else (128, 256, 384, 640))
    )
    tables: dict[str, Callable[[], Table]] = {
        "exactness": lambda: exactness(smallest),
        "cost": lambda: time_against_forward(middle, rounds),
        "memory": lambda: memory(large),
        "saving": lambda: time_of_saving(large, rounds),
        "peers": lambda: time_against_peers(large, rounds),
        "scorecam": lambda: scorecam(small, rounds),
    }
    console = Console(width=120)
    console.print(f"U-Net++ / {options.encoder}, {machine(options.device)}")
    for name in options.tables.split(","):
        console.print(tables[name]())


if __name__ == "__main__":
    main()
