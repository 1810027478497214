"""A cine that is still on its way: each frame can be read as soon as its bytes are there."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.files import replace_file
from napari_segcam.imaging.cine import Cine, Frame, name_of
from napari_segcam.imaging.dicom.dicom_cine import (
    HEADER_KEYWORDS,
    DicomCine,
    dicom_errors,
    locate_frames,
    pixel_element,
)
from napari_segcam.imaging.dicom.frame_positions import FramePositions
from napari_segcam.imaging.dicom.header import read_header


class NotArrivedError(SegcamError):
    """A frame is not there yet."""


@dataclass(frozen=True)
class Arrival:
    """How far an instance has come.

    Attributes:
        cine: its frames; None until the first one is complete. The same object each time.
        frames: how many can be read.
        total: how many there will be; None if that is not known yet.
        received: bytes.
        path: the whole file; None until all is there.
    """

    cine: Cine | None
    frames: int
    total: int | None
    received: int
    path: Path | None = None


class ArrivingCine(DicomCine):
    """Cine of a DICOM file that grows.

    Its length is the number of frames in the header; a frame that is not there yet raises a NotArrivedError at once.
    When all is there, it reads the whole file, and is the same as the cine of that file.

    Args:
        part: the growing file, with at least one whole frame.
        path: of the file when it is complete.

    Raises:
        SegcamError: if no frame is complete, or the file cannot be read here.
    """

    def __init__(self, part: Path, path: Path) -> None:
        self._lock = threading.Lock()  # the file is not renamed while a frame is read
        self._promised: int | None = None
        self._failure: str | None = None
        self._is_complete = False
        super().__init__(part)
        self.name = name_of(path)

    @property
    def arrived(self) -> int:
        """How many frames can be read."""
        return len(self._spans)

    @property
    def is_complete(self) -> bool:
        return self._is_complete

    def has(self, index: int) -> bool:
        """Whether a frame can be read."""
        return index < len(self._spans)

    def grow(self) -> int:
        """Look for more frames in the file, and return how many can be read."""
        spans = self._located().spans
        if len(spans) > len(self._spans):
            self._spans = spans
        return len(self._spans)

    def complete(self, path: Path) -> None:
        """Move the file to its final place: all is there.

        Raises:
            SegcamError: if it cannot be moved, or what came is no complete cine.
        """
        with self._lock:
            self._promised = None
            located = self._located()
            self._spans = located.spans
            if located.note and located.note not in self._notes:  # the server's own file is cut short
                self.notes = (located.note, *self._notes)
            replace_file(self.path, path)
            self.path = path
        self._is_complete = True
        for estimated in ("_spread", "black_and_white"):  # from the first frames; now from all
            self.__dict__.pop(estimated, None)

    def fail(self, reason: str) -> None:
        """Read no more frames: the file goes away, for a reason in words."""
        with self._lock:
            self._failure = reason

    def __len__(self) -> int:
        return self._promised or len(self._spans)

    def _located(self) -> FramePositions:
        with dicom_errors(self.path), self.path.open("rb") as file:
            header = read_header(file, HEADER_KEYWORDS)
            _, pixels = pixel_element(file, header)
            return locate_frames(file, header, pixels)[0]

    def _note_on_count(self, located: FramePositions) -> str | None:
        self._promised = located.promised
        return None if located.promised is not None and len(located.spans) < located.promised else located.note

    def _read(self, index: int) -> Frame:
        with self._lock:
            if self._failure is not None:
                raise SegcamError(f"Frame {index} of {self.name} is not there: {self._failure}")
            if index >= len(self._spans):
                raise NotArrivedError(
                    f"Frame {index} of {self.name} has not come yet: {len(self._spans)} of {len(self)} are here."
                )
            return super()._read(index)
