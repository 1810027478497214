"""The stage shown first: the one that takes part in the mask, as long as the user has chosen none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from napari.layers import Image, Layer
from qtpy.QtCore import QObject

from napari_segcam.viewer.evidence.evidence_store import Influences
from napari_segcam.viewer.layers.frame_names import frame_in_words
from napari_segcam.viewer.layers.placement import OURS, is_ours
from napari_segcam.viewer.review.review import Review

if TYPE_CHECKING:
    from napari_segcam.evidence.stage_evidence import FirstStage
    from napari_segcam.viewer.review.session import ReviewSession


class FirstShown(QObject):
    """Shows the heatmap of the stage that ``first_stage`` names, once its influence is known.

    After the user has shown or hidden a heatmap, none is shown or hidden here until there are new heatmaps.
    """

    def __init__(self, session: ReviewSession, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._image: Image | None = session.image
        self._chosen_by_user: WeakSet[Review] = WeakSet()
        self._followed: WeakKeyDictionary[Review, Influences] = WeakKeyDictionary()
        self._is_switching = False
        session.viewer.layers.events.inserted.connect(self._on_inserted)
        session.image_changed.connect(self._on_image)

    def follow(self, influences: Influences | None) -> None:
        """Show the first stage alone, if the user has chosen none and its layer is there; once for these influences."""
        review, first = self._session.review, first_of(influences)
        if review is None or influences is None or first is None or self._followed.get(review) is influences:
            return
        layers = review.layers.heatmaps
        visible = [stage for stage, layer in layers.items() if layer.visible]
        heat = review.layers.heat
        if review in self._chosen_by_user or heat.is_making or heat.shown_first is not None or len(visible) != 1:
            return
        self._followed[review] = influences
        if first.name in layers and visible != [first.name]:
            with self._switching():
                layers[first.name].visible = True
                layers[visible[0]].visible = False
            self._session.viewer.status = self.why(review, influences)

    def is_by_rule(self, review: Review, influences: Influences) -> bool:
        """Whether the heatmap in view was chosen by these influences, and not by the user."""
        return self._followed.get(review) is influences and review not in self._chosen_by_user

    def why(self, review: Review, influences: Influences | None) -> str:
        """Return which stage to look at first and why, in a sentence; empty as long as nothing is known."""
        first = first_of(influences)
        if first is None or influences is None:
            return ""
        measured_in = f"measured in {frame_in_words(review.image, influences.frame)}"
        if first.name is None:
            return f"No stage takes part in this mask ({measured_in})."
        if not _has_encoder(influences):
            return f"{first.name} is the first stage that takes part in this mask ({measured_in})."
        if influences.stages[first.name].stage.kind != "encoder":
            decoder_words = f"{first.name} is the earliest decoder stage that does"
            return f"{first.why[0].upper()}{first.why[1:]}; {decoder_words} ({measured_in})."
        if self.is_by_rule(review, influences):
            return f"{first.name} is shown first: {first.why} ({measured_in})."
        return f"Look at {first.name} first: {first.why} ({measured_in})."

    def lines(self, review: Review, influences: Influences | None, frame: int, stages: Sequence[str]) -> list[str]:
        """Return why the visible stage is shown, in the frame in which that was measured."""
        first = first_of(influences)
        if first is None or influences is None or influences.frame != frame or list(stages) != [first.name]:
            return []
        if not _has_encoder(influences):
            return []
        if influences.stages[stages[0]].stage.kind != "encoder":
            return [first.why]
        return [f"shown first: {first.why}"] if self.is_by_rule(review, influences) else []

    @contextmanager
    def _switching(self) -> Iterator[None]:
        self._is_switching = True
        try:
            yield
        finally:
            self._is_switching = False

    def _on_image(self) -> None:
        self._image = self._session.image

    def _on_inserted(self, event: Any) -> None:
        layer: Layer = event.value
        if not is_ours(layer) or "stage" not in layer.metadata[OURS]:
            return
        layer.events.visible.connect(self._on_visible)
        review = self._session.review
        if review is not None and list(review.layers.heatmaps.values()) == [layer]:  # the first of new heatmaps
            self._chosen_by_user.discard(review)
            self._followed.pop(review, None)

    def _on_visible(self, event: Any) -> None:
        """Note a choice of the user; layers are also shown and hidden when another image is chosen."""
        review, layer = self._session.review, event.source
        if self._is_switching or review is None or self._session.image is not self._image:
            return
        if layer in review.layers.heatmaps.values():
            self._chosen_by_user.add(review)
            review.layers.heat.are_chosen = True


def first_of(influences: Influences | None) -> FirstStage | None:
    """Return the stage to show first and why; None as long as nothing is known."""
    if influences is None or not influences.stages:
        return None
    from napari_segcam.evidence.stage_evidence import first_stage

    return first_stage(influences.stages)


def _has_encoder(influences: Influences) -> bool:
    """Whether an encoder stage was measured: the stages of some networks are of no kind."""
    return any(evidence.stage.kind == "encoder" for evidence in influences.stages.values())
