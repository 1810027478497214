"""Cross-check: the maps of an explanation beside those of the package grad-cam, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.explanation.external import ExternalMethod, counterpart, estimate_external, external_map
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.explanation.methods import GradientMethod
from napari_segcam.explanation.passes.forward_pass import forward
from napari_segcam.explanation.stage_maps import gradient_maps
from napari_segcam.network.ensemble.ensemble import Ensemble

SAME = 1e-3
"""Largest difference, as a share of the map's maximum, that is still rounding in single precision."""

_CONVENTIONS = {
    "scorecam": "grad-cam weighs the channels by a softmax of their scores, which mostly leaves one channel, and "
    "aligns its masks by the corners of the pixels; here the scores are standardized first",
    "ablationcam": "grad-cam sets a channel to minus ten million, not to zero, at a stage with negative values, and "
    "divides by the score",
}
_DENOMINATOR = "its weights have a denominator, which is close to zero here and enlarges rounding"
_WITH_DENOMINATOR = ("gradcam++", "xgradcam")
_ENLARGED_ROUNDING = 0.99  # the lowest correlation that it leaves
# Of a principal component any sign is right; grad-cam keeps the one that its solver gives.
_ANY_SIGN = ("eigencam", "eigengradcam")
_UNEXPLAINED = "no difference of conventions explains this: please report it"


@dataclass(frozen=True)
class StageCheck:
    """The map of one stage beside grad-cam's.

    Attributes:
        stage: name.
        largest_difference: of two pixels of the maps, as a share of grad-cam's highest magnitude; None if there is no
            other map.
        correlation: Pearson's, over the pixels; None if it is undefined.
        seconds: that grad-cam took.
        note: why the maps differ or there is no figure, in words; empty where they are the same.
    """

    stage: str
    largest_difference: float | None
    correlation: float | None
    seconds: float | None
    note: str

    @property
    def is_same(self) -> bool:
        return self.largest_difference is not None and self.largest_difference <= SAME


@dataclass(frozen=True)
class CrossCheck:
    """The maps of an explanation beside grad-cam's.

    Attributes:
        seconds_ours: that the explanation took, for all stages.
        stages: one check a stage.
    """

    seconds_ours: float
    stages: tuple[StageCheck, ...]

    @property
    def seconds_theirs(self) -> float:
        return sum(check.seconds or 0.0 for check in self.stages)


