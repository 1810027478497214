"""Words: what the evidence of many frames says, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.reporting.evidence_summary.risk import RiskCoverage
from napari_segcam.reporting.evidence_summary.summary import EvidenceSummary, MapSummary

_ONE = "This is a single frame with a mask: more would say more."
_OFTEN, _SELDOM = 0.9, 0.1
_FEW = 5  # with fewer frames than this, shares say little
_FEW_DRAWS = 19  # with fewer, no p is as small as 0.05
_CARRIES = 0.05  # smallest effect of overlays that counts


def sentences(summary: EvidenceSummary) -> list[str]:
    """Return what the evidence of a class says: stage, idle stages, maps, overlays."""
    words = [stage_sentence(summary), idle_sentence(summary), map_sentence(summary), overlay_sentence(summary)]
    found = summary.frames - summary.empty
    if summary.empty:
        words.append(
            f"Nothing was found in {summary.empty} of {summary.frames} frames: they say nothing about the stages."
        )
    if 0 < found < _FEW:
        words.append(f"{found} frames with a mask are few: more would say more." if found > 1 else _ONE)
    return [sentence for sentence in words if sentence]


def stage_sentence(summary: EvidenceSummary) -> str:
    """Return which stage to look at."""
    first = summary.first
    if all(not stage.takes_part.total for stage in summary.stages):
        return "Which stage to look at is not known: no influence was measured."
    if first is None:
        return "No stage is known to take part in the masks, so there is none to look at first."
    also = [stage for stage in summary.stages if stage is not first and stage.shown_first.count]
    others = "; ".join(f"{stage.stage} in {stage.shown_first.count}" for stage in also)
    return f"Look first at {first.stage}: it is the stage to show first in {first.shown_first} frames" + (
        f" ({others})." if others else "."
    )


def idle_sentence(summary: EvidenceSummary) -> str:
    """Return which stages take no part, and which sometimes do; empty if all do."""
    idle = [
        f"{stage.stage} in {stage.takes_part.total - stage.takes_part.count} of {stage.takes_part.total}"
        for stage in summary.stages
        if (share := stage.takes_part.value) is not None and share <= _SELDOM
    ]
    some = [
        f"{stage.stage} in {stage.takes_part}"
        for stage in summary.stages
        if (share := stage.takes_part.value) is not None and _SELDOM < share < _OFTEN
    ]
    words = [f"No part in the mask: {_listed(idle)} frames."] if idle else []
    return " ".join([*words, *([f"Part in some masks only: {_listed(some)} frames."] if some else [])])


def map_sentence(summary: EvidenceSummary) -> str:
    """Return which method's maps hold up at the stage to look at."""
    first = summary.first
    tested = [one for one in summary.maps if one.passes.total and (first is None or one.stage == first.stage)]
    if not tested:
        return ""
    best = max(tested, key=lambda one: (one.passes.value or 0, one.lift or 0))
    at = f"At {best.stage}, "
    if not best.passes.count:
        return (
            f"{at}no map of any method has hot places that matter more than others (p ≤ 0.05), in "
            f"{sum(one.passes.total for one in tested)} tests."
        )
    sentence = f"{at}the maps of {best.method} hold up in {best.passes} frames (p ≤ 0.05{_lift(best)})"
    others = [f"{one.method} in {one.passes}" for one in tested if one is not best]
    return sentence + (f"; {', '.join(others)}." if others else ".") + _flags(best)


def overlay_sentence(summary: EvidenceSummary) -> str:
    """Return whether burned-in graphics decide; empty if it was not measured."""
    overlays = summary.overlays
    if overlays is None:
        return ""
    if not overlays.measured:
        reason = overlays.undefined.most_common(1)[0][0] if overlays.undefined else "it was not measured"
        return f"Whether burned-in graphics decide is not known: {reason}."
    effect, null, passes = overlays.effect or 0, overlays.null, overlays.passes
    figures = f"median effect on the mask {effect:.2f}" + (
        f", {null:.2f} for patches elsewhere" if null is not None else ""
    )
    figures += f"; p ≤ 0.05 in {passes} frames with graphics"
    share = passes.value or 0
    if effect >= _CARRIES and share >= 0.5:
        return f"Burned-in graphics decide: {figures}."
    if effect < _CARRIES and share <= _SELDOM:
        return f"Burned-in graphics do not decide: {figures}."
    return f"Burned-in graphics decide in some frames: {figures}."


def doubt_sentence(measure: str, curve: RiskCoverage | None) -> str:
    """Return how well a measure of doubt ranks bad masks; without a truth nobody knows."""
    if curve is None:
        return f"How well doubt ({measure}) ranks bad masks is not known: give true masks with --truth."
    figures = f"{curve.area:.3f} (random order {curve.random:.3f}, the best possible {curve.perfect:.3f})"
    if curve.ratio is None:
        return f"Every mask is right in these {curve.frames} frames, so there is nothing to rank by doubt."
    return (
        f"Doubt ({measure}) ranks bad masks with an area under the risk–coverage curve of {figures}: "
        f"{curve.ratio:.2f} of random order's, in {curve.frames} frames."
    )


def few_draws(draws: int) -> str:
    """Return a warning if p cannot be as small as 0.05 with so many draws; else nothing."""
    if draws >= _FEW_DRAWS:
        return ""
    return f"With {draws} draws, p is at least {1 / (draws + 1):.2g}, so no map can pass 0.05: use --null 19 or more."


def _lift(one: MapSummary) -> str:
    return "" if one.lift is None else f", mean lift {one.lift:.2f}"


def _flags(one: MapSummary) -> str:
    """Return what else is known of the maps that hold up best."""
    flags = {
        "repeat the mask": one.echo,
        "are much the same in a network that has learned nothing": one.sanity,
        "have half of their heat or more off the scan": one.off_scan,
    }
    said = [f"{share} {words}" for words, share in flags.items() if share.count]
    return f" Of these maps, {_listed(said)}." if said else ""


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
