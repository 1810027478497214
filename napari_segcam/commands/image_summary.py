"""What an image file is, and notes on how it was read, for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.file_kind import STACKS, FileKind, kind_of, read_head
from napari_segcam.imaging.file_part import file_part
from napari_segcam.imaging.stacks.array_files import is_keras_h5

if TYPE_CHECKING:
    from napari_segcam.imaging.cine import Cine

_IMAGES = (FileKind.DICOM, FileKind.TIFF, FileKind.STILL, FileKind.VIDEO, *STACKS)


def is_image(path: Path) -> bool:
    """Return whether a path is an image file and not a checkpoint."""
    try:
        part = file_part(path)
        if not part.path.is_file():
            return False
        kind = kind_of(read_head(part.path))
        return kind in _IMAGES and not (kind is FileKind.HDF5 and is_keras_h5(part.path))
    except SegcamError:
        return False


def print_cine(cine: Cine, console: Console) -> None:
    """Print frames, size, frame rate, spacing, black and white, and the notes of a cine."""
    height, width, *colors = cine.frame_shape
    levels = cine.black_and_white
    facts = {
        "image": cine.name,
        "frames": str(len(cine)),
        "size": f"{width} × {height} pixels, {'color' if colors else 'gray'} ({cine.dtype})",
        "frame rate": f"{cine.frame_rate:.4g} per second" if cine.frame_rate else "unknown",
        "spacing": "{:.4g} × {:.4g} mm (rows × columns)".format(*cine.spacing_mm) if cine.spacing_mm else "unknown",
        "black and white": f"{levels.black:g} and {levels.white:g}, from {levels.reason}",
    }
    table = Table(show_header=False, box=None)
    for label, value in facts.items():
        table.add_row(f"[bold]{label}", escape(value))
    console.print(table)
    print_notes(cine, console)


def print_notes(cine: Cine, console: Console) -> None:
    """Print what was wrong, or had to be assumed, when the image was read."""
    for note in cine.notes:
        console.print(f"[yellow]{escape(note)}", soft_wrap=True)


def print_scan_note(cine: Cine, console: Console) -> None:
    """Print the note on the region of the scan that was found, if there is one."""
    from napari_segcam.imaging.scan.region import find_scan_region

    if note := find_scan_region(cine).note:
        console.print(f"[yellow]{escape(note)}", soft_wrap=True)


def check_order(model: Path, images: Path, order: str) -> None:
    """Raise a SegcamError if a model or images are not there, or they seem to be exchanged.

    Args:
        model: a checkpoint.
        images: a folder, list or image.
        order: a sentence that says which comes first.
    """
    for path, name in ((model, "model"), (images, "image, folder or list")):
        if not path.exists() and "::" not in str(path):
            raise SegcamError(f"There is no {name} {path}. {order}")
    if is_image(model):
        raise SegcamError(f"{model} is an image, not a checkpoint. {order}")
    if images.is_file() and images.suffix.lower() != ".csv" and not is_image(images):
        raise SegcamError(f"{images} is no image. {order}")
