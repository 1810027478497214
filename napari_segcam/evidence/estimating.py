"""Estimate: how long the evidence of a frame takes, from a few of the runs that it needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_segcam.evidence import faithfulness, sanity
from napari_segcam.evidence.measuring import MEASURES, Measure, measure_evidence
from napari_segcam.evidence.running.by_replay import REPLAYED, no_replay_reason
from napari_segcam.evidence.running.references import ReferenceName
from napari_segcam.evidence.running.steps import steps_of
from napari_segcam.evidence.views import VIEWS, views
from napari_segcam.explanation.ensemble.ensemble_replay import replay_of
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.explanation.registry import SlowMethod
from napari_segcam.explanation.slow_methods.cost import Cost, wait_for
from napari_segcam.imaging.geometry import Crop

_OTHERS = frozenset({"in_out", "echo", "off_scan"})  # they do not run the network
_SLOWER_AS_IT_IS = 2.5  # shuffled networks are copies, not rewritten to save time


def estimate_evidence(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    measures: Collection[Measure] = MEASURES,
    scan: Crop | None = None,
    graphics: NDArray[np.bool_] | None = None,
    draws: int = faithfulness.DRAWS,
    references: Sequence[ReferenceName] = ("mean",),
    replay: FrameReplay | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Cost:
    """Estimate what ``measure_evidence`` costs with the same arguments, from one batch of runs for each stage.

    Args:
        explanation: of the frame.
        explainer: the explainer that made it.
        frame: the same frame, ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as for the explainer.
        measures: those to take.
        scan: rows and columns that show the scan, if known.
        graphics: ``(Y, X)`` bool, burned into the frame; None if they are not known.
        draws: of the null of faithfulness.
        references: what replaces a stage for its influence.
        replay: of the frame; give it to ``measure_evidence`` too, and the pass over the network is made once.
        cancelled: called between runs of the network; True stops it.

    Returns:
        Runs of the network or of a part of it, and seconds.

    Raises:
        Cancelled: if ``cancelled`` returns True.
        SegcamError: if the frame is not the explained one, or the network does not run.
    """
    has_graphics = graphics is None or bool(graphics.any())
    running = set(measures) - REPLAYED if no_replay_reason(explainer, explanation) else set(measures)
    steps = steps_of(explanation, running, draws, references, has_graphics=has_graphics)
    seconds = 0.0
    if REPLAYED & running:
        replay = replay or replay_of(explainer.network, explanation, frame, value_range, cancelled)
        seconds += _seconds_of_replays(explanation, replay, measures, draws, len({"mean", *references}))
    if "sanity" in steps or "stability" in steps:
        view, raw = _seconds_of_a_view(explanation, explainer, frame, value_range, cancelled)
        seconds += steps.get("stability", 0) * view + sanity.DRAWS * _SLOWER_AS_IT_IS * raw * ("sanity" in steps)
    if "overlay_effect" in steps:
        seconds += steps["overlay_effect"] * _seconds_of_a_mask(explanation, explainer, frame, value_range)
    if others := [measure for measure in MEASURES if measure in measures and measure in _OTHERS]:
        start = time.perf_counter()
        measure_evidence(explanation, explainer, frame, value_range, measures=others, scan=scan)
        seconds += time.perf_counter() - start
    return Cost(sum(steps.values()), seconds)


def _seconds_of_replays(
    explanation: Explanation, replay: FrameReplay, measures: Collection[str], draws: int, references: int
) -> float:
    """Return the time for influence and faithfulness: of a batch for each stage, times the number of batches."""
    device, seconds = replay.x.device, 0.0
    rng = np.random.default_rng(0)
    for name, heatmap in explanation.heatmaps.items():
        with replay.at(name) as stage:
            size = stage.batch

            def run(count: int, stage: faithfulness.StageReplay = stage) -> float:
                cells = [
                    faithfulness.hottest_cells(rng.random(tuple(stage.activations.shape[1:]), np.float32), 0.1, rng)
                    for _ in range(count)
                ]
                start = time.perf_counter()
                faithfulness.losses_of_hiding(stage, cells, region_is_mask=True)
                wait_for(device)
                return time.perf_counter() - start

            if "influence" in measures:
                seconds += references * run(1)
            if "faithfulness" in measures and heatmap.reason is None:
                seconds += len(faithfulness.SHARES) * (draws + 1) / size * run(size)
    return seconds


def _seconds_of_a_view(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None,
    cancelled: Callable[[], bool] | None,
) -> tuple[float, float]:
    """Return the time for one more view of the frame, and for its explanation alone."""
    geometry = explanation.segmentation.geometry
    crop = geometry.window if geometry.crop else None
    if isinstance(explainer.method, SlowMethod):
        alone = explainer.estimate(frame, value_range, crop, geometry.pixel_aspect).seconds
        return alone, alone
    start = time.perf_counter()
    views(explanation, explainer, frame, value_range, shown=VIEWS[:2], cancelled=cancelled)
    view = time.perf_counter() - start
    start = time.perf_counter()
    explainer(frame, explanation.target, value_range, crop, geometry.pixel_aspect)
    return view, time.perf_counter() - start


def _seconds_of_a_mask(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None,
) -> float:
    geometry = explanation.segmentation.geometry
    crop = geometry.window if geometry.crop else None
    segmenting = Explainer(explainer.network, stages=(), threshold=explanation.threshold)
    start = time.perf_counter()
    segmenting(frame, explanation.target, value_range, crop, geometry.pixel_aspect)
    return time.perf_counter() - start
