"""What a gradient attribution is, how a file makes one known, and how it is made, watched and estimated."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_segcam.explanation.attribution.score import Score, Unconnected
from napari_segcam.explanation.registry import SlowMethod, register
from napari_segcam.explanation.slow_methods.cost import Cost, wait_for
from napari_segcam.network.stages.stage import Stage


@dataclass(frozen=True, eq=False)
class Attributed:
    """What an attribution gave.

    Attributes:
        values: the map ``(h, w)``.
        completeness_error: of a method that divides the difference between the frame's score and the baseline's among
            the places of the map, what its sum is off by, as a share of the difference; else None.
        reacts: whether the score depends on the stage.
    """

    values: torch.Tensor
    completeness_error: float | None = None
    reacts: bool = True


AttributionFunction = Callable[[Score], Attributed]


@dataclass(frozen=True, kw_only=True)
class Attribution(SlowMethod):
    """A method that gathers the gradients of many runs of the network.

    Attributes:
        compute: makes the map of a score.
        runs: of the network, or of what follows the stage.
    """

    compute: AttributionFunction
    runs: int


def attribution(
    name: str, title: str, *, paper: str, year: int, runs: int, stage: Stage | None = None, signed: bool = False
) -> Callable[[AttributionFunction], AttributionFunction]:
    """Make a function that uses captum known as an attribution; its arguments are the fields of ``Attribution``."""

    def registered(compute: AttributionFunction) -> AttributionFunction:
        register(
            Attribution(
                name=name,
                title=title,
                paper=paper,
                year=year,
                runs=runs,
                stage=stage,
                signed=signed,
                has_outliers=True,
                package="captum",
                compute=compute,
            )
        )
        return compute

    return registered


def attribute(
    method: Attribution,
    score: Score,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Attributed:
    """Make the map of a score.

    Args:
        method: one of ``ATTRIBUTIONS``.
        score: from ``score_at``.
        progress: told after each pass how many runs are done, and of how many.
        cancelled: asked before each pass.

    Raises:
        Cancelled: once ``cancelled`` says so.
    """
    score.done = 0
    if progress is not None:
        score.progress = lambda done: progress(done, method.runs)
    if cancelled is not None:
        score.cancelled = cancelled
    nothing = Attributed(score.at.new_zeros(score.at.shape[-2:]), reacts=False)
    try:
        given = nothing if score.is_constant else method.compute(score)
    except Unconnected:
        given = nothing
    if given is nothing:
        score.progress(method.runs)
    return given


def estimate_attribution(method: Attribution, score: Score) -> Cost:
    """What ``attribute`` would cost, judged by one run there and back; in batches a run costs no more than that."""
    start = score.at.detach().clone().requires_grad_()
    wait_for(start.device)
    began = time.perf_counter()
    with torch.enable_grad():
        try:
            torch.autograd.grad(score(start).sum(), start)
        except Unconnected:
            return Cost(1, time.perf_counter() - began)
    wait_for(start.device)
    return Cost(method.runs, method.runs * (time.perf_counter() - began))
