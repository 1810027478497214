"""Which packet of a video holds which frame, found by reading the file once, without decoding it where that can be."""

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


class Place(NamedTuple):
    """What tells a packet from the others of its file: when it is shown, its first byte, its length."""

    time: int | None
    byte: int | None
    size: int

    @classmethod
    def of(cls, packet: Packet) -> Place:
        return cls(packet.pts, packet.pos, packet.size)


@dataclass(frozen=True)
class FrameIndex:
    """Frames counted in the order shown, packets in the order stored: B-frames make the two differ.

    Attributes:
        frames: by packet, for the packets that are shown.
        starts: where decoding can begin: the first frame that then comes out right, and the packet; ascending.
        places: of the packets.
        packets: by place, for the places that only one packet has.
        frame_rate: frames per second, averaged over the clip, None where unknown.
    """

    frames: dict[int, int]
    starts: tuple[tuple[int, int], ...]
    places: tuple[Place, ...]
    packets: dict[Place, int]
    frame_rate: float | None

    def start_before(self, frame: int) -> int:
        """Which of the ``starts`` is the nearest before a frame."""
        return max(0, bisect_right(self.starts, frame, key=lambda start: start[0]) - 1)


class _Stored(NamedTuple):
    place: Place
    is_start: bool
    is_hidden: bool
    is_cut_short: bool


def video_stream(container: InputContainer) -> VideoStream:
    """The stream of a file that is shown.

    Raises:
        ValueError: if there is none.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        raise ValueError("it holds no moving picture, or the file is cut short")
    return stream


def stored_packets(container: InputContainer) -> Iterator[Packet]:
    """The packets from here on, up to the end of the file or to where it is damaged."""
    try:
        for packet in container.demux(video_stream(container)):
            if packet.size:  # an empty one repeats the frame before, or ends the stream
                yield packet
    except FFmpegError:
        return


def decoded(packets: Iterable[tuple[int, Packet]], stream: VideoStream) -> Iterator[tuple[int, VideoFrame]]:
    """Decode numbered packets: the frames in the order shown, each with the number of the packet it came from."""
    for number, packet in packets:
        # A decoder hands a packet's time on to its frame, but does not look at it: so it can carry the number.
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

    Only the first frame is decoded where the file says when each packet is shown. A file that does not, such as H.264
    in AVI or a bare stream, is decoded once from end to end: nothing but the decoder can tell.

    Raises:
        ValueError: if the file holds no video, or no frame that can be decoded.
    """
    with open_container() as container:
        stream = video_stream(container)
        packets = [
            _Stored(Place.of(packet), packet.is_keyframe, packet.is_discard, packet.is_corrupt)
            for packet in islice(stored_packets(container), FRAMES + 1)
        ]
        if len(packets) > FRAMES:
            raise ValueError(f"it holds more than the {FRAMES:,} frames that are read")
        says_when = _says_when(container, stream, packets)
        stated_rate, time_base = stream.average_rate, stream.time_base
    if packets and packets[-1].is_cut_short:
        packets.pop()
    with open_container() as container:
        numbered = zip(range(len(packets)), stored_packets(container), strict=False)
        given = (number for number, _ in decoded(numbered, video_stream(container)))
        shown, times = _timed_order(packets, given) if says_when else _given_order(given)
    if not shown:
        raise ValueError("it holds no frame that can be decoded")

    times_shown = [times[number] for number in shown]
    seconds = [float(time * time_base) for time in times_shown] if says_when and time_base else []
    starts = {
        (bisect_left(times_shown, times[number]), number)
        for number, packet in enumerate(packets)
        if packet.is_start and number in times
    }
    places = tuple(packet.place for packet in packets)
    occurrences = Counter(places)
    return FrameIndex(
        frames={number: frame for frame, number in enumerate(shown)},
        starts=tuple(sorted(starts | {(0, 0)})),
        places=places,
        packets={place: number for number, place in enumerate(places) if occurrences[place] == 1},
        frame_rate=_frame_rate(stated_rate, seconds) if len(shown) > 1 else None,
    )


def _says_when(container: InputContainer, stream: VideoStream, packets: list[_Stored]) -> bool:
    """Whether the packets' times are those of their frames."""
    times = {packet.place.time for packet in packets}
    if None in times or len(times) < len(packets):
        return False
    # AVI only counts packets, so that the times of frames out of order have to be guessed.
    guessed = stream.codec_context.has_b_frames or stream.codec_context.name in ("h264", "hevc")
    return not (container.format.name == "avi" and guessed)


def _timed_order(packets: list[_Stored], given: Iterator[int]) -> tuple[list[int], dict[int, int]]:
    """The packets in the order shown, and the time of all, as the file says."""
    times = {number: packet.place.time for number, packet in enumerate(packets) if packet.place.time is not None}
    first = next(given, None)
    if first is None:
        return [], times
    # A clip cut out of a longer one may begin with frames that lean on what was cut away: no decoder gives them.
    shown = [number for number in times if not packets[number].is_hidden and times[number] >= times[first]]
    return sorted(shown, key=times.__getitem__), times


def _given_order(given: Iterator[int]) -> tuple[list[int], dict[int, int]]:
    """The packets in the order in which the decoder gives their frames, which serves as their time."""
    shown = list(dict.fromkeys(given))
    return shown, {number: time for time, number in enumerate(shown)}


def _frame_rate(stated: Fraction | None, seconds: list[float]) -> float | None:
    """Frames per second as the file states them, unless the times of its frames say otherwise."""
    if len(seconds) < 2:
        return float(stated) if stated else None
    measured = (len(seconds) - 1) / (seconds[-1] - seconds[0])
    # Times are often rounded to milliseconds, and some writers state a rate that their frames do not keep.
    return float(stated) if stated and abs(stated / measured - 1) < _ROUNDING else measured
