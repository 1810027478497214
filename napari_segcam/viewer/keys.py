"""The keys of a review: one table, used to bind them and to list them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.calipers.caliper_mouse import CaliperMouse
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.click.mouse import ESCAPE_ACTION
from napari_segcam.viewer.comparison.stage_grid import StageGrid
from napari_segcam.viewer.doubt.doubt_controller import DoubtController
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.key_help import KeyHelp
from napari_segcam.viewer.layers.hide_overlays import HideOverlays
from napari_segcam.viewer.mendable_errors import show_warning
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.project.undo_keys import UNDO_ROWS
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.finding_stepper import step_finding
from napari_segcam.viewer.review.stage_stepper import step_stage, toggle_outline, toggle_scale
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.verdicts.verdict_keys import VERDICT_KEYS

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

Handler = Callable[[ViewerModel], object]


class ReviewKeys:
    """What the keys of one viewer act on. It holds the session weakly, so that the session ends with the widgets."""

    def __init__(self, session: ReviewSession) -> None:
        self._session = weakref.ref(session)
        self.hide_overlays: HideOverlays = HideOverlays(session.viewer)
        self.stage_grid: StageGrid = StageGrid()

    @property
    def session(self) -> ReviewSession:
        """The session of the viewer; the keys are unbound before it ends."""
        session = self._session()
        assert session is not None
        return session


@dataclass(frozen=True)
class Key:
    """A key and what it does.

    Attributes:
        key: as napari writes it.
        action: what it does, in the user's words.
        press: called when the key is pressed.
        release: called when it is released.
    """

    key: str
    action: str
    press: Callable[[ReviewKeys], object]
    release: Callable[[ReviewKeys], object] | None = None


def _press_for(act: Callable[[ReviewSession], object], keys: ReviewKeys) -> object:
    return act(keys.session)


KEYS = (
    Key("N", "Go to the next finding", lambda keys: step_finding(keys.session, 1)),
    Key("Shift+N", "Go to the previous finding", lambda keys: step_finding(keys.session, -1)),
    Key("Shift+D", "Go to the most doubtful frame, then to the next", lambda keys: step_doubt(keys.session, 1)),
    Key("Ctrl+Shift+D", "Go back to the more doubtful frame", lambda keys: step_doubt(keys.session, -1)),
    Key("Shift+B", "Go to where A and B differ most, then to the next", lambda keys: step_difference(keys.session, 1)),
    Key("Ctrl+Shift+B", "Go back to where they differ more", lambda keys: step_difference(keys.session, -1)),
    Key("K", "Show the next stage alone, from encoder to decoder", lambda keys: step_stage(keys.session, 1)),
    Key("J", "Show the previous stage alone", lambda keys: step_stage(keys.session, -1)),
    Key("G", "Compare the stages side by side, or go back", lambda keys: keys.stage_grid.toggle(keys.session)),
    Key(
        "Shift+C",
        "Check the heatmap in view, or stop the check",
        lambda keys: controller_of(keys.session, EvidenceController).toggle_check(),
    ),
    Key(
        "H",
        "Hide overlays while held",
        lambda keys: keys.hide_overlays.hold(),
        lambda keys: keys.hide_overlays.release(),
    ),
    Key("W", "Scale the heat to each frame, or to all frames", lambda keys: toggle_scale(keys.session)),
    Key("U", "Show the mask as an outline, or filled", lambda keys: toggle_outline(keys.session)),
    Key("Q", "Explain what you click on, on or off", lambda keys: _click(keys).toggle()),
    Key("Shift+Q", "Explain a click, a box or a lasso in turn", lambda keys: _click(keys).next_tool()),
    Key("Shift+M", "Draw a caliper, on or off", lambda keys: _calipers(keys).toggle()),
    Key("Ctrl+Shift+M", "Measure the finding under the mouse, or the largest", lambda keys: _measure(keys)),
    Key("PageDown", "Go to the next case of the review", lambda keys: _project(keys).step(1)),
    Key("PageUp", "Go to the previous case", lambda keys: _project(keys).step(-1)),
    Key("Shift+PageDown", "Go to the next case that is not done", lambda keys: _project(keys).step(1, not_done=True)),
    Key("Ctrl+Enter", "Mark the case as done and go to the next", lambda keys: _project(keys).finish()),
    *(Key(key, action, partial(_press_for, act)) for key, action, act in VERDICT_KEYS),
    Key("F1", "Show this list of keys", lambda keys: show_help(canvas_of(keys.session.viewer))),
)


def _project(keys: ReviewKeys) -> ProjectController:
    return controller_of(keys.session, ProjectController)


def _click(keys: ReviewKeys) -> ClickController:
    return controller_of(keys.session, ClickController)


def _calipers(keys: ReviewKeys) -> CalipersController:
    return controller_of(keys.session, CalipersController)


def _measure(keys: ReviewKeys) -> None:
    _calipers(keys).measure_finding(controller_of(_calipers(keys), CaliperMouse).pixel())


def step_doubt(session: ReviewSession, direction: int) -> None:
    """Go to the most doubtful frame, then to the next (1), or back (-1)."""
    controller_of(session, DoubtController).step(direction)


def step_difference(session: ReviewSession, direction: int) -> None:
    """Go to the frame in which two checkpoints differ most, then to the next (1), or back (-1)."""
    controller_of(session, SecondController).step(direction)


def key_rows() -> list[tuple[str, str]]:
    """Return each key and what it does; keys in a row that do the same with different numbers share a row."""
    same = [list(group) for _action, group in groupby(KEYS, lambda key: key.action)]
    rows = [(" … ".join(dict.fromkeys((group[0].key, group[-1].key))), group[0].action) for group in same]
    # Not bound here: napari's layers have uses of Esc that come first, and undo is napari's own without a review.
    return [*rows[:-1], *UNDO_ROWS, ("Esc", ESCAPE_ACTION), rows[-1]]


def bind_keys(session: ReviewSession) -> ReviewKeys:
    """Bind the keys in the viewer until the session ends; keys that are already bound there are left as they are."""
    keys, keymap = ReviewKeys(session), session.viewer.keymap
    already_bound = [key for key in KEYS if coerce_keybinding(key.key) in keymap]
    handlers = {coerce_keybinding(key.key): _handler(key, keys) for key in KEYS if key not in already_bound}
    keymap.update(handlers)
    # Weakly: the handlers hold the viewer, whose callbacks hold the session, which would then never end.
    bound = {key: weakref.ref(handler) for key, handler in handlers.items()}
    weakref.finalize(session, _unbind, weakref.ref(session.viewer), bound)
    if already_bound:
        names = ", ".join(f"{key.key} ({key.action})" for key in already_bound)
        show_warning(f"These keys of SegCAM already have another use in this viewer, which they keep: {names}.")
    return keys


def _unbind(viewer: weakref.ref[ViewerModel], bound: dict[Any, weakref.ref[Handler]]) -> None:
    keymap = {} if (model := viewer()) is None else model.keymap
    for key, handler in bound.items():
        if key in keymap and keymap[key] is handler():
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


def show_help(parent: QWidget | None) -> KeyHelp:
    """Open the table of keys; the user can keep working while it is open."""
    help_table = KeyHelp(key_rows(), parent)
    help_table.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    help_table.show()
    return help_table
