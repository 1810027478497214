"""The Export widget: what is shown as files, and the same for all images of a folder."""

from __future__ import annotations

from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from napari_segcam.files import safe_name
from napari_segcam.viewer.drawing.colormaps import COLORMAPS
from napari_segcam.viewer.jobs.export_job import Export
from napari_segcam.viewer.jobs.folder_job import FolderRun
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice, ImageChoice
from napari_segcam.viewer.widgets.layout import form, panel

_OVERLAYS = [
    ("heat, contour of the mask", ("contour",)),
    ("heat alone", ("heat",)),
    ("side by side", ("side-by-side",)),
    ("all three", ("contour", "heat", "side-by-side")),
]


class ExportWidget(QWidget):
    """Write the frame in view or the whole cine, and run over a folder; both go on in the background."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session = session_of(napari_viewer)
        self.image = ImageChoice(session)
        self.overlay = Choice("What the pictures show: the heat with or without the mask's contour, or beside it")
        self.overlay.offer(_OVERLAYS)
        self.colormap = Choice("The colors of the heat in the pictures; signed maps run from blue to red")
        self.colormap.offer([(name, name) for name in COLORMAPS])
        self.movie = Choice("Of a cine: a stage that also becomes an MP4 movie, on one scale for all frames")
        self.frame = QPushButton("Export this frame …")
        self.cine = QPushButton("Export this cine …")
        for button in (self.frame, self.cine):
            button.setToolTip(
                "Pictures, masks, raw heatmaps (TIFF, NPZ) and all settings, computed with the threshold as it stands"
            )
        self.truth = QCheckBox("compare with true masks")
        self.truth.setToolTip("Asks for a folder of masks that are named as the images")
        self.report = QCheckBox("write a report")
        self.report.setToolTip("One HTML page and a PDF with distributions, best and worst cases, and every image")
        self.report.setChecked(True)
        self.run = QPushButton("Run over folder …")
        self.run.setToolTip(
            "Do to all images, DICOM cines and videos of a folder what was last asked for here.\n"
            "Given the same folder for the results again, it goes on where it was stopped."
        )
        self.will_run = QLabel()
        self.will_run.setWordWrap(True)
        self.progress = QProgressBar()
        self.stop = QPushButton("Stop")
        self.message = QLabel()
        self.message.setWordWrap(True)

        self._bar = QWidget()
        for held, row in (
            (buttons := QWidget(), (self.frame, self.cine)),
            (checks := QWidget(), (self.truth, self.report)),
            (self._bar, (self.progress, self.stop)),
        ):
            layout = QHBoxLayout(held)
            layout.setContentsMargins(0, 0, 0, 0)
            for widget in row:
                layout.addWidget(widget)
        panel(
            self,
            form(
                ("image", self.image), ("pictures", self.overlay), ("colors", self.colormap), ("movie of", self.movie)
            ),
            buttons,
            checks,
            self.run,
            self.will_run,
            self._bar,
            self.message,
        )
        self.layout().addStretch(1)

        self.frame.clicked.connect(lambda: self._export([session.current_frame()]))
        self.cine.clicked.connect(lambda: self._export(range(len(session.record or ()))))
        self.run.clicked.connect(self._run_over)
        self.stop.clicked.connect(session.background.cancel)
        session.background.changed.connect(self._refresh)
        session.job_changed.connect(Throttle(self._refresh, self).ask)
        for changed in (session.network_changed, session.image_changed, session.layers_changed):
            changed.connect(self._refresh)
        self._refresh()

    def _export(self, frames: range | list[int]) -> None:
        image = self.session.image
        if image is None or (folder := self._folder("Export to this folder")) is None:
            return
        name = safe_name(image.name)
        part = name if len(frames) > 1 or image.ndim == 2 else f"{name}_frame_{frames[0]:04d}"
        movies = (self.movie.value,) if self.movie.value else ()
        self.session.export(Export(folder / part, frames, self.overlay.value, self.colormap.value, movies=movies))

    def _run_over(self) -> None:
        images = self._folder("Folder of images")
        truth = self._folder("Folder of true masks") if images and self.truth.isChecked() else None
        if images is None or (self.truth.isChecked() and truth is None):
            return
        if (out := self._folder("Folder for the results")) is not None:
            self.session.run_over(FolderRun(images, out, truth, self.report.isChecked()))

    def _folder(self, title: str) -> Path | None:
        chosen = QFileDialog.getExistingDirectory(self, title)
        return Path(chosen) if chosen else None

    def _refresh(self) -> None:
        """Show what can be done now, and how far it is."""
        session, background = self.session, self.session.background
        plan = None if session.review is None else session.review.plan
        idle = background.job is None
        self.frame.setEnabled(idle and plan is not None)
        self.cine.setEnabled(idle and plan is not None)
        self.cine.setVisible(session.image is None or session.image.ndim > 2)
        can_run, words = session.told_of_run_over()
        self.run.setEnabled(idle and can_run)
        words = f"Will run: {words}" if can_run else f"No run over a folder: {words}" if session.network else ""
        if self.will_run.text() != words:
            self.will_run.setText(words)
        self.movie.setEnabled(session.image is not None and session.image.ndim > 2)
        stages = () if plan is None else plan.stages
        offered = [("none", ""), *((stage, stage) for stage in stages)]
        if [self.movie.itemData(i) for i in range(self.movie.count())] != [value for _, value in offered]:
            self.movie.offer(offered)
        self._bar.setVisible(not idle)
        told = background.told
        if told is not None:
            self.progress.setRange(0, told.total)
            self.progress.setValue(told.done)
            self._say(told.words)
        elif session.network is None or plan is None:
            self._say(session.missing() or "Run Segmentation or Grad-CAM first: that is what is exported.")
        else:
            self._say("")

    def _say(self, words: str) -> None:
        if self.message.text() != words:
            self.message.setText(words)
