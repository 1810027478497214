"""What the tests of batches begin with: a tiny network, and three images with their masks."""

from __future__ import annotations

from pathlib import Path

import pytest
from batches import write_checkpoint, write_images

import napari_segcam as sc


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "unet.pth")


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> sc.Network:
    return sc.load_network(checkpoint, "cpu")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "data", 3, tmp_path / "masks")
