"""Videos, alone and in DICOM files: nothing of the file remains but its pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from dicom_objects.made_sources import calibrate, gray_frames, source
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG4HP41

import napari_segcam as sc
from deidentifying.planted_files import INSIDE, pixel_text
from deidentifying.planting import Planted

av = pytest.importorskip("av")


def mp4(planted: Planted) -> bytes:
    """Return a video with metadata, and with bytes after its end."""
    frames = gray_frames()
    frames[:, pixel_text(frames.shape[1:])] = 250
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        for key in ("title", "artist", "comment"):
            container.metadata[key] = planted.name(f"MP4 {key}")
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.repeat(frame[..., None], 3, -1), format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue() + planted.name("after the MP4").encode()


def in_dicom(video: bytes, path: Path) -> Path:
    header = source("video", count=6)
    header.Rows, header.Columns = 96, 128
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PlanarConfiguration = 3, "YBR_PARTIAL_420", 0
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation, header.LossyImageCompression = 7, 0, "01"
    calibrate(header)
    header.file_meta.TransferSyntaxUID = MPEG4HP41
    header.PixelData = encapsulate([video], has_bot=False)
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    header.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("is_dicom", [False, True])
def test_only_the_pixels_of_the_region_remain(is_dicom: bool, tmp_path: Path) -> None:
    planted, folder = Planted(), tmp_path / "in"
    folder.mkdir()
    video = mp4(planted)
    if is_dicom:
        path, copy = in_dicom(video, folder / "video.dcm"), tmp_path / "out" / "copy.dcm"
    else:
        path, copy = folder / "video.mp4", tmp_path / "out" / "copy.mkv"
        path.write_bytes(video)
    assert set(planted.survivors(folder)) == set(planted.places)
    sc.deidentify(path, copy, sc.DeidentifyOptions(region="8,4,120,92"))
    assert planted.survivors(tmp_path / "out") == []
    before, after = sc.open_cine(path), sc.open_cine(copy)
    assert (len(before), before.frame_rate) == (len(after), after.frame_rate)
    outside = np.ones((96, 128), bool)
    outside[INSIDE] = False
    for index in range(len(before)):
        np.testing.assert_array_equal(before[index][INSIDE], after[index][INSIDE])
        assert before[index][outside].max() > 150
        assert after[index][outside].max() == 0
