"""The image that a DICOM file is about: among the open layers, or in the folders near the file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Generator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from napari.components import ViewerModel
from napari.layers import Image

from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.dicom.nearby import instances_near
from napari_segcam.imaging.dicom.opening import open_dicom
from napari_segcam.imaging.image_folder import FolderCine, cines_of
from napari_segcam.imaging.opening import open_cine
from napari_segcam.viewer.layers.frame_names import SOURCE
from napari_segcam.viewer.layers.placement import is_ours

_MOST_FILES = 5000
_LONGEST_SECONDS = 20.0


@dataclass(frozen=True, eq=False)
class OpenImage:
    """An image layer that was opened from files.

    Attributes:
        layer: the layer.
        paths: of its one file, or of the file of each frame.
    """

    layer: Image
    paths: tuple[Path, ...]

    def source(self) -> SourceImages | None:
        """Read which DICOM instances it shows; None if its files are no DICOM with all identifiers, or are gone."""
        with suppress(SegcamError):
            if len(self.paths) == 1:
                return SourceImages.of(open_cine(self.paths[0]))
            return SourceImages.of(FolderCine(self.paths[0].parent, [open_dicom(path) for path in self.paths]))
        return None


def open_images(viewer: ViewerModel) -> list[OpenImage]:
    """Return the images of a viewer that were opened from files: the selected one first, then from the top down."""
    active = viewer.layers.selection.active
    layers = [layer for layer in reversed(viewer.layers) if isinstance(layer, Image) and not is_ours(layer)]
    layers.sort(key=lambda layer: (layer is not active, not layer.visible))
    images = []
    for layer in layers:
        source = layer.metadata.get(SOURCE, {})
        paths = source.get("frame_paths") or [path for path in (source.get("path"),) if path]
        if paths and layer.ndim in (2, 3):
            images.append(OpenImage(layer, tuple(Path(path) for path in paths)))
    return images


def files_near(uids: Collection[str], path: Path, name: str) -> Generator[str, None, dict[str, Path]]:
    """Look for the files of some instances near a file, and return those that are there.

    Yields what it does, in words, now and then. Ends once all are found, after some thousands of files, or after some
    seconds.

    Args:
        uids: of the instances.
        path: of the file near which they may be.
        name: of the file that is about them.
    """
    found: dict[str, Path] = {}
    end = time.monotonic() + _LONGEST_SECONDS
    for count, (file, uid) in enumerate(instances_near(path)):
        if uid in uids:
            found.setdefault(uid, file)
        if len(found) == len(uids) or count > _MOST_FILES or time.monotonic() > end:
            break
        if count % 50 == 0:
            yield f"Looking for the image of {name} …"
    return found


def open_source(paths: Set[Path]) -> tuple[Cine, SourceImages]:
    """Open the image that some files are: one file, or the stills of a folder.

    Args:
        paths: of the files, not empty.

    Raises:
        SegcamError: if it cannot be read, or is no DICOM image.
    """
    if len(paths) == 1:
        cine = open_cine(next(iter(paths)))
    else:
        folder, _ = Counter(path.parent for path in paths).most_common(1)[0]
        cine = max(cines_of(folder).cines, key=lambda cine: len(paths & set(_paths_of(cine))))
    return cine, SourceImages.of(cine)


def _paths_of(cine: Cine) -> Sequence[Path]:
    if isinstance(cine, FolderCine):
        return cine.frame_paths
    return [] if cine.path is None else [cine.path]
