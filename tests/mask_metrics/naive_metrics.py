"""The metrics of masks by their definitions, pixel by pixel, without the libraries that the package uses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Pixel = tuple[int, int]


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def pixels_of(mask: Mask) -> list[Pixel]:
    return [(row, column) for row, column in np.ndindex(mask.shape) if mask[row, column]]


def four(pixel: Pixel) -> Iterator[Pixel]:
    row, column = pixel
    yield from ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))


def is_in(pixel: Pixel, mask: Mask) -> bool:
    return 0 <= pixel[0] < mask.shape[0] and 0 <= pixel[1] < mask.shape[1] and bool(mask[pixel])


def boundary(mask: Mask) -> list[Pixel]:
    return [pixel for pixel in pixels_of(mask) if not all(is_in(other, mask) for other in four(pixel))]


def percentile(values: list[float], percent: float) -> float:
    """Return a percentile, linear between the two values around its place in the sorted list."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def surfaces(prediction: Mask, truth: Mask, spacing: tuple[float, float], tolerance: float) -> dict[str, Any]:
    first, second = boundary(prediction), boundary(truth)
    if not first or not second:
        return dict.fromkeys(("surface_dice", "hd95", "mean_surface_distance"))

    rows, columns = (np.subtract.outer([one[axis] for one in first], [one[axis] for one in second]) for axis in (0, 1))
    distances = np.sqrt((rows * spacing[0]) ** 2 + (columns * spacing[1]) ** 2)
    there, back = distances.min(1).tolist(), distances.min(0).tolist()
    return {
        "surface_dice": sum(distance <= tolerance for distance in there + back) / len(there + back),
        "hd95": max(percentile(there, 95), percentile(back, 95)),
        "mean_surface_distance": math.fsum(there + back) / len(there + back),
    }


def components(mask: Mask) -> list[set[Pixel]]:
    left, found = set(pixels_of(mask)), []
    while left:
        component, edge = set(), [left.pop()]
        while edge:
            row, column = edge.pop()
            component.add((row, column))
            near = set(itertools.product((row - 1, row, row + 1), (column - 1, column, column + 1))) & left
            left -= near
            edge += near
        found.append(component)
    return found


def findings(prediction: Mask, truth: Mask) -> dict[str, int]:
    true, predicted = components(truth), components(prediction)

    def iou(one: set[Pixel], other: set[Pixel]) -> float:
        return len(one & other) / len(one | other)

    def best(remaining: list[set[Pixel]], free: frozenset[int]) -> tuple[float, int]:
        """Return the largest total of IoU, and the number of pairs in it, of all ways to pair."""
        if not remaining:
            return 0.0, 0
        ways = [best(remaining[1:], free)]
        for index in free:
            value = iou(remaining[0], predicted[index])
            if value >= 0.1:
                total, pairs = best(remaining[1:], free - {index})
                ways.append((total + value, pairs + 1))
        return max(ways)

    found = best(true, frozenset(range(len(predicted))))[1]
    counts = {
        "true": len(true),
        "found": found,
        "missed": len(true) - found,
        "false": len(predicted) - found,
        "split": sum(sum(iou(one, other) >= 0.1 for other in predicted) > 1 for one in true),
        "merged": sum(sum(iou(one, other) >= 0.1 for one in true) > 1 for other in predicted),
    }
    return {f"findings_{name}": count for name, count in counts.items()}


def boundary_probability(probabilities: NDArray[np.float32], truth: Mask) -> float | None:
    band = []
    for pixel in np.ndindex(truth.shape):
        inside = [other for other in four((pixel[0], pixel[1])) if is_in(other, np.ones_like(truth))]
        if any(truth[other] != truth[pixel] for other in inside):
            band.append(float(probabilities[pixel]))
    return math.fsum(band) / len(band) if band else None


def reliability(probabilities: NDArray[np.float32], truth: Mask) -> tuple[dict[str, list[Any]], float]:
    bins: list[list[Pixel]] = [[] for _ in range(10)]
    for row, column in np.ndindex(truth.shape):
        bins[max(0, math.ceil(round(float(probabilities[row, column]) * 10, 6)) - 1)].append((row, column))
    curve: dict[str, list[Any]] = {"count": [], "probability": [], "truth": []}
    error = 0.0
    for inside in bins:
        probability = math.fsum(float(probabilities[pixel]) for pixel in inside)
        true = sum(bool(truth[pixel]) for pixel in inside)
        curve["count"].append(len(inside))
        curve["probability"].append(share(probability, len(inside)))
        curve["truth"].append(share(true, len(inside)))
        error += abs(probability - true)
    return curve, error / truth.size


def figures(prediction: Mask, truth: Mask) -> dict[str, float | None]:
    predicted, true = set(pixels_of(prediction)), set(pixels_of(truth))
    outside = set(np.ndindex(truth.shape)) - true
    return {
        "dice": share(2 * len(predicted & true), len(predicted) + len(true)),
        "sensitivity": share(len(predicted & true), len(true)),
        "precision": share(len(predicted & true), len(predicted)),
        "specificity": share(len(outside - predicted), len(outside)),
    }


def row(
    prediction: Mask,
    truth: Mask,
    probabilities: NDArray[np.float32],
    spacing_mm: tuple[float, float] | None,
    tolerance: float,
) -> dict[str, Any]:
    """Return every metric of a row that is a number."""
    own = figures(prediction, truth)
    difference = len(pixels_of(prediction)) - len(pixels_of(truth))
    return {
        **{name: own[name] for name in ("sensitivity", "precision", "specificity")},
        **surfaces(prediction, truth, spacing_mm or (1.0, 1.0), tolerance),
        "area_difference_mm2": None if spacing_mm is None else difference * spacing_mm[0] * spacing_mm[1],
        "area_difference": share(difference, len(pixels_of(truth))),
        **findings(prediction, truth),
        "boundary_probability": boundary_probability(probabilities, truth),
        "calibration_error": reliability(probabilities, truth)[1],
    }
