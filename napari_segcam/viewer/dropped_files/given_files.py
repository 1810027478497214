"""Given files: what a user drops or chooses, each opened as the image, checkpoint or review project that it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from npe2 import PluginManager

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.viewer.docks import PLUGIN
from napari_segcam.viewer.mendable_errors import show_error, show_warning

_NAPARI = "napari"  # the plugin of its own readers
_MOST_NAMED = 3  # files that a message names
_LOOKED_AT = 1024  # bytes, to tell text from data


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


def open_files(
    viewer: ViewerModel,
    paths: Sequence[str],
    others: Callable[[str], object],
    unknown: Callable[[str], object] | None = None,
) -> None:
    """Open each file as what it is: images first, then checkpoints, which are tried on the image in view.

    Args:
        viewer: with a window.
        paths: of files and folders; one that is given twice is opened once.
        others: opens a file that another reader of napari can read.
        unknown: takes a file of data that nobody knows by its name; without it, the file is refused in words.
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
        elif unknown is not None and _is_data(path):
            unknown(path)
        else:
            reason = _Text.NO_IMAGES if Path(path).is_dir() else _Text.NO_READER
            refused.setdefault(reason, []).append(path)
    for path in rest:
        try:
            others(path)
        except Exception as error:  # of any plugin: the files after it are opened all the same
            show_error(f"{Path(path).name}: {error_text(error)}.")
    for path in sorted(ours, key=_is_network):
        try:
            open_ours(viewer, path)
        except (SegcamError, OSError) as error:
            show_error(str(error) if isinstance(error, SegcamError) else f"{Path(path).name}: {error_text(error)}.")
    if refused:  # one message: napari would lay the next one over it
        show_warning("\n".join(reason.format(names=_names(paths)) for reason, paths in refused.items()))


def open_ours(viewer: Any, path: str) -> None:
    """Open a file that this plugin reads.

    Raises:
        SegcamError: if it cannot be read.
    """
    reader = _reader(path)
    if reader is None or PLUGIN in _listed(path):
        viewer.open([path], plugin=PLUGIN)
        return
    for data in reader(path):  # napari looks at the name, which says nothing here; the reader has looked into the file
        if data[0] is not None:
            viewer.add_layer(Layer.create(*data))


def is_ours(path: str) -> bool:
    """Return whether this plugin reads a file or folder."""
    return _reader(path) is not None


def is_readable(path: str) -> bool:
    """Return whether napari finds a reader, this plugin's or another, that takes a file or folder."""
    if _reason_against(path) is not None:
        return False
    return PLUGIN in _listed(path) if is_ours(path) else _has_reader(path)


def _listed(path: str) -> set[str]:
    """Return the plugins whose readers take a path by its name."""
    return {reader.plugin_name for reader in PluginManager.instance().iter_compatible_readers([path])}


def _has_reader(path: str) -> bool:
    """Return whether another plugin takes a path: this one has looked at it, and napari's own claims every folder."""
    plugins = _listed(path) - {PLUGIN}
    if Path(path).is_dir() and not any(part.endswith(".zarr") for part in Path(path).parts):
        plugins.discard(_NAPARI)
    return bool(plugins)


def _is_data(path: str) -> bool:
    """Return whether a path is a file that holds something else than text."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return b"\0" in file.read(_LOOKED_AT)


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
