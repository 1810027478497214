"""Codes of classes: a few words that ultrasound networks use, in SNOMED CT; all others in a local scheme."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from napari_segcam.dicom_objects.coded_entry import OWN_SCHEME, CodedEntry
from napari_segcam.dicom_objects.values import fitted

_LONGEST_VALUE = 16  # of the value representation SH


@dataclass(frozen=True)
class ClassCodes:
    """What a class is, in codes.

    Attributes:
        category: the broad kind, of CID 7150.
        type: what it is.
        region: where in the body it is; None if the name of the class does not say so.
    """

    category: CodedEntry
    type: CodedEntry
    region: CodedEntry | None = None


def _sct(value: str, meaning: str) -> CodedEntry:
    return CodedEntry(value, "SCT", meaning)


# Segmentation property categories (CID 7150).
ANATOMY = _sct("91723000", "Anatomical Structure")
ABNORMAL = _sct("49755003", "Morphologically Abnormal Structure")
TISSUE = _sct("85756007", "Tissue")
SUBSTANCE = _sct("91720002", "Body Substance")
PHYSICAL_OBJECT = _sct("260787004", "Physical object")
SPATIAL = _sct("309825002", "Spatial and Relational Concept")

_UTERUS, _BREAST = _sct("35039007", "Uterus"), _sct("76752008", "Breast")
_THYROID, _OVARY = _sct("69748006", "Thyroid"), _sct("15497006", "Ovary")
_LEIOMYOMA, _CYST = _sct("1162890002", "Leiomyoma"), _sct("367643001", "Cyst")
_LESION, _MASS = _sct("52988006", "Lesion"), _sct("4147007", "Mass")
_NODULE, _NEOPLASM = _sct("27925004", "Nodule"), _sct("108369006", "Neoplasm")

# Codes and meanings are those of the tables of the standard (PS3.16). A word is here only if it means one thing.
_ORGANS: Mapping[str, CodedEntry] = {
    "uterus": _UTERUS,
    "breast": _BREAST,
    "thyroid": _THYROID,
    "thyroid gland": _THYROID,
    "ovary": _OVARY,
    "endometrium": _sct("2739003", "Endometrium"),
    "placenta": _sct("78067005", "Placenta"),
    "liver": _sct("10200004", "Liver"),
    "gallbladder": _sct("28231008", "Gallbladder"),
    "spleen": _sct("78961009", "Spleen"),
    "pancreas": _sct("15776009", "Pancreas"),
    "kidney": _sct("64033007", "Kidney"),
    "urinary bladder": _sct("89837001", "Bladder"),
    "prostate": _sct("41216001", "Prostate"),
    "testis": _sct("40689003", "Testis"),
    "heart": _sct("80891009", "Heart"),
    "left ventricle": _sct("87878005", "Left ventricle"),
    "right ventricle": _sct("53085002", "Right ventricle"),
    "left atrium": _sct("82471001", "Left atrium"),
    "right atrium": _sct("73829009", "Right atrium"),
    "blood vessel": _sct("59820001", "Blood Vessel"),
    "artery": _sct("51114001", "Artery"),
    "vein": _sct("29092000", "Vein"),
    "aorta": _sct("15825003", "Aorta"),
    "carotid artery": _sct("69105007", "Carotid Artery"),
    "common carotid artery": _sct("32062004", "Common carotid artery"),
    "brachial plexus": _sct("36582005", "Brachial plexus"),
    "lymph node": _sct("59441001", "Lymph Node"),
    "lung": _sct("39607008", "Lung"),
    "pleura": _sct("3120008", "Pleura"),
    "rib": _sct("113197003", "Rib"),
    "brain": _sct("12738006", "Brain"),
    "pubic symphysis": _sct("82561000", "Symphysis pubis"),
    "symphysis pubis": _sct("82561000", "Symphysis pubis"),
}
_ABNORMAL: Mapping[str, tuple[CodedEntry, CodedEntry | None]] = {
    "lesion": (_LESION, None),
    "mass": (_MASS, None),
    "nodule": (_NODULE, None),
    "cyst": (_CYST, None),
    "tumor": (_NEOPLASM, None),
    "tumour": (_NEOPLASM, None),
    "neoplasm": (_NEOPLASM, None),
    "abscess": (_sct("44132006", "Abscess"), None),
    "fibroid": (_LEIOMYOMA, None),
    "leiomyoma": (_LEIOMYOMA, None),
    "uterine fibroid": (_LEIOMYOMA, _UTERUS),
    "uterine leiomyoma": (_LEIOMYOMA, _UTERUS),
    "uterine myoma": (_LEIOMYOMA, _UTERUS),
    "breast lesion": (_LESION, _BREAST),
    "breast mass": (_MASS, _BREAST),
    "breast tumor": (_NEOPLASM, _BREAST),
    "breast cyst": (_CYST, _BREAST),
    "thyroid nodule": (_NODULE, _THYROID),
    "ovarian cyst": (_CYST, _OVARY),
    "liver lesion": (_LESION, _ORGANS["liver"]),
}
_TISSUES: Mapping[str, CodedEntry] = {"tendon": _sct("13024002", "Tendon"), "muscle": _sct("91727004", "Muscle")}
_OBJECTS: Mapping[str, CodedEntry] = {"needle": _sct("79068005", "Needle"), "catheter": _sct("19923001", "Catheter")}


def class_codes(name: str) -> ClassCodes:
    """Return the codes of a class by its name; upper or lower case and ``_`` or ``-`` for a space do not matter.

    A name that is not known gets a code of the local scheme with the name as its meaning, never a clinical code that
    is only likely.
    """
    word = _word(name)
    if word in _ORGANS:
        return ClassCodes(ANATOMY, _ORGANS[word])
    if word in _ABNORMAL:
        return ClassCodes(ABNORMAL, *_ABNORMAL[word])
    if word in _TISSUES:
        return ClassCodes(TISSUE, _TISSUES[word])
    if word in _OBJECTS:
        return ClassCodes(PHYSICAL_OBJECT, _OBJECTS[word])
    return ClassCodes(SPATIAL, local_code(name))


def local_code(name: str) -> CodedEntry:
    """Return the code of a class in the local scheme: the same for the same name."""
    word = _word(name)
    value = re.sub(r"[^a-z0-9]+", "_", word).strip("_")
    if not word.isascii() or not value or len(value) > _LONGEST_VALUE:
        value = hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()[:_LONGEST_VALUE]
    return CodedEntry(value, OWN_SCHEME, fitted(name))


def _word(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()