def cross_check(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> CrossCheck:
    """Compute each stage's map with grad-cam too, and compare.

    Grad-cam runs the network as it was loaded, not its rewritten form, on the same input, for the same score over the
    same region. Its raw map is compared, at the stage's resolution, before it is scaled. The explanation is computed
    once more to measure its time.

    Args:
        explanation: of the frame.
        explainer: that made it.
        frame: the explained frame.
        value_range: the same as for the explainer.
        progress: called after each stage with the number of stages done and their total.
        cancelled: asked before each run of the network; True stops it.

    Raises:
        Cancelled: if the user cancels it.
        SegcamError: if grad-cam is not installed or does not have the method, or the frame is not the explained one.
    """
    other = _counterpart(explainer)
    network, geometry = explainer.network, explanation.segmentation.geometry
    if isinstance(network, Ensemble):
        raise SegcamError("grad-cam explains one network: cross-check a member of the ensemble alone.")
    replay = FrameReplay(network, explanation, frame, value_range, cancelled)
    crop = geometry.window if geometry.crop else None
    start = time.perf_counter()
    explainer(frame, explanation.target, value_range, crop, geometry.pixel_aspect)
    seconds_ours = time.perf_counter() - start
    checks: list[StageCheck] = []
    other_maps: dict[str, torch.Tensor] = {}
    for number, (name, heatmap) in enumerate(explanation.heatmaps.items(), start=1):
        with network.lock:
            theirs = external_map(
                other,
                network.module,
                replay.x,
                network.stage(name),
                replay.objective,
                one_by_one=network.one_frame_at_a_time,
                cancelled=cancelled,
            )
        if theirs.failure:
            checks.append(StageCheck(name, None, None, None, theirs.failure))
        else:
            other_maps[name] = theirs.values
            checks.append(_compare(explainer.method.name, heatmap, theirs.values, theirs.seconds))
        if progress is not None:
            progress(number, len(explanation.heatmaps))
    in_doubt = [check.stage for check in checks if check.note in (_UNEXPLAINED, _DENOMINATOR)]
    plain = _plain_differences(explainer, replay, {name: other_maps[name] for name in in_doubt})
    return CrossCheck(seconds_ours, tuple(_with_plain(check, plain.get(check.stage)) for check in checks))


def estimate_cross_check(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
) -> float:
    """Estimate how many seconds ``cross_check`` takes, from one pass of the network."""
    other = _counterpart(explainer)
    network, names = explainer.network, list(explanation.heatmaps)
    if not names:
        return 0.0
    replay = FrameReplay(network, explanation, frame, value_range)
    with network.lock:
        cost = estimate_external(other, network.module, replay.x, network.stage(names[0]), replay.objective)
    seconds_a_run = cost.seconds / (cost.forwards + 1)
    return seconds_a_run * sum(other.runs(network.stage(name).channels) + 1 for name in names)


def _plain_differences(
    explainer: Explainer, replay: FrameReplay, other_maps: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    """Return the differences from grad-cam if the network runs here as it was loaded too, not in its rewritten form."""
    method, network = explainer.method, explainer.network
    if not other_maps or not isinstance(method, GradientMethod):
        return {}
    stages = [network.stage(name) for name in other_maps]
    with network.lock:
        forward_pass = forward(network.module, replay.x, stages, graph=method.needs_gradient)
        maps = gradient_maps(method, forward_pass, stages, [replay.objective], retain_graph=False)
    differences = {}
    for name, raw in other_maps.items():
        if name in maps:
            theirs = (raw if method.signed else raw.relu()).double().cpu().numpy()
            differences[name] = _difference(maps[name].values[0].double().cpu().numpy(), theirs)
    return differences


def _with_plain(check: StageCheck, plain: float | None) -> StageCheck:
    """Return a check that says if only the rewritten form of the network makes the difference."""
    if plain is None or plain > SAME:
        return check
    is_rounding = check.correlation is not None and check.correlation >= _ENLARGED_ROUNDING
    what = "rounding in the network's rewritten form" if is_rounding else "not grad-cam, but this map: please report it"
    note = f"{what}; run as it was loaded, the network gives a largest difference of {plain:.1e}"
    return replace(check, note=note)


def _counterpart(explainer: Explainer) -> ExternalMethod:
    other = counterpart(explainer.method.name)
    if other is None:
        raise SegcamError(f"The package grad-cam has no {explainer.method.title}: there is nothing to compare with.")
    return other


def _compare(method: str, heatmap: Heatmap, raw: torch.Tensor, seconds: float) -> StageCheck:
    """Compare a map with grad-cam's, which is raw: before its ReLU."""
    theirs = raw.double().cpu().numpy()
    ours = heatmap.values.astype(np.float64) if heatmap.reason is None else np.zeros(theirs.shape)
    if not heatmap.signed:
        turned, theirs = np.maximum(-theirs, 0), np.maximum(theirs, 0)
        if method in _ANY_SIGN and _difference(ours, turned) < _difference(ours, theirs):
            check = _check(method, heatmap, ours, turned, seconds)
            note = "grad-cam's component has the other sign, which is arbitrary: compared with its sign turned"
            return StageCheck(check.stage, check.largest_difference, check.correlation, seconds, note)
    return _check(method, heatmap, ours, theirs, seconds)


def _check(
    method: str, heatmap: Heatmap, ours: NDArray[np.float64], theirs: NDArray[np.float64], seconds: float
) -> StageCheck:
    difference = _difference(ours, theirs)
    correlation = float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]) if ours.std() and theirs.std() else None
    note = ""
    if not ours.any() and not theirs.any():
        note = f"both maps are empty: {heatmap.reason.value if heatmap.reason else 'no value is above zero'}"
    elif difference > SAME:
        note = _CONVENTIONS.get(method, _UNEXPLAINED)
        if method in _WITH_DENOMINATOR and correlation is not None and correlation >= _ENLARGED_ROUNDING:
            note = _DENOMINATOR
    return StageCheck(heatmap.stage.name, difference, correlation, seconds, note)


def _difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Return the largest difference of two maps as a share of the second's highest magnitude."""
    largest = float(np.abs(ours - theirs).max())
    peak = float(np.abs(theirs).max())
    return largest / peak if peak else (np.inf if largest else 0.0)
