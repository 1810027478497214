"""Parametric Map objects: the raw heatmaps of one stage, bit for bit, at the stage's own resolution."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.uid import UID, generate_uid

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.coded_entry import OWN_SCHEME, CodedEntry, own_coding_scheme
from napari_segcam.dicom_objects.lossy_compression import add_lossy_compression
from napari_segcam.dicom_objects.new_object import derivation_item, new_object
from napari_segcam.dicom_objects.parametric_map.meaning import anatomy, decimal, real_world_values, window_of
from napari_segcam.dicom_objects.parametric_map.placement import write_placement
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.spool import Spool
from napari_segcam.dicom_objects.values import fitted
from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.explanation.explanation import Heatmap

PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
NO_VALUE = float(np.finfo(np.float32).min)
"""Stored where a map has no value; the object names it as its padding."""

HEATMAP = CodedEntry("HEATMAP", OWN_SCHEME, "Heatmap of a segmentation network")

_LONGEST_COMMENT = 1024


@dataclass(frozen=True)
class _Frame:
    number: int
    reason: str | None


class HeatmapObject:
    """A Parametric Map that takes the heatmaps of one stage frame by frame; their values wait on disk.

    Args:
        source: the images that are explained.
        stage_name: of the stage.
        algorithm: the network that is explained.
        method_title: of the method of explanation, such as Grad-CAM.
        class_name: of the explained class.
        series_uid: of a series that it joins; by default it begins one.
        series_number: of its series.
        instance_number: of the object in its series.
    """

    def __init__(
        self,
        source: SourceImages,
        stage_name: str,
        *,
        algorithm: Algorithm,
        method_title: str,
        class_name: str,
        series_uid: str | None = None,
        series_number: int = 1,
        instance_number: int = 1,
    ) -> None:
        self._source = source
        self._stage_name = stage_name
        self._algorithm = algorithm
        self._method = method_title
        self._class = class_name
        self._series = series_uid, series_number, instance_number
        self._spool = Spool()
        self._frames: list[_Frame] = []
        self._model: Heatmap | None = None
        self._lowest, self._highest = math.inf, -math.inf
        self._has_padding = False

    def add(self, number: int, heatmap: Heatmap) -> None:
        """Add the heatmap of a frame.

        Values that are not numbers have no value in the object, and an empty map has none at all.

        Args:
            number: of the frame in the cine, from 0; later than those before.
            heatmap: of the stage.

        Raises:
            SegcamError: if the map does not have the size or place of those before.
        """
        self._source.place(number)
        if self._frames and number <= self._frames[-1].number:
            raise ValueError(f"frame {number} comes after frame {self._frames[-1].number}")
        if self._model is None:
            self._refuse_other_frame(heatmap)
            self._model = heatmap
        elif heatmap.values.shape != self._model.values.shape or heatmap.geometry != self._model.geometry:
            raise SegcamError(
                f"The heatmap of {self._stage_name} in frame {number} has another size or place than in frame "
                f"{self._frames[0].number}: one object can hold only maps of one size. Keep the region of the scan "
                "the same for all frames."
            )
        values = np.asarray(heatmap.values, "<f4")
        has_value = np.isfinite(values) & (heatmap.reason is None)
        if has_value.any():
            self._lowest = min(self._lowest, float(values[has_value].min()))
            self._highest = max(self._highest, float(values[has_value].max()))
        self._has_padding |= not has_value.all()
        self._spool.append(values.tobytes() if has_value.all() else _without(values, has_value))
        self._frames.append(_Frame(number, heatmap.reason.value if heatmap.reason is not None else None))

    def _refuse_other_frame(self, heatmap: Heatmap) -> None:
        if heatmap.geometry.frame_shape != (self._source.rows, self._source.columns):
            raise SegcamError(
                f"The heatmap of {self._stage_name} is of a frame of {heatmap.geometry.frame_shape}, but the DICOM "
                f"image has {self._source.rows} × {self._source.columns} pixels."
            )

    def dataset(self) -> FileDataset:
        """Return the object; save it before more frames are added.

        Raises:
            SegcamError: if it has no frames.
        """
        if self._model is None:
            raise SegcamError(f"There is no heatmap of {self._stage_name} to export.")
        numbers = [frame.number for frame in self._frames]
        series_uid, series_number, instance_number = self._series
        dataset = new_object(
            self._source,
            PARAMETRIC_MAP,
            modality="OT",
            series_description=f"{self._method} heatmaps, {self._class}",
            algorithm=self._algorithm,
            series_uid=series_uid,
            series_number=series_number,
            instance_number=instance_number,
            frames=numbers,
        )
        self._describe(dataset, self._model)
        dataset.SharedFunctionalGroupsSequence = [self._shared_group(self._model)]
        dataset.PerFrameFunctionalGroupsSequence = [self._frame_group(frame, self._model) for frame in self._frames]
        write_placement(dataset, self._model)
        dataset.FloatPixelPaddingValue = dataset.FloatPixelPaddingRangeLimit = NO_VALUE
        dataset.FloatPixelData = self._spool.buffer()
        return dataset

    def _describe(self, dataset: FileDataset, model: Heatmap) -> None:
        first = self._source.first
        dataset.ImageType = self._image_type
        dataset.ContentLabel = "HEATMAP"
        dataset.ContentDescription = fitted(f"{self._method} of {self._stage_name}, {self._class}")
        dataset.ContentCreatorName = None
        dataset.FrameOfReferenceUID = frame_of_reference(first)
        dataset.CodingSchemeIdentificationSequence = [own_coding_scheme()]
        dataset.PositionReferenceIndicator = None
        dataset.AcquisitionContextSequence = []
        dataset.ContentQualification = "RESEARCH"
        dataset.BurnedInAnnotation = "NO"  # of the map itself: no pixel of the scan is in it
        dataset.RecognizableVisualFeatures = "NO"
        dataset.PresentationLUTShape = "IDENTITY"
        add_lossy_compression(dataset, self._source)
        dataset.NumberOfFrames = len(self._frames)
        dataset.Rows, dataset.Columns = model.values.shape
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated = 32
        organization = Dataset()
        organization.DimensionOrganizationUID = generate_uid(prefix=None)
        dataset.DimensionOrganizationSequence = [organization]
        index = Dataset()
        index.DimensionOrganizationUID = organization.DimensionOrganizationUID
        index.DimensionIndexPointer = 0x00209128
        index.FunctionalGroupPointer = 0x00209111
        index.DimensionDescriptionLabel = "Frame of the cine"
        dataset.DimensionIndexSequence = [index]

    def _shared_group(self, model: Heatmap) -> Dataset:
        low, high = (self._lowest, self._highest) if self._lowest <= self._highest else (0.0, 0.0)
        group = Dataset()
        measures, position, orientation = self._plane(model)
        group.PixelMeasuresSequence = [measures]
        group.PlanePositionSequence = [position]
        group.PlaneOrientationSequence = [orientation]
        group.FrameAnatomySequence = [anatomy(self._source.first)]
        transformation = Dataset()
        transformation.RescaleIntercept, transformation.RescaleSlope, transformation.RescaleType = "0", "1", "US"
        group.PixelValueTransformationSequence = [transformation]
        group.FrameVOILUTSequence = [window_of(low, high)]
        first = NO_VALUE if self._has_padding else low  # highdicom refuses stored values outside the mapped range
        group.RealWorldValueMappingSequence = [
            real_world_values(first, high, self._method, self._stage_name, self._class)
        ]
        frame_type = Dataset()
        frame_type.FrameType = self._image_type
        group.ParametricMapFrameTypeSequence = [frame_type]
        return group

    @property
    def _image_type(self) -> list[str]:
        return ["DERIVED", "PRIMARY", "DYNAMIC" if self._source.frame_count > 1 else "STATIC", "NONE"]

    def _plane(self, model: Heatmap) -> tuple[Dataset, Dataset, Dataset]:
        """Return size, position and orientation of the pixels, in a space whose origin is the frame's first pixel.

        Its axes are those of the picture: where the frame is in the patient, nobody knows. Without a calibration there
        is no size in mm, and then only the private elements say where the map is.
        """
        measures, position, orientation = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, 0]
        orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        if self._source.spacing_mm is not None:
            rows, columns = self._source.spacing_mm
            measures.PixelSpacing = [decimal(model.scale[0] * rows), decimal(model.scale[1] * columns)]
            down, right = model.translate
            position.ImagePositionPatient = [decimal(right * columns), decimal(down * rows), 0]
        return measures, position, orientation

    def _frame_group(self, frame: _Frame, model: Heatmap) -> Dataset:
        content = Dataset()
        content.DimensionIndexValues = [frame.number + 1]
        content.TemporalPositionIndex = frame.number + 1
        if frame.reason is not None:
            content.FrameComments = fitted(f"Empty: {frame.reason}", _LONGEST_COMMENT)
        description = f"{self._method} heatmap of {self._stage_name}, {self._class}"
        derivation = derivation_item(self._source, [frame.number], HEATMAP, description)
        if not _covers_frame(model):
            for image in derivation.SourceImageSequence:
                del image.SpatialLocationsPreserved
        group = Dataset()
        group.FrameContentSequence = [content]
        group.DerivationImageSequence = [derivation]
        return group


def parametric_map(
    source: SourceImages,
    stage_name: str,
    heatmaps: Iterable[tuple[int, Heatmap]],
    *,
    algorithm: Algorithm,
    method_title: str,
    class_name: str,
    series_uid: str | None = None,
    series_number: int = 1,
    instance_number: int = 1,
) -> FileDataset:
    """Return the heatmaps of one stage as a Parametric Map; see ``HeatmapObject``, which takes them one by one.

    Args:
        source: the images that are explained.
        stage_name: of the stage.
        heatmaps: number of a frame, from 0, and its heatmap, in order; consumed one by one.
        algorithm: the network that is explained.
        method_title: of the method of explanation, such as Grad-CAM.
        class_name: of the explained class.
        series_uid: of a series that it joins; by default it begins one.
        series_number: of its series.
        instance_number: of the object in its series.

    Raises:
        SegcamError: if there are no heatmaps, or their sizes or places differ.
    """
    made = HeatmapObject(
        source,
        stage_name,
        algorithm=algorithm,
        method_title=method_title,
        class_name=class_name,
        series_uid=series_uid,
        series_number=series_number,
        instance_number=instance_number,
    )
    for number, heatmap in heatmaps:
        made.add(number, heatmap)
    return made.dataset()


def _without(values: np.ndarray, has_value: np.ndarray) -> bytes:
    return np.where(has_value, values, np.float32(NO_VALUE)).astype("<f4").tobytes()


def _covers_frame(heatmap: Heatmap) -> bool:
    """Return whether a map covers its frame exactly, without a margin or a crop."""
    geometry = heatmap.geometry
    return geometry.crop is None and geometry.content_shape == geometry.input_shape


def frame_of_reference(header: Dataset) -> UID:
    """Return the identifier of the space of a frame's pixels: always the same for the same image."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, str(header.SOPInstanceUID)).int}")
