"""The figures behind a trust line, each beside its null or the reason why it is undefined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_segcam.number_format import grouped

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.evidence.null import Measurement
    from napari_segcam.evidence.stage_evidence import StageEvidence

_CORRELATIONS = (
    ("echo", "Correlation with the mask's probability", "from 0.9 on it repeats the mask"),
    ("sanity", "Correlation with the map of a network that has learned nothing", "from 0.5 on much the same"),
    ("stability", "Correlation with the maps of slightly changed views", "1: a slight change changes nothing"),
)


def details(evidence: Mapping[str, StageEvidence]) -> str:
    """Return all figures of stages as lines of text.

    Args:
        evidence: what is known, by stage name.
    """
    tested = sum(stage.faithfulness is not None and stage.faithfulness.p is not None for stage in evidence.values())
    lines = [line for name, stage in evidence.items() for line in (name, *(f"  {part}" for part in _figures(stage)))]
    if tested > 1:
        lines.append(f"{tested} heatmaps were tested: with more tests, a small p is more often chance.")
    return "\n".join(lines).replace("%", " %")


def _figures(stage: StageEvidence) -> list[str]:
    lines = []
    influence = stage.influence
    if influence is not None and influence.value is not None:
        explained = "mask" if influence.region_is_mask else "score"
        losses = " or ".join(f"{value:.0%}" for value in influence.values)
        lines.append(f"Influence: {losses} of the {explained} is lost without the stage")
    elif reason := stage.undefined.get("influence"):
        lines.append(f"Influence: undefined, since {reason}")
    lines += _measured("Loss by hiding the hottest places", "for moved maps", stage.faithfulness)
    if stage.in_out is not None:
        lines += _measured("In / out", "at random places", stage.in_out.ratio)
        lines += _measured("Share of the heat inside", "at random places", stage.in_out.share)
    for name, title, meaning in _CORRELATIONS:
        value = getattr(stage, name)
        if value is not None:
            lines.append(f"{title}: {value:.2f} ({meaning})")
        elif reason := stage.undefined.get(name):
            lines.append(f"{title}: undefined, since {reason}")
    off_scan = stage.off_scan
    if off_scan is not None and off_scan.outside is not None:
        lines.append(f"Heat off the scan: {off_scan.outside:.0%}")
    if off_scan is not None and off_scan.ring is not None:
        lines.append(f"Heat in the outermost cells: {off_scan.ring:.0%} (they are {off_scan.ring_area:.0%} of all)")
    return lines


def _measured(title: str, null: str, measurement: Measurement | None) -> list[str]:
    if measurement is None:
        return []
    if measurement.value is None:
        return [f"{title}: undefined, since {measurement.undefined}"]
    value = grouped(measurement.value, digits=2)
    if measurement.p is None or measurement.expected is None:
        return [f"{title}: {value} (no comparison: {measurement.undefined})"]
    chance = grouped(measurement.expected, digits=2)
    return [f"{title}: {value}; {null} {chance}, p {measurement.p:.2g} ({len(measurement.null)} draws)"]
