"""Random actions of a reader in a session with a project: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable

from painting import paint
from pytestqt.qtbot import QtBot

from napari_segcam.review.log.events import Grade, Note, Verdict
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.review.session import ReviewSession


class Reader:
    """Does one random action after the other.

    Args:
        session: with a project that is open.
        controller: of the project.
        seed: of the actions.
        wait_until: waits for a condition while the window's events are handled.
    """

    def __init__(
        self, session: ReviewSession, controller: ProjectController, seed: int, wait_until: Callable[..., object]
    ) -> None:
        self._session = session
        self._controller = controller
        self._random = random.Random(seed)
        self._wait_until = wait_until
        self._actions: tuple[Callable[[], object], ...] = (
            *(self.paint,) * 5,
            *(self.verdict,) * 3,
            self.erase,
            self.discard,
            self.note,
            self.grade,
            self.frame,
            self.camera,
            self.contrast,
            self.threshold,
            self.done,
            *(controller.undo,) * 3,
            *(controller.redo,) * 2,
            self.step,
        )

    def act(self) -> str:
        """Do one action, and return its name; the case that it leads to is in view then."""
        action = self._random.choice(self._actions)
        action()
        self._wait_until(lambda: self._controller.layers.is_shown, timeout=30_000)
        return action.__name__

    def paint(self) -> None:
        row, column = self._random.randrange(80), self._random.randrange(80)
        paint(self._session, slice(row, row + 30), slice(column, column + 12))

    def erase(self) -> None:
        row = self._random.randrange(80)
        paint(self._session, slice(row, row + 20), slice(0, 100), label=0)

    def discard(self) -> None:
        self._session.review.layers.discard(self._session.current_frame())  # type: ignore[union-attr]

    def verdict(self) -> None:
        value = self._random.choice(["accept", "reject", None])
        frame = self._random.choice([None, self._session.current_frame()])
        self._append(Verdict, value=value, first=frame, last=frame)

    def note(self) -> None:
        self._append(Note, text=f"note {self._random.random():.3f}")

    def grade(self) -> None:
        self._append(Grade, value=self._random.randint(1, 5))

    def frame(self) -> None:
        self._session.go_to(self._random.randrange(4))

    def camera(self) -> None:
        self._session.viewer.scene.camera.zoom = 1 + 3 * self._random.random()

    def contrast(self) -> None:
        self._controller.layers.image.contrast_limits = (0, self._random.randint(100, 255))  # type: ignore[union-attr]

    def threshold(self) -> None:
        self._session.set_threshold(self._random.choice([0.3, 0.5, 0.7]))

    def done(self) -> None:
        self._controller.mark_done(self._random.random() > 0.3)

    def step(self) -> None:
        self._controller.step(self._random.choice([1, 1, -1]))

    def _append(self, kind: type, **fields: object) -> None:
        reading = self._controller.reading
        assert reading is not None
        self._controller.append(kind(case=reading.case, repeat=reading.repeat, **fields))


def wait_for_mask(qtbot: QtBot, session: ReviewSession) -> None:
    """Wait until the frame in view has its mask, so that there is something to paint over."""
    qtbot.waitUntil(lambda: session.review is not None and session.review.layers.mask is not None, timeout=60_000)
