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
        area: under the risk–coverage curve as a share of that of random order, on average over the networks of
            ``benchmarks/doubt.py``; None if it is not in the benchmark.
        doubtful_from: masks of at least this doubt are called doubtful. In the benchmark it parts those of a Dice below
            0.8 best from the others. Of a cine: three times what is typical for it.
    """

    name: str
    title: str
    about: str
    needs: Needs = "mask"
    runs: int = 0
    doubtful_from: float = 0.75
    area: float | None = None


PERFECT = 0.29  # area of the perfect order in the benchmark

_MEASURES = (
    DoubtMeasure(
        name="views_and_norms",
        title="Shifts and batch norms",
        about="a shift changes the mask, or the activations are unlike those of the training",
        needs="network",
        runs=3,
        doubtful_from=0.19,
        area=0.35,
    ),
    DoubtMeasure(
        name="expected_overlap",
        title="Expected overlap",
        about="the probabilities leave room for other masks",
        doubtful_from=0.09,
        area=0.35,
    ),
    DoubtMeasure(
        name="entropy",
        title="Entropy per area",
        about="many pixels are undecided",
        doubtful_from=0.44,
        area=0.35,
    ),
    DoubtMeasure(
        name="probability",
        title="Mean probability",
        about="the network is not sure of the pixels in the mask",
        doubtful_from=0.09,
        area=0.36,
    ),
    DoubtMeasure(
        name="boundary",
        title="Entropy of the boundary",
        about="the boundary is undecided",
        doubtful_from=0.65,
        area=0.37,
    ),
    DoubtMeasure(
        name="batch_norms",
        title="Batch norms",
        about="the activations are unlike those of the training",
        needs="network",
        runs=1,
        doubtful_from=0.07,
        area=0.38,
    ),
    DoubtMeasure(
        name="views",
        title="Disagreement of views",
        about="zoom, shift and brightness change the mask",
        needs="network",
        runs=6,
        doubtful_from=0.12,
        area=0.42,
    ),
    DoubtMeasure(
        name="small_views",
        title="Disagreement of small views",
        about="a shift by one or two pixels, or a little more or less gain, changes the mask",
        needs="network",
        runs=6,
        doubtful_from=0.04,
        area=0.61,
    ),
    DoubtMeasure(
        name="jump",
        title="Jump in the cine",
        about="the mask differs from those of the neighboring frames",
        needs="cine",
    ),
    DoubtMeasure(
        name="outlier",
        title="Area in the cine",
        about="the area is unlike those of the other frames",
        needs="cine",
    ),
    DoubtMeasure(
        name="features",
        title="Distance of features",
        about="the deepest features are unlike those of reference frames",
        needs="references",
        runs=1,
        doubtful_from=0.57,
        area=1.01,
    ),
    DoubtMeasure(
        name="ensemble",
        title="Disagreement of networks",
        about="several networks give different masks",
        needs="networks",
        doubtful_from=0.12,
        area=0.37,
    ),
)
DOUBT_MEASURES: dict[str, DoubtMeasure] = {measure.name: measure for measure in _MEASURES}
"""The measures of doubt by name: what each needs, and how well it ranked bad masks."""

DEFAULT_MEASURE = "views_and_norms"
CHEAP_MEASURE = "expected_overlap"  # the one without further runs of the network that ranked best
