"""The steps of a new user: from a situation to one short line that says what comes next, and the buttons for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from napari_segcam.viewer.first_steps.situation import Situation


class Action(Enum):
    """What a button of the panel does; the value is its text."""

    SAMPLE = "Try the sample"
    OPEN = "Open a cine …"
    LOAD = "Load a checkpoint …"
    CHECKPOINT = "Show the Checkpoint tab"
    EXPLAIN = "Explain all frames"
    EXPLAIN_STILL = "Explain the image"
    CHECK = "Check this map"
    STOP = "Stop"


class Words:
    """Every line of the panel; ``{frame}`` is "frame", or "image" in a folder of stills."""

    EMPTY = "Start with the sample, or with your own cine and checkpoint. You can drop files anywhere in this window."
    OPEN_IMAGE = "Open a cine or an image to see its mask."
    LOAD = "Load a checkpoint to see the mask."
    OFFER = "Choose in the Checkpoint tab how the file is read."
    CONFIRM = "Confirm in the Checkpoint tab what the network expects. Then compute the heatmaps."
    EXPLAIN = "Compute the heatmaps to see where the network looks."
    FIRST_HEAT = "The first heatmap is being computed."
    STEP = "Step with the arrow keys. K shows the next stage."
    STAGES = "K shows the next stage."
    CHECK = "Check this map measures whether the heat can be trusted."
    CHECKING = "The heat is being checked. You can keep working."
    DONE = "All steps are done. F1 lists the keys."
    IN_PROJECT = "A review project is open. Its cases are in the Cases tab."
    BUSY = "{title} …"


@dataclass(frozen=True)
class Step:
    """What comes next.

    Attributes:
        words: one short line.
        actions: the buttons, the most useful first.
        progress: how much is done and how much there is; None without a progress bar, and (0, 0) if it is not known.
        is_last: whether nothing comes next, so that the panel steps aside.
    """

    words: str
    actions: tuple[Action, ...] = ()
    progress: tuple[int, int] | None = None
    is_last: bool = False


def step_of(now: Situation) -> Step:
    """Return the step that comes next in a situation."""
    if now.in_project:
        return Step(Words.IN_PROJECT, is_last=True)
    if now.is_loading:
        return Step(Words.BUSY.format(title=now.job), (Action.STOP,), (0, 0))
    if now.has_offer:
        return Step(Words.OFFER, (Action.CHECKPOINT,))
    if not now.has_network:
        if not now.has_image:
            return Step(Words.EMPTY, (Action.SAMPLE, Action.OPEN, Action.LOAD))
        return Step(Words.LOAD, (Action.LOAD, Action.SAMPLE))
    if not now.has_image:
        return Step(Words.OPEN_IMAGE, (Action.OPEN,))
    if now.problem:
        return Step(now.problem, (Action.OPEN,))
    if now.is_running:
        return _running(now)
    if not now.done:
        explain = Action.EXPLAIN if now.frames > 1 else Action.EXPLAIN_STILL
        if now.open_questions:
            return Step(Words.CONFIRM, (Action.CHECKPOINT, explain))
        return Step(Words.EXPLAIN, (explain,))
    return _explained(now)


def _running(now: Situation) -> Step:
    progress = (now.done, now.total) if now.total > 1 else (0, 0)
    if not now.total:  # masks alone
        return Step(Words.BUSY.format(title=now.job), (Action.STOP,), (0, 0))
    return Step(_looking(now) if now.done else Words.FIRST_HEAT, (Action.STOP,), progress)


def _explained(now: Situation) -> Step:
    if now.is_checking:
        return Step(f"{_looking(now)} {Words.CHECKING}", (Action.STOP,))
    if now.is_checked:
        return Step(Words.DONE, is_last=True)
    return Step(f"{_looking(now)} {Words.CHECK}", (Action.CHECK,))


def _looking(now: Situation) -> str:
    return Words.STEP if now.frames > 1 else Words.STAGES
