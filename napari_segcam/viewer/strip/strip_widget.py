"""The Cine strip widget: the state of each frame, curves of the figures, and steps from finding to finding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.settings import get_settings
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMenu, QToolButton, QVBoxLayout, QWidget

from napari_segcam.viewer.docks import dock_names
from napari_segcam.viewer.doubt.doubt_controller import DoubtController
from napari_segcam.viewer.drawing.theme_colors import ON_PLATE, PLATE
from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState
from napari_segcam.viewer.keys import key_rows, show_help
from napari_segcam.viewer.layers.frame_names import file_names, frame_name, frame_word
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.finding_stepper import step_finding
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.strip.strip_plot import Curve, StripContent, StripPlot, VerdictRow
from napari_segcam.viewer.verdicts.verdicts_controller import VerdictsController
from napari_segcam.viewer.widgets.fitting.wrapping_row import WrappingRow
from napari_segcam.viewer.widgets.layout import Line

_LEAST_DOUBT_AT_TOP = 0.5  # so that a cine without doubt has a low curve
_MOST_CURVES = 5  # their readouts fit into one line
# Paul Tol's "light" scheme: the color-blind can tell the colors apart on a dark background.
_COLORS = ("#99ddff", "#ee8866", "#eedd88", "#ffaabb", "#44bb99")


class _Text:
    """Every text of the widget."""

    CURVES = "Curves  "  # room for the arrow
    NO_CURVES = "Explain a cine first"
    PREVIOUS = "◀ Finding"
    PREVIOUS_TIP = "Previous finding (Shift+N)"
    NEXT = "Finding ▶"
    NEXT_TIP = "Next finding (N)"
    KEYS = "?"
    NO_CINE = "Explain a cine to see it here."
    BLANK_CINE = "Explain the cine to see it here."
    BLANK_FOLDER = "Explain the images to see them here."
    DONE = "{done} of {frames} done"
    FAILED = ", {failed} failed"


class StripWidget(QWidget):
    """The cine strip, docked below the canvas.

    Attributes:
        chosen_curves: names of the curves that the user has chosen. None until then: the areas, and the ratios of the
            visible stages.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        # Where napari docks the widget the first time. Later napari keeps the place that the user chose.
        for name in dock_names("Cine strip"):
            get_settings().application.plugin_widget_positions.setdefault(name, "bottom")
        self.session = session_of(napari_viewer)
        self.chosen_curves: list[str] | None = None
        self.plot = StripPlot()
        self.readouts = Line("■ <b>100 of 100 done</b>&nbsp;&nbsp; …", keeps_room=True)
        self.readouts.setStyleSheet(f"QLabel {{ background: {PLATE.name()}; color: {ON_PLATE.name()}; }}")
        self.menu = QMenu(self)
        curves = QToolButton()
        curves.setText(_Text.CURVES)
        curves.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        curves.setMenu(self.menu)
        previous_finding = _button(_Text.PREVIOUS, _Text.PREVIOUS_TIP, lambda: step_finding(self.session, -1))
        next_finding = _button(_Text.NEXT, _Text.NEXT_TIP, lambda: step_finding(self.session, 1))
        key_tip = "\n".join(f"{key}: {action}" for key, action in key_rows())
        keys = _button(_Text.KEYS, key_tip, lambda: show_help(self))

        row = WrappingRow()
        for button in (curves, previous_finding, next_finding, keys):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the canvas
            row.addWidget(button)
        row.addWidget(self.readouts)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.plot, 1)

        self._throttle = Throttle(self.refresh, self)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.plot.picked.connect(self.session.go_to)
        self.session.record_changed.connect(self._throttle.ask)
        controller_of(self.session, DoubtController).changed.connect(self._throttle.ask)
        controller_of(self.session, SecondController).changed.connect(self._throttle.ask)
        self._verdicts = controller_of(self.session, VerdictsController)
        self._verdicts.changed.connect(self._on_verdicts)
        self._shown_verdicts: tuple[object, ...] = ()
        self.session.image_changed.connect(self.refresh)  # at once: another cine has other frames
        self.session.frame_changed.connect(self.set_frame)
        events, on_layer_event = napari_viewer.layers.events, self._on_layer_event
        events.connect(on_layer_event)
        self.destroyed.connect(lambda: events.disconnect(on_layer_event))
        self.refresh()

    def refresh(self) -> None:
        """Draw the current record."""
        record = self.session.record
        content = strip_content(record, self.curves(), self.session.image)
        if content.record is not None:
            content.verdicts = verdict_row(self._verdicts)
            content.message = self.session.reviews.hiding.reason(self.session.image) or content.message
        self.plot.show_content(content)
        self.set_frame(self.session.current_frame() if record is not None else 0)

    def _on_verdicts(self) -> None:
        """Draw again if the row has changed: the controller speaks up with each frame."""
        verdicts = verdict_row(self._verdicts)
        shown = () if verdicts is None else (verdicts.row.tobytes(), verdicts.marked)
        if shown != self._shown_verdicts:
            self._shown_verdicts = shown
            self._throttle.ask()

    def set_frame(self, frame: int) -> None:
        """Move the line to this frame, and show its values."""
        self.plot.set_frame(frame)
        content = self.plot.content
        if content.record is None:
            self.readouts.set_text("")
            return
        lines = [progress_text(content.record), *(self.plot.readout(curve, frame) for curve in content.curves)]
        self.readouts.set_parts(lines, "&nbsp;&nbsp; ")

    def curves(self) -> list[str]:
        """Return the names of the curves shown."""
        record = self.session.record
        if record is None:
            return []
        names = self.chosen_curves
        if names is None:
            of_both = (CineRecord.DICE_OF_BOTH, CineRecord.AREA_DIFFERENCE)
            others = (CineRecord.DISAGREEMENT, CineRecord.DOUBT, *self._visible_ratios())
            names = [*of_both, *CineRecord.AREAS, *others]
        return [name for name in names if name in record.curves][:_MOST_CURVES]

    def show_curve(self, name: str, is_shown: bool) -> None:
        """Show or hide a curve."""
        others = [other for other in self.curves() if other != name]
        self.chosen_curves = [*others, name] if is_shown else others
        self.refresh()

    def _visible_ratios(self) -> list[str]:
        layers = self.session.layers()
        stages = [] if layers is None else [stage for stage, layer in layers.heatmaps.items() if layer.visible]
        return [CineRecord.ratio_of(stage) for stage in stages]

    def _fill_menu(self) -> None:
        self.menu.clear()
        record, shown = self.session.record, self.curves()
        for name in record.curves if record is not None else ():
            action = self.menu.addAction(curve_title(name, self.session.image))
            action.setCheckable(True)
            action.setChecked(name in shown)
            action.setEnabled(name in shown or len(shown) < _MOST_CURVES)
            action.toggled.connect(partial(self.show_curve, name))
        if self.menu.isEmpty():
            self.menu.addAction(_Text.NO_CURVES).setEnabled(False)

    def _on_layer_event(self, event: Any) -> None:
        if event.type == "visible" and self.chosen_curves is None:
            self._throttle.ask()  # other stages are visible now


