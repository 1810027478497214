"""Estimating what a frame costs without explaining it: of methods that take long, and of images in tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_segcam.explanation.prediction import predict, tiles_of
from napari_segcam.explanation.registry import Method, SlowMethod
from napari_segcam.explanation.runner import Runner
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.imaging.geometry import Crop
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.network import Network


def cost_without_explaining(
    network: Network,
    runner: Runner,
    method: Method,
    threshold: float,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None,
    crop: Crop | None,
    pixel_aspect: float,
) -> Cost | None:
    """Return what one target of a frame costs, from a few runs of the network; None where one has to explain it.

    The caller holds the network's lock. The arguments are those of ``Explainer``.

    Raises:
        SegcamError: if the frame does not fit the network.
    """
    if isinstance(method, SlowMethod):
        prediction = predict(network, runner, threshold, [frame], value_range, crop, pixel_aspect)
        return Cost(1, 0.0) + runner.cost(prediction.x, prediction.forward_pass)
    tiles = tiles_of(network, frame.shape, crop, pixel_aspect)
    if tiles is None:
        return None
    image, _ = prepare(frame, network.card, network.stride, value_range, crop, pixel_aspect)
    return runner.tiled_cost(image, tiles)
