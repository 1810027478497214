"""Saving a model card: what the user is asked before and after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_segcam.network.model_card import CARD_SUFFIX, ModelCard, card_path
from napari_segcam.viewer.review.session import ReviewSession

_YES, _NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No


def save_card_beside(
    parent: QWidget, session: ReviewSession, checkpoint: str, card: ModelCard, then: Callable[[], None]
) -> None:
    """Write a card beside its checkpoint, from where it is read again; else where the user wants it.

    Args:
        parent: over which the user is asked.
        session: that has loaded the network.
        checkpoint: of the network.
        card: to write.
        then: called once it is written.
    """
    path = card_path(Path(checkpoint))
    question = f"There is a model card already:\n{path}\nReplace it?"
    if path.exists() and QMessageBox.question(parent, "Replace the model card", question, _YES | _NO, _NO) != _YES:
        return
    _save(parent, session, path, card, then)


def _save(parent: QWidget, session: ReviewSession, path: Path, card: ModelCard, then: Callable[[], None]) -> None:
    def on_end(error: str | None) -> None:
        if error is None:
            then()
            return
        question = f"{error}\nSave the card in another folder? It is found again once it lies beside its checkpoint."
        if QMessageBox.question(parent, "The model card was not saved", question, _YES | _NO, _YES) != _YES:
            return
        other, _ = QFileDialog.getSaveFileName(parent, "Save the model card", path.name, f"Cards (*{CARD_SUFFIX})")
        if other:
            _save(parent, session, Path(other), card, then)

    session.save_card(card, path, on_end)
