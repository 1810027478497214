"""New objects: what every DICOM object made here has in common, above all whom it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from napari_segcam.dicom_objects.algorithm import MANUFACTURER, Algorithm
from napari_segcam.dicom_objects.coded_entry import SOURCE_IMAGE, CodedEntry
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.values import SHORT_TEXT, date_and_time, fitted, is_valid
from napari_segcam.errors import SegcamError
from napari_segcam.files import whole_file
from napari_segcam.version import __version__

RESEARCH_ONLY = "Research use only – not for diagnostic use"

_IMPLEMENTATION = "2.25.297313465102236457164872919285437165403"  # of this program, for the file meta information
_UNICODE = "ISO_IR 192"
_ALWAYS = (  # type 2: there, but perhaps without a value
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
_WHERE_KNOWN = (
    "IssuerOfPatientID",
    "OtherPatientIDsSequence",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "TimezoneOffsetFromUTC",
)
_IDENTITY = ("PatientName", "PatientID")


def new_object(
    source: SourceImages,
    sop_class_uid: str,
    *,
    modality: str,
    series_description: str,
    algorithm: Algorithm | None = None,
    series_uid: str | None = None,
    series_number: int = 1,
    instance_number: int = 1,
    frames: Sequence[int] | None = None,
) -> FileDataset:
    """Return an object of the source's patient and study, in a series of its own, that refers to the source's images.

    It has the modules Patient, Study, Series, Equipment, SOP Common and Common Instance Reference, in Unicode. The
    writer of a kind adds its own, ``ImageType`` among them.

    Args:
        source: the images that it is made from.
        sop_class_uid: the kind of object.
        modality: such as SEG.
        series_description: what the series holds, in words.
        algorithm: the network that made it; None if none did.
        series_uid: of a series that it joins; by default it begins one.
        series_number: of its series.
        instance_number: of the object in its series.
        frames: numbers, from 0, of the cine's frames that it is about; by default all.

    Raises:
        SegcamError: if the patient's name or number cannot be read.
    """
    dataset = FileDataset(None, Dataset(), preamble=b"\0" * 128, file_meta=FileMetaDataset())
    dataset.SpecificCharacterSet = _UNICODE
    copy_identity(source.first, dataset)
    now = datetime.now(_zone(source.first))
    date, time = date_and_time(now)
    dataset.StudyInstanceUID = UID(source.study_uid)
    dataset.SOPClassUID = UID(sop_class_uid)
    dataset.SOPInstanceUID = generate_uid(prefix=None)
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.ContentDate, dataset.ContentTime = date, time
    dataset.InstanceNumber = instance_number
    dataset.Modality = modality
    dataset.SeriesInstanceUID = UID(series_uid) if series_uid else generate_uid(prefix=None)
    dataset.SeriesNumber = series_number
    dataset.SeriesDescription = fitted(series_description)
    dataset.SeriesDate, dataset.SeriesTime = date, time
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MANUFACTURER
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = __version__
    if algorithm is not None:
        dataset.ContributingEquipmentSequence = [algorithm.contributing_equipment()]
    dataset.ReferencedSeriesSequence = _referenced_series(source, frames)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.ImplementationClassUID = UID(_IMPLEMENTATION)
    dataset.file_meta.ImplementationVersionName = f"SEGCAM_{__version__}"[:16]
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def copy_identity(header: Dataset, dataset: Dataset) -> None:
    """Copy the patient and the study of a header, as text in Unicode.

    A value that breaks the rules of its type is left out, but the patient's name and number are copied as they are.

    Raises:
        SegcamError: if the name or the number has bytes that are no letters of its character set.
    """
    for keyword in (*_ALWAYS, *_WHERE_KNOWN):
        element = _element(header, keyword)
        if element is None or element.is_empty:
            if keyword in _ALWAYS:
                setattr(dataset, keyword, None)
            continue
        vr = dictionary_VR(Tag(keyword))
        if vr == "SQ":
            copied = Dataset()
            copied.add(deepcopy(element))
            copied.decode()
            setattr(dataset, keyword, copied[keyword].value)
            continue
        values = [str(value) for value in element.value] if element.VM > 1 else [str(element.value)]
        if keyword in _IDENTITY and "\ufffd" in "".join(values):
            raise SegcamError(
                "The patient's name or number has bytes that are no letters of the character set in the header. "
                "Correct the character set of the file; a new object would not belong to the same patient."
            )
        if keyword in _IDENTITY or is_valid(vr, values):
            setattr(dataset, keyword, values if len(values) > 1 else values[0])
        elif keyword in _ALWAYS:
            setattr(dataset, keyword, None)


def source_references(source: SourceImages, frames: Sequence[int], purpose: CodedEntry | None = None) -> list[Dataset]:
    """Return references to frames of the source, one item an instance.

    Args:
        source: the images.
        frames: numbers of the cine's frames, from 0.
        purpose: why they are referred to.
    """
    by_instance: dict[str, list[int]] = {}
    places = [source.place(number) for number in frames]
    for place in places:
        by_instance.setdefault(str(place.header.SOPInstanceUID), []).append(place.frame)
    items = []
    for place in {str(place.header.SOPInstanceUID): place for place in places}.values():
        item = Dataset()
        item.ReferencedSOPClassUID = place.header.SOPClassUID
        item.ReferencedSOPInstanceUID = place.header.SOPInstanceUID
        if place.is_multiframe:
            item.ReferencedFrameNumber = by_instance[str(place.header.SOPInstanceUID)]
        if purpose is not None:
            item.PurposeOfReferenceCodeSequence = [purpose.item()]
        items.append(item)
    return items


def derivation_item(source: SourceImages, frames: Sequence[int], code: CodedEntry, description: str) -> Dataset:
    """Return an item of a Derivation Image Sequence: these frames of the source, by this kind of derivation.

    Args:
        source: the images.
        frames: numbers of the cine's frames, from 0.
        code: the kind of derivation, from context group 7203.
        description: of the derivation, in words.
    """
    item = Dataset()
    item.DerivationDescription = fitted(description, SHORT_TEXT)
    item.DerivationCodeSequence = [code.item()]
    item.SourceImageSequence = source_references(source, frames, SOURCE_IMAGE)
    for image in item.SourceImageSequence:
        image.SpatialLocationsPreserved = "YES"
    return item


def save_object(dataset: FileDataset, path: Path) -> None:
    """Write an object, whole or not at all.

    Raises:
        SegcamError: if it cannot be written.
    """
    with whole_file(path) as temporary:
        try:
            dataset.save_as(temporary, enforce_file_format=True)
        except Exception as error:  # pydicom's errors for a value that it cannot encode are of many types
            if isinstance(error, OSError) and error.errno is not None:  # the disk's, not pydicom's
                raise
            reason = str(error).partition("\n")[0]
            raise SegcamError(f"{path.name} cannot be written as DICOM: {reason}.") from error


def _element(header: Dataset, keyword: str) -> DataElement | None:
    """Return an element; None if it is missing or its bytes cannot be read as its type."""
    try:
        return header.get(Tag(keyword))
    except Exception:  # pydicom's errors for a damaged value are of many types
        return None


def _zone(header: Dataset) -> timezone | None:
    """Return the time zone of the source's times, in which the new object's must be; None where it is not given."""
    element = _element(header, "TimezoneOffsetFromUTC")
    text = str(element.value) if element is not None else ""
    if len(text) != 5 or text[0] not in "+-" or not text[1:].isdigit():
        return None
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    return timezone(-offset if text[0] == "-" else offset) if offset < timedelta(hours=24) else None


def _referenced_series(source: SourceImages, frames: Sequence[int] | None) -> list[Dataset]:
    numbers = range(source.frame_count) if frames is None else frames
    headers = {str(place.header.SOPInstanceUID): place.header for place in map(source.place, numbers)}
    by_series: dict[str, list[Dataset]] = {}
    for header in headers.values():
        by_series.setdefault(str(header.SeriesInstanceUID), []).append(header)
    items = []
    for series_uid, members in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = UID(series_uid)
        item.ReferencedInstanceSequence = []
        for header in members:
            reference = Dataset()
            reference.ReferencedSOPClassUID = header.SOPClassUID
            reference.ReferencedSOPInstanceUID = header.SOPInstanceUID
            item.ReferencedInstanceSequence.append(reference)
        items.append(item)
    return items
