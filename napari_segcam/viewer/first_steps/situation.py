"""The situation: what is open, loaded, running and computed in a window, as far as the next step depends on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.questions.offers_controller import OffersController
from napari_segcam.viewer.questions.questions_controller import QuestionsController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession


@dataclass(frozen=True)
class Situation:
    """What the next step depends on.

    Attributes:
        has_image: whether an image is chosen.
        has_network: whether a network is loaded.
        is_loading: whether a network is being loaded.
        has_offer: whether the user must choose how a checkpoint is read.
        open_questions: how many questions about the network have no answer.
        problem: why nothing can be computed although image and network are there; empty if it can.
        in_project: whether a review project is open.
        frames: how many the image has.
        frame_word: what one is called: "frame" or "image".
        done: how many frames are explained.
        total: how many frames are explained or still to be.
        is_running: whether frames are being computed.
        is_checking: whether a heatmap is being checked.
        is_checked: whether the heatmaps in view are checked.
        job: what the worker does, in words; empty if nothing.
    """

    has_image: bool = False
    has_network: bool = False
    is_loading: bool = False
    has_offer: bool = False
    open_questions: int = 0
    problem: str = ""
    in_project: bool = False
    frames: int = 0
    frame_word: str = "frame"
    done: int = 0
    total: int = 0
    is_running: bool = False
    is_checking: bool = False
    is_checked: bool = False
    job: str = ""


def situation_of(session: ReviewSession) -> Situation:
    """Return the situation in a session's window."""
    review, image, network = session.review, session.image, session.network
    evidence = controller_of(session, EvidenceController)
    plan = None if review is None else review.plan
    is_explaining = plan is not None and bool(plan.stages)
    done = total = 0
    if review is not None and is_explaining:
        done = int(np.count_nonzero(review.record.states == FrameState.DONE))
        total = max(done, review.progress()[1])
    return Situation(
        has_image=image is not None,
        has_network=network is not None,
        is_loading=session.job is not None and session.job.kind == "load",
        has_offer=controller_of(session, OffersController).offer is not None,
        open_questions=controller_of(session, QuestionsController).open_count,
        problem=(session.missing() or "") if image is not None and network is not None else "",
        in_project=controller_of(session, ProjectController).project is not None,
        frames=0 if review is None else len(review.record),
        frame_word=frame_word(image),
        done=done,
        total=total,
        is_running=review is not None and review.is_running,
        is_checking=evidence.check is not None,
        is_checked=bool(evidence.checkable()) and not evidence.is_anything_missing(),
        job=session.title if session.is_busy else "",
    )
