"""What the network sees of a case, in the log: a crop, and black and white as the rater set them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes

from napari_segcam.review.log.events import Input
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.review.network_input import BY_CONTRAST_LIMITS
from napari_segcam.viewer.review.review import Review

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_DRAWN = "{name} input region"


def input_of(review: Review, reading: Reading) -> Input:
    """Return what the network sees of an image."""
    source = review.input.source
    crop = None
    if source.crop is not None:
        height, width = review.image.data.shape[review.image.ndim - 2 : review.image.ndim]
        rows, columns = source.crop
        crop = (*rows.indices(height)[:2], *columns.indices(width)[:2])
    is_set = source.value_range is not None and source.value_range_from == BY_CONTRAST_LIMITS
    return Input(
        case=reading.case,
        repeat=reading.repeat,
        crop=crop,
        is_drawn=crop is not None and source.is_crop_drawn,
        value_range=source.value_range if is_set else None,
    )


def is_same(first: Input | None, second: Input | None) -> bool:
    """Return whether the network sees the same; None stands for all of the case, as the file says."""
    return _content(first) == _content(second)


def restore_input(session: ReviewSession, review: Review, kept: Input | None) -> None:
    """Let the network see what it saw of the case when it was left, before it runs."""
    if kept is None:
        return
    if kept.value_range is not None:
        review.input.set_value_range(kept.value_range)
    if kept.crop is None:
        return
    top, bottom, left, right = kept.crop
    review.set_crop((slice(top, bottom), slice(left, right)), is_drawn=kept.is_drawn)
    edges = (top - 0.5, bottom - 0.5, left - 0.5, right - 0.5)
    corners = np.array([(edges[0], edges[2]), (edges[0], edges[3]), (edges[1], edges[3]), (edges[1], edges[2])])
    if not kept.is_drawn:
        review.input.region = "scan"
        review.input.outline.show(corners, f"{review.image.name} scan (detected)")
        return
    image = review.image
    shapes = Shapes(
        [corners],
        shape_type="polygon",
        name=_DRAWN.format(name=image.name),
        scale=image.scale[-2:],
        translate=image.translate[-2:],
        units=image.units[-2:],
        axis_labels=image.axis_labels[-2:],
        face_color="transparent",
        edge_color="#ffd500",
    )
    active = session.viewer.layers.selection.active
    session.viewer.add_layer(shapes)
    session.viewer.layers.selection.active = active
    review.input.region = shapes


def _content(seen: Input | None) -> tuple[object, ...]:
    return (None, False, None) if seen is None else (seen.crop, seen.is_drawn, seen.value_range)
