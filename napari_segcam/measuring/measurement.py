"""A measurement: what was drawn or measured in a frame, and the values that follow from it."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from napari_segcam.errors import SegcamError
from napari_segcam.measuring.diameters import Point
from napari_segcam.measuring.drawn import (
    Kind,
    crosses_itself,
    distance,
    ellipse_area,
    ellipse_perimeter,
    outline_area,
    outline_diameters,
    outline_length,
)
from napari_segcam.measuring.finding_size import FindingSize
from napari_segcam.measuring.pixel_size import MM, PixelSize
from napari_segcam.measuring.volume import MM3_PER_ML, ellipsoid_volume

_POINTS: dict[str, tuple[int, int]] = {  # how many points each kind has, at least and at most
    "distance": (2, 2),
    "cross": (4, 4),
    "ellipse": (4, 4),
    "finding": (4, 4),
    "outline": (3, 10_000),
    "volume": (0, 2),
}
VALUES = ("longest", "across", "area", "perimeter", "equivalent_diameter", "volume")


@dataclass(frozen=True)
class MaskSource:
    """The mask that a finding was measured on.

    Attributes:
        of: ``"prediction"`` or ``"correction"``.
        threshold: of the prediction; None where it has none.
        class_name: of the finding; empty where the network has one class without a name.
        model: the network's name; empty where it is unknown.
        digest: of the measured pixels, to see later whether the mask has changed.
        pixel: row and column of one of them.
        moved: whether the reader has moved an end since.
    """

    of: str
    threshold: float | None = None
    class_name: str = ""
    model: str = ""
    digest: str = ""
    pixel: tuple[int, int] | None = None
    moved: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON gives them back."""
        return {**vars(self), "pixel": None if self.pixel is None else list(self.pixel)}

    @property
    def words(self) -> str:
        """The mask in words, for example "of the prediction at threshold 0.50"."""
        of = {"prediction": "of the prediction", "correction": "of the correction"}.get(self.of, f"of the {self.of}")
        if self.threshold is not None:
            of += f" at threshold {self.threshold:.2f}"
        return f"{of}, ends moved by the reader" if self.moved else of


