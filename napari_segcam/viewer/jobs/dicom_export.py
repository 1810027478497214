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

_SHOWN = 10  # digits at the end of a UID: all of them would push the rest out of the widget


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
    """Write the collected objects; return a line on the result, and after a line break whom they belong to in full."""
    written = objects.write()
    count = len(written.objects)
    line = [f"{count} DICOM object{'s' * (count != 1)} of study …{objects.study_uid[-_SHOWN:]}."] if count else []
    line += [*written.left_out, *written.warnings]
    if written.problems:
        line.append(f"Not written: {' '.join(written.problems)}")
    return f"{' '.join(line)}\n{objects.identity_words}, each in a new series."
