"""Ultrasound files as scanners write them, made for tests: a person who does not exist, and a moving bright spot.

``SOURCES`` names one function for each kind of file. A function writes its file to a folder and returns its path; each
kind is another patient, and each call with the same folder writes the same UIDs.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

FRAMES, ROWS, COLUMNS = 6, 96, 128
FRAME_TIME_MS = 40.0
SPACING_CM = 0.05
TISSUE = (8, 4, 119, 91)
"""Left, top, right and bottom pixel of the scan's region."""

Frames = NDArray[np.uint8]


def gray_frames(count: int = FRAMES, rows: int = ROWS, columns: int = COLUMNS) -> Frames:
    """Return ``(T, Y, X)`` speckle in a sector, with a bright spot that moves right and down."""
    random = np.random.default_rng(22)
    y, x = np.mgrid[:rows, :columns]
    depth, angle = np.hypot(y + 10, x - columns / 2), np.arctan2(x - columns / 2, y + 10)
    sector = (depth > 14) & (depth < rows + 2) & (np.abs(angle) < 0.75)
    frames = []
    for number in range(count):
        speckle = 40 + 25 * random.rayleigh(0.7, (rows, columns))
        spot = np.hypot((y - rows * (0.4 + 0.02 * number)) / 1.4, x - columns * (0.45 + 0.02 * number)) < rows / 9
        frames.append(np.where(sector, np.clip(speckle + 110 * spot, 1, 255), 0))
    return np.stack(frames).astype(np.uint8)


def color_frames(count: int = FRAMES) -> Frames:
    """Return ``(T, Y, X, 3)``: gray, with a patch of red and blue flow."""
    frames = np.repeat(gray_frames(count)[..., None], 3, axis=-1)
    frames[:, 50:60, 40:56] = (210, 40, 20)
    frames[:, 60:70, 44:60] = (20, 60, 220)
    return frames


def source(kind: str, *, count: int, patient: str = "", characters: str = "ISO_IR 100", number: int = 1) -> Dataset:
    """Return the header of an ultrasound file that has everything but its pixels."""
    uids = partial(_uid, kind)
    header = Dataset()
    header.SpecificCharacterSet = characters
    header.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    header.SOPClassUID = UltrasoundMultiFrameImageStorage if count > 1 else UltrasoundImageStorage
    header.SOPInstanceUID = uids(f"instance {number}")
    header.StudyDate = header.SeriesDate = header.ContentDate = "20240229"
    header.StudyTime = header.SeriesTime = "101500"
    header.ContentTime = f"1016{number:02d}"
    header.AccessionNumber = "A-0815"
    header.Modality = "US"
    header.Manufacturer = "Made for tests"
    header.ManufacturerModelName = "Phantom"
    header.DeviceSerialNumber = "0"
    header.SoftwareVersions = "1"
    header.InstitutionName = "Hospital of nobody"
    header.ReferringPhysicianName = "Nobody^Nora"
    header.StudyDescription = "Abdomen"
    header.SeriesDescription = kind.replace("_", " ")
    header.PatientName = patient or "Phantom^Petra"
    header.PatientID = f"P-{kind}"
    header.PatientBirthDate = "19800101"
    header.PatientSex = "F"
    header.StudyInstanceUID, header.SeriesInstanceUID = uids("study"), uids("series")
    header.StudyID = "S1"
    header.SeriesNumber = 3
    header.InstanceNumber = number
    header.PatientOrientation = ""
    header.BodyPartExamined = "UTERUS"  # not paired: no laterality
    header.BurnedInAnnotation = "NO"
    if count > 1:
        header.NumberOfFrames = count
        header.FrameTime = FRAME_TIME_MS
        header.FrameIncrementPointer = 0x00181063
        header.FrameDelay = 0
    header.file_meta = FileMetaDataset()
    return header


def calibrate(header: Dataset, row_cm: float = SPACING_CM, column_cm: float = SPACING_CM) -> None:
    """Give a header a tissue region that is calibrated in cm."""
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionFlags = 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = TISSUE[:2]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = TISSUE[2:]
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = column_cm, row_cm
    region.TransducerFrequency = 3500
    header.SequenceOfUltrasoundRegions = [region]


def describe_pixels(header: Dataset, frames: Frames, photometric: str) -> None:
    """Fill the Image Pixel module for 8-bit frames ``(T, Y, X)`` or ``(T, Y, X, 3)``."""
    header.Rows, header.Columns = frames.shape[1:3]
    header.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    header.PhotometricInterpretation = photometric
    if frames.ndim == 4:
        header.PlanarConfiguration = 0
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit = 7
    header.PixelRepresentation = 0
    header.LossyImageCompression = "00"


