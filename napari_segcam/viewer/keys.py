"""The keys of a review: one table, from which they are bound and explained."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

from napari_segcam.viewer.comparison.stage_grid import StageGrid
from napari_segcam.viewer.layers.hide_overlays import HideOverlays
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.review.finding_stepper import step_finding
from napari_segcam.viewer.review.stage_stepper import step_stage, toggle_outline, toggle_scale

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

Handler = Callable[[ViewerModel], object]


class ReviewKeys:
    """What the keys of one viewer act on. It holds the session weakly, whose life is that of the widgets."""

    def __init__(self, session: ReviewSession) -> None:
        self._session = weakref.ref(session)
        self.hide_overlays: HideOverlays = HideOverlays(session.viewer)
        self.stage_grid: StageGrid = StageGrid()

    @property
    def session(self) -> ReviewSession:
        """Of the viewer; the keys are unbound before it ends."""
        session = self._session()
        assert session is not None
        return session


@dataclass(frozen=True)
class Key:
    """A key and what it does.

    Attributes:
        key: as napari writes it.
        what: in the user's words.
        press: done when the key goes down.
        release: done when it comes up again.
    """

    key: str
    what: str
    press: Callable[[ReviewKeys], object]
    release: Callable[[ReviewKeys], object] | None = None


KEYS = (
    Key("N", "Go to the next finding", lambda keys: step_finding(keys.session, 1)),
    Key("Shift+N", "Go back to the finding before", lambda keys: step_finding(keys.session, -1)),
    Key("K", "Show the next stage alone, from encoder to decoder", lambda keys: step_stage(keys.session, 1)),
    Key("J", "Show the stage before it alone", lambda keys: step_stage(keys.session, -1)),
    Key("G", "Compare the stages side by side, and back", lambda keys: keys.stage_grid.toggle(keys.session)),
    Key(
        "H",
        "Hold: the bare speckle, without mask and heatmaps",
        lambda keys: keys.hide_overlays.hold(),
        lambda keys: keys.hide_overlays.release(),
    ),
    Key("W", "Scale the heat to each frame, or to the whole clip", lambda keys: toggle_scale(keys.session)),
    Key("U", "Show the mask as an outline, or filled", lambda keys: toggle_outline(keys.session)),
    Key("F1", "List these keys", lambda keys: show_help(canvas_of(keys.session.viewer))),
)


def key_rows() -> list[tuple[str, str]]:
    """Each key and what it does."""
    return [(key.key, key.what) for key in KEYS]


def bind_keys(session: ReviewSession) -> ReviewKeys:
    """Bind the keys in the viewer until the session ends; those that somebody else has bound there stay theirs."""
    keys, keymap = ReviewKeys(session), session.viewer.keymap
    taken = [key for key in KEYS if coerce_keybinding(key.key) in keymap]
    bound = {coerce_keybinding(key.key): _handler(key, keys) for key in KEYS if key not in taken}
    keymap.update(bound)
    weakref.finalize(session, _unbind, keymap, bound)
    if taken:
        names = ", ".join(f"{key.key} ({key.what})" for key in taken)
        show_warning(f"These keys of SegCAM are bound to something else in this viewer and were left so: {names}.")
    return keys


def _unbind(keymap: dict[Any, Handler], bound: dict[Any, Handler]) -> None:
    for key, handler in bound.items():
        if keymap.get(key) is handler:
            del keymap[key]


def _handler(key: Key, keys: ReviewKeys) -> Handler:
    release = key.release
    if release is None:
        return lambda _viewer: key.press(keys)

    def hold(_viewer: ViewerModel) -> Iterator[None]:
        key.press(keys)
        yield
        release(keys)

    return hold


class KeyHelp(QDialog):
    """The table of keys."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("SegCAM keys")
        layout = QGridLayout(self)
        layout.setHorizontalSpacing(16)
        for row, (key, what) in enumerate(key_rows()):
            name = QLabel(f"<b>{key}</b>")
            name.setAlignment(Qt.AlignmentFlag.AlignRight)
            layout.addWidget(name, row, 0)
            layout.addWidget(QLabel(what), row, 1)
        hint = QLabel("The keys work unless you are typing in a field: click on the image to leave it.")
        hint.setEnabled(False)
        layout.addWidget(hint, len(KEYS), 0, 1, 2)


def show_help(parent: QWidget | None) -> KeyHelp:
    """Open the table of keys beside the work: it need not be closed to go on."""
    help_table = KeyHelp(parent)
    help_table.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    help_table.show()
    return help_table
