"""The panel of an offer: what was read from a file, each way to use it as a picture, and the choice."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QPushButton, QWidget

from napari_segcam.viewer.jobs.load_offer import Candidate, LoadOffer
from napari_segcam.viewer.questions.offers_controller import OffersController
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import panel, row
from napari_segcam.viewer.widgets.questions.answer_grid import AnswerGrid
from napari_segcam.viewer.widgets.questions.answer_tile import AnswerTile

_COLUMNS = 2


class _Text:
    """Every text of the panel."""

    DISMISS = "Not this one"
    NO_IMAGE = "Open an image to see what each gives."
    CHOOSE = "Click the picture that is right."


class OfferPanel(QWidget):
    """Shown while an offer waits. ``accepted`` carries the candidate that the user takes."""

    accepted = Signal(object)
    dismissed = Signal()

    def __init__(self, controller: OffersController) -> None:
        super().__init__()
        self._controller = controller
        self._offer: LoadOffer | None = None
        self._answers = AnswerGrid(controller.maker, controller.choose)
        self.title, self.words, self.details = (Words(selectable=True) for _ in range(3))
        for label in (self.title, self.words, self.details):
            label.setTextFormat(Qt.TextFormat.PlainText)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.accept, self.dismiss = QPushButton(), QPushButton(_Text.DISMISS)
        panel(self, self.title, self.words, self._answers, row(self.accept, self.dismiss), self.details)
        self.accept.clicked.connect(self._accept)
        self.dismiss.clicked.connect(self._dismiss)
        controller.changed.connect(self._refresh)
        self._refresh()

    @property
    def tiles(self) -> list[AnswerTile]:
        """One for each candidate."""
        return self._answers.tiles

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        self._controller.maker.watch(True)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        super().hideEvent(event)
        self._controller.maker.watch(False)

    def _refresh(self) -> None:
        offer, chosen = self._controller.offer, self._controller.chosen
        if offer is not self._offer:
            self._show(offer)
        self.setVisible(offer is not None)
        if offer is None:
            return
        self._answers.refresh(chosen)
        details = _Text.CHOOSE if chosen is None else offer.candidates[chosen].details
        self.details.setText(details if self._controller.has_image else f"{_Text.NO_IMAGE}\n{details}")
        set_usable(self.accept, _Text.CHOOSE if chosen is None else None)

    def _show(self, offer: LoadOffer | None) -> None:
        self._offer = offer
        self._answers.offer([] if offer is None else [candidate.label for candidate in offer.candidates], _COLUMNS)
        if offer is not None:
            self.title.setText(offer.title)
            self.words.setText(offer.words)
            self.accept.setText(offer.accept)

    def _accept(self) -> None:
        offer, chosen = self._controller.offer, self._controller.chosen
        if offer is not None and chosen is not None:
            candidate: Candidate = offer.candidates[chosen]
            self.accepted.emit(candidate)

    def _dismiss(self) -> None:
        self._controller.dismiss()
        self.dismissed.emit()
