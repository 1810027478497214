"""What the inference form gives, against the plain network and two other libraries, all measured in this run.

    python benchmarks/engine.py [--rounds 3] [--quick] [--encoder efficientnet-b5]

The network is U-Net++ with fitted random weights. The target is the sum of the logits over a fixed rectangle, a
sixteenth of the image. `--quick` takes one round at smaller sizes: a look, no measurement. Memory is that of a first
run in a process of its own, and is measured on Linux only.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from measuring import interleaved, machine, median_ratio, peak_extra_memory, reference_network, speckle
from rich.console import Console
from rich.table import Table
from torch import nn

from napari_segcam.explanation.engine import run
from napari_segcam.explanation.methods import METHODS
from napari_segcam.network.inference import inference_form
from napari_segcam.network.stages import Stage, find_stages, main_stages
from napari_segcam.network.survey import survey

Region = Callable[[torch.Tensor], torch.Tensor]
Maps = dict[str, torch.Tensor]


@dataclass
class Contest:
    """One network and one square input, as each contestant needs them."""

    encoder: str
    side: int

    @cached_property
    def plain(self) -> nn.Module:
        return reference_network(self.encoder).requires_grad_(False)

    @cached_property
    def trainable(self) -> nn.Module:
        """For the other libraries, which need weights that take gradients."""
        return copy.deepcopy(self.plain).requires_grad_(True)

    @cached_property
    def own(self) -> nn.Module:
        return inference_form(self.plain).module

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        return main_stages(find_stages(self.plain, survey(self.plain, 3)))

    @cached_property
    def deepest(self) -> tuple[Stage, ...]:
        return tuple(stage for stage in self.stages if stage.name == "encoder_5")

    @cached_property
    def x(self) -> torch.Tensor:
        frame = torch.from_numpy(speckle(self.side)).float() / 255
        return ((frame - 0.45) / 0.225).expand(1, 3, -1, -1).contiguous()

    @cached_property
    def channels_last(self) -> torch.Tensor:
        return self.x.contiguous(memory_format=torch.channels_last)

    def region(self, logits: torch.Tensor) -> torch.Tensor:
        region = torch.zeros_like(logits)
        side = self.side
        region[..., side * 3 // 8 : side * 5 // 8, side // 4 : side // 2] = 1
        return region

    def forward(self) -> None:
        with torch.no_grad():
            self.plain(self.x)

    def own_forward(self) -> None:
        with torch.no_grad():
            self.own(self.channels_last)

    def maps(self, stages: Sequence[Stage], region: Region | None = None) -> Maps:
        """Logits and one Grad-CAM per stage from the inference form."""
        return cams(self.own, self.channels_last, stages, region or self.region)

    def grad_cam(self, stages: Sequence[Stage]) -> None:
        from pytorch_grad_cam import GradCAM

        weights = self.region(torch.zeros(1, self.side, self.side))
        for stage in stages:
            with GradCAM(self.trainable, [self.trainable.get_submodule(stage.layer)]) as cam:
                cam(self.x, [lambda output: (output * weights).sum()])

    def torch_cam(self, stages: Sequence[Stage]) -> None:
        from torchcam.methods import GradCAM

        weights = self.region(torch.zeros(1, self.side, self.side))
        with GradCAM(self.trainable, [stage.layer for stage in stages]) as cam:
            cam(scores=self.trainable(self.x), targets=lambda output: (output * weights).sum())


def cams(module: nn.Module, x: torch.Tensor, stages: Sequence[Stage], region: Region) -> Maps:
    given, compute = run(module, x, stages, region), METHODS["gradcam"].compute
    return {
        name: compute(given.activations[name], gradient).relu()
        for name, gradient in given.gradients.items()
        if gradient is not None
    }


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def time_against_forward(contest: Contest, rounds: int) -> Table:
    ten = contest.stages
    seconds = interleaved(
        {
            "plain network, bare forward": contest.forward,
            "inference form, bare forward": contest.own_forward,
            "inference form, mask + 1 stage": lambda: contest.maps(contest.deepest),
            f"inference form, mask + {len(ten)} stages": lambda: contest.maps(ten),
            f"the same, whole image as region, mask + {len(ten)} stages": lambda: contest.maps(ten, torch.ones_like),
        },
        rounds,
    )
    plain, own, *_ = seconds.values()
    table = Table("", "median ms", "× plain forward", "× own forward", title=f"Cost, {contest.side} px")
    for name, times in seconds.items():
        table.add_row(name, _median(times), f"{median_ratio(times, plain):.2f}", f"{median_ratio(times, own):.2f}")
    table.caption = "bars: 10 stages ≤ 1.3 × the plain forward, ≤ 2.0 × the own forward (384 px)"
    return table


def time_against_peers(contest: Contest, rounds: int) -> Table:
    one, ten = contest.deepest, contest.stages
    seconds = interleaved(
        {
            "1 stage": lambda: contest.maps(one),
            "grad-cam, 1 stage": lambda: contest.grad_cam(one),
            f"{len(ten)} stages": lambda: contest.maps(ten),
            f"torch-cam, {len(ten)} stages in one pass": lambda: contest.torch_cam(ten),
            f"grad-cam, {len(ten)} stages one by one": lambda: contest.grad_cam(ten),
        },
        rounds,
    )
    own_one, _, own_ten, *_ = seconds.values()
    bars = ("", "≥ 7", "", "≥ 1.8", "≥ 25")
    table = Table("", "median ms", "own is faster by", "bar", title=f"Against other libraries, {contest.side} px")
    for (name, times), own, bar in zip(
        seconds.items(), (own_one, own_one, own_ten, own_ten, own_ten), bars, strict=True
    ):
        table.add_row(name, _median(times), f"{median_ratio(times, own):.2f}" if bar else "", bar)
    return table


def _median(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f}"


# ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────

MEMORY: dict[str, Callable[[Contest], object]] = {
    "plain network, bare forward": Contest.forward,
    "inference form, bare forward": Contest.own_forward,
    "inference form, mask + 1 stage": lambda contest: contest.maps(contest.deepest),
    "inference form, mask + 10 stages": lambda contest: contest.maps(contest.stages),
    "torch-cam, 10 stages in one pass": lambda contest: contest.torch_cam(contest.stages),
    "grad-cam, 1 stage": lambda contest: contest.grad_cam(contest.deepest),
}


def memory(contest: Contest) -> Table:
    table = Table("", "MB", title=f"Peak extra memory, {contest.side} px", caption="bar: 10 stages ≤ 1000 MB")
    for name in MEMORY:
        command = [sys.executable, __file__, "--memory-of", name, "--side", str(contest.side)]
        given = subprocess.run([*command, "--encoder", contest.encoder], capture_output=True, text=True, check=True)
        table.add_row(name, f"{float(given.stdout.split()[-1]):.0f}")
    return table


def print_memory_of(name: str, contest: Contest) -> None:
    # Made before the measurement; a module that the contestant does not use stays unmade.
    _ = contest.stages, contest.x, contest.channels_last
    _ = contest.own if name.startswith("inference") else contest.trainable
    import pytorch_grad_cam  # noqa: F401
    import torchcam.methods  # noqa: F401

    print(peak_extra_memory(lambda: MEMORY[name](contest)))


# ── exactness ───────────────────────────────────────────────────────────────────────────────────────────────────────


def exactness(contest: Contest) -> Table:
    """Of each stage's map, in units of its largest value: the worst stage, and the median of all."""
    exact = copy.deepcopy(contest.plain).double()
    x = contest.x.double()
    truth = cams(exact, x, contest.stages, contest.region)
    rows = {
        "inference form, float64": cams(inference_form(exact).module, x, contest.stages, contest.region),
        "plain network, float32": cams(contest.plain, contest.x, contest.stages, contest.region),
        "inference form, float32": contest.maps(contest.stages),
    }
    title = f"Grad-CAM of {len(contest.stages)} stages against the plain network in float64, {contest.side} px"
    table = Table("", "median difference", "largest", "least correlation", title=title)
    for name, maps in rows.items():
        differences = [float((maps[key] - truth[key]).abs().max() / truth[key].abs().max()) for key in truth]
        least = min(correlation(maps[key].double(), truth[key]) for key in truth)
        table.add_row(name, f"{statistics.median(differences):.1e}", f"{max(differences):.1e}", f"{least:.7f}")
    table.caption = "bars: float64 ≤ 1e-10; float32 correlation ≥ 0.9999, difference ≤ 2 × the plain network's"
    return table


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round at 192 and 256 px")
    parser.add_argument("--encoder", default="efficientnet-b5")
    parser.add_argument("--tables", default="exactness,cost,memory,peers", help="which, with commas between")
    parser.add_argument("--memory-of", choices=MEMORY, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, default=640, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print_memory_of(options.memory_of, Contest(options.encoder, options.side))
        return
    rounds = 1 if options.quick else options.rounds
    middle, large = (
        Contest(options.encoder, 192 if options.quick else 384),
        Contest(options.encoder, 256 if options.quick else 640),
    )
    tables: dict[str, Callable[[], Table]] = {
        "exactness": lambda: exactness(Contest(options.encoder, 128)),
        "cost": lambda: time_against_forward(middle, rounds),
        "memory": lambda: memory(large),
        "peers": lambda: time_against_peers(large, rounds),
    }
    console = Console(width=120)
    console.print(f"U-Net++ / {options.encoder}, {machine()}")
    for name in options.tables.split(","):
        console.print(tables[name]())


if __name__ == "__main__":
    main()
