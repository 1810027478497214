"""What is drawn of a measurement, and which of its ends the mouse can drag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_segcam.measuring.diameters import Point
from napari_segcam.measuring.drawn import ellipse_points
from napari_segcam.measuring.measurement import Measurement
from napari_segcam.measuring.words import label, length_words
from napari_segcam.viewer.calipers.measurement_layer import CHOSEN_COLOR, COLOR, SUGGESTED_COLOR, Drawing
from napari_segcam.viewer.calipers.suggestion import Suggestion


@dataclass(frozen=True)
class Handle:
    """An end that the mouse can drag.

    Attributes:
        identity: of the measurement.
        index: of the end among its points.
        point: where it is.
        is_suggested: whether it belongs to a line that is only suggested.
    """

    identity: str
    index: int
    point: Point
    is_suggested: bool = False


def drawing_of(measurement: Measurement, is_chosen: bool, outdated: str) -> Drawing:
    """Return a measurement as it is drawn."""
    points = measurement.points
    closed: tuple[Point, ...] = ()
    if measurement.kind == "outline":
        closed, points = points, ()
    elif measurement.kind == "ellipse":
        closed = ellipse_points(points, measurement.pixel_size)
    text = label(measurement)
    if outdated:
        text = f"{text}\n(outdated: {outdated})"
    lines = tuple((points[index], points[index + 1]) for index in range(0, len(points), 2))
    return Drawing(measurement.frame, lines, closed, text, CHOSEN_COLOR if is_chosen else COLOR)


def drawing_of_suggestion(suggestion: Suggestion) -> Drawing:
    """Return a suggested line as it is drawn."""
    words = f"across: {length_words(suggestion.length, suggestion.caliper.unit)}? (Enter)"
    return Drawing(suggestion.caliper.frame, (suggestion.line,), (), words, SUGGESTED_COLOR, is_faint=True)


def handles_of(measurements: Sequence[Measurement], suggestion: Suggestion | None, chosen: str | None) -> list[Handle]:
    """Return the ends that the mouse can drag: of the suggestion first, then of the chosen and the latest measurements.

    The points of a traced outline and of a volume cannot be dragged.
    """
    handles = []
    if suggestion is not None:
        first = len(suggestion.caliper.points)
        handles = [
            Handle(suggestion.caliper.identity, first + index, point, is_suggested=True)
            for index, point in enumerate(suggestion.line)
        ]
    latest_first = list(reversed(measurements))
    latest_first.sort(key=lambda each: each.identity != chosen)
    for measurement in latest_first:
        if measurement.kind not in ("outline", "volume"):
            handles += [Handle(measurement.identity, index, point) for index, point in enumerate(measurement.points)]
    return handles
