"""Doubt of one frame, by any measure."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.evidence.doubt.batch_norms import NO_NORMS, batch_norm_distance, unfamiliarity
from napari_segcam.evidence.doubt.class_map import ClassMap
from napari_segcam.evidence.doubt.ensemble import ensemble_doubt
from napari_segcam.evidence.doubt.entropy import boundary_doubt, entropy_doubt
from napari_segcam.evidence.doubt.expected_overlap import expected_overlap_doubt
from napari_segcam.evidence.doubt.features import NO_STAGES, feature_distances, pooled_features
from napari_segcam.evidence.doubt.measures import DEFAULT_MEASURE, DOUBT_MEASURES, DoubtMeasure
from napari_segcam.evidence.doubt.probability import mean_probability_doubt
from napari_segcam.evidence.doubt.strong_views import SHIFTS, VIEWS, growing_view_maps
from napari_segcam.evidence.running.progress import run_steps
from napari_segcam.evidence.views import views
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation

Progress = Callable[[int, int], None]

_OF_PROBABILITIES: dict[str, Callable[[ClassMap], float]] = {
    "probability": mean_probability_doubt,
    "expected_overlap": expected_overlap_doubt,
    "entropy": entropy_doubt,
    "boundary": boundary_doubt,
}
ONE_NETWORK = "there is only one network: give the explanations of others"


@dataclass(frozen=True)
class Doubt:
    """Doubt about the mask of one frame.

    Attributes:
        value: 0–1, larger where the mask is worse, for comparing frames of one network: it is no probability. None if
            it is undefined.
        measure: its name in ``DOUBT_MEASURES``.
        reason: why the value is None, or what it leaves out; None where there is nothing to say.
    """

    value: float | None
    measure: str
    reason: str | None = None


def doubt(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    measure: str = DEFAULT_MEASURE,
    others: Sequence[Explanation] = (),
    references: NDArray[np.floating] | None = None,
    progress: Progress | None = None,
) -> Doubt:
    """Measure how doubtful the mask of the explained class is, without knowing the true one.

    Examples:
        >>> result = explainer(frame)
        >>> 0 < sc.doubt(result, explainer, frame).value < 0.19  # in training-like frames; 0.19 is called doubtful
        True

    Args:
        explanation: of the frame.
        explainer: the explainer that made it.
        frame: the same frame, ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as for the explainer.
        measure: a name in ``DOUBT_MEASURES``.
        others: for ``"ensemble"``, explanations of the same frame by other networks; by default those of the members,
            where the explanation is of an ensemble.
        references: for ``"features"``, ``pooled_features`` of frames that the network handles well, ``(R, K)``.
        progress: called with the number of runs of the network done and their total.

    Raises:
        Cancelled: if the explainer's control cancels it.
        SegcamError: if the measure is unknown, needs a whole cine, or has too few references.
    """
    steps = doubt_in_steps(explanation, explainer, frame, value_range, measure, others, references)
    return run_steps(steps, progress)


def doubt_in_steps(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    measure: str = DEFAULT_MEASURE,
    others: Sequence[Explanation] = (),
    references: NDArray[np.floating] | None = None,
) -> Generator[tuple[int, int], None, Doubt]:
    """Measure as ``doubt`` does, and yield the number of runs of the network done and their total after each: for a
    caller that has other work to do between two runs."""
    known = doubt_measure(measure)
    if known.needs == "cine":
        raise SegcamError(f"{known.title} needs all frames of a cine: it is measured in the viewer.")
    class_map = ClassMap.of_explanation(explanation)
    if class_map is None:
        return Doubt(None, measure, explanation.no_mask)
    if measure in _OF_PROBABILITIES:
        return Doubt(_OF_PROBABILITIES[measure](class_map), measure)
    if measure == "ensemble":
        return _of_networks([class_map, *_class_maps(others)] if others else _class_maps(explanation.members))
    if measure == "features":
        return _of_features(explanation, explainer, frame, value_range, references)
    if measure == "small_views":
        agreement = views(explanation, _without_heat(explainer), frame, value_range).agreement
        yield known.runs, known.runs
        return Doubt(None if agreement is None else 1 - agreement, measure)
    return (yield from _of_network(known, explanation, explainer, frame, value_range))


def doubt_of_probabilities(class_map: ClassMap, measure: str) -> float:
    """Return the doubt by a measure that needs nothing but the probabilities of the frame."""
    return _OF_PROBABILITIES[measure](class_map)


def doubt_measure(name: str) -> DoubtMeasure:
    """Return the measure with this name.

    Raises:
        SegcamError: if there is none.
    """
    if name not in DOUBT_MEASURES:
        raise SegcamError(f"There is no measure of doubt {name!r}. Choose from: {', '.join(DOUBT_MEASURES)}.")
    return DOUBT_MEASURES[name]


def _of_network(
    measure: DoubtMeasure,
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None,
) -> Generator[tuple[int, int], None, Doubt]:
    """Measure by views, by batch norms, or by both: 1 − E · exp(−d / 10), E the expected Dice over three shifts and d
    the distance of the batch norms."""
    runs, distance = 0, None
    if measure.name != "views":
        distance = batch_norm_distance(explainer.network, explanation, frame, value_range)
        runs += 1
        yield runs, measure.runs
    if measure.name == "batch_norms":
        return Doubt(None, measure.name, NO_NORMS) if distance is None else Doubt(unfamiliarity(distance), measure.name)
    chosen = VIEWS if measure.name == "views" else SHIFTS
    for maps in growing_view_maps(explanation, explainer, frame, value_range, chosen):
        if len(maps.maps) > 1:
            yield runs + len(maps.maps) - 1, measure.runs
    if measure.name == "views":
        return Doubt(maps.disagreement, measure.name)
    sure = maps.expected_dice
    if distance is None:
        return Doubt(1 - sure, measure.name, f"by views alone: {NO_NORMS}")
    return Doubt(1 - sure * (1 - unfamiliarity(distance)), measure.name)


def _class_maps(explanations: Sequence[Explanation]) -> list[ClassMap]:
    return [class_map for each in explanations if (class_map := ClassMap.of_explanation(each))]


def _of_networks(maps: Sequence[ClassMap]) -> Doubt:
    if len(maps) < 2:
        return Doubt(None, "ensemble", ONE_NETWORK)
    if any(other.mask.shape != maps[0].mask.shape for other in maps):
        return Doubt(None, "ensemble", "the networks have inputs of different sizes")
    return Doubt(ensemble_doubt(maps), "ensemble")


def _of_features(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None,
    references: NDArray[np.floating] | None,
) -> Doubt:
    if references is None:
        return Doubt(None, "features", "there are no reference frames to compare with")
    features = pooled_features(explainer.network, explanation, frame, value_range)
    if features is None:
        return Doubt(None, "features", NO_STAGES)
    return Doubt(float(feature_distances(features[None], references)[0]), "features")


def _without_heat(explainer: Explainer) -> Explainer:
    return Explainer(explainer.network, stages=(), threshold=explainer.threshold, control=explainer.control)
