"""The measures of doubt by name: what each needs, and how well it ranked bad masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# "mask": the probabilities of the frame alone; "network": runs of the network; "cine": the masks of the other frames;
# "references": frames that the network handles well; "networks": several networks.
Needs = Literal["mask", "network", "cine", "references", "networks"]


@dataclass(frozen=True)
class DoubtMeasure:
    """A measure of doubt.

    Attributes:
        name: for scripts and tables.
        title: for users.
        about: what it says, in a sentence without its end.
        needs: what it is measured from, besides the probabilities of the frame.
        runs: of the network for one frame, besides its own.
    """

    name: str
    title: str
    about: str
    needs: Needs = "mask"
    runs: int = 0


_MEASURES = (
    DoubtMeasure(
        "views_and_norms",
        "Shifted views and batch norms",
        "a shift changes the mask, or the activations are unlike those of the training",
        "network",
        3,
    ),
    DoubtMeasure("views", "Disagreement of views", "zoom, shift and brightness change the mask", "network", 6),
    DoubtMeasure(
        "batch_norms",
        "Batch norms",
        "the activations are unlike those that the batch norms saw in training",
        "network",
        1,
    ),
    DoubtMeasure("small_views", "Disagreement of small views", "a hair's breadth changes the mask", "network", 6),
    DoubtMeasure("probability", "Mean probability", "the pixels of the mask are not sure"),
    DoubtMeasure("expected_overlap", "Expected overlap", "the probabilities leave room for other masks"),
    DoubtMeasure("entropy", "Entropy per area", "many pixels are undecided"),
    DoubtMeasure("boundary", "Entropy of the boundary", "the boundary is undecided"),
    DoubtMeasure("jump", "Jump in the cine", "the mask differs from those of the neighboring frames", "cine"),
    DoubtMeasure("outlier", "Area in the cine", "the area is unlike those of the other frames", "cine"),
    DoubtMeasure(
        "features", "Distance of features", "the deepest features are unlike those of reference frames", "references", 1
    ),
    DoubtMeasure("ensemble", "Disagreement of networks", "several networks give different masks", "networks"),
)
DOUBT_MEASURES: dict[str, DoubtMeasure] = {measure.name: measure for measure in _MEASURES}

DEFAULT_MEASURE = "views_and_norms"
CHEAP_MEASURE = "probability"  # the one without runs that ranked best
