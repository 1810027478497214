"""Checkpoints that are dropped on the canvas or opened by the File menu: the Checkpoint widget loads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.stacks.array_files import is_keras_h5
from napari_segcam.network.ensemble.ensemble_file import is_ensemble_file
from napari_segcam.network.packages.kinds import is_package

LayerData = tuple[Any, ...]
"""Layer data as a napari reader returns it: data, attributes and kind of a layer; ``(None,)`` adds no layer."""

_SUFFIXES = (".pth", ".pt", ".pt2", ".ckpt", ".safetensors", ".onnx", ".keras")
_NAMES = ("pytorch_model.bin", "model.weights.h5")
_SMP_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def is_checkpoint(path: Path) -> bool:
    """Return whether a path is a checkpoint by its name, an HDF5 file of Keras, a folder saved by SMP, or a package."""
    if is_package(path) or is_ensemble_file(path):
        return True
    if path.is_dir():
        return (path / "config.json").is_file() and any((path / name).is_file() for name in _SMP_WEIGHTS)
    name = path.name.lower()
    if not path.is_file():
        return False
    if name.endswith(_SUFFIXES) or name in _NAMES:
        return True
    return name.endswith((".h5", ".hdf5")) and is_keras_h5(path)


def load_checkpoint(path: str) -> list[LayerData]:
    """Hand a checkpoint to the Checkpoint widget of the current window, and open the widget if needed; add no layer.

    Raises:
        SegcamError: if there is no window.
    """
    viewer = napari.current_viewer()
    if viewer is None:
        raise SegcamError(f"{Path(path).name} is a checkpoint: open it in a napari window.")
    # Imported here because napari calls the reader for any file: it must not load the widgets.
    from napari_segcam.viewer.docks import dock
    from napari_segcam.viewer.widgets.checkpoint_widget import CheckpointWidget
    from napari_segcam.viewer.workspace import open_workspace

    open_workspace(viewer)
    _, widget = dock(viewer, "Checkpoint")
    assert isinstance(widget, CheckpointWidget)
    widget.load_soon(path)  # napari opens files that are dropped together one by one
    return [(None,)]
