"""Score-CAM: its time against grad-cam's with the same scoring, and how near its preview comes to the whole map."""

from __future__ import annotations

import statistics
from contextlib import redirect_stderr
from functools import partial
from io import StringIO

import torch
from contest import Contest, correlation
from measuring import interleaved, median_ratio
from rich.table import Table

import napari_segcam as sc
from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.explanation.perturbation import perturb
from napari_segcam.explanation.perturbation.scorecam import ScoreCam
from napari_segcam.explanation.slow_methods.control import ProgressControl
from napari_segcam.network.stages.stage import Stage

_SAMPLE = 16  # channels of which the time of one is judged


def scorecam(contest: Contest, rounds: int) -> Table:
    """Time for all channels of the deepest encoder stage, and how near the preview comes to the whole map."""
    (stage,) = contest.deepest
    region = contest.region(torch.zeros(1, 1, contest.side, contest.side))
    exact = ScoreCam(contest.own, contest.channels_last, stage, region)
    preview = partial(ScoreCam, contest.own, contest.channels_last, stage, region, preview=True)
    seconds = interleaved(
        {
            f"grad-cam, of {_SAMPLE} channels": lambda: grad_cam_scores(contest, stage, exact.activations[:_SAMPLE]),
            f"exact, of {_SAMPLE} channels": lambda: [
                exact.scores(range(start, start + 4)) for start in range(0, _SAMPLE, 4)
            ],
            f"preview, {preview().runs} runs": lambda: perturb(preview()),
        },
        rounds,
    )
    channels = exact.count
    scales = (channels / _SAMPLE, channels / _SAMPLE, 1)
    peer, *_ = ([time * scales[0] for time in times] for times in seconds.values())
    table = Table(
        "", f"s for {channels} channels", "faster by", "bar", title=f"Score-CAM, {stage.name}, {contest.side} px"
    )
    for (name, times), scale, bar in zip(seconds.items(), scales, ("", "≥ 3", "≥ 10"), strict=True):
        scaled = [time * scale for time in times]
        table.add_row(name, f"{statistics.median(scaled):.1f}", f"{median_ratio(peer, scaled):.1f}" if bar else "", bar)
    likeness = correlation(perturb(preview()).values, perturb(exact).values)
    table.caption = f"correlation of the preview with the whole map: {likeness:.4f}, {demo_likeness()}; bar: ≥ 0.99"
    return table


def grad_cam_scores(contest: Contest, stage: Stage, activations: torch.Tensor) -> None:
    """The scores of some channels as grad-cam takes them."""
    from pytorch_grad_cam import ScoreCAM

    weights = contest.region(torch.zeros(1, contest.side, contest.side))
    with ScoreCAM(contest.plain, [contest.plain.get_submodule(stage.layer)]) as cam:
        target = [lambda output: (output * weights).sum()]
        with redirect_stderr(StringIO()):  # its progress bars
            cam.get_cam_weights(contest.x, None, target, activations[None].numpy(), None)


def demo_likeness() -> str:
    """The same for the network that comes with the package, on its sample: two encoder stages."""
    network, cine = sc.load_network(demo_checkpoint(), "cpu"), sc.open_cine(sample_cine())
    names = ("encoder_4", "encoder_5")
    whole, preview = (
        sc.Explainer(network, "scorecam", names, control=ProgressControl(preview=on))(cine[FRAME]).heatmaps
        for on in (False, True)
    )
    found = [correlation(*(torch.from_numpy(maps[name].values) for maps in (whole, preview))) for name in names]
    return "of the demo network " + ", ".join(f"{name} {value:.4f}" for name, value in zip(names, found, strict=True))
