"""Frame index: the packet of each frame of a video, from one pass over the file, if possible without decoding it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from napari_segcam.budget import FRAMES

_ROUNDING = 0.05

OpenContainer = Callable[[], InputContainer]


class PacketId(NamedTuple):
    """Identity of a packet in its file: its presentation time, its first byte and its length."""

    time: int | None
    byte: int | None
    size: int

    @classmethod
    def of(cls, packet: Packet) -> PacketId:
        return cls(packet.pts, packet.pos, packet.size)


@dataclass(frozen=True)
class FrameIndex:
    """Frames counted in the order shown, packets in the order stored: B-frames make the two differ.

    Attributes:
        frames: by packet, for the packets that are shown.
        starts: where decoding can begin: the first correct frame, and the packet; ascending.
        ids: of the packets.
        packets: by id, for ids of only one packet.
        frame_rate: frames per second, averaged over the clip, None if unknown.
    """

    frames: dict[int, int]
    starts: tuple[tuple[int, int], ...]
    ids: tuple[PacketId, ...]
    packets: dict[PacketId, int]
    frame_rate: float | None

    def start_before(self, frame: int) -> int:
        """Return the index of the nearest of the ``starts`` before a frame."""
        return max(0, bisect_right(self.starts, frame, key=lambda start: start[0]) - 1)


class _Stored(NamedTuple):
    id: PacketId
    is_start: bool
    is_hidden: bool
    is_cut_short: bool


def video_stream(container: InputContainer) -> VideoStream:
    """Return the video stream of a file that players show.

    Raises:
        ValueError: if there is none.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        raise ValueError("it holds no video, or the file is cut short")
    return stream


def stored_packets(container: InputContainer) -> Iterator[Packet]:
    """Yield the packets from the current position to the end of the file, or to where it is damaged."""
    try:
        for packet in container.demux(video_stream(container)):
            if packet.size:  # an empty one repeats the frame before, or ends the stream
                yield packet
    except FFmpegError:
        return


def decode(packets: Iterable[tuple[int, Packet]], stream: VideoStream) -> Iterator[tuple[int, VideoFrame]]:
    """Decode numbered packets: the frames in the order shown, each with the number of its packet."""
    for number, packet in packets:
        # A decoder copies a packet's time to its frame without using it, so it can carry the number.
        packet.pts = packet.dts = number
        try:
            frames = stream.codec_context.decode(packet)
        except FFmpegError:  # a damaged packet; those around it may be whole
            continue
        yield from ((frame.pts, frame) for frame in frames if frame.pts is not None)
    try:
        rest = stream.codec_context.decode(None)
    except FFmpegError:
        return
    yield from ((frame.pts, frame) for frame in rest if frame.pts is not None)


def index_frames(open_container: OpenContainer) -> FrameIndex:
    """Index the frames of a video.

    If the file gives the presentation time of each packet, only the first frame is decoded. Other files, such as H.264
    in AVI or a bare stream, are decoded once from end to end, as only the decoder knows the order.

    Raises:
        ValueError: if the file holds no video, or no frame that can be decoded.
    """
    with open_container() as container:
        stream = video_stream(container)
        packets = [
            _Stored(PacketId.of(packet), packet.is_keyframe, packet.is_discard, packet.is_corrupt)
            for packet in islice(stored_packets(container), FRAMES + 1)
        ]
        if len(packets) > FRAMES:
            raise ValueError(f"it holds more than the limit of {FRAMES:,} frames")
        has_times = _has_times(container, stream, packets)
        stated_rate, time_base = stream.average_rate, stream.time_base
    if packets and packets[-1].is_cut_short:
        packets.pop()
    with open_container() as container:
        numbered = zip(range(len(packets)), stored_packets(container), strict=False)
        decoded = (number for number, _ in decode(numbered, video_stream(container)))
        shown, times = _order_by_time(packets, decoded) if has_times else _order_of_decoder(decoded)
    if not shown:
        raise ValueError("it holds no frame that can be decoded")

    times_shown = [times[number] for number in shown]
    seconds = [float(time * time_base) for time in times_shown] if has_times and time_base else []
    starts = {
        (bisect_left(times_shown, times[number]), number)
        for number, packet in enumerate(packets)
        if packet.is_start and number in times
    }
    ids = tuple(packet.id for packet in packets)
    occurrences = Counter(ids)
    return FrameIndex(
        frames={number: frame for frame, number in enumerate(shown)},
        starts=tuple(sorted(starts | {(0, 0)})),
        ids=ids,
        packets={id: number for number, id in enumerate(ids) if occurrences[id] == 1},
        frame_rate=_frame_rate(stated_rate, seconds) if len(shown) > 1 else None,
    )


def _has_times(container: InputContainer, stream: VideoStream, packets: list[_Stored]) -> bool:
    """Whether the packets have the times of their frames."""
    times = {packet.id.time for packet in packets}
    if None in times or len(times) < len(packets):
        return False
    # AVI only counts packets, so the times of frames out of order are only guessed.
    guessed = stream.codec_context.has_b_frames or stream.codec_context.name in ("h264", "hevc")
    return not (container.format.name == "avi" and guessed)


def _order_by_time(packets: list[_Stored], decoded: Iterator[int]) -> tuple[list[int], dict[int, int]]:
    """Return the packets in the order shown, and the times of all, from the file."""
    times = {number: packet.id.time for number, packet in enumerate(packets) if packet.id.time is not None}
    first = next(decoded, None)
    if first is None:
        return [], times
    # A clip cut out of a longer one may begin with frames that depend on missing ones: decoders skip them.
    shown = [number for number in times if not packets[number].is_hidden and times[number] >= times[first]]
    return sorted(shown, key=times.__getitem__), times


def _order_of_decoder(decoded: Iterator[int]) -> tuple[list[int], dict[int, int]]:
    """Return the packets in the order in which the decoder returns their frames, with this order as their times."""
    shown = list(dict.fromkeys(decoded))
    return shown, {number: time for time, number in enumerate(shown)}


def _frame_rate(stated: Fraction | None, seconds: list[float]) -> float | None:
    """Return frames per second as stated in the file, unless the times of its frames differ."""
    if len(seconds) < 2:
        return float(stated) if stated else None
    measured = (len(seconds) - 1) / (seconds[-1] - seconds[0])
    # Times are often rounded to milliseconds, and some writers state a wrong rate.
    return float(stated) if stated and abs(stated / measured - 1) < _ROUNDING else measured
