"""The Export widget: save results to files, and run over all images of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel, QProgressBar, QPushButton, QWidget

from napari_segcam.files import safe_name
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.calipers.saving import rows_of
from napari_segcam.viewer.drawing.colormaps import COLORMAP_LABELS
from napari_segcam.viewer.jobs.export_job import Export
from napari_segcam.viewer.jobs.folder_job import FolderRun
from napari_segcam.viewer.layers.frame_names import frame_word, is_dicom
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.outputs import export_frames, folder_run_preview, run_folder
from napari_segcam.viewer.review.requirements import OPEN_FIRST
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.verdicts.dicom_request import dicom_request
from napari_segcam.viewer.widgets.choice import Choice, ImageChoice
from napari_segcam.viewer.widgets.deidentify.copy_button import CopyButton
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import form, row, scrolled_panel


class _Text:
    """Every text of the widget; ``{frame}`` is "frame", or "image" in a folder of stills."""

    IMAGE = "Image"
    OVERLAY = "Overlay"
    OVERLAY_TIP = "What the pictures show: heat, heat with the outline of the mask, or image and heat side by side"
    OVERLAYS = (
        ("Heat and mask outline", ("contour",)),
        ("Heat only", ("heat",)),
        ("Side by side", ("side-by-side",)),
        ("All three", ("contour", "heat", "side-by-side")),
    )
    COLORS = "Colors"
    COLORS_TIP = "Colors of the heat in the pictures. Signed maps always run from blue to red."
    MOVIE = "Movie of"
    MOVIE_TIP = "For a cine: also write an MP4 movie of this stage, with one color scale for all {frame}s"
    NO_MOVIE = "None"
    DICOM = "DICOM"
    DICOM_TIP = (
        "Also write DICOM objects for a PACS, in the patient's study: a segmentation, a parametric map of each\n"
        "stage, an overlay that every viewer plays, and a report with the size of each finding. Masks that you\n"
        "edited are written and measured as you left them. For research only, not for diagnostic use."
    )
    DICOM_KINDS = (
        ("None", ""),
        ("Objects, masks", "binary"),
        ("Objects, one mask a finding", "finding"),
        ("Objects, probabilities", "fractional"),
        ("Objects, label map", "labelmap"),
    )
    NO_DICOM = (
        "This image is not a DICOM file: it belongs to no patient and no study, so no DICOM object can be made for it."
    )
    EXPORT_FRAME = "Export current {frame} …"
    EXPORT_ALL = "Export all {frame}s …"
    EXPORT_TIP = "Pictures, masks, raw heatmaps (TIFF, NPZ) and all settings, computed with the current mask threshold"
    TRUTH = "Compare with true masks"
    TRUTH_TIP = "Asks for a folder of masks with the same names as the images"
    REPORT = "Write a report"
    REPORT_TIP = "One HTML page and a PDF with distributions, best and worst cases, and every image"
    RUN = "Run over folder …"
    RUN_TIP = (
        "Do the same to all images, DICOM cines and videos of a folder, with the settings of the last run here.\n"
        "To continue a stopped run, choose the same folder for the results."
    )
    WILL_RUN = "Will run: {run}"
    CANNOT_RUN = "No run over a folder: {reason}"
    STOP = "Stop"
    BUSY = "Something is still being written: wait, or stop it below."
    NO_CINE = "Only a cine can be a movie: open one first."
    NOTHING_TO_EXPORT = "Run Segmentation or Grad-CAM first. Export saves the results."
    EXPORT_FOLDER = "Export to this folder"
    IMAGES_FOLDER = "Folder of images"
    TRUTH_FOLDER = "Folder of true masks"
    RESULTS_FOLDER = "Folder for the results"


class ExportWidget(QWidget):
    """Write the current frame or the whole cine to files, and run over a folder; both in the background."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session = session_of(napari_viewer)
        self._word = ""
        self._project = controller_of(session, ProjectController)
        self.image = ImageChoice(session)
        self.overlay = Choice(_Text.OVERLAY_TIP)
        self.overlay.offer(_Text.OVERLAYS)
        self.colormap = Choice(_Text.COLORS_TIP)
        self.colormap.offer(COLORMAP_LABELS)
        self.movie = Choice()
        self.dicom = Choice()
        self.dicom.offer(_Text.DICOM_KINDS)
        self.export_frame = QPushButton()
        self.export_all = QPushButton()
        for button in (self.export_frame, self.export_all):
            button.setToolTip(_Text.EXPORT_TIP)
        self.truth = QCheckBox(_Text.TRUTH)
        self.truth.setToolTip(_Text.TRUTH_TIP)
        self.report = QCheckBox(_Text.REPORT)
        self.report.setToolTip(_Text.REPORT_TIP)
        self.report.setChecked(True)
        self.run = QPushButton(_Text.RUN)
        self.run.setToolTip(_Text.RUN_TIP)
        self.will_run = Words()
        self.copy = CopyButton(session)
        self.progress = QProgressBar()
        self.stop = QPushButton(_Text.STOP)
        self.message = Words()
        self._progress_row = row(self.progress, self.stop)
        contents = scrolled_panel(
            self,
            form(
                (_Text.IMAGE, self.image),
                (_Text.OVERLAY, self.overlay),
                (_Text.COLORS, self.colormap),
                (_Text.MOVIE, self.movie),
                (_Text.DICOM, self.dicom),
            ),
            row(self.export_frame, self.export_all),
            row(self.truth, self.report),
            self.run,
            self.will_run,
            self.copy,
            self._progress_row,
            self.message,
        )
        contents.addStretch(1)

        self.export_frame.clicked.connect(lambda: self._export([session.current_frame()]))
        self.export_all.clicked.connect(lambda: self._export(range(len(session.record or ()))))
        self.run.clicked.connect(self._run_over_folder)
        self.stop.clicked.connect(session.background.cancel)
        session.background.changed.connect(self._refresh)
        session.job_changed.connect(Throttle(self._refresh, self).ask)
        for changed in (session.network_changed, session.image_changed, session.layers_changed):
            changed.connect(self._refresh)
        self._refresh()

    def _export(self, frames: range | list[int]) -> None:
        image = self.session.image
        if image is None or (folder := self._ask_for_folder(_Text.EXPORT_FOLDER)) is None:
            return
        name = safe_name(image.name)
        subfolder = name if len(frames) > 1 or image.ndim == 2 else f"{name}_frame_{frames[0]:04d}"
        movies = (self.movie.value,) if self.movie.value else ()
        measurements = rows_of(controller_of(self.session, CalipersController), image, frames)
        style = (self.overlay.value, self.colormap.value)
        export_frames(
            self.session,
            Export(
                folder / subfolder,
                frames,
                *style,
                movies=movies,
                measurements=measurements,
                dicom=dicom_request(self.session, self._project, frames, self.dicom.value, self.movie.value),
            ),
        )

    def _run_over_folder(self) -> None:
        images = self._ask_for_folder(_Text.IMAGES_FOLDER)
        truth = self._ask_for_folder(_Text.TRUTH_FOLDER) if images and self.truth.isChecked() else None
        if images is None or (self.truth.isChecked() and truth is None):
            return
        if (out := self._ask_for_folder(_Text.RESULTS_FOLDER)) is not None:
            run_folder(self.session, FolderRun(images, out, truth, self.report.isChecked()))

    def _ask_for_folder(self, title: str) -> Path | None:
        folder = QFileDialog.getExistingDirectory(self, title)
        return Path(folder) if folder else None

    def _refresh(self) -> None:
        """Show what can be done now, and the progress."""
        session, background = self.session, self.session.background
        plan = None if session.review is None else session.review.plan
        is_idle = background.job is None
        self._name_frames(frame_word(session.image))
        busy = None if is_idle else _Text.BUSY
        nothing = session.missing() or (_Text.NOTHING_TO_EXPORT if plan is None else None)
        for button in (self.export_frame, self.export_all):
            set_usable(button, busy or nothing)
        self.export_all.setVisible(session.image is None or session.image.ndim > 2)
        self._show_folder_run(busy)
        set_usable(self.copy, busy)
        is_cine = session.image is not None and session.image.ndim > 2
        set_usable(self.movie, None if is_cine else _Text.NO_CINE, _Text.MOVIE_TIP.format(frame=self._word))
        self._offer_movies(() if plan is None else plan.stages)
        can_be_dicom = is_dicom(session.image)
        no_dicom = OPEN_FIRST if session.image is None else _Text.NO_DICOM
        set_usable(self.dicom, None if can_be_dicom else no_dicom, _Text.DICOM_TIP)
        self._progress_row.setVisible(not is_idle)
        progress = background.progress
        if progress is not None:
            self.progress.setRange(0, progress.total)
            self.progress.setValue(progress.done)
            line, _, details = progress.words.partition("\n")
            _show(self.message, line)
            self.message.setToolTip(details)
        elif session.network is None or plan is None:
            _show(self.message, session.missing() or _Text.NOTHING_TO_EXPORT)
            self.message.setToolTip("")
        else:
            _show(self.message, "")

    def _name_frames(self, word: str) -> None:
        """Speak of frames, or of images if these come from a folder of stills."""
        if word != self._word:
            self._word = word
            self.export_frame.setText(_Text.EXPORT_FRAME.format(frame=word))
            self.export_all.setText(_Text.EXPORT_ALL.format(frame=word))

    def _show_folder_run(self, busy: str | None) -> None:
        """Say what a run over a folder will do, or why there can be none."""
        can_run, words = folder_run_preview(self.session)
        set_usable(self.run, busy or (None if can_run else words))
        if can_run:
            _show(self.will_run, _Text.WILL_RUN.format(run=words))
        else:
            _show(self.will_run, _Text.CANNOT_RUN.format(reason=words) if self.session.network else "")

    def _offer_movies(self, stages: Sequence[str]) -> None:
        choices = [(_Text.NO_MOVIE, ""), *((stage, stage) for stage in stages)]
        if [self.movie.itemData(index) for index in range(self.movie.count())] != [value for _, value in choices]:
            self.movie.offer(choices)


def _show(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
