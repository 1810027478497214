"""What must be there before anything can be run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image

from napari_segcam.errors import MendableText
from napari_segcam.viewer.frames.arriving_frames import ArrivingFrames

if TYPE_CHECKING:  # torch comes with it: it is imported in the worker, where nobody waits for it
    from napari_segcam.network.network import Network

LOAD_FIRST = MendableText("Load a checkpoint first: Plugins ▸ SegCAM ▸ Checkpoint (SegCAM).", "load_checkpoint")
OPEN_FIRST = MendableText(
    "Open an ultrasound image or cine first: File ▸ Open File(s), or File ▸ Open Sample.", "open_image"
)


def missing_requirement(network: Network | None, image: Image | None) -> str | None:
    """Return what must be done before a run, in words; None if nothing."""
    if network is None:
        return LOAD_FIRST
    return missing_image(image)


def missing_image(image: Image | None) -> str | None:
    """Return what must be done before anything is computed of an image, in words; None if nothing."""
    if image is None:
        return OPEN_FIRST
    if image.ndim > 3:
        words = f"{image.name} has {image.ndim} dimensions. Stills (Y, X) and cines (T, Y, X) are supported."
        return MendableText(words, "open_image")
    if isinstance(image.data, ArrivingFrames):
        return f"{image.name} is still coming from the PACS: wait until all of its frames are here."
    return None