def write(header: Dataset, pixels: bytes, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Add pixel data to a header and write the file."""
    header.PixelData = pixels + b"\0" * (len(pixels) % 2)
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = syntax != ExplicitVRLittleEndian
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.save_as(path, enforce_file_format=True)
    return path


def native(
    folder: Path,
    kind: str,
    frames: Frames,
    *,
    spacing_cm: tuple[float, float] | None = (SPACING_CM, SPACING_CM),
    **options: Any,
) -> Path:
    """Write uncompressed frames."""
    header = source(kind, count=len(frames), **options)
    describe_pixels(header, frames, "RGB" if frames.ndim == 4 else "MONOCHROME2")
    if spacing_cm is not None:
        calibrate(header, *spacing_cm)
    return write(header, frames.tobytes(), folder / f"{kind}.dcm")


def gray_cine(folder: Path) -> Path:
    """MONOCHROME2, uncompressed."""
    return native(folder, "gray_cine", gray_frames())


def rgb_cine(folder: Path) -> Path:
    """RGB, uncompressed."""
    return native(folder, "rgb_cine", color_frames())


def still(folder: Path) -> Path:
    """One gray frame in Ultrasound Image Storage."""
    return native(folder, "still", gray_frames(1))


def anisotropic_cine(folder: Path) -> Path:
    """Rows 0.3 mm and columns 0.5 mm apart."""
    return native(folder, "anisotropic_cine", gray_frames(), spacing_cm=(0.03, 0.05))


def uncalibrated_cine(folder: Path) -> Path:
    """No region, and so no size of a pixel."""
    return native(folder, "uncalibrated_cine", gray_frames(), spacing_cm=None)


def japanese_cine(folder: Path) -> Path:
    """The patient's name in three scripts, in ISO 2022 (the example of PS3.5, section H.3.1)."""
    patient = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    return native(folder, "japanese_cine", gray_frames(), patient=patient, characters=["", "ISO 2022 IR 87"])


def cyrillic_still(folder: Path) -> Path:
    """The patient's name in ISO 8859-5."""
    return native(folder, "cyrillic_still", gray_frames(1), patient="Образцова^Проба", characters="ISO_IR 144")


def varying_cine(folder: Path) -> Path:
    """Frames that are unequally far apart in time: a frame time vector."""
    header = source("varying_cine", count=FRAMES)
    del header.FrameTime
    header.FrameTimeVector = [0.0, 30.0, 40.0, 50.0, 40.0, 35.5]
    header.FrameIncrementPointer = 0x00181065
    describe_pixels(header, frames := gray_frames(), "MONOCHROME2")
    calibrate(header)
    return write(header, frames.tobytes(), folder / "varying_cine.dcm")


def ybr_jpeg_cine(folder: Path) -> Path:
    """JPEG baseline in YBR_FULL_422, as most scanners store cines."""
    streams = []
    frames = color_frames()
    for frame in frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=90, subsampling="4:2:2")
        streams.append(buffer.getvalue())
    header = source("ybr_jpeg_cine", count=FRAMES)
    describe_pixels(header, frames, "YBR_FULL_422")
    header.LossyImageCompression = "01"
    header.LossyImageCompressionRatio = round(frames.nbytes / sum(map(len, streams)), 2)
    header.LossyImageCompressionMethod = "ISO_10918_1"
    calibrate(header)
    return write(header, encapsulate(streams), folder / "ybr_jpeg_cine.dcm", JPEGBaseline8Bit)


def palette_cine(folder: Path) -> Path:
    """PALETTE COLOR: indices into a table of brownish grays."""
    header = source("palette_cine", count=FRAMES)
    frames = gray_frames()
    describe_pixels(header, frames, "PALETTE COLOR")
    for color, share in (("Red", 1.0), ("Green", 0.8), ("Blue", 0.5)):
        entries = np.round(np.arange(256) * share).astype("<u2") * 257
        setattr(header, f"{color}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(header, f"{color}PaletteColorLookupTableData", entries.tobytes())
    calibrate(header)
    return write(header, frames.tobytes(), folder / "palette_cine.dcm")


def folder_of_stills(folder: Path) -> Path:
    """Three stills of one series, in a folder of their own."""
    stills = folder / "folder_of_stills"
    stills.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(gray_frames(3), 1):
        header = source("folder_of_stills", count=1, number=number)
        describe_pixels(header, frame[None], "MONOCHROME2")
        calibrate(header)
        write(header, frame.tobytes(), stills / f"still_{number}.dcm")
    return stills


SOURCES: dict[str, Callable[[Path], Path]] = {
    function.__name__: function
    for function in (
        gray_cine,
        rgb_cine,
        ybr_jpeg_cine,
        palette_cine,
        still,
        anisotropic_cine,
        uncalibrated_cine,
        varying_cine,
        japanese_cine,
        cyrillic_still,
        folder_of_stills,
    )
}


def files_of(path: Path) -> list[Path]:
    """Return the DICOM files of a source: the file itself, or those in the folder."""
    return sorted(path.glob("*.dcm")) if path.is_dir() else [path]


def _uid(kind: str, what: str) -> str:
    return str(generate_uid(entropy_srcs=["napari-segcam tests", kind, what]))
