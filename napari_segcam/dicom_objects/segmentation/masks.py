"""The masks of a Segmentation, by frame and segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_segcam.dicom_objects.segmentation.described import ReadSegment, StoredFrame
from napari_segcam.dicom_objects.segmentation.layout import Layout, layout_alone, layout_over
from napari_segcam.dicom_objects.segmentation.segment import EDITED
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError

Values = Callable[[int], NDArray[np.unsignedinteger]]
"""Returns the stored values ``(Y, X)`` of a frame of the file, by its index from 0."""


@dataclass(frozen=True)
class SegmentationFacts:
    """What the header of a Segmentation says about it as a whole.

    Attributes:
        kind: binary, fractional or labelmap.
        rows: of each frame.
        columns: of each frame.
        uid: of the object.
        series_uid: of its series.
        study_uid: of its study.
        patient_id: of its patient.
        description: of its series.
        manufacturer: the program that wrote it.
        fraction: what fractions are: probability or occupancy; empty for other kinds.
        maximum: the stored value of the fraction 1; 0 for other kinds.
        padding: the stored value of no segment in a label map.
    """

    kind: str
    rows: int
    columns: int
    uid: str
    series_uid: str
    study_uid: str
    patient_id: str
    description: str
    manufacturer: str
    fraction: str
    maximum: int
    padding: int


class ReadSegmentation:
    """A Segmentation that was read from a file. Threads may share it.

    Frames have numbers from 0. ``laid_over`` numbers them as a cine does. Before that, one image's frames have their
    own numbers; several images follow one another in the order of the file.

    Attributes:
        path: of the file.
        facts: about it as a whole.
        segments: in the order of the file.
        referenced_uids: of the images that it was made for.
    """

    def __init__(
        self,
        path: Path,
        facts: SegmentationFacts,
        segments: Sequence[ReadSegment],
        frames: Sequence[StoredFrame],
        referenced_uids: Sequence[str],
        values: Values,
        layout: Layout | None = None,
    ) -> None:
        self.path, self.facts = path, facts
        self.segments = tuple(segments)
        in_frames = (uid for frame in frames for uid, _ in frame.references)
        self.referenced_uids = tuple(dict.fromkeys((*referenced_uids, *in_frames)))
        self._frames, self._values, self._given_layout = tuple(frames), values, layout
        self._latest: tuple[int, NDArray[np.unsignedinteger]] | None = None

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name

    @property
    def kind(self) -> str:
        """Whether it is ``binary``, ``fractional`` or a ``labelmap``."""
        return self.facts.kind

    @property
    def rows(self) -> int:
        """Rows of each frame."""
        return self.facts.rows

    @property
    def columns(self) -> int:
        """Columns of each frame."""
        return self.facts.columns

    @cached_property
    def _layout(self) -> Layout:
        return self._given_layout or layout_alone(self.name, self._frames, self.referenced_uids)

    @cached_property
    def _stored(self) -> dict[tuple[int | None, int], list[int]]:
        """The indices of the stored frames of a segment in a frame of the cine."""
        stored: dict[tuple[int | None, int], list[int]] = {}
        for index, (frame, numbers) in enumerate(zip(self._frames, self._layout.numbers, strict=True)):
            for number in numbers:
                stored.setdefault((frame.segment, number), []).append(index)
        return stored

    @property
    def frame_count(self) -> int:
        """Number of frames of the cine; before it is laid over one, as far as the file refers to them.

        Raises:
            SegcamError: if the file alone does not say which frame is which; so do the masks then.
        """
        return self._layout.frame_count

    @property
    def looked_at(self) -> tuple[int, ...]:
        """Numbers of the frames that are stored for any segment, even if their masks are empty."""
        return tuple(sorted({number for _, number in self._stored}))

    @property
    def edited_frames(self) -> tuple[int, ...]:
        """Numbers of the frames in which a reader changed a mask, as files of this program say."""
        pairs = zip(self._frames, self._layout.numbers, strict=True)
        return tuple(sorted({number for frame, numbers in pairs if frame.comment == EDITED for number in numbers}))

    def frames_of(self, segment: int) -> tuple[int, ...]:
        """Return the numbers of the frames that are stored for a segment, even if its mask is empty there.

        In a label map, every frame is stored for every segment.

        Args:
            segment: its number in the file.

        Raises:
            SegcamError: if there is no such segment.
        """
        key = self._key(segment)
        return tuple(sorted(number for stored, number in self._stored if stored == key))

    def mask(self, number: int, segment: int) -> NDArray[np.bool_]:
        """Return where a segment is in a frame, ``(Y, X)``; nowhere if the frame is not stored.

        A fraction counts from one half.

        Args:
            number: of the frame, from 0.
            segment: its number in the file.

        Raises:
            SegcamError: if there is no such segment, or the frame cannot be decoded.
        """
        mask = np.zeros((self.rows, self.columns), bool)
        for index in self._stored.get((self._key(segment), number), ()):
            values = self._plane(index)
            if self.kind == "labelmap":
                mask |= values == segment
            elif self.kind == "fractional":
                mask |= 2 * values.astype(np.uint16) >= self.facts.maximum
            else:
                mask |= values > 0
        return mask

    def fractions(self, number: int, segment: int) -> NDArray[np.float32]:
        """Return the fraction of a segment in each pixel of a frame, ``(Y, X)`` from 0 to 1: its probability or share.

        Of bits and labels, it is 0 or 1.

        Args:
            number: of the frame, from 0.
            segment: its number in the file.

        Raises:
            SegcamError: as ``mask``.
        """
        if self.kind != "fractional":
            return self.mask(number, segment).astype(np.float32)
        fractions = np.zeros((self.rows, self.columns), np.float32)
        for index in self._stored.get((self._key(segment), number), ()):
            values = self._plane(index).astype(np.float32) / np.float32(self.facts.maximum)
            np.maximum(fractions, np.minimum(values, 1), out=fractions)
        return fractions

    def laid_over(self, source: SourceImages) -> ReadSegmentation:
        """Return it with its frames numbered as those of a cine.

        Raises:
            SegcamError: if it does not belong to the cine: it refers to other images, its frames have another size, or
                there are more of them; or if it does not say which frame is which.
        """
        self.refuse_other_size(source.rows, source.columns)
        layout = layout_over(self.name, self._frames, self.referenced_uids, source)
        return self._with(layout)

    def laid_over_frames(self, frame_count: int, rows: int, columns: int) -> ReadSegmentation:
        """Return it for images that are no DICOM files, so that only their size and number can be compared.

        Args:
            frame_count: number of images.
            rows: of each.
            columns: of each.

        Raises:
            SegcamError: if it has masks of another size, or of frames that there are not.
        """
        self.refuse_other_size(rows, columns)
        if self.frame_count > frame_count:
            raise SegcamError(
                f"{self.name} has masks of frame {self.frame_count}, but the image has "
                f"{'one frame' if frame_count == 1 else f'{frame_count} frames'}."
            )
        return self._with(Layout(self._layout.numbers, frame_count))

    def refuse_other_size(self, rows: int, columns: int) -> None:
        """Raise a SegcamError unless frames have this size."""
        if (rows, columns) != (self.rows, self.columns):
            raise SegcamError(
                f"{self.name} has masks of {self.columns}×{self.rows} pixels, but the image has {columns}×{rows}."
            )

    def _with(self, layout: Layout) -> ReadSegmentation:
        return ReadSegmentation(
            self.path, self.facts, self.segments, self._frames, self.referenced_uids, self._values, layout
        )

    def _key(self, segment: int) -> int | None:
        if not any(known.number == segment for known in self.segments):
            raise SegcamError(f"{self.name} has no segment {segment}.")
        return None if self.kind == "labelmap" else segment

    def _plane(self, index: int) -> NDArray[np.unsignedinteger]:
        latest = self._latest
        if latest is None or latest[0] != index:
            latest = (index, self._values(index))
            if self.kind == "labelmap":
                self._check_labels(latest[1])
            self._latest = latest
        return latest[1]

    def _check_labels(self, values: NDArray[np.unsignedinteger]) -> None:
        is_known = np.zeros(2**16, bool)
        is_known[[0, self.facts.padding, *(segment.number for segment in self.segments)]] = True
        unknown = values[~is_known[values]]
        if unknown.size:
            raise SegcamError(f"{self.name} has pixels of segment {unknown[0]}, which it does not describe.")
