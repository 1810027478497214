"""The CLAIM 2024 checklist: which items a run answers, and what the author must write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from napari_segcam.number_format import UNDEFINED, counted
from napari_segcam.reporting.report.text import plain
from napari_segcam.validating.publishing.claim_items import ITEMS, ClaimItem
from napari_segcam.validating.publishing.material import Material
from napari_segcam.validating.rows import Rows
from napari_segcam.validating.summaries import sample_size_text

Status = Literal["answered", "partly", "author"]

CLAIM_COLUMNS: dict[str, type] = {
    "item": int,
    "part": str,
    "topic": str,
    "status": str,
    "where": str,
    "what": str,
}
"""The columns of ``claim_2024.csv``, with the type of a defined value."""

_OVER_CASES = "Validation over cases"


@dataclass(frozen=True)
class ClaimAnswer:
    """What a run says on one item.

    Attributes:
        item: the item.
        status: whether the run answers it, in part, or the author must write it.
        where: section of the report; empty if the author must write it.
        what: the run says.
    """

    item: ClaimItem
    status: Status
    where: str
    what: str


def claim_answers(material: Material) -> list[ClaimAnswer]:
    """Return an answer for each of the 44 items, in their order.

    An item is only called answered, or partly so, if the run has the figure that answers it.

    Args:
        material: the validated run.
    """
    found = []
    for item in ITEMS:
        answer = _RULES[item.number](material) if item.number in _RULES else None
        status, where, what = answer or ("author", "", "")
        found.append(ClaimAnswer(item, status, where, what))
    return found


def claim_rows(answers: Sequence[ClaimAnswer]) -> Rows:
    """Return one row for each item, with the columns of ``CLAIM_COLUMNS``."""
    return Rows(
        CLAIM_COLUMNS,
        (
            {
                "item": one.item.number,
                "part": one.item.part,
                "topic": one.item.topic,
                "status": one.status,
                "where": one.where,
                "what": one.what,
            }
            for one in answers
        ),
    )


Answer = tuple[Status, str, str] | None
_Rule = Callable[[Material], Answer]


def _preprocessing(material: Material) -> Answer:
    if not material.model.get("model_card"):
        return None
    return "partly", "Provenance", "how each image was fitted to the network; what was done to the files before is not"


def _subset(material: Material) -> Answer:
    drawn = material.run.part("data").get("num_samples")
    return ("partly", "Provenance", f"{drawn} images were drawn at random, with their seed") if drawn else None


def _missing(material: Material) -> Answer:
    if not material.measured:
        return None
    missing = sum(sum(one.undefined.values()) for one in material.measured)
    cases = len(material.validation.assigned.missing)
    failed = len(material.run.failures)
    words = f"{counted(missing, 'undefined figure')} with reasons, {counted(failed, 'failed image')}"
    return "partly", _OVER_CASES, f"{words}, {counted(cases, 'missing case')}; causes in the collection are not known"


def _acquisition(material: Material) -> Answer:
    names = material.acquisition
    return ("partly", _OVER_CASES, f"subgroups by {', '.join(names)}; settings are not") if names else None


def _disjoint(material: Material) -> Answer:
    assigned = material.validation.assigned
    if assigned.assumed:
        return None
    words = f"each case counts once; images that are in several cases: {len(assigned.duplicates)}"
    return "partly", _OVER_CASES, f"{words}; whether a case was used in training is not known"


def _sample_size(material: Material) -> Answer:
    known = [one for one in material.measured if sample_size_text(one)]
    if not known:
        return None
    return "partly", _OVER_CASES, "how many cases narrower intervals would take; the plan before the study is not"


def _model(material: Material) -> Answer:
    names = [plain(material.model.get(name)) for name in ("architecture", "encoder") if material.model.get(name)]
    return ("partly", "Provenance", f"{' with '.join(names)}, inputs, outputs and checksum") if names else None


def _software(material: Material) -> Answer:
    if not material.run.part("versions"):
        return None
    return "partly", "Provenance", "packages of this run with their versions; those of the training are not known"


def _ensemble(material: Material) -> Answer:
    if material.members:
        return "answered", "Provenance", f"an ensemble of {counted(material.members, 'network')} with their weights"
    return ("answered", "Provenance", "no ensemble: one network") if material.model.get("checkpoint") else None


def _metrics(material: Material) -> Answer:
    titles = list(dict.fromkeys(one.metric.title for one in material.measured))
    return ("answered", _OVER_CASES, ", ".join(titles)) if titles else None


def _uncertainty(material: Material) -> Answer:
    known = material.with_interval
    if not known:
        return None
    return "answered", _OVER_CASES, "95 % bootstrap intervals over cases; no test of significance is made"


def _robustness(material: Material) -> Answer:
    titles = material.metrics_named("overlay_effect", "agreement", "disagreement")
    return ("partly", _OVER_CASES, ", ".join(titles)) if titles else None


def _explanations(material: Material) -> Answer:
    methods = plain(material.run.part("options").get("methods"))
    if methods == UNDEFINED:
        return None
    if material.has_faithfulness:
        return "answered", "What the heatmaps are worth", f"{methods}; their faithfulness beside its null"
    return "partly", "Where the heat is", f"{methods}; how far they are faithful was not tested"


def _included(material: Material) -> Answer:
    run, assigned = material.run, material.validation.assigned
    words = f"{counted(len(assigned.names), 'case')}, {counted(len(run.images), 'image')} explained"
    return "partly", _OVER_CASES, f"{words}, {len(run.failures)} failed; exclusions before the run are not known"


def _patients(material: Material) -> Answer:
    names = material.attributes
    return ("partly", _OVER_CASES, f"groups by {', '.join(names)}") if names else None


def _performance(material: Material) -> Answer:
    if not material.measured:
        return None
    if material.attributes:
        return (
            "answered",
            _OVER_CASES,
            f"metrics against the truth, in all cases and by {', '.join(material.attributes)}",
        )
    return "partly", _OVER_CASES, "metrics against the truth in all cases; no subgroups of patients were given"


def _estimates(material: Material) -> Answer:
    known = material.with_interval
    if not known:
        return None
    return "answered", _OVER_CASES, f"{counted(len(known), 'figure')} with a 95 % interval"


def _failures(material: Material) -> Answer:
    known = [one for one in material.analysis.cases if one.kind is not None]
    if not known:
        return None
    failed = sum(one.is_failure for one in known)
    return "answered", "Failures", f"{failed} of {len(known)} failed, by kind; the worst with pictures"


def _limits(material: Material) -> Answer:
    if not material.validation.summaries:
        return None
    return "partly", "Model card", "what the figures of this run cannot say; limits of the study are not known"


_RULES: dict[int, _Rule] = {
    9: _preprocessing,
    10: _subset,
    12: _missing,
    13: _acquisition,
    20: _disjoint,
    21: _sample_size,
    22: _model,
    23: _software,
    27: _ensemble,
    28: _metrics,
    29: _uncertainty,
    30: _robustness,
    31: _explanations,
    35: _included,
    36: _patients,
    37: _performance,
    38: _estimates,
    39: _failures,
    40: _limits,
}
