"""Video reader: decodes frames from a position in a video, one after the other or from a start before a frame."""

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
    PacketId,
    decode,
    stored_packets,
    video_stream,
)

# Cache of the frames decoded last, for stepping back: some 50 frames of 1024 × 768 pixels.
_CACHE_BYTES = 64_000_000


class VideoReader:
    """Reads single frames of a video, for one thread at a time.

    The file is opened at the first read, and stays open.

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
        self._cache: OrderedDict[int, VideoFrame] = OrderedDict()
        self._cached_bytes = 0
        self._reformatter = VideoReformatter()

    def steps_to(self, frame: int) -> int | None:
        """Return the number of frames to decode to get to a frame, None if it takes a jump."""
        if frame in self._cache:
            return 0
        return frame - self._last if self._is_ahead(frame) else None

    def read(self, frame: int) -> VideoFrame:
        """Read a frame as it is stored.

        Raises:
            LookupError: if it cannot be decoded.
            OSError: if the file can no longer be read.
        """
        if frame in self._cache:
            return self._cache[frame]
        if self._is_ahead(frame) and (decoded := self._advance(frame)) is not None:
            return decoded
        # A start may be unusable if the image is refreshed piece by piece: then try one before it.
        nearest = self._index.start_before(frame)
        for start in sorted({nearest, max(0, nearest - 1), 0}, reverse=True):
            self._jump(*self._index.starts[start])
            if (decoded := self._advance(frame)) is not None:
                return decoded
        raise LookupError(f"the decoder returns no frame {frame}")

    def pixels(self, frame: VideoFrame, pixel_format: str) -> Frame:
        """Return the pixels of a frame, upright: ``(Y, X)`` for the format ``gray``, ``(Y, X, 3)`` for ``rgb24``."""
        pixels = self._reformatter.reformat(frame, format=pixel_format).to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))

    def _is_ahead(self, frame: int) -> bool:
        """Whether decoding further leads to a frame, without a start in between."""
        return 0 <= self._last < frame and self._index.starts[self._index.start_before(frame)][0] <= self._last + 1

    def _advance(self, frame: int) -> VideoFrame | None:
        """Decode up to a frame, and return it or None."""
        for number, decoded in self._upcoming:
            self._last = number
            self._add_to_cache(number, decoded)
            if number >= frame:
                break
        return self._cache.get(frame)

    def _jump(self, first: int, start: int) -> None:
        """Go to a packet, to decode from there; frames before the first correct one are skipped."""
        self._last = -1
        container = self._container
        packets = None if container is None else self._seek(container, start)
        if container is None or packets is None:
            if container is not None:
                container.close()
            self._container = container = self._open_container()
            packets = enumerate(stored_packets(container))
        frames = {packet: frame for packet, frame in self._index.frames.items() if frame >= first}
        following = ((number, packet) for number, packet in packets if number >= start)
        self._upcoming = (
            (frames[number], frame) for number, frame in decode(following, video_stream(container)) if number in frames
        )

    def _seek(self, container: InputContainer, start: int) -> Iterator[tuple[int, Packet]] | None:
        """Return the packets from a packet or one before it on, None if the new position is not certain."""
        time = self._index.ids[start].time
        if time is None:
            return None
        with suppress(FFmpegError):
            container.seek(time, stream=video_stream(container))
            packets = stored_packets(container)
            first = next(packets, None)
            number = None if first is None else self._index.packets.get(PacketId.of(first))
            if first is not None and number is not None and number <= start:
                return enumerate(chain((first,), packets), number)
        return None

    def _add_to_cache(self, number: int, frame: VideoFrame) -> None:
        if number in self._cache:
            return
        self._cache[number] = frame
        self._cached_bytes += _bytes_of(frame)
        while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= _bytes_of(oldest)


def _bytes_of(frame: VideoFrame) -> int:
    return sum(plane.buffer_size for plane in frame.planes)
