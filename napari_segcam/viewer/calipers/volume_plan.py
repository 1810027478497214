"""The volume of an ellipsoid: length and height from one plane, the width from another."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from napari.layers import Image

from napari_segcam.measuring.drawn import distance
from napari_segcam.measuring.measurement import Measurement
from napari_segcam.measuring.words import length_words
from napari_segcam.viewer.layers.frame_names import frame_in_words
from napari_segcam.viewer.mendable_errors import show_warning

_NAMES = {"longest": "longest", "across": "across"}


class VolumePlan:
    """What is chosen for the next volume.

    Args:
        measurements_of: returns the measurements of an image.
        on_change: called when the first plane is chosen or forgotten.
    """

    def __init__(
        self, measurements_of: Callable[[Image | None], tuple[Measurement, ...]], on_change: Callable[[], object]
    ) -> None:
        self._measurements_of, self._on_change = measurements_of, on_change
        self._image: ref[Image] | None = None
        self._first: str | None = None

    @property
    def first_image(self) -> Image | None:
        """The image of the first plane."""
        return None if self._image is None else self._image()

    @property
    def first(self) -> Measurement | None:
        """The measurement of length and height; None while it is not chosen, or after it was deleted."""
        image = self.first_image
        return next((each for each in self._measurements_of(image) if each.identity == self._first), None)

    def can_begin(self, measurement: Measurement | None) -> bool:
        """Whether a measurement has two diameters, so that it can be the first plane."""
        return measurement is not None and measurement.kind != "volume" and "across" in measurement.values()

    def begin(self, image: Image | None, measurement: Measurement | None) -> None:
        """Take length and height from a measurement."""
        if image is None or measurement is None or not self.can_begin(measurement):
            show_warning(
                "Choose a measurement with two diameters first: a finding, a caliper with a line across, or an ellipse."
            )
            return
        self._image, self._first = ref(image), measurement.identity
        self._on_change()

    def cancel(self) -> None:
        """Forget the first plane."""
        self._image = self._first = None
        self._on_change()

    def first_words(self) -> str:
        """Return length and height in words; empty while they are not chosen."""
        measurement, image = self.first, self.first_image
        if measurement is None or image is None:
            return ""
        values = measurement.values()
        lengths = f"{values['longest']:.1f} × {length_words(values['across'], measurement.unit)}"
        return f"{lengths} ({measurement.name}, {self._plane(image, measurement)})"

    def widths(self, image: Image | None, frame: int) -> list[tuple[str, tuple[str, str]]]:
        """Return the diameters that can be the width: each in words, with its measurement and the name of its value.

        Those of the frame in view come first, and the latest of them.
        """
        latest_first = list(reversed(self._measurements_of(image)))
        latest_first.sort(key=lambda each: each.frame != frame)
        return [
            (
                f"{each.name}{f' {_NAMES[name]}' if 'across' in values else ''}: "
                f"{length_words(values[name], each.unit)} ({frame_in_words(image, each.frame)})",
                (each.identity, name),
            )
            for each in latest_first
            if each.kind != "volume" and each.identity != self._first
            for values in [each.values()]
            for name in ("longest", "across")
            if name in values
        ]

    def finish(self, image: Image | None, width: tuple[str, str]) -> Measurement | None:
        """Return the volume with this diameter of an image as its width; None if it cannot be; then a message says why.

        Args:
            image: of the second plane.
            width: identity of the measurement, and the name of its value.
        """
        first, first_image = self.first, self.first_image
        second = next((each for each in self._measurements_of(image) if each.identity == width[0]), None)
        if first is None or first_image is None or second is None or image is None:
            return None
        if first.unit != second.unit:
            show_warning(
                "One of the two planes is calibrated and the other is not: a volume needs both in millimeters."
            )
            return None
        if not first.pixel_size.is_calibrated and image is not first_image:
            show_warning(
                "Neither image is calibrated, so their pixels need not be of one size: a volume needs both planes in "
                "millimeters, or both in one image."
            )
            return None
        values = first.values()
        planes = tuple(f"{each.name}, {plane}" for each, plane in (
            (first, self._plane(first_image, first)), (second, self._plane(image, second))
        ))  # fmt: skip
        pairs = [second.points[index : index + 2] for index in range(0, len(second.points), 2)]
        length = second.values()[width[1]]
        ends = min(pairs, key=lambda pair: abs(distance(pair[0], pair[-1], second.pixel_size) - length))
        return Measurement(
            "volume",
            second.frame,
            () if second.kind == "outline" else ends,
            second.pixel_size,
            diameters=(values["longest"], values["across"], length),
            planes=planes,
            parts=(first.identity, second.identity, width[1]),
        )

    def _plane(self, image: Image, measurement: Measurement) -> str:
        words = frame_in_words(image, measurement.frame) if image.ndim > 2 else ""
        return ", ".join(part for part in (image.name, words) if part)
