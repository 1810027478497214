"""Evidence: how trustworthy the heatmaps of one frame are, measured on the network that made them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.evidence import faithfulness as _faithfulness
from napari_segcam.evidence.echo import echo
from napari_segcam.evidence.in_out import InOut, in_out
from napari_segcam.evidence.off_scan import off_scan
from napari_segcam.evidence.overlay_effect import OverlayEffect, overlay_effect
from napari_segcam.evidence.running.by_replay import REPLAYED, ReplayedMeasures, measure_by_replay, no_replay_reason
from napari_segcam.evidence.running.progress import OverallProgress
from napari_segcam.evidence.running.reasons import why_undefined
from napari_segcam.evidence.running.references import OtherReferences, ReferenceName, check_references
from napari_segcam.evidence.running.steps import steps_of
from napari_segcam.evidence.sanity import sanity
from napari_segcam.evidence.stage_evidence import FirstStage, StageEvidence, first_stage
from napari_segcam.evidence.views import Views, views
from napari_segcam.explanation.ensemble.ensemble_replay import replay_of
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.imaging.geometry import Crop

Measure = Literal["influence", "faithfulness", "in_out", "sanity", "echo", "off_scan", "stability", "overlay_effect"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
"""The measures of evidence by name, all of which ``measure_evidence`` takes unless it is given some of them."""

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
        references: what replaced the stages for their influence.
        overlay_effect: how much of the result hangs on burned-in graphics; None if it was not measured.
    """

    stages: Mapping[str, StageEvidence]
    agreement: float | None
    shown_first: FirstStage
    draws: int
    seed: int
    references: tuple[str, ...] = ("mean",)
    overlay_effect: OverlayEffect | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the statements of the stages and which to look at first, in plain values, ready for JSON."""
        effect = self.overlay_effect
        return {
            "shown_first": self.shown_first.name,
            "shown_first_because": self.shown_first.why,
            "statements": {name: stage.statement for name, stage in self.stages.items()},
            "evidence": {
                "draws": self.draws,
                "seed": self.seed,
                "references": list(self.references),
                "agreement": self.agreement,
            },
            **({} if effect is None else {"overlay_effect": effect.as_dict()}),
        }


def measure_evidence(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    measures: Collection[Measure] = MEASURES,
    scan: Crop | None = None,
    tissue: NDArray[np.bool_] | None = None,
    graphics: NDArray[np.bool_] | None = None,
    draws: int = _faithfulness.DRAWS,
    references: Sequence[ReferenceName] = ("mean",),
    other_frame: NDArray[np.generic] | None = None,
    seed: int = 0,
    replay: FrameReplay | None = None,
    progress: Progress | None = None,
    overall: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Evidence:
    """Measure how trustworthy the heatmaps of an explanation are.

    Examples:
        >>> result = explainer(frame)
        >>> evidence = sc.measure_evidence(result, explainer, frame, measures=["influence"])
        >>> evidence.stages["encoder_4"].statement
        'hiding it costs the mask 100 %'

    Args:
        explanation: of the frame.
        explainer: the explainer that made it.
        frame: the same frame, ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as for the explainer.
        measures: those to take; by default all.
        scan: rows and columns that show the scan, if known; by default the part that the network saw.
        tissue: ``(Y, X)`` bool, the pixels that show the scan, such as the fan; by default those of ``scan``. Heat
            elsewhere is off the scan.
        graphics: ``(Y, X)`` bool, burned into the frame; by default those that are found in it.
        draws: of the null of faithfulness; with 99, smaller p are possible than with 19.
        references: what replaces a stage for its influence: ``"mean"``, which is always measured, ``"blur"`` and
            ``"other frame"``. Where they do not agree on whether a stage takes part, that is unclear.
        other_frame: of the same cine, for the reference ``"other frame"``.
        seed: of everything random.
        replay: of the frame, to measure it several times with one pass over the network; by default a new one.
        progress: called with the measure, the number of its steps done and their total.
        overall: called with the number of steps of all measures done and their total.
        cancelled: called between runs of the network; True stops it.

    Raises:
        Cancelled: if ``cancelled`` returns True.
        SegcamError: if a measure or reference is unknown, or the frame is not the explained one.
    """
    if unknown := sorted(set(measures) - set(MEASURES)):
        raise SegcamError(f"There is no measure {unknown[0]!r}. Choose from: {', '.join(MEASURES)}.")
    check_references(references, other_frame)
    running = set(measures) - REPLAYED if no_replay_reason(explainer, explanation) else measures
    report = OverallProgress(sum(steps_of(explanation, running, draws, references).values()), progress, overall)
    heatmaps = explanation.heatmaps
    by_replay = ReplayedMeasures()
    if REPLAYED & set(measures):
        if replay is None and not no_replay_reason(explainer, explanation):
            replay = replay_of(explainer.network, explanation, frame, value_range, cancelled)
        others = OtherReferences(references, replay, other_frame) if replay else None
        by_replay = measure_by_replay(explanation, explainer, replay, measures, others, draws, seed, report)
    heat_shares: dict[str, InOut] = in_out(explanation, scan=scan, seed=seed) if "in_out" in measures else {}
    sanities: dict[str, float | None] = {}
    no_sanity = ""
    if "sanity" in measures:
        try:
            sanities = sanity(
                explanation,
                explainer,
                frame,
                value_range,
                seed=seed,
                progress=partial(report, "sanity"),
                cancelled=cancelled,
            )
        except SegcamError as error:
            no_sanity = f"the network does not run with shuffled weights ({error})"
    frame_views = Views(None, {})
    if "stability" in measures:
        frame_views = views(
            explanation, explainer, frame, value_range, progress=partial(report, "stability"), cancelled=cancelled
        )
    effect = None
    if "overlay_effect" in measures:
        effect = overlay_effect(
            explanation,
            explainer,
            frame,
            value_range,
            graphics=graphics,
            scan=scan,
            seed=seed,
            progress=partial(report, "overlay effect"),
            cancelled=cancelled,
        )
    stages: dict[str, StageEvidence] = {}
    for name, heatmap in heatmaps.items():
        figures: dict[str, Any] = {
            "echo": echo(explanation, heatmap, scan) if "echo" in measures else None,
            "sanity": sanities.get(name),
            "stability": frame_views.stability.get(name),
            "off_scan": off_scan(heatmap, scan if tissue is None else tissue) if "off_scan" in measures else None,
        }
        reasons = why_undefined(explanation, heatmap, measures, **figures, no_sanity=no_sanity)
        if "influence" in measures and name in by_replay.reasons:
            reasons = {"influence": by_replay.reasons[name], **reasons}
        stages[name] = StageEvidence(
            heatmap.stage,
            by_replay.influences.get(name),
            by_replay.faithfulnesses.get(name) if "faithfulness" in measures else None,
            heat_shares.get(name),
            **figures,
            undefined=reasons,
        )
    report.finish()
    measured = ("mean", *(reference for reference in dict.fromkeys(references) if reference != "mean"))
    return Evidence(stages, frame_views.agreement, first_stage(stages), draws, seed, measured, effect)
