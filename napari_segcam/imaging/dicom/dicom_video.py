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

from napari_segcam.imaging.dicom.calibration import aspect_of, frame_rate_of, spacing_of, tissue_region_of
from napari_segcam.imaging.dicom.dicom_cine import HEADER_KEYWORDS, dicom_errors, pixel_element
from napari_segcam.imaging.dicom.frame_positions import FrameSpans, locate_stream
from napari_segcam.imaging.dicom.header import read_header
from napari_segcam.imaging.file_kind import HEAD_LENGTH, video_format
from napari_segcam.imaging.video.video_cine import VideoCine


class DicomVideoCine(VideoCine):
    """Cine of the video in a DICOM file, decoded frame by frame like other videos.

    The calibration in the header counts as in other DICOM files, except for regions and spacings if the header's frame
    size is not the video's. The number of frames in the header is often wrong and is ignored.

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
    """Spans of a file, joined, as a file.

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
        """Read bytes of one span, which may be fewer than ``size``; none at the end."""
        number = bisect_right(self._ends, self._position)
        if number == len(self._spans):
            return b""
        remaining = self._ends[number] - self._position
        self._file.seek(self._spans[number].end - remaining)
        data = self._file.read(remaining if size < 0 else min(size, remaining))
        self._position += len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


def _open_stream(path: Path, spans: FrameSpans, syntax: UID) -> InputContainer:
    stream = SpansFile(path, spans)
    kind = video_format(stream.read(HEAD_LENGTH)) or _bare_format(syntax)
    stream.seek(0)
    return av.open(stream, "r", format=kind)


def _bare_format(syntax: UID) -> str:
    """Return FFmpeg's name of a stream without a container, from its transfer syntax (PS3.6, table A-1)."""
    number = int(syntax.split(".")[7])
    return "mpegvideo" if number < 102 else "h264" if number < 107 else "hevc"
