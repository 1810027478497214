"""Kinds of DICOM objects, and which of them get a de-identified copy."""

from __future__ import annotations

from enum import Enum

from pydicom import Dataset
from pydicom.uid import UID

from napari_segcam.deidentifying.refusals import WRONG_KIND, RefusedError

_STORAGE = "1.2.840.10008.5.1.4.1.1."


class ObjectKind(Enum):
    """Kind of a DICOM object; its value is the beginning of new file names."""

    IMAGE = "image"
    SEGMENTATION = "segmentation"
    MAP = "heatmap"
    REPORT = "report"
    PRESENTATION = "presentation"


_KINDS = {
    "3.1": ObjectKind.IMAGE,  # ultrasound multi-frame, and the retired one
    "3": ObjectKind.IMAGE,
    "6": ObjectKind.IMAGE,
    "6.1": ObjectKind.IMAGE,
    "7": ObjectKind.IMAGE,  # secondary captures
    "7.2": ObjectKind.IMAGE,
    "7.3": ObjectKind.IMAGE,
    "7.4": ObjectKind.IMAGE,
    "77.1.1": ObjectKind.IMAGE,  # endoscopes and photographs, and their videos
    "77.1.1.1": ObjectKind.IMAGE,
    "77.1.4": ObjectKind.IMAGE,
    "77.1.4.1": ObjectKind.IMAGE,
    "66.4": ObjectKind.SEGMENTATION,
    "66.7": ObjectKind.SEGMENTATION,  # label map
    "30": ObjectKind.MAP,
    "88.11": ObjectKind.REPORT,
    "88.22": ObjectKind.REPORT,
    "88.33": ObjectKind.REPORT,
    "88.34": ObjectKind.REPORT,
    "88.59": ObjectKind.REPORT,  # key objects
    "11.1": ObjectKind.PRESENTATION,
    "11.2": ObjectKind.PRESENTATION,
    "11.3": ObjectKind.PRESENTATION,
}


def object_kind(header: Dataset, name: str) -> ObjectKind:
    """Return the kind of an object.

    Args:
        header: of its file.
        name: of its file, for the error.

    Raises:
        RefusedError: if objects of this kind get no copy, such as documents and waveforms.
    """
    uid = UID(str(header.get("SOPClassUID") or ""))
    kind = _KINDS.get(uid.removeprefix(_STORAGE)) if uid.startswith(_STORAGE) else None
    if kind is None:
        what = f"is {uid.name}" if uid.is_valid and uid.name != uid else "does not say what kind of object it is"
        raise RefusedError(
            f"{name} {what}. Only ultrasound, secondary captures, endoscopy, photographs, segmentations, parametric "
            "maps, reports and presentation states are de-identified: other objects may hold text and pictures that "
            "are not cleaned.",
            WRONG_KIND,
        )
    return kind
