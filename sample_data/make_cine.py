"""Write the sample cine, a phantom as a multi-frame ultrasound DICOM file, and its truth beside it.

    python sample_data/make_cine.py

The same versions of numpy, scipy, pydicom and Pillow give the same bytes again.
"""

from __future__ import annotations

import argparse
import io
import uuid
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage

from napari_segcam.imaging.phantom import PhantomSweep, phantom_sweep

JPEG_QUALITY = 90
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)

    sweep = phantom_sweep(SEED)
    cine = folder / "fibroid_sweep.dcm"
    cine_dataset(sweep).save_as(cine, enforce_file_format=True)
    truth = folder / "fibroid_sweep_truth.npz"
    save_truth(sweep, truth)
    for path in (cine, truth):
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def cine_dataset(sweep: PhantomSweep) -> FileDataset:
    """The cine as an Ultrasound Multi-frame Image (PS3.3, section A.7), JPEG baseline."""
    frames, rows, columns = sweep.images.shape
    jpegs = [_jpeg(frame) for frame in sweep.images]

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = _uid("instance")
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    meta.ImplementationClassUID = _uid("implementation")
    meta.ImplementationVersionName = "NAPARI_SEGCAM"
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))

    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage
    dataset.SOPInstanceUID = _uid("instance")
    dataset.StudyInstanceUID = _uid("study")
    dataset.SeriesInstanceUID = _uid("series")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.Modality = "US"
    dataset.PatientName = "PHANTOM^FIBROID"
    dataset.PatientID = f"PHANTOM-{SEED}"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.StudyDate = dataset.StudyTime = dataset.StudyID = dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.PatientOrientation = ""
    dataset.Laterality = ""
    dataset.Manufacturer = "napari-segcam"
    dataset.ManufacturerModelName = "Simulated phantom"
    dataset.StudyDescription = "Simulated uterus with fibroids"
    dataset.SeriesDescription = "Simulated sweep, not a patient"
    dataset.ImageComments = "Computer simulation. Research use only, not for diagnostic use."
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Synthetic: there is no patient"
    dataset.BurnedInAnnotation = "NO"

    dataset.NumberOfFrames = frames
    dataset.FrameIncrementPointer = Tag("FrameTime")
    dataset.FrameTime = f"{1000 / sweep.frame_rate:g}"
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = round(sweep.frame_rate)
    dataset.SequenceOfUltrasoundRegions = [_tissue_region(rows, columns, sweep.spacing_mm)]

    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = f"{sweep.images.size / sum(map(len, jpegs)):.2f}"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.PixelData = encapsulate(jpegs)
    return dataset


def save_truth(sweep: PhantomSweep, path: Path) -> None:
    """Write ``masks`` ``(T, Y, X)`` uint8 as a compressed .npz, as ``numpy.savez_compressed`` but without the date."""
    array = io.BytesIO()
    np.save(array, sweep.masks)
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("masks.npy")  # dated 1980-01-01
        archive.writestr(entry, array.getvalue(), zipfile.ZIP_DEFLATED)


def _tissue_region(rows: int, columns: int, spacing_mm: tuple[float, float]) -> Dataset:
    """The whole frame as a calibrated 2-D tissue region (PS3.3, section C.8.5.5)."""
    region = Dataset()
    region.RegionSpatialFormat = 1  # 2-D
    region.RegionDataType = 1  # tissue
    region.RegionFlags = 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = columns - 1, rows - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # cm
    region.PhysicalDeltaY, region.PhysicalDeltaX = (spacing / 10 for spacing in spacing_mm)
    return region


def _jpeg(frame: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()


def _uid(part: str) -> str:
    """A UID derived from a name-based UUID (PS3.5, section B.2), so that each run gives the same."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'napari-segcam fibroid sweep {part}').int}"


if __name__ == "__main__":
    main()
