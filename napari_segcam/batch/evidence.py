"""Evidence of explanations with the measures that the options name, for ``explain`` and ``batch``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.options import ExplainOptions
from napari_segcam.errors import SegcamError
from napari_segcam.evidence.estimating import estimate_evidence
from napari_segcam.evidence.measuring import MEASURES, Evidence, Measure, Progress, measure_evidence
from napari_segcam.evidence.running.by_replay import no_replay_reason
from napari_segcam.evidence.running.references import REFERENCES, ReferenceName
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.imaging.burned_in.finding import find_graphics
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.scan.region import known_scan


def measure_names(text: str) -> tuple[str, ...]:
    """Return the measures that a text names: ``all``, or names separated by commas.

    Raises:
        SegcamError: if there is no measure of such a name.
    """
    names = [name.strip().lower().replace("-", "_") for name in text.split(",") if name.strip()]
    if not names or "all" in names:
        return MEASURES
    if unknown := [name for name in names if name not in MEASURES]:
        raise SegcamError(
            f"There is no measure of evidence {unknown[0]!r}. Choose from: {', '.join(MEASURES)}; or all."
        )
    return tuple(measure for measure in MEASURES if measure in names)


def reference_names(text: str) -> tuple[ReferenceName, ...]:
    """Return the references that a text names, separated by commas.

    Raises:
        SegcamError: if there is no reference of such a name.
    """
    names = [name.strip().lower().replace("-", " ") for name in text.split(",") if name.strip()] or ["mean"]
    if unknown := [name for name in names if name not in REFERENCES]:
        choices = ", ".join(name.replace(" ", "-") for name in REFERENCES)
        raise SegcamError(f"There is no reference {unknown[0]!r}. Choose from: {choices}.")
    return tuple(reference for reference in REFERENCES if reference in names)


def other_frame_of(cine: Cine, number: int, references: Sequence[str]) -> NDArray[np.generic] | None:
    """Return the frame half a cine away from another, whose maps replace a stage's; None if it is not asked for.

    Raises:
        SegcamError: if it is asked for and the cine is a still.
    """
    if "other frame" not in references:
        return None
    if len(cine) < 2:
        raise SegcamError("--evidence-references other-frame needs a cine, but this is a still. Choose mean,blur.")
    return cine[(number + len(cine) // 2) % len(cine)]


def evidence_of(
    cine: Cine,
    number: int,
    explanation: Explanation,
    explainer: Explainer,
    options: ExplainOptions,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    overall: Callable[[int, int], None] | None = None,
    replay: FrameReplay | None = None,
) -> Evidence | None:
    """Return the evidence that the options ask for; None if they ask for none.

    Args:
        cine: that the frame belongs to.
        number: of the frame.
        explanation: of the frame.
        explainer: that made it.
        options: with the names of the measures.
        progress: as for ``measure_evidence``.
        cancelled: as for ``measure_evidence``.
        overall: as for ``measure_evidence``.
        replay: as for ``measure_evidence``.

    Raises:
        Cancelled: if it was cancelled.
    """
    if not options.evidence:
        return None
    measures: list[Measure] = [measure for measure in MEASURES if measure in options.evidence]
    frame = cine[number]
    references = [name for name in REFERENCES if name in options.evidence_references]
    return measure_evidence(
        explanation,
        explainer,
        frame,
        cine.value_range,
        measures=measures,
        scan=known_scan(cine),
        graphics=find_graphics(frame, cine).mask if "overlay_effect" in measures else None,
        draws=options.evidence_draws,
        references=references,
        other_frame=other_frame_of(cine, number, references),
        seed=options.evidence_seed,
        replay=replay,
        progress=progress,
        overall=overall,
        cancelled=cancelled,
    )


def estimate_of(
    cine: Cine,
    number: int,
    explanation: Explanation,
    explainer: Explainer,
    options: ExplainOptions,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[Cost, FrameReplay | None]:
    """Return what ``evidence_of`` will cost for a frame, and what was prepared for it.

    Raises:
        Cancelled: if it was cancelled.
    """
    frame = cine[number]
    measures: list[Measure] = [measure for measure in MEASURES if measure in options.evidence]
    replay = None
    if not no_replay_reason(explainer):
        replay = FrameReplay(explainer.network, explanation, frame, cine.value_range, cancelled)
    cost = estimate_evidence(
        explanation,
        explainer,
        frame,
        cine.value_range,
        measures=measures,
        scan=known_scan(cine),
        graphics=find_graphics(frame, cine).mask if "overlay_effect" in measures else None,
        draws=options.evidence_draws,
        references=[name for name in REFERENCES if name in options.evidence_references],
        replay=replay,
        cancelled=cancelled,
    )
    return cost, replay
