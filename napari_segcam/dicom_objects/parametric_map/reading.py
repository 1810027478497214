"""Reading of Parametric Maps: our own bit for bit and in place, and those of other programs as far as they say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from napari_segcam.budget import refuse_large_frame
from napari_segcam.dicom_objects.parametric_map.placement import Placement, geometry_in, read_private, stage_in
from napari_segcam.dicom_objects.parametric_map.writing import PARAMETRIC_MAP, frame_of_reference
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicom.dicom_cine import dicom_errors

if TYPE_CHECKING:
    from napari_segcam.explanation.explanation import Heatmap

_LONGEST_VALUE = "64 KB"  # pixels stay in the file
_EMPTY = "Empty: "
_PIXELS = {Tag("FloatPixelData"): "f4", Tag("DoubleFloatPixelData"): "f8", Tag("PixelData"): ""}


@dataclass(frozen=True)
class MapFrame:
    """A frame of a map.

    Attributes:
        sop_instance_uid: of the image that it is about; empty if it does not say.
        frame: number of the frame in that image, from 0; None if it is of the whole image or it does not say.
        reason: why the map is empty, in words; None where it is not.
    """

    sop_instance_uid: str
    frame: int | None
    reason: str | None


@dataclass(frozen=True)
class _Pixels:
    offset: int
    dtype: np.dtype[Any]
    padding: tuple[float, float] | None
    slope: float
    intercept: float


class ReadParametricMap:
    """A Parametric Map in a file; frames are read when they are asked for.

    Attributes:
        path: of the file.
        description: what it holds, in words; empty if it does not say.
        stage: name of the network's stage, empty in a map of another program.
        method: of explanation, empty in a map of another program.
        class_name: the explained class, empty in a map of another program.
        unit: of the values, in words; empty if it does not say.
        shape: rows and columns of a frame.
        frames: what each frame is about.
    """

    def __init__(self, path: Path, header: Dataset) -> None:
        self.path = path
        self.description = str(header.get("ContentDescription") or header.get("SeriesDescription") or "")
        self.shape = int(header.Rows), int(header.Columns)
        self._facts = read_private(header)
        [shared] = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
        groups = list(header.get("PerFrameFunctionalGroupsSequence") or [])
        count = int(header.get("NumberOfFrames") or 1)
        groups += [Dataset()] * (count - len(groups))
        self.frames = tuple(_frame(group, shared) for group in groups[:count])
        mapping = _item(shared, "RealWorldValueMappingSequence") or _item(groups[0], "RealWorldValueMappingSequence")
        texts = _texts(mapping)
        self.method, self.class_name = texts.get("METHOD", ""), texts.get("CLASS", "")
        self.stage = texts.get("STAGE", "")
        self.unit = str(_item(mapping, "MeasurementUnitsCodeSequence").get("CodeMeaning") or "")
        self._space = str(header.get("FrameOfReferenceUID") or "")
        self._spacing = _numbers(_group_item(shared, groups[0], "PixelMeasuresSequence"), "PixelSpacing", 2)
        self._position = _numbers(_group_item(shared, groups[0], "PlanePositionSequence"), "ImagePositionPatient", 3)
        self._pixels = _locate(path, header, mapping, self.shape, count)

    def __len__(self) -> int:
        return len(self.frames)

    def values(self, index: int) -> NDArray[np.float32]:
        """Return the values of a frame, ``(h, w)``; NaN where it has none.

        Args:
            index: of the frame in the map, from 0.

        Raises:
            SegcamError: if the file cannot be read any more.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of a map with {len(self)}")
        pixels, count = self._pixels, math.prod(self.shape)
        with dicom_errors(self.path), self.path.open("rb") as file:
            file.seek(pixels.offset + index * count * pixels.dtype.itemsize)
            content = file.read(count * pixels.dtype.itemsize)
            stored = np.frombuffer(content, pixels.dtype, count).reshape(self.shape)
        values = stored.astype(np.float32)
        if pixels.slope != 1 or pixels.intercept != 0:
            values = (stored.astype(np.float64) * pixels.slope + pixels.intercept).astype(np.float32)
        if pixels.padding is not None:
            low, high = pixels.padding
            values[(stored >= low) & (stored <= high)] = np.nan
        return values

    def heatmap(self, index: int) -> Heatmap:
        """Return a frame as the heatmap that was written; values that it had not are 0.

        Args:
            index: of the frame in the map, from 0.

        Raises:
            SegcamError: if another program wrote the map, or it no longer says of which stage and where it is.
        """
        from napari_segcam.explanation.emptiness import Failure, Reason
        from napari_segcam.explanation.explanation import Heatmap

        geometry, stage = geometry_in(self._facts), stage_in(self._facts)
        if geometry is None or stage is None:
            raise SegcamError(
                f"{self.path.name} does not say to which stage of a network it belongs: it is of another program, or "
                "its private elements were removed. Its values can still be shown."
            )
        reason = self.frames[index].reason
        known = {one.value: one for one in Reason}
        return Heatmap(
            stage,
            np.nan_to_num(self.values(index), nan=0.0),
            geometry,
            None if reason is None else known.get(reason, Failure(reason)),
            signed=self._facts.get("signed") is True,
            has_outliers=self._facts.get("has_outliers") is True,
        )

    def placement_on(self, source: SourceImages) -> Placement:
        """Return where the map is on the frames of a cine.

        It is what the map itself says, exactly in a map of this program; else the map covers the whole frame.
        """
        geometry = geometry_in(self._facts)
        if geometry is not None and geometry.frame_shape == (source.rows, source.columns):
            return Placement(*geometry.placement(self.shape))
        if (
            source.spacing_mm is not None
            and self._spacing
            and self._position
            and self._space == frame_of_reference(source.first)
        ):
            rows, columns = source.spacing_mm
            scale = self._spacing[0] / rows, self._spacing[1] / columns
            return Placement(scale, (self._position[1] / rows, self._position[0] / columns))
        return Placement.over_whole_frame(self.shape, (source.rows, source.columns))

    def numbers_in(self, source: SourceImages) -> dict[int, int]:
        """Return the index of each frame's map, by the frame's number in a cine, from 0; empty if it is of others."""
        found: dict[int, int] = {}
        for index, place in enumerate(self.frames):
            numbers = source.numbers_of(place.sop_instance_uid)
            if numbers is not None and 0 <= (place.frame or 0) < len(numbers):
                found.setdefault(numbers[place.frame or 0], index)
        return found


