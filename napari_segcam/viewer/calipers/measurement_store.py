"""The measurements of all images of a viewer, with undo."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar
from weakref import WeakKeyDictionary

from napari.layers import Image

from napari_segcam.measuring.measurement import Measurement

Measurements = tuple[Measurement, ...]
Item = TypeVar("Item")

_MOST_STEPS = 200


class MeasurementStore:
    """Measurements by image, in the order in which they were made.

    A volume follows the two measurements that it was made of.

    Args:
        on_change: called with an image whose measurements have changed, by the reader or by undo.
    """

    def __init__(self, on_change: Callable[[Image], None]) -> None:
        self._on_change = on_change
        self._of: WeakKeyDictionary[Image, Measurements] = WeakKeyDictionary()
        self._done: list[dict[Image, tuple[Measurements, Measurements]]] = []
        self._undone: list[dict[Image, tuple[Measurements, Measurements]]] = []
        self._before_drag: tuple[Image, Measurements] | None = None

    def of(self, image: Image) -> Measurements:
        """Return the measurements of an image."""
        return self._of.get(image, ())

    def images(self) -> list[Image]:
        """Return the images that have measurements."""
        return [image for image, measurements in self._of.items() if measurements]

    def get(self, image: Image, identity: str | None) -> Measurement | None:
        """Return a measurement of an image; None if it has none of this identity."""
        return next((each for each in self.of(image) if each.identity == identity), None)

    def restore(self, image: Image, measurements: Iterable[Measurement]) -> None:
        """Set the measurements of an image, as they were kept elsewhere; earlier steps cannot be undone any more."""
        self._of[image] = tuple(measurements)
        self._done.clear()
        self._undone.clear()

    def put(self, image: Image, measurement: Measurement) -> None:
        """Add a measurement, or replace the one of the same identity."""
        self._take_step(image, _with(self.of(image), measurement))

    def remove(self, image: Image, identity: str) -> None:
        """Remove a measurement."""
        self._take_step(image, tuple(each for each in self.of(image) if each.identity != identity))

    def drag(self, image: Image, measurement: Measurement) -> None:
        """Replace a measurement while the reader drags an end of it; one step, which ``drop`` ends."""
        if self._before_drag is None:
            self._before_drag = image, self.of(image)
        self._of[image] = _with(self.of(image), measurement)

    def drop(self) -> None:
        """End a drag."""
        if self._before_drag is not None:
            (image, before), self._before_drag = self._before_drag, None
            after, self._of[image] = self.of(image), before
            self._take_step(image, after)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step."""
        return bool(self._undone)

    def undo(self) -> None:
        """Undo the last step."""
        self._go(self._done, self._undone, 0)

    def redo(self) -> None:
        """Do the last undone step again."""
        self._go(self._undone, self._done, 1)

    def _go(
        self,
        steps: list[dict[Image, tuple[Measurements, Measurements]]],
        others: list[dict[Image, tuple[Measurements, Measurements]]],
        side: int,
    ) -> None:
        if steps:
            step = steps.pop()
            others.append(step)
            for image, sides in step.items():
                self._of[image] = sides[side]
                self._on_change(image)

    def _take_step(self, image: Image, after: Measurements) -> None:
        before = {each: self.of(each) for each in {image, *self._of}}
        self._of[image] = after
        by_identity = {each.identity: each for other in self._of for each in self.of(other)}
        for other in list(self._of):
            self._of[other] = tuple(_up_to_date(each, by_identity) for each in self.of(other))
        step = {each: (old, self.of(each)) for each, old in before.items() if old != self.of(each)}
        if step:
            self._done = [*self._done[1 - _MOST_STEPS :], step]
            self._undone.clear()
            for each in step:
                self._on_change(each)


def _with(measurements: Measurements, measurement: Measurement) -> Measurements:
    if any(each.identity == measurement.identity for each in measurements):
        return tuple(measurement if each.identity == measurement.identity else each for each in measurements)
    return (*measurements, measurement)


def _up_to_date(measurement: Measurement, by_identity: dict[str, Measurement]) -> Measurement:
    """Return a volume with the present diameters of its parts; what was deleted keeps its last value."""
    if len(measurement.parts) != 3:
        return measurement
    length, height, width = measurement.diameters
    first, second, name = measurement.parts
    if first in by_identity:
        values = by_identity[first].values()
        length, height = values.get("longest", length), values.get("across", height)
    if second in by_identity:
        width = by_identity[second].values().get(name, width)
    return replace(measurement, diameters=(length, height, width))
