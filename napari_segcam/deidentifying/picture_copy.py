"""A copy of a still or a video that is no DICOM file: its pixels alone, in a file without metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from napari_segcam.deidentifying.dicom_header import refused_errors
from napari_segcam.deidentifying.new_files import new_file
from napari_segcam.deidentifying.options import DeidentifyOptions
from napari_segcam.deidentifying.pixels.blanking import blanked
from napari_segcam.deidentifying.pixels.burned_in_search import find_burned_in
from napari_segcam.deidentifying.pixels.kept_region import KeptRegion
from napari_segcam.deidentifying.records import CopyRecord
from napari_segcam.deidentifying.refusals import WRONG_KIND, RefusedError, StoppedError
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.file_kind import FileKind
from napari_segcam.imaging.opening import open_cine
from napari_segcam.optional import needed

STILL, VIDEO = ".png", ".mkv"
_USUAL_RATE = 25.0
_LARGEST_DENOMINATOR = 65535


def copy_picture(
    path: Path,
    kind: FileKind,
    options: DeidentifyOptions,
    place: Callable[[str], Path],
    record: CopyRecord,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Write the pixels of a still as PNG, those of a video as FFV1 in Matroska, both lossless; return the path.

    Args:
        path: of the file.
        kind: of the file.
        options: of the run.
        place: returns where the copy goes, from its suffix.
        record: gets what was done.
        cancelled: returns whether to stop.

    Raises:
        RefusedError: if there can be no copy.
    """
    if kind not in (FileKind.STILL, FileKind.TIFF, FileKind.VIDEO):
        raise RefusedError(
            f"{path.name} is a research file, whose header is not cleaned: only DICOM files, stills and videos are "
            "de-identified.",
            WRONG_KIND,
        )
    with refused_errors(path):
        cine = open_cine(path)
        is_video = len(cine) > 1
        black = _black(path, cine, is_video)
        region = KeptRegion.of(options.region, cine)
        found = find_burned_in(cine, region.crop, cancelled)
    record.kind = "video" if is_video else "still"
    record.frames, record.region, record.burned_in = len(cine), region.words, found.words
    record.entries.add("", "", "", "removed", "all metadata of the file")
    if region.crop is not None:
        record.entries.add("", "pixels", "", "blanked", "outside the region")
    if cine.spacing_mm is not None:
        record.notes.append("The pixel spacing of the file is not in the copy.")
    target = place(VIDEO if is_video else STILL)
    with new_file(target) as temporary, refused_errors(path, reading=False):
        frames = (_checked(blanked(cine[index], region.crop, black), cancelled) for index in range(len(cine)))
        if is_video:
            record.pixels = "the decoded pixels are stored lossless (FFV1)"
            if cine.frame_rate is None:
                record.notes.append(f"The frame rate is unknown: the copy has {_USUAL_RATE:g} frames per second.")
            _write_video(temporary, frames, cine)
        else:
            record.pixels = "the decoded pixels are stored lossless (PNG)"
            Image.fromarray(next(frames)).save(temporary, "PNG")
    return target


def _black(path: Path, cine: Cine, is_video: bool) -> tuple[int, int, int]:
    """Return the value of black, after a check that the pixels can be written.

    Raises:
        RefusedError: if they cannot.
    """
    is_gray = len(cine.frame_shape) == 2
    if cine.dtype == np.uint8 or (cine.dtype == np.uint16 and is_gray and not is_video):
        low, high = cine.value_range
        return (round(low),) * 3 if is_gray and 0 <= low <= high <= np.iinfo(cine.dtype).max else (0, 0, 0)
    raise RefusedError(
        f"{path.name} has pixels of the type {cine.dtype}{' in several frames' if is_video else ''}, which PNG and "
        "video files cannot hold. Save it as DICOM, or as 8-bit images.",
        WRONG_KIND,
    )


def _checked(frame: np.ndarray, cancelled: Callable[[], bool]) -> np.ndarray:
    if cancelled():
        raise StoppedError("Stopped.")
    return frame


def _write_video(path: Path, frames: Iterator[np.ndarray], cine: Cine) -> None:
    needed("av", "Videos are written through FFmpeg", extra="video")
    import av
    from av.error import FFmpegError
    from av.video.frame import VideoFrame

    is_gray = len(cine.frame_shape) == 2
    rate = Fraction(cine.frame_rate or _USUAL_RATE).limit_denominator(_LARGEST_DENOMINATOR)
    try:
        with av.open(str(path), "w", format="matroska") as container:
            stream = container.add_stream("ffv1", rate=rate)
            stream.height, stream.width = cine.frame_shape[:2]
            stream.pix_fmt = "gray" if is_gray else "bgr0"
            for frame in frames:
                picture = VideoFrame.from_ndarray(frame, format="gray" if is_gray else "rgb24")
                container.mux(stream.encode(picture.reformat(format=stream.pix_fmt)))
            container.mux(stream.encode(None))
    except FFmpegError as error:
        raise SegcamError(f"{path.name} cannot be written: {error_text(error)}.") from error