def read_parametric_map(path: Path) -> ReadParametricMap:
    """Open a Parametric Map.

    Args:
        path: of the file.

    Raises:
        SegcamError: if it is none, is compressed, or is cut short.
    """
    with dicom_errors(path):
        header = dcmread(path, defer_size=_LONGEST_VALUE)
        if header.get("SOPClassUID") != PARAMETRIC_MAP:
            kind = getattr(header.get("SOPClassUID"), "name", None) or "DICOM file of no kind"
            raise SegcamError(f"{path.name} is no Parametric Map, but: {kind}.")
        rows, columns, count = int(header.Rows), int(header.Columns), int(header.get("NumberOfFrames") or 1)
        if min(rows, columns, count) < 1:
            raise SegcamError(f"{path.name} has {count} maps of {rows} × {columns} pixels: it is damaged.")
        refuse_large_frame(path.name, (rows, columns), 8, count)
        return ReadParametricMap(path, header)


def _locate(path: Path, header: Dataset, mapping: Dataset, shape: tuple[int, int], count: int) -> _Pixels:
    """Return where the pixels are in the file, and how they become values."""
    tag = next((tag for tag in _PIXELS if tag in header), None)
    if tag is None:
        raise SegcamError(f"{path.name} holds no values.")
    syntax = header.file_meta.TransferSyntaxUID
    raw = header.get_item(tag, keep_deferred=True)  # without the values, however many there are
    if syntax.is_encapsulated or syntax == DeflatedExplicitVRLittleEndian or not isinstance(raw, RawDataElement):
        raise SegcamError(f"The values of {path.name} are compressed ({syntax.name}), which is not read here.")
    kind = _PIXELS[tag]
    if not kind:
        if header.get("BitsAllocated") not in (8, 16, 32):
            raise SegcamError(f"The values of {path.name} have {header.get('BitsAllocated')} bits each.")
        kind = f"{'i' if header.get('PixelRepresentation') else 'u'}{header.BitsAllocated // 8}"
    dtype = np.dtype(f"{'<' if raw.is_little_endian else '>'}{kind}")
    if raw.value_tell + count * math.prod(shape) * dtype.itemsize > path.stat().st_size:
        raise SegcamError(f"{path.name} is cut short: it has fewer values than its header says.")
    slope = _number(mapping, "RealWorldValueSlope")
    intercept = _number(mapping, "RealWorldValueIntercept")
    return _Pixels(
        raw.value_tell,
        dtype,
        _padding(header),
        1.0 if slope is None else slope,
        0.0 if intercept is None else intercept,
    )


def _padding(header: Dataset) -> tuple[float, float] | None:
    for kind in ("Float", "DoubleFloat", ""):
        value = _number(header, f"{kind}PixelPaddingValue")
        if value is not None:
            limit = _number(header, f"{kind}PixelPaddingRangeLimit")
            limit = value if limit is None else limit
            return min(value, limit), max(value, limit)
    return None


def _frame(group: Dataset, shared: Dataset) -> MapFrame:
    image = _item(_group_item(group, shared, "DerivationImageSequence"), "SourceImageSequence")
    numbers = image.get("ReferencedFrameNumber")
    first = numbers if isinstance(numbers, int) else next(iter(numbers or []), None)
    comment = str(_item(group, "FrameContentSequence").get("FrameComments") or "")
    return MapFrame(
        str(image.get("ReferencedSOPInstanceUID") or ""),
        None if first is None else int(first) - 1,
        comment.removeprefix(_EMPTY) if comment.startswith(_EMPTY) else None,
    )


def _group_item(first: Dataset, second: Dataset, keyword: str) -> Dataset:
    return _item(first, keyword) or _item(second, keyword)


def _item(dataset: Dataset, keyword: str) -> Dataset:
    """Return the first item of a sequence; an empty one if there is none."""
    items = dataset.get(keyword)
    return items[0] if items else Dataset()


def _texts(mapping: Dataset) -> dict[str, str]:
    return {
        str(_item(item, "ConceptNameCodeSequence").get("CodeValue")): str(item.get("TextValue") or "")
        for item in mapping.get("QuantityDefinitionSequence") or ()
        if item.get("ValueType") == "TEXT"
    }


def _number(dataset: Dataset, keyword: str) -> float | None:
    value = dataset.get(keyword)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    value = dataset.get(keyword)
    numbers = () if value is None or isinstance(value, (str, float)) else tuple(float(one) for one in value)
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else ()
