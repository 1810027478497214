"""Layers that are added without being selected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari.components import LayerList

from napari_segcam.viewer.napari_internals.replacement import is_plain_napari, private_attribute

_SELECTS = "_activate_on_insert"


@contextmanager
def without_selecting(layers: LayerList) -> Iterator[None]:
    """Let napari select none of the layers that are added meanwhile, if this version of napari can be kept from it."""
    earlier = None if is_plain_napari() else private_attribute(layers, _SELECTS)
    if earlier is None:
        yield
        return
    setattr(layers, _SELECTS, False)
    try:
        yield
    finally:
        setattr(layers, _SELECTS, earlier)
