"""The explainer of an explanation again, so that it can be cancelled within a pass, or for another network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.network.network import Network


def same_explainer(
    explainer: Explainer,
    explanation: Explanation,
    cancelled: Callable[[], bool] | None = None,
    network: Network | None = None,
) -> Explainer:
    """Return an explainer with the method, the stages and the threshold of an explanation.

    Args:
        explainer: that made the explanation.
        explanation: as above.
        cancelled: called between runs of the network, besides the explainer's own; True stops it.
        network: to explain instead.
    """
    own = explainer.control.cancelled

    def is_cancelled() -> bool:
        return any(asked() for asked in (own, cancelled) if asked is not None)

    return Explainer(
        network or explainer.network,
        explainer.method.name,
        tuple(explanation.heatmaps),
        explanation.threshold,
        replace(explainer.control, progress=None, cancelled=is_cancelled),
        autocast=explainer.autocast,
    )
