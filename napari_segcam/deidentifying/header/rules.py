"""Rules: what happens to each element, by the Basic Application Level Confidentiality Profile (PS3.15, table E.1-1).

The table is that of dicom-anonymizer. Its own functions are not used: they leave nested elements, elements that the
table does not list, and dates.
"""

from __future__ import annotations

from enum import Enum
from functools import cache

from pydicom.datadict import tag_for_keyword

from napari_segcam.optional import needed

_EDITION = "dicomfields_2026c"


class Rule(Enum):
    """What the profile does with an element."""

    DUMMY = "replaced"
    EMPTY = "emptied"
    REMOVE = "removed"
    UID = "new UID"


@cache
def profile() -> dict[int, Rule]:
    """Return the rules of the profile by tag.

    Raises:
        SegcamError: if dicom-anonymizer is missing.
    """
    needed("dicomanonymizer", "De-identified copies follow a table of DICOM", extra="deidentify")
    from dicomanonymizer.simpledicomanonymizer import initialize_actions

    rules = {"replace": Rule.DUMMY, "empty": Rule.EMPTY, "delete": Rule.REMOVE, "replace_UID": Rule.UID}
    return {
        tag[0] << 16 | tag[1]: rules.get(action.__name__, Rule.DUMMY)
        for tag, action in initialize_actions(_EDITION).items()
        if len(tag) == 2  # the others are curves and overlays, which are removed as groups
    }


def _tags(keywords: str) -> frozenset[int]:
    return frozenset(int(tag_for_keyword(keyword) or f"no keyword: {keyword}") for keyword in keywords.split())


# Sequences of the profile that are cleaned item by item, so that objects still point to each other.
CLEANED_SEQUENCES = _tags("ContentSequence ReferencedImageSequence SourceImageSequence")

# Sequences beyond the profile that hold nothing but text, pictures or names.
REMOVED_SEQUENCES = _tags(
    "GraphicAnnotationSequence GraphicLayerSequence TextObjectSequence ContributingEquipmentSequence "
    "CodingSchemeIdentificationSequence IconImageSequence ReferencedPatientSequence PatientSpeciesCodeSequence "
    "PatientBreedCodeSequence EncryptedAttributesSequence MACParametersSequence InstitutionCodeSequence "
    "WaveformSequence RequestedProcedureCodeSequence ReferencedRequestSequence PerformedProcedureCodeSequence "
    "HL7StructuredDocumentReferenceSequence DeidentificationMethodCodeSequence "
    "ProcedureCodeSequence PerformedProtocolCodeSequence EquivalentCodeSequence "
    "VerifyingObserverSequence PredecessorDocumentsSequence"
)

# Needed with a value: it is replaced.
NEEDED = _tags(
    "ContentDate ContentTime PresentationCreationDate PresentationCreationTime Date Time DateTime ObservationDateTime "
    "FrameAcquisitionDateTime FrameReferenceDateTime ReferencedDateTime PersonName TextValue LUTExplanation "
    "Manufacturer ManufacturerModelName DeviceSerialNumber SoftwareVersions SegmentLabel AlgorithmName "
    "AlgorithmVersion SegmentAlgorithmName LUTLabel StackID TrackingID PixelSpacingCalibrationDescription "
    "Modality ConversionType ImageType ContentLabel VerificationFlag RescaleType ModalityLUTType"
)

# Needed, but may be empty.
NEEDED_EMPTY = _tags(
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber ReferringPhysicianName "
    "StudyID PositionReferenceIndicator ContentDescription ContentCreatorName Laterality PatientOrientation "
    "RecommendedViewingMode AcquisitionContextSequence PerformedProcedureCodeSequence "
    "ReferencedPerformedProcedureStepSequence SeriesNumber InstanceNumber ContrastBolusAgent"
)

# Data of pixels.
BULK_KEPT = _tags(
    "RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData "
    "SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData "
    "SegmentedBluePaletteColorLookupTableData LUTData"
)
