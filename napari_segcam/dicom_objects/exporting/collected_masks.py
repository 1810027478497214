"""Collected masks: of the frames of an export, packed, and what a segmentation and a report need of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.exporting.frame_masks import FrameMasks
from napari_segcam.dicom_objects.exporting.options import DicomOptions
from napari_segcam.dicom_objects.findings.measured_mask import MeasuredMask
from napari_segcam.dicom_objects.findings.packed_array import PackedArray
from napari_segcam.dicom_objects.findings.reported_finding import (
    FrameVerdicts,
    Origin,
    ReaderVerdict,
    ReportedFinding,
)
from napari_segcam.dicom_objects.findings.tracking import Track, track
from napari_segcam.dicom_objects.segmentation.segment import Segment
from napari_segcam.dicom_objects.segmentation.writing import labels_of, segmentation
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.reporting.figures import CLASS_COLORS

_MOST_STORED_FRAMES = 20_000  # of a segmentation, which stores each frame once for each segment
_ONE = 255  # the largest fraction that is stored

_FrameAndNumber = tuple[int, int]
_Key = tuple[str, Track | None]  # the class of a segment, and its finding where it is one


class CollectedMasks:
    """The masks of some frames of a cine.

    Args:
        source: the images of the cine.
        options: of the export.
        aspect: height of a pixel divided by its width, used where the cine is not calibrated.
        is_moving: whether neighboring frames show the same scene; in a folder of stills they do not.
    """

    def __init__(
        self, source: SourceImages, options: DicomOptions, *, aspect: float | None = None, is_moving: bool = True
    ) -> None:
        self._source, self._options = source, options
        self._aspect, self._is_moving = aspect, is_moving
        self._measured: dict[int, dict[str, MeasuredMask]] = {}
        self._origins: dict[int, Mapping[str, Origin]] = {}
        self._fractions: dict[int, dict[str, PackedArray]] = {}
        self._verdicts: dict[int, FrameVerdicts] = {}
        self._no_probability: dict[int, str] = {}
        self._tracks: dict[str, dict[_FrameAndNumber, Track]] | None = None

    def __len__(self) -> int:
        return len(self._measured)

    def __contains__(self, number: int) -> bool:
        return number in self._measured

    @property
    def frames(self) -> list[int]:
        """Numbers of the frames, in order."""
        return sorted(self._measured)

    @property
    def classes(self) -> list[str]:
        """Names of the classes: the network's in its order, then those that only readers drew."""
        names: dict[str, None] = {}
        for number in self.frames:
            names |= dict.fromkeys(self._measured[number])
        return list(names)

    def add(self, number: int, masks: FrameMasks, verdicts: FrameVerdicts | None = None) -> None:
        """Add the masks of a frame, which replace earlier ones of this frame.

        Args:
            number: of the frame in the cine, from 0.
            masks: of the frame.
            verdicts: of a reader.
        """
        self._tracks = None
        self._measured[number] = {
            name: MeasuredMask.of(mask, self._source.spacing_mm, self._aspect, masks.probabilities.get(name))
            for name, mask in masks.masks.items()
        }
        self._origins[number] = dict(masks.origins)
        self._no_probability[number] = masks.no_probability
        self._verdicts[number] = verdicts or FrameVerdicts()
        if self._options.kind == "fractional":
            self._fractions[number] = {
                name: PackedArray.of(_fraction(mask, masks.origins[name], masks.probabilities.get(name)))
                for name, mask in masks.masks.items()
            }

    # What is written

    def segmentation(self, algorithm: Algorithm | None) -> FileDataset:
        """Return the masks as a segmentation, of the kind and with the segments that the options ask for.

        Raises:
            SegcamError: if it cannot be made.
        """
        by_finding = self._options.segments == "finding"
        keys: list[_Key] = self._tracks_in_order() if by_finding else [(name, None) for name in self.classes]
        if not keys:
            raise SegcamError("There is no finding, so there is no segment for one. Write one for each class.")
        if self._options.kind != "labelmap" and len(keys) * len(self) > _MOST_STORED_FRAMES:
            raise SegcamError(
                f"{len(keys)} segments in {len(self)} frames are too many for a {self._options.kind} segmentation: "
                "write a labelmap, or one segment for each class."
            )
        segments = [self._segment(name, each, place, algorithm) for place, (name, each) in enumerate(keys)]
        planes = ((number, self._planes(number, keys)) for number in self.frames)
        return segmentation(self._source, segments, planes, kind=self._options.kind)  # type: ignore[arg-type]

    def findings(self) -> list[ReportedFinding]:
        """Return the measured findings, class by class, in the order of the frames."""
        found: list[ReportedFinding] = []
        for name in self.classes:
            tracks = self._class_tracks(name)
            for number in self.frames:
                measured = self._measured[number].get(name)
                if measured is not None:
                    found += self._findings_in(number, name, measured, tracks)
        return found

    def examined(self) -> dict[str, list[int]]:
        """Return the numbers of the frames in which each class was looked for."""
        return {name: [number for number in self.frames if name in self._measured[number]] for name in self.classes}

    @property
    def edited_frames(self) -> list[int]:
        """Numbers of the frames that a reader edited."""
        return [
            number for number in self.frames if any(origin != "network" for origin in self._origins[number].values())
        ]

    @property
    def leaves_out(self) -> bool:
        """Whether some findings, the smallest of a frame with many, are not measured and have no segment."""
        return any(measured.words_left_out for masks in self._measured.values() for measured in masks.values())

    # How

    def _findings_in(
        self, number: int, name: str, measured: MeasuredMask, tracks: Mapping[_FrameAndNumber, Track]
    ) -> Iterator[ReportedFinding]:
        verdicts = self._verdicts[number]
        numbers = measured.numbers if verdicts.findings else None
        for place, (finding, size) in enumerate(measured.sizes.items()):
            followed = tracks[number, finding]
            verdict = _verdict_on(finding, numbers, verdicts)
            notes = [followed.note, measured.words_left_out if place == 0 else ""]
            yield ReportedFinding(
                number,
                name,
                finding,
                size,
                followed.identifier,
                followed.uid,
                measured.probabilities.get(finding),
                self._no_probability[number],
                self._origins[number][name],
                verdict,
                tuple(note for note in notes if note),
            )

    def _class_tracks(self, name: str) -> dict[_FrameAndNumber, Track]:
        self._tracks = self._tracks or {}
        if name not in self._tracks:
            frames = (
                (number, self._measured[number][name]) for number in self.frames if name in self._measured[number]
            )
            self._tracks[name] = track(name, frames, lambda: str(generate_uid(prefix=None)), is_moving=self._is_moving)
        return self._tracks[name]

    def _tracks_in_order(self) -> list[_Key]:
        """Return each track once, with its class."""
        by_uid: dict[str, _Key] = {
            one.uid: (name, one) for name in self.classes for one in self._class_tracks(name).values()
        }
        return list(by_uid.values())

    def _segment(self, name: str, followed: Track | None, place: int, algorithm: Algorithm | None) -> Segment:
        frames = self.frames if followed is None else self._frames_of(name, followed)
        origins = {number: self._origins[number][name] for number in frames if name in self._origins[number]}
        edited = tuple(number for number, origin in origins.items() if origin != "network")
        is_readers = algorithm is None or set(origins.values()) == {"reader"}
        return Segment(
            name,
            "MANUAL" if is_readers else "SEMIAUTOMATIC" if edited else "AUTOMATIC",
            None if is_readers else algorithm,
            None if followed is None else followed.number,
            None if followed is None else followed.identifier,
            None if followed is None else followed.uid,
            edited,
            CLASS_COLORS[place % len(CLASS_COLORS)],
        )

    def _frames_of(self, name: str, followed: Track) -> list[int]:
        return [number for (number, _), one in self._class_tracks(name).items() if one.uid == followed.uid]

    def _planes(self, number: int, keys: list[_Key]) -> NDArray[Any]:
        if self._options.kind == "fractional":
            return np.stack([self._fraction(number, name) for name, _ in keys])
        masks = np.stack([self._mask(number, name, followed) for name, followed in keys])
        return labels_of(masks) if self._options.kind == "labelmap" else masks

    def _mask(self, number: int, name: str, followed: Track | None) -> NDArray[np.bool_]:
        measured = self._measured[number].get(name)
        if measured is None:
            return np.zeros((self._source.rows, self._source.columns), np.bool_)
        if followed is None:
            return measured.mask
        tracks = self._class_tracks(name)
        own = [finding for finding in measured.sizes if tracks[number, finding].uid == followed.uid]
        return np.asarray(np.isin(measured.numbers, own))

    def _fraction(self, number: int, name: str) -> NDArray[np.float32]:
        packed = self._fractions[number].get(name)
        if packed is None:
            return np.zeros((self._source.rows, self._source.columns), np.float32)
        return np.asarray(packed.unpack().astype(np.float32) / np.float32(_ONE))


def _fraction(mask: NDArray[np.bool_], origin: Origin, probabilities: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """Return the probability of each pixel in steps of 1/255: 0 or 1 where a reader made the mask."""
    if origin != "network" or probabilities is None:
        return np.asarray(mask.astype(np.uint8) * np.uint8(_ONE))
    return np.rint(np.clip(probabilities, 0, 1) * _ONE).astype(np.uint8)


def _verdict_on(
    finding: int, numbers: NDArray[np.unsignedinteger] | None, verdicts: FrameVerdicts
) -> ReaderVerdict | None:
    """Return the last verdict on a finding, else the one on the mask of the frame."""
    own = None
    for (row, column), verdict in verdicts.findings if numbers is not None else ():
        is_inside = 0 <= row < numbers.shape[0] and 0 <= column < numbers.shape[1]  # type: ignore[union-attr]
        if is_inside and int(numbers[row, column]) == finding:  # type: ignore[index]
            own = verdict
    return own or verdicts.mask
