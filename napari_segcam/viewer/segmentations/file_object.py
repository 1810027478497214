"""What a DICOM file that belongs to an image must tell, so that it can be opened over that image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from napari.components import ViewerModel
from napari.layers import Image

from napari_segcam.dicom_objects.source_images import SourceImages

AddLayers = Callable[[ViewerModel, Image], None]
"""Adds the layers over an image; called in the UI thread, where it must not read or compute."""


class FileObject(Protocol):
    """A segmentation, a map or the like; all but ``AddLayers`` is called in a worker.

    Attributes:
        path: of the file.
        kind: what it is, in words.
        uids: SOP instance UIDs of the images that it is about.
        patient_id: of the patient; empty if the file gives none.
        size: rows and columns of the images that it fits, in words; empty if any.
    """

    path: Path
    kind: str
    uids: tuple[str, ...]
    patient_id: str
    size: str

    def lay(self, source: SourceImages) -> Iterator[AddLayers | None]:
        """Prepare its layers for the frames of a cine: step by step, and yield at the end what adds them.

        Raises:
            SegcamError: if it does not fit them.
        """
        ...


def unrelated(file_object: FileObject, name: str, source: SourceImages) -> str:
    """Return why a file is not about this image, in words; empty if it is.

    Args:
        file_object: the file.
        name: of the image.
        source: the image.
    """
    file_name = file_object.path.name
    patient = str(source.first.get("PatientID") or "").strip()
    if file_object.patient_id and patient and file_object.patient_id != patient:
        return f"{name} is of another patient than {file_name}."
    size = f"{source.columns} × {source.rows}"
    if file_object.size and file_object.size != size:
        return f"{name} has frames of {size} pixels, but {file_name} is about {file_object.size}."
    if not is_about(file_object, source):
        return f"{name} is not the image that {file_name} was made of."
    return ""


def is_about(file_object: FileObject, source: SourceImages) -> bool:
    """Return whether a file refers to an instance of this image."""
    return any(source.numbers_of(uid) is not None for uid in file_object.uids)
