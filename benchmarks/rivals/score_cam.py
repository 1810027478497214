"""Score-CAM: its time against grad-cam's with the same scoring, and the similarity of its preview to the full map."""

from __future__ import annotations

import statistics
from contextlib import redirect_stderr
from functools import partial
from io import StringIO

import torch
from measuring import interleaved, median_ratio
from rich.table import Table

import napari_segcam as sc
from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.explanation.perturbation import perturb
from napari_segcam.explanation.perturbation.scorecam import ScoreCam
from napari_segcam.explanation.slow_methods.control import ProgressControl
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import Stage
from rivals.contest import Contest, correlation

_SAMPLE = 16  # channels, from which the time of one is estimated


def scorecam(contest: Contest, rounds: int) -> Table:
    """Measure the time for all channels of the deepest encoder stage, and the preview's similarity to the full map."""
    (stage,) = contest.deepest
    region = contest.region(torch.zeros(1, 1, contest.side, contest.side, device=contest.device))
    objective = Objective(0, region[0, 0] > 0)
    exact = ScoreCam(contest.own, contest.channels_last, stage, objective)
    preview = partial(ScoreCam, contest.own, contest.channels_last, stage, objective, preview=True)
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
        table.add_row(name, f"{statistics.median(scaled):.3g}", f"{median_ratio(peer, scaled):.1f}" if bar else "", bar)
    similarity = correlation(perturb(preview()).values, perturb(exact).values)
    table.caption = f"correlation of the preview with the full map: {similarity:.4f}, {demo_similarity()}; bar: ≥ 0.99"
    return table


def grad_cam_scores(contest: Contest, stage: Stage, activations: torch.Tensor) -> None:
    """Compute the scores of some channels with grad-cam."""
    from pytorch_grad_cam import ScoreCAM

    weights = contest.region(torch.zeros(1, contest.side, contest.side, device=contest.device))
    with ScoreCAM(contest.plain, [contest.plain.get_submodule(stage.layer)]) as cam:
        target = [lambda output: (output * weights).sum()]
        with redirect_stderr(StringIO()):  # its progress bars
            cam.get_cam_weights(contest.x, None, target, activations[None].cpu().numpy(), None)


def demo_similarity() -> str:
    """Return the same correlation for the demo network on the sample cine, for two encoder stages."""
    network, cine = sc.load_network(demo_checkpoint(), "cpu"), sc.open_cine(sample_cine())
    names = ("encoder_4", "encoder_5")
    full, preview = (
        sc.Explainer(network, "scorecam", names, control=ProgressControl(preview=on))(cine[FRAME]).heatmaps
        for on in (False, True)
    )
    values = [correlation(*(torch.from_numpy(maps[name].values) for maps in (full, preview))) for name in names]
    return "of the demo network " + ", ".join(f"{name} {value:.4f}" for name, value in zip(names, values, strict=True))
