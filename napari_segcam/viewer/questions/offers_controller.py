"""Offers: a file that can be used in several ways is loaded once the user has chosen one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.jobs.load_offer import LoadOffer
from napari_segcam.viewer.mendable_errors import show_info
from napari_segcam.viewer.questions.picture_maker import PictureMaker, Wanted
from napari_segcam.viewer.questions.pictures import AnswerPicture, Shown, failed_picture, picture_of

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

ASKED = "{title} (choose in the Checkpoint widget)"


class OffersController(QObject):
    """One per session, as its child; found by ``controller_of``.

    Attributes:
        offer: that waits for a choice; None if there is none.
        chosen: index of the chosen candidate; None if none is chosen.
        maker: of the pictures of the candidates.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self.offer: LoadOffer | None = None
        self.chosen: int | None = None
        self.maker = PictureMaker(session, self._wanted, self)
        self.maker.changed.connect(self.changed)
        session.offered.connect(self._on_offer)
        session.network_changed.connect(self.dismiss)

    @property
    def has_image(self) -> bool:
        """Whether there is a frame to show the candidates on."""
        return self._session.image is not None

    def choose(self, index: int) -> None:
        """Choose a candidate; it is not used yet."""
        self.chosen = index
        self.changed.emit()

    def dismiss(self) -> None:
        """Use none of the candidates."""
        if self.offer is not None:
            self.offer, self.chosen = None, None
            self.maker.forget()
            self.changed.emit()

    def _on_offer(self, offer: LoadOffer) -> None:
        self.offer, self.chosen = offer, 0 if offer.has_best else None
        self.maker.forget()
        show_info(ASKED.format(title=offer.title))
        self.changed.emit()

    def _wanted(self) -> Wanted | None:
        offer = self.offer
        if offer is None:
            return None
        return Wanted(
            (offer,), offer.title, len(offer.candidates), lambda shown, cancelled: _try(offer, shown, cancelled)
        )


def _try(offer: LoadOffer, shown: Shown, cancelled: Callable[[], bool]) -> Iterator[AnswerPicture]:
    """Load each candidate in turn, and yield what it gives on the frame."""
    from napari_segcam.explanation.answer_masks import mask_of
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.targets.target import Target

    shown = replace(shown, threshold=None, colors=())
    cine = shown.source.cine
    frame = cine[shown.frame]
    for index, candidate in enumerate(offer.candidates):
        if cancelled():
            return
        try:
            network = candidate.source.load(offer.device, offer.card)
            explainer = Explainer(network, stages=())
            explanation = explainer(
                frame, Target(region="image"), cine.value_range, shown.source.crop, cine.pixel_aspect
            )
        except SegcamError as fault:
            yield failed_picture(index, str(fault), frame, shown)
        else:
            yield picture_of(index, mask_of(explanation, network), frame, shown)
