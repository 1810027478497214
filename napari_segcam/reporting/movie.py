"""Movies: pictures in an MP4 file."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import whole_file
from napari_segcam.optional import needed
from napari_segcam.reporting.figures import Picture

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# In order of preference; the first that FFmpeg has is used. H.264 plays everywhere, MPEG-4 part 2 in most players.
_ENCODERS = {"libx264": {"crf": "18"}, "libopenh264": {}, "mpeg4": {"qmin": "2", "qmax": "4"}}
_BIT_RATE = 12_000_000  # for the encoders without a constant quality
_BT_709 = 1
_LARGEST_DENOMINATOR = 65535  # of a frame rate in MPEG-4


def check_movies() -> None:
    """Check that movies can be written.

    Raises:
        SegcamError: if PyAV is not installed.
    """
    needed("av", "Movies are written through FFmpeg")


def write_movie(path: Path, pictures: Iterable[Picture], frame_rate: float) -> Generator[int, None, None]:
    """Write pictures as an MP4 movie: H.264, or MPEG-4 where H.264 is missing; 4:2:0, BT.709.

    Pictures are drawn one at a time and not kept. After each picture the generator yields the number written so far.
    Close the generator to stop early; no file is left then, nor after an exception. Odd heights and widths grow by a
    row or a column, as 4:2:0 needs even ones.

    Args:
        path: of the file.
        pictures: ``(Y, X, 3)``, all of one size.
        frame_rate: in frames per second.

    Raises:
        SegcamError: if there are no pictures, their sizes differ, or the file cannot be written.
    """
    check_movies()
    import av
    from av.error import FFmpegError

    rate = Fraction(frame_rate).limit_denominator(_LARGEST_DENOMINATOR)
    if rate <= 0:
        raise SegcamError(f"The frame rate of a movie must be more than 0, but it is {frame_rate:g}.")
    with whole_file(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
                yield from _encoded(container, pictures, rate, path.name)
        except FFmpegError as error:
            raise SegcamError(f"{path} cannot be written: {error_text(error)}.") from error


def _encoded(
    container: OutputContainer, pictures: Iterable[Picture], rate: Fraction, name: str
) -> Generator[int, None, None]:
    stream: VideoStream | None = None
    shape: tuple[int, ...] = ()
    for count, picture in enumerate(pictures, start=1):
        if stream is None:
            stream, shape = _stream(container, picture.shape, rate), picture.shape
        if picture.shape != shape:
            raise SegcamError(f"The pictures of {name} must be of one size, but there are {shape} and {picture.shape}.")
        container.mux(stream.encode(_video_frame(picture)))
        yield count
    if stream is None:
        raise SegcamError(f"There are no pictures for {name}.")
    container.mux(stream.encode(None))


def _stream(container: OutputContainer, shape: tuple[int, ...], rate: Fraction) -> VideoStream:
    import av

    name = next(name for name in _ENCODERS if name in av.codecs_available)
    stream = cast("VideoStream", container.add_stream(name, rate=rate, options=_ENCODERS[name]))
    stream.height, stream.width = (length + length % 2 for length in shape[:2])
    stream.pix_fmt = "yuv420p"
    if "crf" not in _ENCODERS[name]:
        stream.bit_rate = _BIT_RATE
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT_709
    return stream


def _video_frame(picture: Picture) -> VideoFrame:
    from av.video.frame import VideoFrame
    from av.video.reformatter import Colorspace

    height, width = picture.shape[:2]
    even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
