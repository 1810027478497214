"""Overlay objects: pictures of results over the scan, as an ultrasound cine or a secondary capture in true color.

A cine with a frame time becomes Ultrasound Multi-frame, the kind of the source itself: what stores and plays the source
plays it too. A single picture is a Secondary Capture, and pictures without times a Multi-frame True Color Secondary
Capture.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.coded_entry import SOURCE_IMAGE, CodedEntry, own_coding_scheme
from napari_segcam.dicom_objects.lossy_compression import add_lossy_compression
from napari_segcam.dicom_objects.new_object import RESEARCH_ONLY, new_object, source_references
from napari_segcam.dicom_objects.overlay_cine.caption import Caption, ColorBar
from napari_segcam.dicom_objects.overlay_cine.copied_elements import (
    copy_regions,
    copy_side,
    examination_of,
    modality_of,
    write_aspect,
)
from napari_segcam.dicom_objects.overlay_cine.timing import write_timing
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.spool import Spool
from napari_segcam.dicom_objects.values import SHORT_TEXT, fitted
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicom.object_kind import OVERLAY_CODE

Compression = Literal["jpeg", "none"]

US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
TRUE_COLOR_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.4"

OVERLAY = CodedEntry(*OVERLAY_CODE, "Results of a network drawn over the image")

_QUALITY = 92
_ITEM = 0xE000FFFE


def burned_in_warning(source: SourceImages) -> str | None:
    """Return a warning if the pixels of the source may show the patient's name, as an overlay then shows it too."""
    stated = {str(header.get("BurnedInAnnotation") or "") for header in source.headers}
    if stated == {"NO"}:
        return None
    if "YES" in stated:
        return "The source says that its pixels show who the patient is: so do those of the overlay."
    return (
        "The source does not say whether its pixels show the patient's name: look at the overlay before you share it."
    )


