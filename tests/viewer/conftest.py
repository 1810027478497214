"""Fixtures of the viewer's tests: small networks, sessions, and a wait for the worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import napari.settings
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from filelock import FileLock
from napari.components import ViewerModel
from napari.settings._plugin_config_generator import plugin_configuration_generator
from npe2 import PluginManager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QSettings
from screens import shares_screen

from napari_segcam.network.network import Network
from napari_segcam.preferences.folder import CONFIG_FOLDER
from napari_segcam.preferences.present import read_again
from napari_segcam.viewer import closed_panels
from napari_segcam.viewer.doubt import doubt_controller
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review import image_reviews, input_region, outputs
from napari_segcam.viewer.review import session as session_module
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.model_card import recent_models
from napari_segcam.viewer.worker import background, foreground, worker


@pytest.fixture(scope="session", autouse=True)
def discovered() -> Iterator[None]:
    """Let npe2 find the plugin's manifest, as the first napari window of a process does, and let it read it once.

    For new settings napari reads all manifests again: 0.2 s a test.
    """
    PluginManager.instance().discover()
    classes = plugin_configuration_generator()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(napari.settings, "plugin_configuration_generator", lambda: classes)
        yield


@pytest.fixture(scope="session", autouse=True)
def worker_as_fast_as_the_window() -> Iterator[None]:
    """Let the worker have its turn beside other tests, which wait for it: it steps back for windows of any process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "_NICENESS", 0)
        yield


@pytest.fixture(autouse=True)
def turn_on_shared_screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the windows of tests that run in parallel take turns where they share a screen."""
    if not shares_screen():
        yield
        return
    with FileLock(tmp_path_factory.getbasetemp().parent / "screen.lock"):
        yield


@pytest.fixture(scope="session")
def network() -> Network:
    torch.manual_seed(0)
    return Network.from_module(smp.Unet("resnet18", encoder_weights=None), device="cpu")


@pytest.fixture(scope="session")
def three_classes() -> Network:
    torch.manual_seed(0)
    return Network.from_module(smp.Unet("resnet18", encoder_weights=None, classes=3), device="cpu")


@pytest.fixture
def frames() -> np.ndarray:
    """A gray cine of four different frames of 96 × 64 pixels."""
    return np.random.default_rng(0).integers(0, 255, (4, 96, 64), dtype=np.uint8)


@pytest.fixture(autouse=True)
def temporary_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's settings, or those of another test."""
    path = tmp_path_factory.mktemp("settings") / "settings.ini"
    for module in (recent_models, closed_panels):
        monkeypatch.setattr(module, "settings", lambda: QSettings(str(path), QSettings.Format.IniFormat))
    monkeypatch.setenv(CONFIG_FOLDER, str(path.parent))
    read_again()
    monkeypatch.setattr(napari.settings, "_PLUGIN_SETTINGS", {})
    napari.settings.get_plugin_settings(path_dir=None)  # without files


@pytest.fixture(autouse=True)
def default_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no doubt unless a test asks for it: it runs the network three times more for each frame."""
    monkeypatch.setattr(doubt_controller, "DEFAULT_MEASURE", "")


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings and errors that the user was shown."""
    shown: list[str] = []
    for module in (session_module, image_reviews, input_region, outputs, background, foreground):
        for name in ("show_error", "show_warning"):
            monkeypatch.setattr(module, name, shown.append, raising=False)
    return shown


@pytest.fixture
def session(qtbot: QtBot, messages: list[str]) -> Iterator[ReviewSession]:  # noqa: ARG001
    """A session on a viewer without a window."""
    session = session_of(ViewerModel())
    yield session
    session.cancel()
    qtbot.waitUntil(lambda: not session.is_busy, timeout=20_000)


@pytest.fixture
def reviewed(
    session: ReviewSession, network: Network, frames: np.ndarray, finish: Callable[[ReviewSession], None]
) -> ReviewSession:
    """A session without a window in which all frames of a cine are explained, with the second frame in view."""
    session.viewer.add_image(frames, name="sweep")
    session.viewer.dims.set_current_step(0, 1)
    session.use(network)
    session.run(RunRequest(stages=("encoder_5",)), "all")
    finish(session)
    return session


@pytest.fixture
def finish(qtbot: QtBot) -> Callable[[ReviewSession], None]:
    """A function that waits until the worker has nothing left to do."""

    def wait(session: ReviewSession) -> None:
        qtbot.waitUntil(lambda: not session.is_busy, timeout=60_000)
        qtbot.wait(60)  # widgets follow after a moment

    return wait
