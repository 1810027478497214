"""Parts that several widgets are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QEvent, QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtGui import QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_segcam.viewer.session import ReviewSession
from napari_segcam.viewer.throttle import Throttle


class Choice(QComboBox):
    """A combo box of labelled values that keeps its choice when the values change."""

    chosen = Signal(object)

    def __init__(self, tooltip: str = "") -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.activated.connect(lambda _index: self.chosen.emit(self.value))

    @property
    def value(self) -> Any:
        return self.currentData()

    def offer(self, choices: Sequence[tuple[str, Any]], chosen: Any = None) -> None:
        """Offer these (label, value) pairs; what was chosen stays so where it is still there."""
        wanted = self.value if chosen is None else chosen
        with QSignalBlocker(self):
            self.clear()
            for label, value in choices:
                self.addItem(label, value)
        self.choose(wanted)

    def choose(self, wanted: Any) -> None:
        """Show this value as the chosen one; the first where it is not offered."""
        values = [self.itemData(row) for row in range(self.count())]
        # By identity first: comparing layers compares their data.
        at = next((row for row, value in enumerate(values) if value is wanted), -1)
        if at < 0:
            at = next((row for row, v in enumerate(values) if type(v) is type(wanted) and v == wanted), 0)
        self.setCurrentIndex(at if values else -1)


class ImageChoice(Choice):
    """The image layer of the session, the same in every widget."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__("The image layer that is segmented and explained")
        self._session = session
        self.chosen.connect(session.choose_image)
        session.layers_changed.connect(self._offer)
        session.image_changed.connect(self._offer)
        self._offer()

    def _offer(self) -> None:
        self.offer([(layer.name, layer) for layer in self._session.images()], self._session.image)


class Line(QWidget):
    """One line of text; whatever it says, nothing around it is laid out anew, as the whole window would be.

    Args:
        sample: as high as anything that it will say; rich text if that will be.
    """

    def __init__(self, sample: str = "0") -> None:
        super().__init__()
        self._sample = sample
        self._label = QLabel(self)
        rich = Qt.mightBeRichText(sample)
        self._label.setTextFormat(Qt.TextFormat.RichText if rich else Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        self._fit()  # a style gives a widget its font when it is shown first

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        """Be as high as the sample is in the font as it is now."""
        words = self._label.text()
        self._label.ensurePolished()
        self._label.setText(self._sample)
        self.setFixedHeight(self._label.sizeHint().height())
        self._label.setText(words)

    def resizeEvent(self, _event: QResizeEvent) -> None:  # noqa: N802
        self._label.resize(self.size())

    def text(self) -> str:
        """What it says."""
        return self._label.text()

    def say(self, words: str) -> None:
        """Say something else."""
        if words != self.text():
            self._label.setText(words)
            self._label.sizeHint()  # lays rich text out, which while it is painted would have it painted once more


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


def form(*rows: tuple[str, QWidget]) -> QFormLayout:
    """A form of labelled widgets that fits a narrow dock."""
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    for label, widget in rows:
        layout.addRow(label, widget)
    return layout


def panel(widget: QWidget, *contents: Any) -> None:
    """Fill a dock widget from top to bottom with layouts and widgets."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(6, 4, 6, 4)
    layout.setSpacing(4)
    for content in contents:
        add: Callable[[Any], None] = layout.addWidget if isinstance(content, QWidget) else layout.addLayout
        add(content)
