"""Evidence of explanations with the measures that the options name, for ``explain`` and ``batch``."""

from __future__ import annotations

from collections.abc import Callable

from napari_segcam.batch.options import ExplainOptions
from napari_segcam.errors import SegcamError
from napari_segcam.evidence.measuring import MEASURES, Evidence, Measure, Progress, measure_evidence
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
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


def evidence_of(
    cine: Cine,
    number: int,
    explanation: Explanation,
    explainer: Explainer,
    options: ExplainOptions,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
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

    Raises:
        Cancelled: if it was cancelled.
    """
    if not options.evidence:
        return None
    measures: list[Measure] = [measure for measure in MEASURES if measure in options.evidence]
    frame = cine[number]
    return measure_evidence(
        explanation,
        explainer,
        frame,
        cine.value_range,
        measures=measures,
        scan=known_scan(cine),
        graphics=find_graphics(frame, cine).mask if "overlay_effect" in measures else None,
        draws=options.evidence_draws,
        seed=options.evidence_seed,
        progress=progress,
        cancelled=cancelled,
    )
