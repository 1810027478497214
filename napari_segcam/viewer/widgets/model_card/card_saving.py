"""Save a model card beside its checkpoint, and ask before replacing one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_segcam.network.model_card import CARD_SUFFIX, ModelCard, card_path
from napari_segcam.viewer.review.outputs import write_card
from napari_segcam.viewer.review.session import ReviewSession

_YES, _NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No


class _Text:
    """Every text of the questions."""

    REPLACE_TITLE = "Replace the model card"
    REPLACE = "There is a model card already:\n{path}\nReplace it?"
    FAILED_TITLE = "The model card was not saved"
    FAILED = "{error}\nSave the card in another folder? It is used only when it is beside its checkpoint."
    SAVE_TITLE = "Save the model card"
    FILE_TYPES = "Cards (*{suffix})"


def save_card_beside(
    parent: QWidget, session: ReviewSession, checkpoint: str, card: ModelCard, on_saved: Callable[[], None]
) -> None:
    """Write a card beside its checkpoint, where it is found again; if that fails, where the user chooses.

    Args:
        parent: of the dialogs.
        session: of the network.
        checkpoint: path of the network's checkpoint.
        card: to write.
        on_saved: called when the card is written.
    """
    path = card_path(Path(checkpoint))
    question = _Text.REPLACE.format(path=path)
    if path.exists() and QMessageBox.question(parent, _Text.REPLACE_TITLE, question, _YES | _NO, _NO) != _YES:
        return
    _save(parent, session, path, card, on_saved)


def _save(parent: QWidget, session: ReviewSession, path: Path, card: ModelCard, on_saved: Callable[[], None]) -> None:
    def on_end(error: str | None) -> None:
        if error is None:
            on_saved()
            return
        question = _Text.FAILED.format(error=error)
        if QMessageBox.question(parent, _Text.FAILED_TITLE, question, _YES | _NO, _YES) != _YES:
            return
        file_types = _Text.FILE_TYPES.format(suffix=CARD_SUFFIX)
        other_path, _ = QFileDialog.getSaveFileName(parent, _Text.SAVE_TITLE, path.name, file_types)
        if other_path:
            _save(parent, session, Path(other_path), card, on_saved)

    write_card(session, card, path, on_end)