def verdict_row(verdicts: VerdictsController) -> VerdictRow | None:
    """Return the verdicts of the image in view; None if it is no case of an open review."""
    if verdicts.reading is None:
        return None
    choice, given = verdicts.choice, verdicts.given
    marked = choice.marks.span(choice.frame) if choice.scope == "range" else None
    return VerdictRow(given.row(), marked, given.frame_words)


def _button(text: str, tooltip: str, on_click: Callable[[], object]) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tooltip)
    button.clicked.connect(on_click)
    return button


def strip_content(record: CineRecord | None, names: list[str], image: Image | None = None) -> StripContent:
    """Return what the strip draws.

    Args:
        record: of the image; None if no image is chosen.
        names: of the curves to draw.
        image: the layer that the record belongs to.
    """
    if record is None or len(record) < 2:
        return StripContent(message=_Text.NO_CINE)
    areas = [record.curves[name] for name in CineRecord.AREAS if name in record.curves]
    largest = max(float(np.nanmax(values, initial=0)) for values in areas)  # one scale for both
    curves = [
        Curve(
            name,
            record.curves[name],
            curve_heights(name, record.curves[name], largest),
            color,
            curve_title(name, image),
        )
        for name, color in zip(names, _COLORS, strict=False)
    ]
    is_blank = not record.states.any()
    blank = _Text.BLANK_FOLDER if file_names(image) else _Text.BLANK_CINE
    return StripContent(record, curves, blank if is_blank else "", partial(frame_name, image))


def curve_title(name: str, image: Image | None) -> str:
    """Return the name of a curve for the user, with "image" instead of "frame" in a folder of stills."""
    return name.replace("the frame before", f"the {frame_word(image)} before")


def progress_text(record: CineRecord) -> str:
    """Return how many frames are done, for example "12 of 20 done"."""
    failed = int((record.states == FrameState.FAILED).sum())
    done = int((record.states == FrameState.DONE).sum())
    text = _Text.DONE.format(done=done, frames=len(record))
    return text + (_Text.FAILED.format(failed=failed) if failed else "")


def curve_heights(name: str, values: NDArray[np.float64], largest: float | None = None) -> NDArray[np.float64]:
    """Return values as shares of the plot's height, 0–1; NaN if a frame has no value.

    Shares are drawn as they are, areas as shares of the largest area, and doubt as a share of the largest or of 0.5.
    A difference of areas of 0 is at half height, and the largest at an edge.
    Ratios are drawn on a logarithmic scale: 1, as much heat inside as outside, is at half height.

    Args:
        name: of the curve.
        values: ``(T,)``.
        largest: the area at full height; by default the largest of the values.
    """
    if name in (CineRecord.PROBABILITY, CineRecord.DICE, CineRecord.DISAGREEMENT, CineRecord.DICE_OF_BOTH):
        return np.clip(values, 0, 1)
    if name == CineRecord.AREA_DIFFERENCE:
        return 0.5 + 0.5 * values / max(1.0, float(np.nanmax(np.abs(values), initial=0)))
    if name == CineRecord.DOUBT:
        return values / max(_LEAST_DOUBT_AT_TOP, float(np.nanmax(values, initial=0)))
    if name in CineRecord.AREAS:
        return values / max(1.0, float(np.nanmax(values, initial=0)) if largest is None else largest)
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.log2(values)
    largest_power = max(1.0, float(np.max(np.abs(powers[np.isfinite(powers)]), initial=0)))
    return np.clip(0.5 + 0.5 * powers / largest_power, 0, 1)
