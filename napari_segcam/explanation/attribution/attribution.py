"""Gradient attributions: registering one, computing its map and estimating its cost."""

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
class AttributedMap:
    """Map of an attribution.

    Attributes:
        values: the map ``(h, w)``.
        completeness_error: for a method that divides the difference between the frame's score and the baseline's among
            the pixels of the map, how far their sum is from the difference, as a share of it; else None.
        score_depends: whether the score depends on the stage.
        failure: why there is no map, in words; empty if there is one.
    """

    values: torch.Tensor
    completeness_error: float | None = None
    score_depends: bool = True
    failure: str = ""


AttributionFunction = Callable[[Score], AttributedMap]


@dataclass(frozen=True, kw_only=True)
class Attribution(SlowMethod):
    """Method that combines the gradients of many runs of the network.

    Attributes:
        compute: makes the map of a score.
        runs: number of runs of the network, or of its part after the stage.
    """

    compute: AttributionFunction
    runs: int


def attribution(
    name: str, title: str, *, paper: str, year: int, runs: int, stage: Stage | None = None, signed: bool = False
) -> Callable[[AttributionFunction], AttributionFunction]:
    """Register a function that uses captum as an attribution; the arguments are the fields of ``Attribution``."""

    def decorator(compute: AttributionFunction) -> AttributionFunction:
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

    return decorator


def attribute(
    method: Attribution,
    score: Score,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> AttributedMap:
    """Compute the map of a score.

    Args:
        method: one of ``ATTRIBUTIONS``.
        score: from ``score_at``.
        progress: called after each pass with the number of runs done and their total.
        cancelled: called before each pass; True stops it.

    Raises:
        Cancelled: if ``cancelled`` returns True.
    """
    score.done = 0
    if progress is not None:
        score.progress = lambda done: progress(done, method.runs)
    if cancelled is not None:
        score.cancelled = cancelled
    empty = AttributedMap(score.at.new_zeros(score.at.shape[-2:]), score_depends=False)
    try:
        attributed = empty if score.is_constant else method.compute(score)
    except Unconnected:
        attributed = empty
    if attributed is empty:
        score.progress(method.runs)
    return attributed


def estimate_attribution(method: Attribution, score: Score) -> Cost:
    """Estimate the cost of ``attribute`` from one forward and backward pass; in batches a run costs no more."""
    maps = score.at.detach().clone().requires_grad_()
    wait_for(maps.device)
    start = time.perf_counter()
    with torch.enable_grad():
        try:
            torch.autograd.grad(score(maps).sum(), maps)
        except Unconnected:
            return Cost(1, time.perf_counter() - start)
    wait_for(maps.device)
    return Cost(method.runs, method.runs * (time.perf_counter() - start))
