"""Evidence on the sample: which stages take part, which is shown first, what it costs, and how soon it stops.

    python benchmarks/evidence.py [--frames 30,38,45] [--draws 19] [--rounds 5] [--threads 1] [--quick]

Ratios are of times within one run. The plain forward pass is that of the network as SMP builds it; the rewritten form
that explains is faster, and its ratio stands beside. --quick leaves out what takes minutes.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from functools import partial

import awake  # noqa: F401
import torch
from measuring import interleaved, machine, median_ratio
from rich.console import Console
from rich.table import Table

import napari_segcam as sc
from napari_segcam.demo import demo_checkpoint, sample_cine
from napari_segcam.evidence.measuring import Measure
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.preprocessing import prepare

INFLUENCE: tuple[Measure, ...] = ("influence",)
FAITHFULNESS: tuple[Measure, ...] = ("faithfulness",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", default="30,38,45")
    parser.add_argument("--draws", type=int, default=19)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    console = Console(width=120)
    network, cine = sc.load_network(demo_checkpoint(), "cpu"), sc.open_cine(sample_cine())
    explainer = sc.Explainer(network, stages="main")
    table = Table("", "figure", "bar", title="Evidence of the sample")
    for number in map(int, options.frames.split(",")):
        stages_of_frame(table, network, cine, number, options.draws, quick=options.quick)
    explanation = explainer(cine[38], None, cine.value_range)
    cost(table, network, explainer, explanation, cine, options.rounds)
    if not options.quick:
        estimate(table, network, explainer, explanation, cine, options.draws)
    latency(table, network, explainer, explanation, cine)
    console.print(table)
    console.print(machine())


def stages_of_frame(table: Table, network: sc.Network, cine: Cine, number: int, draws: int, *, quick: bool) -> None:
    """Add the influence of the deepest encoder stages of a frame, and the stage shown first."""
    main = sc.Explainer(network, stages="main")
    explanation = main(cine[number], None, cine.value_range)
    influences = sc.measure_evidence(explanation, main, cine[number], cine.value_range, measures=INFLUENCE)
    for stage, bar in (("encoder_5", "≤ 0.01"), ("encoder_4", "≥ 0.7")):
        influence = influences.stages[stage].influence
        assert influence is not None
        table.add_row(f"frame {number}: influence of {stage}", f"{influence.value:.3f}", bar)
    table.add_row(f"frame {number}: shown first, by influence alone", str(influences.shown_first.name), "encoder_4")
    if not quick:
        encoder = sc.Explainer(network, stages="encoder")
        explanation = encoder(cine[number], None, cine.value_range)
        measures: tuple[Measure, ...] = (*INFLUENCE, *FAITHFULNESS)
        both = sc.measure_evidence(explanation, encoder, cine[number], cine.value_range, measures=measures, draws=draws)
        figures = {name: stage.faithfulness for name, stage in both.stages.items()}
        ps = ", ".join(f"{name} {figure.p:.2f}" for name, figure in figures.items() if figure and figure.p)
        table.add_row(f"frame {number}: shown first, with faithfulness", str(both.shown_first.name), "encoder_4")
        table.add_row(f"frame {number}: p of faithfulness", ps, "")


def cost(
    table: Table, network: sc.Network, explainer: sc.Explainer, explanation: Explanation, cine: Cine, rounds: int
) -> None:
    """Add the time for the influence of all main stages, in forward passes of the plain and the rewritten network."""
    plain = copy.deepcopy(network.module).to(memory_format=torch.contiguous_format)
    x, _ = prepare(cine[38], network.card, network.stride, cine.value_range)
    channels_last = x.contiguous(memory_format=torch.channels_last)

    def forward(module: torch.nn.Module, image: torch.Tensor) -> None:
        with torch.no_grad():
            module(image)

    def influence() -> None:
        sc.measure_evidence(explanation, explainer, cine[38], cine.value_range, measures=INFLUENCE)

    seconds = interleaved(
        {
            "plain": lambda: forward(plain, x.contiguous()),
            "rewritten": lambda: forward(network.form.module, channels_last),
            "influence": influence,
        },
        rounds,
    )
    count = len(explainer.stages)
    for name, bar in (("plain", "≤ 3"), ("rewritten", "")):
        ratio = median_ratio(seconds["influence"], seconds[name])
        table.add_row(f"influence of {count} stages, in {name} forward passes", f"{ratio:.2f}", bar)
    table.add_row("forward pass of the plain network, ms", f"{statistics.median(seconds['plain']) * 1000:.0f}", "")


def estimate(
    table: Table, network: sc.Network, explainer: sc.Explainer, explanation: Explanation, cine: Cine, draws: int
) -> None:
    """Add how far the estimated time for the faithfulness of all main stages is from the measured one."""
    frame = cine[38]
    replay = FrameReplay(network, explanation, frame, cine.value_range)
    start = time.perf_counter()
    estimated = sc.estimate_evidence(
        explanation, explainer, frame, cine.value_range, measures=FAITHFULNESS, draws=draws, replay=replay
    )
    estimating = time.perf_counter() - start
    start = time.perf_counter()
    sc.measure_evidence(
        explanation, explainer, frame, cine.value_range, measures=FAITHFULNESS, draws=draws, replay=replay
    )
    measured = time.perf_counter() - start
    figure = f"{estimated.seconds:.0f} s estimated, {measured:.0f} s taken: {estimated.seconds / measured - 1:+.0%}"
    table.add_row(
        f"faithfulness of {len(explainer.stages)} stages, K = {draws}, {estimated.forwards} runs", figure, "± 30 %"
    )
    table.add_row("time of the estimate, as a share of it", f"{estimating / measured:.0%}", "")


def latency(table: Table, network: sc.Network, explainer: sc.Explainer, explanation: Explanation, cine: Cine) -> None:
    """Add how many batches still run after the user has cancelled, at many moments."""
    batches: list[int] = []
    forward = network.form.module.forward
    worst = 0
    for moment in (1, 7, 20, 33):
        batches.clear()

        def counted(*args: object, **kwargs: object) -> object:
            batches.append(1)
            return forward(*args, **kwargs)

        network.form.module.forward = counted
        try:
            sc.measure_evidence(
                explanation,
                explainer,
                cine[38],
                cine.value_range,
                measures=FAITHFULNESS,
                cancelled=partial(_has_run, batches, moment),
            )
        except Cancelled:
            pass
        finally:
            del network.form.module.forward
        worst = max(worst, len(batches) - moment)
    table.add_row("batches that run after cancelling", str(worst), "≤ 1")


def _has_run(batches: list[int], count: int) -> bool:
    return len(batches) >= count


if __name__ == "__main__":
    main()
