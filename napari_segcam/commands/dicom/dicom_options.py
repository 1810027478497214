"""The options of ``explain`` for DICOM objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from napari_segcam.dicom_objects.exporting.options import DicomOptions

_PANEL = "DICOM objects"


@dataclass(frozen=True)
class DicomObjectOptions:
    """Which DICOM objects are written."""

    dicom: Annotated[
        bool,
        typer.Option(
            "--dicom",
            help="For a DICOM image: write DICOM objects too, for a PACS: segmentation.dcm, heatmap_STAGE.dcm, "
            "overlay.dcm (a cine that every viewer plays) and report.dcm (measurements).",
            rich_help_panel=_PANEL,
        ),
    ] = False
    dicom_segmentation: Annotated[
        Literal["binary", "fractional", "labelmap"],
        typer.Option(
            help="binary: masks. fractional: probabilities. labelmap: one label a pixel, for classes that do not "
            "overlap.",
            rich_help_panel=_PANEL,
        ),
    ] = "binary"
    dicom_segments: Annotated[
        Literal["class", "finding"],
        typer.Option(
            help="What a segment is: a class, or one finding, followed over the frames.", rich_help_panel=_PANEL
        ),
    ] = "class"
    dicom_stage: Annotated[
        str | None,
        typer.Option(
            metavar="STAGE",
            help="The stage whose heatmap the overlay shows. Default: the one to look at first by --evidence, else "
            "the deepest encoder stage.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    dicom_compression: Annotated[
        Literal["jpeg", "none"], typer.Option(help="Of the overlay.", rich_help_panel=_PANEL)
    ] = "jpeg"

    def parsed(self) -> DicomOptions | None:
        """Return the options, or None if no DICOM objects are wanted.

        Raises:
            SegcamError: if they do not go together, or are given without ``--dicom``.
        """
        from napari_segcam.dicom_objects.exporting.options import DicomOptions
        from napari_segcam.errors import SegcamError

        options = DicomOptions(self.dicom_segmentation, self.dicom_segments, self.dicom_stage, self.dicom_compression)
        if not self.dicom and options != DicomOptions():
            raise SegcamError("Options that begin with --dicom- are about DICOM objects: add --dicom to write them.")
        return options if self.dicom else None
