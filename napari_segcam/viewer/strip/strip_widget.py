"""The cine strip: how far each frame has got, the figures as curves, and the way from finding to finding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.settings import get_settings
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from napari_segcam.viewer.docks import dock_names
from napari_segcam.viewer.frames.cine_record import CineRecord, State
from napari_segcam.viewer.keys import key_rows, show_help
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.finding_stepper import step_finding
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.strip.strip_plot import Curve, StripPicture, StripPlot
from napari_segcam.viewer.widgets.layout import Line

_MOST_CURVES = 5  # as many readouts as fit into a line
# Paul Tol's "light" scheme: told apart by the color-blind on a dark ground.
_COLORS = ("#99ddff", "#ee8866", "#eedd88", "#ffaabb", "#44bb99")


class StripWidget(QWidget):
    """Docks below the canvas and follows the session.

    Attributes:
        chosen: names of the curves the user has chosen; None until then: the area and the ratio of the stage in view.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        # Where napari docks a widget for the first time; what the user makes of it later is kept by napari.
        for name in dock_names("Cine strip"):
            get_settings().application.plugin_widget_positions.setdefault(name, "bottom")
        self.session = session_of(napari_viewer)
        self.chosen: list[str] | None = None
        self.plot = StripPlot()
        self.readouts = Line("■ <b>0</b>")
        self.menu = QMenu(self)
        curves = QToolButton()
        curves.setText("Curves  ")  # room for the arrow
        curves.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        curves.setMenu(self.menu)
        before = _button("◀ finding", "The finding before (Shift+N)", lambda: step_finding(self.session, -1))
        after = _button("finding ▶", "The next finding (N)", lambda: step_finding(self.session, 1))
        keys = _button("?", "\n".join(f"{key}: {what}" for key, what in key_rows()), lambda: show_help(self))

        row = QHBoxLayout()
        for button in (curves, before, after, keys):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keyboard stays with the canvas
            row.addWidget(button)
        row.addWidget(self.readouts, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.plot, 1)

        self._throttle = Throttle(self.refresh, self)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.plot.picked.connect(self.session.go_to)
        self.session.record_changed.connect(self._throttle.ask)
        self.session.image_changed.connect(self.refresh)  # at once: another cine has other frames
        self.session.frame_changed.connect(self.look_at)
        events, on_layer_event = napari_viewer.layers.events, self._on_layer_event
        events.connect(on_layer_event)
        self.destroyed.connect(lambda: events.disconnect(on_layer_event))
        self.refresh()

    def refresh(self) -> None:
        """Draw the record as it is now."""
        record = self.session.record
        self.plot.show_picture(picture_of(record, self.curves()))
        self.look_at(self.session.current_frame() if record is not None else 0)

    def look_at(self, frame: int) -> None:
        """The user has come to this frame."""
        self.plot.look_at(frame)
        picture = self.plot.picture
        if picture.record is None:
            self.readouts.say("")
            return
        lines = [summary_of(picture.record), *(self.plot.readout(curve, frame) for curve in picture.curves)]
        self.readouts.say("&nbsp;&nbsp; ".join(lines))

    def curves(self) -> list[str]:
        """Names of the curves that are shown."""
        record = self.session.record
        if record is None:
            return []
        usual = [*CineRecord.AREAS, *self._ratios_in_view()]
        wanted = usual if self.chosen is None else self.chosen
        return [name for name in wanted if name in record.curves][:_MOST_CURVES]

    def choose(self, name: str, is_shown: bool) -> None:
        """Show a curve, or leave it out."""
        others = [other for other in self.curves() if other != name]
        self.chosen = [*others, name] if is_shown else others
        self.refresh()

    def _ratios_in_view(self) -> list[str]:
        layers = self.session.layers()
        shown = [] if layers is None else [stage for stage, layer in layers.heatmaps.items() if layer.visible]
        return [CineRecord.ratio_of(stage) for stage in shown]

    def _fill_menu(self) -> None:
        self.menu.clear()
        record, shown = self.session.record, self.curves()
        for name in record.curves if record is not None else ():
            action = self.menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(name in shown)
            action.setEnabled(name in shown or len(shown) < _MOST_CURVES)
            action.toggled.connect(partial(self.choose, name))
        if self.menu.isEmpty():
            self.menu.addAction("Explain a cine first").setEnabled(False)

    def _on_layer_event(self, event: Any) -> None:
        if event.type == "visible" and self.chosen is None:
            self._throttle.ask()  # the stage in view has changed


def _button(text: str, tooltip: str, act: Callable[[], object]) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tooltip)
    button.clicked.connect(act)
    return button


def picture_of(record: CineRecord | None, names: list[str]) -> StripPicture:
    """What the strip draws of a record, with the curves of these names."""
    if record is None or len(record) < 2:
        return StripPicture(message="Explain a cine to see it here.")
    areas = [record.curves[name] for name in CineRecord.AREAS if name in record.curves]
    largest = max(float(np.nanmax(values, initial=0)) for values in areas)  # one scale for both
    curves = [
        Curve(name, record.curves[name], heights_of(name, record.curves[name], largest), color)
        for name, color in zip(names, _COLORS, strict=False)
    ]
    is_blank = not record.states.any()
    return StripPicture(record, curves, "Explain the cine to see it here." if is_blank else "")


def summary_of(record: CineRecord) -> str:
    """How far the cine has got, in a few words."""
    failed = int((record.states == State.FAILED).sum())
    done = int((record.states == State.DONE).sum())
    return f"{done} of {len(record)} done" + (f", {failed} failed" if failed else "")


def heights_of(name: str, values: NDArray[np.float64], largest: float | None = None) -> NDArray[np.float64]:
    """Values as shares of the plot's height, 0–1, not a number where there is none.

    Shares are drawn as they are and areas as shares of the largest. Ratios are drawn on a logarithmic scale with 1, as
    much heat inside as outside, at half height.

    Args:
        name: of the curve.
        values: ``(T,)``.
        largest: the area at full height; by default the largest of these.
    """
    if name in (CineRecord.PROBABILITY, CineRecord.DICE):
        return np.clip(values, 0, 1)
    if name in CineRecord.AREAS:
        return values / max(1.0, float(np.nanmax(values, initial=0)) if largest is None else largest)
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.log2(values)
    reach = max(1.0, float(np.max(np.abs(powers[np.isfinite(powers)]), initial=0)))
    return np.clip(0.5 + 0.5 * powers / reach, 0, 1)
