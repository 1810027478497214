"""Neighbors: which cases look most alike to the network, by its deepest features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_segcam.evidence.doubt.feature_space import LEAST_REFERENCES, squared_distances
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.validating.cases import Cases
from napari_segcam.validating.failures.sorting import SortedCase

COUNT = 3
"""How many neighbors a case has."""


def features_of_cases(run: FinishedRun, cases: Cases) -> dict[str, NDArray[np.float64]]:
    """Return the mean of the features of a case over all of its frames that have them, ``(K,)``.

    Args:
        run: with the features of its images, where it kept them.
        cases: of the images.
    """
    of_case: dict[str, list[NDArray[np.float32]]] = {}
    for image in run.images:
        if image.features is not None and image.name in cases.of_image:
            of_case.setdefault(cases.of_image[image.name], []).append(image.features)
    return {case: np.concatenate(found).mean(0, dtype=np.float64) for case, found in of_case.items()}


def nearest_cases(
    found: Sequence[SortedCase], features: Mapping[str, NDArray[np.floating]]
) -> dict[str, tuple[SortedCase, ...]]:
    """Return the nearest cases of each case, the nearest first; of fewer than 5 cases, none.

    Distances are Euclidean, in units of the spread of each feature over the cases.

    Args:
        found: cases of one class. Those of no kind have no neighbors, and are none.
        features: of the cases.
    """
    known = [one for one in found if one.kind is not None and one.case in features]
    if len(known) < LEAST_REFERENCES:
        return {}
    points = np.stack([features[one.case] for one in known])
    squares = squared_distances(points, points)
    np.fill_diagonal(squares, np.inf)
    order = np.argsort(squares, axis=1, kind="stable")[:, :COUNT]
    return {one.case: tuple(known[index] for index in row) for one, row in zip(known, order, strict=True)}
