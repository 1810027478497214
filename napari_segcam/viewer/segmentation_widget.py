"""The Segmentation widget: the mask of this frame or of all frames."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget
from superqt import QLabeledDoubleSlider

from napari_segcam.viewer.parts import Choice, ImageChoice, RunBar, form, panel
from napari_segcam.viewer.session import ReviewSession
from napari_segcam.viewer.work import Request


class SegmentationWidget(QWidget):
    """Run the network on the chosen image layer and show its mask."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = ReviewSession.of(napari_viewer)
        self.image = ImageChoice(self.session)
        self.shown_class = Choice("Which class the mask shows")
        self.threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0.01, 0.99)
        self.threshold.setDecimals(2)
        self.threshold.setToolTip("Probability above which a pixel belongs to the mask; takes effect with the next run")
        self.run_bar = RunBar(self.session, "segment", "Segment")
        panel(
            self, form(("image", self.image), ("class", self.shown_class), ("threshold", self.threshold)), self.run_bar
        )

        self.threshold.valueChanged.connect(self._set_threshold)
        self.run_bar.requested.connect(self._run)
        self.session.network_changed.connect(self._on_network)
        self._on_network()

    def _set_threshold(self, value: float) -> None:
        self.session.threshold = value

    def _run(self, frames: str) -> None:
        layers = self.session.layers()
        if layers is not None:
            layers.only_label = self.shown_class.value
        self.session.run(Request(), frames)  # type: ignore[arg-type]

    def _on_network(self) -> None:
        network = self.session.network
        several = network is not None and network.has_background
        names = list(enumerate(network.class_names)) if network else []
        self.shown_class.offer(
            [("all", None), *((name, i) for i, name in names[1:])] if several else [(n, None) for _, n in names]
        )
        self.shown_class.setEnabled(several)
        self.threshold.setEnabled(not several)
        self.threshold.setValue(self.session.threshold)
