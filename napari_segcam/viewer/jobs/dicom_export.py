"""The DICOM objects of an export: what the user asks for, and what the worker makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_segcam.dicom_objects.exporting.options import DicomOptions
from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.layer_source import LayerSource

if TYPE_CHECKING:  # these are imported where the work is done
    from napari_segcam.dicom_objects.export import DicomExport
    from napari_segcam.dicom_objects.findings.reported_finding import FrameVerdicts
    from napari_segcam.reporting.overlay_style import OverlayStyle

_BREAK = "\u200b"  # where a long number may go on in the next line
_PART = 12


@dataclass(frozen=True)
class DicomRequest:
    """DICOM objects of an export.

    Attributes:
        options: how they are made.
        verdicts: of the reader, by frame.
    """

    options: DicomOptions
    verdicts: Mapping[int, FrameVerdicts] = field(default_factory=dict)


def begin_objects(source: LayerSource, request: DicomRequest, folder: Path, style: OverlayStyle) -> DicomExport:
    """Return what collects the objects of an image.

    Args:
        source: the image's frames.
        request: what is asked for.
        folder: to write to.
        style: how the overlay is drawn.

    Raises:
        SegcamError: if the image is no DICOM file, or is no longer what the file holds.
    """
    from napari_segcam.dicom_objects.export import DicomExport, check_dicom_export
    from napari_segcam.imaging.opening import open_cine

    if source.path is None:
        raise SegcamError(f"{source.name} is no file: it belongs to no patient, so no DICOM object can be made for it.")
    stored = open_cine(source.path)
    origin = check_dicom_export(stored)
    if len(stored) != len(source.cine) or stored.frame_shape[:2] != source.cine.frame_shape[:2]:
        raise SegcamError(
            f"The image {source.name} is not what {source.path.name} holds, so no DICOM object can refer to that file. "
            "Open the file again, and export that image."
        )
    return DicomExport(origin, source.cine, folder, request.options, style=style)


def write_objects(objects: DicomExport) -> str:
    """Write the collected objects; return in words whom they belong to, and what could not be written."""
    written = objects.write()
    parts = [*written.left_out, *written.warnings]
    if written.objects:
        parts.insert(0, f"{_breakable(objects.identity_words)}, each in a new series.")
    if written.problems:
        parts.append(f"Not written: {' '.join(written.problems)}")
    return " ".join(parts)


def _breakable(words: str) -> str:
    """Return words in which long numbers can be broken into lines, so that they do not widen the window."""
    parts = []
    for word in words.split(" "):
        pieces = [word[place : place + _PART] for place in range(0, len(word), _PART)]
        parts.append(_BREAK.join(pieces))
    return " ".join(parts)
