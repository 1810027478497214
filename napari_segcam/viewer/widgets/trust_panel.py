"""The trust panel: what the visible heatmap is worth, and *Check this map*, which measures it."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.layers.frame_names import frame_in_words
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import row


class _Text:
    """Every text of the panel."""

    CHECK = "Check this map"
    CHECK_TIP = (
        "Measures on the network whether the visible heatmap can be trusted: whether the stage takes part in the mask, "
        "whether its hot places matter more than others, whether a network that has learned nothing gives the same "
        "map, and whether it is stable. You can keep working meanwhile. Shift+C does the same."
    )
    CHECKED = "checked"
    ALL_CHECKED = "The visible heatmaps are checked already."
    NO_MAP = "Compute a heatmap first, with Explain, and show it."
    STOP = "Stop"
    NOT_YET = "Nothing is known about the heatmaps yet."


class TrustPanel(QWidget):
    """A few lines about the visible heatmaps, and the button that measures more."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__()
        self._session = session
        self._evidence = controller_of(session, EvidenceController)
        self.words = Words(selectable=True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.check = QPushButton(_Text.CHECK)
        self.check.setToolTip(_Text.CHECK_TIP)
        self.estimate = QLabel()
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        self.stop = QPushButton(_Text.STOP)
        self.check.clicked.connect(self._evidence.start_check)
        self.stop.clicked.connect(self._evidence.stop_check)

        # Two pages of one size: nothing around them moves when a check begins.
        self._pages = QStackedWidget()
        self._pages.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self._pages.addWidget(row(self.check, self.estimate))
        self._pages.addWidget(row(self.progress, self.stop))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words)
        layout.addWidget(self._pages)
        refresh = Throttle(self.refresh, self).ask
        for changed in (self._evidence.changed, self._evidence.progress_changed):
            changed.connect(refresh)
        for changed in (session.view_changed, session.figures_changed, session.image_changed, session.frame_changed):
            changed.connect(refresh)
        self._timer = QTimer(self)
        self._timer.setInterval(500)
        self._timer.timeout.connect(self._show_progress)
        self.refresh()

    def refresh(self) -> None:
        """Show what is known, and what can be measured."""
        evidence = self._evidence
        _set_text(self.words, "\n".join(evidence.words()) or _Text.NOT_YET)
        self.words.setToolTip(evidence.details())
        self._fit()
        stages = evidence.checkable()
        is_checked = bool(stages) and not evidence.is_anything_missing()
        missing = self._session.missing() or ("" if stages else _Text.NO_MAP)
        set_usable(self.check, _Text.ALL_CHECKED if is_checked else missing)
        _set_text(self.estimate, _Text.CHECKED if is_checked else evidence.estimate_words())
        task = evidence.check
        self._pages.setCurrentIndex(int(task is not None))
        if task is not None:
            frame = frame_in_words(task.review.image, task.measured.frame)
            parts = ("%p %", frame, evidence.estimate_words())
            self.progress.setFormat(" · ".join(part for part in parts if part))
            self._timer.start()
            self._show_progress()
        else:
            self._timer.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Make room for all words at once: the layout alone does so one update later."""
        lines = 3 * self.words.fontMetrics().lineSpacing()
        height = max(lines, self.words.heightForWidth(self.words.width()))
        if height != self.words.height():
            self.words.setFixedHeight(height)

    def _show_progress(self) -> None:
        task = self._evidence.check
        if task is not None:
            self.progress.setValue(round(100 * task.progress))


def _set_text(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
