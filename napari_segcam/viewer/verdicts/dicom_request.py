"""What an export of the image in view asks for as DICOM objects: with the reader's verdicts, where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_segcam.dicom_objects.exporting.options import DicomOptions
from napari_segcam.review.reported_verdicts import reported_verdicts
from napari_segcam.viewer.jobs.dicom_export import DicomRequest
from napari_segcam.viewer.layers.frame_names import is_dicom
from napari_segcam.viewer.verdicts.open_review import OpenReview, state_in_view

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


def dicom_request(
    session: ReviewSession, project: OpenReview, frames: Sequence[int], kind: str, stage: str | None = None
) -> DicomRequest | None:
    """Return what to write as DICOM objects of the image in view; None if nothing is wanted, or it is no DICOM file.

    In a review, the report holds the verdicts of the reader on the masks of the review's own network, and the name of
    the reader.

    Args:
        session: whose image it is.
        project: the review, which may be closed.
        frames: that are exported.
        kind: of the segmentation; ``finding`` for masks with a segment for each finding; empty for no DICOM objects.
        stage: of the overlay, if the user chose one; else it is the heatmap in view.
    """
    if not kind or not is_dicom(session.image):
        return None
    state = None if project.has_other_network else state_in_view(project)
    heated = session.view.heated
    is_by_finding = kind == "finding"
    options = DicomOptions(
        "binary" if is_by_finding else kind,
        "finding" if is_by_finding else "class",
        overlay_stage=stage or (heated[-1] if heated else None),
        reader=project.log.rater if state is not None and project.log is not None else "",
    )
    verdicts = {} if state is None else {frame: reported_verdicts(state, frame) for frame in frames}
    return DicomRequest(options, verdicts)
