"""The Overlays widget: what text, calipers and other burned-in graphics do to the mask."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QCheckBox, QLabel, QProgressBar, QPushButton, QWidget

from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.overlays.overlays_controller import OverlaysController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.requirements import OPEN_FIRST
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.choice import Choice, ImageChoice
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.fitting.wrapping_buttons import WrappingCheckBox
from napari_segcam.viewer.widgets.layout import form, row, scrolled_panel


class _Text:
    """Every text of the widget; ``{frame}`` is "frame", or "image" in a folder of stills."""

    IMAGE = "Image"
    FIND = "Find graphics"
    FIND_TIP = "Find text, calipers, lines and rulers that were burned into the current {frame}"
    PAINT = "Correct what was found: paint or erase label 1 in the layer of graphics."
    MEASURE = "Measure effect"
    MEASURE_TIP = (
        "Fill the marked graphics from the pixels around them, and compare the masks with and without them.\n"
        "The same is done with 20 sets of patches of the same shapes elsewhere in the tissue."
    )
    SHOW_WITHOUT = "Show this {frame} without graphics"
    OPPOSITE = "The opposite: paste calipers"
    PLACE = "Place calipers"
    PLACE_TIP = "Then click in the {frame}, once for each caliper"
    CLEAR = "Clear"
    STYLE = "Style"
    STYLES = (("Plus", "plus"), ("Cross", "cross"))
    LINE = "Dotted line"
    PASTE = "Paste and compare"
    PASTE_TIP = "Compare the mask with and without the calipers; the picture itself is not changed"
    PLACED = "{count} placed in this {frame}"
    SHOW_WITH = "Show this {frame} with calipers"
    STOP = "Stop"
    BUSY = "Something is still running: wait, or stop it below."
    MARK_FIRST = "Nothing is marked in this {frame}: find graphics first, or paint in their layer."
    PLACE_FIRST = "No caliper is placed in this {frame}: place some first."
    MEASURE_FIRST = "Measure the effect in this {frame} first."
    PASTE_FIRST = "Paste and compare in this {frame} first."


class OverlaysWidget(QWidget):
    """Find burned-in graphics, measure what they do, and paste calipers; all in the background."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session = session_of(napari_viewer)
        self.controller = controller = controller_of(session, OverlaysController)
        self.image = ImageChoice(session)
        self.find = QPushButton(_Text.FIND)
        self.measure = QPushButton(_Text.MEASURE)
        self.measure.setToolTip(_Text.MEASURE_TIP)
        self.found, self.effect, self.pasted, self.placed = (Words() for _ in range(4))
        self.show_without, self.show_with = WrappingCheckBox(), WrappingCheckBox()
        self.place = QPushButton(_Text.PLACE)
        self.clear = QPushButton(_Text.CLEAR)
        self.style_choice = Choice()
        self.style_choice.offer(_Text.STYLES)
        self.line = QCheckBox(_Text.LINE)
        self.line.setChecked(True)
        self.paste = QPushButton(_Text.PASTE)
        self.paste.setToolTip(_Text.PASTE_TIP)
        self.progress = QProgressBar()
        self.stop = QPushButton(_Text.STOP)
        self._progress_row = row(self.progress, self.stop)
        heading = QLabel(_Text.OPPOSITE)
        contents = scrolled_panel(
            self,
            form((_Text.IMAGE, self.image)),
            row(self.find, self.measure),
            self.found,
            self.effect,
            self.show_without,
            heading,
            row(self.place, self.clear),
            form((_Text.STYLE, row(self.style_choice, self.line))),
            self.placed,
            self.paste,
            self.pasted,
            self.show_with,
            self._progress_row,
        )
        contents.addStretch(1)

        self.find.clicked.connect(controller.find)
        self.measure.clicked.connect(controller.measure)
        self.place.clicked.connect(self._place)
        self.clear.clicked.connect(self._clear)
        self.paste.clicked.connect(lambda: controller.paste(self.style_choice.value, line=self.line.isChecked()))
        self.stop.clicked.connect(session.background.cancel)
        self.show_without.toggled.connect(lambda on: controller.show("without" if on else None))
        self.show_with.toggled.connect(lambda on: controller.show("with" if on else None))
        controller.changed.connect(self._refresh)
        self._refresh()

    def _place(self) -> None:
        if self.controller.layers is not None:
            self.controller.layers.ask_for_points()

    def _clear(self) -> None:
        if self.controller.layers is not None:
            self.controller.layers.clear_points()

    def _refresh(self) -> None:
        """Show what can be done now, what is known of the frame in view, and the progress."""
        session, controller, layers = self.session, self.controller, self.controller.layers
        word, frame = frame_word(session.image), session.current_frame()
        self.show_without.setText(_Text.SHOW_WITHOUT.format(frame=word))
        self.show_with.setText(_Text.SHOW_WITH.format(frame=word))
        is_idle, missing = not controller.is_busy, session.missing()
        marked = layers is not None and bool(layers.mask(frame).any())
        count = 0 if layers is None else len(layers.points(frame))
        busy, no_image = None if is_idle else _Text.BUSY, OPEN_FIRST if layers is None else None
        no_mark = None if marked else _Text.MARK_FIRST.format(frame=word)
        no_point = None if count else _Text.PLACE_FIRST.format(frame=word)
        has_points = layers is not None and layers.points_layer is not None
        set_usable(self.find, busy or no_image, _Text.FIND_TIP.format(frame=word))
        set_usable(self.measure, busy or missing or no_mark)
        set_usable(self.place, no_image, _Text.PLACE_TIP.format(frame=word))
        set_usable(self.clear, no_image or (None if has_points else no_point))
        set_usable(self.paste, busy or missing or no_point)
        found = controller.summary()
        _say(self.found, f"{found} {_Text.PAINT}" if found and marked else found)
        _say(self.effect, controller.words("without"))
        _say(self.placed, _Text.PLACED.format(count=count, frame=word) if count else "")
        _say(self.pasted, controller.words("with"))
        for box, kind, first in (
            (self.show_without, "without", _Text.MEASURE_FIRST),
            (self.show_with, "with", _Text.PASTE_FIRST),
        ):
            is_known = controller.outcome(kind) is not None or controller.shown == kind  # type: ignore[arg-type]
            set_usable(box, None if is_known else first.format(frame=word))
            with QSignalBlocker(box):
                box.setChecked(controller.shown == kind)
        progress = session.background.progress
        self._progress_row.setVisible(controller.is_own_job)
        if progress is not None and controller.is_own_job:
            self.progress.setRange(0, progress.total if progress.total > 1 else 0)
            self.progress.setValue(progress.done)


def _say(label: QLabel, text: str) -> None:
    if text != label.text():
        label.setText(text)
    label.setVisible(bool(text))
