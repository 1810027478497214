"""Evidence: how trustworthy the heatmaps of one frame are, measured on the network that made them."""

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

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Evidence:
    """Evidence of one frame.

    Attributes:
        stages: by stage name, in the network's order.
        agreement: mean pairwise Dice of the masks of slightly different views; None if it was not measured.
        shown_first: the stage to look at first.
        draws: number of draws of the null of faithfulness.
        seed: of everything random.
    """

    stages: Mapping[str, StageEvidence]
    agreement: float | None
    shown_first: FirstStage
    draws: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Return the statements of the stages and which to look at first, in plain values, ready for JSON."""
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
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Evidence:
    """Measure how trustworthy the heatmaps of an explanation are.

    Example:
        >>> result = explainer(frame)
        >>> sc.measure_evidence(result, explainer, frame).stages["encoder_4"].statement

    Args:
        explanation: of the frame.
        explainer: the explainer that made it.
        frame: the same frame, ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as for the explainer.
        measures: those to take; by default all.
        scan: rows and columns that show the scan, if known; by default the part that the network saw.
        draws: of the null of faithfulness; with 99, smaller p are possible than with 19.
        seed: of everything random.
        progress: called with the measure, the number of its steps done and their total.
        cancelled: called between runs of the network; True stops it.

    Raises:
        Cancelled: if ``cancelled`` returns True.
        SegcamError: if a measure is unknown, or the frame is not the explained one.
    """
    if unknown := sorted(set(measures) - set(MEASURES)):
        raise SegcamError(f"There is no measure {unknown[0]!r}. Choose from: {', '.join(MEASURES)}.")
    report = progress or (lambda _measure, _done, _total: None)
    heatmaps = explanation.heatmaps
    influences, faithfulnesses = _measure_by_replay(
        explanation, explainer, frame, value_range, measures, draws, seed, report, cancelled
    )
    heat_shares: dict[str, InOut] = in_out(explanation, scan=scan, seed=seed) if "in_out" in measures else {}
    sanities: dict[str, float | None] = {}
    if "sanity" in measures:
        sanities = sanity(
            explanation,
            explainer,
            frame,
            value_range,
            seed=seed,
            progress=partial(report, "sanity"),
        )
    frame_views = Views(None, {})
    if "stability" in measures:
        frame_views = views(explanation, explainer, frame, value_range, progress=partial(report, "stability"))
    stages = {
        name: StageEvidence(
            heatmap.stage,
            influences.get(name),
            faithfulnesses.get(name),
            heat_shares.get(name),
            echo(explanation, heatmap, scan) if "echo" in measures else None,
            sanities.get(name),
            frame_views.stability.get(name),
            off_scan(heatmap, scan) if "off_scan" in measures else None,
        )
        for name, heatmap in heatmaps.items()
    }
    return Evidence(stages, frame_views.agreement, first_stage(stages), draws, seed)


def _measure_by_replay(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None,
    measures: Collection[Measure],
    draws: int,
    seed: int,
    report: Progress,
    cancelled: Callable[[], bool] | None,
) -> tuple[dict[str, Influence], dict[str, Measurement]]:
    """Take the measures that run the network with other maps at a stage; none for methods with a fixed stage."""
    influences: dict[str, Influence] = {}
    faithfulnesses: dict[str, Measurement] = {}
    if not {"influence", "faithfulness"} & set(measures) or explainer.method.stage is not None:
        return influences, faithfulnesses
    frame_replay = FrameReplay(explainer.network, explanation, frame, value_range, cancelled)
    region_is_mask = explanation.target.region == "mask" and explanation.no_mask is None
    for number, (name, heatmap) in enumerate(explanation.heatmaps.items(), start=1):
        with frame_replay.at(name) as replay:
            if "influence" in measures:
                influences[name] = influence(replay, region_is_mask=region_is_mask)
                report("influence", number, len(explanation.heatmaps))
            if "faithfulness" in measures:
                faithfulnesses[name] = _faithfulness.faithfulness(
                    replay,
                    heatmap,
                    region_is_mask=region_is_mask,
                    draws=draws,
                    seed=seed,
                    progress=partial(report, f"faithfulness of {name}"),
                )
    return influences, faithfulnesses
