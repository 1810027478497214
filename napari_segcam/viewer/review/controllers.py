"""The controllers of a session: each adds one feature, lives in its own room, and ends with the session."""

from __future__ import annotations

from typing import TypeVar

from qtpy.QtCore import QObject

Controller = TypeVar("Controller", bound=QObject)


def controller_of(session: QObject, kind: type[Controller]) -> Controller:
    """Return a session's controller of this kind, which ``session_of`` made with the session as parent."""
    return next(child for child in session.children() if isinstance(child, kind))
