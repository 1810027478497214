"""The run bar: what to run and on which frames, and how far it is."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.choice import Choice


class RunBar(QWidget):
    """What to run, and of which frames; while it runs its progress and Stop instead; and what is missing, in words."""

    requested = Signal(str)
    refreshed = Signal()

    def __init__(self, session: ReviewSession, kind: str, verb: str) -> None:
        super().__init__()
        self._session = session
        self._kind = kind
        self.run = QPushButton(verb)
        self.scope = Choice(
            "The whole cine: the frame in view first, then those ahead of it, then the rest.\n"
            "Frames as I go: what comes into view, and a few frames ahead."
        )
        self.scope.offer([("the whole cine", "all"), ("frames as I go", "follow"), ("this frame", "this")])
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.progress.setFormat("%v of %m")
        self.cancel = QPushButton("Stop")
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.message.setMinimumHeight(2 * self.message.fontMetrics().lineSpacing())
        self.run.clicked.connect(lambda: self.requested.emit(self.scope.value))
        self.cancel.clicked.connect(session.cancel)

        # Pages of one size: nothing around them moves when a run begins.
        self._pages = QStackedWidget()
        self._pages.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        for page in ((self.run, self.scope), (self.progress, self.cancel)):
            row = QHBoxLayout()
            row.setContentsMargins(0, 0, 0, 0)
            for widget in page:
                row.addWidget(widget)
            held = QWidget()
            held.setLayout(row)
            self._pages.addWidget(held)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._pages)
        layout.addWidget(self.message)
        session.job_changed.connect(Throttle(self.refresh, self).ask)
        self._slowly = QTimer(self)  # what a frame that takes minutes has to tell
        self._slowly.setSingleShot(True)
        self._slowly.setInterval(1500)  # later than frames of a second tell it: each time the window is composed anew
        self._slowly.timeout.connect(self.refresh)
        for changed in (session.network_changed, session.image_changed, session.layers_changed):
            changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done now."""
        session = self._session
        missing = session.missing()
        self._pages.setCurrentIndex(int(session.busy))
        (self._slowly.start if session.busy else self._slowly.stop)()
        self.run.setEnabled(missing is None)
        self.scope.setVisible(session.image is None or session.image.ndim > 2)
        if session.busy:
            self._show_progress(*session.progress)
            self._say(f"{session.title} …")
        else:
            self._say(missing or session.outcomes.get(self._kind, ""))
        self.refreshed.emit()

    def _show_progress(self, done: int, total: int) -> None:
        bar = self.progress
        if (done, total) == (bar.value(), bar.maximum()):
            return
        bar.setUpdatesEnabled(False)  # it would repaint the window at once, each time
        bar.setRange(0, total)
        bar.setValue(done)
        bar.setUpdatesEnabled(True)

    def _say(self, words: str) -> None:
        if self.message.text() != words:
            self.message.setText(words)
