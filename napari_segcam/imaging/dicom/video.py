"""DICOM files whose pixel data are a video: MPEG-2, H.264 or HEVC."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from functools import partial
from itertools import accumulate
from pathlib import Path

import av
from av.container import InputContainer
from pydicom.uid import UID

from napari_segcam.imaging.dicom.dicom_cine import HEADER_KEYWORDS, dicom_errors, pixel_element
from napari_segcam.imaging.dicom.frame_positions import FrameSpans, locate_stream
from napari_segcam.imaging.dicom.header import aspect_of, frame_rate_of, spacing_of, tissue_region_of
from napari_segcam.imaging.dicom.header_reading import read_header
from napari_segcam.imaging.file_kind import HEAD_LENGTH, video_format
from napari_segcam.imaging.video.video_cine import VideoCine


class DicomVideoCine(VideoCine):
    """The video in a DICOM file, which the video's own decoder reads frame by frame.

    What the header says of time and space counts as in other DICOM files, except that places and distances in frames of
    another size than the video's do not. The header's number of frames, often wrong, does not count either.

    Raises:
        SegcamError: if the file is damaged or its video cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with dicom_errors(path), path.open("rb") as file:
            header = read_header(file, HEADER_KEYWORDS)
            _, pixels = pixel_element(file, header)
            spans = locate_stream(file, pixels.offset, os.fstat(file.fileno()).st_size)
            syntax = header.file_meta.TransferSyntaxUID
            super().__init__(path, partial(_open_stream, path, spans, syntax))
            notes: list[str] = []
            self.frame_rate = frame_rate_of(header, notes) or self.frame_rate
            if (header.get("Rows"), header.get("Columns")) == self.frame_shape[:2]:
                self.spacing_mm = spacing_of(header, notes)
                self.region = tissue_region_of(header)
                self.stated_aspect = aspect_of(header) or self.stated_aspect
            self.notes = notes


class SpansFile(io.RawIOBase):
    """The given spans of a file, one behind another, as a file of their own.

    Args:
        path: the file.
        spans: at least one.
    """

    def __init__(self, path: Path, spans: FrameSpans) -> None:
        self._file = path.open("rb")
        self._spans = spans
        self._ends = list(accumulate(span.length for span in spans))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._ends[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Bytes of one span, so that there may be fewer than asked for; none at the end."""
        at = bisect_right(self._ends, self._position)
        if at == len(self._spans):
            return b""
        left = self._ends[at] - self._position
        self._file.seek(self._spans[at].end - left)
        found = self._file.read(left if size < 0 else min(size, left))
        self._position += len(found)
        return found

    def close(self) -> None:
        self._file.close()
        super().close()


def _open_stream(path: Path, spans: FrameSpans, syntax: UID) -> InputContainer:
    stream = SpansFile(path, spans)
    kind = video_format(stream.read(HEAD_LENGTH)) or _bare_format(syntax)
    stream.seek(0)
    return av.open(stream, "r", format=kind)


def _bare_format(syntax: UID) -> str:
    """FFmpeg's name for a stream without a container, by the number of its transfer syntax (PS3.6, table A-1)."""
    number = int(syntax.split(".")[7])
    return "mpegvideo" if number < 102 else "h264" if number < 107 else "hevc"
