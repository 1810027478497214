"""The rater's name: asked for once, offered from the system's user name, and remembered."""

from __future__ import annotations

from qtpy.QtWidgets import QInputDialog, QLineEdit, QWidget

from napari_segcam.errors import SegcamError
from napari_segcam.review.raters import check_rater, suggested_rater
from napari_segcam.viewer.widgets.model_card import recent_models

_KEY = "rater"
_TITLE = "Who reads?"
_QUESTION = "Your name in this review: letters, digits and . _ - only.\nEach reader's work is kept apart."


def remembered_rater() -> str:
    """Return the name that was entered last; empty if none was."""
    return str(recent_models.settings().value(_KEY, "") or "")


def remember_rater(name: str) -> None:
    """Offer this name from now on."""
    recent_models.settings().setValue(_KEY, name)


def rater_problem(name: str) -> str:
    """Return why a name cannot be that of a rater, in words; empty if it can."""
    try:
        check_rater(name)
    except SegcamError as fault:
        return str(fault)
    return ""


def offered_rater() -> str:
    """Return the remembered name, else the user name of the system."""
    return remembered_rater() or suggested_rater()


def ask_rater(parent: QWidget | None) -> str:
    """Return the rater's name: the remembered one, else ask for it; empty if the user cancels."""
    name = remembered_rater()
    while problem := rater_problem(name):
        question = f"{problem}\n{_QUESTION}" if name else _QUESTION
        name, is_given = QInputDialog.getText(parent, _TITLE, question, QLineEdit.EchoMode.Normal, offered_rater())
        name = name.strip()
        if not is_given:
            return ""
    remember_rater(name)
    return name
