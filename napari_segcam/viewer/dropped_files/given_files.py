"""Given files: what a user drops or chooses, each opened as the image, checkpoint or review project that it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.utils.notifications import show_warning
from npe2 import PluginManager

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.viewer.docks import PLUGIN
from napari_segcam.viewer.mendable_errors import show_error

_MOST_NAMED = 3  # files that a message names


class _Text:
    """Every message about given files."""

    NOT_HERE = "{names}: no such file. It may have been moved."
    NOT_LOCAL = "{names}: not a file on this computer. Save it first, then open it here."
    NO_READER = (
        "{names}: not an image, a checkpoint or a review project that can be read. "
        "Images: DICOM, video, TIFF, PNG, NIfTI and others; checkpoints: .pth, .safetensors, .onnx and others."
    )
    NO_IMAGES = "{names}: no images in this folder, and no checkpoint or review project."
    EMPTY = "{names}: an empty file."


def open_files(viewer: ViewerModel, paths: Sequence[str], others: Callable[[list[str]], object]) -> None:
    """Open each file as what it is: images first, then checkpoints, which are tried on the image in view.

    Args:
        viewer: with a window.
        paths: of files and folders; one that is given twice is opened once.
        others: opens files that other readers of napari can read, all at once.
    """
    ours: list[str] = []
    rest: list[str] = []
    refused: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        if (reason := _reason_against(path)) is not None:
            refused.setdefault(reason, []).append(path)
        elif is_ours(path):
            ours.append(path)
        elif _has_reader(path):
            rest.append(path)
        else:
            reason = _Text.NO_IMAGES if Path(path).is_dir() else _Text.NO_READER
            refused.setdefault(reason, []).append(path)
    if rest:
        others(rest)
    for path in sorted(ours, key=_is_network):
        try:
            open_ours(viewer, path)
        except (SegcamError, OSError) as error:
            show_error(str(error) if isinstance(error, SegcamError) else f"{Path(path).name}: {error_text(error)}.")
    for reason, refused_paths in refused.items():
        show_warning(reason.format(names=_names(refused_paths)))


def open_ours(viewer: Any, path: str) -> None:
    """Open a file that this plugin reads.

    Raises:
        SegcamError: if it cannot be read.
    """
    viewer.open([path], plugin=PLUGIN)


def is_ours(path: str) -> bool:
    """Return whether this plugin reads a file or folder."""
    return _reader(path) is not None


def is_readable(path: str) -> bool:
    """Return whether a reader of napari, this plugin's or another, takes a file or folder."""
    return _reason_against(path) is None and (is_ours(path) or _has_reader(path))


def _has_reader(path: str) -> bool:
    return any(True for _ in PluginManager.instance().iter_compatible_readers([path]))


def _is_network(path: str) -> bool:
    """Return whether the reader of a path loads a checkpoint."""
    return getattr(_reader(path), "__name__", "") == "load_checkpoint"


def _reader(path: str) -> Callable[[str], Any] | None:
    # By its command: the reader is on a higher floor, and is imported when it is first asked.
    get_reader: Callable[[str], Callable[[str], Any] | None] = PluginManager.instance().commands.get(
        f"{PLUGIN}.get_reader"
    )
    return get_reader(path)


def _reason_against(path: str) -> str | None:
    """Return why a path cannot be opened by anything; None if it may be."""
    if "://" in path:
        return _Text.NOT_LOCAL
    try:
        if not Path(path).exists():
            return _Text.NOT_HERE
        if Path(path).is_file() and Path(path).stat().st_size == 0:
            return _Text.EMPTY
    except OSError:
        return _Text.NOT_HERE
    return None


def _names(paths: Sequence[str]) -> str:
    names = ", ".join(path if "://" in path else Path(path).name for path in paths[:_MOST_NAMED])
    more = len(paths) - _MOST_NAMED
    return f"{names} and {more} more" if more > 0 else names
