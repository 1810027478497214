"""The choice of the measure of doubt, how far it is measured, and the button for the layer of doubtful pixels."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_segcam.evidence.doubt.measures import DOUBT_MEASURES, PERFECT, DoubtMeasure
from napari_segcam.viewer.doubt.doubt_controller import OFFERED, DoubtController
from napari_segcam.viewer.doubt.doubt_pixels import DoubtPixels
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.layout import Line
from napari_segcam.viewer.widgets.pixel_layer_button import PixelLayerButton


class _Text:
    """Every text of the widget."""

    TIP = (
        "Which masks to look at again: a curve in the cine strip, with a pink mark at doubtful frames. Shift+D goes to "
        "the most doubtful one. It is measured while nothing else is computed."
    )
    OFF = "Off"
    OFF_TIP = "Measure no doubt"
    RUNS = "{about}. Runs of the network for a frame: {runs}."
    FREE = "{about}. It needs no run of the network."
    BENCHMARK = (
        " Benchmark on fetal heads: area under the risk–coverage curve {area:.2f} of that of random order (perfect: "
        "{best:.2f}); doubtful from {doubtful_from:.2f}."
    )
    NO_BENCHMARK = " It is not in the benchmark, which has no cines; doubtful from {doubtful_from:.2f}."
    SHOW = "Show doubt per pixel"
    SHOW_TIP = "A layer: how undecided the network is in each pixel, in bits, from 0 to 1"


class DoubtChoice(QWidget):
    """The setting of the doubt in the Segmentation widget."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__()
        self._controller = controller_of(session, DoubtController)
        self.measure = Choice(_Text.TIP)
        titles = [(DOUBT_MEASURES[name].title, name) for name in OFFERED]
        self.measure.offer([*titles, (_Text.OFF, "")], self._controller.measure)
        for index, name in enumerate(OFFERED):
            self.measure.setItemData(index, measure_tooltip(DOUBT_MEASURES[name]), Qt.ItemDataRole.ToolTipRole)
        self.measure.setItemData(len(OFFERED), _Text.OFF_TIP, Qt.ItemDataRole.ToolTipRole)
        self.progress = Line()
        self.show_pixels = PixelLayerButton(_Text.SHOW, _Text.SHOW_TIP, controller_of(session, DoubtPixels))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.measure, self.progress, self.show_pixels):
            layout.addWidget(widget)

        self.measure.chosen.connect(self._choose)
        self._controller.changed.connect(self._refresh)
        session.record_changed.connect(self._refresh)
        session.image_changed.connect(self._refresh)
        self._refresh()

    def _choose(self, measure: str) -> None:
        self._controller.choose(measure)
        self._refresh()

    def _refresh(self) -> None:
        self.progress.set_text(self._controller.progress_text())
        measure = self._controller.measure
        self.measure.choose(measure)
        tip = measure_tooltip(DOUBT_MEASURES[measure]) if measure else _Text.OFF_TIP
        self.measure.setToolTip(f"{_Text.TIP} {tip}")
        self.show_pixels.refresh()


def measure_tooltip(measure: DoubtMeasure) -> str:
    """Return what a measure says, its cost, and how well it ranked bad masks."""
    about = measure.about[:1].upper() + measure.about[1:]
    cost = _Text.RUNS.format(about=about, runs=measure.runs) if measure.runs else _Text.FREE.format(about=about)
    if measure.area is None:
        return cost + _Text.NO_BENCHMARK.format(doubtful_from=measure.doubtful_from)
    return cost + _Text.BENCHMARK.format(area=measure.area, best=PERFECT, doubtful_from=measure.doubtful_from)
