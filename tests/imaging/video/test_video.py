from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.video import video_cine as video
from napari_segcam.imaging.video import video_reader

DATA = Path(__file__).parents[3] / "../shared/data"
T, Y, X = 24, 48, 64
OPEN_GOP = {"x264-params": "keyint=8:open-gop=1:bframes=3:b-adapt=0:scenecut=0"}


def scene(count: int = T) -> np.ndarray:
    """Return different color frames: a box that moves over a brightening background."""
    frames = np.empty((count, Y, X, 3), np.uint8)
    for index, frame in enumerate(frames):
        frame[:] = 60 + 5 * index
        frame[8:24, 2 * index : 2 * index + 12] = 200, 40, 10 * index
    return frames


def write_video(
    path: Path,
    codec: str = "mpeg4",
    *,
    frames: np.ndarray | None = None,
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    **options: str,
) -> Path:
    """Write frames at 25 per second, or at these times in milliseconds."""
    frames = scene() if frames is None else frames
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "8"} | options)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], pixels
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, "gray" if frame.ndim == 2 else "rgb24")
            if times is not None:
                picture.pts, picture.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def rewrite(source: Path, path: Path, change: Callable[[av.Packet], None]) -> Path:
    """Copy the packets of a video to another file, each after ``change``."""
    with av.open(source) as read, av.open(path, "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.size:
                change(packet)
                packet.stream = stream
                written.mux(packet)
    return path


def index_first(path: Path) -> Path:
    """Rewrite an MP4 file with its index before its frames."""
    target = path.with_name("first.mp4")
    with av.open(path) as source, av.open(target, "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return target


def in_sequence(path: Path) -> list[np.ndarray]:
    """Decode all frames from beginning to end."""
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a single reader without a cache, so that every step back is a jump."""
    monkeypatch.setattr(video_reader, "_CACHE_BYTES", 1)
    monkeypatch.setattr(video, "_READERS", 1)


def there_and_back(count: int) -> list[int]:
    jumps = np.random.default_rng(0).integers(0, count, 20).tolist()
    return [*range(count), *reversed(range(count)), *range(0, count, 5), *jumps]


# Frames


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("clip.avi", "mpeg4", {}),
        ("b_frames.avi", "mpeg4", {"bf": "2"}),
        ("untimed.avi", "libx264", OPEN_GOP),  # AVI does not say when a frame is shown
        ("motion_jpeg.avi", "mjpeg", {"pixels": "yuvj420p"}),
        ("b_frames.mp4", "libx264", {"bf": "3"}),
        ("open_gop.mp4", "libx264", OPEN_GOP),
        ("open_gop.mkv", "libx264", OPEN_GOP),
        ("open_gop.ts", "libx264", OPEN_GOP),  # first time stamp far from 0
        ("renewed.mkv", "libx264", {"x264-params": "keyint=8:intra-refresh=1"}),
        ("bare.h264", "libx264", {"bf": "3"}),
        ("clip.mov", "libx265", {"x265-params": "keyint=8:log-level=none"}),
        ("clip.webm", "libvpx-vp9", {}),
        ("clip.mpg", "mpeg2video", {"bf": "2"}),  # several packets at one position in the file
        ("clip.wmv", "wmv2", {}),
        ("clip.gif", "gif", {"pixels": "rgb8"}),
    ],
)
@pytest.mark.usefixtures("forgetful")
def test_any_frame_equals_the_one_decoded_in_sequence(tmp_path: Path, name: str, codec: str, options: Any) -> None:
    if codec.startswith("lib") and codec not in av.codecs_available:
        pytest.skip(f"PyAV was built without {codec} here")
    path = write_video(tmp_path / name, codec, **options)
    expected = in_sequence(path)
    cine = video.VideoCine(path, lambda: av.open(path, "r")) if name == "bare.h264" else open_cine(path)
    assert len(cine) == len(expected) == T
    assert (cine.frame_shape, cine.dtype, cine.value_range) == ((Y, X, 3), np.uint8, (0, 255))
    assert cine.frame_rate == pytest.approx(25)
    assert (cine.spacing_mm, cine.region, cine.name) == (None, None, Path(name).stem)
    for index in there_and_back(T):
        np.testing.assert_array_equal(cine[index], expected[index], err_msg=f"frame {index}")


def test_frames_that_depend_on_skipped_ones_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "clip.mkv", "libx264", **OPEN_GOP)
    expected = in_sequence(path)
    with av.open(path) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    key = [number for number, packet in enumerate(packets) if packet.is_keyframe][1]
    first = sorted(packet.pts for packet in packets).index(packets[key].pts)
    assert packets[key + 1].pts < packets[key].pts
    cine = open_cine(path)
    decode = video_reader.decode

    def with_a_broken_frame(packets: Any, stream: Any) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decoder that begins with a frame shown before the one it starts from."""
        yield key + 1, av.VideoFrame.from_ndarray(np.zeros((Y, X, 3), np.uint8))
        yield from decode(packets, stream)

    monkeypatch.setattr(video_reader, "decode", with_a_broken_frame)
    np.testing.assert_array_equal(cine[first], expected[first])
    monkeypatch.setattr(video_reader, "decode", decode)
    for index in range(first - 3, first):
        np.testing.assert_array_equal(cine[index], expected[index])


def test_frames_at_uneven_times(tmp_path: Path) -> None:
    times = np.cumsum([0, *np.random.default_rng(0).integers(10, 90, T - 1)]).tolist()
    path = write_video(tmp_path / "clip.mkv", "libx264", times=times, bf="2")
    cine = open_cine(path)
    expected = in_sequence(path)
    assert len(cine) == len(expected) == T
    for index in (20, 3, 11, 0, 23):
        np.testing.assert_array_equal(cine[index], expected[index])
    assert cine.frame_rate == pytest.approx(1000 * (T - 1) / times[-1])


@pytest.mark.usefixtures("forgetful")
def test_frames_that_an_edit_hides_are_not_counted(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", "libx264", bf="2")

    def earlier(packet: av.Packet) -> None:
        shift = round(5 / 25 / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift

    path = rewrite(whole, tmp_path / "cut.mp4", earlier)
    expected = in_sequence(path)
    cine = open_cine(path)
    assert len(cine) == len(expected) == T - 5
    for index in there_and_back(T - 5):
        np.testing.assert_array_equal(cine[index], expected[index])
    np.testing.assert_array_equal(cine[0], in_sequence(whole)[5])


@pytest.mark.usefixtures("forgetful")
def test_a_clip_that_begins_with_frames_of_an_open_group_skips_them(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.ts", "libx264", **OPEN_GOP)
    with av.open(whole) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    second_key = [number for number, packet in enumerate(packets) if packet.is_keyframe][1]
    path = tmp_path / "cut.ts"
    path.write_bytes(whole.read_bytes()[: packets[0].pos] + whole.read_bytes()[packets[second_key].pos :])
    expected = in_sequence(path)
    cine = open_cine(path)
    assert len(cine) == len(expected) < len(packets) - second_key
    for index in there_and_back(len(expected)):
        np.testing.assert_array_equal(cine[index], expected[index])


def test_a_gray_format_gives_gray_frames(tmp_path: Path) -> None:
    gray = scene()[..., 0]
    lossless = open_cine(write_video(tmp_path / "clip.mkv", "ffv1", frames=gray, pixels="gray"))
    assert (lossless.frame_shape, lossless.value_range) == ((Y, X), (0, 255))
    np.testing.assert_array_equal(lossless[7], gray[7])


def test_ten_bits_are_scaled_to_eight(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, X).astype(np.uint8), (T, Y, X))
    cine = open_cine(write_video(tmp_path / "clip.mkv", "ffv1", frames=ramp, pixels="gray10le"))
    assert cine.dtype == np.uint8
    np.testing.assert_allclose(cine[3].astype(int), ramp[3], atol=1)


def test_frames_are_turned_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4")
    with av.open(path) as read, av.open(tmp_path / "turned.mp4", "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        stream.set_display_rotation(90)
        for packet in read.demux(video=0):
            packet.stream = stream
            written.mux(packet)
    turned = open_cine(tmp_path / "turned.mp4")
    assert turned.frame_shape == (X, Y, 3)
    np.testing.assert_array_equal(turned[2], np.rot90(in_sequence(path)[2]))


@pytest.mark.parametrize(("codec", "name"), [("mpeg4", "a.mp4"), ("libx264", "b.mkv"), ("mjpeg", "c.avi")])
def test_pixels_have_the_shape_that_the_file_gives_them(tmp_path: Path, codec: str, name: str) -> None:
    """A video gives width by height: 3:4 is a pixel that is higher than wide."""
    with av.open(tmp_path / name, "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = X, Y, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 4)
        for frame in scene():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    cine = open_cine(tmp_path / name)
    assert cine.pixel_aspect == pytest.approx(4 / 3)
    assert any("not square (1.33 times as high as wide)" in note for note in cine.notes)
    if name == "a.mp4":
        with av.open(tmp_path / name) as read, av.open(tmp_path / "turned.mp4", "w") as written:
            stream = written.add_stream_from_template(read.streams.video[0])
            stream.set_display_rotation(90)
            for packet in read.demux(video=0):
                packet.stream = stream
                written.mux(packet)
        assert open_cine(tmp_path / "turned.mp4").pixel_aspect == pytest.approx(3 / 4)


@pytest.mark.parametrize("disposal", [0, 1, 2, [1, 3, 3, 1, 3, 1]])
def test_gif_frames_are_composed_as_by_pillow(tmp_path: Path, disposal: Any) -> None:
    # Boxes of different colors on a still background: only the changes of frames are stored, with palettes.
    frames = np.full((6, 30, 40, 3), (20, 90, 160), np.uint8)
    for index, frame in enumerate(frames):
        frame[4:14, 5 * index : 5 * index + 8] = np.random.default_rng(index).integers(0, 255, (10, 8, 3))
    first, *others = map(Image.fromarray, frames)
    path = tmp_path / "clip.gif"
    first.save(path, save_all=True, append_images=others, duration=80, disposal=disposal, optimize=False)
    cine = open_cine(path)
    with Image.open(path) as picture:
        assert (len(cine), cine.frame_rate) == (picture.n_frames, pytest.approx(12.5))
        for index in (5, 0, 3, 4, 1, 2):
            picture.seek(index)
            np.testing.assert_array_equal(cine[index], np.asarray(picture.convert("RGB")))


# Reading


def test_stepping_back_and_forth_decodes_each_frame_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "clip.mp4", "libx264", g="100")
    cine = open_cine(path)
    decoded = []
    decode = video_reader.decode

    def counted(packets: Any, stream: Any) -> Iterator[tuple[int, av.VideoFrame]]:
        for number, frame in decode(packets, stream):
            decoded.append(number)
            yield number, frame

    monkeypatch.setattr(video_reader, "decode", counted)
    for index in (1, 2, 3, 10, 9, 8, 7, 8, 9, 10, 11):
        cine[index]
    assert len(decoded) <= 12


def test_two_places_are_read_in_turns_without_starting_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cine = open_cine(write_video(tmp_path / "clip.mp4", "libx264", g="100"))
    monkeypatch.setattr(video_reader, "_CACHE_BYTES", 1)
    jumps = []
    jump = video_reader.VideoReader._jump
    monkeypatch.setattr(video_reader.VideoReader, "_jump", lambda *args: jumps.append(args) or jump(*args))
    for step in range(6):
        cine[2 + step], cine[12 + step]
        cine[13 + step]
    assert len(jumps) <= 2


def test_the_cache_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_reader, "_CACHE_BYTES", 5 * Y * X * 3 // 2)
    cine = open_cine(write_video(tmp_path / "clip.mp4", "libx264"))
    for index in range(T):
        cine[index]
    assert all(len(reader._cache) <= 5 for reader in cine._idle)


def test_threads_get_their_own_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", "libx264", bf="2")
    expected = in_sequence(path)
    cine = open_cine(path)
    wrong = []

    def look(seed: int) -> None:
        for index in np.random.default_rng(seed).integers(0, T, 60).tolist():
            if not np.array_equal(cine[index], expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# Errors


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("clip.avi", "mjpeg", "yuvj420p"),
        ("clip.mkv", "libx264", "yuv420p"),
        ("clip.ts", "libx264", "yuv420p"),
        ("clip.gif", "gif", "rgb8"),
        ("clip.webm", "libvpx-vp9", "yuv420p"),
        ("clip.mp4", "mpeg4", "yuv420p"),
    ],
)
def test_a_truncated_file_opens_with_its_complete_frames(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    path = write_video(tmp_path / name, codec, pixels=pixels)
    if name.endswith("mp4"):
        path = index_first(path)
    assert open_cine(path).notes == ()
    whole = in_sequence(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    cine = open_cine(path)
    assert T // 4 < len(cine) < T
    if name.endswith(".ts"):  # it can be cut anywhere
        assert cine.notes == ()
    elif name.endswith(".gif"):
        assert "it is unknown how much" in cine.notes[0]
    else:
        assert re.search(rf"\(30%\) are missing. {len(cine)} of about {T} frames can be read", cine.notes[0])
    for index in range(len(cine)):
        np.testing.assert_array_equal(cine[index], whole[index])


def test_a_damaged_frame_is_named_and_the_others_stay_readable(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", "mjpeg", pixels="yuvj420p")
    whole = in_sequence(path)
    with av.open(path) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][9]
    content = path.read_bytes()
    at = content.index(bytes(packet))
    path.write_bytes(content[:at] + bytes(packet.size) + content[at + packet.size :])
    cine = open_cine(path)
    np.testing.assert_array_equal(cine[10], whole[10])
    with pytest.raises(SegcamError, match=r"Frame 9 of clip\.mkv cannot be decoded"):
        cine[9]
    np.testing.assert_array_equal(cine[8], whole[8])


def test_a_file_without_frames_or_without_its_end_is_refused_in_words(tmp_path: Path) -> None:
    headless = write_video(tmp_path / "clip.mp4")  # the index of an MP4 file is at its end
    headless.write_bytes(headless.read_bytes()[:-800])
    with pytest.raises(SegcamError, match=r"clip\.mp4 cannot be read as a video.* 800 of its \d+ bytes"):
        open_cine(headless)

    with av.open(tmp_path / "sound.mkv", "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(SegcamError, match=r"sound\.mkv .*holds no video"):
        open_cine(tmp_path / "sound.mkv")


# Real files


@pytest.mark.skipif(not DATA.exists(), reason="the real ultrasound files are not here")
@pytest.mark.parametrize(
    ("name", "count", "frame_rate"), [("liver_sweep.mp4", 140, 20), ("liver_sweep_60_frames_mjpeg.avi", 60, 10)]
)
def test_real_sweeps(name: str, count: int, frame_rate: int) -> None:
    path = DATA / "cine" / name
    cine = open_cine(path)
    assert (len(cine), cine.frame_rate, cine.frame_shape) == (count, pytest.approx(frame_rate), (592, 738, 3))
    expected = in_sequence(path)
    assert len(expected) == count
    for index in (count - 1, 20, 19, 45):
        np.testing.assert_array_equal(cine[index], expected[index])


def test_a_second_video_in_a_file_is_noted(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "two.mkv"), "w") as container:
        for stream in [container.add_stream("ffv1", rate=25) for _ in range(2)]:
            stream.width, stream.height, stream.pix_fmt = 32, 16, "gray"
        for stream in container.streams.video:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 32), np.uint8), "gray")))
            container.mux(stream.encode())
    assert any("2 videos" in note for note in open_cine(tmp_path / "two.mkv").notes)
