"""DICOM: for each case a segmentation and a report, in the study of its image; images are not copied."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.exporting.frame_masks import FrameMasks, Mask
from napari_segcam.dicom_objects.exporting.options import DicomOptions
from napari_segcam.dicom_objects.findings.reported_finding import Origin
from napari_segcam.dicom_objects.structured_report import check_reports
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.imaging.opening import open_cine
from napari_segcam.review.export.formats.writer import Written
from napari_segcam.review.export.pairs import Pair
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.project_file import Case, Checkpoint
from napari_segcam.review.report.collecting import RaterWork
from napari_segcam.review.report.masks import corrected, predicted
from napari_segcam.review.reported_verdicts import reported_verdicts

if TYPE_CHECKING:
    from napari_segcam.dicom_objects.export import DicomExport

NO_DICOM = "the image is not a DICOM file, so no DICOM object can belong to it"
_NO_PROBABILITY = "the mask comes from a review, which keeps no probabilities"


class DicomWriter:
    """Writes ``CASE/segmentation.dcm`` and ``CASE/report.dcm``.

    Args:
        folder: of the export.
        classes: names of those to export.
        project: of the review.
        work: of the rater, whose name and verdicts are in the report.
        checkpoint: whose masks were judged.

    Raises:
        SegcamError: if the package for reports is missing.
    """

    def __init__(
        self,
        folder: Path,
        classes: Collection[str],
        project: ReviewProject,
        work: RaterWork,
        checkpoint: Checkpoint,
    ) -> None:
        check_reports()
        self._folder, self._classes = folder, classes
        self._project, self._work, self._checkpoint = project, work, checkpoint
        self._name = ""
        self._export: DicomExport | None = None

    def write(self, pair: Pair) -> Written:
        """Add the mask of a frame to the objects of its case, which are written once the last frame is there."""
        name = pair.name.replace(f"_frame_{pair.source.frame:04d}", "")
        if self._export is None or name != self._name:
            self.finish()
            self._name, self._export = name, self._begin(pair.source.case, name)
        state = self._work.state.of(pair.source.reading)
        verdicts = reported_verdicts(state, pair.source.frame, self._checkpoint.name)
        self._export.add_masks(pair.source.frame, self._masks(pair), verdicts)
        return Written((), f"{name}/segmentation.dcm", "not exported")

    def finish(self) -> None:
        """Write the objects of the last case.

        Raises:
            SegcamError: if one of them cannot be written.
        """
        if self._export is None:
            return
        written = self._export.write()
        self._export = None
        if written.problems:
            raise SegcamError(f"{self._name}: {' '.join(written.problems)}")

    def _begin(self, case: Case, name: str) -> DicomExport:
        from napari_segcam.dicom_objects.export import DicomExport, check_dicom_export

        cine = open_cine(self._project.image_path(case))
        options = DicomOptions(reader=self._work.rater)
        return DicomExport(
            check_dicom_export(cine), cine, self._folder / name, options, algorithm=_algorithm(self._checkpoint)
        )

    def _masks(self, pair: Pair) -> FrameMasks:
        """Return the masks of a frame, and who made each: a correction that equals its prediction is the network's."""
        masks = {name: region for name, region in pair.regions.items() if name in self._classes}
        origins: dict[str, Origin] = dict.fromkeys(masks, "network")
        for event in pair.source.corrections.values():
            mask, start = corrected(self._work, event), predicted(self._work, event)
            painted = {} if mask is None else mask.regions({})
            began = None if start is None else start.regions({} if mask is None else mask.names)
            for name, region in painted.items():
                if name in origins:
                    origins[name] = _origin(region, None if began is None else began.get(name), has_start=bool(began))
        return FrameMasks(masks, origins, no_probability=_NO_PROBABILITY)


def is_dicom_case(project: ReviewProject, case: Case) -> bool:
    """Return whether the image of a case is a DICOM file, or a folder of stills of which the first is one."""
    try:
        path = project.image_path(case)
        if path.is_dir():
            cine = open_cine(path)
            path = next(iter(getattr(cine, "frame_paths", ())), path)
        return path.is_file() and kind_of(read_head(path)) is FileKind.DICOM
    except SegcamError:
        return False


def _origin(region: Mask, began: Mask | None, *, has_start: bool) -> Origin:
    """Return who made a mask, which a reader has corrected.

    Args:
        region: as it is.
        began: as the network made it; None if it made none of this class.
        has_start: whether the reader began with a prediction at all.
    """
    if not has_start:
        return "reader"
    same = not region.any() if began is None else bool((region == began).all())
    return "network" if same else "edited"


def _algorithm(checkpoint: Checkpoint) -> Algorithm:
    sums = tuple(checkpoint.sha256)
    name = PurePosixPath(checkpoint.paths[0]).name
    if len(sums) == 1:
        return Algorithm(name, sums[0])
    members = tuple(f"member {number}, SHA-256 {one}" for number, one in enumerate(sums, start=1))
    return Algorithm(name, hashlib.sha256("".join(sums).encode()).hexdigest(), members)
