"""The second checkpoint in the Checkpoint widget: load B, see how much it differs, and go to where it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.second_checkpoint.second_layers import DIFFERENCE, OUTLINE
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import row


class _Text:
    """Every text of the widget; ``{frame}`` is "frame", or "image" in a folder of stills."""

    FILE = "Compare with …"
    FILE_TIP = (
        "Load a second checkpoint, B, beside this one. It follows the same {frame}s: outlines of both, where they\n"
        "differ, and curves of their Dice and areas in the cine strip. G shows the stages of both side by side."
    )
    FOLDER = "Folder …"
    FOLDER_TIP = "A folder of save_pretrained, bioimage.io, MONAI, Hugging Face or nnU-Net as B"
    REMOVE = "Remove B"
    REMOVE_TIP = "Let B go, with its layers, curves and results. Your corrections stay."
    OPEN_FILE = "Open a checkpoint to compare with"
    OPEN_FOLDER = "Open a saved network to compare with"
    THRESHOLD = "Threshold of B"
    THRESHOLD_TIP = "Cuts B's probability; A has its own in the Segmentation widget"
    OUTLINE = "Outline of B"
    OUTLINE_TIP = "B's mask as a dashed line, over A's solid one"
    DIFFERENCE = "Where they differ"
    DIFFERENCE_TIP = "Pixels in the mask of A alone (blue), and of B alone (red stripes)"
    PREVIOUS = "◀"
    PREVIOUS_TIP = "Back to the {frame} that differs more (Ctrl+Shift+B)"
    NEXT = "Differs most ▶"
    NEXT_TIP = "The {frame} in which A and B differ most, then the next (Shift+B)"


class SecondPanel(QWidget):
    """Load and remove B, and what it shows.

    Args:
        session: of the viewer.
        file_types: of checkpoints, for the file dialog.
        device: returns the device on which networks run.
    """

    def __init__(self, session: ReviewSession, file_types: str, device: Callable[[], str]) -> None:
        super().__init__()
        self._session, self._file_types, self._device = session, file_types, device
        self._controller = controller = controller_of(session, SecondController)
        self.browse_file, self.browse_folder = QPushButton(_Text.FILE), QPushButton(_Text.FOLDER)
        self.remove = QPushButton(_Text.REMOVE)
        self.name, self.summary = Words(), Words()
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(0.01, 0.99)
        self.threshold.setSingleStep(0.05)
        self.threshold.setKeyboardTracking(False)
        self.outline, self.difference = QCheckBox(_Text.OUTLINE), QCheckBox(_Text.DIFFERENCE)
        self.previous, self.next = QPushButton(_Text.PREVIOUS), QPushButton(_Text.NEXT)
        self._threshold_row = row(QLabel(_Text.THRESHOLD), self.threshold)
        self._of_b = QWidget()
        inner = QVBoxLayout(self._of_b)
        inner.setContentsMargins(0, 0, 0, 0)
        for widget in (
            self.name,
            self._threshold_row,
            row(self.outline, self.difference),
            self.summary,
            row(self.previous, self.next, self.remove),
        ):
            inner.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row(self.browse_file, self.browse_folder))
        layout.addWidget(self._of_b)
        for widget, tip in (
            (self.browse_folder, _Text.FOLDER_TIP),
            (self.remove, _Text.REMOVE_TIP),
            (self.threshold, _Text.THRESHOLD_TIP),
            (self.outline, _Text.OUTLINE_TIP),
            (self.difference, _Text.DIFFERENCE_TIP),
        ):
            widget.setToolTip(tip)

        self.browse_file.clicked.connect(self._browse_file)
        self.browse_folder.clicked.connect(self._browse_folder)
        self.remove.clicked.connect(controller.remove)
        self.threshold.valueChanged.connect(controller.set_threshold)
        self.outline.clicked.connect(lambda on: controller.want(OUTLINE, on))
        self.difference.clicked.connect(lambda on: controller.want(DIFFERENCE, on))
        self.previous.clicked.connect(lambda: controller.step(-1))
        self.next.clicked.connect(lambda: controller.step(1))
        for signal in (controller.changed, session.network_changed, session.image_changed, session.record_changed):
            signal.connect(self._refresh)
        self._refresh()

    def _browse_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, _Text.OPEN_FILE, self._folder(), self._file_types)
        self._load(path)

    def _browse_folder(self) -> None:
        self._load(QFileDialog.getExistingDirectory(self, _Text.OPEN_FOLDER, self._folder()))

    def _load(self, path: str) -> None:
        if path:
            self._controller.load(ModelSource(str(Path(path).absolute())), self._device())

    def _folder(self) -> str:
        source = self._controller.source or self._session.source
        return str(Path(source.path).parent) if source is not None and source.path else ""

    def _refresh(self) -> None:
        controller, network = self._controller, self._controller.network
        word = frame_word(self._session.image)
        for button, tip in (
            (self.browse_file, _Text.FILE_TIP),
            (self.previous, _Text.PREVIOUS_TIP),
            (self.next, _Text.NEXT_TIP),
        ):
            button.setToolTip(tip.format(frame=word))
        self.setVisible(self._session.network is not None)
        self._of_b.setVisible(network is not None)
        if network is None:
            return
        encoder = f" with {network.encoder}" if network.encoder else ""
        _say(self.name, f"B: {network.name} ({network.architecture}{encoder})")
        _say(self.summary, controller.progress_text())
        self._threshold_row.setVisible(not network.has_background)
        with QSignalBlocker(self.threshold):
            self.threshold.setValue(controller.threshold)
        self.outline.setChecked(OUTLINE in controller.wanted)
        self.difference.setChecked(DIFFERENCE in controller.wanted)


def _say(label: QLabel, text: str) -> None:
    if text != label.text():
        label.setText(text)
