"""Video files as lazy cines, through PyAV."""

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
from napari_segcam.imaging.video.truncation import find_cut
from napari_segcam.imaging.video.video_reader import VideoReader

# One for the frame that is looked at and one for the frames computed meanwhile, elsewhere in the clip.
_READERS = 2


class VideoCine(Cine):
    """The frames of a video: those that a decoder gives from beginning to end, each read by itself.

    Color frames are RGB, and so are gray scenes in a color format, since any other frame may hold color; a gray
    format gives gray. All are uint8: samples of more bits are scaled down. Frames are turned as a rotation in the
    file says, and their pixels have the shape that it gives them.

    Opening reads the file once, as a rule without decoding it. The next frame costs one decode, a jump as many as lie
    between the frame and the key frame before it. A bounded number of frames is kept for stepping back, and the
    file stays open once a frame was read.

    Args:
        path: the file that holds the video.
        open_container: opens the video in it.

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

    def leave_out_from(self, frame: int) -> None:
        """Leave out a frame that is not whole, and those after it."""
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
        """The reader that is nearest before a frame, else the one that has rested longest."""
        with self._returned:
            self._returned.wait_for(lambda: self._idle)
            steps = [reader.steps_to(index) for reader in self._idle]
            near = [at for at, count in enumerate(steps) if count is not None]
            return self._idle.pop(min(near, key=lambda at: steps[at] or 0, default=0))


def open_video(path: Path) -> VideoCine:
    """Open a video file: AVI, MP4, MOV, Matroska, WebM, MPEG, Windows Media or GIF.

    Raises:
        SegcamError: if no video can be read from it.
    """
    # The format is given, not guessed: formats that fetch their parts from elsewhere stay out.
    open_container = partial(av.open, f"file:{path}", "r", format=video_format(read_head(path)))
    try:
        cut = find_cut(path)
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
    try:
        cine = VideoCine(path, open_container)
    except SegcamError as error:
        raise error if cut is None else SegcamError(f"{error} {cut.in_words}") from error
    if cut is not None:
        if cut.whole_frames is not None:
            cine.leave_out_from(max(1, cut.whole_frames))
        promised = _promised_frames(open_container)
        of_all = f" of about {promised}" if cut.whole is not None and promised > len(cine) else ""
        cine.notes = (f"{cut.in_words} {len(cine)}{of_all} frames can be read.",)
    if (videos := _videos_in(open_container)) > 1:
        cine.notes = (*cine._notes, f"The file holds {videos} videos: only one is read.")
    return cine


def _videos_in(open_container: OpenContainer) -> int:
    """How many moving pictures a file holds, without a cover or preview."""
    with open_container() as container:
        return sum(not stream.disposition & Disposition.attached_pic for stream in container.streams.video)


def _pixel_aspect(open_container: OpenContainer, *, is_on_its_side: bool) -> float | None:
    """Height of a shown pixel by its width, as the container or the codec gives it; None where neither does."""
    with open_container() as container:
        ratio = video_stream(container).sample_aspect_ratio
    if not ratio:
        return None
    aspect = float(ratio if is_on_its_side else 1 / ratio)  # a video gives width by height
    return aspect if is_possible_aspect(aspect) else None


def _promised_frames(open_container: OpenContainer) -> int:
    """How many frames a file says it has, by its number of frames or its length in time; 0 if by neither."""
    with open_container() as container:
        stream = video_stream(container)
        seconds = (container.duration or 0) / av.time_base
        return stream.frames or round(seconds * float(stream.average_rate or 0))


def _within_budget(name: str, open_container: OpenContainer) -> InputContainer:
    """Open a video whose decoder refuses frames that are too large, also where a later one is larger than the first.

    Raises:
        SegcamError: if the file says that they are.
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
