"""Fixtures of the tests of review projects in the window: a small project, and sessions that open it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image
from pytestqt.qtbot import QtBot

from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.review.creating import create_project
from napari_segcam.review.project_file import Settings
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of

STAGES = ("encoder_4", "encoder_5")


@dataclass
class Window:
    """A session with its project, as a window has them."""

    session: ReviewSession
    controller: ProjectController

    @property
    def names(self) -> list[str]:
        """The layers of the viewer."""
        return [layer.name for layer in self.session.viewer.layers]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three stills and a cine of four frames, parts of the sample, of different sizes."""
    folder = tmp_path_factory.mktemp("study") / "images"
    folder.mkdir()
    cine = open_cine(sample_cine())
    for number in range(3):
        picture = np.asarray(cine[FRAME + number])[60 : 188 + 16 * number, 96:224]
        Image.fromarray(picture).save(folder / f"still_{number}.png")
    frames = [Image.fromarray(np.asarray(cine[FRAME + number])[60:188, 96:224]) for number in range(4)]
    frames[0].save(folder / "sweep.tif", save_all=True, append_images=frames[1:])
    return folder


@pytest.fixture(scope="session")
def made(images: Path) -> Path:
    """A project of these images, beside them, that nobody has opened."""
    folder = images.with_name("study.segcam-review")
    create_project(folder, images, [demo_checkpoint()], Settings(stages=STAGES))
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of the project and its images, in a folder of the same depth, since its paths are relative."""
    shutil.copytree(made.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / made.name


@pytest.fixture
def open_window(qtbot: QtBot, messages: list[str]) -> Iterator[Callable[..., Window]]:  # noqa: ARG001
    """A function that opens a project in a new session without a window, and waits until a case is shown."""
    windows: list[Window] = []

    def open_it(folder: Path, rater: str = "anna", *, images: Path | None = None, wait: bool = True) -> Window:
        session = session_of(ViewerModel())
        window = Window(session, controller_of(session, ProjectController))
        windows.append(window)
        window.controller.open(folder, rater, images)
        if wait:
            qtbot.waitUntil(lambda: window.controller.layers.is_shown, timeout=30_000)
        return window

    yield open_it
    for window in windows:
        window.controller.close()
        window.session.cancel()
        qtbot.waitUntil(lambda window=window: not window.session.is_busy, timeout=30_000)  # type: ignore[misc]


@pytest.fixture
def settle(qtbot: QtBot) -> Callable[[Window], None]:
    """A function that waits until the network is loaded, the case is computed, and all of it is on disk."""

    def wait(window: Window) -> None:
        session, controller = window.session, window.controller
        qtbot.waitUntil(lambda: session.network is not None and not session.is_busy, timeout=60_000)
        qtbot.wait(900)  # the view settles
        qtbot.waitUntil(lambda: controller.log is not None and controller.log.unsaved == 0, timeout=10_000)
        qtbot.wait(20)

    return wait
