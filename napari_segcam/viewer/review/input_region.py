"""The choice of the part of a frame that the network sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.jobs.network_jobs import scan_job
from napari_segcam.viewer.layers.scan_outline import drawn_on
from napari_segcam.viewer.mendable_errors import show_error, show_warning
from napari_segcam.viewer.review.network_input import InputRegion
from napari_segcam.viewer.review.session import ReviewSession

if TYPE_CHECKING:  # torch comes with it: it is imported in the worker, where nobody waits for it
    from napari_segcam.imaging.scan.region import ScanRegion


def choose_input_region(session: ReviewSession, region: InputRegion) -> None:
    """Let the network see the whole frame, the detected scan, or what the user has drawn around."""
    review = session.review
    if review is None:
        return
    if region == "all":
        review.input.region = region
        review.input.outline.remove()
        review.set_crop(None)
        return
    image, source = review.image, LayerSource.from_layer(review.image)
    try:
        corners = None if isinstance(region, str) else drawn_on(region, image)
    except SegcamError as fault:
        show_error(str(fault))
        session.job_changed.emit()  # the widgets show the earlier choice again
        return

    def use_region(scan: ScanRegion) -> None:
        review.input.region = region
        review.input.outline.show(scan.outline, f"{image.name} scan ({scan.source})")
        review.set_crop(scan.crop, is_drawn=scan.source == "drawn")
        if scan.note:
            show_warning(scan.note)

    session.start_job(scan_job(source, corners, use_region))
