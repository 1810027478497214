"""The Measure widget: findings, calipers, ellipses, outlines and volumes, with a list of all measurements."""

from __future__ import annotations

from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel, QPushButton, QSizePolicy, QWidget

from napari_segcam.measuring.table import FILE
from napari_segcam.measuring.words import details, pixel_size_words
from napari_segcam.viewer.calipers.calipers_controller import HINTS, CalipersController, Tool
from napari_segcam.viewer.calipers.saving import save_table
from napari_segcam.viewer.layers.frame_names import file_names, frame_word
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.requirements import OPEN_FIRST
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice, ImageChoice
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.fitting.wrapping_buttons import WrappingButton
from napari_segcam.viewer.widgets.layout import form, row, scrolled_panel
from napari_segcam.viewer.widgets.measure.measurement_list import MeasurementList


class _Text:
    """Every text of the widget; ``{frame}`` is "frame", or "image" in a folder of stills."""

    IMAGE = "Image"
    FINDING = "Measure this finding"
    FINDING_TIP = (
        "Measure the largest part of the mask in this {frame}: your correction if there is one, else the prediction.\n"
        "Key Ctrl+Shift+M measures the part under the mouse."
    )
    TOOLS: tuple[tuple[Tool, str, str], ...] = (
        ("caliper", "Caliper", "Key Shift+M turns this on and off."),
        ("ellipse", "Ellipse", "Its axes can be dragged afterwards."),
        ("outline", "Outline", "The line closes by itself."),
    )
    ACROSS = "Suggest the diameter across"
    ACROSS_TIP = (
        "After a caliper, suggest a line across it: the longest one of the mask there, else in the middle.\n"
        "Drag an end of it, or press Enter, to keep it; Esc drops it."
    )
    KEEP = "Keep it"
    KEEP_TIP = "Make the suggested line across part of the caliper; key Enter does the same"
    NO_SUGGESTION = "Nothing is suggested: measure with a caliper first."
    CHOOSE_FIRST = "Choose a measurement in the list first."
    NO_UNDO = "No change of a measurement can be undone."
    NO_REDO = "Nothing was undone."
    MEASURE_FIRST = "Nothing is measured yet."
    TWO_DIAMETERS = "Choose a measurement with two diameters first."
    MEASURE_WIDTH = "Measure the width here first, in the other plane."
    HINT = "Drag an end of a line to change it."
    SUGGESTED = "Drag an end of the line across, or press Enter, to keep it. Esc drops it."
    DELETE = "Delete"
    DELETE_TIP = "Delete the chosen measurement; Undo brings it back"
    UNDO = "Undo"
    UNDO_TIP = "Undo the last change of a measurement"
    REDO = "Redo"
    REDO_TIP = "Do the change again that was undone last"
    VOLUME = "Volume of an ellipsoid from two planes"
    FIRST = "Length × height from the chosen"
    FIRST_TIP = "Take length and height from the chosen measurement, which needs two diameters"
    NOT_YET = "1. Choose a measurement with two diameters, in one plane."
    THEN = "2. Go to the other plane, measure the width there, and take it:"
    NO_WIDTH = "Nothing is measured here yet"
    WIDTH_TIP = "The diameter that is the width"
    TAKE = "Take"
    SAVE = "Save table …"
    SAVE_TIP = "Write all measurements of all images to a CSV file; Export writes those of its image too"
    EMPTY = "Nothing is measured in this image yet."
    SAVE_TITLE = "Save the table of measurements"


