"""The button for a de-identified copy of the image in view, or of a folder."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QPushButton

from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.jobs.deidentify_job import CopyRequest, deidentify_job
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.deidentify.copy_dialog import CopyDialog


class _Text:
    COPY = "De-identified copy …"
    COPY_TIP = (
        "A copy of the image's file, or of a folder, without the patient's identity: clean header, black around the "
        "scan. Shows what changes first."
    )


class CopyButton(QPushButton):
    """Opens the dialog for a copy; it is written in the background."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(_Text.COPY)
        self.setToolTip(_Text.COPY_TIP)
        self._session = session
        self.dialog: CopyDialog | None = None
        self.clicked.connect(self.open_dialog)

    def open_dialog(self) -> None:
        """Open the dialog for the image in view."""
        session = self._session
        image = session.image
        source = None if image is None else LayerSource.from_layer(image)
        if self.dialog is not None:
            self.dialog.close()
        self.dialog = CopyDialog(
            None if source is None else source.path, self._drawn(), session.submit, self._write, self.window()
        )
        self.dialog.destroyed.connect(self._forget)
        self.dialog.show()

    def _forget(self) -> None:
        self.dialog = None

    def _write(self, request: CopyRequest, out: Path) -> None:
        self._session.background.start(lambda cancelled: deidentify_job(request, out, cancelled))

    def _drawn(self) -> str:
        """Return the region of the scan that the user drew in this image, as for ``--region``."""
        review = self._session.review
        plan = None if review is None else review.plan
        if plan is None or not plan.source.is_crop_drawn or plan.source.crop is None:
            return ""
        rows, columns = plan.source.crop
        return f"{columns.start},{rows.start},{columns.stop},{rows.stop}"
