"""Video files as lazy cines, with PyAV."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame

from napari_segcam.budget import FRAME_PIXELS, refuse_large_frame
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.cine import Cine, Frame, name_of
from napari_segcam.imaging.file_kind import read_head, video_format
from napari_segcam.imaging.plausibility import is_possible_aspect
from napari_segcam.imaging.video.frame_index import OpenContainer, index_frames, video_stream
from napari_segcam.imaging.video.truncation import find_truncation
from napari_segcam.imaging.video.video_reader import VideoReader

# One for the frame in view, and one for the frames computed at the same time, elsewhere in the clip.
_READERS = 2


class VideoCine(Cine):
    """Cine of the frames that a decoder returns for a video, each of which can be read alone.

    Color frames are RGB, and so are gray scenes in a color format, since other frames may have color; a gray format
    gives gray. All are uint8: samples of more bits are scaled down. Rotation and pixel aspect in the file are applied.

    Opening reads the file once, usually without decoding it. The next frame costs one decode; a jump costs as many as
    there are frames from the key frame before. A limited number of frames is cached for stepping back, and the file
    stays open after the first read.

    Args:
        path: the file of the video.
        open_container: opens its video.

    Raises:
        SegcamError: if no video can be read.
    """

    path: Path

    def __init__(self, path: Path, open_container: OpenContainer) -> None:
        self.name = name_of(path)
        self.path = path
        open_container = partial(_within_budget, path.name, open_container)
        try:
            index = index_frames(open_container)
            first = VideoReader(open_container, index)
            frame = first.read(0)
            self.stated_aspect = _pixel_aspect(open_container, is_on_its_side=frame.rotation % 180 != 0)
        except (FFmpegError, OSError, ValueError, LookupError) as error:
            raise SegcamError(f"{path.name} cannot be read as a video: {error_text(error)}.") from error
        self._pixel_format = "gray" if _is_gray(frame) else "rgb24"
        self._length = len(index.frames)
        self._idle = [first, *(VideoReader(open_container, index) for _ in range(_READERS - 1))]
        self._returned = threading.Condition()
        self.frame_shape = first.pixels(frame, self._pixel_format).shape
        self.dtype = np.dtype(np.uint8)
        self.frame_rate = index.frame_rate

    def __len__(self) -> int:
        return self._length

    def drop_from(self, frame: int) -> None:
        """Drop an incomplete frame and those after it."""
        self._length = min(self._length, frame)

    def _read(self, index: int) -> Frame:
        reader = self._take_reader(index)
        try:
            pixels = reader.pixels(reader.read(index), self._pixel_format)
        except (FFmpegError, OSError, LookupError) as error:
            raise SegcamError(
                f"Frame {index} of {self.path.name} cannot be decoded: {error_text(error)}. The file may be damaged."
            ) from error
        finally:
            with self._returned:
                self._idle.append(reader)
                self._returned.notify()
        if pixels.shape != self.frame_shape:
            raise SegcamError(
                f"Frame {index} of {self.path.name} has the shape {pixels.shape}, but the first one {self.frame_shape}."
            )
        return pixels

    def _take_reader(self, index: int) -> VideoReader:
        """Return the idle reader that is nearest before a frame, else the one that has been idle longest."""
        with self._returned:
            self._returned.wait_for(lambda: self._idle)
            steps = [reader.steps_to(index) for reader in self._idle]
            ahead = [number for number, count in enumerate(steps) if count is not None]
            return self._idle.pop(min(ahead, key=lambda number: steps[number] or 0, default=0))


def open_video(path: Path) -> VideoCine:
    """Open a video file: AVI, MP4, MOV, Matroska, WebM, MPEG, Windows Media or GIF.

    Raises:
        SegcamError: if no video can be read from it.
    """
    # The format is fixed, not guessed, which excludes formats that load parts from elsewhere.
    open_container = partial(av.open, f"file:{path}", "r", format=video_format(read_head(path)))
    try:
        truncation = find_truncation(path)
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
    try:
        cine = VideoCine(path, open_container)
    except SegcamError as error:
        raise error if truncation is None else SegcamError(f"{error} {truncation.in_words}") from error
    if truncation is not None:
        if truncation.complete_frames is not None:
            cine.drop_from(max(1, truncation.complete_frames))
        promised = _promised_frames(open_container)
        total = f" of about {promised}" if truncation.stated_size is not None and promised > len(cine) else ""
        cine.notes = (f"{truncation.in_words} {len(cine)}{total} frames can be read.",)
    if (videos := _count_videos(open_container)) > 1:
        cine.notes = (*cine._notes, f"The file holds {videos} videos: only one is read.")
    return cine


def _count_videos(open_container: OpenContainer) -> int:
    """Return the number of videos in a file, without a cover or preview."""
    with open_container() as container:
        return sum(not stream.disposition & Disposition.attached_pic for stream in container.streams.video)


def _pixel_aspect(open_container: OpenContainer, *, is_on_its_side: bool) -> float | None:
    """Return the height of a displayed pixel divided by its width, from the container or the codec; None if unknown."""
    with open_container() as container:
        ratio = video_stream(container).sample_aspect_ratio
    if not ratio:
        return None
    aspect = float(ratio if is_on_its_side else 1 / ratio)  # a video gives width by height
    return aspect if is_possible_aspect(aspect) else None


def _promised_frames(open_container: OpenContainer) -> int:
    """Return the stated number of frames, from their number or the duration; 0 if neither is known."""
    with open_container() as container:
        stream = video_stream(container)
        seconds = (container.duration or 0) / av.time_base
        return stream.frames or round(seconds * float(stream.average_rate or 0))


def _within_budget(name: str, open_container: OpenContainer) -> InputContainer:
    """Open a video, with a decoder that refuses too large frames, even if a later one is larger than the first.

    Raises:
        SegcamError: if the stated frame size is too large.
    """
    container = open_container()
    for stream in container.streams.video:
        refuse_large_frame(name, (stream.codec_context.height, stream.codec_context.width), frames=stream.frames)
        stream.codec_context.options = {"max_pixels": str(FRAME_PIXELS)}
    return container


def _is_gray(frame: VideoFrame) -> bool:
    if frame.format.has_palette:
        colors = frame.to_ndarray(format="rgb24")
        return bool((colors == colors[..., :1]).all())
    return sum(not component.is_alpha for component in frame.format.components) == 1
