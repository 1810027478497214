"""Evidence: what the heatmaps of one frame are worth, measured on the network that made them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.evidence import faithfulness as _faithfulness
from napari_segcam.evidence.echo import echo
from napari_segcam.evidence.in_out import InOut, in_out
from napari_segcam.evidence.influence import Influence, influence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.off_scan import off_scan
from napari_segcam.evidence.sanity import sanity
from napari_segcam.evidence.stage_evidence import FirstStage, StageEvidence, first_stage
from napari_segcam.evidence.views import Views, views
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.imaging.geometry import Crop

Measure = Literal["influence", "faithfulness", "in_out", "sanity", "echo", "off_scan", "stability"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Evidence:
    """Of one frame.

    Attributes:
        stages: by stage name, in the network's order.
        agreement: mean pairwise Dice of the masks of views a hair's breadth apart; None where it was not asked for.
        shown_first: the stage to look at first.
        draws: how many the null of faithfulness has.
        seed: of all that is random.
    """

    stages: Mapping[str, StageEvidence]
    agreement: float | None
    shown_first: FirstStage
    draws: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """What is said of each stage and which to look at first, in plain values, fit for JSON."""
        return {
            "shown_first": self.shown_first.name,
            "shown_first_because": self.shown_first.why,
            "statements": {name: stage.statement for name, stage in self.stages.items()},
            "evidence": {"draws": self.draws, "seed": self.seed, "agreement": self.agreement},
        }


def measure_evidence(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    measures: Collection[Measure] = MEASURES,
    scan: Crop | None = None,
    draws: int = _faithfulness.DRAWS,
    seed: int = 0,
    progress: Told | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Evidence:
    """Measure what the heatmaps of an explanation are worth.

    Example:
        >>> result = explainer(frame)
        >>> sc.measure_evidence(result, explainer, frame).stages["encoder_4"].statement

    Args:
        explanation: of the frame.
        explainer: that made it.
        frame: the same frame, ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as the explainer was given.
        measures: which; by default all.
        scan: rows and columns that show the scan, where it is known; by default what the network saw.
        draws: of the null of faithfulness; 99 tell smaller p than 19.
        seed: of all that is random.
        progress: told of each measure how much is done, and of how much.
        cancelled: asked between runs of the network.

    Raises:
        Cancelled: once ``cancelled`` says so.
        SegcamError: if a measure is unknown, or the frame is not the explained one.
    """
    if unknown := sorted(set(measures) - set(MEASURES)):
        raise SegcamError(f"There is no measure {unknown[0]!r}. Choose from: {', '.join(MEASURES)}.")
    tell = progress or (lambda _measure, _done, _total: None)
    heatmaps = explanation.heatmaps
    influences, faithful = _of_replays(
        explanation, explainer, frame, value_range, measures, draws, seed, tell, cancelled
    )
    places: dict[str, InOut] = in_out(explanation, scan=scan, seed=seed) if "in_out" in measures else {}
    shuffled: dict[str, float | None] = {}
    if "sanity" in measures:
        shuffled = sanity(
            explanation,
            explainer,
            frame,
            value_range,
            seed=seed,
            progress=partial(tell, "sanity"),
        )
    seen = Views(None, {})
    if "stability" in measures:
        seen = views(explanation, explainer, frame, value_range, progress=partial(tell, "stability"))
    stages = {
        name: StageEvidence(
            heatmap.stage,
            influences.get(name),
            faithful.get(name),
            places.get(name),
            echo(explanation, heatmap, scan) if "echo" in measures else None,
            shuffled.get(name),
            seen.stability.get(name),
            off_scan(heatmap, scan) if "off_scan" in measures else None,
        )
        for name, heatmap in heatmaps.items()
    }
    return Evidence(stages, seen.agreement, first_stage(stages), draws, seed)


def _of_replays(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None,
    measures: Collection[Measure],
    draws: int,
    seed: int,
    tell: Told,
    cancelled: Callable[[], bool] | None,
) -> tuple[dict[str, Influence], dict[str, Measurement]]:
    """The measures for which the network is run with other maps at a stage; none for maps of no stage of its own."""
    influences: dict[str, Influence] = {}
    faithful: dict[str, Measurement] = {}
    if not {"influence", "faithfulness"} & set(measures) or explainer.method.stage is not None:
        return influences, faithful
    frame_replay = FrameReplay(explainer.network, explanation, frame, value_range, cancelled)
    of_mask = explanation.target.region == "mask" and explanation.no_mask is None
    for number, (name, heatmap) in enumerate(explanation.heatmaps.items(), start=1):
        with frame_replay.at(name) as replay:
            if "influence" in measures:
                influences[name] = influence(replay, of_mask=of_mask)
                tell("influence", number, len(explanation.heatmaps))
            if "faithfulness" in measures:
                faithful[name] = _faithfulness.faithfulness(
                    replay,
                    heatmap,
                    of_mask=of_mask,
                    draws=draws,
                    seed=seed,
                    progress=partial(tell, f"faithfulness of {name}"),
                )
    return influences, faithful
