from __future__ import annotations

import gc
import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, itemize_frame
from pydicom.uid import HEVCMP51, MPEG2MPML, MPEG4HP41, MPEG4HP41F, VideoEndoscopicImageStorage, generate_uid

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicom.dicom_video import SpansFile
from napari_segcam.imaging.dicom.frame_positions import Span
from napari_segcam.imaging.opening import open_cine

T, Y, X = 20, 48, 64
FRAME_TIME = 0x00181063


def encoded_video(codec: str, container_format: str) -> bytes:
    frames = np.zeros((T, Y, X, 3), np.uint8)
    for index, frame in enumerate(frames):
        frame[:] = 30 + 10 * index
        frame[8:20, 2 * index : 2 * index + 12] = 200, 40, 60
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=25, options={"g": "6", "bf": "2", "x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = X, Y, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())
    return file.getvalue()


def in_sequence(video: bytes, container_format: str) -> list[np.ndarray]:
    with av.open(io.BytesIO(video), format=container_format) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def write_dicom(path: Path, pixel_data: bytes, syntax: str, **elements: Any) -> Path:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = VideoEndoscopicImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.NumberOfFrames, header.Rows, header.Columns = T, Y, X
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PlanarConfiguration = 3, "YBR_PARTIAL_420", 0
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 8, 8, 7, 0
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    header.PixelData = pixel_data
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    header.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("codec", "container_format", "syntax"),
    [
        ("libx264", "mp4", MPEG4HP41),
        ("libx264", "mpegts", MPEG4HP41),
        ("libx264", "h264", MPEG4HP41),
        ("libx265", "mpegts", HEVCMP51),
        ("libx265", "hevc", HEVCMP51),
        ("mpeg2video", "mpeg", MPEG2MPML),
        ("mpeg2video", "mpeg2video", MPEG2MPML),
    ],
)
def test_any_frame_equals_the_one_decoded_in_sequence(
    tmp_path: Path, codec: str, container_format: str, syntax: Any
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV was built without {codec} here")
    video = encoded_video(codec, container_format)
    expected = in_sequence(video, "mpegvideo" if container_format == "mpeg2video" else container_format)
    cine = open_cine(write_dicom(tmp_path / "clip.dcm", encapsulate([video]), syntax))
    assert len(cine) == len(expected) == T
    assert (cine.name, cine.frame_shape, cine.dtype) == ("clip", (Y, X, 3), np.uint8)
    for index in (0, 13, 4, T - 1, 12, 11):
        np.testing.assert_array_equal(cine[index], expected[index])


def test_a_video_in_several_fragments(tmp_path: Path) -> None:
    video = encoded_video("mpeg4", "mp4")
    fragments = b"\xfe\xff\x00\xe0\0\0\0\0" + b"".join(itemize_frame(video, nr_fragments=3))
    cine = open_cine(write_dicom(tmp_path / "clip.dcm", fragments, MPEG4HP41F))
    np.testing.assert_array_equal(cine[17], in_sequence(video, "mp4")[17])


def test_the_header_calibrates_frames_of_its_own_size(tmp_path: Path) -> None:
    pixel_data = encapsulate([encoded_video("mpeg4", "mp4")])
    path = write_dicom(
        tmp_path / "clip.dcm",
        pixel_data,
        MPEG4HP41,
        PixelSpacing=["0.3", "0.2"],
        FrameIncrementPointer=FRAME_TIME,
        FrameTime="20",
        NumberOfFrames=7,
    )
    cine = open_cine(path)
    assert (len(cine), cine.frame_rate, cine.spacing_mm) == (T, 50, (0.3, 0.2))

    other = open_cine(write_dicom(tmp_path / "b.dcm", pixel_data, MPEG4HP41, PixelSpacing=["0.3", "0.2"], Rows=2 * Y))
    assert (other.frame_rate, other.spacing_mm) == (25, None)


def test_a_damaged_video_is_named(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "clip.dcm", encapsulate([b"no video" * 40]), MPEG4HP41)
    with pytest.raises(SegcamError, match=r"clip\.dcm cannot be read as a video"):
        open_cine(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SegcamError, match=r"clip\.dcm cannot be read: the file is cut short"):
        open_cine(path)


def test_spans_read_as_one_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))
    with SpansFile(path, (Span(10, 5), Span(40, 1), Span(20, 4))) as file:
        assert file.read(3) + file.read(3) + file.read(3) + file.read() == bytes([*range(10, 15), 40, 20, 21, 22, 23])
        assert file.read(5) == b""
        assert file.seek(-5, io.SEEK_END) == file.tell() == 5
        assert file.read(1) + file.read(9) == bytes([40, 20, 21, 22, 23])
        assert (file.seek(2), file.seek(4, io.SEEK_CUR)) == (2, 6)
        assert file.read(2) == bytes([20, 21])


def test_no_file_stays_open_once_the_cine_is_deleted(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "clip.dcm", encapsulate([encoded_video("mpeg4", "mp4")]), MPEG4HP41)
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("open files can be counted on Linux only")
    gc.collect()
    before = len(list(descriptors.iterdir()))
    cine = open_cine(path)
    for index in (3, 12, 1):
        cine[index]
    del cine
    gc.collect()
    assert len(list(descriptors.iterdir())) <= before


def test_the_shape_of_the_pixels_is_that_of_the_header(tmp_path: Path) -> None:
    video = encapsulate([encoded_video("libx264", "mp4")])
    path = write_dicom(tmp_path / "a.dcm", video, MPEG4HP41, PixelAspectRatio=[4, 3])
    assert open_cine(path).pixel_aspect == pytest.approx(4 / 3)
    other = write_dicom(tmp_path / "b.dcm", video, MPEG4HP41, PixelAspectRatio=[4, 3], Rows=2 * Y)
    assert open_cine(other).pixel_aspect == 1  # the header describes frames of another size