@dataclass(frozen=True)
class Measurement:
    """A measurement in one frame; its values are computed from its points, except for those of a mask.

    Attributes:
        kind: ``"distance"`` (two ends), ``"cross"`` (the ends of two lines at a right angle), ``"ellipse"`` (the ends
            of its axes), ``"outline"`` (a closed line), ``"finding"`` (the diameters of a part of a mask) or
            ``"volume"`` (of an ellipsoid, from diameters in two planes; its points are the ends of the width).
        frame: its number.
        points: rows and columns; the center of a pixel is at whole numbers.
        pixel_size: of the frame.
        name: given by the reader.
        identity: never changes.
        source: the mask that a finding was measured on; None for what was drawn.
        area: of the mask of a finding, as measured.
        perimeter: of the mask of a finding, as measured.
        diameters: of a volume: length, height and width.
        planes: of a volume: where length and height, and where the width was measured, in words.
        parts: of a volume: the identity of the measurement of length and height, that of the measurement of the width,
            and the name of its value that is the width.
        notes: what a reader should know about the values.
    """

    kind: Kind
    frame: int
    points: tuple[Point, ...]
    pixel_size: PixelSize
    name: str = ""
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)
    source: MaskSource | None = None
    area: float | None = None
    perimeter: float | None = None
    diameters: tuple[float, ...] = ()
    planes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise SegcamError(f"There is no kind of measurement called {self.kind!r}.")
        least, most = _POINTS[self.kind]
        if not least <= len(self.points) <= most:
            raise SegcamError(f"A measurement of the kind {self.kind} cannot have {len(self.points)} points.")
        if not all(len(point) == 2 and all(map(math.isfinite, point)) for point in self.points):
            raise SegcamError("The points of a measurement must be rows and columns, and finite.")
        if self.kind == "outline" and len(set(self.points)) < 3:
            raise SegcamError("A traced outline needs three different points.")
        if self.kind == "volume" and len(self.diameters) != 3:
            raise SegcamError("A volume needs three diameters.")

    @classmethod
    def of_finding(cls, frame: int, size: FindingSize, source: MaskSource, name: str = "") -> Measurement:
        """Return the measurement of a finding."""
        points = (size.longest.start, size.longest.end, size.across.start, size.across.end)
        return cls(
            "finding",
            frame,
            points,
            size.pixel_size,
            name,
            source=source,
            area=size.area,
            perimeter=size.perimeter,
            notes=size.notes,
        )

    @property
    def unit(self) -> str:
        """The unit of lengths: ``"mm"`` or ``"px"``."""
        return self.pixel_size.unit

    @property
    def volume_unit(self) -> str:
        """The unit of volumes: ``"mL"`` or ``"px³"``."""
        return "mL" if self.unit == MM else "px³"

    def values(self) -> dict[str, float]:
        """Return what is defined of ``VALUES``, in the unit of length to the power it needs; volumes in mL or px³."""
        points, pixel_size = self.points, self.pixel_size
        if self.kind == "volume":
            length, height, width = self.diameters
            volume = ellipsoid_volume(length, width, height)
            return {"volume": volume / MM3_PER_ML if self.unit == MM else volume}
        if self.kind == "outline":
            return self._outline_values()
        values = {"longest": distance(points[0], points[1], pixel_size)}
        if len(points) == 4:
            values["across"] = distance(points[2], points[3], pixel_size)
        if self.kind == "ellipse":
            axes = values["longest"], values["across"]
            values |= {"area": ellipse_area(*axes), "perimeter": ellipse_perimeter(*axes)}
        elif self.kind in ("cross", "finding"):
            values["longest"], values["across"] = sorted(values.values(), reverse=True)
            values |= {
                name: value for name, value in (("area", self.area), ("perimeter", self.perimeter)) if value is not None
            }
        return _with_equivalent(values)

    def undefined(self) -> str:
        """Return why a value that this kind has is missing; empty where none is."""
        if self.kind == "outline" and crosses_itself(self.points):
            return "the traced line crosses itself, so it has no area"
        return ""

    def named(self, name: str) -> Measurement:
        """Return the measurement under another name."""
        return replace(self, name=name)

    def moved_to(self, points: Sequence[Point]) -> Measurement:
        """Return the measurement with other points; a finding says that the reader has moved its ends."""
        source = None if self.source is None else replace(self.source, moved=True)
        ends = tuple((float(row), float(column)) for row, column in points)
        return replace(self, points=ends, source=source)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, which ``from_dict`` reads."""
        return {
            "id": self.identity,
            "kind": self.kind,
            "frame": self.frame,
            "name": self.name,
            "points": [list(point) for point in self.points],
            "pixel_size": {"row": self.pixel_size.row, "column": self.pixel_size.column, "unit": self.unit},
            "source": None if self.source is None else self.source.as_dict(),
            "area": self.area,
            "perimeter": self.perimeter,
            "diameters": list(self.diameters),
            "planes": list(self.planes),
            "parts": list(self.parts),
            "notes": list(self.notes),
            "values": self.values(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Measurement:
        """Return the measurement of plain values.

        Raises:
            SegcamError: if they are not those of a measurement.
        """
        try:
            size, source = record["pixel_size"], record.get("source")
            return cls(
                kind=record["kind"],
                frame=int(record["frame"]),
                points=tuple((float(row), float(column)) for row, column in record["points"]),
                pixel_size=PixelSize(float(size["row"]), float(size["column"]), str(size["unit"])),
                name=str(record.get("name", "")),
                identity=str(record["id"]),
                source=None if source is None else _source(source),
                area=_number(record.get("area")),
                perimeter=_number(record.get("perimeter")),
                diameters=tuple(float(value) for value in record.get("diameters", ())),
                planes=tuple(map(str, record.get("planes", ()))),
                parts=tuple(map(str, record.get("parts", ()))),
                notes=tuple(map(str, record.get("notes", ()))),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SegcamError(f"This is not the record of a measurement ({type(error).__name__}: {error}).") from error

    def _outline_values(self) -> dict[str, float]:
        longest, across = outline_diameters(self.points, self.pixel_size)
        values = {"longest": longest.length, "across": across.length}
        if not crosses_itself(self.points):
            values["area"] = outline_area(self.points, self.pixel_size)
        values["perimeter"] = outline_length(self.points, self.pixel_size)
        return _with_equivalent(values)


def _with_equivalent(values: dict[str, float]) -> dict[str, float]:
    if "area" in values:
        values["equivalent_diameter"] = 2 * math.sqrt(values["area"] / math.pi)
    return values


def _source(record: Mapping[str, Any]) -> MaskSource:
    pixel = record.get("pixel")
    return MaskSource(**{**record, "pixel": None if pixel is None else (int(pixel[0]), int(pixel[1]))})


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
