"""How long a Segmentation of a cine takes to write and to read, and how large it is, for each kind.

The mask is a smooth shape that moves; its edge is wavy. Sources and files are in a temporary folder::

    python benchmarks/dicom_objects/segmentation_size.py [--frames 300] [--rows 768] [--columns 1024] [--segments 1]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.new_object import save_object
from napari_segcam.dicom_objects.segmentation.reading import read_segmentation
from napari_segcam.dicom_objects.segmentation.segment import Segment
from napari_segcam.dicom_objects.segmentation.writing import Kind, segmentation
from napari_segcam.dicom_objects.source_images import SourceImages

KINDS: tuple[Kind, ...] = ("binary", "fractional", "labelmap")
SHAPES = 30
"""Different shapes, so that making them takes less time than writing them."""


def source_of(frames: int, rows: int, columns: int) -> SourceImages:
    """Return the header of a cine as the images that a Segmentation refers to."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = UltrasoundMultiFrameImageStorage
    header.SOPInstanceUID, header.StudyInstanceUID, header.SeriesInstanceUID = (generate_uid() for _ in range(3))
    header.PatientID, header.PatientName = "P1", "Phantom^Petra"
    header.Rows, header.Columns, header.NumberOfFrames = rows, columns, frames
    return SourceImages([header], [frames], spacing_mm=(0.2, 0.2))


def probabilities(number: int, rows: int, columns: int) -> NDArray[np.float32]:
    """Return ``(Y, X)``: 1 in a shape, 0 outside, and a soft edge of a few pixels."""
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    y, x = y - rows * (0.5 + 0.1 * np.sin(number)), x - columns * (0.5 + 0.1 * np.cos(number))
    inside = rows / 5 * (1 + 0.2 * np.sin(2.0 * number)) + 6 * np.sin(9 * np.arctan2(y, x)) - np.hypot(y / 1.3, x)
    return np.asarray(1 / (1 + np.exp(-np.clip(inside / 2, -30, 30))), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rows", type=int, default=768)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--segments", type=int, default=1)
    arguments = parser.parse_args()
    source = source_of(arguments.frames, arguments.rows, arguments.columns)
    segments = [
        Segment(f"class {number + 1}", algorithm=Algorithm("network.pth", "0" * 64))
        for number in range(arguments.segments)
    ]
    shapes = [probabilities(number, arguments.rows, arguments.columns) for number in range(SHAPES)]
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            planes = {
                "binary": lambda shape: np.repeat(shape[None] > 0.5, len(segments), axis=0),
                "fractional": lambda shape: np.repeat(shape[None], len(segments), axis=0),
                "labelmap": lambda shape: (shape > 0.5).astype(np.uint8),
            }[kind]
            masks = [planes(shape) for shape in shapes]
            path = Path(folder) / f"{kind}.dcm"
            start = time.perf_counter()
            frames = ((number, masks[number * SHAPES // arguments.frames]) for number in range(arguments.frames))
            dataset = segmentation(source, segments, frames, kind=kind)
            save_object(dataset, path)
            written = time.perf_counter()
            read = read_segmentation(path)
            opened = time.perf_counter()
            for number in range(arguments.frames):
                read.mask(number, 1)
            masks_read = time.perf_counter()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{kind:11}{path.stat().st_size / 1e6:7.2f} MB, written in {written - start:.2f} s, opened in "
                f"{opened - written:.2f} s, {(masks_read - opened) / arguments.frames * 1000:.1f} ms a mask, "
                f"peak {peak:.0f} MB, {dataset.file_meta.TransferSyntaxUID.name}"
            )


if __name__ == "__main__":
    main()
