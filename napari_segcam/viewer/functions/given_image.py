"""The image that a function is given: a layer, a cine, an array, a list of frames or a file, as frames to run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.layers.cine_layer_data import layer_transform
from napari_segcam.viewer.layers.placement import Pair, is_ours, transform_on
from napari_segcam.viewer.napari_internals.proxies import without_proxy

if TYPE_CHECKING:
    from napari_segcam.imaging.cine import Cine

_NAME = "image"  # of an array, which has none


@dataclass(frozen=True, eq=False)
class GivenImage:
    """The frames that a function runs on, and where their layer is in napari's world.

    Attributes:
        name: of the image.
        cine: the frames.
        has_frames: whether results have a first axis of frames; else the image is a still.
        layer: that was given; None for anything else.
        is_array: whether an array was given, whose axes have no names in napari.
    """

    name: str
    cine: Cine
    has_frames: bool
    layer: Image | None = None
    is_array: bool = False

    def transform(self, scale: Pair, translate: Pair) -> dict[str, Any]:
        """Return the transform of a layer over the image, from its scale and translation in the frame's pixels."""
        if self.layer is not None:
            names = {"units": self.layer.units, "axis_labels": self.layer.axis_labels}
            return {**transform_on(self.layer, scale, translate), **names}
        attributes = {} if self.is_array else layer_transform(self.cine, has_frames=self.has_frames)
        lead = 1 if self.has_frames else 0
        pixel = np.asarray(attributes.pop("scale", (1.0,) * (lead + 2)))
        return {
            "scale": pixel * ((1.0,) * lead + tuple(scale)),
            "translate": pixel * ((0.0,) * lead + tuple(translate)),
            **attributes,
        }


def given_image(image: object) -> GivenImage:
    """Return the frames of the image that a function was given.

    Raises:
        SegcamError: if it is no image that can be segmented; the message says what can be.
    """
    from napari_segcam.imaging.cine import Cine

    image = without_proxy(image) if isinstance(image, Layer) else image
    if isinstance(image, Layer):
        return _of_layer(image)
    if isinstance(image, Cine):
        return GivenImage(image.name, image, len(image) > 1)
    if isinstance(image, str | Path):
        from napari_segcam.imaging.opening import open_cine

        cine = open_cine(image)
        return GivenImage(cine.name, cine, len(cine) > 1)
    return _of_array(_as_array(image))


def _of_layer(layer: Layer) -> GivenImage:
    if not isinstance(layer, Image):
        raise SegcamError(
            f"{layer.name} is a {type(layer).__name__} layer: choose the Image layer of the ultrasound image."
        )
    if is_ours(layer):
        raise SegcamError(f"{layer.name} is a result of this plugin: choose the ultrasound image itself.")
    if layer.multiscale:
        raise SegcamError(f"{layer.name} has several resolutions. Give the largest as an array: layer.data[0].")
    if layer.ndim > 3:
        raise SegcamError(f"{layer.name} has {layer.ndim} dimensions. Stills (Y, X) and cines (T, Y, X) are supported.")
    source = LayerSource.from_layer(layer)
    return GivenImage(layer.name, source.cine, layer.ndim == 3, layer)


def _of_array(array: Any) -> GivenImage:
    from napari_segcam.imaging.cine import ArrayCine

    cine = ArrayCine(array, name=_NAME)
    return GivenImage(_NAME, cine, array.ndim - cine.is_rgb == 3, is_array=True)


def _as_array(image: Any) -> Any:
    """Return an array that is read lazily where it can be: NumPy, Dask, or Dask over anything with chunks."""
    if image is None:
        raise SegcamError("There is no image: open an ultrasound image or cine first, and choose it.")
    if isinstance(image, np.ndarray) or type(image).__module__.partition(".")[0] == "dask":
        return image
    if hasattr(image, "chunks") and hasattr(image, "dtype"):  # zarr, h5py
        import dask.array as da

        return da.from_array(image)
    if isinstance(image, Sequence) and any(isinstance(item, Layer | str | Path) for item in image):
        raise SegcamError("Give one image at a time: call the function once for each layer or file.")
    shapes = {np.shape(item) for item in image} if isinstance(image, list | tuple) and _are_arrays(image) else set()
    if len(shapes) > 1:
        text = ", ".join(sorted(str(shape) for shape in shapes))
        raise SegcamError(f"The frames of a cine have one shape, but these have {text}: call the function for each.")
    try:
        array = np.asarray(image)
    except (ValueError, TypeError) as fault:
        raise SegcamError(f"This is no image: {error_text(fault)}. {_SUPPORTED}") from fault
    if array.dtype == object:
        raise SegcamError(f"A {type(image).__name__} is no image. {_SUPPORTED}")
    return array


_SUPPORTED = "Give an image layer, an array (Y, X) or (T, Y, X), a list of frames, a cine from open_cine, or a file."


def _are_arrays(items: Sequence[Any]) -> bool:
    return all(hasattr(item, "shape") for item in items)
