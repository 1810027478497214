"""The reasons of a rejection: one box each, several may be given."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QWidget

from napari_segcam.viewer.verdicts.verdict_keys import reason_key
from napari_segcam.viewer.widgets.fitting.tab_order import tab_through
from napari_segcam.viewer.widgets.fitting.wrapping_buttons import WrappingCheckBox

_LONG = 16  # characters, from which a reason takes a line of its own
_COLUMNS = 2


class ReasonBoxes(QWidget):
    """A box for each reason of the project, with its key in the tooltip."""

    toggled = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setVerticalSpacing(1)
        self.boxes: dict[str, QCheckBox] = {}

    def offer(self, reasons: Sequence[str]) -> None:
        """Offer these reasons."""
        if list(self.boxes) == list(reasons):
            return
        for box in self.boxes.values():
            self._layout.removeWidget(box)
            box.deleteLater()
        self.boxes = {reason: self._box(reason, number) for number, reason in enumerate(reasons, start=1)}
        columns = 1 if any(len(reason) > _LONG for reason in reasons) else _COLUMNS
        for index, box in enumerate(self.boxes.values()):
            self._layout.addWidget(box, index // columns, index % columns)
        tab_through(self, list(self.boxes.values()))

    def show_given(self, reasons: Collection[str]) -> None:
        """Check the boxes of these reasons, and no others."""
        for reason, box in self.boxes.items():
            with QSignalBlocker(box):
                box.setChecked(reason in reasons)

    def _box(self, reason: str, number: int) -> QCheckBox:
        key = reason_key(number)
        box = WrappingCheckBox(reason)
        box.setToolTip(f"Reject because: {reason}" + (f" ({key})" if key else ""))
        box.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the image
        box.toggled.connect(lambda _checked: self.toggled.emit(reason))
        return box
