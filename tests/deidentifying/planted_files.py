"""Files with identifiers planted in every place that the tests think of."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from dicom_objects.made_sources import TISSUE, calibrate, color_frames, describe_pixels, gray_frames, source
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    UltrasoundImageStorage,
)

from deidentifying.planting import Planted

LEFT, TOP, RIGHT, BOTTOM = TISSUE
INSIDE = (slice(TOP, BOTTOM + 1), slice(LEFT, RIGHT + 1))
"""The region that keeps its pixels: rows and columns."""


def pixel_text(shape: tuple[int, ...]) -> np.ndarray:
    """Return bright strokes beside the scan, ``(Y, X)`` bool: at the top, the bottom, the left and the right."""
    marks = np.zeros(shape, bool)
    marks[0:3, 5:60:2] = marks[-3:, 30:90:3] = True
    marks[10:60:2, 0:6] = marks[20:70:3, -6:] = True
    marks[INSIDE] = False
    return marks


def write(header: Dataset, path: Path, pixels: bytes, syntax: str = ExplicitVRLittleEndian, tail: bytes = b"") -> Path:
    """Write a file whose pixels may be compressed, with bytes after the data set."""
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.PixelData = pixels
    header["PixelData"].VR = "OB" if header.BitsAllocated == 8 else "OW"
    if syntax in (JPEGBaseline8Bit, RLELossless):
        header["PixelData"].is_undefined_length = True
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)
    if tail:
        path.write_bytes(path.read_bytes() + tail)
    return path


def plant_header(header: Dataset, planted: Planted, file: str) -> None:
    """Plant identifiers in elements of all kinds."""

    def name(place: str) -> str:
        return planted.name(f"{file} {place}")

    def number(place: str) -> str:
        return planted.number(f"{file} {place}")

    header.PatientName = f"{name('PatientName')}^{name('PatientName given')}"
    header.PatientID = number("PatientID")
    header.IssuerOfPatientID = name("IssuerOfPatientID")
    header.PatientBirthDate = planted.date(f"{file} PatientBirthDate")
    header.OtherPatientNames = name("OtherPatientNames")
    header.PatientAddress = name("PatientAddress")
    header.PatientComments = f"lives with {name('PatientComments')}"
    header.PatientTelephoneNumbers = number("PatientTelephoneNumbers")
    header.EthnicGroup = name("EthnicGroup")
    header.Occupation = name("Occupation")
    header.AccessionNumber = number("AccessionNumber")
    header.StudyID = number("StudyID")
    header.StudyDate = planted.date(f"{file} StudyDate")
    header.SeriesDate = planted.date(f"{file} SeriesDate")
    header.ContentDate = planted.date(f"{file} ContentDate")
    header.AcquisitionDateTime = planted.date(f"{file} AcquisitionDateTime") + "112233.5"
    header.InstanceCreationDate = planted.date(f"{file} InstanceCreationDate")
    header.InstitutionName = name("InstitutionName")
    header.InstitutionAddress = name("InstitutionAddress")
    header.InstitutionalDepartmentName = name("InstitutionalDepartmentName")
    header.StationName = name("StationName")
    header.ReferringPhysicianName = name("ReferringPhysicianName")
    header.PerformingPhysicianName = name("PerformingPhysicianName")
    header.OperatorsName = name("OperatorsName")
    header.DeviceSerialNumber = number("DeviceSerialNumber")
    header.Manufacturer = name("Manufacturer")
    header.ManufacturerModelName = name("ManufacturerModelName")
    header.SoftwareVersions = name("SoftwareVersions")
    header.StudyDescription = f"Pelvis of {name('StudyDescription')}"
    header.SeriesDescription = f"Sweep {name('SeriesDescription')}"
    header.ProtocolName = f"Fibroid {name('ProtocolName')}"
    header.ImageComments = f"shown by {name('ImageComments')}"
    header.DerivationDescription = name("DerivationDescription")
    header.WindowCenterWidthExplanation = name("WindowCenterWidthExplanation")
    header.BodyPartExamined = name("BodyPartExamined")[:16].upper()
    header.TransducerData = name("TransducerData")
    header.ImageType = ["ORIGINAL", "PRIMARY", name("ImageType").upper()]
    header.FrameOfReferenceUID = planted.uid(f"{file} FrameOfReferenceUID")
    header.SOPInstanceUID = planted.uid(f"{file} SOPInstanceUID")
    header.SeriesInstanceUID = planted.uid(f"{file} SeriesInstanceUID")
    header.StudyInstanceUID = planted.uid(f"{file} StudyInstanceUID")
    header.add_new(0x00321060, "PN", name("RequestedProcedureDescription as PN"))
    header.add_new(0x00180022, "UT", name("ScanOptions as UT"))
    header.add_new(0x00080016 + 0x9999, "LO", name("unknown element"))
    header.add_new(0x00204000 + 0x111, "UN", name("unknown element as UN").encode())
    header.add_new(0x00181030 + 1, "DS", "1")
    _plant_sequences(header, planted, file)
    _plant_private(header, planted, file)
    _plant_overlays(header, planted, file)
    meta = header.file_meta
    meta.SourceApplicationEntityTitle = name("SourceApplicationEntityTitle")
    meta.ImplementationVersionName = name("ImplementationVersionName")
    meta.PrivateInformationCreatorUID = planted.uid(f"{file} PrivateInformationCreatorUID")
    meta.PrivateInformation = name("PrivateInformation").encode() + b" "
    header.preamble = name("preamble").encode().ljust(128, b"\0")


def _plant_sequences(header: Dataset, planted: Planted, file: str) -> None:
    request, code, other, deep = Dataset(), Dataset(), Dataset(), Dataset()
    request.RequestedProcedureDescription = planted.name(f"{file} request > description")
    request.ScheduledProcedureStepDescription = planted.name(f"{file} request > step")
    header.RequestAttributesSequence = [request]
    code.CodeValue = planted.name(f"{file} code value")
    code.CodingSchemeDesignator, code.CodeMeaning = "99LOCAL", planted.name(f"{file} code meaning")
    known = Dataset()
    known.CodeValue, known.CodingSchemeDesignator = "35039007", "SCT"
    known.CodeMeaning = f"Uterus of {planted.name(f'{file} meaning of a known code')}"
    header.AnatomicRegionSequence = [known]
    header.ProcedureCodeSequence = [code]
    other.PatientID = planted.number(f"{file} other patient")
    other.IssuerOfPatientID = planted.name(f"{file} issuer of the other patient")
    header.OtherPatientIDsSequence = [other]
    deep.ReferencedSOPClassUID = UltrasoundImageStorage
    deep.ReferencedSOPInstanceUID = planted.uid(f"{file} referenced instance")
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
    purpose.CodeMeaning = planted.name(f"{file} purpose of reference")
    deep.PurposeOfReferenceCodeSequence = [purpose]
    inner = Dataset()
    inner.PersonName = planted.name(f"{file} three levels deep")
    purpose.add_new(0x0040A730, "SQ", [inner])
    header.SourceImageSequence = [deep]
    icon = Dataset()
    icon.Rows = icon.Columns = 8
    icon.BitsAllocated = 8
    icon.PixelData = planted.name(f"{file} icon").encode().ljust(64, b"\0")
    icon["PixelData"].VR = "OB"
    header.IconImageSequence = [icon]
    signature = Dataset()
    signature.DigitalSignatureUID = planted.uid(f"{file} signature")
    signature.CertificateOfSigner = planted.name(f"{file} certificate").encode() + b"\0"
    header.add_new(0xFFFAFFFA, "SQ", [signature])
    changed = Dataset()
    changed.SourceOfPreviousValues = planted.name(f"{file} source of previous values")
    header.OriginalAttributesSequence = [changed]


def _plant_private(header: Dataset, planted: Planted, file: str) -> None:
    block = header.private_block(0x0019, planted.name(f"{file} private creator"), create=True)
    block.add_new(1, "LO", planted.name(f"{file} private text"))
    block.add_new(2, "OB", planted.name(f"{file} private bytes").encode() + b"\0")
    item = Dataset()
    item.PatientName = planted.name(f"{file} private sequence")
    block.add_new(3, "SQ", [item])
    header.SequenceOfUltrasoundRegions[0].add_new(0x00190010, "LO", "Maker")
    header.SequenceOfUltrasoundRegions[0].add_new(0x00191001, "LO", planted.name(f"{file} private in a region"))


def _plant_overlays(header: Dataset, planted: Planted, file: str) -> None:
    header.add_new(0x60000010, "US", 8)
    header.add_new(0x60000011, "US", 8)
    header.add_new(0x60000022, "LO", planted.name(f"{file} overlay description"))
    header.add_new(0x60000040, "CS", "G")
    header.add_new(0x60001500, "LO", planted.name(f"{file} overlay label"))
    header.add_new(0x60003000, "OW", planted.name(f"{file} overlay data").encode().ljust(10, b"\0"))
    header.add_new(0x60024000, "LT", planted.name(f"{file} overlay comments"))
    header.add_new(0x50000030, "SH", planted.name(f"{file} curve units"))
    header.add_new(0x50002500, "LO", planted.name(f"{file} curve label"))
    header.add_new(0x50003000, "OW", planted.name(f"{file} curve data").encode() + b"\0")


def color_cine(folder: Path, planted: Planted) -> Path:
    """Uncompressed RGB, with bytes after the pixels in the element, and after the data set in the file."""
    frames = color_frames()
    frames[:, pixel_text(frames.shape[1:3])] = 250
    header = _header(frames, "RGB", planted, "color cine")
    extra = planted.name("color cine after the pixels").encode() + b"\0"
    tail = planted.name("color cine after the data set").encode()
    path = (
        folder / planted.name("folder name") / f"{planted.name('file name')}_{planted.number('number in a name')}.dcm"
    )
    return write(header, path, frames.tobytes() + extra, tail=tail)


def overlay_still(folder: Path, planted: Planted, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Gray of 12 bits in 16, with writing in the high bits."""
    values = (gray_frames(1).astype(np.uint16) * 12)[0]
    values[pixel_text(values.shape)] = 4000
    words = planted.name(f"high bits {syntax[-3:]}").encode()
    header = _header(gray_frames(1), "MONOCHROME2", planted, f"high bits {syntax[-3:]} file")
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    bits = np.unpackbits(np.frombuffer(words, np.uint8))
    values[40, 20 : 20 + len(bits)] |= bits.astype(np.uint16) << 15
    if syntax == ExplicitVRBigEndian:
        values = values.astype(">u2")
    return write(header, folder / f"still_{syntax[-3:]}.dcm", values.tobytes(), syntax)


