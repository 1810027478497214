"""One place in a video from which its frames are decoded: onward a frame at a time, elsewhere from a start before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from napari_segcam.imaging.cine import Frame
from napari_segcam.imaging.video.frame_index import (
    FrameIndex,
    OpenContainer,
    Place,
    decoded,
    stored_packets,
    video_stream,
)

# What is kept of the frames decoded last, for stepping back: some 50 of 1024 × 768 pixels.
_KEPT_BYTES = 64_000_000


class VideoReader:
    """Reads single frames of a video, for one thread at a time.

    The file is opened at the first frame asked for, and stays open.

    Args:
        open_container: opens the video.
        index: of its frames.
    """

    def __init__(self, open_container: OpenContainer, index: FrameIndex) -> None:
        self._open_container = open_container
        self._index = index
        self._container: InputContainer | None = None
        self._upcoming: Iterator[tuple[int, VideoFrame]] = iter(())
        self._last = -1  # the frame decoded last
        self._kept: OrderedDict[int, VideoFrame] = OrderedDict()
        self._kept_bytes = 0
        self._reformatter = VideoReformatter()

    def steps_to(self, frame: int) -> int | None:
        """How many frames have to be decoded to get to a frame, None if it takes a jump."""
        if frame in self._kept:
            return 0
        return frame - self._last if self._is_ahead(frame) else None

    def read(self, frame: int) -> VideoFrame:
        """A frame as it is stored.

        Raises:
            LookupError: if it cannot be decoded.
            OSError: if the file can no longer be read.
        """
        if frame in self._kept:
            return self._kept[frame]
        if self._is_ahead(frame) and (found := self._advance(frame)) is not None:
            return found
        # A start may promise too much, where the picture is renewed piece by piece: then one before it has to serve.
        nearest = self._index.start_before(frame)
        for start in sorted({nearest, max(0, nearest - 1), 0}, reverse=True):
            self._jump(*self._index.starts[start])
            if (found := self._advance(frame)) is not None:
                return found
        raise LookupError(f"no frame {frame} comes out of the decoder")

    def pixels(self, frame: VideoFrame, pixel_format: str) -> Frame:
        """The pixels of a frame, turned upright: ``(Y, X)`` for the format ``gray``, ``(Y, X, 3)`` for ``rgb24``."""
        pixels = self._reformatter.reformat(frame, format=pixel_format).to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))

    def _is_ahead(self, frame: int) -> bool:
        """Whether decoding on is the way to a frame: no start lies in between."""
        return 0 <= self._last < frame and self._index.starts[self._index.start_before(frame)][0] <= self._last + 1

    def _advance(self, frame: int) -> VideoFrame | None:
        """Decode on up to a frame, None if it does not come."""
        for number, given in self._upcoming:
            self._last = number
            self._keep(number, given)
            if number >= frame:
                break
        return self._kept.get(frame)

    def _jump(self, first: int, start: int) -> None:
        """Go to a packet, to decode from there; frames before the first that then comes out right are left out."""
        self._last = -1
        container = self._container
        packets = None if container is None else self._sought(container, start)
        if container is None or packets is None:
            if container is not None:
                container.close()
            self._container = container = self._open_container()
            packets = enumerate(stored_packets(container))
        frames = {packet: frame for packet, frame in self._index.frames.items() if frame >= first}
        wanted = ((number, packet) for number, packet in packets if number >= start)
        self._upcoming = (
            (frames[number], frame) for number, frame in decoded(wanted, video_stream(container)) if number in frames
        )

    def _sought(self, container: InputContainer, start: int) -> Iterator[tuple[int, Packet]] | None:
        """Packets from the given one or one before it, None if it is not sure where a search led."""
        time = self._index.places[start].time
        if time is None:
            return None
        with suppress(FFmpegError):
            container.seek(time, stream=video_stream(container))
            packets = stored_packets(container)
            first = next(packets, None)
            number = None if first is None else self._index.packets.get(Place.of(first))
            if first is not None and number is not None and number <= start:
                return enumerate(chain((first,), packets), number)
        return None

    def _keep(self, number: int, frame: VideoFrame) -> None:
        if number in self._kept:
            return
        self._kept[number] = frame
        self._kept_bytes += _bytes_of(frame)
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= _bytes_of(oldest)


def _bytes_of(frame: VideoFrame) -> int:
    return sum(plane.buffer_size for plane in frame.planes)
