"""The export as DICOM objects, for `explain`, the Export widget and `review export`: collected frame by frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.exporting.collected_masks import CollectedMasks
from napari_segcam.dicom_objects.exporting.frame_masks import FrameMasks
from napari_segcam.dicom_objects.exporting.options import DicomOptions, FirstStages
from napari_segcam.dicom_objects.new_object import save_object
from napari_segcam.dicom_objects.overlay_cine.writing import burned_in_warning
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.structured_report import check_reports, structured_report
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import safe_name
from napari_segcam.reporting.overlay_style import OverlayStyle

if TYPE_CHECKING:  # these import torch
    import numpy as np
    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset

    from napari_segcam.dicom_objects.exporting.collected_heat import CollectedHeat
    from napari_segcam.dicom_objects.findings.reported_finding import FrameVerdicts
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.reporting.correction import Correction

SEGMENTATION, REPORT, OVERLAY = "segmentation.dcm", "report.dcm", "overlay.dcm"


@dataclass(frozen=True)
class WrittenObject:
    """A DICOM object on disk.

    Attributes:
        path: of the file.
        series_uid: of its series.
    """

    path: Path
    series_uid: str


@dataclass(frozen=True)
class Written:
    """What an export wrote.

    Attributes:
        objects: the files, in the order in which they were written.
        problems: what could not be written and why, each as a sentence that begins with the file's name.
        left_out: what there is nothing to write of, in sentences.
        warnings: what to know before the files are shared, in sentences.
    """

    objects: tuple[WrittenObject, ...]
    problems: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_dicom_export(cine: Cine) -> SourceImages:
    """Return the source of a cine, after checking that DICOM objects can be made for it.

    Raises:
        SegcamError: if it is no DICOM file or folder of DICOM stills, its headers do not allow it, or a package is
            missing.
    """
    source = SourceImages.of(cine)
    check_reports()
    return source


class DicomExport:
    """Collects explained frames, then writes their objects.

    These are ``segmentation.dcm``, ``heatmap_STAGE.dcm``, ``overlay.dcm`` and ``report.dcm``.
    Masks are kept packed and heatmaps at their own resolution. Heatmaps and overlays of several methods or classes are
    written to a folder for each.

    Args:
        source: the images of the cine.
        cine: of which frames are added.
        folder: to write to; created if it is missing.
        options: of the export.
        style: colormap and opacity of the overlay; None for the usual ones.
        by_method: use a folder for each method; needed for several methods.
        by_class: use a folder for each class; needed for several classes.
        first_stages: when ``add`` says which stage to look at first, which is the one of the overlay: never, once for
            all frames, or for each frame, of which the most frequent counts.
        algorithm: the network; by default that of the explanations.

    Attributes:
        folder: as above.
    """

    def __init__(
        self,
        source: SourceImages,
        cine: Cine,
        folder: str | os.PathLike[str],
        options: DicomOptions | None = None,
        *,
        style: OverlayStyle | None = None,
        by_method: bool = False,
        by_class: bool = False,
        first_stages: FirstStages = "never",
        algorithm: Algorithm | None = None,
    ) -> None:
        self._source, self._cine, self.folder = source, cine, Path(folder)
        self._options = options or DicomOptions()
        self._style, self._by_method, self._by_class = style, by_method, by_class
        self._first_stages: FirstStages = "never" if self._options.overlay_stage is not None else first_stages
        self._algorithm = algorithm
        is_moving = len(source.headers) == 1
        self._masks = CollectedMasks(source, self._options, aspect=cine.pixel_aspect, is_moving=is_moving)
        self._heat: dict[tuple[str, int], CollectedHeat] = {}
        self._class_folders: dict[int, str] = {}
        self._no_mask: str | None = None

    def __len__(self) -> int:
        """How many frames have a mask."""
        return len(self._masks)

    def add(
        self,
        number: int,
        explanation: Explanation,
        *,
        correction: Correction | None = None,
        other_classes: Mapping[str, NDArray[np.uint8]] | None = None,
        verdicts: FrameVerdicts | None = None,
        shown_first: str | None = None,
    ) -> None:
        """Add an explanation of a frame. The masks are those of the first explanation of each frame.

        Args:
            number: of the frame in the cine, from 0.
            explanation: of the frame.
            correction: of the frame, if a reader painted one.
            other_classes: a reader's corrections of other classes that may overlap the explained one, by name.
            verdicts: of a reader.
            shown_first: the stage to look at first in this frame, as far as evidence tells.
        """
        from napari_segcam.dicom_objects.exporting.collected_heat import CollectedHeat
        from napari_segcam.reporting.exports import class_folder

        self._algorithm = self._algorithm or Algorithm.of_provenance(explanation.provenance)
        self._no_mask = explanation.no_mask
        if number not in self._masks and explanation.no_mask is None:
            self._masks.add(number, FrameMasks.of(explanation, correction, other_classes), verdicts)
        if explanation.heatmaps:
            key = explanation.method, explanation.target.class_index or 0
            self._class_folders[key[1]] = class_folder(explanation)
            if key not in self._heat:
                self._heat[key] = CollectedHeat(
                    self._source, explanation, self._algorithm, self._options, first_stages=self._first_stages
                )
            self._heat[key].add(number, explanation, correction, shown_first)

    def add_masks(self, number: int, masks: FrameMasks, verdicts: FrameVerdicts | None = None) -> None:
        """Add the masks of a frame without heatmaps.

        Args:
            number: of the frame in the cine, from 0.
            masks: of the frame.
            verdicts: of a reader.
        """
        self._masks.add(number, masks, verdicts)

    def write(self, cancelled: Callable[[], bool] = lambda: False) -> Written:
        """Write all objects, each whole or not at all; one that cannot be written does not keep the others from it.

        Args:
            cancelled: returns whether to stop before the next object.
        """
        objects: list[WrittenObject] = []
        problems: list[str] = []
        made: dict[str, FileDataset] = {}
        for path, make in self._objects(made):
            if cancelled():
                problems.append(f"{path.name}: not written, as you stopped it.")
                continue
            try:
                dataset = make()
                save_object(dataset, path)
            except SegcamError as error:
                problems.append(f"{path.name}: {error}")
            except Exception as error:  # of a library, for a value that nobody foresaw: the other objects are written
                problems.append(f"{path.name} cannot be made: {type(error).__name__}: {error_text(error)}.")
            else:
                made.setdefault(path.name, dataset)
                objects.append(WrittenObject(path, str(dataset.SeriesInstanceUID)))
        left_out = []
        has_overlay = any(made.path.name == OVERLAY for made in objects)
        warning = burned_in_warning(self._source) if has_overlay else None
        if not self._masks:
            left_out.append(
                f"There is no {SEGMENTATION} and no {REPORT}, as {self._no_mask or 'no frame was examined'}."
            )
        return Written(tuple(objects), tuple(problems), tuple(left_out), () if warning is None else (warning,))

    @property
    def study_uid(self) -> str:
        """The study that the objects belong to."""
        return self._source.study_uid

    @property
    def identity_words(self) -> str:
        """Whom the objects belong to, without the patient's name."""
        series = ", ".join(self._source.series_uids)
        return f"DICOM objects of study {self._source.study_uid}, made from series {series}"

    def _objects(self, made: Mapping[str, FileDataset]) -> Iterator[tuple[Path, Callable[[], FileDataset]]]:
        """Yield the path of each object and how it is made; the report comes last, as it refers to the segmentation."""
        if self._masks:
            yield self.folder / SEGMENTATION, lambda: self._masks.segmentation(self._algorithm)
        for (method, class_index), heat in self._heat.items():
            folder = self.folder
            if self._by_method:
                folder /= safe_name(method)
            if self._by_class:
                folder /= self._class_folders[class_index]
            for name, make in heat.objects(self._cine, self._style or OverlayStyle()):
                yield folder / name, make
        if self._masks:
            yield self.folder / REPORT, lambda: self._report(made.get(SEGMENTATION))

    def _report(self, segmentation: FileDataset | None) -> FileDataset:
        notes = []
        if segmentation is None:
            notes.append("There is no segmentation of these findings, as it could not be written.")
        elif self._options.segments == "finding" and self._masks.leaves_out:
            notes.append("The segmentation holds the findings that are measured, and no others.")
        if edited := self._masks.edited_frames:
            frames = f"{len(edited)} frame{'s' * (len(edited) != 1)}"
            notes.append(f"A reader edited the masks of {frames}; these findings are measured on the edited masks.")
        return structured_report(
            self._source,
            self._masks.findings(),
            examined=self._masks.examined(),
            algorithm=self._algorithm,
            segmentation=segmentation,
            reader=self._options.reader,
            notes=notes,
        )