def jpeg_cine(folder: Path, planted: Planted) -> Path:
    """JPEG frames with comments, EXIF, and bytes after their ends."""
    frames = gray_frames()
    frames[:, pixel_text(frames.shape[1:3])] = 250
    header = _header(frames, "MONOCHROME2", planted, "JPEG cine")
    for color in ("Red", "Green", "Blue"):  # which its pixels do not use
        setattr(header, f"{color}PaletteColorLookupTableDescriptor", [4, 0, 8])
        words = planted.name(f"unused {color} palette").encode() + b"\0"
        setattr(header, f"{color}PaletteColorLookupTableData", words)
    header.LossyImageCompression = "01"
    streams = []
    for number, frame in enumerate(frames):
        file = io.BytesIO()
        comment = planted.name(f"JPEG comment {number}")
        exif = Image.Exif()
        exif[0x010E] = planted.name(f"EXIF {number}")
        Image.fromarray(frame).save(file, "JPEG", quality=92, comment=comment, exif=exif)
        streams.append(file.getvalue() + planted.name(f"after JPEG {number}").encode())
    return write(header, folder / "jpeg.dcm", encapsulate(streams), JPEGBaseline8Bit)


def run_length_still(folder: Path, planted: Planted) -> Path:
    """Run-length encoded RGB, with bytes after the runs."""
    from pydicom.pixels import get_encoder

    frame = color_frames(1)[0]
    frame[pixel_text(frame.shape[:2])] = 250
    header = _header(frame[None], "RGB", planted, "run-length still")
    module = {
        keyword: header[name].value
        for keyword, name in (
            ("rows", "Rows"),
            ("columns", "Columns"),
            ("samples_per_pixel", "SamplesPerPixel"),
            ("bits_allocated", "BitsAllocated"),
            ("bits_stored", "BitsStored"),
            ("pixel_representation", "PixelRepresentation"),
            ("planar_configuration", "PlanarConfiguration"),
            ("photometric_interpretation", "PhotometricInterpretation"),
        )
    }
    stream = get_encoder(RLELossless).encode(frame, number_of_frames=1, **module)
    stream += planted.name("after the runs").encode()
    return write(header, folder / "rle.dcm", encapsulate([stream]), RLELossless)