class MeasureWidget(QWidget):
    """What the mouse draws, what was measured, and in detail what is chosen."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session = session_of(napari_viewer)
        self.controller = controller = controller_of(session, CalipersController)
        self.image = ImageChoice(session)
        self.calibration, self.hint, self.detail, self.first = (_wrapped() for _ in range(4))
        self.finding = QPushButton(_Text.FINDING)
        self.tools: dict[Tool, QPushButton] = {}
        for tool, label, tip in _Text.TOOLS:
            button = self.tools[tool] = QPushButton(label)
            button.setCheckable(True)
            button.setToolTip(f"{HINTS[tool]}.\n{tip}")
            button.clicked.connect(lambda checked, tool=tool: controller.set_tool(tool if checked else None))
        self.across = QCheckBox(_Text.ACROSS)
        self.across.setToolTip(_Text.ACROSS_TIP)
        self.across.setChecked(controller.suggests_across)
        self.keep = QPushButton(_Text.KEEP)
        self.keep.setToolTip(_Text.KEEP_TIP)
        self.keep.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.list = MeasurementList(controller)
        self.delete, self.undo, self.redo = QPushButton(_Text.DELETE), QPushButton(_Text.UNDO), QPushButton(_Text.REDO)
        self.delete.setToolTip(_Text.DELETE_TIP)
        self.undo.setToolTip(_Text.UNDO_TIP)
        self.redo.setToolTip(_Text.REDO_TIP)
        self.save = QPushButton(_Text.SAVE)
        self.save.setToolTip(_Text.SAVE_TIP)
        self.take_first = WrappingButton(_Text.FIRST)
        self.take_first.setToolTip(_Text.FIRST_TIP)
        self.width_choice = Choice(_Text.WIDTH_TIP)
        self._widths: list[tuple[str, tuple[str, str]]] = []
        self.take_width = QPushButton(_Text.TAKE)
        self.take_width.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        contents = scrolled_panel(
            self,
            form((_Text.IMAGE, self.image)),
            self.calibration,
            self.finding,
            row(*self.tools.values()),
            row(self.across, self.keep),
            self.hint,
            self.list,
            row(self.delete, self.undo, self.redo),
            self.detail,
            Words(_Text.VOLUME),
            self.take_first,
            self.first,
            row(self.width_choice, self.take_width),
            self.save,
        )
        contents.setStretchFactor(self.list, 1)

        self.finding.clicked.connect(lambda: controller.measure_finding())
        self.across.toggled.connect(lambda on: setattr(controller, "suggests_across", on))
        self.keep.clicked.connect(controller.keep_suggestion)
        self.list.picked.connect(controller.choose)
        self.list.renamed.connect(controller.rename)
        self.list.delete_asked.connect(lambda: controller.delete())
        self.delete.clicked.connect(lambda: controller.delete())
        self.undo.clicked.connect(controller.undo)
        self.redo.clicked.connect(controller.redo)
        self.take_first.clicked.connect(lambda: controller.volume.begin(session.image, controller.chosen_measurement))
        self.take_width.clicked.connect(self._take_width)
        self.save.clicked.connect(self._save)
        soon = Throttle(self._refresh, self)
        controller.changed.connect(soon.ask)
        for changed in (session.image_changed, session.layers_changed):
            changed.connect(soon.ask)
        self._refresh()

    def _take_width(self) -> None:
        if self.width_choice.value is not None:
            self.controller.add_volume(self.width_choice.value)

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, _Text.SAVE_TITLE, FILE, "CSV (*.csv)")
        if path:
            save_table(self.session, self.controller, Path(path))

    def _refresh(self) -> None:
        """Show what can be done now, and what is measured."""
        controller, image = self.controller, self.session.image
        word, pixel_size = frame_word(image), controller.pixel_size
        _say(self.calibration, "" if pixel_size is None else pixel_size_words(pixel_size))
        missing = OPEN_FIRST if pixel_size is None else None
        set_usable(self.finding, missing, _Text.FINDING_TIP.format(frame=word))
        for tool, button in self.tools.items():
            button.setChecked(controller.tool == tool)
            set_usable(button, missing)
        set_usable(self.keep, _Text.NO_SUGGESTION if controller.suggestion is None else None)
        hint = _Text.HINT if controller.tool is None else f"{HINTS[controller.tool]}. Esc ends this."
        _say(self.hint, _Text.SUGGESTED if controller.suggestion is not None else hint)
        measurements, names = controller.of(image), file_names(image)
        is_cine = image is not None and image.ndim > 2
        frames = [
            (names[each.frame] if each.frame < len(names) else str(each.frame)) if is_cine else ""
            for each in measurements
        ]
        self.list.show_measurements(measurements, frames, word, controller.chosen)
        chosen = controller.chosen_measurement
        set_usable(self.delete, _Text.CHOOSE_FIRST if chosen is None else None)
        can_undo, can_redo = controller.steps
        set_usable(self.undo, None if can_undo else _Text.NO_UNDO)
        set_usable(self.redo, None if can_redo else _Text.NO_REDO)
        is_anything_measured = any(controller.of(each) for each in controller.images())
        set_usable(self.save, None if is_anything_measured else _Text.MEASURE_FIRST)
        if chosen is None:
            _say(self.detail, "" if measurements else _Text.EMPTY)
        else:
            outdated = controller.outdated(chosen)
            lines = [*details(chosen), *([f"Outdated: {outdated}. The value stays as measured."] if outdated else [])]
            _say(self.detail, "\n".join(lines))
        self._show_volume(chosen is not None and controller.volume.can_begin(chosen))

    def _show_volume(self, can_begin: bool) -> None:
        volume = self.controller.volume
        words = volume.first_words()
        set_usable(self.take_first, None if can_begin else _Text.TWO_DIAMETERS)
        _say(self.first, f"{words}\n{_Text.THEN}" if words else _Text.NOT_YET)
        widths = volume.widths(self.session.image, self.session.current_frame()) if words else []
        if widths != self._widths:
            self._widths = widths
            self.width_choice.offer(widths or [(_Text.NO_WIDTH, None)], widths[0][1] if widths else None)
        self.width_choice.setVisible(bool(words))
        self.take_width.setVisible(bool(words))
        set_usable(self.take_width, None if widths else _Text.MEASURE_WIDTH)


def _wrapped() -> Words:
    words = Words(selectable=True)
    words.setTextFormat(Qt.TextFormat.PlainText)
    return words


def _say(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
    label.setVisible(bool(text))
