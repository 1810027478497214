"""Terms: the values that coded strings and a few texts may keep, as the standard or makers of scanners define them."""

from __future__ import annotations

import re
from itertools import takewhile

_YES_NO = frozenset({"YES", "NO"})

# By keyword. A coded string that is not here is removed; so is one with any other value.
# The third and fourth values of the FrameType of enhanced images (PS3.3, section C.8.16.1).
_CONTRASTS = (
    "DYNAMIC VOLUME STATIC NONE ADDITION DIVISION MASKED MAXIMUM MEAN MINIMUM MULTIPLICATION QUANTITY RESAMPLED "
    "STD_DEVIATION SUBTRACTION"
)

_TERMS: dict[str, str | tuple[str, ...]] = {
    "ImageType": (
        *("ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "OTHER", "MIXED"),
        # Of ultrasound (PS3.3, section C.8.5.6.1.1).
        *("ABDOMINAL", "BREAST", "CHEST", "ENDOCAVITARY", "ENDORECTAL", "ENDOVAGINAL", "EPICARDIAL", "FETAL HEART"),
        *("GYNECOLOGY", "INTRACARDIAC", "INTRAOPERATIVE", "INTRAVASCULAR", "MUSCULOSKELETAL", "NEONATAL HEAD"),
        *("OBSTETRICAL", "OPHTHALMIC", "PEDIATRIC", "PELVIC", "RETROPERITONEAL", "SCROTAL", "SMALL PARTS", "TEE"),
        *("THYROID", "TRANSCRANIAL", "TTE", "US BIOPSY", "VASCULAR"),
        *_CONTRASTS.split(),
    ),
    "BodyPartExamined": (
        *("ABDOMEN", "ANKLE", "AORTA", "ARM", "AXILLA", "BACK", "BLADDER", "BRAIN", "BREAST", "CAROTID", "CHEST"),
        *("ELBOW", "EXTREMITY", "EYE", "FETUS", "FOOT", "GALLBLADDER", "HAND", "HEAD", "HEART", "HIP", "KIDNEY"),
        *("KNEE", "LEG", "LIVER", "LUNG", "MUSCLE", "NECK", "NERVE", "OVARY", "PANCREAS", "PELVIS", "PLACENTA"),
        *("PROSTATE", "SCROTUM", "SHOULDER", "SKIN", "SPLEEN", "TESTIS", "THIGH", "THYROID", "UTERUS", "VAGINA"),
        *("VEIN", "WRIST", "WHOLEBODY"),
    ),
    "FrameType": f"ORIGINAL DERIVED PRIMARY SECONDARY OTHER MIXED {_CONTRASTS}",
    "Modality": "US SEG SR PR OT KO IVUS ES",
    "ConversionType": "DV DI DF WSD SD SI DRW SYN",
    "PhotometricInterpretation": (
        *("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB"),
        *("YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420"),
    ),
    "LossyImageCompression": "00 01",
    "LossyImageCompressionMethod": (
        *("ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_13818_2", "ISO_14496_10", "ISO_23008_2"),
    ),
    "Laterality": "L R",
    "ImageLaterality": "L R B U",
    "FrameLaterality": "L R B U",
    "PatientPosition": "HFP HFS HFDR HFDL FFDR FFDL FFP FFS",
    "TransducerType": (
        *("SECTOR_PHASED", "SECTOR_MECH", "SECTOR_ANNULAR", "LINEAR", "CURVED LINEAR", "SINGLE CRYSTAL"),
        *("SPLIT XTAL CWD", "IV_PHASED", "IV_ROT XTAL", "IV_ROT MIRROR", "ENDOCAV_PA", "ENDOCAV_MECH"),
        *("ENDOCAV_CLA", "ENDOCAV_AA", "ENDOCAV_LINEAR", "VECTOR_PHASED"),
    ),
    "PresentationLUTShape": "IDENTITY INVERSE",
    "VOILUTFunction": "LINEAR LINEAR_EXACT SIGMOID",
    "RecommendedViewingMode": "SUB NAT",
    "PixelPresentation": "MONOCHROME COLOR MIXED TRUE_COLOR",
    "VolumetricProperties": "VOLUME SAMPLED DISTORTED MIXED",
    "VolumeBasedCalculationTechnique": "NONE MAX_IP MIN_IP VOLUME_RENDER SURFACE_RENDER MPR CURVED_MPR",
    "ContentQualification": "PRODUCT RESEARCH SERVICE",
    "RescaleType": "US OD HU PCT",
    "ModalityLUTType": "US OD HU",
    "PixelIntensityRelationship": "LIN LOG",
    "PixelSpacingCalibrationType": "GEOMETRY FIDUCIAL",
    "InitialCineRunState": "STOPPED RUNNING",
    "PreferredPlaybackSequencing": "LOOPING SWEEPING",
    "AcquisitionTimeSynchronized": "Y N",
    "SynchronizationTrigger": (*("SOURCE", "EXTERNAL", "PASSTHRU", "NO TRIGGER"),),
    "DimensionOrganizationType": "3D 3D_TEMPORAL TILED_FULL TILED_SPARSE",
    "PatientFrameOfReferenceSource": "TABLE ESTIMATED REGISTRATION",
    "UltrasoundAcquisitionGeometry": "APEX",
    "SpatialLocationsPreserved": "YES NO REORIENTED_ONLY",
    # Segmentations and parametric maps.
    "SegmentationType": "BINARY FRACTIONAL LABELMAP",
    "SegmentationFractionalType": "PROBABILITY OCCUPANCY",
    "SegmentAlgorithmType": "AUTOMATIC SEMIAUTOMATIC MANUAL",
    "SegmentsOverlap": "YES NO UNDEFINED",
    "ContentLabel": "SEGMENTATION SEGMENTATIONS HEATMAP HEATMAPS PARAMETRIC_MAP GRADCAM OVERLAY",
    # Structured reports.
    "ValueType": "TEXT NUM CODE DATETIME DATE TIME UIDREF PNAME COMPOSITE IMAGE WAVEFORM SCOORD SCOORD3D TCOORD "
    "CONTAINER TABLE",
    "RelationshipType": (
        *("CONTAINS", "HAS OBS CONTEXT", "HAS ACQ CONTEXT", "HAS CONCEPT MOD", "HAS PROPERTIES"),
        *("INFERRED FROM", "SELECTED FROM"),
    ),
    "ContinuityOfContent": "SEPARATE CONTINUOUS",
    "CompletionFlag": "COMPLETE PARTIAL",
    "PreliminaryFlag": "PRELIMINARY FINAL",
    "TemporalRangeType": "POINT MULTIPOINT SEGMENT MULTISEGMENT BEGIN END",
    "GraphicType": "POINT MULTIPOINT MULTISEGMENT POLYLINE CIRCLE ELLIPSE POLYGON ELLIPSOID",
    "MappingResource": "DCMR",
    # Presentation states.
    "PresentationSizeMode": (*("SCALE TO FIT", "TRUE SIZE", "MAGNIFY"),),
    "ImageHorizontalFlip": "Y N",
    "ShutterShape": "RECTANGULAR CIRCULAR POLYGONAL BITMAP",
}
TERMS: dict[str, frozenset[str]] = {
    keyword: frozenset(terms if isinstance(terms, tuple) else terms.split()) for keyword, terms in _TERMS.items()
} | dict.fromkeys(("BurnedInAnnotation", "RecognizableVisualFeatures", "SkipFrameRangeFlag"), _YES_NO)


# What replaces a coded string that an object needs.
REPLACEMENTS = {
    "Modality": "OT",
    "ConversionType": "WSD",
    "ImageType": "DERIVED",
    "ContentLabel": "REMOVED",
    "VerificationFlag": "UNVERIFIED",
    "RescaleType": "US",
    "ModalityLUTType": "US",
    "BurnedInAnnotation": "YES",
}

# Coded strings that the standard defines by a pattern.
PATTERNS = {
    "PatientOrientation": re.compile("[APRLHF]{1,3}"),
    "TemplateIdentifier": re.compile(r"\d{1,5}"),
}

_MODE = re.compile("0[0-9A-F]{3}")  # the fourth value of an ultrasound's ImageType: which modes it shows

_MAKER_WORDS = (
    "ge healthcare medical systems ultrasound vingmed philips siemens healthineers acuson canon toshiba "
    "samsung medison mindray hitachi aloka fujifilm sonosite visualsonics esaote supersonic imagine "
    "hologic bk zonare atl agfa terason butterfly clarius konica minolta shimadzu edan chison sonoscape "
    "alpinion verathon napari-segcam highdicom inc ltd co corporation electronics"
)
_MAKERS = frozenset(_MAKER_WORDS.split())


def is_maker(text: str) -> bool:
    """Return whether a text is the name of a maker of scanners or of software, and nothing else."""
    words = re.split(r"[\s,.&()/]+", text.casefold())
    return any(words) and all(word in _MAKERS for word in words if word)


def kept_terms(keyword: str, values: list[str]) -> list[str] | None:
    """Return the values that a coded string may keep; None if it is to be removed.

    ImageType and FrameType end before their first unknown value after the second.
    """
    pattern, terms = PATTERNS.get(keyword), TERMS.get(keyword)
    if pattern is not None:
        return values if all(pattern.fullmatch(value) for value in values) else None
    if terms is None:
        return None
    if keyword in ("ImageType", "FrameType") and len(values) > 1:
        if all(value in terms for value in values[:2]):
            return [*values[:2], *takewhile(lambda value: value in terms or _MODE.fullmatch(value), values[2:])]
        return None
    return values if all(value in terms for value in values) else None
