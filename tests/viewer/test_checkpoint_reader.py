"""Checkpoints that are dropped on the canvas are loaded and become no layer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_segcam.demo import demo_checkpoint
from napari_segcam.errors import SegcamError
from napari_segcam.viewer.checkpoint_reader import is_checkpoint, load_checkpoint
from napari_segcam.viewer.reader import get_reader
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of

Finish = Callable[[ReviewSession], None]


@pytest.mark.slow
def test_a_checkpoint_dropped_on_the_canvas_is_loaded(
    make_napari_viewer: Callable[..., Any], finish: Finish, messages: list[str], tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    path = shutil.copy(demo_checkpoint(), tmp_path / "network.pth")
    for _ in range(2):  # without the workspace, and with it
        viewer.open(str(path), plugin=None)  # as the File menu and the canvas do
        session = session_of(viewer)
        finish(session)
        assert session.network is not None
        assert session.source is not None
        assert session.source.path == str(path)
        assert len(viewer.layers) == 0
    assert any("Checkpoint" in name for name in viewer.window.dock_widgets)
    assert messages == []


def test_checkpoints_are_known_by_name_and_keras_files_by_content(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "a.pt")
    save_file({"a": torch.zeros(1)}, tmp_path / "b.safetensors")
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        file.attrs["keras_version"] = "3.12"
    for name in ("a.pt", "b.safetensors", "keras.h5"):
        assert get_reader(str(tmp_path / name)) is load_checkpoint
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["frames"] = np.zeros((3, 20, 20), np.uint8)
    assert not is_checkpoint(tmp_path / "images.h5")
    assert not is_checkpoint(tmp_path / "gone.pth")
    saved = tmp_path / "saved"
    saved.mkdir()
    shutil.copy(tmp_path / "b.safetensors", saved / "model.safetensors")
    assert not is_checkpoint(saved)
    (saved / "config.json").write_text("{}")
    assert get_reader(str(saved)) is load_checkpoint


def test_packages_are_checkpoints_and_other_folders_and_archives_are_not(tmp_path: Path) -> None:
    package = tmp_path / "a_package"
    package.mkdir()
    (package / "rdf.yaml").write_text("type: model")
    (package / "frame.png").write_text("")
    zipped = shutil.make_archive(str(tmp_path / "a.bioimageio"), "zip", package)
    for path in (package, zipped, package / "rdf.yaml"):
        assert get_reader(str(path)) is load_checkpoint
    (package / "rdf.yaml").rename(package / "notes.txt")
    assert not is_checkpoint(package)
    assert get_reader(shutil.make_archive(str(tmp_path / "photos"), "zip", package)) is None


def test_without_a_window_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari.current_viewer", lambda: None)
    with pytest.raises(SegcamError, match=r"a\.pth is a checkpoint: open it in a napari window"):
        load_checkpoint(str(tmp_path / "a.pth"))