def implicit_still(folder: Path, planted: Planted) -> Path:
    """Implicit VR, without preamble values, uncompressed gray."""
    return overlay_still(folder, planted, ImplicitVRLittleEndian)


def palette_still(folder: Path, planted: Planted) -> Path:
    """Indices of a palette."""
    frames = gray_frames(1)
    frames[:, pixel_text(frames.shape[1:3])] = 250
    header = _header(frames, "PALETTE COLOR", planted, "palette still")
    for color in ("Red", "Green", "Blue"):
        setattr(header, f"{color}PaletteColorLookupTableDescriptor", [256, 0, 16])
        entries = (np.arange(256, dtype=np.uint16) * 257).tobytes()
        setattr(header, f"{color}PaletteColorLookupTableData", entries)
    return write(header, folder / "palette.dcm", frames.tobytes())


def pictures(folder: Path, planted: Planted) -> list[Path]:
    """PNG, JPEG and TIFF with texts beside the pixels."""
    frame = color_frames(1)[0]
    folder.mkdir(parents=True, exist_ok=True)
    words = PngImagePlugin.PngInfo()
    words.add_text("Patient", planted.name("PNG text"))
    words.add_text("Comment", planted.name("PNG compressed text"), zip=True)
    words.add_itxt("Title", planted.name("PNG international text"))
    png = folder / f"{planted.name('PNG file name')}.png"
    Image.fromarray(frame).save(png, pnginfo=words)
    png.write_bytes(png.read_bytes() + planted.name("after the PNG").encode())
    exif = Image.Exif()
    exif[0x013B], exif[0x010E] = planted.name("JPEG artist"), planted.name("JPEG description")
    jpeg = folder / f"{planted.name('JPEG file name')}.jpg"
    Image.fromarray(frame).save(jpeg, comment=planted.name("JPEG file comment"), exif=exif)
    tiff = folder / "scan.tif"
    tags = {270: planted.name("TIFF description"), 315: planted.name("TIFF artist"), 305: planted.name("TIFF software")}
    Image.fromarray(frame).save(tiff, tiffinfo=tags)
    return [png, jpeg, tiff]


def other_files(folder: Path, planted: Planted) -> None:
    """Files that get no copy."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.txt").write_text(planted.name("a text file"))
    document = Dataset()
    document.file_meta = FileMetaDataset()
    document.SOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    document.SOPInstanceUID = planted.uid("document UID")
    document.PatientName = planted.name("document patient")
    document.EncapsulatedDocument = b"%PDF " + planted.name("document").encode() + b"\0"
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document.file_meta.MediaStorageSOPClassUID = document.SOPClassUID
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    document.save_as(folder / "report.dcm", enforce_file_format=True)
    (folder / "DICOMDIR").write_bytes(
        bytes(128) + b"DICM" + struct.pack("<HH", 2, 0) + planted.name("DICOMDIR").encode()
    )


def _header(frames: np.ndarray, photometric: str, planted: Planted, file: str) -> Dataset:
    header = source(file.replace(" ", "_"), count=len(frames))
    describe_pixels(header, frames, photometric)
    calibrate(header)
    plant_header(header, planted, file)
    return header