class OverlayObject:
    """A cine, or a still, of pictures over the scan; it takes them one by one, and they wait on disk.

    Args:
        source: the images below.
        algorithm: the network whose results are drawn; None if it is none.
        title: what is drawn: stage, method, class. It is written below each picture, after "research use only".
        compression: JPEG baseline, or none.
        bar: the colors of the heatmap.
        series_uid: of a series that it joins; by default it begins one.
        series_number: of its series.
        instance_number: of the object in its series.
    """

    def __init__(
        self,
        source: SourceImages,
        *,
        algorithm: Algorithm | None,
        title: str,
        compression: Compression = "jpeg",
        bar: ColorBar | None = None,
        series_uid: str | None = None,
        series_number: int = 1,
        instance_number: int = 1,
    ) -> None:
        self._source = source
        self._algorithm = algorithm
        self._title = title
        self._compression = compression
        self._series = series_uid, series_number, instance_number
        self._bar = bar
        self._caption: Caption | None = None
        self._spool = Spool()
        self._offsets: list[int] = []
        self._numbers: list[int] = []
        self._stream_bytes = 0

    def add(self, number: int, picture: NDArray[np.uint8], note: str = "") -> None:
        """Add the picture of a frame.

        Args:
            number: of the frame in the cine, from 0; later than those before.
            picture: ``(Y, X, 3)``, of the frame's size.
            note: about this picture, such as why its heatmap is empty; the number of the frame, from 1, comes first.

        Raises:
            SegcamError: if the disk is full.
        """
        self._source.place(number)
        if self._numbers and number <= self._numbers[-1]:
            raise ValueError(f"frame {number} comes after frame {self._numbers[-1]}")
        if picture.shape != (self._source.rows, self._source.columns, 3):
            raise ValueError(f"a picture of shape {picture.shape} over frames of {self._source.rows} rows")
        words = [note] if note else []
        if self._source.frame_count > 1:
            words.insert(0, f"Frame {number + 1} of {self._source.frame_count}")
        if self._caption is None:
            self._caption = Caption(picture.shape[:2], self._title, self._bar, has_notes=bool(words))
        drawn = self._caption.draw(picture, ". ".join(words))
        if self._compression == "jpeg":
            stream = _jpeg(drawn)
            self._offsets.append(self._spool.length)
            self._stream_bytes += len(stream)
            padded = stream + b"\0" * (len(stream) % 2)
            self._spool.append(_item_header(len(padded)) + padded)
        else:
            self._spool.append(drawn.tobytes())
        self._numbers.append(number)

    def dataset(self) -> FileDataset:
        """Return the object; save it before more pictures are added.

        Raises:
            SegcamError: if it has no pictures.
        """
        if self._caption is None:
            raise SegcamError("There is no picture for the overlay to export.")
        timing = Dataset()
        has_times = len(self._numbers) > 1 and write_timing(timing, self._source, self._numbers)
        kind = SECONDARY_CAPTURE if len(self._numbers) == 1 else US_MULTIFRAME if has_times else TRUE_COLOR_CAPTURE
        series_uid, series_number, instance_number = self._series
        dataset = new_object(
            self._source,
            kind,
            modality=modality_of(self._source.first),
            series_description=f"Overlay, research only: {self._title}",
            algorithm=self._algorithm,
            series_uid=series_uid,
            series_number=series_number,
            instance_number=instance_number,
            frames=self._numbers,
        )
        dataset.update(timing)
        self._describe(dataset)
        self._add_pixels(dataset, self._caption.shape)
        if len(self._numbers) > 1:
            dataset.NumberOfFrames = len(self._numbers)
        if kind == US_MULTIFRAME:
            copy_regions(self._source, dataset)
        else:
            dataset.ConversionType = "WSD"
        if kind == TRUE_COLOR_CAPTURE:
            dataset.FrameIncrementPointer = Tag("FrameLabelVector")
            dataset.FrameLabelVector = [f"{number + 1}" for number in self._numbers]
        return dataset

    def _describe(self, dataset: FileDataset) -> None:
        dataset.ImageType = ["DERIVED", "SECONDARY", *examination_of(self._source.first)]
        dataset.PatientOrientation = None
        copy_side(self._source.first, dataset)
        dataset.ImageComments = fitted(f"{RESEARCH_ONLY}. {self._title}", SHORT_TEXT)
        dataset.DerivationDescription = fitted(f"Drawn over the image: {self._title}", SHORT_TEXT)
        dataset.DerivationCodeSequence = [OVERLAY.item()]
        dataset.CodingSchemeIdentificationSequence = [own_coding_scheme()]
        dataset.SourceImageSequence = source_references(self._source, self._numbers, SOURCE_IMAGE)
        dataset.BurnedInAnnotation = "YES"
        dataset.ContentQualification = "RESEARCH"

    def _add_pixels(self, dataset: FileDataset, shape: tuple[int, int]) -> None:
        dataset.SamplesPerPixel = 3
        dataset.PlanarConfiguration = 0
        dataset.Rows, dataset.Columns = shape
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
        dataset.PixelRepresentation = 0
        write_aspect(self._source, dataset)
        is_jpeg = self._compression == "jpeg"
        dataset.PhotometricInterpretation = "YBR_FULL_422" if is_jpeg else "RGB"
        ratio = 3 * dataset.Rows * dataset.Columns * len(self._numbers) / self._stream_bytes if is_jpeg else None
        add_lossy_compression(dataset, self._source, ratio)
        dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit if is_jpeg else ExplicitVRLittleEndian
        if is_jpeg:
            table = struct.pack(f"<{len(self._offsets)}L", *self._offsets)
            dataset.PixelData = self._spool.buffer(_item_header(len(table)) + table)
        else:
            if self._spool.length % 2:
                self._spool.append(b"\0")
            dataset.PixelData = self._spool.buffer()
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = is_jpeg


def overlay_cine(
    source: SourceImages,
    pictures: Iterable[tuple[int, NDArray[np.uint8]]],
    *,
    algorithm: Algorithm | None,
    title: str,
    compression: Compression = "jpeg",
    bar: ColorBar | None = None,
    series_uid: str | None = None,
    series_number: int = 1,
    instance_number: int = 1,
) -> FileDataset:
    """Return pictures over the scan as a cine, or a still; see ``OverlayObject``, which takes them one by one.

    Args:
        source: the images below.
        pictures: number of a frame, from 0, and its picture ``(Y, X, 3)``, in order; consumed one by one.
        algorithm: the network whose results are drawn; None if it is none.
        title: what is drawn: stage, method, class.
        compression: JPEG baseline, or none.
        bar: the colors of the heatmap.
        series_uid: of a series that it joins; by default it begins one.
        series_number: of its series.
        instance_number: of the object in its series.

    Raises:
        SegcamError: if there are no pictures, or the disk is full.
    """
    made = OverlayObject(
        source,
        algorithm=algorithm,
        title=title,
        compression=compression,
        bar=bar,
        series_uid=series_uid,
        series_number=series_number,
        instance_number=instance_number,
    )
    for number, picture in pictures:
        made.add(number, picture)
    return made.dataset()


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=_QUALITY, subsampling="4:2:2")
    return buffer.getvalue()


def _item_header(length: int) -> bytes:
    return struct.pack("<LL", _ITEM, length)
