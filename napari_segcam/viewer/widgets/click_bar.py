"""The click bar: turns the tool on that explains what the user points at, and returns to the mask."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget

from napari_segcam.viewer.click.click_controller import HINTS, ClickController, Tool
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.layout import panel, row


class _Text:
    """Every text of the click bar."""

    LABEL = "Explain a place"
    TOOLS: tuple[tuple[Tool, str, str], ...] = (
        ("point", "Click", "the connected part of the mask there, or why nothing was found there."),
        ("box", "Box", "as if it were the region. The mouse wheel still zooms."),
        ("lasso", "Lasso", "as if it were the region. The mouse wheel still zooms."),
    )
    KEYS = "Key Q turns this on and off, Shift+Q goes to the next."
    BACK = "Back to mask"
    NOT_ASKED = "The heatmaps already explain the mask: no place was asked about."
    BACK_TIP = "Show the earlier heatmaps again; nothing is computed. Key Esc does the same."


class ClickBar(QWidget):
    """One button for each way of pointing at a place, and one that returns to the mask."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__()
        self._controller = controller = controller_of(session, ClickController)
        self.tools: dict[Tool, QPushButton] = {}
        for tool, label, tip in _Text.TOOLS:
            button = self.tools[tool] = QPushButton(label)
            button.setCheckable(True)
            button.setToolTip(f"{HINTS[tool]}:\n{tip}\n{_Text.KEYS}")
            button.clicked.connect(lambda checked, tool=tool: controller.set_tool(tool if checked else None))
        self.back = QPushButton(_Text.BACK)
        self.back.setToolTip(_Text.BACK_TIP)
        self.back.clicked.connect(controller.back)
        title = QLabel(_Text.LABEL)
        title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        panel(self, row(title, *self.tools.values(), self.back))
        self.layout().setContentsMargins(0, 0, 0, 0)
        controller.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        for tool, button in self.tools.items():
            button.setChecked(self._controller.tool == tool)
        set_usable(self.back, None if self._controller.is_asked else _Text.NOT_ASKED)
