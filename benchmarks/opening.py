"""Time to open a long cine, and memory to review it.

    python benchmarks/opening.py [--frames 850] [--width 1024] [--height 768]

Writes color cines to a temporary folder: a multi-frame DICOM file in JPEG, an H.264 video with a key frame every 250
frames, a motion JPEG video and a folder of PNG files. Each is measured in a separate process, with the libraries
loaded as in the viewer: opening it as a layer, stepping through all frames, and jumping to random frames.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
from measuring import machine, peak_extra_memory
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid
from rich.console import Console
from rich.table import Table
from skimage.filters import gaussian

from napari_segcam.imaging.opening import open_cine
from napari_segcam.viewer.layers.cine_layer_data import layer_data

Frames = list[NDArray[np.uint8]]


def main() -> None:
    options = long_cine_options(__doc__)

    table = Table(
        "",
        "file MB",
        "open ms",
        "next frame ms",
        "jump ms",
        "longest jump ms",
        "peak memory MB",
        title=f"{options.frames} frames of {options.width} × {options.height} RGB",
    )
    frames = different_frames(options.height, options.width)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for write in (jpeg_dicom, h264_video, motion_jpeg_video, png_folder):
            path = write(folder, frames, options.frames)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                figures = fresh.submit(measure, path).result()
            table.add_row(write.__name__.replace("_", " "), f"{megabytes(path):.0f}", *(f"{x:.1f}" for x in figures))
    console = Console(width=120)
    console.print(table)
    console.print(machine())


def long_cine_options(description: str | None) -> argparse.Namespace:
    """Parse the size of the long cine on the command line: frames, width and height."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=850)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--height", type=int, default=768)
    return parser.parse_args()


def measure(path: Path) -> tuple[float, float, float, float, float]:
    """Return milliseconds to open, to the next frame, to a random frame (median, longest), and MB at the peak."""
    opened: list[float] = []
    steps: list[float] = []
    jumps: list[float] = []

    def review() -> None:
        start = time.perf_counter()
        data, _, _ = layer_data(open_cine(path))
        opened.append(time.perf_counter() - start)
        anywhere = np.random.default_rng(0).integers(0, len(data), 40).tolist()
        for seconds, order in ((steps, range(len(data))), (jumps, anywhere)):
            for index in order:
                start = time.perf_counter()
                np.asarray(data[index])
                seconds.append(time.perf_counter() - start)

    memory = peak_extra_memory(review)
    figures = (opened[0], statistics.median(steps), statistics.median(jumps), max(jumps))
    return (*(1000 * seconds for seconds in figures), memory)


def different_frames(height: int, width: int, count: int = 10) -> Frames:
    """Return frames of moving speckle with a colored bar, which cines repeat."""
    rng = np.random.default_rng(0)
    speckle = 5 * gaussian(rng.gamma(2.0, 40.0, (height, width)), 1.5) - 320
    frame = np.repeat(np.clip(speckle, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    frame[:, -20:] = 255, 120, 0
    return [np.roll(frame, 3 * number, axis=0) for number in range(count)]


def jpeg_dicom(folder: Path, frames: Frames, count: int) -> Path:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = UltrasoundMultiFrameImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.NumberOfFrames, (header.Rows, header.Columns, header.SamplesPerPixel) = count, frames[0].shape
    header.PhotometricInterpretation, header.PlanarConfiguration, header.PixelRepresentation = "YBR_FULL_422", 0, 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    streams = []
    for frame in frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=85)
        streams.append(buffer.getvalue())
    header.PixelData = encapsulate([streams[number % len(streams)] for number in range(count)])
    header["PixelData"].VR = "OB"
    header.save_as(folder / "clip.dcm", enforce_file_format=True)
    return folder / "clip.dcm"


def h264_video(folder: Path, frames: Frames, count: int) -> Path:
    return video(folder / "clip.mp4", "libx264", "yuv420p", frames, count, preset="ultrafast", g="250", bf="2")


def motion_jpeg_video(folder: Path, frames: Frames, count: int) -> Path:
    return video(folder / "clip.avi", "mjpeg", "yuvj420p", frames, count)


def video(path: Path, codec: str, pixels: str, frames: Frames, count: int, **options: str) -> Path:
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        for number in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frames[number % len(frames)])))
        container.mux(stream.encode())
    return path


def png_folder(folder: Path, frames: Frames, count: int) -> Path:
    path = folder / "stills"
    path.mkdir()
    for number in range(count):
        Image.fromarray(frames[number % len(frames)]).save(path / f"frame{number}.png", compress_level=1)
    return path


def megabytes(path: Path) -> float:
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir())) / 1e6


if __name__ == "__main__":
    main()
