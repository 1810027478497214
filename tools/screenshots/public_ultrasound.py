"""Public ultrasound for the page on it: stills of patients held back from the training, and a network of the others.

The frames are those of the HC18 grand challenge; docs/public-ultrasound.md credits them. They are never committed.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

STILLS, MASKS, CHECKPOINT = "fetal_heads", "true_masks", "fetal_head.pth"
"""What the page calls the folders of stills and of their true masks, and the network."""

_ARCHIVE, _IMAGES, _MASKS = "hc18/hc18_train_384x256.npz", "hc18/images", "hc18/masks"


def prepare(data: Path, folder: Path) -> None:
    """Put what the page needs into a folder; the network is trained if the user's cache does not have it.

    Args:
        data: holds ``hc18/hc18_train_384x256.npz`` (see benchmarks/hc18_training.py), and stills and masks of the
            original size in ``hc18/images`` and ``hc18/masks``.
        folder: where the page is followed.
    """
    archive = data / _ARCHIVE
    if not archive.is_file():
        sys.exit(f"{archive}: no such file. benchmarks/hc18_training.py says what it holds.")

    from benchmarks.hc18_training import Recipe, load_split, trained_network
    from napari_segcam.network.model_card import card_path

    _, held_back = load_split(archive)
    stills = [path for path in sorted((data / _IMAGES).glob("*.png")) if path.stem.split("_")[0] in held_back.patients]
    if not stills:
        sys.exit(f"{data / _IMAGES}: no image of a patient who is held back from the training.")
    for name, source in ((STILLS, data / _IMAGES), (MASKS, data / _MASKS)):
        (folder / name).mkdir()
        for still in stills:
            shutil.copy(source / still.name, folder / name)
    network = trained_network(_cache(), Recipe(frames=300, epochs=2), data=archive)
    shutil.copy(network, folder / CHECKPOINT)
    shutil.copy(card_path(network), card_path(folder / CHECKPOINT))


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "napari-segcam-screenshots")
